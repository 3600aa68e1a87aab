package qmp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
)

// answers is what QEMU says to input: for every message its reply, "ok ID" for
// one that would be executed.
func answers(s *Schema, d *Decoder) []string {
	var out []string
	for {
		m, err := d.Next()
		var syntax *SyntaxError
		switch {
		case errors.As(err, &syntax):
			out = append(out, syntax.Reply().Message(Value{}).String())
			continue
		case err != nil:
			return out
		}
		r, bad := ParseRequest(m, false)
		if bad == nil {
			bad = s.CheckRequest(r)
		}
		if bad != nil {
			out = append(out, bad.Message(r.ID).String())
			continue
		}
		out = append(out, "ok "+r.ID.String())
	}
}

func TestDecoder_AnswersTheMalformedInputOfTheRecordedSessionAsQEMU(t *testing.T) {
	s := loadSchema(t)
	lines := readFixture(t, "02")
	checked := 0
	for i, l := range lines {
		if l.Dir != FromClient || l.Raw == "" {
			continue
		}
		var want []string
		for _, reply := range lines[i+1:] {
			if reply.Dir == FromClient {
				break
			}
			if reply.Message.Get("error").Present() {
				want = append(want, reply.Message.String())
			} else {
				want = append(want, "ok "+reply.Message.Get("id").String())
			}
		}
		got := answers(s, NewDecoder(strings.NewReader(l.Raw)))
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%q\ngot  %q\nwant %q", l.Raw, got, want)
		}
		checked++
	}
	if checked < 40 {
		t.Errorf("only %d inputs in the session", checked)
	}
}

// malformed is input with the texts of all errors that QEMU 7.2.22 gave when
// asked, "-" standing for a message that is well-formed.
var malformed = []struct {
	in   string
	want []string
}{
	{`{"id":0e1}`, []string{"expected separator in dict"}},
	{`{"id":0.}`, []string{"stray '0.}'"}},
	{`{"id":1.e1}`, []string{"stray '1.e'", "expecting value"}},
	{`{"id":-}`, []string{"stray '-}'"}},
	{`{"id":1e}`, []string{"stray '1e}'"}},
	{`{"id":-01}`, []string{"stray '-01'", "expecting value"}},
	{`{"id":tRUE}`, []string{"stray 'R'", "expecting value"}},
	{`{"id":[1 2]}`, []string{"expected separator in list"}},
	{`{"id":[1,]}`, []string{"expecting value"}},
	{`{"id":[,1]}`, []string{"expecting value"}},
	{`{1:2}`, []string{"key is not a string in object"}},
	{`{"a":1,,"b":2}`, []string{"expecting value"}},
	{`{"a"}`, []string{"missing : in object pair"}},
	{`[}`, []string{"expecting value"}},
	{`{]`, []string{"expecting value"}},
	{`{"a":[}`, nil},
	{`{"a":1}}`, []string{"-", "expecting value"}},
	{`:`, []string{"expecting value"}},
	{`@ {"id":1}`, []string{"stray '@'", "-"}},
	{`@@@`, []string{"stray '@'"}},
	{"@\t@ x", []string{"stray '@'"}},
	{`'abc"`, []string{"stray ''abc\"\n'"}},
	{`"ab'c`, []string{"stray '\"ab'c\n'"}},
	{`\`, []string{`stray '\'`}},
	{`{"id":"\x"}`, []string{"invalid escape sequence in string"}},
	{`{"id":"\`, []string{"stray '\"\\\n'"}},
	{"{\"id\":\"x\\\ty\"}", []string{"stray '\"x\\\t'", "expecting value"}},
	{`{"id":1a}`, []string{"expected separator in dict"}},
	{`1 2 3`, []string{"-", "-", "-"}},
	{`1.5x`, []string{"-", "invalid keyword 'x'"}},
	{`nulltrue`, []string{"invalid keyword 'nulltrue'"}},
	{`null"x"`, []string{"-", "-"}},
	{`{"execute":nul,"id":1,"id":1}`, []string{"invalid keyword 'nul'"}},
	{`{"id":1,"id":1,}`, []string{"duplicate key"}},
	{`{"id":"\ufffe"}`, []string{`\ufffe is not a valid Unicode character`}},
	{`{"id":"\ufdd0"}`, []string{`\ufdd0 is not a valid Unicode character`}},
	{`{"id":"\uDC00"}`, []string{`\uDC00 is not a valid Unicode character`}},
	{`{"id":"\ud800\u0041"}`, []string{`\ud800 is not a valid Unicode character`}},
	{`{"id":"\u00g0"}`, []string{`\u00g0 is not a valid Unicode character`}},
	{`{"id":"\u00"}`, []string{`\u00" is not a valid Unicode character`}},
	{"{\"id\":\"\ufffe\"}", []string{"invalid UTF-8 sequence in string"}},
	{"\"\xf8\x88\x80\x80\x80\"", []string{"invalid UTF-8 sequence in string"}},
	{"\"\xed\xa0\x80\"", []string{"invalid UTF-8 sequence in string"}},
	{"\"\xc1\x81\"", []string{"invalid UTF-8 sequence in string"}},
	{"{\"id\":\"a\x00b\"}", []string{"stray '\"a'", "expecting value"}},
	{"a\x00b", []string{"invalid keyword 'a'", "stray ''"}},
	{"\x01", []string{"stray '\x01'"}},
	{"@\x01@", []string{"stray '@'", "stray '\x01'"}},
	{"@\xff\xfe@", []string{"stray '@'", "stray '\ufffd'", "stray '\ufffd'"}},
	{"\"\xe9x\xff", []string{"stray '\"\ufffdx\ufffd'"}},
	{"\"\xe2\x82\xff", []string{"stray '\"\ufffd\ufffd'"}},
	{"\"\xc3\xa9\x01", []string{"stray '\"\u00e9\x01'"}},
	{`[1[1[1}`, []string{"expected separator in list"}},
}

func TestDecoder_FindsInMalformedInputWhatQEMUFinds(t *testing.T) {
	for _, c := range malformed {
		for _, cut := range []bool{false, true} {
			var in io.Reader = strings.NewReader(c.in + "\n")
			if cut {
				in = iotest.OneByteReader(in)
			}
			d := NewDecoder(in)
			var got []string
			for {
				_, err := d.Next()
				if err == io.EOF {
					break
				}
				if err == nil {
					got = append(got, "-")
				} else {
					got = append(got, strings.TrimPrefix(err.Error(), "JSON parse error, "))
				}
			}
			if strings.Join(got, "|") != strings.Join(c.want, "|") {
				t.Errorf("%q (cut %v)\ngot  %q\nwant %q", c.in, cut, got, c.want)
			}
		}
	}
}

func TestDecoder_EchoesNumbersAndTextAsQEMU(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"0.1", "0.10000000000000001"},
		{"1e17", "1e+17"},
		{"1e16", "10000000000000000"},
		{"1e3", "1000"},
		{"123456789012345.678", "123456789012345.67"},
		{"1e-7", "9.9999999999999995e-08"},
		{"0.0001", "0.0001"},
		{"-0", "0"},
		{"-0.0", "-0"},
		{"1e400", "inf"},
		{"18446744073709551615", "18446744073709551615"},
		{"18446744073709551616", "1.8446744073709552e+19"},
		{"-9223372036854775808", "-9223372036854775808"},
		{"-9223372036854775809", "-9.2233720368547758e+18"},
		{`"\u007f\u0080\u00e9\ud83d\ude00\b\f\n\r\t\/\u001f"`, `"\u007F\u0080\u00E9\uD83D\uDE00\b\f\n\r\t/\u001F"`},
		{"\"a\xc0\x80b\"", `"a\u0000b"`},
		{`'it\'s "x"'`, `"it's \"x\""`},
		{`{ "a" : [ ] , "b":{} }`, `{"a": [], "b": {}}`},
	} {
		v, err := Decode([]byte(c.in))
		if got := string(Encode(v)); err != nil || got != c.want {
			t.Errorf("%s: got %s, %v, want %s", c.in, got, err, c.want)
		}
	}
}

