package mailtemplate_test

import (
	"testing"

	"tidings/internal/mailtemplate"
)

// guide is the data of the SES Developer Guide's page on advanced personalization.
const guide = `{"meta":{"userId":"51806220607"},"contact":{"firstName":"Anaya","lastName":"Iyengar","city":"Bengaluru","country":"India","postalCode":"560052"},
"subscription":[{"interest":"Sports"},{"interest":"Travel"},{"interest":"Cooking"}],"n":0,"price":10.50,"yes":true,"no":false,"nothing":null,"empty":[],
"list":["a","b"],"object":{"z":1,"a":2},"a b":"spaced","nested":[[1,[2]],[3]]}`

func TestRender(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"plain":                 {"no tags", "no tags"},
		"nested":                {"Hello {{contact.firstName}}!", "Hello Anaya!"},
		"slash":                 {"{{contact/firstName}}", "Anaya"},
		"bracket":               {"{{[a b]}} {{this.[a b]}}", "spaced spaced"},
		"triple and amp":        {"{{{contact.city}}} {{&contact.city}} {{~{contact.city}~}} x", "Bengaluru BengaluruBengalurux"},
		"numbers as written":    {"{{price}} {{n}}", "10.50 0"},
		"booleans, null":        {"{{yes}} {{no}} [{{nothing}}]", "true false []"},
		"list, object":          {"{{list}} {{object}} {{nested}}", "a,b [object Object] 1,2,3"},
		"each":                  {"{{#each subscription}}<li>{{interest}}</li>{{/each}}", "<li>Sports</li><li>Travel</li><li>Cooking</li>"},
		"each this":             {"{{#each list}}{{@index}}{{this}}{{#if @last}}.{{else}},{{/if}}{{/each}}", "0a,1b."},
		"each object in order":  {"{{#each object}}{{@key}}={{this}}{{#unless @last}};{{/unless}}{{/each}}", "z=1;a=2"},
		"each else":             {"{{#each empty}}x{{else}}none{{/each}}", "none"},
		"each missing":          {"{{#each missing}}x{{else}}none{{/each}}", "none"},
		"each parent":           {"{{#each list}}{{../price}}{{price}}{{@root.n}}{{/each}}", "10.5010.50010.5010.500"},
		"each params":           {"{{#each list as |v k|}}{{k}}{{v}}{{/each}}", "0a1b"},
		"each in each":          {"{{#each nested}}{{#each this}}{{@../index}}{{@index}} {{/each}}{{/each}}", "00 01 10 "},
		"if missing":            {"{{#if missing}}x{{else}}y{{/if}}", "y"},
		"if else if":            {"{{#if no}}a{{else if yes}}b{{else}}c{{/if}}", "b"},
		"if else if, last":      {"{{#if no}}a{{else if missing}}b{{else}}c{{/if}}", "c"},
		"if zero":               {"{{#if n}}a{{else}}b{{/if}}{{#if n includeZero=true}}a{{/if}}", "ba"},
		"unless":                {"{{#unless missing.deep}}a{{/unless}}", "a"},
		"with":                  {"{{#with contact}}{{city}}, {{n}}{{/with}}", "Bengaluru, 0"},
		"with as":               {"{{#with contact as |c|}}{{c.city}}{{/with}}", "Bengaluru"},
		"section":               {"{{#contact}}{{city}}{{/contact}}{{#list}}{{.}}{{/list}}{{^no}}!{{/no}}{{#yes}}?{{/yes}}", "Bengaluruab!?"},
		"inverse":               {"{{^yes}}a{{else}}b{{/yes}}{{#no}}a{{^}}b{{/no}}", "bb"},
		"lookup":                {"{{lookup contact 'city'}} {{lookup (lookup nested 1) 0}}", "Bengaluru 3"},
		"length":                {"{{list.length}} {{list.1}}", "2 b"},
		"comments":              {"a{{! one }}b{{!-- {{two}} --}}c", "abc"},
		"escaped tag":           {`\{{x}} \\{{n}}`, `{{x}} \0`},
		"whitespace":            {"a  {{~n~}}  b", "a0b"},
		"standalone lines":      {"a\n  {{#if yes}}\nb\n  {{else}}\nc\n{{/if}}\nd", "a\nb\nd"},
		"standalone CRLF":       {"a\r\n{{#if yes}}\r\nb\r\n{{/if}}\r\nd", "a\r\nb\r\nd"},
		"not alone":             {"{{#if yes}} b {{/if}}", " b "},
		"partial":               {`{{#* inline "fullName"}}{{firstName}}{{#if lastName}} {{lastName}}{{/if}}{{/inline~}}` + "\n" + `{{#with contact}}Hello {{> fullName}}!{{/with}}`, "Hello Anaya Iyengar!"},
		"partial with context":  {`{{#*inline "p"}}{{city}}{{x}}{{/inline}}{{> p contact x="!"}}`, "Bengaluru!"},
		"partial by name":       {`{{#*inline "p"}}1{{/inline}}{{> (lookup . "which")}}`, "1"},
		"partial is indented":   {"{{#*inline \"p\"}}\na\nb\n{{/inline}}\n  {{> p}}\nc", "  a\n  b\nc"},
		"tag of SES stays":      {"{{ses:openTracker}} {{amazonSESUnsubscribeUrl}}", "{{ses:openTracker}} {{amazonSESUnsubscribeUrl}}"},
		"nothing is escaped":    {"{{html}}", "<b>&\"</b>"},
		"line ends within tags": {"{{#if\r\n yes}}a{{/if}}", "a"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := guide[:len(guide)-1] + `,"which":"p","html":"<b>&\"</b>"}`
			got, err := mailtemplate.Render(c.text, data)
			if err != nil || got != c.want {
				t.Errorf("Render(%q) = %q, %v, want %q", c.text, got, err, c.want)
			}
		})
	}
}
