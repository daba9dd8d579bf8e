package mailtemplate_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/mailgun/raymond/v2"
	"pgregory.net/rapid"

	"tidings/internal/mailtemplate"
)

// templates draws templates whose meaning every Handlebars agrees on.
func templates(depth int) *rapid.Generator[string] {
	path := rapid.SampledFrom([]string{"a", "o.x", "o.y.z", "./a", "this.a", "[a b]", "list.[1]", "flag", "off", "n"})
	any := rapid.SampledFrom([]string{"a", "o", "o.x", "list", "flag", "off", "empty", "missing", "o.missing", "zero", "n"})
	return rapid.Custom(func(t *rapid.T) string {
		var b strings.Builder
		for range rapid.IntRange(0, 4).Draw(t, "nodes") {
			inner := func() string {
				if depth == 0 {
					return "."
				}
				return templates(depth-1).Draw(t, "inner")
			}
			switch rapid.IntRange(0, 9).Draw(t, "kind") {
			case 0:
				b.WriteString("{{{" + path.Draw(t, "path") + "}}}")
			case 1:
				b.WriteString("{{~{" + path.Draw(t, "path") + "}}}")
			case 2:
				b.WriteString("{{#if " + any.Draw(t, "if") + "}}" + inner() + "{{else}}" + inner() + "{{/if}}")
			case 3:
				b.WriteString("{{#unless " + any.Draw(t, "unless") + "~}}" + inner() + "{{/unless}}")
			case 4:
				b.WriteString("\n{{#if " + any.Draw(t, "if") + "}}\n" + inner() + "\n{{else if " + any.Draw(t, "else if") + "}}\n" + inner() + "\n{{/if}}\n")
			case 5:
				b.WriteString("{{#each " + rapid.SampledFrom([]string{"list", "empty"}).Draw(t, "each") + "}}{{{this}}}{{{@index}}}{{#if @first}}f{{/if}}{{#if @last}}l{{/if}}{{else}}" + inner() + "{{/each}}")
			case 6:
				b.WriteString("{{#with o}}{{{x}}}{{{../a}}}{{#with y}}{{{z}}}{{/with}}{{/with}}")
			case 7:
				b.WriteString("{{! comment }}{{!-- {{x}} --}}")
			default:
				b.WriteString(rapid.SampledFrom([]string{" ;", "\n", "text", "  \n", "<b>&</b>", ":}", "{ x"}).Draw(t, "text"))
			}
		}
		return b.String()
	})
}

// TestRenderAsAnother renders as another implementation of Handlebars does, where both are bound to agree.
func TestRenderAsAnother(t *testing.T) {
	t.Parallel()
	const data = `{"a":"A","o":{"x":"X","y":{"z":"Z"}},"a b":"AB","list":["p","q"],"flag":true,"off":false,"n":7,"empty":[],"zero":0}`
	var values map[string]any
	if err := json.Unmarshal([]byte(data), &values); err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		text := templates(2).Draw(t, "template")
		want, err := raymond.Render(text, values)
		if err != nil {
			t.Fatalf("the other one cannot render %q: %v", text, err)
		}
		got, err := mailtemplate.Render(text, data)
		if err != nil || got != want {
			t.Fatalf("Render(%q) = %q, %v, want %q", text, got, err, want)
		}
	})
}

func FuzzRender(f *testing.F) {
	f.Add("Hello {{contact.firstName}}!{{#each list}}{{@index}}{{/each}}", `{"contact":{"firstName":"A"},"list":[1,2]}`)
	f.Add(`{{#* inline "p"}}{{x}}{{/inline~}} {{> p o y="1"}}{{> (lookup . "q")}}`, `{"o":{"x":1},"q":"p"}`)
	f.Add("{{#if a}}\n{{else if b}}\n{{^}}{{/if}}{{~{x}~}}\\{{y}}", `{"x":[1,[2]]}`)
	f.Add("{{#each l as |v k|}}{{k}}{{../x}}{{/each}}{{!-- }} --}}{{[a b].c}}", `{"l":{"a":1}}`)
	f.Fuzz(func(t *testing.T, text, data string) {
		page, err := mailtemplate.Parse(text)
		if err != nil {
			if _, ok := errors.AsType[*mailtemplate.SyntaxError](err); !ok {
				t.Fatalf("Parse(%q) = %v, which is no SyntaxError", text, err)
			}
			return
		}
		d, err := mailtemplate.ParseData(data)
		if err != nil {
			if _, ok := errors.AsType[*mailtemplate.DataError](err); !ok {
				t.Fatalf("ParseData(%q) = %v, which is no DataError", data, err)
			}
			return
		}
		got, err := page.Render(d)
		_, missing := errors.AsType[*mailtemplate.MissingError](err)
		_, bound := errors.AsType[*mailtemplate.RenderError](err)
		switch {
		case err != nil && !missing && !bound:
			t.Fatalf("Render(%q, %q) = %v", text, data, err)
		case len(got) > mailtemplate.MaxOutput:
			t.Fatalf("Render(%q, %q) has %d bytes", text, data, len(got))
		case !strings.Contains(text, "{{") && got != text:
			t.Fatalf("Render(%q) = %q", text, got)
		}
		if again, err2 := page.Render(d); again != got || (err == nil) != (err2 == nil) {
			t.Fatalf("Render(%q, %q) = %q, %v the first time, and %q, %v the second", text, data, got, err, again, err2)
		}
	})
}

const newsletter = "<html><body><h1>Hello {{contact.firstName}} {{contact.lastName}}!</h1>\n{{#if subscription}}\n<ul>\n{{#each subscription}}\n<li>{{interest}}</li>\n{{/each}}\n</ul>\n{{else}}\n<p>None</p>\n{{/if}}\n</body></html>"

func BenchmarkRender(b *testing.B) {
	text := newsletter + strings.Repeat("<p>Some text of a newsletter.</p>\n", 200)
	var cache mailtemplate.Cache
	b.ReportAllocs()
	for b.Loop() {
		page, err := cache.Parse(text)
		if err != nil {
			b.Fatal(err)
		}
		data, err := mailtemplate.ParseData(`{"contact":{"firstName":"Anaya","lastName":"Iyengar"},"subscription":[{"interest":"Sports"},{"interest":"Travel"}]}`)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := page.Render(data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := mailtemplate.Parse(newsletter); err != nil {
			b.Fatal(err)
		}
	}
}
