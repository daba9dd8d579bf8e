package tracking

import (
	"html"
	"strings"
)

// attribute is one attribute within a tag, and where it stands.
type attribute struct {
	name       string
	value      string // unescaped
	start, end int    // with the blanks before it
	nameEnd    int
}

func (a *attribute) is(name string) bool { return strings.EqualFold(a.name, name) }

// tagName returns the name of the tag that token is, nil if it is none.
func tagName(token []byte) []byte {
	if len(token) < 2 || token[0] != '<' {
		return nil
	}
	at := 1
	if token[1] == '/' {
		at = 2
	}
	end := at
	for end < len(token) && !isBlank(token[end]) && token[end] != '>' && token[end] != '/' {
		end++
	}
	return token[at:end]
}

// isRaw reports whether what follows the start tag is no markup, up to its end tag.
// Source: HTML, "Parsing HTML fragments": the states of the tokenizer.
func isRaw(name []byte) bool {
	var lower [len("plaintext")]byte
	if len(name) > len(lower) {
		return false
	}
	for i, c := range name {
		if lower[i] = c; c >= 'A' && c <= 'Z' {
			lower[i] += 'a' - 'A'
		}
	}
	switch string(lower[:len(name)]) {
	case "iframe", "noembed", "noframes", "noscript", "plaintext", "script", "style", "textarea", "title", "xmp":
		return true
	}
	return false
}

// readAttributes returns the attributes of a start tag. Source: HTML, "Tokenization", from "Before attribute name state" on.
func readAttributes(tag []byte) []attribute {
	var all []attribute
	at := 1 + len(tagName(tag))
	end := len(tag)
	if end > 0 && tag[end-1] == '>' {
		end--
	}
	for at < end {
		start := at
		for at < end && (isBlank(tag[at]) || tag[at] == '/') {
			at++
		}
		if at == end {
			break
		}
		a := attribute{start: start}
		if at > start && tag[at-1] == '/' { // a slash is no part of the attribute
			a.start = at
		}
		name := at
		for at++; at < end && !isBlank(tag[at]) && tag[at] != '/' && tag[at] != '='; at++ {
		}
		a.name, a.nameEnd, a.end = string(tag[name:at]), at, at
		value := at
		for value < end && isBlank(tag[value]) {
			value++
		}
		if value < end && tag[value] == '=' {
			a.value, at = readValue(tag[:end], value+1)
			a.end = at
		}
		all = append(all, a)
	}
	return all
}

// readValue returns the value of an attribute, quoted or not, that stands behind its =, and where it ends.
func readValue(tag []byte, at int) (value string, end int) {
	for at < len(tag) && isBlank(tag[at]) {
		at++
	}
	if at == len(tag) {
		return "", at
	}
	if quote := tag[at]; quote == '"' || quote == '\'' {
		start := at + 1
		for at = start; at < len(tag) && tag[at] != quote; at++ {
		}
		return html.UnescapeString(string(tag[start:at])), min(at+1, len(tag))
	}
	start := at
	for at < len(tag) && !isBlank(tag[at]) {
		at++
	}
	return html.UnescapeString(string(tag[start:at])), at
}

func isBlank(c byte) bool {
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f'
}
