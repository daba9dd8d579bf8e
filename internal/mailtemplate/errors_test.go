package mailtemplate_test

import (
	"errors"
	"strings"
	"testing"

	"tidings/internal/mailtemplate"
)

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"{{x":                                   `line 1: a tag is not closed with "}}"`,
		"a\nb\n{{{x}}":                          `line 3: a tag is not closed with "}}}"`,
		"{{}}":                                  "line 1: a name is missing",
		"{{#if}}{{/if}}":                        "line 1: if takes 1 parameters, not 0",
		"{{#if a b}}{{/if}}":                    "line 1: if takes 1 parameters, not 2",
		"{{#if a}}":                             `line 1: the block "if" is never closed`,
		"{{#if a}}{{else}}{{else}}{{/if}}":      `line 1: the block "if" has a second {{else}}`,
		"{{#if a}}\n{{/each}}":                  `line 2: {{/each}} closes the block "if"`,
		"{{/if}}":                               "line 1: {{/if}} closes a block that was not opened",
		"{{else}}":                              "line 1: {{else}} stands in no block",
		"{{^a}}{{else if b}}{{/a}}":             "line 1: {{else x}} cannot stand in an inverse block",
		"{{helper a}}":                          `line 1: there is no helper "helper"`,
		"{{#helper a}}{{/helper}}":              `line 1: there is no helper "helper"`,
		"{{#if (helper a)}}{{/if}}":             `line 1: there is no helper "helper"`,
		"{{lookup a}}":                          "line 1: lookup takes 2 parameters, not 1",
		"{{! x":                                 "line 1: a comment is never closed",
		"{{!-- x }}":                            "line 1: a comment is never closed",
		"{{a.}}":                                `line 1: a name cannot begin at ""`,
		"{{a b=}}":                              "line 1: a name is missing",
		"{{a.../b}}":                            `line 1: ".." cannot stand inside a path`,
		"{{'x}}":                                `line 1: a tag is not closed with "}}"`,
		"{{[x}}":                                `line 1: a tag is not closed with "}}"`,
		"{{(a}}":                                "line 1: a parenthesis is never closed",
		"{{a)}}":                                `line 1: nothing can stand at ")"`,
		"{{a as |b|}}":                          `line 1: nothing can stand at "as |b|"`,
		"{{#each a as |b}}{{/each}}":            "line 1: block parameters are written as |name|",
		"{{lookup a=1 b}}":                      `line 1: "b" stands behind name=value`,
		"{{@}}":                                 `line 1: a name cannot begin at ""`,
		"{{@this}}":                             "line 1: a name is missing behind @",
		"{{> }}":                                "line 1: a name is missing",
		"{{> a b c}}":                           "line 1: a partial takes one context",
		"{{#> layout}}{{/layout}}":              `line 1: a name cannot begin at "> layout"`,
		"{{#* inline}}{{/inline}}":              `line 1: a partial is defined as {{#* inline "name"}}`,
		"{{#* inline x}}{{/inline}}":            "line 1: the name of an inline partial is a string",
		`{{#* inline "x"}}`:                     `line 1: the block "inline" is never closed`,
		"{{{{raw}}}}{{{{/raw}}}}":               "line 1: raw blocks ({{{{ }}}}) are not supported",
		"{{" + strings.Repeat("a", 2000) + "}}": "line 1: a name has more than 1000 bytes",
	} {
		err := mailtemplate.Check(text)
		bad, ok := errors.AsType[*mailtemplate.SyntaxError](err)
		if !ok || bad.Error() != want {
			t.Errorf("Check(%.60q) = %v, want %q", text, err, want)
		}
	}
}

func TestParseWithinBounds(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"length":      strings.Repeat("x", mailtemplate.MaxTemplate+1),
		"blocks":      strings.Repeat("{{#a}}", 100_000),
		"chain":       "{{#if a}}" + strings.Repeat("{{else if a}}", 1000) + "{{/if}}",
		"parentheses": "{{#if " + strings.Repeat("(lookup a ", 100_000),
		"partials":    strings.Repeat(`{{#* inline "a"}}`, 1000),
	} {
		if err := mailtemplate.Check(text); err == nil {
			t.Errorf("%s: Check = nil, want an error", name)
		}
	}
}

func TestRenderMissing(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"{{x}}":                                "x",
		"{{a.b.c}}":                            "a.b.c",
		"{{a.x.y}}":                            "a.x.y",
		"{{this.x}}":                           "this.x",
		"{{#if x}}{{else}}{{y}}{{/if}}":        "y",
		"{{#each list}}{{./x}}{{/each}}":       "./x",
		"{{#with a}}{{../b}}{{/with}}":         "../b",
		"{{lookup a 'q'}}":                     "a.q",
		"{{list.7}}":                           "list.7",
		"{{@index}}":                           "@index",
		"{{#each list}}{{@other}}{{/each}}":    "@other",
		"{{../x}}":                             "../x",
		`{{#*inline "p"}}{{/inline}}{{> p q}}`: "q",
		"{{text.length}}":                      "text.length",
	} {
		got, err := mailtemplate.Render(text, `{"a":{"b":{}},"list":[1],"text":"t"}`)
		missing, ok := errors.AsType[*mailtemplate.MissingError](err)
		if !ok || missing.Name != want {
			t.Errorf("Render(%q) = %q, %v, want %q to be missing", text, got, err, want)
		}
		if ok && missing.Error() != "Attribute '"+want+"' is not present in the rendering data." {
			t.Errorf("Error() = %q", missing.Error())
		}
	}
}

