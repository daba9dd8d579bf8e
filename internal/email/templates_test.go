package email

import (
	"bytes"
	"net/mail"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tidings/internal/fault"
	"tidings/internal/quota"
)

func TestTemplates(t *testing.T) {
	t.Parallel()
	h := newSvcHouse(t)
	one := svcGreeting()
	one.Tags = map[string]string{"a": "b"}
	svcTemplate(t, h, one)
	err := h.CreateTemplate(t.Context(), svcOwner, one)
	wantFault(t, "CreateTemplate again", err, fault.Exists, fault.EmailTemplate, "Template greeting already exists.")

	if err := h.UpdateTemplate(t.Context(), svcOwner, Template{Name: "greeting", Subject: "Bye"}); err != nil {
		t.Fatalf("UpdateTemplate = %v", err)
	}
	got, err := h.Template(t.Context(), svcOwner, "greeting")
	want := &Template{Name: "greeting", Subject: "Bye", Created: svcNoon, Tags: map[string]string{"a": "b"}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("Template = %v (-want +got):\n%s", err, diff)
	}
	svcTemplate(t, h, Template{Name: "second", Text: "x"})
	all, more, err := h.Templates(t.Context(), svcOwner, "", 1)
	if err != nil || len(all) != 1 || all[0].Name != "greeting" || !more {
		t.Errorf("Templates = %v, %v, %v, want the first and more", all, more, err)
	}
	for _, want := range []bool{true, false} {
		if had, err := h.DeleteTemplate(t.Context(), svcOwner, "greeting"); err != nil || had != want {
			t.Errorf("DeleteTemplate = %v, %v, want %v", had, err, want)
		}
	}
	err = h.UpdateTemplate(t.Context(), svcOwner, one)
	wantFault(t, "UpdateTemplate", err, fault.NotFound, fault.EmailTemplate, "Template greeting does not exist.")
	_, err = h.Template(t.Context(), svcOwner, "greeting")
	wantFault(t, "Template", err, fault.NotFound, fault.EmailTemplate, "Template greeting does not exist.")
}

func TestCreateTemplateRefuses(t *testing.T) {
	t.Parallel()
	h := newSvcHouse(t)
	long := strings.Repeat("x", 65)
	for _, tt := range []struct {
		name string
		one  Template
		text string
	}{
		{"no name", Template{Text: "x"}, `The name of a template has 1 to 64 characters, not "".`},
		{"long name", Template{Name: long, Text: "x"}, `The name of a template has 1 to 64 characters, not "` + long + `".`},
		{"control character", Template{Name: "a\nb", Text: "x"}, `The name of a template has 1 to 64 characters, not "a\nb".`},
		{"no parts", Template{Name: "a"}, "The template a has neither a subject nor a text nor an HTML part."},
		{"too large", Template{Name: "a", Text: strings.Repeat("x", 500<<10), Subject: "x"}, "The template a has more than 512000 bytes."},
		{"two lines", Template{Name: "a", Subject: "a\nb"}, "The subject of the template a has more than one line."},
		{"not UTF-8", Template{Name: "a", Text: "\xff"}, "The template a is not UTF-8."},
		{"bad syntax", Template{Name: "a", HTML: "{{/if}}"}, ""},
	} {
		err := h.CreateTemplate(t.Context(), svcOwner, tt.one)
		if tt.text == "" { // the parser's words
			tt.text = fault.From(err).Msg
			if !strings.HasPrefix(tt.text, "The template a is not valid: line 1: ") {
				t.Errorf("CreateTemplate with %s = %v", tt.name, err)
			}
		}
		wantFault(t, "CreateTemplate with "+tt.name, err, fault.Invalid, fault.EmailTemplate, tt.text)
		svcHas := len(h.registry.templates)
		if svcHas != 0 {
			t.Errorf("CreateTemplate with %s has stored %d", tt.name, svcHas)
		}
	}
	h.limit(quota.Production, map[quota.Name]int64{quota.EmailTemplates: 1})
	svcTemplate(t, h, Template{Name: "a", Text: strings.Repeat("x", 500<<10)})
	err := h.CreateTemplate(t.Context(), svcOwner, Template{Name: "b", Text: "x"})
	wantFault(t, "CreateTemplate", err, fault.LimitExceeded, fault.EmailTemplate, "An account has at most 1 templates.")
}

func TestRender(t *testing.T) {
	t.Parallel()
	h := newSvcHouse(t)
	svcTemplate(t, h, svcGreeting())
	got, err := h.Render(t.Context(), svcOwner, "greeting", `{"name":"Zoë","number":7}`)
	if err != nil {
		t.Fatalf("Render = %v", err)
	}
	msg, err := mail.ReadMessage(bytes.NewReader([]byte(got)))
	if err != nil || msg.Header.Get("From") != "" || msg.Header.Get("Date") == "" || !strings.HasPrefix(msg.Header.Get("Content-Type"), "multipart/alternative") {
		t.Errorf("Render = %v:\n%s\nwant a message of two parts without addresses", err, got)
	}
	if !strings.Contains(got, "Your number is 7.") || !strings.Contains(got, "<b>7</b>") {
		t.Errorf("Render =\n%s\nwant both parts filled", got)
	}
	_, err = h.Render(t.Context(), svcOwner, "greeting", `{"name":"x"}`)
	wantFault(t, "Render", err, fault.Invalid, fault.RenderingTag, "Attribute 'number' is not present in the rendering data.")
	_, err = h.Render(t.Context(), svcOwner, "greeting", `{`)
	if f := fault.From(err); f.Kind != fault.Invalid || f.Resource != fault.RenderingData || !strings.HasPrefix(f.Msg, "Template rendering data is invalid: ") {
		t.Errorf("Render = %v, want fault.RenderingData", err)
	}
	_, err = h.Render(t.Context(), svcOwner, "gone", `{}`)
	wantFault(t, "Render", err, fault.NotFound, fault.EmailTemplate, "Template gone does not exist.")
}
