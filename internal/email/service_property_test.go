package email

import (
	"context"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"tidings/internal/configset"
	"tidings/internal/fault"
	"tidings/internal/quota"
)

// drawText draws mostly what clients write, now and then what they should not.
func drawText(t *rapid.T, label string, usual ...string) string {
	if rapid.IntRange(0, 9).Draw(t, label+" odd") == 0 {
		return rapid.OneOf(rapid.String(), rapid.StringMatching(`[ -~]{0,40}`), rapid.SampledFrom([]string{"a\r\nBcc: x@y.z", "\x00", "@", "{{", "=?utf-8?q?=?="})).Draw(t, label)
	}
	return rapid.SampledFrom(usual).Draw(t, label)
}

func drawAddresses(t *rapid.T, label string, most int) []string {
	var all []string
	for i := range rapid.IntRange(0, most).Draw(t, label+" count") {
		all = append(all, drawText(t, fmt.Sprint(label, i), "bob@example.net", "Bob <bob@EXAMPLE.net>", `"b, b" <b@example.net>`, "c@bücher.example", "success@simulator.amazonses.com"))
	}
	return all
}

func drawRequest(t *rapid.T) Request {
	r := Request{
		Operation: "SendEmail", From: drawText(t, "from", "alice@example.com", "Älice <alice@example.com>", "x@other.example"),
		To: drawAddresses(t, "to", 3), Cc: drawAddresses(t, "cc", 1), Bcc: drawAddresses(t, "bcc", 1), ReplyTo: drawAddresses(t, "reply", 1),
		Set: drawText(t, "set", "", "news", "paused"), Large: rapid.Bool().Draw(t, "large"),
	}
	for range rapid.IntRange(0, 2).Draw(t, "tags") {
		r.Tags = append(r.Tags, Tag{drawText(t, "tag", "a", "b-c"), drawText(t, "tag value", "d", "e@f.g")})
	}
	for range rapid.IntRange(0, 2).Draw(t, "headers") {
		r.Headers = append(r.Headers, Header{drawText(t, "header", "X-A", "List-Id"), drawText(t, "header value", "b", "long  words and äöü")})
	}
	switch rapid.IntRange(0, 3).Draw(t, "content") {
	case 0:
		r.Raw = &Raw{Data: []byte(drawText(t, "raw", svcRawMail, "From: a@b.example\n\nx", "From: a@b.example\r\nTo: c@d.example\r\nX-SES-CONFIGURATION-SET: news\r\n\r\nx", ""))}
		if rapid.Bool().Draw(t, "envelope") {
			r.Raw.Envelope = drawAddresses(t, "envelope", 2)
		}
	case 1:
		r.Templated = &Templated{Name: drawText(t, "template", "greeting", "gone"), Data: drawText(t, "data", `{"name":"x","number":1}`, `{"name":"x\ny"}`)}
	case 2:
		r.Templated = &Templated{Inline: &Template{Subject: drawText(t, "subject", "Hi {{x}}"), HTML: drawText(t, "html", "<p>{{x}}", "{{#if x}}y{{/if}}")}, Data: drawText(t, "data", `{"x":"ü"}`)}
	default:
		r.Simple = &Simple{Subject: Text{Data: drawText(t, "subject", "Hi", "Grüße"), Charset: drawText(t, "charset", "", "UTF-8", "ISO-8859-1")}}
		r.Simple.Text = &Text{Data: drawText(t, "text", "Hello", "long\nlines\r\n\r\n.")}
	}
	return r
}

// TestSendStoresAllOrNothing is the promise of acceptance: whatever is asked for, either a fault and nothing stored, or exactly the message
// that was asked for.
func TestSendStoresAllOrNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		h := newSvcHouse(t)
		svcTemplate(t, h, svcGreeting())
		if rapid.Bool().Draw(rt, "verified") {
			h.Senders = VerifiedSenders
			h.Verified = []string{"example.com"}
		}
		if rapid.Bool().Draw(rt, "limited") {
			h.limit(quota.Production, map[quota.Name]int64{quota.EmailsPerDay: 3, quota.EmailBytes: 600})
		}
		r := drawRequest(rt)
		svcPromise(rt, h, r, svcOwner)
		sent, err := h.Quota(t.Context(), svcOwner)
		if err != nil {
			rt.Fatalf("Quota = %v", err)
		}
		stored := 0
		for _, l := range h.spool.all() {
			stored += countable(l.Message.Recipients)
		}
		if sent.Sent != float64(stored) {
			rt.Fatalf("%v recipients count, %d were stored for %+v", sent.Sent, stored, r)
		}
	})
}

// svcQuick is a spool and a registry that cost nothing.
type svcQuick struct{ *svcRegistry }

func (svcQuick) Put(context.Context, ...Letter) error { return nil }
func (svcQuick) Next(context.Context) (Job, error) {
	return Job{}, fault.New(fault.Unavailable, "", "None.")
}

func (svcQuick) Find(context.Context, string) (m Message, ok bool, err error) { return m, false, nil }

func BenchmarkSendSimple(b *testing.B) {
	h := newSvcHouse(b)
	h.Spool = svcQuick{h.registry}
	h.Sets = svcSets{"news": configset.Options{}}
	r := svcSimple()
	r.Set, r.Tags = "news", []Tag{{"campaign", "spring"}}
	r.Simple.HTML = &Text{Data: "<html><body><p>How are you?</p><a href=\"https://example.com/\">link</a></body></html>"}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.Send(b.Context(), svcOwner, r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSendRaw(b *testing.B) {
	h := newSvcHouse(b)
	h.Spool = svcQuick{h.registry}
	r := svcRaw(svcRawMail)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.Send(b.Context(), svcOwner, r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSendBulk(b *testing.B) {
	h := newSvcHouse(b)
	h.Spool = svcQuick{h.registry}
	svcTemplate(b, h, svcGreeting())
	entries := make([]BulkEntry, 50)
	for i := range entries {
		entries[i] = BulkEntry{To: []string{fmt.Sprintf("r%d@example.net", i)}, Data: fmt.Sprintf(`{"number":%d}`, i)}
	}
	bulk := svcBulk(entries...)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.SendBulk(b.Context(), svcOwner, bulk); err != nil {
			b.Fatal(err)
		}
	}
}
