package sim

import "fleece/qmp"

// migrationParameter is a parameter of migration: its default and, for numbers, the
// error of a value that is out of range.
type migrationParameter struct {
	name     string
	fallback qmp.Value
	low      int64
	high     int64 // 0: any
	expects  string
}

// migrationParameters are those of 7.2 that a query shows
// (migrate_params_check of migration/migration.c).
func migrationParameters() []migrationParameter {
	const percent = "an integer in the range of 1 to 99"
	const threads = "a value between 1 and 255"
	num := func(name string, n, low, high int64, expects string) migrationParameter {
		return migrationParameter{name, qmp.Int(n), low, high, expects}
	}
	return []migrationParameter{
		num("announce-initial", 50, 0, 100000, "a value between 0 and 100000"),
		num("announce-max", 550, 0, 100000, "a value between 0 and 100000"),
		num("announce-rounds", 5, 0, 1000, "a value between 0 and 1000"),
		num("announce-step", 100, 1, 10000, "a value between 0 and 10000"),
		{name: "block-incremental", fallback: qmp.Bool(false)},
		num("compress-level", 1, 0, 9, "a value between 0 and 9"),
		num("compress-threads", 8, 1, 255, threads),
		{name: "compress-wait-thread", fallback: qmp.Bool(true)},
		num("cpu-throttle-increment", 10, 1, 99, percent),
		num("cpu-throttle-initial", 20, 1, 99, percent),
		{name: "cpu-throttle-tailslow", fallback: qmp.Bool(false)},
		num("decompress-threads", 2, 1, 255, threads),
		num("downtime-limit", 300, 0, 2000*1000, "an integer in the range of 0 to (2000 * 1000) ms"),
		num("max-bandwidth", 128<<20, 0, 0, ""),
		num("max-cpu-throttle", 99, 1, 99, "an integer in the range of 1 to 99"),
		num("max-postcopy-bandwidth", 0, 0, 0, ""),
		num("multifd-channels", 2, 1, 255, threads),
		{name: "multifd-compression", fallback: qmp.Str("none")},
		num("multifd-zlib-level", 1, 0, 9, "a value between 0 and 9"),
		num("multifd-zstd-level", 1, 0, 20, "a value between 0 and 20"),
		num("throttle-trigger-threshold", 50, 1, 100, "an integer in the range of 1 to 100"),
		{name: "tls-authz", fallback: qmp.Str("")},
		{name: "tls-creds", fallback: qmp.Str("")},
		{name: "tls-hostname", fallback: qmp.Str("")},
		num("x-checkpoint-delay", 20000, 0, 0, ""),
		num("xbzrle-cache-size", 64<<20, 0, 0, ""),
	}
}

// setMigrationParameters checks all of them before it sets any.
func (m *Machine) setMigrationParameters(a qmp.Value) *qmp.ReplyError {
	for _, p := range migrationParameters() {
		v := a.Get(p.name)
		n, isInt := v.Int64()
		switch {
		case !v.Present() || !isInt:
		case p.name == "xbzrle-cache-size" && (n < guestPageBytes || n&(n-1) != 0):
			return qmp.Generic("Parameter 'xbzrle_cache_size' expects a power of two no less than the target page size")
		case p.high > 0 && (n < p.low || n > p.high):
			return qmp.Generic("Parameter '" + underscored(p.name) + "' expects " + p.expects)
		}
	}
	if err := checkMapping(a.Get("block-bitmap-mapping")); err != nil {
		return err
	}
	for _, x := range a.Members() {
		if x.Value.Kind() == qmp.KindNull {
			x.Value = qmp.Str("")
		}
		m.migration.parameters = append(m.migration.parameters, x)
	}
	return nil
}

// guestPageBytes is the size of the guest's pages.
const guestPageBytes = 4096

// underscored is how the errors write a parameter's name.
func underscored(name string) string {
	b := []byte(name)
	for i, c := range b {
		if c == '-' {
			b[i] = '_'
		}
	}
	return string(b)
}

// parameter is the last value that was set.
func (g *migration) parameter(name string) qmp.Value {
	for i := len(g.parameters) - 1; i >= 0; i-- {
		if g.parameters[i].Name == name {
			return g.parameters[i].Value
		}
	}
	return qmp.Value{}
}

func (g *migration) queryParameters() qmp.Value {
	var out []qmp.Member
	for _, p := range migrationParameters() {
		v := g.parameter(p.name)
		if !v.Present() {
			v = p.fallback
		}
		out = append(out, qmp.M(p.name, v))
	}
	return qmp.Dict(append(out, qmp.M("block-bitmap-mapping", g.parameter("block-bitmap-mapping")))...)
}

// checkMapping gives the errors of block-bitmap-mapping
// (migration/block-dirty-bitmap.c).
func checkMapping(list qmp.Value) *qmp.ReplyError {
	bad := func(text string) *qmp.ReplyError {
		return qmp.Generic("Invalid mapping given for block-bitmap-mapping: " + text)
	}
	nodes, aliases := map[string]bool{}, map[string]bool{}
	for _, n := range list.Items() {
		node, alias := n.Get("node-name").S(), n.Get("alias").S()
		switch {
		case !wellFormed(alias):
			return bad("The node alias '" + alias + "' is not well-formed")
		case len(alias) > mappingNameMax:
			return bad("The node alias '" + alias + "' is longer than 255 bytes")
		case nodes[node]:
			return bad("The node name '" + node + "' is mapped twice")
		case aliases[alias]:
			return bad("The node alias '" + alias + "' is used twice")
		}
		nodes[node], aliases[alias] = true, true
		names, others := map[string]bool{}, map[string]bool{}
		for _, b := range n.Get("bitmaps").Items() {
			name, other := b.Get("name").S(), b.Get("alias").S()
			switch {
			case len(other) > mappingNameMax:
				return bad("The bitmap alias '" + other + "' is longer than 255 bytes")
			case names[name]:
				return bad("The bitmap '" + node + "'/'" + name + "' is mapped twice")
			case others[other]:
				return bad("The bitmap alias '" + alias + "'/'" + other + "' is used twice")
			}
			names[name], others[other] = true, true
		}
	}
	return nil
}

// mappingNameMax is how long an alias may be, in bytes.
const mappingNameMax = 255
