package email

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"tidings/internal/fault"
	"tidings/internal/quota"
)

// svcTemplate stores a template.
func svcTemplate(tb testing.TB, h *svcHouse, one Template) {
	tb.Helper()
	if err := h.CreateTemplate(tb.Context(), svcOwner, one); err != nil {
		tb.Fatalf("CreateTemplate(%+v) = %v", one, err)
	}
}

func svcGreeting() Template {
	return Template{Name: "greeting", Subject: "Hello {{name}}", Text: "Your number is {{number}}.", HTML: "<b>{{number}}</b>"}
}

func TestSendTemplated(t *testing.T) {
	t.Parallel()
	h := newSvcHouse(t)
	svcTemplate(t, h, svcGreeting())
	r := svcSimple()
	r.Operation, r.Simple = "SendTemplatedEmail", nil
	r.Templated = &Templated{Name: "greeting", Data: `{"name":"Zoë\nBcc: eve@example.net","number":7}`}
	l := h.letter(t, r)
	if l.Message.Template != "greeting" || l.Message.Failure != "" || l.Message.Common.Subject != "Hello Zoë Bcc: eve@example.net" {
		t.Errorf("message = %+v, want the template and its subject on one line", l.Message)
	}
	for _, want := range []string{"Your number is 7.", "<b>7</b>"} {
		if !bytes.Contains(l.Raw, []byte(want)) {
			t.Errorf("the message lacks %q:\n%s", want, l.Raw)
		}
	}
	if bytes.Contains(l.Raw, []byte("\r\nBcc:")) {
		t.Errorf("the data has added a field:\n%s", l.Raw)
	}

	r.Templated = &Templated{Inline: &Template{Subject: "S", Text: "T {{x}}"}, Data: `{"x":1}`}
	if l := h.letter(t, r); l.Message.Template != "" || !bytes.Contains(l.Raw, []byte("T 1")) {
		t.Errorf("inline template: %+v\n%s", l.Message, l.Raw)
	}
}

func TestSendTemplatedFailsLater(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		content Templated
		want    string
	}{
		{"attribute missing", Templated{Name: "greeting", Data: `{"name":"x"}`}, "Attribute 'number' is not present in the rendering data."},
		{"data is no object", Templated{Name: "greeting", Data: `[1]`}, "Template rendering data is invalid: "},
		{"data is no JSON", Templated{Name: "greeting", Data: `{`}, "Template rendering data is invalid: "},
		{"bad syntax", Templated{Inline: &Template{Text: "{{#if x}}"}}, "The template cannot be rendered: line 1: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newSvcHouse(t)
			svcTemplate(t, h, svcGreeting())
			r := svcSimple()
			r.Simple, r.Templated = nil, &tt.content
			l := h.letter(t, r)
			if !strings.HasPrefix(l.Message.Failure, tt.want) || len(l.Raw) != 0 || len(l.Message.Headers) != 0 {
				t.Errorf("failure %q with %d bytes, want %q and none", l.Message.Failure, len(l.Raw), tt.want)
			}
		})
	}
}

func TestSendTemplatedRefuses(t *testing.T) {
	t.Parallel()
	h := newSvcHouse(t)
	r := svcSimple()
	r.Simple, r.Templated = nil, &Templated{Name: "gone"}
	_, err := h.Send(t.Context(), svcOwner, r)
	wantFault(t, "Send", err, fault.NotFound, fault.EmailTemplate, "Template gone does not exist.")
	r.Templated = &Templated{}
	_, err = h.Send(t.Context(), svcOwner, r)
	wantFault(t, "Send", err, fault.Invalid, fault.EmailParameter, "The template is missing.")
	r.Templated = &Templated{Inline: &Template{Text: "x"}, Data: `{"x":"` + strings.Repeat("x", mostData) + `"}`}
	_, err = h.Send(t.Context(), svcOwner, r)
	wantFault(t, "Send", err, fault.Invalid, fault.EmailParameter, "The data of a template has at most 262144 characters.")
}

func svcBulk(entries ...BulkEntry) Bulk {
	b := Bulk{Request: svcSimple(), Entries: entries}
	b.Operation, b.To, b.Simple = "SendBulkTemplatedEmail", nil, nil
	b.Templated = &Templated{Name: "greeting", Data: `{"name":"you","number":0}`}
	b.Tags = []Tag{{"default", "1"}}
	return b
}