func TestDecoder_HoldsTheLimitOfNesting(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	if _, err := Decode([]byte(deep(nestingMax))); err != nil {
		t.Errorf("%d levels: %v", nestingMax, err)
	}
	_, err := Decode([]byte(deep(nestingMax + 1)))
	if err == nil || err.Error() != "JSON nesting depth limit exceeded" {
		t.Errorf("%d levels: %v", nestingMax+1, err)
	}
}

func TestDecoder_HoldsTheLimitsOfTokensAndBytesAndGoesOn(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"tokens", "[" + strings.Repeat("1,", 40) + "1]", "JSON token count limit exceeded"},
		{"bytes of one token", `["` + strings.Repeat("x", 2000) + `"]`, "JSON token size limit exceeded"},
		{"bytes of all tokens", "[" + strings.Repeat(`"`+strings.Repeat("x", 90)+`",`, 20) + "1]", "JSON token size limit exceeded"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := NewDecoder(strings.NewReader(c.in + "\xff\n{}\n"))
			d.limits.bytes, d.limits.tokens = 1000, 50
			_, err := d.Next()
			if err == nil || err.Error() != c.want {
				t.Fatalf("got %v, want %s", err, c.want)
			}
			for {
				v, err := d.Next()
				if err == io.EOF {
					t.Fatal("the message after it is lost")
				}
				if err == nil && v.Equal(Dict()) {
					return
				}
			}
		})
	}
}

