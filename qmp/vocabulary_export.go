package qmp

// NBDServerStart is nbd-server-start.
type NBDServerStart struct {
	Addr           SocketAddress `qmp:"addr"`
	TLSCreds       string        `qmp:"tls-creds"`
	MaxConnections int64         `qmp:"max-connections"` // 0 is QEMU's default, 100
}

// Command gives it as a command.
func (n NBDServerStart) Command() Command {
	return Command{"nbd-server-start", Dict(M("addr", n.Addr.SocketAddress()), M("tls-creds", text(n.TLSCreds)),
		M("max-connections", number(n.MaxConnections)))}
}

// SocketAddress is a SocketAddressLegacy of QEMU.
type SocketAddress interface{ SocketAddress() Value }

// UnixAddress is a socket in the file system.
type UnixAddress struct {
	Path string `qmp:"path"`
}

// SocketAddress gives the argument.
func (a UnixAddress) SocketAddress() Value {
	return Dict(M("type", Str("unix")), M("data", Dict(M("path", Str(a.Path)))))
}

// InetAddress is a TCP port. Port is text in QEMU's schema.
type InetAddress struct {
	Host string `qmp:"host"`
	Port string `qmp:"port"`
}

// SocketAddress gives the argument.
func (a InetAddress) SocketAddress() Value {
	return Dict(M("type", Str("inet")), M("data", Dict(M("host", Str(a.Host)), M("port", Str(a.Port)))))
}

// FDAddress is a socket that was handed over with getfd.
type FDAddress struct {
	Name string `qmp:"str"`
}

// SocketAddress gives the argument.
func (a FDAddress) SocketAddress() Value {
	return Dict(M("type", Str("fd")), M("data", Dict(M("str", Str(a.Name)))))
}

// NBDServerStop is nbd-server-stop: clients are cut, exports go.
type NBDServerStop struct{}

// Command gives it as a command.
func (NBDServerStop) Command() Command { return Command{Name: "nbd-server-stop"} }

// BlockExportAdd is block-export-add of type nbd.
type BlockExportAdd struct {
	ID          string   `qmp:"id"`
	NodeName    string   `qmp:"node-name"`
	Writable    Bool3    `qmp:"writable"`
	Name        string   `qmp:"name"` // of the NBD export; absent is the node's name
	Description string   `qmp:"description"`
	Bitmaps     []Bitmap `qmp:"bitmaps"` // names alone are looked up down the chain
}

// Command gives it as a command.
func (b BlockExportAdd) Command() Command {
	args := []Member{
		M("type", Str("nbd")), M("id", Str(b.ID)), M("node-name", Str(b.NodeName)),
		M("writable", b.Writable.value()), M("name", text(b.Name)), M("description", text(b.Description)),
	}
	if b.Bitmaps != nil {
		args = append(args, M("bitmaps", bitmapSources(b.Bitmaps)))
	}
	return Command{"block-export-add", Dict(args...)}
}

// BlockExportDel is block-export-del.
type BlockExportDel struct {
	ID   string `qmp:"id"`
	Mode string `qmp:"mode"` // "safe" or "hard"; absent is safe
}

// Command gives it as a command.
func (b BlockExportDel) Command() Command {
	return Command{"block-export-del", Dict(M("id", Str(b.ID)), M("mode", text(b.Mode)))}
}