func TestSendBulk(t *testing.T) {
	t.Parallel()
	h := newSvcHouse(t)
	svcTemplate(t, h, svcGreeting())
	b := svcBulk(
		BulkEntry{To: []string{"a@example.net"}, Data: `{"number":1}`},
		BulkEntry{To: []string{"b"}},
		BulkEntry{Cc: []string{"c@example.net"}, Tags: []Tag{{"own", "2"}}, Headers: []Header{{"X-Own", "3"}}},
		BulkEntry{To: []string{"d@example.net"}, Tags: []Tag{{"a b", "2"}}},
		BulkEntry{To: []string{"e@example.net"}, Data: `{`},
		BulkEntry{},
	)
	results, err := h.SendBulk(t.Context(), svcOwner, b)
	if err != nil || len(results) != 6 {
		t.Fatalf("SendBulk = %v, %v", results, err)
	}
	wantFault(t, "entry 1", results[1].Err, fault.Invalid, fault.EmailParameter, "Missing final '@domain'")
	wantFault(t, "entry 3", results[3].Err, fault.Invalid, fault.EmailParameter, "Invalid tag name <a b>: only alphanumeric ASCII characters, '_',  '-' are allowed.")
	wantFault(t, "entry 5", results[5].Err, fault.Invalid, fault.EmailParameter, "The message has no recipients.")
	stored := h.spool.all()
	if len(stored) != 3 || h.spool.puts != 1 {
		t.Fatalf("%d letters in %d puts, want 3 in one", len(stored), h.spool.puts)
	}
	for i, entry := range []int{0, 2, 4} {
		if stored[i].Message.ID != results[entry].ID || results[entry].Err != nil {
			t.Errorf("entry %d = %+v, stored is %q", entry, results[entry], stored[i].Message.ID)
		}
	}
	if !bytes.Contains(stored[0].Raw, []byte("Subject: Hello you\r\n")) || !bytes.Contains(stored[0].Raw, []byte("number is 1.")) {
		t.Errorf("entry 0 = %s, want its data laid over the default", stored[0].Raw)
	}
	if !bytes.Contains(stored[1].Raw, []byte("number is 0.")) || !bytes.Contains(stored[1].Raw, []byte("X-Own: 3\r\n")) {
		t.Errorf("entry 2 = %s, want the default data and its own header", stored[1].Raw)
	}
	if tags := stored[1].Message.Tags; tags["own"] == nil || tags["default"] != nil {
		t.Errorf("tags of entry 2 = %v, want its own instead of the default", tags)
	}
	if tags := stored[0].Message.Tags; !slices.Equal(tags["default"], []string{"1"}) {
		t.Errorf("tags of entry 0 = %v, want the default", tags)
	}
	if stored[2].Message.Failure == "" {
		t.Error("entry 4 has no failure, want one for its data")
	}
}

func TestSendBulkRefuses(t *testing.T) {
	t.Parallel()
	one := BulkEntry{To: []string{"a@example.net"}}
	for _, tt := range []struct {
		name           string
		change         func(*svcHouse, *Bulk)
		kind           fault.Kind
		resource, text string
	}{
		{"no entries", func(_ *svcHouse, b *Bulk) { b.Entries = nil }, fault.Invalid, fault.EmailParameter, "A bulk has 1 to 50 destinations, not 0."},
		{"51 entries", func(_ *svcHouse, b *Bulk) { b.Entries = make([]BulkEntry, 51) }, fault.Invalid, fault.EmailParameter, "A bulk has 1 to 50 destinations, not 51."},
		{"no template", func(_ *svcHouse, b *Bulk) { b.Templated = nil }, fault.Invalid, fault.EmailParameter, "A bulk is made from a template."},
		{"unknown template", func(_ *svcHouse, b *Bulk) { b.Templated.Name = "gone" }, fault.NotFound, fault.EmailTemplate, "Template gone does not exist."},
		{"unknown set", func(_ *svcHouse, b *Bulk) { b.Set = "gone" }, fault.NotFound, fault.ConfigurationSet, "Configuration set <gone> does not exist."},
		{"paused set", func(_ *svcHouse, b *Bulk) { b.Set = "paused" }, fault.Denied, fault.SetSending, "Email sending is disabled for configuration set <paused>."},
		{"bad sender", func(_ *svcHouse, b *Bulk) { b.From = "x" }, fault.Invalid, fault.EmailParameter, "Missing final '@domain'"},
		{"bad default tag", func(_ *svcHouse, b *Bulk) { b.Tags[0].Value = "" }, fault.Invalid, fault.EmailParameter, "The tag value must be specified."},
		{
			"sender not verified", func(h *svcHouse, _ *Bulk) { h.Senders = VerifiedSenders }, fault.Invalid, fault.EmailMessage,
			"Email address is not verified. The following identities failed the check in region US-EAST-1: alice@example.com",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newSvcHouse(t)
			svcTemplate(t, h, svcGreeting())
			b := svcBulk(one)
			tt.change(h, &b)
			_, err := h.SendBulk(t.Context(), svcOwner, b)
			wantFault(t, "SendBulk", err, tt.kind, tt.resource, tt.text)
			if n := len(h.spool.all()); n != 0 {
				t.Errorf("%d mails were stored, want none", n)
			}
		})
	}
}

func TestSendBulkCountsEachEntry(t *testing.T) {
	t.Parallel()
	h := newSvcHouse(t)
	h.limit(quota.Production, map[quota.Name]int64{quota.EmailsPerDay: 2})
	svcTemplate(t, h, svcGreeting())
	one := BulkEntry{To: []string{"a@example.net"}}
	b := svcBulk(one, one, one)
	h.spool.err = fault.New(fault.Unavailable, "", "No room.")
	if _, err := h.SendBulk(t.Context(), svcOwner, b); !fault.Is(err, fault.Unavailable) {
		t.Fatalf("SendBulk = %v, want the spool's fault", err)
	}
	h.spool.err = nil
	results, err := h.SendBulk(t.Context(), svcOwner, b)
	if err != nil || results[0].Err != nil || results[1].Err != nil {
		t.Fatalf("SendBulk = %v, %v, want two that pass", results, err)
	}
	wantFault(t, "entry 2", results[2].Err, fault.Throttled, fault.SendingQuota, "Daily message quota exceeded.")
}