func TestDecoder_KeepsNoMoreMemoryThanItsLimits(t *testing.T) {
	var before, after runtime.MemStats
	d := NewDecoder(io.MultiReader(strings.NewReader(strings.Repeat(`"`+strings.Repeat("x", 1<<20)+`"`, 20)), strings.NewReader("1\n")))
	runtime.GC()
	runtime.ReadMemStats(&before)
	for {
		if v, err := d.Next(); err != nil || v.Kind() == KindInt {
			break
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if kept := int64(after.HeapAlloc) - int64(before.HeapAlloc); kept > 8<<20 {
		t.Errorf("%d bytes are kept after 20 messages of 1 MiB", kept)
	}
	runtime.KeepAlive(d)
}

func TestDecode_WantsExactlyOneValue(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", "JSON parse error, expecting value"},
		{" \n", "JSON parse error, expecting value"},
		{"1 2", "2 JSON values where one was expected"},
		{`{"a":`, "JSON parse error, premature EOI"},
		{`{"a":1`, "JSON parse error, premature EOI"},
		{`"a`, `JSON parse error, stray '"a'`},
		{"1 @", "JSON parse error, stray '@'"},
	} {
		if v, err := Decode([]byte(c.in)); err == nil || err.Error() != c.want {
			t.Errorf("%q: got %v, %v, want %s", c.in, v, err, c.want)
		}
	}
}

func FuzzDecoder(f *testing.F) {
	for _, c := range malformed {
		f.Add([]byte(c.in + "\n"))
	}
	f.Add([]byte(`{'execute':"a","arguments":{"x":[1,-2,3.5e7,true,null]},"id":"\ud83d\ude00"}` + "\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		whole, pieces := drain(data, false), drain(data, true)
		if len(whole) != len(pieces) {
			t.Fatalf("read at once: %d results, byte by byte: %d", len(whole), len(pieces))
		}
		if fed := drainFed(data); len(fed) != len(whole) {
			t.Fatalf("read at once: %d results, fed: %d", len(whole), len(fed))
		}
		for i, r := range whole {
			p := pieces[i]
			if (r.err == nil) != (p.err == nil) || !r.value.Equal(p.value) {
				t.Fatalf("result %d depends on how it is read: %v %v, %v %v", i, r.value, r.err, p.value, p.err)
			}
			if r.err != nil {
				continue
			}
			v, err := wireForm(r.value)
			if err != nil {
				continue // a number that is not finite
			}
			again, err := Decode(Encode(v))
			if err != nil || !again.Equal(v) {
				t.Fatalf("%v became %v, %v", v, again, err)
			}
		}
	})
}

func drain(data []byte, cut bool) []decoded {
	var in io.Reader = bytes.NewReader(data)
	if cut {
		in = iotest.OneByteReader(in)
	}
	d := NewDecoder(in)
	var out []decoded
	for {
		v, err := d.Next()
		if err == io.EOF {
			return out
		}
		out = append(out, decoded{v, err})
	}
}

// drainFed feeds data in pieces of growing length, some before the last was used up.
func drainFed(data []byte) []decoded {
	d := NewFeedDecoder()
	var out []decoded
	for n := 1; len(data) > 0; n = n%7 + 1 {
		n = min(n, len(data))
		d.Feed(data[:n])
		data = data[n:]
		if n == 3 && len(data) > 0 {
			continue
		}
		for {
			v, ok, err := d.Take()
			if !ok {
				break
			}
			out = append(out, decoded{v, err})
		}
	}
	return out
}

func TestDecoder_GivesTheSameWhetherItReadsOrIsFed(t *testing.T) {
	for _, c := range malformed {
		data := []byte(c.in + `{"a":[1,"x"]}` + "\n")
		whole, fed := drain(data, false), drainFed(data)
		if len(whole) != len(fed) {
			t.Fatalf("%q: %d results read, %d fed", data, len(whole), len(fed))
		}
		for i := range whole {
			if !whole[i].value.Equal(fed[i].value) || fmt.Sprint(whole[i].err) != fmt.Sprint(fed[i].err) {
				t.Errorf("%q: read %v %v, fed %v %v", data, whole[i].value, whole[i].err, fed[i].value, fed[i].err)
			}
		}
	}
}

func BenchmarkThroughBytes(b *testing.B) {
	m := BlockdevBackup{
		Device: "libvirt-1-format", JobID: "backup-vda-libvirt-3-format", Target: "libvirt-3-format",
		Sync: "full", AutoFinalize: True, AutoDismiss: False,
	}.Command().Message(Int(17))
	b.ReportAllocs()
	for range b.N {
		if _, err := throughBytes(m); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWireForm(b *testing.B) {
	m := BlockdevBackup{
		Device: "libvirt-1-format", JobID: "backup-vda-libvirt-3-format", Target: "libvirt-3-format",
		Sync: "full", AutoFinalize: True, AutoDismiss: False,
	}.Command().Message(Int(17))
	b.ReportAllocs()
	for range b.N {
		if _, err := wireForm(m); err != nil {
			b.Fatal(err)
		}
	}
}
