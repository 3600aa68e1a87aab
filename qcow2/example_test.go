package qcow2_test

import (
	"fmt"
	"os"
	"path/filepath"

	"fleece/qcow2"
)

func Example() {
	dir, err := os.MkdirTemp("", "qcow2")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file, err := os.Create(filepath.Join(dir, "disk.qcow2"))
	if err != nil {
		panic(err)
	}
	defer func() { _ = file.Close() }()

	size, err := qcow2.Write(file, &qcow2.Image{
		Size: 1 << 20,
		Runs: []qcow2.Run{
			{Offset: 0, Length: 65536, Data: []byte("hello")},
			{Offset: 131072, Length: 65536, Kind: qcow2.Zero},
		},
		Bitmaps: []qcow2.Bitmap{{Name: "cp1", Granularity: 65536, Auto: true, Dirty: []qcow2.Range{{Offset: 0, Length: 5}}}},
	})
	if err != nil {
		panic(err)
	}
	r, err := qcow2.Open(file, size, qcow2.Options{})
	if err != nil {
		panic(err)
	}
	for e, err := range r.Extents() {
		fmt.Println(e.Offset, e.Length, e.Kind, err)
	}
	bitmaps, err := r.Bitmaps()
	if err != nil {
		panic(err)
	}
	for _, b := range bitmaps {
		dirty, err := r.ReadBitmap(b, nil)
		fmt.Println(b.Name, dirty, err)
	}
	report, err := qcow2.Check(file, size)
	fmt.Println(report.Clean(), err)
	// Output:
	// 0 65536 data <nil>
	// 65536 65536 unallocated <nil>
	// 131072 65536 zero <nil>
	// 196608 851968 unallocated <nil>
	// cp1 [{0 65536}] <nil>
	// true <nil>
}
