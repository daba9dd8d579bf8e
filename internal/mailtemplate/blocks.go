package mailtemplate

import (
	"encoding/json"
	"strconv"
)

// block renders a block. An attribute that is missing is as one that is false: a condition asks for that very thing.
func (r *renderer) block(b *block, s *scope) error {
	switch b.expr.name() {
	case "if", "unless":
		value, _ := r.value(&b.expr.params[0], s)
		if r.truthy(value, b.expr.hash, s) == (b.expr.name() == "if") {
			return r.all(b.body, s)
		}
		return r.all(b.otherwise, s)
	case "with":
		value, _ := r.value(&b.expr.params[0], s)
		return r.with(b, value, s)
	case "each":
		value, _ := r.value(&b.expr.params[0], s)
		return r.each(b, value, s)
	}
	value, _ := r.value(&b.expr, s)
	switch v := value.(type) {
	case []any: // {{#list}} goes through the list
		return r.each(b, v, s)
	case bool:
		if v {
			return r.all(b.body, s)
		}
		return r.all(b.otherwise, s)
	}
	return r.with(b, value, s)
}

func (r *renderer) with(b *block, value any, s *scope) error {
	if !truthy(value) {
		return r.all(b.otherwise, s)
	}
	inner := &scope{this: value, parent: s, partials: s.partials, loop: s.loop}
	inner.name(b.names, value, nil)
	return r.all(b.body, inner)
}

// each renders the block once for each element of a list, or each attribute of an object.
func (r *renderer) each(b *block, value any, s *scope) error {
	var count int
	list, isList := value.([]any)
	fields, isObject := value.(object)
	switch {
	case isList:
		count = len(list)
	case isObject:
		count = len(fields.names)
	}
	if count == 0 {
		return r.all(b.otherwise, s)
	}
	l := &loop{last: count - 1, object: isObject, parent: s.loop}
	for i := range count {
		if err := r.step(); err != nil {
			return err
		}
		l.index = i
		var key any = json.Number(strconv.Itoa(i))
		inner := &scope{parent: s, partials: s.partials, loop: l}
		if isObject {
			l.key = fields.names[i]
			key = l.key
			inner.this = fields.values[l.key]
		} else {
			inner.this = list[i]
		}
		inner.name(b.names, inner.this, key)
		if err := r.all(b.body, inner); err != nil {
			return err
		}
	}
	return nil
}

// name gives the block parameters their values.
func (s *scope) name(names []string, value, key any) {
	if len(names) == 0 {
		return
	}
	s.names = map[string]any{names[0]: value}
	if len(names) > 1 && key != nil {
		s.names[names[1]] = key
	}
}

// truthy is what a condition makes of a value. With includeZero=true a zero counts as true.
func (r *renderer) truthy(value any, hash []pair, s *scope) bool {
	if n, ok := value.(json.Number); ok && isZero(n) {
		for _, p := range hash {
			if include, _ := r.value(&p.value, s); p.name == "includeZero" {
				return truthy(include)
			}
		}
	}
	return truthy(value)
}

// truthy reports what counts as true. Source: handlebarsjs.com, "Built-in Helpers", #if: false, undefined, null, "", 0 and [] do not.
func truthy(value any) bool {
	switch v := value.(type) {
	case nil:
		return false
	case bool:
		return v
	case string:
		return v != ""
	case json.Number:
		return !isZero(v)
	case []any:
		return len(v) > 0
	}
	return true
}

func isZero(n json.Number) bool {
	f, err := n.Float64()
	return err == nil && f == 0
}

// value evaluates an expression. ok = false means that there is no such thing.
func (r *renderer) value(e *expr, s *scope) (value any, ok bool) {
	r.steps++
	if e.called() {
		if e.name() != "lookup" {
			return "", true // log has nothing to tell anybody
		}
		of, okOf := r.value(&e.params[0], s)
		key, okKey := r.value(&e.params[1], s)
		if !okOf || !okKey {
			return nil, false
		}
		switch k := key.(type) {
		case string:
			r.steps += len(k) / 64
			return field(of, k)
		case json.Number:
			return field(of, k.String())
		}
		return nil, false
	}
	if e.path == nil {
		return e.value, true
	}
	if e.path.data {
		return r.private(e.path, s)
	}
	return r.follow(e.path, s)
}

// follow goes along a path from the context that it begins at. The first part of a plain name is looked for in the contexts
// around, too, from the inside out; once it is found, the rest has to be there.
func (r *renderer) follow(p *path, s *scope) (any, bool) {
	for range p.up {
		if s.parent == nil {
			return nil, false
		}
		s = s.parent
	}
	if len(p.parts) == 0 {
		return s.this, true
	}
	for ; s != nil; s = s.parent {
		r.steps++
		value, ok := s.names[p.parts[0]]
		if !ok || p.scoped {
			value, ok = field(s.this, p.parts[0])
		}
		if ok {
			return walk(value, p.parts[1:])
		}
		if p.scoped {
			break
		}
	}
	return nil, false
}

// walk goes along the rest of a path.
func walk(value any, parts []string) (any, bool) {
	for _, part := range parts {
		var ok bool
		if value, ok = field(value, part); !ok {
			return nil, false
		}
	}
	return value, true
}

// field returns an attribute of an object, an element of a list, or the length of one.
func field(of any, name string) (any, bool) {
	switch v := of.(type) {
	case object:
		value, ok := v.values[name]
		return value, ok
	case []any:
		if name == "length" {
			return json.Number(strconv.Itoa(len(v))), true
		}
		if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < len(v) {
			return v[i], true
		}
	}
	return nil, false
}

// private returns @root, and where a loop stands: @index, @key, @first and @last.
// Source: handlebarsjs.com, "@data Variables".
func (r *renderer) private(p *path, s *scope) (any, bool) {
	if p.parts[0] == "root" {
		return walk(r.root, p.parts[1:])
	}
	l := s.loop
	for range p.up {
		if l != nil {
			l = l.parent
		}
	}
	if l == nil || len(p.parts) != 1 {
		return nil, false
	}
	switch p.parts[0] {
	case "index":
		return json.Number(strconv.Itoa(l.index)), true
	case "key":
		if l.object {
			return l.key, true
		}
		return json.Number(strconv.Itoa(l.index)), true
	case "first":
		return l.index == 0, true
	case "last":
		return l.index == l.last, true
	}
	return nil, false
}
