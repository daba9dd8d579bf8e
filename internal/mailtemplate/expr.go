package mailtemplate

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// expr is what stands in a tag: a path, a literal, or a call of a helper with what it is given.
type expr struct {
	path   *path // nil = a literal
	value  any   // of a literal
	params []expr
	hash   []pair
}

type pair struct {
	name  string
	value expr
}

// path leads to an attribute.
type path struct {
	text   string // as it is written
	up     int    // how many contexts up it begins: ../
	parts  []string
	data   bool // @index and the like
	scoped bool // begins with this, . or ..: no other context is looked into
}

// name returns what the expression is called by, "" if it cannot be called: the only part of a plain path.
func (e *expr) name() string {
	if e.path == nil || e.path.data || e.path.scoped || len(e.path.parts) != 1 {
		return ""
	}
	return e.path.parts[0]
}

// called reports whether the expression has anything to be called with.
func (e *expr) called() bool { return len(e.params) > 0 || len(e.hash) > 0 }

// reader reads the inside of a tag.
type reader struct {
	s    string
	line int
}

func (r *reader) fail(format string, args ...any) error {
	return &SyntaxError{Line: r.line, Reason: fmt.Sprintf(format, args...)}
}

func (r *reader) skip() { r.s = strings.TrimLeft(r.s, " \t\r\n") }

// call reads a name or literal and what it is called with, up to the end, a ")" or "as |".
func (r *reader) call(depth int) (expr, error) {
	if depth > maxDepth {
		return expr{}, r.fail("parentheses nest deeper than %d", maxDepth)
	}
	r.skip()
	e, err := r.operand(depth)
	if err != nil {
		return expr{}, err
	}
	for {
		r.skip()
		if r.s == "" || r.s[0] == ')' || r.blockParams() {
			return e, nil
		}
		if name, ok := r.hashName(); ok {
			value, err := r.operand(depth)
			if err != nil {
				return expr{}, err
			}
			e.hash = append(e.hash, pair{name, value})
			continue
		}
		if len(e.hash) > 0 {
			return expr{}, r.fail("%q stands behind name=value", shorten(r.s))
		}
		param, err := r.operand(depth)
		if err != nil {
			return expr{}, err
		}
		e.params = append(e.params, param)
	}
}

// blockParams reports whether "as |a b|" comes.
func (r *reader) blockParams() bool {
	rest, ok := strings.CutPrefix(r.s, "as")
	return ok && rest != "" && isSpace(rest[0]) && strings.HasPrefix(strings.TrimLeft(rest, " \t\r\n"), "|")
}

// hashName reads "name=", if that comes.
func (r *reader) hashName() (string, bool) {
	n := idLen(r.s)
	if n == 0 {
		return "", false
	}
	rest := strings.TrimLeft(r.s[n:], " \t\r\n")
	if !strings.HasPrefix(rest, "=") {
		return "", false
	}
	name := r.s[:n]
	r.s = rest[1:]
	r.skip()
	return name, true
}

// operand reads one literal, path, or call in parentheses.
func (r *reader) operand(depth int) (expr, error) {
	if r.s == "" {
		return expr{}, r.fail("a name is missing")
	}
	switch c := r.s[0]; {
	case c == '(':
		return r.parenthesis(depth)
	case c == '"' || c == '\'':
		end := closeQuote(r.s)
		if end < 0 {
			return expr{}, r.fail("a string is never closed")
		}
		value := strings.ReplaceAll(r.s[1:end], `\`+string(c), string(c))
		r.s = r.s[end+1:]
		return expr{value: value}, nil
	case c >= '0' && c <= '9' || c == '-' && len(r.s) > 1 && r.s[1] >= '0' && r.s[1] <= '9':
		if e, ok := r.number(); ok {
			return e, nil
		}
	}
	return r.path()
}

func (r *reader) parenthesis(depth int) (expr, error) {
	r.s = r.s[1:]
	e, err := r.call(depth + 1)
	if err != nil {
		return expr{}, err
	}
	if !strings.HasPrefix(r.s, ")") {
		return expr{}, r.fail("a parenthesis is never closed")
	}
	r.s = r.s[1:]
	return e, checkCall(&e, r.line)
}

// number reads a number, unless it is the beginning of a name such as 2nd.
func (r *reader) number() (expr, bool) {
	n := 1
	for n < len(r.s) && (r.s[n] >= '0' && r.s[n] <= '9' || r.s[n] == '.') {
		n++
	}
	if n < len(r.s) && !isSpace(r.s[n]) && r.s[n] != ')' && r.s[n] != '=' {
		return expr{}, false
	}
	if _, err := strconv.ParseFloat(r.s[:n], 64); err != nil {
		return expr{}, false
	}
	e := expr{value: json.Number(r.s[:n])}
	r.s = r.s[n:]
	return e, true
}

// path reads a path, or one of the words that are literals.
func (r *reader) path() (expr, error) {
	whole := r.s
	p := &path{}
	if rest, ok := strings.CutPrefix(r.s, "@"); ok {
		p.data, r.s = true, rest
	}
	for {
		if err := r.segment(p); err != nil {
			return expr{}, err
		}
		if r.s == "" || r.s[0] != '.' && r.s[0] != '/' {
			break
		}
		r.s = r.s[1:]
	}
	p.text = whole[:len(whole)-len(r.s)]
	if len(p.text) > maxName {
		return expr{}, r.fail("a name has more than %d bytes", maxName)
	}
	switch p.text {
	case "true":
		return expr{value: true}, nil
	case "false":
		return expr{value: false}, nil
	case "null", "undefined":
		return expr{value: nil}, nil
	}
	if p.data && len(p.parts) == 0 {
		return expr{}, r.fail("a name is missing behind @")
	}
	return expr{path: p}, nil
}

// segment reads one part of a path.
func (r *reader) segment(p *path) error {
	name := ""
	switch {
	case strings.HasPrefix(r.s, ".."):
		name, r.s = "..", r.s[2:]
	case strings.HasPrefix(r.s, "."):
		name, r.s = ".", r.s[1:]
	case strings.HasPrefix(r.s, "["):
		end := strings.IndexByte(r.s, ']')
		if end < 0 {
			return r.fail("a bracket is never closed")
		}
		p.parts = append(p.parts, r.s[1:end])
		r.s = r.s[end+1:]
		return nil
	default:
		n := idLen(r.s)
		if n == 0 {
			return r.fail("a name cannot begin at %q", shorten(r.s))
		}
		name, r.s = r.s[:n], r.s[n:]
	}
	switch name {
	case "..", ".", "this":
		if len(p.parts) > 0 {
			return r.fail("%q cannot stand inside a path", name)
		}
		p.scoped = true
		if name == ".." {
			p.up++
		}
	default:
		p.parts = append(p.parts, name)
	}
	return nil
}

// idLen returns how many bytes of s are one name. Source: handlebarsjs.com, "Expressions": what identifiers must not contain.
func idLen(s string) int {
	if n := strings.IndexAny(s, " \t\r\n!\"#%&'()*+,./;<=>@[\\]^`{|}~"); n >= 0 {
		return n
	}
	return len(s)
}

// shorten cuts what a client wrote to what fits into a message.
func shorten(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return s
}
