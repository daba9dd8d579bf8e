package email

import (
	"bytes"
	"context"
	"net/mail"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tidings/internal/fault"
	"tidings/internal/quota"
	"tidings/internal/tenant"
)

const svcRawMail = "From: \"Alice A.\" <alice@example.com>\nTo: bob@example.net,\n carol@example.net\nCc: dave@example.net\nBcc: eve@example.net\n" +
	"Return-Path: <bounces@example.com>\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\nDate: Mon, 1 Jan 2001 00:00:00 +0000\nMessage-ID: <mine@example.com>\n" +
	"X-SES-CONFIGURATION-SET: news\nX-SES-MESSAGE-TAGS: a=b, c=d\nX-Mailer: me\n\nHello.\n.\n"

func svcRaw(data string) Request {
	return Request{Operation: "SendRawEmail", Raw: &Raw{Data: []byte(data)}}
}

func TestSendRaw(t *testing.T) {
	t.Parallel()
	h := newSvcHouse(t)
	l := h.letter(t, svcRaw(svcRawMail))
	want := Message{
		ID: l.Message.ID, Tenant: svcOwner, Accepted: svcNoon,
		Source: `"Alice A." <alice@example.com>`, SourceARN: "arn:aws:ses:us-east-1:123456789012:identity/alice@example.com",
		Sender: "alice@example.com", ReturnPath: "bounces@example.com", Set: "news",
		Recipients: []string{"bob@example.net", "carol@example.net", "dave@example.net", "eve@example.net"},
		Tags: map[string][]string{
			"a": {"b"}, "c": {"d"}, "ses:operation": {"SendRawEmail"}, "ses:configuration-set": {"news"}, "ses:from-domain": {"example.com"},
		},
		Headers: []Header{
			{"From", `"Alice A." <alice@example.com>`},
			{"To", "bob@example.net, carol@example.net"},
			{"Cc", "dave@example.net"},
			{"Subject", "=?utf-8?q?Gr=C3=BC=C3=9Fe?="},
			{"Date", "Mon, 1 Jan 2001 00:00:00 +0000"},
			{"Message-ID", "<mine@example.com>"},
			{"X-Mailer", "me"},
		},
		Common: CommonHeaders{
			From: []string{"Alice A. <alice@example.com>"}, To: []string{"bob@example.net", "carol@example.net"}, Cc: []string{"dave@example.net"},
			Bcc: []string{"eve@example.net"}, ReturnPath: "bounces@example.com", Date: "Mon, 1 Jan 2001 00:00:00 +0000",
			Subject: "Grüße", MessageID: "<mine@example.com>",
		},
		Size: len(l.Raw),
	}
	if diff := cmp.Diff(want, l.Message); diff != "" {
		t.Errorf("message stored (-want +got):\n%s", diff)
	}
	const sent = "\r\nDate: Sun, 1 Mar 2026 12:00:00 +0000\r\nFrom: \"Alice A.\" <alice@example.com>\r\nTo: bob@example.net,\r\n carol@example.net\r\nCc: dave@example.net\r\n" +
		"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nX-Mailer: me\r\n\r\nHello.\r\n.\r\n"
	if want := "Message-ID: <" + l.Message.ID + "@mail.example>" + sent; string(l.Raw) != want {
		t.Errorf("sent is\n%q, want\n%q", l.Raw, want)
	}
}

func TestSendRawParametersGoFirst(t *testing.T) {
	t.Parallel()
	h := newSvcHouse(t)
	r := svcRaw("X-SES-SOURCE-ARN: nonsense\n" + svcRawMail)
	r.Set, r.Tags, r.From, r.ReturnPath = "other", []Tag{{"e", "f"}}, "owner@example.org", "path@example.org"
	r.FromARN = "arn:aws:ses:eu-west-1:999999999999:identity/example.com" // that of the From field
	r.Raw.Envelope = []string{"zoe@example.net"}
	m := h.letter(t, r).Message
	if m.Set != "other" || m.Sender != "owner@example.org" || m.ReturnPath != "path@example.org" || m.SourceARN != r.FromARN ||
		!slices.Equal(m.Recipients, []string{"zoe@example.net"}) || m.Tags["e"][0] != "f" || m.Tags["a"] != nil {
		t.Errorf("message = %+v, want what the parameters say", m)
	}
	if want := []string{"Alice A. <alice@example.com>"}; !slices.Equal(m.Common.From, want) {
		t.Errorf("common From = %q, want %q", m.Common.From, want)
	}
	r = svcRaw(svcRawMail)
	r.To, r.Bcc = []string{"yan@example.net"}, []string{"zoe@example.net"} // as SES version 2 has them
	if m := h.letter(t, r).Message; !slices.Equal(m.Recipients, []string{"yan@example.net", "zoe@example.net"}) {
		t.Errorf("recipients = %q, want those of the request", m.Recipients)
	}
}