func TestRenderBadData(t *testing.T) {
	t.Parallel()
	for _, data := range []string{
		"{", "[]", `"x"`, "null", `{"a":1} x`, `{"a":1}{}`, `{a:1}`, `{"a":01}`, `{"a":}`, "\x00",
		`{"a":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + "}", `{"a":` + strings.Repeat("1", 2000) + "}",
	} {
		got, err := mailtemplate.Render("x", data)
		if _, ok := errors.AsType[*mailtemplate.DataError](err); !ok {
			t.Errorf("Render with %.40q = %q, %v, want a DataError", data, got, err)
		}
	}
	if got, err := mailtemplate.Render("x", " \n"); err != nil || got != "x" {
		t.Errorf("Render without data = %q, %v, want x", got, err)
	}
}

// TestRenderWithinBounds renders what would take forever or fill the memory.
func TestRenderWithinBounds(t *testing.T) {
	t.Parallel()
	list := `"l":[` + strings.Repeat("1,", 999) + "1]"
	for name, c := range map[string]struct{ text, data string }{
		"loops":               {strings.Repeat("{{#each l}}", 5) + strings.Repeat("{{/each}}", 5), "{" + list + "}"},
		"loops that write":    {strings.Repeat("{{#each l}}", 3) + strings.Repeat("x", 500_000) + strings.Repeat("{{/each}}", 3), "{" + list + "}"},
		"lists that write":    {"{{#each l}}{{#each l}}{{l}}{{/each}}{{/each}}", "{" + list + "}"},
		"endless partial":     {`{{#*inline "p"}}{{> p}}{{/inline}}{{> p}}`, ""},
		"partials that grow":  {`{{#*inline "p"}}{{> p}}{{> p}}{{/inline}}{{> p}}`, ""},
		"doubling":            {partials(40), ""},
		"indented":            {"{{#*inline \"p\"}}\nx\n  {{> p}}\n{{/inline}}\n{{> p}}\n", ""},
		"no such partial":     {"{{> p}}", ""},
		"partial of a name":   {`{{#*inline "p"}}{{/inline}}{{> (lookup . "x")}}`, `{"x":"q"}`},
		"names and the depth": {strings.Repeat("{{#each l}}", 6) + "{{#if nothing}}{{/if}}" + strings.Repeat("{{/each}}", 6), "{" + list + "}"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := mailtemplate.Render(c.text, c.data)
			if _, ok := errors.AsType[*mailtemplate.RenderError](err); !ok {
				t.Errorf("Render = %d bytes, %v, want a RenderError", len(got), err)
			}
		})
	}
}

// partials makes a template each of whose partials calls the next one twice.
func partials(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(`{{#*inline "p` + strings.Repeat("i", i) + `"}}{{> p` + strings.Repeat("i", i+1) + `}}{{> p` + strings.Repeat("i", i+1) + `}}{{/inline}}`)
	}
	return b.String() + `{{#*inline "p` + strings.Repeat("i", n) + `"}}x{{/inline}}{{> p}}`
}

func TestDataOver(t *testing.T) {
	t.Parallel()
	base, err := mailtemplate.ParseData(`{"a":1,"b":{"x":1},"c":3}`)
	if err != nil {
		t.Fatalf("ParseData = %v", err)
	}
	own, err := mailtemplate.ParseData(`{"b":{"y":2},"d":4}`)
	if err != nil {
		t.Fatalf("ParseData = %v", err)
	}
	page, err := mailtemplate.Parse("{{#each this}}{{@key}}{{#if this.y}}!{{/if}}{{#if this.x}}?{{/if}}{{/each}}")
	if err != nil {
		t.Fatalf("Parse = %v", err)
	}
	for _, c := range []struct {
		data mailtemplate.Data
		want string
	}{{own.Over(base), "ab!cd"}, {base.Over(own), "b?dac"}, {own.Over(mailtemplate.Data{}), "b!d"}, {mailtemplate.Data{}.Over(base), "ab?c"}} {
		if got, err := page.Render(c.data); err != nil || got != c.want {
			t.Errorf("Render = %q, %v, want %q", got, err, c.want)
		}
	}
}

func TestCache(t *testing.T) {
	t.Parallel()
	c := mailtemplate.Cache{Bytes: 30}
	first, err := c.Parse("0123456789")
	if err != nil {
		t.Fatalf("Parse = %v", err)
	}
	again := func(text string) *mailtemplate.Template {
		t.Helper()
		got, err := c.Parse(text)
		if err != nil {
			t.Fatalf("Parse(%q) = %v", text, err)
		}
		return got
	}
	again("abcdefghij")
	if again("0123456789") != first {
		t.Error("Parse of a template that was just used parses it anew")
	}
	again("ABCDEFGHIJ")
	again("klmnopqrst") // pushes abcdefghij out
	if again("0123456789") != first {
		t.Error("Parse of the template used last but two parses it anew")
	}
	for range 3 {
		again("a template that is longer than all that is kept")
	}
	if again("0123456789") != first {
		t.Error("a template that is too large pushed others out")
	}
	if got, err := c.Parse("{{"); err == nil {
		t.Errorf("Parse of no template = %v, nil, want an error", got)
	}
}
