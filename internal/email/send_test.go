package email

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tidings/internal/fault"
	"tidings/internal/mailmsg"
	"tidings/internal/quota"
	"tidings/internal/tenant"
)

func TestSendStoresTheMessage(t *testing.T) {
	t.Parallel()
	h := newSvcHouse(t)
	r := svcSimple()
	r.To, r.Cc, r.Bcc = []string{"Bob <bob@example.net>", "carol@example.net"}, []string{"BOB@example.net"}, []string{"dave@bücher.example"}
	r.ReplyTo, r.ReturnPath, r.Set = []string{"reply@example.com"}, "bounces@example.com", "news"
	r.Tags = []Tag{{"campaign", "spring"}, {"ses:feedback-id-a", "x"}}
	r.Headers = []Header{{"X-Shop", "42"}}
	r.Simple.HTML = &Text{Data: "<p>How are you?</p>"}
	l := h.letter(t, r)

	want := Message{
		ID: l.Message.ID, Tenant: svcOwner, Accepted: svcNoon,
		Source: "Alice <alice@example.com>", SourceARN: "arn:aws:ses:us-east-1:123456789012:identity/alice@example.com",
		Sender: "alice@example.com", ReturnPath: "bounces@example.com",
		Recipients: []string{"bob@example.net", "carol@example.net", "dave@xn--bcher-kva.example"}, Set: "news",
		Tags: map[string][]string{
			"campaign": {"spring"}, "ses:feedback-id-a": {"x"}, "ses:operation": {"SendEmail"}, "ses:configuration-set": {"news"},
			"ses:source-ip": {"192.0.2.1"}, "ses:from-domain": {"example.com"}, "ses:caller-identity": {"AKIAEXAMPLE"},
			"ses:source-tls-version": {"TLSv1.3"},
		},
		Common: CommonHeaders{
			From: []string{"Alice <alice@example.com>"}, ReplyTo: []string{"reply@example.com"},
			To: []string{"Bob <bob@example.net>", "carol@example.net"}, Cc: []string{"BOB@example.net"},
			ReturnPath: "bounces@example.com", Subject: "Hello", MessageID: l.Message.ID,
		},
		Size: len(l.Raw),
	}
	got := l.Message
	got.Headers = nil
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("message stored (-want +got):\n%s", diff)
	}
	var names []string
	for _, f := range l.Message.Headers {
		names = append(names, f.Name)
	}
	if want := []string{"From", "Reply-To", "To", "Cc", "Subject", "MIME-Version", "X-Shop", "Content-Type"}; !slices.Equal(names, want) {
		t.Errorf("headers of events are %v, want %v", names, want)
	}
	for _, want := range []string{
		"From: Alice <alice@example.com>\r\n", "Message-ID: <" + l.Message.ID + "@mail.example>\r\n", "Date: Sun, 1 Mar 2026 12:00:00 +0000\r\n",
		"X-Shop: 42\r\n", "How are you?", "<p>How are you?</p>",
	} {
		if !bytes.Contains(l.Raw, []byte(want)) {
			t.Errorf("the message lacks %q:\n%s", want, l.Raw)
		}
	}
	if bytes.Contains(l.Raw, []byte("dave")) {
		t.Errorf("the message names a blind recipient:\n%s", l.Raw)
	}
	if _, err := mail.ReadMessage(bytes.NewReader(l.Raw)); err != nil {
		t.Errorf("ReadMessage = %v", err)
	}
}

