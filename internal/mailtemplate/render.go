package mailtemplate

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// scope is what names mean at a place of a template.
type scope struct {
	this     any
	parent   *scope         // the context around; nil = this is the root
	names    map[string]any // block parameters and what a partial was given; nil = none
	partials *shelf         // those that can be called; nil = none
	loop     *loop          // the innermost one; nil = none
}

// shelf holds the partials that were defined among some nodes. Those defined around them are on the next one.
type shelf struct {
	partials map[string]program
	next     *shelf
}

// loop is where a block that repeats itself stands.
type loop struct {
	index, last int
	key         string
	object      bool
	parent      *loop
}

// renderer writes one rendering.
type renderer struct {
	out   []byte
	root  any
	steps int
	depth int
}

// left is what stays as it is unless the data has it: it is filled in later, when the mail is sent.
// Source: SES Developer Guide, "Email sending metrics FAQs" and "Using subscription management".
var left = map[string]bool{"ses:openTracker": true, "amazonSESUnsubscribeUrl": true}

// Render fills the template. It fails with a *MissingError if the data lacks an attribute that is to be written, and with a
// *RenderError if the template is beyond a bound.
func (t *Template) Render(d Data) (string, error) {
	r := renderer{out: make([]byte, 0, min(t.size+t.size/4, MaxOutput)), root: d.root}
	if err := r.all(t.body, &scope{this: d.root}); err != nil {
		return "", err
	}
	return string(r.out), nil
}

// step counts.
func (r *renderer) step() error {
	if r.steps++; r.steps > maxSteps {
		return &RenderError{Reason: fmt.Sprintf("the template takes more than %d steps", maxSteps)}
	}
	return nil
}

// write appends to the output.
func (r *renderer) write(s string) error {
	if len(r.out)+len(s) > MaxOutput {
		return &RenderError{Reason: fmt.Sprintf("the result has more than %d bytes", MaxOutput)}
	}
	r.out = append(r.out, s...)
	return nil
}

// all renders nodes. Partials count from the beginning of the nodes that they are defined among.
func (r *renderer) all(p program, s *scope) error {
	if r.depth++; r.depth > 2*maxDepth {
		return &RenderError{Reason: "partials nest too deep"}
	}
	defer func() { r.depth-- }()
	if p.partials != nil {
		inner := *s
		inner.partials = &shelf{partials: p.partials, next: s.partials}
		s = &inner
	}
	for i := range p.nodes {
		if err := r.step(); err != nil {
			return err
		}
		if err := r.node(&p.nodes[i], s); err != nil {
			return err
		}
	}
	return nil
}

// find returns the partial of the name, from the inside out.
func (r *renderer) find(name string, s *shelf) (program, bool) {
	for ; s != nil; s = s.next {
		r.steps++
		if p, ok := s.partials[name]; ok {
			return p, true
		}
	}
	return program{}, false
}

func (r *renderer) node(n *node, s *scope) error {
	switch {
	case n.out != nil:
		return r.output(n.out, s)
	case n.block != nil:
		return r.block(n.block, s)
	case n.partial != nil:
		return r.partial(n.partial, s)
	}
	return r.write(n.text)
}

func (r *renderer) output(e *expr, s *scope) error {
	value, ok := r.value(e, s)
	if !ok {
		if left[e.name()] {
			return r.write("{{" + e.path.text + "}}")
		}
		return &MissingError{Name: e.missing()}
	}
	return r.print(value)
}

// missing names the attribute that an expression without a value stands for.
func (e *expr) missing() string {
	if e.name() == "lookup" && len(e.params) == 2 {
		return e.params[0].title() + "." + e.params[1].title()
	}
	return e.title()
}

// print writes a value as JavaScript turns it into a text, as Handlebars does.
func (r *renderer) print(value any) error {
	switch v := value.(type) {
	case string:
		return r.write(v)
	case json.Number:
		return r.write(v.String())
	case bool:
		return r.write(strconv.FormatBool(v))
	case object:
		return r.write("[object Object]")
	case []any:
		for i, one := range v {
			if err := r.step(); err != nil {
				return err
			}
			if i > 0 {
				if err := r.write(","); err != nil {
					return err
				}
			}
			if err := r.print(one); err != nil {
				return err
			}
		}
	}
	return nil
}

// partial renders a partial: with its own context, if it was given one, and with the names that it was given.
func (r *renderer) partial(c *call, s *scope) error {
	name, err := r.partialName(c, s)
	if err != nil {
		return err
	}
	body, ok := r.find(name, s.partials)
	if !ok {
		return &RenderError{Reason: fmt.Sprintf("The partial %s could not be found", shorten(name))}
	}
	inner, err := r.given(&c.expr, s)
	if err != nil {
		return err
	}
	start := len(r.out)
	if err := r.all(body, inner); err != nil || c.indent == "" {
		return err
	}
	return r.indent(start, c.indent)
}

// given returns the scope of a partial: the caller's, unless it was given a context or names of its own.
func (r *renderer) given(e *expr, s *scope) (*scope, error) {
	if !e.called() {
		return s, nil
	}
	inner := &scope{this: s.this, parent: s, partials: s.partials, loop: s.loop}
	if len(e.params) == 1 {
		value, ok := r.value(&e.params[0], s)
		if !ok {
			return nil, &MissingError{Name: e.params[0].missing()}
		}
		inner.this = value
	}
	if len(e.hash) == 0 {
		return inner, nil
	}
	inner.names = make(map[string]any, len(e.hash))
	for i := range e.hash {
		value, ok := r.value(&e.hash[i].value, s)
		if !ok {
			return nil, &MissingError{Name: e.hash[i].value.missing()}
		}
		inner.names[e.hash[i].name] = value
	}
	return inner, nil
}

// partialName returns the name that the partial is called by: as it stands there, or what an expression in parentheses gives.
func (r *renderer) partialName(c *call, s *scope) (string, error) {
	if c.dynamic == nil {
		return c.expr.title(), nil
	}
	value, ok := r.value(c.dynamic, s)
	name, isText := value.(string)
	if !ok || !isText {
		return "", &MissingError{Name: c.dynamic.missing()}
	}
	r.steps += len(name) / 64
	return name, nil
}

// indent puts an indent before each line that was written since start.
func (r *renderer) indent(start int, indent string) error {
	lines := strings.SplitAfter(string(r.out[start:]), "\n")
	r.out = r.out[:start]
	for _, line := range lines {
		if line == "" {
			continue
		}
		r.steps++
		if err := r.write(indent); err != nil {
			return err
		}
		if err := r.write(line); err != nil {
			return err
		}
	}
	return nil
}