func TestSendRawEmpty(t *testing.T) {
	t.Parallel()
	h := newSvcHouse(t)
	r := svcRaw("")
	r.From, r.Raw.Envelope = "alice@example.com", []string{"bob@example.net"}
	l := h.letter(t, r)
	m := l.Message
	if len(m.Headers) != 0 || m.Tags["ses:from-domain"] != nil {
		t.Errorf("headers %v, tags %v, want none of the header and no domain", m.Headers, m.Tags)
	}
	if diff := cmp.Diff(CommonHeaders{MessageID: m.ID}, m.Common); diff != "" {
		t.Errorf("common headers (-want +got):\n%s", diff)
	}
	sent, err := mail.ReadMessage(bytes.NewReader(l.Raw))
	if err != nil || sent.Header.Get("From") != "alice@example.com" {
		t.Errorf("ReadMessage of %q = %v, want a legal message", l.Raw, err)
	}
}

func TestSendRawChoosesTheSource(t *testing.T) {
	t.Parallel()
	h := newSvcHouse(t)
	for header, want := range map[string]string{
		"From: a@example.com":                                                          "a@example.com",
		"From: a@example.com, b@example.com":                                           "a@example.com",
		"From: a@example.com, b@example.com\nSender: C <c@example.com>":                "c@example.com",
		"From: a@example.com\nSender: c@example.com":                                   "a@example.com",
		"from: =?utf-8?q?=C3=84?= <a@example.com>":                                     "a@example.com",
		"From: a@example.com\nX-SES-FROM-ARN: " + identityARN(svcOwner, "example.com"): "a@example.com",
	} {
		if m := h.letter(t, svcRaw(header+"\nTo: x@example.net\n\n")).Message; m.Sender != want {
			t.Errorf("sender of %q = %q, want %q", header, m.Sender, want)
		}
	}
}

func TestSendRawRefuses(t *testing.T) {
	t.Parallel()
	const from, to = "From: a@example.com\n", "To: b@example.net\n"
	parts := "Content-Type: multipart/mixed; boundary=x\n\n" + strings.Repeat("--x\n\n.\n", 500) + "--x--\n"
	for _, tt := range []struct{ name, data, text string }{
		{"no From", to + "\n.", "Missing required header 'From'."},
		{"empty From", "From: \n" + to + "\n.", "Missing required header 'From'."},
		{"no To", from + "\n.", "Missing required header 'To'."},
		{"nothing at all", "", "Missing required header 'From'."},
		{"no header", "\nhello", "Missing required header 'From'."},
		{"two From", from + from + to + "\n.", "Duplicate header 'From'."},
		{"two subjects", from + to + "Subject: a\nsubject: b\n\n.", "Duplicate header 'subject'."},
		{"bad From", "From: nobody\n" + to + "\n.", "Missing final '@domain'"},
		{"bad To", from + "To: carol\n\n.", "Missing final '@domain'"},
		{"no field", from + to + "what is this\n\n.", `The line "what is this" of the header is no field.`},
		{"bad tag", from + to + "X-SES-Message-Tags: a=b, c\n\n.", "The tag value must be specified."},
		{"too many parts", from + to + parts, "The message has more than 500 MIME parts."},
		{"recipients", from + "To: " + strings.Repeat("a@example.net, ", 50) + "b@example.net\n\n.", "Recipient count exceeds 50."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newSvcHouse(t)
			_, err := h.Send(t.Context(), svcOwner, svcRaw(tt.data))
			wantFault(t, "Send", err, fault.Invalid, fault.EmailParameter, tt.text)
			if n := len(h.spool.all()); n != 0 {
				t.Errorf("%d mails were stored, want none", n)
			}
		})
	}
	h := newSvcHouse(t)
	_, err := h.Send(t.Context(), svcOwner, svcRaw(from+to+"X-SES-Configuration-Set: gone\n\n."))
	wantFault(t, "Send with a set in the header", err, fault.NotFound, fault.ConfigurationSet, "Configuration set <gone> does not exist.")
	h.Senders = VerifiedSenders
	r := svcRaw("From: a@example.com, b@example.com\nSender: c@example.com\n" + to + "\n.")
	r.From = "d@example.com"
	_, err = h.Send(t.Context(), svcOwner, r)
	wantFault(t, "Send of nobody verified", err, fault.Invalid, fault.EmailMessage,
		"Email address is not verified. The following identities failed the check in region US-EAST-1: d@example.com, a@example.com, b@example.com, c@example.com")
}