func TestSendRefuses(t *testing.T) {
	t.Parallel()
	many := func(n int) (all []string) {
		for i := range n {
			all = append(all, fmt.Sprintf("r%d@example.net", i))
		}
		return all
	}
	long := strings.Repeat("a", 256)
	tag := func(name, value string) func(*Request) {
		return func(r *Request) { r.Tags = []Tag{{name, value}} }
	}
	to := func(all ...string) func(*Request) { return func(r *Request) { r.To = all } }
	for _, tt := range []struct {
		name           string
		change         func(*Request)
		kind           fault.Kind
		resource, text string
	}{
		{"no content", func(r *Request) { r.Simple = nil }, fault.Invalid, fault.EmailParameter, "Exactly one of simple, raw and templated content must be given, not 0."},
		{"two contents", func(r *Request) { r.Raw = &Raw{} }, fault.Invalid, fault.EmailParameter, "Exactly one of simple, raw and templated content must be given, not 2."},
		{"no sender", func(r *Request) { r.From = "" }, fault.Invalid, fault.EmailParameter, "Missing required header 'From'."},
		{"sender without domain", func(r *Request) { r.From = "alice" }, fault.Invalid, fault.EmailParameter, "Missing final '@domain'"},
		{"bad return path", func(r *Request) { r.ReturnPath = "@example.com" }, fault.Invalid, fault.EmailParameter, "Missing local name"},
		{"bad reply-to", func(r *Request) { r.ReplyTo = []string{"x"} }, fault.Invalid, fault.EmailParameter, "Missing final '@domain'"},
		{"one bad recipient of two", to("bob@example.net", "carol"), fault.Invalid, fault.EmailParameter, "Missing final '@domain'"},
		{"blank in domain", to("bob@exam ple.net"), fault.Invalid, fault.EmailParameter, "Domain contains control or whitespace"},
		{"dot before domain", to("bob@.example.net"), fault.Invalid, fault.EmailParameter, "Domain starts with dot"},
		{"bad character in domain", to("bob@exam!ple.net"), fault.Invalid, fault.EmailParameter, "Domain contains illegal character"},
		{"local part that is not ASCII", to("bøb@example.net"), fault.Invalid, fault.EmailParameter, "Local address contains characters that are not ASCII"},
		{"two addresses in one", to("bob@example.net, carol@example.net"), fault.Invalid, fault.EmailParameter, "Illegal address"},
		{"no recipients", to(), fault.Invalid, fault.EmailParameter, "The message has no recipients."},
		{"51 recipients", to(many(51)...), fault.Invalid, fault.EmailParameter, "Recipient count exceeds 50."},
		{"51 recipients in three lists", func(r *Request) { r.To, r.Cc, r.Bcc = many(17), many(17), many(17) }, fault.Invalid, fault.EmailParameter, "Recipient count exceeds 50."},
		{"tag name empty", tag("", "x"), fault.Invalid, fault.EmailParameter, "The tag name must be specified."},
		{"tag value empty", tag("x", ""), fault.Invalid, fault.EmailParameter, "The tag value must be specified."},
		{"tag name long", tag(long, "x"), fault.Invalid, fault.EmailParameter, "Tag name cannot exceed 255 characters."},
		{"tag value long", tag("x", long), fault.Invalid, fault.EmailParameter, "Tag value cannot exceed 255 characters."},
		{"tag name characters", tag("a b", "x"), fault.Invalid, fault.EmailParameter, "Invalid tag name <a b>: only alphanumeric ASCII characters, '_',  '-' are allowed."},
		{"tag name of SES", tag("ses:operation", "x"), fault.Invalid, fault.EmailParameter, "Invalid tag name <ses:operation>: only alphanumeric ASCII characters, '_',  '-' are allowed."},
		{"tag name with dot", tag("a.b", "x"), fault.Invalid, fault.EmailParameter, "Invalid tag name <a.b>: only alphanumeric ASCII characters, '_',  '-' are allowed."},
		{"tag value characters", tag("x", "a b"), fault.Invalid, fault.EmailParameter, "Invalid tag value <a b>: only alphanumeric ASCII characters, '_',  '-' , '.', '@' are allowed."},
		{"tag name before value", tag("a b", "c d"), fault.Invalid, fault.EmailParameter, "Invalid tag name <a b>: only alphanumeric ASCII characters, '_',  '-' are allowed."},
		{"tags before the set", func(r *Request) { r.Set, r.Tags = "gone", []Tag{{"", ""}} }, fault.Invalid, fault.EmailParameter, "The tag name must be specified."},
		{"51 tags", func(r *Request) { r.Tags = slices.Repeat([]Tag{{"a", "b"}}, 51) }, fault.Invalid, fault.EmailParameter, "A message has at most 50 tags."},
		{"no such set", func(r *Request) { r.Set = "gone" }, fault.NotFound, fault.ConfigurationSet, "Configuration set <gone> does not exist."},
		{"paused set", func(r *Request) { r.Set = "paused" }, fault.Denied, fault.SetSending, "Email sending is disabled for configuration set <paused>."},
		{"no body", func(r *Request) { r.Simple.Text = nil }, fault.Invalid, fault.EmailParameter, "The message has neither a text nor an HTML body."},
		{"unknown charset", func(r *Request) { r.Simple.Text.Charset = "klingon" }, fault.Invalid, fault.EmailParameter, `Charset "klingon" is not supported.`},
		{"no ARN", func(r *Request) { r.FromARN = "alice" }, fault.Invalid, fault.EmailParameter, `The ARN "alice" is not that of an identity.`},
		{
			"ARN of another", func(r *Request) { r.FromARN = "arn:aws:ses:us-east-1:123456789012:identity/example.org" }, fault.Invalid, fault.EmailParameter,
			"The identity <example.org> does not speak for the address <alice@example.com>.",
		},
		{"header of the server", func(r *Request) { r.Headers = []Header{{"Subject", "x"}} }, fault.Invalid, fault.EmailParameter, `Header "Subject" cannot be set.`},
		{"header that is not sent", func(r *Request) { r.Headers = []Header{{"X-SES-Message-Tags", "x"}} }, fault.Invalid, fault.EmailParameter, "The header 'X-SES-Message-Tags' is not for clients to set."},
		{"header twice", func(r *Request) { r.Headers = []Header{{"List-Help", "x"}, {"list-help", "y"}} }, fault.Invalid, fault.EmailParameter, "Duplicate header 'list-help'."},
		{"16 headers", func(r *Request) { r.Headers = slices.Repeat([]Header{{"X-A", "x"}}, 16) }, fault.Invalid, fault.EmailParameter, "A message has at most 15 headers of its own."},
		{"header with two lines", func(r *Request) { r.Headers = []Header{{"X-A", "x\r\nBcc: eve@example.org"}} }, fault.Invalid, fault.EmailParameter, `The value of header "X-A" has control characters.`},
		{"too many parts", func(r *Request) { r.Simple.Attachments = make([]Attachment, 500) }, fault.Invalid, fault.EmailParameter, "The message has more than 500 MIME parts."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newSvcHouse(t)
			r := svcSimple()
			tt.change(&r)
			_, err := h.Send(t.Context(), svcOwner, r)
			wantFault(t, "Send", err, tt.kind, tt.resource, tt.text)
			if n := len(h.spool.all()); n != 0 {
				t.Errorf("%d mails were stored, want none", n)
			}
		})
	}
}

