package main

import (
	"fmt"
	"math"
	"os"
	"path"
	"slices"
	"strconv"

	"fleece/driver/domaindef"
	"fleece/machine"
	"fleece/qmp"
	"fleece/qmpfake/session"
)

const (
	// imageSizeDefault is the virtual size of an image that --image does not name.
	imageSizeDefault = 1 << 30
	// domainBytesMax bounds a file with domain XML.
	domainBytesMax = 1 << 20
)

// domainMachine plans the machine of a domain, as the driver does.
func domainMachine(file string) (machine.Spec, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return machine.Spec{}, fmt.Errorf("--domain: %w", err)
	}
	if len(text) > domainBytesMax {
		return machine.Spec{}, fmt.Errorf("--domain: %s: longer than %d bytes", file, domainBytesMax)
	}
	domain, err := domaindef.Parse(string(text))
	if err != nil {
		return machine.Spec{}, fmt.Errorf("--domain: %s: %w", file, err)
	}
	plan, err := domain.Plan()
	if err != nil {
		return machine.Spec{}, fmt.Errorf("--domain: %s: %w", file, err)
	}
	return plan.Spec, nil
}

// imagesOf are the images that a machine needs at its start, and those of --image.
func imagesOf(spec machine.Spec, flags []string) ([]session.Image, error) {
	var images []session.Image
	for _, text := range flags {
		image, err := parseImage(text)
		if err != nil {
			return nil, fmt.Errorf("--image %s: %w", text, err)
		}
		if findImage(images, image.Path) >= 0 {
			return nil, fmt.Errorf("--image %s: the same path twice", text)
		}
		images = append(images, image)
	}
	for _, found := range machineImages(spec) {
		if found.Path != path.Clean(found.Path) || !path.IsAbs(found.Path) {
			return nil, fmt.Errorf("image %q: images live in memory, where a path is absolute and clean", found.Path)
		}
		if findImage(images, found.Path) < 0 {
			found.Size = imageSizeDefault
			images = append(images, found)
		}
	}
	if len(images) > session.ImagesMax {
		return nil, fmt.Errorf("%d images; there may be at most %d", len(images), session.ImagesMax)
	}
	for i := range images {
		if images[i].Format == "" {
			images[i].Format = "raw"
		}
	}
	return images, nil
}

func findImage(images []session.Image, path string) int {
	return slices.IndexFunc(images, func(i session.Image) bool { return i.Path == path })
}

// machineImages finds the files that the nodes of a machine open, with the format of
// the node above each.
func machineImages(spec machine.Spec) []session.Image {
	var images []session.Image
	format := make(map[string]string) // of a storage node, by its name
	for _, n := range spec.Nodes {
		if below, ok := n.Get("file").Text(); ok && n.Get("driver").S() == "qcow2" {
			format[below] = "qcow2"
		}
	}
	var visit func(n qmp.Value, above string)
	visit = func(n qmp.Value, above string) {
		if n.Get("driver").S() == "file" {
			if above == "" {
				above = format[n.Get("node-name").S()]
			}
			if p := n.Get("filename").S(); p != "" && findImage(images, p) < 0 {
				images = append(images, session.Image{Path: p, Format: above})
			}
			return
		}
		for _, m := range n.Members() {
			if m.Value.Kind() != qmp.KindDict {
				continue
			}
			inner := ""
			if m.Name == "file" && n.Get("driver").S() == "qcow2" {
				inner = "qcow2"
			}
			visit(m.Value, inner)
		}
	}
	for _, n := range spec.Nodes {
		visit(n, "")
	}
	return images
}

// parseImage reads path=PATH[,size=SIZE][,format=FORMAT].
func parseImage(text string) (session.Image, error) {
	v, err := parseKeyval(text, "path")
	if err != nil {
		return session.Image{}, err
	}
	image := session.Image{Size: imageSizeDefault, Format: "qcow2"}
	for _, m := range v.Members() {
		value := m.Value.S()
		switch m.Name {
		case "path":
			image.Path = value
		case "size":
			if image.Size, err = parseSize(value); err != nil {
				return image, err
			}
		case "format":
			image.Format = value
		default:
			return image, fmt.Errorf("%q is unknown: there are path, size and format", m.Name)
		}
	}
	switch {
	case !path.IsAbs(image.Path) || path.Clean(image.Path) != image.Path:
		return image, fmt.Errorf("path %q: images live in memory, where a path is absolute and clean", image.Path)
	case image.Format != "raw" && image.Format != "qcow2":
		return image, fmt.Errorf("format %q: there are raw and qcow2", image.Format)
	}
	return image, nil
}

// parseSize reads bytes with the suffixes of qemu-img: k, M, G, T.
func parseSize(text string) (int64, error) {
	shift := 0
	digits := text
	if text != "" {
		switch text[len(text)-1] {
		case 'k', 'K':
			shift = 10
		case 'M':
			shift = 20
		case 'G':
			shift = 30
		case 'T':
			shift = 40
		}
	}
	if shift > 0 {
		digits = text[:len(text)-1]
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64>>shift || n<<shift > session.ImageSizeMax {
		return 0, fmt.Errorf("size %q: bytes, with k, M, G or T behind, up to 16T", text)
	}
	return n << shift, nil
}
