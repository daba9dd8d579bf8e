package mailtemplate

import (
	"fmt"
	"strings"
)

// node is a part of a parsed template. Exactly one of text, out, block and partial is what it is.
type node struct {
	text    string
	out     *expr
	block   *block
	partial *call
}

// program is nodes, and the partials that are defined among them, by name.
type program struct {
	nodes    []node
	partials map[string]program
}

// block is {{#x}}…{{else}}…{{/x}}.
type block struct {
	expr      expr
	names     []string // of block parameters: as |a b|
	body      program
	otherwise program
}

// call is {{> x context name=value}}.
type call struct {
	expr    expr
	dynamic *expr // the name, if it stands in parentheses; nil = that of expr
	indent  string
}

// helpers are what can be called, and with how many parameters. Those that are blocks are also in blocks.
// Source: handlebarsjs.com, "Built-in Helpers".
var (
	blocks  = map[string]int{"if": 1, "unless": 1, "each": 1, "with": 1}
	helpers = map[string]int{"lookup": 2, "log": -1}
)

// parser makes nodes of pieces.
type parser struct {
	pieces []piece
	at     int
}

func (p *parser) done() bool { return p.at == len(p.pieces) }

// stray says what is wrong with a tag that stands outside the block that it belongs to.
func (p *parser) stray() error {
	tag := p.pieces[p.at]
	if tag.kind == otherwise {
		return &SyntaxError{Line: tag.line, Reason: "{{else}} stands in no block"}
	}
	return &SyntaxError{Line: tag.line, Reason: fmt.Sprintf("{{/%s}} closes a block that was not opened", shorten(tag.text))}
}

// program reads nodes up to the end, an else, or a closing tag.
func (p *parser) program(depth int) (program, error) {
	var all program
	if depth > maxDepth {
		return all, &SyntaxError{Line: p.pieces[p.at-1].line, Reason: fmt.Sprintf("blocks nest deeper than %d", maxDepth)}
	}
	for !p.done() {
		tag := p.pieces[p.at]
		if tag.kind == otherwise || tag.kind == closing {
			break
		}
		p.at++
		if tag.kind == inline {
			if err := p.define(&all, tag, depth); err != nil {
				return all, err
			}
			continue
		}
		one, err := p.node(tag, depth)
		if err != nil {
			return all, err
		}
		if one != nil {
			all.nodes = append(all.nodes, *one)
		}
	}
	return all, nil
}

// node reads what the piece begins; nil = nothing that is rendered.
func (p *parser) node(tag piece, depth int) (*node, error) {
	switch tag.kind {
	case text:
		if tag.text == "" {
			return nil, nil
		}
		return &node{text: tag.text}, nil
	case output:
		return parseOutput(tag)
	case opening, inverse:
		b, err := p.block(tag, depth)
		if err != nil {
			return nil, err
		}
		return &node{block: b}, nil
	case partial:
		return parsePartial(tag)
	case comment, inline, otherwise, closing:
	}
	return nil, nil
}

func parseOutput(tag piece) (*node, error) {
	e, _, err := parseExpr(tag, false)
	if err != nil {
		return nil, err
	}
	if err := checkCall(&e, tag.line); err != nil {
		return nil, err
	}
	return &node{out: &e}, nil
}

func parsePartial(tag piece) (*node, error) {
	c := call{indent: tag.indent}
	var err error
	if strings.HasPrefix(tag.text, "(") { // {{> (lookup . "x") context}}
		r := reader{s: tag.text, line: tag.line}
		name, err := r.operand(0)
		if err != nil {
			return nil, err
		}
		c.dynamic, tag.text = &name, "dynamic"+r.s
	}
	if c.expr, _, err = parseExpr(tag, false); err != nil {
		return nil, err
	}
	if len(c.expr.params) > 1 {
		return nil, &SyntaxError{Line: tag.line, Reason: "a partial takes one context"}
	}
	return &node{partial: &c}, nil
}

// parseExpr reads all of a tag.
func parseExpr(tag piece, block bool) (e expr, names []string, err error) {
	r := reader{s: tag.text, line: tag.line}
	if e, err = r.call(0); err != nil {
		return e, nil, err
	}
	if block && r.blockParams() {
		_, inner, _ := strings.Cut(r.s, "|")
		inner, rest, ok := strings.Cut(inner, "|")
		names = strings.Fields(inner)
		if !ok || len(names) == 0 {
			return e, nil, r.fail("block parameters are written as |name|")
		}
		r.s = strings.TrimSpace(rest)
	}
	if r.s != "" {
		return e, nil, r.fail("nothing can stand at %q", shorten(r.s))
	}
	return e, names, nil
}