func TestSendAcceptsWhatIsAtTheEdge(t *testing.T) {
	t.Parallel()
	var fifty []string
	for i := range 50 {
		fifty = append(fifty, fmt.Sprintf("r%d@example.net", i))
	}
	edge := strings.Repeat("a", 255)
	for name, change := range map[string]func(*Request){
		"50 recipients":   func(r *Request) { r.To = fifty },
		"long tag":        func(r *Request) { r.Tags = []Tag{{edge, edge}} },
		"tag characters":  func(r *Request) { r.Tags = []Tag{{"A_z-9", "a.b@c_d-0"}} },
		"empty subject":   func(r *Request) { r.Simple.Subject.Data = "" },
		"own ARN":         func(r *Request) { r.FromARN = "arn:aws:ses:us-east-1:123456789012:identity/example.com" },
		"quoted local":    func(r *Request) { r.To = []string{`"b b"@example.net`} },
		"encoded name":    func(r *Request) { r.To = []string{"=?utf-8?q?B=C3=B6b?= <bob@example.net>"} },
		"one blind":       func(r *Request) { r.To, r.Bcc = nil, []string{"bob@example.net"} },
		"brackets":        func(r *Request) { r.To = []string{"<bob@example.net>"} },
		"largest in bulk": func(r *Request) { r.Simple.Text.Data = strings.Repeat("0123456789abcde\n", 600_000); r.Large = true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newSvcHouse(t)
			r := svcSimple()
			change(&r)
			h.letter(t, r)
		})
	}
}

