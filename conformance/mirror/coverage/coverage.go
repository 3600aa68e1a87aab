// Package coverage counts which outcomes of commands random sessions have brought
// about, out of those that QEMU is known to have: each command's success, and each
// class of its errors.
//
// It is not a judge: that both sides agree is the duel's business.
//
// The property it keeps: what cannot be brought about is in the table with its
// reason, and nothing else is left out.
package coverage

import (
	_ "embed"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"fleece/qmp"
)

// Class is one outcome of one command.
type Class struct {
	Command string `json:"command"` // "(raw)" for what is no command
	// Text is the error with names and numbers taken out; "" is success.
	Text string `json:"text"`
	// Reason says why the generator does not bring it about; "" if it should.
	Reason string `json:"reason,omitempty"`
	Times  int    `json:"times"`
}

// Raw is the command of a request that is none.
const Raw = "(raw)"

//go:embed classes.tsv
var table string

// Count is what was reached.
type Count struct {
	classes []Class
	index   map[[2]string]int
	// Beyond counts outcomes that are in no class: the table is of what recordings have.
	Beyond map[[2]string]int
}

// New is a count of nothing.
func New() (*Count, error) {
	c := &Count{index: map[[2]string]int{}, Beyond: map[[2]string]int{}}
	for i, line := range strings.Split(strings.TrimSuffix(table, "\n"), "\n") {
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(line, "\t")
		if len(f) != 3 {
			return nil, fmt.Errorf("classes.tsv, line %d: command, text and reason with tabs between; found %q", i+1, line)
		}
		key := [2]string{f[0], f[1]}
		if _, twice := c.index[key]; twice {
			return nil, fmt.Errorf("classes.tsv, line %d: %q twice", i+1, key)
		}
		c.index[key] = len(c.classes)
		c.classes = append(c.classes, Class{Command: f[0], Text: f[1], Reason: f[2]})
	}
	return c, nil
}

// general are the parts of a text that differ from case to case: what stands in quotes
// (not an apostrophe), made-up names, directories and numbers.
var general = regexp.MustCompile(`\B'[^']*(?:'|$)|"[^"]*(?:"|$)|#block\w+|<dir>\S*|/nosuchdir/[^\s:]*|\b0x[0-9a-f]+\b|\b\d+\b`)

// bare are names without quotes, with what stands before and after them.
var bare = regexp.MustCompile(`^(Bitmap already exists: |Bitmap name too long: |Can't store persistent bitmaps to |Block device |Node )[^\s:*']+( is |:|$)`)

// long is a name that the catalogue may have cut, and all that follows it.
var long = regexp.MustCompile(`\B'[^']{100,}.*`)

// Generalise takes names and numbers out of a text.
func Generalise(text string) string {
	return general.ReplaceAllString(bare.ReplaceAllString(long.ReplaceAllString(text, "*"), "${1}*${2}"), "*")
}

// Note counts the reply to a request.
func (c *Count) Note(command string, reply qmp.Value) {
	text := ""
	if e := reply.Get("error"); e.Present() {
		text = cut(Generalise(e.Get("desc").S()))
	} else if !reply.Get("return").Present() {
		return
	}
	key := [2]string{command, text}
	if i, ok := c.index[key]; ok {
		c.classes[i].Times++
		return
	}
	c.Beyond[key]++
}

// textMax cuts texts, which the table may have cut, too.
const textMax = 110

func cut(text string) string { return text[:min(len(text), textMax)] }

// Reached tells how many classes were reached out of those that should be.
func (c *Count) Reached() (reached, possible int) {
	for _, k := range c.classes {
		if k.Reason != "" {
			continue
		}
		possible++
		if k.Times > 0 {
			reached++
		}
	}
	return reached, possible
}

// Missed are the classes that should have been reached.
func (c *Count) Missed() []Class {
	return slices.DeleteFunc(slices.Clone(c.classes), func(k Class) bool { return k.Times > 0 || k.Reason != "" })
}

// LeftOut are the classes that the generator leaves out, with their reasons.
func (c *Count) LeftOut() []Class {
	return slices.DeleteFunc(slices.Clone(c.classes), func(k Class) bool { return k.Reason == "" })
}

// Others are outcomes that are in no class.
func (c *Count) Others() (all []Class) {
	for k, n := range c.Beyond {
		all = append(all, Class{Command: k[0], Text: k[1], Times: n})
	}
	slices.SortFunc(all, func(a, b Class) int {
		return strings.Compare(a.Command+"\t"+a.Text, b.Command+"\t"+b.Text)
	})
	return all
}

// Classes are all classes.
func (c *Count) Classes() []Class { return slices.Clone(c.classes) }
