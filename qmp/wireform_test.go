package qmp

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// anyValue draws a tree; some of them cannot be sent.
func anyValue(depth int) *rapid.Generator[Value] {
	return rapid.Custom(func(t *rapid.T) Value {
		kinds := 8
		if depth == 0 {
			kinds = 6
		}
		switch rapid.IntRange(0, kinds).Draw(t, "kind") {
		case 0:
			return Null()
		case 1:
			return Bool(rapid.Bool().Draw(t, "bool"))
		case 2:
			return Int(rapid.Int64().Draw(t, "int"))
		case 3:
			return Uint(rapid.Uint64().Draw(t, "uint"))
		case 4:
			return Float(anyFloat().Draw(t, "float"))
		case 5:
			return Str(rapid.String().Draw(t, "text"))
		case 6:
			return Str(string(rapid.SliceOfN(rapid.Byte(), 0, 6).Draw(t, "bytes")))
		case 7:
			return List(rapid.SliceOfN(anyValue(depth-1), 0, 4).Draw(t, "items")...)
		}
		names := rapid.SliceOfN(rapid.StringN(0, 3, 6), 0, 4).Draw(t, "names")
		members := make([]Member, len(names))
		for i, name := range names {
			members[i] = M(name, anyValue(depth-1).Draw(t, "value"))
		}
		return Dict(members...)
	})
}

func anyFloat() *rapid.Generator[float64] {
	return rapid.OneOf(
		rapid.Float64(),
		rapid.Map(rapid.Int64(), func(n int64) float64 { return float64(n) }),
		rapid.SampledFrom([]float64{0, math.Copysign(0, -1), 1e16, 1e17, -1e17, 99999999999999984, 1 << 53, math.Inf(1), math.NaN()}),
	)
}

func TestTreesAndBytes_ArriveAlikeOrAreBothRefused(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := anyValue(3).Draw(t, "message")
		typed, errTyped := wireForm(v)
		wire, errWire := throughBytes(v)
		if (errTyped == nil) != (errWire == nil) {
			t.Fatalf("%v: as a tree %v, as bytes %v", v, errTyped, errWire)
		}
		if errTyped == nil && !typed.Equal(wire) {
			t.Fatalf("as a tree %v, as bytes %v", typed, wire)
		}
	})
}

func TestDecode_GivesBackWhatWasEncoded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v, err := wireForm(anyValue(3).Draw(t, "message"))
		if err != nil {
			t.Skip("cannot be sent")
		}
		again, err := Decode(Encode(v))
		if err != nil || !again.Equal(v) {
			t.Fatalf("%v became %v, %v", v, again, err)
		}
	})
}

func TestEqual_LooksAtNamesNotAtOrder(t *testing.T) {
	a := Dict(M("a", Int(1)), M("b", List(Str("x"), Null())))
	for _, c := range []struct {
		name string
		b    Value
		want bool
	}{
		{"the same", Dict(M("a", Int(1)), M("b", List(Str("x"), Null()))), true},
		{"another order of members", Dict(M("b", List(Str("x"), Null())), M("a", Int(1))), true},
		{"another order of items", Dict(M("a", Int(1)), M("b", List(Null(), Str("x")))), false},
		{"a member less", Dict(M("a", Int(1))), false},
		{"a member more", Dict(M("a", Int(1)), M("b", List(Str("x"), Null())), M("c", Null())), false},
		{"an integer that is a float", Dict(M("a", Float(1)), M("b", List(Str("x"), Null()))), false},
		{"a name that is empty text", Dict(M("a", Int(1)), M("c", List(Str("x"), Null()))), false},
		{"no dict", Str("a"), false},
		{"absent", Value{}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if a.Equal(c.b) != c.want || c.b.Equal(a) != c.want {
				t.Errorf("%v and %v: want %v", a, c.b, c.want)
			}
		})
	}
}
