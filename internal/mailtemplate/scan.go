package mailtemplate

import (
	"fmt"
	"strings"
)

// kind is what a piece of a template is.
type kind int

const (
	text      kind = iota
	output         // {{x}}, {{{x}}}, {{&x}}
	opening        // {{#x}}
	inverse        // {{^x}}
	inline         // {{#*x}}
	otherwise      // {{else}}, {{^}}, {{else if x}}
	closing        // {{/x}}
	partial        // {{>x}}
	comment        // {{! }}, {{!-- --}}
)

// piece is a stretch of a template: text, or a tag without its braces.
type piece struct {
	kind        kind
	text        string // of the text; of the tag between its marks
	line        int
	left, right bool   // whitespace before and behind the tag goes: {{~ ~}}
	indent      string // before a partial that stands alone in its line
}

// alone reports whether a tag of the kind takes its line with it if nothing else stands there.
// Source: handlebarsjs.com, "Whitespace control"; Mustache specification, "Standalone".
func (k kind) alone() bool { return k != text && k != output }

// scan cuts a template into its pieces.
func scan(s string) ([]piece, error) {
	var all []piece
	line := 1
	var pending strings.Builder // text that is not yet a piece
	flush := func() {
		if pending.Len() > 0 {
			all = append(all, piece{kind: text, text: pending.String()})
			pending.Reset()
		}
	}
	for {
		at := strings.Index(s, "{{")
		if at < 0 {
			pending.WriteString(s)
			flush()
			return all, nil
		}
		before := s[:at]
		line += strings.Count(before, "\n")
		switch {
		case strings.HasSuffix(before, `\\`): // an escaped escape: one stays, and the tag counts
			before = before[:len(before)-1]
		case strings.HasSuffix(before, `\`): // an escaped tag is text
			pending.WriteString(before[:len(before)-1])
			pending.WriteString("{{")
			s = s[at+2:]
			continue
		}
		pending.WriteString(before)
		flush()
		tag, rest, err := scanTag(s[at:], line)
		if err != nil {
			return nil, err
		}
		all = append(all, tag)
		line += strings.Count(s[at:len(s)-len(rest)], "\n")
		s = rest
	}
}

// scanTag cuts off the tag that s begins with.
func scanTag(s string, line int) (tag piece, rest string, err error) {
	tag.line = line
	if strings.HasPrefix(s, "{{{{") {
		return tag, "", &SyntaxError{Line: line, Reason: "raw blocks ({{{{ }}}}) are not supported"}
	}
	s = s[len("{{"):]
	s, tag.left = strings.CutPrefix(s, "~")
	if strings.HasPrefix(s, "!") {
		return scanComment(tag, s)
	}
	end := "}}"
	if strings.HasPrefix(s, "{") { // {{{x}}} is {{x}}: nothing is escaped anyway
		s, end = s[1:], "}}}"
	}
	inner, rest, ok := cutTag(s, end)
	if !ok {
		return tag, "", &SyntaxError{Line: line, Reason: fmt.Sprintf("a tag is not closed with %q", end)}
	}
	inner, tag.right = strings.CutSuffix(inner, "~")
	tag.classify(inner)
	return tag, rest, nil
}

// scanComment cuts off a comment. One that begins with !-- ends with --}} and may hold tags.
func scanComment(tag piece, s string) (piece, string, error) {
	tag.kind = comment
	long := strings.HasPrefix(s, "!--")
	for at := 0; ; {
		n := strings.Index(s[at:], "}}")
		if n < 0 {
			return tag, "", &SyntaxError{Line: tag.line, Reason: "a comment is never closed"}
		}
		at += n
		inner, tilde := strings.CutSuffix(s[:at], "~")
		if !long || at >= len("!----") && strings.HasSuffix(inner, "--") {
			tag.right = tilde
			return tag, s[at+len("}}"):], nil
		}
		at++
	}
}

// cutTag cuts s around the end of a tag, which does not count within quotes and brackets. A ~ before the last two braces stays
// at the end of inner.
func cutTag(s, end string) (inner, rest string, ok bool) {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"', '\'':
			n := closeQuote(s[i:])
			if n < 0 {
				return "", "", false
			}
			i += n
		case '[':
			n := strings.IndexByte(s[i:], ']')
			if n < 0 {
				return "", "", false
			}
			i += n
		case '}':
			if tail, found := strings.CutPrefix(s[i:], end); found {
				return s[:i], tail, true
			}
			if tail, found := strings.CutPrefix(s[i:], "}~}}"); found && end == "}}}" {
				return s[:i] + "~", tail, true
			}
		}
	}
	return "", "", false
}

// closeQuote returns the index of the quote that ends the string that s begins with, -1 if there is none.
func closeQuote(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case s[0]:
			return i
		}
	}
	return -1
}

// classify finds the kind of a tag by what stands between its braces, and keeps the rest.
func (t *piece) classify(inner string) {
	inner = strings.TrimSpace(inner)
	mark, rest := byte(0), inner
	if inner != "" {
		mark, rest = inner[0], inner[1:]
	}
	switch mark {
	case '#':
		t.kind = opening
		if star, ok := strings.CutPrefix(strings.TrimSpace(rest), "*"); ok {
			t.kind, rest = inline, star
		}
	case '^':
		t.kind = inverse
		if strings.TrimSpace(rest) == "" {
			t.kind = otherwise
		}
	case '/':
		t.kind = closing
	case '>':
		t.kind = partial
	case '&':
		t.kind = output
	default:
		t.kind, rest = output, inner
		if tail, ok := strings.CutPrefix(inner, "else"); ok && (tail == "" || isSpace(tail[0])) {
			t.kind, rest = otherwise, tail
		}
	}
	t.text = strings.TrimSpace(rest)
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// standalone takes away what whitespace control takes: all of it beside a ~, and the rest of the line of a tag that stands there
// alone. What a tag finds beside it is looked at before anything is taken away.
func standalone(all []piece) {
	const blanks = " \t"
	type cut struct{ head, tail int } // bytes taken from the ends of a text
	cuts := make([]cut, len(all))
	for i, p := range all {
		if !p.kind.alone() {
			continue
		}
		before, okBefore := lineStart(all, i)
		behind, okBehind := lineEnd(all, i)
		if !okBefore || !okBehind {
			continue
		}
		if i > 0 {
			all[i].indent = all[i-1].text[len(all[i-1].text)-before:]
			cuts[i-1].tail = before
		}
		if i+1 < len(all) {
			cuts[i+1].head = behind
		}
	}
	for i := range all {
		if all[i].kind != text {
			continue
		}
		s := all[i].text
		head, tail := cuts[i].head, cuts[i].tail
		s = s[min(head, len(s)):max(min(head, len(s)), len(s)-tail)]
		if i > 0 && all[i-1].right {
			s = strings.TrimLeft(s, blanks+"\r\n")
		}
		if i+1 < len(all) && all[i+1].left {
			s = strings.TrimRight(s, blanks+"\r\n")
		}
		all[i].text = s
	}
}

// lineStart returns how many blanks stand between the start of the line and piece i, if nothing else does.
func lineStart(all []piece, i int) (int, bool) {
	if i == 0 {
		return 0, true
	}
	prev := all[i-1]
	if prev.kind != text {
		return 0, false
	}
	rest := strings.TrimRight(prev.text, " \t")
	return len(prev.text) - len(rest), strings.HasSuffix(rest, "\n") || rest == "" && i == 1
}

// lineEnd returns how many bytes stand between piece i and the start of the next line, if they are blank.
func lineEnd(all []piece, i int) (int, bool) {
	if i == len(all)-1 {
		return 0, true
	}
	next := all[i+1]
	if next.kind != text {
		return 0, false
	}
	rest := strings.TrimLeft(next.text, " \t")
	n := len(next.text) - len(rest)
	switch {
	case strings.HasPrefix(rest, "\n"):
		return n + 1, true
	case strings.HasPrefix(rest, "\r\n"):
		return n + 2, true
	}
	return n, rest == "" && i+1 == len(all)-1
}