// checkCall reports whether what an expression calls can be called.
func checkCall(e *expr, line int) error {
	want, known := helpers[e.name()]
	switch {
	case !e.called():
		return nil
	case !known:
		return &SyntaxError{Line: line, Reason: fmt.Sprintf("there is no helper %q", shorten(e.title()))}
	case want >= 0 && len(e.params) != want:
		return &SyntaxError{Line: line, Reason: fmt.Sprintf("%s takes %d parameters, not %d", e.name(), want, len(e.params))}
	}
	return nil
}

// title is how an expression is called in errors.
func (e *expr) title() string {
	if e.path != nil {
		return e.path.text
	}
	return fmt.Sprint(e.value)
}

// block reads a block, up to and with its closing tag.
func (p *parser) block(tag piece, depth int) (*block, error) {
	b, err := p.open(tag)
	if err != nil {
		return nil, err
	}
	if b.body, err = p.program(depth + 1); err != nil {
		return nil, err
	}
	if err := p.chain(b, tag, depth); err != nil {
		return nil, err
	}
	if tag.kind == inverse {
		b.body, b.otherwise = b.otherwise, b.body
	}
	return b, p.close(tag, b.expr.title())
}

// open reads the tag that opens a block, be it {{#if x}} or {{else if x}}.
func (p *parser) open(tag piece) (*block, error) {
	e, names, err := parseExpr(tag, true)
	if err != nil {
		return nil, err
	}
	want, known := blocks[e.name()]
	switch {
	case known && len(e.params) != want:
		return nil, &SyntaxError{Line: tag.line, Reason: fmt.Sprintf("%s takes %d parameters, not %d", e.name(), want, len(e.params))}
	case !known && e.called():
		return nil, &SyntaxError{Line: tag.line, Reason: fmt.Sprintf("there is no helper %q", shorten(e.title()))}
	}
	return &block{expr: e, names: names}, nil
}

// chain reads {{else}} and {{else if x}} with what follows each, up to the closing tag of the block.
func (p *parser) chain(b *block, first piece, depth int) error {
	for more := b; !p.done() && p.pieces[p.at].kind == otherwise; {
		tag := p.pieces[p.at]
		p.at++
		if tag.text == "" {
			var err error
			more.otherwise, err = p.program(depth + 1)
			return err // what comes now must be the closing tag
		}
		if first.kind == inverse {
			return &SyntaxError{Line: tag.line, Reason: "{{else x}} cannot stand in an inverse block"}
		}
		next, err := p.open(tag)
		if err != nil {
			return err
		}
		depth++ // a chain is a nest to whoever renders it
		if next.body, err = p.program(depth + 1); err != nil {
			return err
		}
		more.otherwise.nodes = []node{{block: next}}
		more = next
	}
	return nil
}

// close reads the closing tag of what tag opened.
func (p *parser) close(tag piece, name string) error {
	if p.done() {
		return &SyntaxError{Line: tag.line, Reason: fmt.Sprintf("the block %q is never closed", shorten(name))}
	}
	end := p.pieces[p.at]
	if end.kind == otherwise {
		return &SyntaxError{Line: end.line, Reason: fmt.Sprintf("the block %q has a second {{else}}", shorten(name))}
	}
	if end.text != name {
		return &SyntaxError{Line: end.line, Reason: fmt.Sprintf("{{/%s}} closes the block %q", shorten(end.text), shorten(name))}
	}
	p.at++
	return nil
}

// define reads an inline partial, up to and with its closing tag.
func (p *parser) define(among *program, tag piece, depth int) error {
	e, _, err := parseExpr(tag, false)
	if err != nil {
		return err
	}
	if e.name() != "inline" || len(e.params) != 1 || len(e.hash) > 0 {
		return &SyntaxError{Line: tag.line, Reason: `a partial is defined as {{#* inline "name"}}`}
	}
	name, ok := e.params[0].value.(string)
	if !ok {
		return &SyntaxError{Line: tag.line, Reason: "the name of an inline partial is a string"}
	}
	body, err := p.program(depth + 1)
	if err != nil {
		return err
	}
	if among.partials == nil {
		among.partials = map[string]program{}
	}
	among.partials[name] = body
	return p.close(tag, "inline")
}
