package qcow2

// BitmapInfo is one entry of the bitmap directory.
type BitmapInfo struct {
	Name        string
	Granularity int64 // bytes
	Auto        bool  // enabled: records writes whenever the image is open
	InUse       bool  // not closed cleanly: its bits must not be believed

	tableOffset  int64
	tableEntries int64
}
