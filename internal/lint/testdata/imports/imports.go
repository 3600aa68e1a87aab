package imports

import _ "fleece/rt"
