package sim

// opening says what a node is opened for.
type opening int

const (
	asRoot    opening = iota
	asChild           // described with its parent
	asStorage         // of an image that is to be made; nobody's child
)

// discard is the option's default: formats and filters respect it themselves
// (bdrv_inherited_options).
func (as opening) discard() string {
	if as == asChild {
		return "unmap"
	}
	return "ignore"
}
