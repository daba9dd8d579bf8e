package email

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"strings"
	"testing"

	"tidings/internal/fault"
)

func TestSendBounce(t *testing.T) {
	t.Parallel()
	h := newSvcHouse(t)
	original := svcSimple()
	original.ReturnPath = "path@example.com"
	sent := h.letter(t, original).Message

	id, err := h.SendBounce(t.Context(), svcOwner, BounceRequest{
		Original: "<" + sent.ID + "@mail.example>", Sender: "MAILER <mailer@example.net>", Explanation: "Nobody here, süß.", Set: "news",
		Recipients: []BouncedRecipient{
			{Recipient: "bob@example.net", Kind: "DoesNotExist"},
			{Recipient: "carol@example.net", Action: "delayed", Status: "4.2.2", Text: "550 full"},
			{Recipient: "dave@example.net", Kind: "ContentRejected", Status: "5.7.1"},
		},
	})
	if err != nil {
		t.Fatalf("SendBounce = %v", err)
	}
	all := h.spool.all()
	l := all[len(all)-1]
	m := l.Message
	if m.ID != id || m.Recipients[0] != "path@example.com" || m.Set != "news" || m.Sender != "mailer@example.net" ||
		m.Tags["ses:operation"][0] != "SendBounce" || m.Common.Subject != bounceSubject {
		t.Errorf("message = %+v, want a bounce to the return path", m)
	}
	text, report := svcReport(t, l.Raw)
	if text != "Nobody here, süß." {
		t.Errorf("explanation = %q", text)
	}
	const want = "Reporting-MTA: dns; mail.example\r\n" +
		"\r\nFinal-Recipient: rfc822; bob@example.net\r\nAction: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550 5.1.1 Mailbox does not exist\r\n" +
		"\r\nFinal-Recipient: rfc822; carol@example.net\r\nAction: delayed\r\nStatus: 4.2.2\r\nDiagnostic-Code: smtp; 550 full\r\n" +
		"\r\nFinal-Recipient: rfc822; dave@example.net\r\nAction: failed\r\nStatus: 5.7.1\r\n"
	if strings.TrimSpace(report) != strings.TrimSpace(want) {
		t.Errorf("report = %q, want %q", report, want)
	}
}

// svcReport takes a bounce message apart.
func svcReport(tb testing.TB, raw []byte) (text, report string) {
	tb.Helper()
	msg, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		tb.Fatalf("ReadMessage = %v", err)
	}
	kind, params, err := mime.ParseMediaType(msg.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/report" || params["report-type"] != "delivery-status" {
		tb.Fatalf("type = %s %v, %v", kind, params, err)
	}
	parts := multipart.NewReader(msg.Body, params["boundary"])
	for i, want := range []string{"text/plain; charset=UTF-8", "message/delivery-status"} {
		p, err := parts.NextRawPart()
		if err != nil || p.Header.Get("Content-Type") != want {
			tb.Fatalf("part %d = %v, %v, want %s", i, p, err, want)
		}
		body, err := io.ReadAll(p)
		if err != nil {
			tb.Fatalf("part %d: %v", i, err)
		}
		if i == 0 {
			plain, err := base64.StdEncoding.DecodeString(string(body))
			if err != nil {
				tb.Fatalf("explanation: %v", err)
			}
			text = string(plain)
			continue
		}
		report = string(body)
	}
	return text, report
}

func TestSendBounceTellsTheSender(t *testing.T) {
	t.Parallel()
	h := newSvcHouse(t)
	sent := h.letter(t, svcSimple()).Message
	_, err := h.SendBounce(t.Context(), svcOwner, BounceRequest{
		Original: sent.ID, Sender: "mailer@example.net", Recipients: []BouncedRecipient{{Recipient: "bob@example.net", Status: "5.2.1"}},
	})
	if err != nil {
		t.Fatalf("SendBounce = %v", err)
	}
	l := h.spool.all()[1]
	if l.Message.Recipients[0] != "alice@example.com" {
		t.Errorf("recipients = %q, want the sender, as there is no return path", l.Message.Recipients)
	}
	if text, report := svcReport(t, l.Raw); !strings.HasSuffix(text, "\nbob@example.net") || strings.Contains(report, "Diagnostic-Code") {
		t.Errorf("explanation %q and report %q, want the recipient named, and no diagnostic", text, report)
	}
}

func TestSendBounceRefuses(t *testing.T) {
	t.Parallel()
	h := newSvcHouse(t)
	sent := h.letter(t, svcSimple()).Message
	about := func(one BouncedRecipient) func(*BounceRequest) {
		return func(r *BounceRequest) { r.Recipients = []BouncedRecipient{one} }
	}
	for _, tt := range []struct {
		name     string
		change   func(*BounceRequest)
		resource string
		text     string
	}{
		{"no original", func(r *BounceRequest) { r.Original = "<>" }, fault.EmailParameter, "The ID of the original message is missing."},
		{
			"unknown original", func(r *BounceRequest) { r.Original = "<x@example.com>" }, fault.EmailMessage,
			"The original message <x> was not sent by this server, or is too old: whom to tell is not known.",
		},
		{"no sender", func(r *BounceRequest) { r.Sender = "" }, fault.EmailParameter, "Missing required header 'From'."},
		{"nobody", func(r *BounceRequest) { r.Recipients = nil }, fault.EmailParameter, "A bounce is about 1 to 50 recipients, not 0."},
		{"too many", func(r *BounceRequest) { r.Recipients = make([]BouncedRecipient, 51) }, fault.EmailParameter, "A bounce is about 1 to 50 recipients, not 51."},
		{"bad recipient", about(BouncedRecipient{Recipient: "bob", Kind: "Undefined"}), fault.EmailParameter, "Missing final '@domain'"},
		{"bad kind", about(BouncedRecipient{Recipient: "b@c.d", Kind: "Odd"}), fault.EmailParameter, `"Odd" is no type of bounce.`},
		{"nothing said", about(BouncedRecipient{Recipient: "b@c.d"}), fault.EmailParameter, "A bounced recipient needs a bounce type or a status."},
		{"bad action", about(BouncedRecipient{Recipient: "b@c.d", Status: "5.0.0", Action: "lost"}), fault.EmailParameter, `"lost" is no action of a bounce.`},
		{"bad status", about(BouncedRecipient{Recipient: "b@c.d", Status: "550"}), fault.EmailParameter, `"550" is no status code of a bounce.`},
		{
			"two lines", about(BouncedRecipient{Recipient: "b@c.d", Status: "5.0.0", Text: "a\r\nb"}), fault.EmailParameter,
			`A diagnostic has printable ASCII characters alone, unlike "smtp; a\r\nb".`,
		},
		{
			"too long", about(BouncedRecipient{Recipient: "b@c.d", Status: "5.0.0", Text: strings.Repeat("x", 1000)}), fault.EmailParameter,
			"A diagnostic has at most 900 characters.",
		},
	} {
		r := BounceRequest{Original: sent.ID, Sender: "mailer@example.net", Recipients: []BouncedRecipient{{Recipient: "bob@example.net", Kind: "Undefined"}}}
		tt.change(&r)
		_, err := h.SendBounce(t.Context(), svcOwner, r)
		wantFault(t, "SendBounce with "+tt.name, err, fault.Invalid, tt.resource, tt.text)
	}
	if n := len(h.spool.all()); n != 1 {
		t.Errorf("%d mails were stored, want the original alone", n)
	}
}
