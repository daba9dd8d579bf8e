package ssml

import (
	"encoding/xml"
	"errors"
	"strings"
	"unicode/utf8"
)

// parser checks one token after the other and keeps what matters to what is spoken.
type parser struct {
	text   string
	dec    *xml.Decoder
	open   []element // the tags that are open, the root first
	rooted bool      // the root was opened, and perhaps closed
	steps  []step
	bill   int
	timed  int // index in open of the outermost <prosody amazon:max-duration> + 1; 0 = none
}

// element is an open tag.
type element struct {
	tag  *tag
	at   int // offset of its start
	bill int // what was billed before it
}

func (p *parser) fail(at int, tag, attribute, format string, args ...any) error {
	return newError(p.text, at, tag, attribute, format, args...)
}

func (p *parser) take(token xml.Token, at int) error {
	switch t := token.(type) {
	case xml.StartElement:
		return p.start(t, at)
	case xml.EndElement:
		return p.end(fullName(t.Name), at)
	case xml.CharData:
		return p.chars(string(t), at)
	case xml.Comment:
		return nil
	case xml.ProcInst:
		// The XML declaration is no processing instruction, and the guide shows it.
		if t.Target == "xml" && at == 0 {
			return nil
		}
		return p.fail(at, "", "", "processing instructions such as <?%s?> are not allowed; only an XML declaration may stand at the very start", clip(t.Target))
	case xml.Directive:
		return p.fail(at, "", "", "a DOCTYPE or another <!…> declaration is not allowed; the only entities are &amp; &lt; &gt; &apos; &quot; and character numbers")
	}
	return p.fail(at, "", "", "this markup is not allowed")
}

// fullName is a name as it was written.
func fullName(n xml.Name) string {
	if n.Space == "" {
		return n.Local
	}
	return n.Space + ":" + n.Local
}

func (p *parser) start(t xml.StartElement, at int) error {
	name := fullName(t.Name)
	row, known := find(name)
	switch {
	case !p.rooted && name != "speak":
		return p.fail(at, name, "", "the document starts with %s; its root must be <speak>", angled(name))
	case p.rooted && len(p.open) == 0:
		return p.fail(at, name, "", "%s stands behind the end of the document; everything must be inside one <speak>", angled(name))
	case p.rooted && name == "speak":
		return p.fail(at, name, "", "<speak> must not stand inside another tag; it is the root")
	case refused[name] != "":
		return p.fail(at, name, "", "%s is not supported: %s", angled(name), refused[name])
	case !known:
		return p.fail(at, name, "", "%s is not a known tag; allowed are %s", angled(name), tagNames())
	case len(p.open) == MaxDepth:
		return p.fail(at, name, "", "%s is nested too deep; at most %d tags may be open at once", angled(name), MaxDepth)
	}
	if p.rooted && p.top().tag.content != anything {
		parent := p.top().tag
		return p.fail(at, name, "", "%s must not stand inside <%s>, which may hold %s", angled(name), parent.name, parent.content)
	}
	attrs, err := p.attributes(row, t.Attr, at)
	if err != nil {
		return err
	}
	p.rooted = true
	p.open = append(p.open, element{row, at, p.bill})
	if _, ok := attrs["amazon:max-duration"]; ok && p.timed == 0 {
		p.timed = len(p.open)
	}
	p.steps = append(p.steps, step{open: row.name, attrs: attrs})
	return nil
}

func (p *parser) top() element { return p.open[len(p.open)-1] }

