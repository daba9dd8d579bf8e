package query

import (
	"fmt"
	"reflect"
	"time"
)

// kind is what a parameter, or the structure above several, is made of.
type kind int

const (
	text kind = iota
	boolean
	integer
	number
	blob
	timestamp
	structure
	list
	dictionary
)

// shape says how a value of some type is filled. It is made once for each type and never changed.
type shape struct {
	kind    kind
	typ     reflect.Type // without a pointer
	pointer bool         // values are pointers to typ
	// Of a structure.
	members map[string]member
	// Of a list or a dictionary. Entries of a dictionary are structures of the members key and value.
	element *shape
	slot    int // its place among the lists of a frame
}

type member struct {
	index int // of the field
	shape *shape
}

// maxNesting is how deep an input may be. It keeps a type that contains itself from being bound for ever.
const maxNesting = 16

func bindInput[In any]() *shape {
	s := &shape{}
	s.bind(reflect.TypeFor[In](), new(int), 0)
	if s.kind != structure || s.pointer {
		panic(fmt.Sprintf("query: an input must be a struct, not %v", reflect.TypeFor[In]()))
	}
	return s
}

var (
	timeType  = reflect.TypeFor[time.Time]()
	bytesType = reflect.TypeFor[[]byte]()
)

// bind makes s the shape of t. slots counts the lists of the frame that it belongs to.
func (s *shape) bind(t reflect.Type, slots *int, depth int) {
	if depth > maxNesting {
		panic(fmt.Sprintf("query: %v is too deep for an input", t))
	}
	if t.Kind() == reflect.Pointer {
		s.pointer, t = true, t.Elem()
	}
	s.typ = t
	switch {
	case t == timeType:
		s.kind = timestamp
	case t == bytesType:
		s.kind = blob
	case t.Kind() == reflect.String:
		s.kind = text
	case t.Kind() == reflect.Bool:
		s.kind = boolean
	case t.Kind() == reflect.Int, t.Kind() == reflect.Int32, t.Kind() == reflect.Int64:
		s.kind = integer
	case t.Kind() == reflect.Float64:
		s.kind = number
	case t.Kind() == reflect.Struct:
		s.kind, s.members = structure, map[string]member{}
		for i := range t.NumField() {
			field := &shape{}
			field.bind(t.Field(i).Type, slots, depth+1)
			s.members[t.Field(i).Name] = member{index: i, shape: field}
		}
	case t.Kind() == reflect.Slice && !s.pointer:
		s.kind, s.element = list, newElement(t.Elem(), depth)
		s.slot = take(slots)
	case t.Kind() == reflect.Map && t.Key().Kind() == reflect.String && !s.pointer:
		entry := reflect.StructOf([]reflect.StructField{{Name: "Key", Type: t.Key()}, {Name: "Value", Type: t.Elem()}})
		s.kind, s.element = dictionary, newElement(entry, depth)
		m := s.element.members
		s.element.members = map[string]member{"key": m["Key"], "value": m["Value"]}
		s.slot = take(slots)
	default:
		panic(fmt.Sprintf("query: an input cannot have a %v", t))
	}
}

// newElement is the shape of the elements of a list. They begin a frame.
func newElement(t reflect.Type, depth int) *shape {
	s := &shape{}
	s.bind(t, new(int), depth+1)
	if s.kind == list || s.kind == dictionary {
		panic(fmt.Sprintf("query: an input cannot have a list of %v", t))
	}
	return s
}

func take(slots *int) int {
	*slots++
	return *slots - 1
}