// FuzzSendRaw holds raw messages to the promise: a fault and nothing stored, or a message that can be read and has lost what only the server
// may know.
func FuzzSendRaw(f *testing.F) {
	f.Add([]byte(svcRawMail), "", "")
	f.Add([]byte(""), "alice@example.com", "bob@example.net")
	f.Add([]byte("From: a@b.c\r\nTo: d@e.f\r\n\r\n\r\n.\r\n"), "", "")
	f.Add([]byte("From: a@b.c\nx-ses-message-tags: a=b\nBcc : q@e.f\nTo: d@e.f\n folded"), "", "")
	f.Fuzz(func(t *testing.T, data []byte, from, to string) {
		h := newSvcHouse(t)
		h.limit(quota.Off, nil)
		r := svcRaw(string(data))
		if r.From = from; to != "" {
			r.Raw.Envelope = []string{to}
		}
		svcPromise(t, h, r, svcOwner)
	})
}

// svcPromise sends, and holds what is stored to what was asked for.
func svcPromise(tb interface {
	Helper()
	Context() context.Context
	Fatalf(format string, args ...any)
}, h *svcHouse, r Request, owner tenant.Tenant,
) {
	tb.Helper()
	id, err := h.Send(tb.Context(), owner, r)
	all := h.spool.all()
	if err != nil {
		if fault.From(err).Kind == fault.Internal {
			tb.Fatalf("Send(%+v) = %v, want a fault or nothing", r, err)
		}
		if len(all) != 0 || id != "" {
			tb.Fatalf("Send(%+v) = %q, %v, and stored %d letters", r, id, err, len(all))
		}
		return
	}
	if len(all) != 1 || all[0].Message.ID != id {
		tb.Fatalf("Send(%+v) = %q, and stored %+v", r, id, all)
	}
	l := all[0]
	if (l.Message.Failure == "") != (len(l.Raw) > 0) || l.Message.Size != len(l.Raw) || len(l.Message.Recipients) == 0 {
		tb.Fatalf("stored %+v with %d bytes", l.Message, len(l.Raw))
	}
	for _, one := range l.Message.Recipients {
		if _, err := bareAddress(one); err != nil || strings.ContainsAny(one, "\r\n\x00") {
			tb.Fatalf("recipient %q is no address: %v", one, err)
		}
	}
	if l.Message.Failure != "" {
		return
	}
	svcReads(tb.Fatalf, l)
}

// svcReads holds a stored message to what every server expects of one.
func svcReads(fatalf func(format string, args ...any), l Letter) {
	head, _, _ := bytes.Cut(l.Raw, []byte("\r\n\r\n"))
	for i, c := range l.Raw {
		if c == '\n' && (i == 0 || l.Raw[i-1] != '\r') || c == '\r' && (i+1 == len(l.Raw) || l.Raw[i+1] != '\n') {
			fatalf("a line end stands alone at %d of %q", i, l.Raw)
		}
	}
	ids := 0
	for line := range strings.SplitSeq(string(head), "\r\n") {
		name, _, _ := strings.Cut(strings.ToLower(line), ":")
		switch name = strings.TrimRight(name, " \t"); {
		case strings.HasPrefix(name, "x-ses-"), name == "bcc", name == "return-path":
			fatalf("the message still has %q", line)
		case name == "message-id":
			ids++
			if line != "Message-ID: <"+l.Message.ID+"@mail.example>" {
				fatalf("the message has %q, its ID is %s", line, l.Message.ID)
			}
		}
	}
	if ids != 1 {
		fatalf("the message has %d IDs:\n%s", ids, head)
	}
}