func TestSendHoldsSizesToTheDoor(t *testing.T) {
	t.Parallel()
	h := newSvcHouse(t)
	h.limit(quota.Production, map[quota.Name]int64{quota.EmailBytes: 1_000, quota.EmailBytesV2: 2_000})
	r := svcSimple()
	r.Simple.Text.Data = strings.Repeat("0123456789\n", 100)
	_, err := h.Send(t.Context(), svcOwner, r)
	f := fault.From(err)
	if !regexp.MustCompile(`^Message length is more than 1000 bytes long: '1[0-9]{3}'\.$`).MatchString(f.Msg) || f.Resource != fault.EmailParameter {
		t.Errorf("Send of %d bytes = %v, want it to be too long", len(r.Simple.Text.Data), err)
	}
	r.Large = true
	h.letter(t, r)
}

func TestSendPaused(t *testing.T) {
	t.Parallel()
	h := newSvcHouse(t)
	if err := h.ChangeSettings(t.Context(), svcOwner, func(s *Settings) error { s.Paused = true; return nil }); err != nil {
		t.Fatalf("ChangeSettings = %v", err)
	}
	_, err := h.Send(t.Context(), svcOwner, svcSimple())
	wantFault(t, "Send", err, fault.Denied, fault.AccountSending, "Email sending is disabled for this account.")
	_, err = h.SendBulk(t.Context(), svcOwner, Bulk{Request: Request{Templated: &Templated{}}, Entries: make([]BulkEntry, 1)})
	wantFault(t, "SendBulk", err, fault.Denied, fault.AccountSending, "Email sending is disabled for this account.")
	_, err = h.Send(t.Context(), tenant.Tenant{Account: "999999999999", Region: "us-east-1"}, svcSimple())
	wantFault(t, "Send of a stranger", err, fault.Denied, "", "Account 999999999999 does not exist here.")
}

func TestSendTakesTheSetOfTheIdentity(t *testing.T) {
	t.Parallel()
	h := newSvcHouse(t)
	for name, set := range map[string]string{"example.com": "news", "alice@example.com": "other"} {
		if _, err := h.CreateIdentity(t.Context(), svcOwner, Identity{Name: name, Set: set}); err != nil {
			t.Fatalf("CreateIdentity(%q) = %v", name, err)
		}
	}
	for _, tt := range []struct{ from, set, want, arn string }{
		{"alice@example.com", "", "other", "alice@example.com"},
		{"bob@example.com", "", "news", "example.com"},
		{"bob@mail.Example.com", "", "news", "example.com"},
		{"bob@example.com", "other", "other", "example.com"},
		{"bob@example.org", "", "", "bob@example.org"},
	} {
		r := svcSimple()
		r.From, r.Set = tt.from, tt.set
		m := h.letter(t, r).Message
		if m.Set != tt.want || m.SourceARN != "arn:aws:ses:us-east-1:123456789012:identity/"+tt.arn {
			t.Errorf("from %s with set %q: set %q, ARN %s, want %q and the ARN of %s", tt.from, tt.set, m.Set, m.SourceARN, tt.want, tt.arn)
		}
	}
}

