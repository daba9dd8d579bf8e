// Package mailtemplate renders SES's templates: Handlebars with nested attributes, {{#each}}, {{#if}}, {{#unless}}, {{#with}},
// {{else}}, block parameters, lookup, comments, whitespace control and inline partials.
//
// It follows the language guide of Handlebars (handlebarsjs.com) as far as SES has it (SES Developer Guide, "Advanced email
// personalization"), with SES's two rules of its own: nothing is escaped, not even in HTML ("SES doesn't escape HTML content when
// rendering the HTML template for a message"), and an attribute that is missing from the data is an error and not an empty text.
// Names that a context lacks are looked for in those around it, as Mustache has it.
//
// A template is text that a stranger wrote, and so is its data. What a template can cost is bounded: by its size, how deep it
// nests, how many steps it takes and how much it writes. It has no way to files, to the environment or to the network.
package mailtemplate

import (
	"fmt"
)

// The bounds. Each is far above what a mail needs.
const (
	// MaxTemplate is how long the text of a template may be, in bytes. SES takes 500 KB for a stored template, both parts
	// together, and 1 MB for an inline one. Source: SES Developer Guide, "Using templates to send personalized email".
	MaxTemplate = 1 << 20
	// MaxOutput is how long the result may be, in bytes: as long as a message of SES version 1.
	// Source: SES Developer Guide, "Service quotas", Maximum message size.
	MaxOutput = 10 << 20
	maxSteps  = 2 << 20 // nodes that are rendered and names that are looked up, each as often as it is
	maxDepth  = 200     // blocks or parentheses in each other, links of an {{else if}} chain, levels of data
	maxName   = 1000    // bytes of a name in a template, or digits of a number in the data
)

// SyntaxError says why a text is not a template.
type SyntaxError struct {
	Line   int    // from 1
	Reason string // as in "the block \"if\" is never closed"
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Reason) }

// DataError says why a text is no data for a template.
type DataError struct{ Reason string }

func (e *DataError) Error() string { return e.Reason }

// MissingError names an attribute that a template wants and that its data lacks. Its text is SES's.
type MissingError struct{ Name string }

func (e *MissingError) Error() string {
	return fmt.Sprintf("Attribute '%s' is not present in the rendering data.", e.Name)
}

// RenderError says why a template cannot be rendered although its data lacks nothing: it writes too much, takes too many steps,
// or wants a partial that it does not define.
type RenderError struct{ Reason string }

func (e *RenderError) Error() string { return e.Reason }

// Template is a parsed template. It is safe for concurrent use. The zero value renders as "".
type Template struct {
	body program
	size int // of the text, in bytes
}

// Parse reads a template. It fails with a *SyntaxError.
func Parse(text string) (*Template, error) {
	if len(text) > MaxTemplate {
		return nil, &SyntaxError{Line: 1, Reason: fmt.Sprintf("a template has at most %d bytes, not %d", MaxTemplate, len(text))}
	}
	tags, err := scan(text)
	if err != nil {
		return nil, err
	}
	standalone(tags)
	p := parser{pieces: tags}
	body, err := p.program(0)
	if err != nil {
		return nil, err
	}
	if !p.done() {
		return nil, p.stray()
	}
	return &Template{body: body, size: len(text)}, nil
}

// Check reports whether the text is a template. It fails as Parse does.
func Check(text string) error {
	_, err := Parse(text)
	return err
}

// Render parses and renders in one go. It fails as Parse, ParseData and Template.Render do.
func Render(text, data string) (string, error) {
	t, err := Parse(text)
	if err != nil {
		return "", err
	}
	d, err := ParseData(data)
	if err != nil {
		return "", err
	}
	return t.Render(d)
}
