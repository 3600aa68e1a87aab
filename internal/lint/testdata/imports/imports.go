package imports

import (
	_ "fleece/rt"

	_ "github.com/tidwall/btree"
)