// attributes checks the attributes of a tag and returns them by name.
func (p *parser) attributes(row *tag, list []xml.Attr, at int) (map[string]string, error) {
	attrs := make(map[string]string, len(list))
	for _, a := range list {
		name := fullName(a.Name)
		allowed, known := row.attribute(name)
		switch {
		case !known && len(row.attributes) == 0:
			return nil, p.fail(at, row.name, name, "<%s> has no attributes, but here it has %s", row.name, quoted(name))
		case !known:
			return nil, p.fail(at, row.name, name, "%s is not an attribute of <%s>; allowed are %s", quoted(name), row.name, row.attributeNames())
		}
		if _, twice := attrs[name]; twice {
			return nil, p.fail(at, row.name, name, "attribute %s of <%s> is given twice", name, row.name)
		}
		attrs[name] = a.Value
		if name == "rate" && p.timed > 0 {
			continue // overlooked, whatever it says, as the guide's own example shows
		}
		if !allowed.values.allow(a.Value) {
			return nil, p.fail(at, row.name, name, "attribute %s of <%s> is %s; allowed is %s", name, row.name, quoted(a.Value), allowed.values)
		}
	}
	return attrs, p.needed(row, attrs, at)
}

// needed checks the attributes that must be there, and those that need another.
func (p *parser) needed(row *tag, attrs map[string]string, at int) error {
	for _, a := range row.attributes {
		if _, ok := attrs[a.name]; a.required && !ok {
			return p.fail(at, row.name, a.name, "<%s> needs the attribute %s; allowed is %s", row.name, a.name, a.values)
		}
	}
	if row.needsOne && len(attrs) == 0 {
		return p.fail(at, row.name, "", "<%s> needs at least one of the attributes %s", row.name, row.attributeNames())
	}
	if _, ok := attrs["format"]; ok && attrs["interpret-as"] != "date" {
		return p.fail(at, row.name, "format", `attribute format of <%s> is allowed only with interpret-as="date"`, row.name)
	}
	return nil
}

func (p *parser) end(name string, at int) error {
	if len(p.open) == 0 {
		return p.fail(at, name, "", "%s is closed but was never opened", angled(name))
	}
	top := p.top()
	if top.tag.name != name {
		line, column := position(p.text, top.at)
		return p.fail(at, name, "", "%s is closed here, but <%s> of line %d, column %d is still open", angled(name), top.tag.name, line, column)
	}
	if p.timed == len(p.open) {
		p.timed = 0
		if n := p.bill - top.bill; n > MaxTimedCharacters {
			return p.fail(top.at, name, "amazon:max-duration", "<prosody amazon:max-duration> holds %d characters of text; at most %d are allowed", n, MaxTimedCharacters)
		}
	}
	p.open = p.open[:len(p.open)-1]
	p.steps = append(p.steps, step{close: name})
	return nil
}

func (p *parser) chars(text string, at int) error {
	blank := strings.TrimSpace(text) == ""
	switch {
	case len(p.open) == 0 && blank:
		return nil
	case len(p.open) == 0:
		return p.fail(at, "", "", "the text %s stands outside of <speak>; everything must be inside it", quoted(strings.TrimSpace(text)))
	case p.top().tag.content == nothing && !blank:
		name := p.top().tag.name
		return p.fail(at, name, "", "<%s> must be empty: write <%s/> and put the text behind it", name, name)
	}
	p.bill += utf8.RuneCountInString(text)
	p.steps = append(p.steps, step{text: text})
	return nil
}

func (p *parser) finish(at int) (*Document, error) {
	if !p.rooted {
		return nil, p.fail(at, "speak", "", "the document has no root; everything must be inside <speak>…</speak>")
	}
	if len(p.open) > 0 {
		top := p.top()
		return nil, p.fail(top.at, top.tag.name, "", "<%s> is never closed; write </%s>", top.tag.name, top.tag.name)
	}
	return &Document{Billable: p.bill, Total: utf8.RuneCountInString(p.text), steps: p.steps}, nil
}

func (p *parser) notWellFormed(err error) error {
	at := int(p.dec.InputOffset())
	syntax, ok := errors.AsType[*xml.SyntaxError](err)
	if !ok { // the XML declaration
		return p.fail(at, "", "", "the document must be XML 1.0 in UTF-8 (%s)", clip(err.Error()))
	}
	return p.fail(at, "", "", "the document is not well-formed XML (%s); write & as &amp;, < as &lt;, > as &gt;, and close every tag", clip(syntax.Msg))
}

// clip cuts what the decoder repeats of the document.
func clip(s string) string {
	q := quoted(s)
	return strings.Trim(q, `"`)
}
