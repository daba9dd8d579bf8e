package query

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"math"
	"reflect"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"tidings/internal/fault"
)

// Bounds of what a form may ask for. They are far above what any operation takes: SES's largest, SendBulkTemplatedEmail, has 50
// destinations of 50 addresses each.
const (
	maxParameters = 50_000
	maxElements   = 1_000 // of a list
)

// frame is a structure, or an element of a list, that is being filled.
type frame struct {
	value  reflect.Value
	lists  []*gathering // by slot; nil where nothing was given yet
	number int          // of an element
}

// gathering is a list that is being filled. Its elements stand in the order in which they came, which need not be that of
// their numbers.
type gathering struct {
	shape    *shape
	target   reflect.Value
	elements []frame
}

// fill fills the input, a pointer to a struct of this shape. Parameters that nobody knows are ignored, of one that comes twice
// the last counts. It fails with fault.Invalid.
func (s *shape) fill(input any, f form) error {
	root := frame{value: reflect.ValueOf(input).Elem()}
	count := 0
	for name, value := range f.pairs() {
		if count++; count > maxParameters {
			return fault.New(fault.Invalid, "", "A request has at most %d parameters.", maxParameters)
		}
		if err := s.set(&root, name, value); err != nil {
			return err
		}
	}
	root.settle()
	return nil
}

// set takes one parameter, whose name and value are still encoded, into the frame.
func (s *shape) set(at *frame, name, value []byte) error {
	path, err := unescape(name)
	if err != nil {
		return err
	}
	v, rest := at.value, path
	for {
		switch s.kind {
		case structure:
			if len(rest) == 0 {
				return empty(path, value, "a structure")
			}
			var word []byte
			word, rest, _ = bytes.Cut(rest, dot)
			m, ok := s.members[string(word)]
			if !ok {
				return nil
			}
			s, v = m.shape, v.Field(m.index)
			if s.pointer {
				if v.IsNil() {
					v.Set(reflect.New(s.typ))
				}
				v = v.Elem()
			}
		case list, dictionary:
			if len(rest) == 0 {
				return empty(path, value, "a list")
			}
			var n int
			if n, rest, err = s.number(path, rest); err != nil {
				return err
			}
			at = at.list(s, v).element(n)
			s, v = s.element, at.value
		case text, boolean, integer, number, blob, timestamp:
			if len(rest) > 0 {
				return fault.New(fault.Invalid, "", "%s goes too deep: above its end there is a plain value.", shorten(string(path)))
			}
			return s.setScalar(v, path, value)
		}
	}
}

// dot stands between the words of a path.
var dot = []byte(".")

// empty takes a parameter that names a structure or a list as a whole. Without a value it says that there is nothing in it:
// clients write empty lists so.
func empty(path, value []byte, what string) error {
	if len(value) == 0 {
		return nil
	}
	return fault.New(fault.Invalid, "", "%s is %s and takes no value of its own.", shorten(string(path)), what)
}

// number cuts the number of an element off rest: "member.N" of a list, "entry.N" of a dictionary, or "N" alone, as flattened lists have it.
func (s *shape) number(path, rest []byte) (int, []byte, error) {
	word, rest, _ := bytes.Cut(rest, dot)
	if s.kind == list && string(word) == "member" || s.kind == dictionary && string(word) == "entry" {
		word, rest, _ = bytes.Cut(rest, dot)
	}
	n, err := strconv.Atoi(string(word))
	if err != nil || n < 1 || n > maxElements || word[0] == '+' {
		return 0, nil, fault.New(fault.Invalid, "", "%s must name an element of a list by a number from 1 to %d.", shorten(string(path)), maxElements)
	}
	return n, rest, nil
}

// list returns what gathers the list of this shape in the frame.
func (at *frame) list(s *shape, target reflect.Value) *gathering {
	for len(at.lists) <= s.slot {
		at.lists = append(at.lists, nil)
	}
	if at.lists[s.slot] == nil {
		at.lists[s.slot] = &gathering{shape: s, target: target}
	}
	return at.lists[s.slot]
}

// element returns the element of that number. It is good until the next one is asked for.
func (g *gathering) element(n int) *frame {
	if last := len(g.elements) - 1; last >= 0 && g.elements[last].number == n { // parameters of one element mostly stand together
		return &g.elements[last]
	}
	if i := slices.IndexFunc(g.elements, func(f frame) bool { return f.number == n }); i >= 0 {
		return &g.elements[i]
	}
	g.elements = append(g.elements, frame{number: n, value: reflect.New(g.shape.element.typ).Elem()})
	return &g.elements[len(g.elements)-1]
}

// settle puts the lists that were gathered where they belong. Gaps between numbers are closed.
func (at *frame) settle() {
	for _, g := range at.lists {
		if g == nil {
			continue
		}
		byNumber := func(a, b frame) int { return cmp.Compare(a.number, b.number) }
		if !slices.IsSortedFunc(g.elements, byNumber) {
			slices.SortFunc(g.elements, byNumber)
		}
		if g.shape.kind == dictionary {
			g.settleDictionary()
			continue
		}
		all := reflect.MakeSlice(g.shape.typ, len(g.elements), len(g.elements))
		for i := range g.elements {
			g.elements[i].settle()
			value := g.elements[i].value
			if g.shape.element.pointer {
				value = value.Addr()
			}
			all.Index(i).Set(value)
		}
		g.target.Set(all)
	}
}

func (g *gathering) settleDictionary() {
	all := reflect.MakeMapWithSize(g.shape.typ, len(g.elements))
	for i := range g.elements {
		g.elements[i].settle()
		entry := g.elements[i].value
		all.SetMapIndex(entry.Field(0), entry.Field(1))
	}
	g.target.Set(all)
}

// setScalar reads a value, which is still encoded, into v.
func (s *shape) setScalar(v reflect.Value, path, value []byte) error {
	p, err := unescape(value)
	if err != nil {
		return err
	}
	switch s.kind {
	case text:
		if !utf8.Valid(p) {
			return wrong(path, "UTF-8")
		}
		v.SetString(string(p))
		return nil
	case blob:
		decoded := make([]byte, base64.StdEncoding.DecodedLen(len(p)))
		n, err := base64.StdEncoding.Decode(decoded, p)
		if err != nil {
			return wrong(path, "Base64")
		}
		v.SetBytes(decoded[:n])
		return nil
	case boolean:
		if word := string(p); word != "true" && word != "false" {
			return wrong(path, "true or false")
		}
		v.SetBool(string(p) == "true")
		return nil
	case integer:
		n, err := strconv.ParseInt(string(p), 10, s.typ.Bits())
		if err != nil {
			return wrong(path, "a whole number")
		}
		v.SetInt(n)
		return nil
	case number:
		n, err := strconv.ParseFloat(string(p), 64)
		if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
			return wrong(path, "a number")
		}
		v.SetFloat(n)
		return nil
	case timestamp:
		t, err := time.Parse(time.RFC3339Nano, string(p))
		if err != nil {
			return wrong(path, "a time as in 2026-01-02T15:04:05Z")
		}
		v.Set(reflect.ValueOf(t.UTC()))
		return nil
	case structure, list, dictionary: // not reached: set goes into them
	}
	return nil
}

func wrong(path []byte, want string) error {
	return fault.New(fault.Invalid, "", "%s must be %s.", shorten(string(path)), want)
}
