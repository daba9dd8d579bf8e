package ssml

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Error says what is wrong with a document, in words for the one who wrote it.
type Error struct {
	// Offset is where the tag or the text starts, in bytes from the start of the
	// document. Where the document is no XML, it is where reading it stopped.
	Offset    int
	Line      int    // from 1
	Column    int    // from 1, in characters
	Tag       string // the tag that is wrong, without brackets; "" if it is no tag
	Attribute string // the attribute that is wrong; "" if it is none
	Msg       string // what is wrong and what is allowed, without the place
}

// Error prints the place and the message.
func (e *Error) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Msg)
}

func newError(text string, at int, tag, attribute, format string, args ...any) *Error {
	line, column := position(text, at)
	return &Error{
		Offset: at, Line: line, Column: column, Tag: tag, Attribute: attribute,
		Msg: fmt.Sprintf(format, args...),
	}
}

// position turns an offset in bytes into a line and a column.
func position(text string, at int) (line, column int) {
	before := text[:min(at, len(text))]
	start := strings.LastIndexByte(before, '\n') + 1
	return strings.Count(before, "\n") + 1, utf8.RuneCountInString(before[start:]) + 1
}

// quoted is s in quotation marks, cut to a length that leaves an error readable.
func quoted(s string) string {
	const most = 60
	n := 0
	for i := range s {
		if n++; n > most {
			return fmt.Sprintf("%q…", s[:i])
		}
	}
	return fmt.Sprintf("%q", s)
}

// angled is the name of a tag in brackets, cut like quoted.
func angled(name string) string {
	const most = 60
	if len(name) > most {
		return "<" + strings.ToValidUTF8(name[:most], "") + "…>"
	}
	return "<" + name + ">"
}
