package email

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// recordTime is how records write times. Source: SES Developer Guide, "Contents of event data": ISO 8601.
const recordTime = "2006-01-02T15:04:05.000Z"

// recordWriter writes compact JSON, with <, > and & as they are: a record is no HTML. It writes what it is told to, so whoever
// uses it must open and close what belongs together.
type recordWriter struct {
	buf  []byte
	some bool // something stands before what comes next, in the same object or list
}

// name begins a member.
func (w *recordWriter) name(key string) {
	w.separate()
	w.buf = appendJSONString(w.buf, key)
	w.buf = append(w.buf, ':')
	w.some = false
}

func (w *recordWriter) separate() {
	if w.some {
		w.buf = append(w.buf, ',')
	}
	w.some = true
}

func (w *recordWriter) open()      { w.begin('{') }
func (w *recordWriter) close()     { w.end('}') }
func (w *recordWriter) openList()  { w.begin('[') }
func (w *recordWriter) closeList() { w.end(']') }

func (w *recordWriter) begin(bracket byte) {
	w.separate()
	w.buf = append(w.buf, bracket)
	w.some = false
}

func (w *recordWriter) end(bracket byte) {
	w.buf = append(w.buf, bracket)
	w.some = true
}

// object begins a member that is an object.
func (w *recordWriter) object(key string) {
	w.name(key)
	w.open()
}

// list begins a member that is a list.
func (w *recordWriter) list(key string) {
	w.name(key)
	w.openList()
}

func (w *recordWriter) element(value string) {
	w.separate()
	w.buf = appendJSONString(w.buf, value)
}

func (w *recordWriter) text(key, value string) {
	w.name(key)
	w.element(value)
}

// given writes a text unless it is empty.
func (w *recordWriter) given(key, value string) {
	if value != "" {
		w.text(key, value)
	}
}

func (w *recordWriter) integer(key string, value int64) {
	w.name(key)
	w.buf = strconv.AppendInt(w.buf, value, 10)
	w.some = true
}

func (w *recordWriter) boolean(key string, value bool) {
	w.name(key)
	w.buf = strconv.AppendBool(w.buf, value)
	w.some = true
}

func (w *recordWriter) null(key string) {
	w.name(key)
	w.buf = append(w.buf, "null"...)
	w.some = true
}

func (w *recordWriter) time(key string, at time.Time) {
	w.name(key)
	w.buf = append(w.buf, '"')
	w.buf = at.UTC().AppendFormat(w.buf, recordTime)
	w.buf = append(w.buf, '"')
	w.some = true
}

func (w *recordWriter) texts(key string, values []string) {
	w.list(key)
	for _, v := range values {
		w.element(v)
	}
	w.closeList()
}

// givenTexts writes a list unless it is empty.
func (w *recordWriter) givenTexts(key string, values []string) {
	if len(values) > 0 {
		w.texts(key, values)
	}
}

// lists writes lists of texts by name, sorted, so that the bytes are the same each time.
func (w *recordWriter) lists(key string, all map[string][]string) {
	w.object(key)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		w.texts(name, all[name])
	}
	w.close()
}

// appendJSONString appends s as a JSON string. Bytes that are no UTF-8 become U+FFFD.
func appendJSONString(buf []byte, s string) []byte {
	buf = append(buf, '"')
	plain := 0 // where the part begins that is copied as it is
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\' {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r != utf8.RuneError || size > 1 {
				i += size
				continue
			}
		}
		buf = append(buf, s[plain:i]...)
		buf = appendEscaped(buf, c)
		i++
		plain = i
	}
	buf = append(buf, s[plain:]...)
	return append(buf, '"')
}

// appendEscaped appends a byte that JSON cannot hold as it is.
func appendEscaped(buf []byte, c byte) []byte {
	switch {
	case c >= utf8.RuneSelf:
		return append(buf, "\ufffd"...)
	case c == '"' || c == '\\':
		return append(buf, '\\', c)
	case c == '\n':
		return append(buf, `\n`...)
	case c == '\r':
		return append(buf, `\r`...)
	case c == '\t':
		return append(buf, `\t`...)
	default:
		return fmt.Appendf(buf, `\u%04x`, c)
	}
}
