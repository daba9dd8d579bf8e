package restjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"tidings/internal/fault"
)

// BodyReader is an input that reads the body of its request itself, because there are many
// such requests, or because the body says more than encoding/json tells.
type BodyReader interface {
	// ReadBody reads the body, which it may keep. It fails with fault.Invalid.
	ReadBody(body []byte) error
}

// BodyAppender is an output that writes the body of its reply itself.
type BodyAppender interface {
	// AppendBody appends the body, in JSON, to b.
	AppendBody(b []byte) []byte
}

// binding knows which fields of an operation's input come from where.
type binding struct {
	path  map[string]int // uri tag -> index of the field
	query map[string]int // query tag -> index of the field
	body  bool           // whether any field comes from the body
}

// bind reads the tags of the input's fields: `uri:"Name"` is a segment of the path and
// `query:"Name"` a parameter of the query, both for strings, a parameter also for the
// []string of all its values, and with `json:"-"`; all others are members of the body.
func bind(route Route) *binding {
	b := &binding{path: map[string]int{}, query: map[string]int{}}
	t := reflect.TypeOf(route.Operation.NewInput()).Elem()
	for i := range t.NumField() {
		tag := t.Field(i).Tag
		switch {
		case tag.Get("uri") != "":
			b.path[tag.Get("uri")] = i
		case tag.Get("query") != "":
			b.query[tag.Get("query")] = i
		default:
			b.body = true
		}
	}
	for segment := range strings.SplitSeq(route.Path, "/") {
		name, ok := wildcard(segment)
		if _, bound := b.path[name]; ok && !bound {
			panic(fmt.Sprintf("restjson: the input of %s has no field for %s", route.Operation.Name, segment))
		}
	}
	return b
}

// fill fills the input, a pointer to a struct. It fails with fault.Invalid, which a
// family turns into its own exception for bad requests: real services answer a
// SerializationException here, which no client of ours has a type for.
func (b *binding) fill(input any, path map[string]string, query url.Values, body []byte) error {
	if reader, ok := input.(BodyReader); ok {
		if err := reader.ReadBody(body); err != nil {
			return err
		}
	} else if b.body {
		if err := decode(body, input); err != nil {
			return err
		}
	}
	v := reflect.ValueOf(input).Elem()
	for name, i := range b.path {
		if !utf8.ValidString(path[name]) {
			return fault.New(fault.Invalid, "", "%s in the path is not UTF-8.", name)
		}
		v.Field(i).SetString(path[name])
	}
	for name, i := range b.query {
		if slices.ContainsFunc(query[name], func(s string) bool { return !utf8.ValidString(s) }) {
			return fault.New(fault.Invalid, "", "%s in the query is not UTF-8.", name)
		}
		if field := v.Field(i); field.Kind() == reflect.Slice {
			field.Set(reflect.ValueOf(query[name]))
		} else {
			field.SetString(query.Get(name))
		}
	}
	return nil
}

// decode reads a JSON object. As with AWS, members that nobody knows are ignored, null is
// like absent, and a value of the wrong type is an error. No body is like an empty object.
func decode(body []byte, into any) error {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	if !utf8.Valid(body) {
		return fault.New(fault.Invalid, "", "The request body is not UTF-8.")
	}
	err := json.Unmarshal(body, into)
	if err == nil {
		return nil
	}
	var f *fault.Error
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && wrong.Type == reflect.TypeFor[Blob]() && wrong.Value == "string" {
		f = fault.New(fault.Invalid, "", "%s is not base64.", subject(into, wrong.Field))
	} else if ok {
		f = fault.New(fault.Invalid, "", "%s must be %s, not %s.", subject(into, wrong.Field), typeName(wrong.Type), article(wrong.Value))
	} else if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		f = fault.New(fault.Invalid, "", "The request body is not JSON: at byte %d, %v.", syntax.Offset, syntax)
	} else {
		f = fault.New(fault.Invalid, "", "The request body cannot be read as JSON.")
	}
	f.Err = err
	return f
}

// subject is how a client knows the field, which encoding/json names with the structs that are
// embedded on the way.
func subject(into any, field string) string {
	if field == "" {
		return "The request body"
	}
	t := reflect.TypeOf(into)
	var path []string
	for name := range strings.SplitSeq(field, ".") {
		for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct {
			path = append(path, name)
			continue
		}
		f, ok := t.FieldByName(name)
		if !ok || !f.Anonymous {
			path = append(path, name)
		}
		if ok {
			t = f.Type
		}
	}
	return strings.Join(path, ".")
}

// typeName is how JSON calls what a field of type t holds.
func typeName(t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t {
	case reflect.TypeFor[Time]():
		return "a time in seconds since 1970"
	case reflect.TypeFor[Blob]():
		return "a string of base64"
	}
	switch t.Kind() {
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Slice:
		return "an array"
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Float64:
		return "a number"
	default:
		return "a whole number of at most 18 digits"
	}
}

// article puts an article before the name of a kind of JSON value. Of a number it drops
// the digits, which the decoder names too.
func article(value string) string {
	kind, _, _ := strings.Cut(value, " ")
	switch kind {
	case "array", "object":
		return "an " + kind
	case "bool":
		return "true or false"
	default:
		return "a " + kind
	}
}
