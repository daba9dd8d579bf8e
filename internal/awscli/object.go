package awscli

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxProblems bounds how many problems of a document are told.
const maxProblems = 10

// problems are what is wrong with a document.
type problems struct {
	where string // the document, for people
	found []error
	more  int
}

func (p *problems) add(format string, args ...any) {
	if len(p.found) == maxProblems {
		p.more++
		return
	}
	p.found = append(p.found, fmt.Errorf("%s: %s", p.where, fmt.Sprintf(format, args...)))
}

// err returns the problems as one error, nil if there are none.
func (p *problems) err() error {
	if p.more > 0 {
		return errors.Join(errors.Join(p.found...), fmt.Errorf("%s: and %d more", p.where, p.more))
	}
	return errors.Join(p.found...)
}

// object reads the members of a JSON object by their exact names; TopicArn and TopicARN are
// two. Whoever has taken all that he knows says end, which reports the rest: what is not
// understood must not be dropped in silence.
type object struct {
	*problems

	path    string // from the document's top; "" = the document itself
	members map[string]any
	taken   map[string]bool
}

// asObject reads v as an object; if it is none that is a problem, and the object is empty.
func (p *problems) asObject(path string, v any) *object {
	members, ok := v.(map[string]any)
	if !ok {
		p.add("%s must be an object, not %s", path, kindOf(v))
	}
	return &object{p, path, members, map[string]bool{}}
}

// at is the path of a member.
func (o *object) at(name string) string {
	if o.path == "" {
		return name
	}
	return o.path + "." + name
}

// has reports whether the member is there. null counts as absent.
func (o *object) has(name string) bool { return o.members[name] != nil }

// take returns the member, nil if it is absent.
func (o *object) take(name string) any {
	o.taken[name] = true
	return o.members[name]
}

// skip takes members that are known and of no use here.
func (o *object) skip(names ...string) {
	for _, name := range names {
		o.taken[name] = true
	}
}

// text returns a string, "" if it is absent.
func (o *object) text(name string) string {
	switch v := o.take(name).(type) {
	case nil:
	case string:
		return v
	default:
		o.add("%s must be a string, not %s", o.at(name), kindOf(v))
	}
	return ""
}

// required returns a string that must be there and not be empty.
func (o *object) required(name string) string {
	if v := o.members[name]; v == nil || v == "" {
		o.add("%s is missing", o.at(name))
		o.skip(name)
		return ""
	}
	return o.text(name)
}

// flag returns a boolean, false if it is absent.
func (o *object) flag(name string) bool {
	switch v := o.take(name).(type) {
	case nil:
	case bool:
		return v
	default:
		o.add("%s must be true or false, not %s", o.at(name), kindOf(v))
	}
	return false
}

// when returns a time, the zero time if it is absent.
func (o *object) when(name string) time.Time {
	v := o.take(name)
	if v == nil || v == "" {
		return time.Time{}
	}
	t, ok := parseTime(v)
	if !ok {
		o.add("%s must be a date and time of ISO 8601, such as 2020-01-01T00:00:00.000Z, not %s", o.at(name), shown(v))
	}
	return t
}

// list returns the elements of an array.
func (o *object) list(name string) []any {
	switch v := o.take(name).(type) {
	case nil:
	case []any:
		return v
	default:
		o.add("%s must be an array, not %s", o.at(name), kindOf(v))
	}
	return nil
}

// first returns the first element of an array without taking it, nil if there is none.
func (o *object) first(name string) any {
	if list, _ := o.members[name].([]any); len(list) > 0 {
		return list[0]
	}
	return nil
}

// objects returns the elements of an array of objects.
func (o *object) objects(name string) (all []*object) {
	for i, v := range o.list(name) {
		all = append(all, o.asObject(o.at(name)+"["+strconv.Itoa(i)+"]", v))
	}
	return all
}

// texts returns the elements of an array of strings.
func (o *object) texts(name string) (all []string) {
	for i, v := range o.list(name) {
		s, ok := v.(string)
		if !ok {
			o.add("%s[%d] must be a string, not %s", o.at(name), i, kindOf(v))
		}
		all = append(all, s)
	}
	return all
}

// table returns an object whose members are all strings; nil if it is absent.
func (o *object) table(name string) map[string]string {
	if !o.has(name) {
		o.skip(name)
		return nil
	}
	in := o.child(name)
	out := make(map[string]string, len(in.members))
	for _, key := range slices.Sorted(maps.Keys(in.members)) {
		out[key] = in.text(key)
	}
	return out
}

// child returns an object within, which is empty if it is absent.
func (o *object) child(name string) *object {
	v := o.take(name)
	if v == nil {
		return &object{o.problems, o.at(name), nil, map[string]bool{}}
	}
	return o.asObject(o.at(name), v)
}

// end reports the members that nobody took. null says nothing, so it is passed over.
func (o *object) end() {
	for _, name := range slices.Sorted(maps.Keys(o.members)) {
		if !o.taken[name] && o.members[name] != nil {
			o.add("%s is no member that is known", o.at(shorten(name)))
		}
	}
}

// kindOf names the type of a JSON value, for people.
func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case json.Number:
		return "a number"
	case string:
		return "a string"
	case []any:
		return "an array"
	}
	return "an object"
}

// shown is a value in an error text.
func shown(v any) string {
	switch v := v.(type) {
	case string:
		return strconv.Quote(shorten(v))
	case json.Number:
		return shorten(v.String())
	}
	return kindOf(v)
}

// shorten keeps what a file holds from filling an error text.
func shorten(s string) string {
	const limit = 100
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "…"
}
