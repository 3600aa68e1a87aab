package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
)

// slip is a one-place mistake that a survey tries: bytes of a file in place of
// others.
type slip struct {
	file     string
	from, to int // offsets
	by       string
	line     int
	what     string
}

// text is the file with the mistake.
func (p slip) text(original []byte) []byte {
	return slices.Concat(original[:p.from], []byte(p.by), original[p.to:])
}

// swapped are operators and what a slip writes in place of them.
var swapped = map[token.Token]string{
	token.EQL: "!=", token.NEQ: "==", token.LSS: "<=", token.LEQ: "<", token.GTR: ">=", token.GEQ: ">",
	token.LAND: "||", token.LOR: "&&", token.ADD: "-", token.SUB: "+", token.AND: "|", token.OR: "&",
}

// slips lists the mistakes that the operators make of the functions of a file:
// a condition is turned round, an operator is its neighbour, a statement is missing,
// an error is not passed on, true is false.
func slips(name string, text []byte) ([]slip, error) {
	s, err := parseSource(name, text)
	if err != nil {
		return nil, err
	}
	var all []slip
	add := func(n ast.Node, by, what string) {
		from, to := s.offset(n.Pos()), s.offset(n.End())
		all = append(all, slip{name, from, to, by, 1 + strings.Count(string(text[:from]), "\n"), what})
	}
	for _, d := range s.file.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Body == nil {
			continue
		}
		ast.Inspect(fn.Body, func(n ast.Node) bool {
			s.slip(n, add)
			return true
		})
	}
	return all, nil
}

// slip adds the mistakes of one node.
func (s *source) slip(n ast.Node, add func(n ast.Node, by, what string)) {
	switch n := n.(type) {
	case *ast.IfStmt:
		add(n.Cond, "!("+s.of(n.Cond)+")", "if "+short(s.of(n.Cond))+": turned round")
	case *ast.BinaryExpr:
		if by, ok := swapped[n.Op]; ok && !isText(n.X) && !isText(n.Y) {
			add(n, s.of(n.X)+" "+by+" "+s.of(n.Y), short(s.of(n))+": "+n.Op.String()+" is "+by)
		}
	case *ast.ExprStmt:
		add(n, "", short(s.of(n))+": not done")
	case *ast.AssignStmt:
		if n.Tok != token.DEFINE && len(n.Lhs) == len(n.Rhs) {
			blanks := strings.TrimSuffix(strings.Repeat("_, ", len(n.Lhs)), ", ")
			add(n, blanks+" = "+s.list(n.Rhs), short(s.of(n))+": not set")
		}
	case *ast.DeferStmt:
		add(n, "", short(s.of(n.Call))+": not done")
	case *ast.ReturnStmt:
		if len(n.Results) == 0 {
			return
		}
		last := n.Results[len(n.Results)-1]
		if t := s.of(last); t == "err" || strings.HasPrefix(t, "virt.Errorf(") || strings.HasPrefix(t, "fmt.Errorf(") {
			add(last, "nil", "return "+short(t)+": no error")
		}
	case *ast.Ident:
		if by, ok := map[string]string{"true": "false", "false": "true"}[n.Name]; ok {
			add(n, by, n.Name+" is "+by)
		}
	case *ast.BranchStmt:
		if n.Tok == token.CONTINUE || n.Tok == token.BREAK {
			add(n, "", n.Tok.String()+": not done")
		}
	}
}

// list is the text of several expressions.
func (s *source) list(all []ast.Expr) string {
	return string(s.text[s.offset(all[0].Pos()):s.offset(all[len(all)-1].End())])
}

// isText reports whether an operand is a literal of a string, which + joins.
func isText(e ast.Expr) bool {
	l, ok := e.(*ast.BasicLit)
	return ok && l.Kind == token.STRING
}

func short(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > 60 {
		return string(r[:57]) + "..."
	}
	return s
}

// goFiles lists the Go files of a directory that are no tests, sorted; a Go file is
// itself.
func goFiles(dir string) ([]string, error) {
	if strings.HasSuffix(dir, ".go") {
		return []string{dir}, nil
	}
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	paths = slices.DeleteFunc(paths, func(p string) bool { return strings.HasSuffix(p, "_test.go") })
	if len(paths) == 0 {
		return nil, fmt.Errorf("no Go files in %q", dir)
	}
	slices.Sort(paths)
	return paths, nil
}
