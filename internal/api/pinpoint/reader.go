package pinpoint

import (
	"iter"
	"strconv"
	"strings"
	"unicode/utf8"

	"tidings/internal/fault"
)

// maxDepth is how deep a body may be nested, which is what encoding/json takes.
const maxDepth = 10_000

// reader reads JSON once, from the first byte to the last. Events come in by the hundred
// thousand, and encoding/json looks at each of them twice and forgets their order.
//
// Who reads says what kind of value it expects. The first surprise is kept in err, and from
// then on every read returns nothing. Members are taken in exactly the spelling of the API;
// of a member that is there twice the last one counts; null is like absent.
//
// Source: RFC 8259.
type reader struct {
	text  string // valid UTF-8; strings without escapes are parts of it
	at    int
	depth int
	path  []string // the members that lead to where it reads
	err   error
}

// newReader fails if the body is not UTF-8. No body, and null, are like an empty object.
func newReader(body []byte) *reader {
	r := &reader{text: string(body)}
	if !utf8.Valid(body) {
		r.err = fault.New(fault.Invalid, "", "The request body is not UTF-8.")
	}
	if all := strings.Trim(r.text, blanks); all == "" || all == "null" {
		r.text = "{}"
	}
	return r
}

// blanks are what may stand between tokens.
const blanks = " \t\r\n"

// end returns the first surprise. There must be nothing left to read.
func (r *reader) end() error {
	if r.blank(); r.err == nil && r.at < len(r.text) {
		r.syntax("more follows behind the value")
	}
	return r.err
}

// object reads an object: it yields the name of each member, and whoever ranges over it
// must read the member's value each time.
func (r *reader) object() iter.Seq[string] {
	return func(yield func(name string) bool) {
		if !r.open('{', "an object") {
			return
		}
		for first := true; r.more(&first, '}'); {
			name := r.token()
			if r.blank(); r.err == nil && !r.take(':') {
				r.syntax("a colon is missing")
			}
			if r.err != nil {
				return
			}
			r.path = append(r.path, name)
			if !yield(name) {
				return
			}
			r.path = r.path[:len(r.path)-1]
		}
	}
}

// array reads an array as object reads an object.
func (r *reader) array() iter.Seq[int] {
	return func(yield func(i int) bool) {
		if !r.open('[', "an array") {
			return
		}
		i := 0
		for first := true; r.more(&first, ']'); i++ {
			if !yield(i) {
				return
			}
		}
	}
}

// open reads the beginning of what kind says.
func (r *reader) open(c byte, kind string) bool {
	r.blank()
	if r.err != nil {
		return false
	}
	if !r.take(c) {
		r.wrong(kind)
		return false
	}
	if r.depth++; r.depth > maxDepth {
		r.syntax("it is nested too deep")
		return false
	}
	return true
}

// more reads up to the next element of what end closes, or behind end.
func (r *reader) more(first *bool, end byte) bool {
	r.blank()
	switch {
	case r.err != nil:
		return false
	case r.take(end):
		r.depth--
		return false
	case !*first && !r.take(','):
		r.syntax("a comma is missing")
		return false
	}
	if !*first {
		r.blank()
	}
	*first = false
	return true
}

// null reads null if it comes next.
func (r *reader) null() bool {
	r.blank()
	if r.err == nil && strings.HasPrefix(r.text[r.at:], "null") {
		r.at += len("null")
		return true
	}
	return r.err != nil // there is nothing to read any more
}

// string reads a string, or null as an empty one.
func (r *reader) string() string {
	if r.null() {
		return ""
	}
	if r.at >= len(r.text) || r.text[r.at] != '"' {
		r.wrong("a string")
		return ""
	}
	return r.token()
}

// number reads a number, or null as 0.
func (r *reader) number() float64 {
	if r.null() {
		return 0
	}
	digits := r.digits()
	if digits == "" {
		r.wrong("a number")
		return 0
	}
	n, err := strconv.ParseFloat(digits, 64)
	if err != nil {
		r.fail("%s must be a number that fits 64 bits, not %s.", r.subject(), shorten(digits))
		return 0
	}
	return n
}

// skip reads a value of any kind.
func (r *reader) skip() {
	r.blank()
	if r.err != nil {
		return
	}
	switch rest := r.text[r.at:]; {
	case strings.HasPrefix(rest, "{"):
		for range r.object() {
			r.skip()
		}
	case strings.HasPrefix(rest, "["):
		for range r.array() {
			r.skip()
		}
	case strings.HasPrefix(rest, `"`):
		r.token()
	case strings.HasPrefix(rest, "true"), strings.HasPrefix(rest, "null"):
		r.at += len("true")
	case strings.HasPrefix(rest, "false"):
		r.at += len("false")
	default:
		if r.digits() == "" {
			r.syntax("a value is missing")
		}
	}
}

func (r *reader) blank() {
	for r.at < len(r.text) && r.text[r.at] <= ' ' && strings.IndexByte(blanks, r.text[r.at]) >= 0 {
		r.at++
	}
}

// take reads c if it comes next.
func (r *reader) take(c byte) bool {
	if r.at < len(r.text) && r.text[r.at] == c {
		r.at++
		return true
	}
	return false
}

// digits reads a number and returns it as it is written; "" = there is none.
func (r *reader) digits() string {
	from, at := r.at, r.at
	run := func() (n int) {
		for at < len(r.text) && r.text[at] >= '0' && r.text[at] <= '9' {
			at, n = at+1, n+1
		}
		return n
	}
	is := func(set string) bool {
		if at < len(r.text) && strings.IndexByte(set, r.text[at]) >= 0 {
			at++
			return true
		}
		return false
	}
	is("-")
	if !is("0") && run() == 0 {
		return ""
	}
	if is(".") && run() == 0 {
		return ""
	}
	if is("eE") {
		if is("+-"); run() == 0 {
			return ""
		}
	}
	r.at = at
	return r.text[from:at]
}

// wrong says that there is a value of another kind than expected, if there is a value.
func (r *reader) wrong(expected string) {
	at := r.at
	found := "nothing"
	switch rest := r.text[r.at:]; {
	case strings.HasPrefix(rest, "{"):
		found = "an object"
	case strings.HasPrefix(rest, "["):
		found = "an array"
	case strings.HasPrefix(rest, `"`):
		found = "a string"
	case strings.HasPrefix(rest, "true"), strings.HasPrefix(rest, "false"):
		found = "true or false"
	case strings.HasPrefix(rest, "null"):
		found = "null"
	case r.digits() != "":
		found = "a number"
	}
	if r.at = at; found == "nothing" {
		r.syntax("a value is missing")
		return
	}
	r.fail("%s must be %s, not %s.", r.subject(), expected, found)
}

// subject names where it reads.
func (r *reader) subject() string {
	if len(r.path) == 0 {
		return "The request body"
	}
	var b strings.Builder
	for i, name := range r.path[:min(len(r.path), maxNamed)] {
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(shorten(name))
	}
	return b.String()
}

// maxNamed bounds how much of a path an error text names. The API has no more.
const maxNamed = 8

func (r *reader) syntax(problem string) {
	r.fail("The request body is not JSON: at byte %d, %s.", r.at+1, problem)
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fault.New(fault.Invalid, "", format, args...)
	}
}

// shorten keeps what a client sent from filling an error text.
func shorten(s string) string {
	const limit = 64
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "…"
}