func TestSendVerified(t *testing.T) {
	t.Parallel()
	const text = "Email address is not verified. The following identities failed the check in region US-EAST-1: "
	for _, tt := range []struct {
		name, from, path string
		to               []string
		sandbox          bool
		failed           string // "" = accepted
	}{
		{"any address of a domain", "x@good.example", "", []string{"a@b.example"}, false, ""},
		{"subdomain", "x@mail.good.example", "", []string{"a@b.example"}, false, ""},
		{"address", "me@single.example", "", []string{"a@b.example"}, false, ""},
		{"by configuration", "x@listed.example", "", []string{"a@b.example"}, false, ""},
		{"other address", "you@single.example", "", []string{"a@b.example"}, false, "you@single.example"},
		{"return path", "x@good.example", "x@bad.example", []string{"a@b.example"}, false, "x@bad.example"},
		{"recipients in the sandbox", "x@good.example", "", []string{"a@b.example", "me@single.example", "c@d.example"}, true, "a@b.example, c@d.example"},
		{"all in the sandbox", "y@bad.example", "", []string{"a@b.example"}, true, "y@bad.example, a@b.example"},
		{"simulator in the sandbox", "x@good.example", "", []string{"bounce+1@simulator.amazonses.com"}, true, ""},
		{"no simulator", "x@good.example", "", []string{"a@x.simulator.amazonses.com"}, true, "a@x.simulator.amazonses.com"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newSvcHouse(t)
			if tt.sandbox {
				h.limit(quota.Sandbox, nil)
			} else {
				h.Senders = VerifiedSenders
			}
			h.Verified = []string{"listed.example"}
			for _, name := range []string{"good.example", "me@single.example"} {
				if _, err := h.VerifyIdentity(t.Context(), svcOwner, name); err != nil {
					t.Fatalf("VerifyIdentity(%q) = %v", name, err)
				}
			}
			r := svcSimple()
			r.From, r.ReturnPath, r.To = tt.from, tt.path, tt.to
			_, err := h.Send(t.Context(), svcOwner, r)
			if tt.failed == "" {
				if err != nil {
					t.Errorf("Send = %v, want it to be accepted", err)
				}
				return
			}
			wantFault(t, "Send", err, fault.Invalid, fault.EmailMessage, text+tt.failed)
		})
	}
}

func TestSendKeepsNothingWhenTheSpoolFails(t *testing.T) {
	t.Parallel()
	h := newSvcHouse(t)
	h.limit(quota.Production, map[quota.Name]int64{quota.EmailsPerDay: 1})
	h.spool.err = fault.New(fault.Unavailable, "", "No room.")
	if _, err := h.Send(t.Context(), svcOwner, svcSimple()); !fault.Is(err, fault.Unavailable) {
		t.Fatalf("Send = %v, want the spool's fault", err)
	}
	h.spool.err = nil
	h.letter(t, svcSimple()) // the failed one does not count

	hungUp, cancel := context.WithCancel(t.Context())
	cancel()
	h = newSvcHouse(t)
	h.limit(quota.Production, map[quota.Name]int64{quota.EmailsPerDay: 1})
	h.spool.err = errors.New("interrupted")
	if _, err := h.Send(hungUp, svcOwner, svcSimple()); err == nil {
		t.Fatal("Send = nil, want an error")
	}
	h.spool.err = nil
	_, err := h.Send(t.Context(), svcOwner, svcSimple()) // the one of a client that hung up does: it may have been stored
	wantFault(t, "Send", err, fault.Throttled, fault.SendingQuota, "Daily message quota exceeded.")
}

func TestSendTruncatesTheHeadersOfEvents(t *testing.T) {
	t.Parallel()
	h := newSvcHouse(t)
	r := svcSimple()
	for i := range 15 {
		r.Headers = append(r.Headers, Header{fmt.Sprintf("X-%d", i), strings.Repeat("word ", 160)})
	}
	m := h.letter(t, r).Message
	size := 0
	for _, f := range m.Headers {
		size += len(f.Name) + len(f.Value) + 4
	}
	if !m.HeadersTruncated || size > 10<<10 || size < 9<<10 {
		t.Errorf("headers of %d bytes, truncated %v; want nearly 10 KB, truncated", size, m.HeadersTruncated)
	}
}

func TestSendAttachments(t *testing.T) {
	t.Parallel()
	h := newSvcHouse(t)
	r := svcSimple()
	r.Simple.Attachments = []Attachment{{Name: "a.pdf", Type: "application/pdf", Data: []byte("%PDF"), Description: "paper"}}
	l := h.letter(t, r)
	o, err := mailmsg.Parts(l.Raw, 10)
	if err != nil || len(o.Leaves) != 2 || o.Leaves[1].Type != "application/pdf" {
		t.Fatalf("Parts = %+v, %v, want a text and a PDF", o, err)
	}
	if data, err := o.Leaves[1].Content(l.Raw); err != nil || string(data) != "%PDF" {
		t.Errorf("Content = %q, %v, want the file", data, err)
	}
}
