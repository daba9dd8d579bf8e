package query

import (
	"encoding/base64"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// printer says how the values of a type are written. It is made once for each type and never changed.
type printer struct {
	kind    kind
	pointer bool
	fields  []field  // of a structure
	element *printer // of a list or a dictionary
}

type field struct {
	index   int
	name    string
	printer *printer
}

func bindOutput[Out any]() *printer {
	t := reflect.TypeFor[Out]()
	if t == reflect.TypeFor[NoResult]() {
		return nil
	}
	p := newPrinter(t, 0)
	if p.kind != structure || p.pointer {
		panic(fmt.Sprintf("query: an output must be a struct, not %v", t))
	}
	return p
}

func newPrinter(t reflect.Type, depth int) *printer {
	if depth > maxNesting {
		panic(fmt.Sprintf("query: %v is too deep for an output", t))
	}
	p := &printer{}
	if t.Kind() == reflect.Pointer {
		p.pointer, t = true, t.Elem()
	}
	switch {
	case t == timeType:
		p.kind = timestamp
	case t == bytesType:
		p.kind = blob
	case t.Kind() == reflect.String:
		p.kind = text
	case t.Kind() == reflect.Bool:
		p.kind = boolean
	case t.Kind() == reflect.Int, t.Kind() == reflect.Int32, t.Kind() == reflect.Int64:
		p.kind = integer
	case t.Kind() == reflect.Float64:
		p.kind = number
	case t.Kind() == reflect.Struct:
		p.kind = structure
		for i := range t.NumField() {
			p.fields = append(p.fields, field{index: i, name: t.Field(i).Name, printer: newPrinter(t.Field(i).Type, depth+1)})
		}
	case t.Kind() == reflect.Slice:
		p.kind, p.element = list, newPrinter(t.Elem(), depth+1)
	case t.Kind() == reflect.Map && t.Key().Kind() == reflect.String:
		p.kind, p.element = dictionary, newPrinter(t.Elem(), depth+1)
	default:
		panic(fmt.Sprintf("query: an output cannot have a %v", t))
	}
	return p
}

// appendFields appends an element for each field of the structure v that says something.
func (p *printer) appendFields(b []byte, v reflect.Value) []byte {
	for _, f := range p.fields {
		if value := v.Field(f.index); !f.printer.omits(value) {
			b = f.printer.appendElement(b, f.name, value)
		}
	}
	return b
}

// omits reports whether a field of this value is left out.
func (p *printer) omits(v reflect.Value) bool {
	switch {
	case p.pointer, p.kind == list, p.kind == dictionary, p.kind == blob:
		return v.IsNil()
	case p.kind == text, p.kind == timestamp:
		return v.IsZero()
	}
	return false
}

func (p *printer) appendElement(b []byte, name string, v reflect.Value) []byte {
	b = appendOpen(b, name)
	if p.pointer {
		v = v.Elem()
	}
	switch p.kind {
	case text:
		b = appendText(b, v.String())
	case boolean:
		b = strconv.AppendBool(b, v.Bool())
	case integer:
		b = strconv.AppendInt(b, v.Int(), 10)
	case number:
		b = appendNumber(b, v.Float())
	case blob:
		b = base64.StdEncoding.AppendEncode(b, v.Bytes())
	case timestamp:
		// Source: Smithy documentation, "timestampFormat trait", date-time, with the milliseconds that SES writes.
		b = v.Interface().(time.Time).UTC().AppendFormat(b, "2006-01-02T15:04:05.000Z")
	case structure:
		b = p.appendFields(b, v)
	case list:
		for i := range v.Len() {
			b = p.element.appendElement(b, "member", v.Index(i))
		}
	case dictionary:
		b = p.appendEntries(b, v)
	}
	return appendClose(b, name)
}

// appendEntries appends the entries of a map in the order of their keys.
func (p *printer) appendEntries(b []byte, v reflect.Value) []byte {
	entries := map[string]reflect.Value{}
	for i := v.MapRange(); i.Next(); {
		entries[i.Key().String()] = i.Value()
	}
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		b = appendOpen(b, "entry")
		b = appendClose(appendText(appendOpen(b, "key"), key), "key")
		b = p.element.appendElement(b, "value", entries[key])
		b = appendClose(b, "entry")
	}
	return b
}

// appendNumber writes whole numbers with a decimal, as SES does: 200.0.
func appendNumber(b []byte, n float64) []byte {
	if n == math.Trunc(n) {
		return strconv.AppendFloat(b, n, 'f', 1, 64)
	}
	return strconv.AppendFloat(b, n, 'f', -1, 64)
}

func appendOpen(b []byte, name string) []byte {
	b = append(b, '<')
	b = append(b, name...)
	return append(b, '>')
}

func appendClose(b []byte, name string) []byte {
	b = append(b, "</"...)
	b = append(b, name...)
	return append(b, '>')
}

// appendText appends a text so that a reader gets back what it says. A carriage return must be escaped, or readers take it for a
// line feed; characters that XML cannot have become U+FFFD.
// Source: Extensible Markup Language (XML) 1.0, sections 2.2, 2.4 and 2.11.
func appendText(b []byte, s string) []byte {
	plain := 0 // s[plain:i] needs nothing
	for i := 0; i < len(s); {
		r, size := rune(s[i]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRuneInString(s[i:])
		}
		if instead := escape(r, size); instead != "" {
			b = append(b, s[plain:i]...)
			b = append(b, instead...)
			plain = i + size
		}
		i += size
	}
	return append(b, s[plain:]...)
}

// escape returns what is written in the place of a character; "" = the character itself.
func escape(r rune, size int) string {
	switch {
	case r == '&':
		return "&amp;"
	case r == '<':
		return "&lt;"
	case r == '>':
		return "&gt;"
	case r == '\r':
		return "&#13;"
	case r == utf8.RuneError && size == 1, r < ' ' && r != '\n' && r != '\t', r == 0xFFFE, r == 0xFFFF:
		return "\uFFFD"
	}
	return ""
}
