package main

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
)

// A build per mutant costs a link each, which is most of the time of the whole. So
// mutants are woven into one binary: a function that some of them change exists in
// each of its versions there, and the function itself only picks one by the number
// that the process was given. A mutant that changes something else than the body of
// functions is built alone.

// switchDir is the package of the number, relative to the tree. It exists only in
// the overlay of the build: the product has no such switch.
const switchDir = "internal/mutants/woven"

// switchSource is its one file. The number 0 is the tree as it is.
const switchSource = `package woven

import (
	"os"
	"strconv"
)

// Active is the number of the mutant of this process.
var Active, _ = strconv.Atoi(os.Getenv("` + switchVariable + `"))
`

const switchVariable = "FLEECE_MUTANT"

// errAlone says that a mutant cannot be woven.
var errAlone = errors.New("more than the body of functions changes")

// source is a parsed file.
type source struct {
	text  []byte
	file  *ast.File
	funcs map[string]*ast.FuncDecl // by receiver and name
	rest  string                   // what is between the functions
	base  int                      // of the offsets of positions
}

func parseSource(name string, text []byte) (*source, error) {
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, name, text, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	s := &source{text: text, file: f, funcs: map[string]*ast.FuncDecl{}, base: set.File(f.Pos()).Base()}
	var rest strings.Builder
	at := 0
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Body == nil {
			continue
		}
		rest.Write(text[at:s.offset(fn.Pos())])
		rest.WriteString(s.key(fn) + "\n")
		at = s.offset(fn.End())
		s.funcs[s.key(fn)] = fn
	}
	rest.Write(text[at:])
	s.rest = rest.String()
	return s, nil
}

func (s *source) offset(p token.Pos) int  { return int(p) - s.base }
func (s *source) of(n ast.Node) string    { return string(s.text[s.offset(n.Pos()):s.offset(n.End())]) }
func (s *source) body(name string) string { return s.of(s.funcs[name].Body) }

// key is a function's receiver, name and signature.
func (s *source) key(fn *ast.FuncDecl) string {
	return string(s.text[s.offset(fn.Pos()):s.offset(fn.Body.Pos())])
}

// changes lists the functions whose bodies a mutated copy changes.
func (s *source) changes(mutated *source) ([]string, error) {
	if s.rest != mutated.rest {
		return nil, errAlone
	}
	var keys []string
	for k, fn := range s.funcs {
		if s.body(k) == mutated.body(k) {
			continue
		}
		if name := fn.Name.Name; fn.Recv == nil && (name == "init" || name == "main") || name == "_" {
			return nil, errAlone
		}
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys, nil
}

// weave puts the versions that the mutated copies, by their numbers, have of
// functions into the original. It gives the numbers of those that must be built
// alone.
func weave(name string, original []byte, mutated map[int][]byte) (text []byte, alone []int, err error) {
	s, err := parseSource(name, original)
	if err != nil {
		return nil, nil, err
	}
	versions := map[string]map[int]string{} // bodies, by function and number
	for n, text := range mutated {
		m, err := parseSource(name, text)
		var keys []string
		if err == nil {
			keys, err = s.changes(m)
		}
		if err != nil {
			alone = append(alone, n)
			continue
		}
		for _, k := range keys {
			if versions[k] == nil {
				versions[k] = map[int]string{}
			}
			versions[k][n] = m.body(k)
		}
	}
	slices.Sort(alone)
	return s.with(versions), alone, nil
}

// with is the text of the file with the versions of functions in place of them.
func (s *source) with(versions map[string]map[int]string) []byte {
	var out bytes.Buffer
	at := s.offset(s.file.Name.End())
	out.Write(s.text[:at])
	if len(versions) > 0 {
		fmt.Fprintf(&out, "; import %s %q", switchName, "fleece/"+switchDir)
	}
	for _, d := range s.file.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Body == nil || versions[s.key(fn)] == nil {
			continue
		}
		out.Write(s.text[at:s.offset(fn.Pos())])
		at = s.offset(fn.End())
		bodies := versions[s.key(fn)]
		bodies[0] = s.of(fn.Body)
		out.WriteString(s.pick(fn, bodies))
		for _, n := range sortedKeys(bodies) {
			out.WriteString("\n\n" + s.version(fn, n, bodies[n]))
		}
	}
	out.Write(s.text[at:])
	return out.Bytes()
}

// switchName is the name of the switch's package in a woven file.
const switchName = "woven__"

func versionName(fn *ast.FuncDecl, n int) string { return fmt.Sprintf("%s__%d", fn.Name.Name, n) }

// version is a function under another name with a body.
func (s *source) version(fn *ast.FuncDecl, n int, body string) string {
	from, name, to := s.offset(fn.Pos()), s.offset(fn.Name.Pos()), s.offset(fn.Body.Pos())
	return string(s.text[from:name]) + versionName(fn, n) + string(s.text[name+len(fn.Name.Name):to]) + body
}

// pick is the function that calls the version that is asked for.
func (s *source) pick(fn *ast.FuncDecl, bodies map[int]string) string {
	var out strings.Builder
	out.WriteString("func ")
	receiver := ""
	if fn.Recv != nil {
		receiver = "r__."
		fmt.Fprintf(&out, "(r__ %s) ", s.of(fn.Recv.List[0].Type))
	}
	types, typeArgs := s.typeParams(fn)
	params, args := s.params(fn)
	fmt.Fprintf(&out, "%s%s(%s)%s {\n", fn.Name.Name, types, params, s.results(fn))
	call := func(n int) string {
		if fn.Type.Results == nil {
			return fmt.Sprintf("%s%s%s(%s); return", receiver, versionName(fn, n), typeArgs, args)
		}
		return fmt.Sprintf("return %s%s%s(%s)", receiver, versionName(fn, n), typeArgs, args)
	}
	fmt.Fprintf(&out, "switch %s.Active {\n", switchName)
	for _, n := range sortedKeys(bodies) {
		if n != 0 {
			fmt.Fprintf(&out, "case %d: %s\n", n, call(n))
		}
	}
	fmt.Fprintf(&out, "}\n%s\n}", call(0))
	return out.String()
}

// typeParams are the type parameters of a function, as they are declared and as
// they are handed on.
func (s *source) typeParams(fn *ast.FuncDecl) (declared, passed string) {
	if fn.Type.TypeParams == nil {
		return "", ""
	}
	var names []string
	for _, f := range fn.Type.TypeParams.List {
		for _, n := range f.Names {
			names = append(names, n.Name)
		}
	}
	return s.of(fn.Type.TypeParams), "[" + strings.Join(names, ", ") + "]"
}

// params are the parameters of a function under new names, as they are declared
// and as they are handed on.
func (s *source) params(fn *ast.FuncDecl) (declared, passed string) {
	var decls, args []string
	for _, f := range fn.Type.Params.List {
		for range max(1, len(f.Names)) {
			name := fmt.Sprintf("p__%d", len(args))
			decls = append(decls, name+" "+s.of(f.Type))
			if _, variadic := f.Type.(*ast.Ellipsis); variadic {
				name += "..."
			}
			args = append(args, name)
		}
	}
	return strings.Join(decls, ", "), strings.Join(args, ", ")
}

// results are the types of a function's results.
func (s *source) results(fn *ast.FuncDecl) string {
	if fn.Type.Results == nil {
		return ""
	}
	var types []string
	for _, f := range fn.Type.Results.List {
		for range max(1, len(f.Names)) {
			types = append(types, s.of(f.Type))
		}
	}
	return " (" + strings.Join(types, ", ") + ")"
}

func sortedKeys(m map[int]string) []int {
	var keys []int
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
