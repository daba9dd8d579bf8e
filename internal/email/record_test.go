package email

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"tidings/internal/configset"
	"tidings/internal/event"
)

var update = flag.Bool("update", false, "write the golden files anew")

// runSampleMessage is a message much as the guide has it in its samples.
func runSampleMessage() Message {
	return Message{
		ID: "0100019b75ab8000-61b59c11-9236-41e6-8f96-7be8aeec0000-000000", Tenant: runOwner,
		Accepted: time.Date(2026, 1, 1, 0, 0, 0, 7e6, time.UTC),
		Source:   "Sender Name <sender@example.com>", SourceARN: "arn:aws:ses:us-east-1:123456789012:identity/sender@example.com",
		Sender: "sender@example.com", Recipients: []string{"recipient@example.com", "zoë@example.com"}, Set: "ConfigSet",
		Tags: map[string][]string{
			"ses:source-ip": {"192.0.2.0"}, "ses:configuration-set": {"ConfigSet"}, "myCustomTag": {"<one>", "two"},
			"ses:caller-identity": {"ses_user"}, "ses:from-domain": {"example.com"},
		},
		Headers: []Header{
			{"From", "Sender Name <sender@example.com>"},
			{"Subject", "Say \"hello\" & <goodbye>\tnow"},
			{"Content-Type", "multipart/alternative; boundary=\"----=_Part\""},
		},
		Common: CommonHeaders{
			From: []string{"Sender Name <sender@example.com>"}, ReplyTo: []string{"reply@example.com"}, ReturnPath: "returns@example.com",
			Date: "Thu, 1 Jan 2026 00:00:00 +0000", To: []string{"recipient@example.com"}, Cc: []string{"zoë@example.com"},
			Subject: "Say \"hello\" & <goodbye>\tnow",
		},
		Template: "MyTemplate", Failure: "Attribute 'attributeName' is not present in the rendering data.",
	}
}

// runSampleHappenings are what may happen to it, each type at least once.
func runSampleHappenings(m *Message) map[string]happening {
	at := m.Accepted.Add(11893 * time.Millisecond)
	complained := runTaken
	complained.Recipients = []int{0}
	complained.Complaint = &Complaint{UserAgent: "AnyCompany Feedback Loop (V0.01)", Type: "abuse", Arrived: at.Add(-time.Second)}
	refused := runRefused
	refused.Recipients = []int{0, 1}
	soft := refused
	soft.Bounce = BounceType{transient, "MailboxFull"}
	r := Recorder{Host: "mail.example.org"}
	outcome := func(t event.Type, reply Reply) []happening {
		return r.happeningsOf(m, &Outcome{Serial: 3, Type: t, At: at, Reply: reply, Reason: reasonBadContent})
	}
	told := outcome(event.EmailDelivery, complained)
	visit := Visit{IP: "192.0.2.1", UserAgent: "Mozilla/5.0 (Windows NT 10.0)"}
	return map[string]happening{
		"send": sending(m), "rendering_failure": unrendered(m), "delivery": told[0], "complaint": told[1],
		"bounce": outcome(event.EmailBounce, refused)[0], "bounce_soft": outcome(event.EmailBounce, soft)[0],
		"reject": outcome(event.EmailReject, Reply{Recipients: []int{0, 1}})[0],
		"open":   {id: m.ID + "/open/X", kind: event.EmailOpen, at: at, visit: &visitNews{Visit: visit}},
		"click": {id: m.ID + "/click/X", kind: event.EmailClick, at: at, visit: &visitNews{
			Visit: visit, link: "https://example.com/?a=1&b=<2>", tags: map[string][]string{"samplekey1": {"v"}, "samplekey0": {"v0", "v1"}},
		}},
		"click_untagged": {id: m.ID + "/click/Y", kind: event.EmailClick, at: at, visit: &visitNews{Visit: visit, link: "https://example.com/"}},
	}
}

// TestRecords compares the record of each type, and its twin for an app, with testdata, where they are indented for people.
func TestRecords(t *testing.T) {
	t.Parallel()
	m := runSampleMessage()
	var types []event.Type
	for name, h := range runSampleHappenings(&m) {
		types = append(types, h.kind)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			set := &configset.Set{Destinations: []configset.EventDestination{{
				Enabled: true, Types: []event.Type{h.kind}, Destination: configset.Destination{Kind: configset.Pinpoint, ARN: runApp},
			}}}
			events := Recorder{Host: "mail.example.org"}.events(&m, set, h)
			if len(events) != 2 {
				t.Fatalf("events = %d, want 2", len(events))
			}
			for i, file := range []string{name, "pinpoint_" + name} {
				runGolden(t, file, events[i].Record)
				events[i].Record = nil
			}
			want := []event.Event{
				{ID: h.id, Type: h.kind, Time: h.at, Tenant: runOwner, Set: "ConfigSet", Message: m.ID},
				{
					ID: h.id + "/app/0123456789abcdef0123456789abcdef", Type: event.AppEvent, Time: h.at, Tenant: runOwner,
					Set: "0123456789abcdef0123456789abcdef", Message: m.ID, Key: uuidFrom(m.ID),
				},
			}
			if diff := cmp.Diff(want, events); diff != "" {
				t.Errorf("events differ (-want +got):\n%s", diff)
			}
		})
	}
	if len(types) < 8 {
		t.Errorf("samples of %v, want each type", types)
	}
}

// runGolden compares a record with testdata/NAME.json.
func runGolden(tb testing.TB, name string, record []byte) {
	tb.Helper()
	if bytes.ContainsAny(record, "\n\r") {
		tb.Errorf("the record %s has a line break", name)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, record, "", "  "); err != nil {
		tb.Fatalf("the record %s is no JSON: %v\n%s", name, err, record)
	}
	out.WriteByte('\n')
	path := filepath.Join("testdata", name+".json")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			tb.Fatal(err)
		}
		if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
			tb.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	if diff := cmp.Diff(string(want), out.String()); diff != "" {
		tb.Errorf("record %s differs (-want +got):\n%s", name, diff)
	}
}

// TestABounceNobodyUnderstandsIsNotForApps: their records know hard and soft ones only.
func TestABounceNobodyUnderstandsIsNotForApps(t *testing.T) {
	t.Parallel()
	m := runSampleMessage()
	h := runSampleHappenings(&m)["bounce"]
	h.bounce.BounceType = BounceType{undetermined, undetermined}
	set := &configset.Set{Destinations: []configset.EventDestination{{
		Enabled: true, Types: []event.Type{h.kind}, Destination: configset.Destination{Kind: configset.Pinpoint, ARN: runApp},
	}}}
	if events := (Recorder{}).events(&m, set, h); len(events) != 1 || events[0].Type != event.EmailBounce {
		t.Errorf("events = %v, want the bounce alone", events)
	}
}

var (
	feedbackForm = regexp.MustCompile(`^0100[0-9a-f]{12}-[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}-000000$`)
	uuidForm     = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
)

func TestIDsAreMadeOfWhatTheyAreFor(t *testing.T) {
	t.Parallel()
	m := runSampleMessage()
	all := runSampleHappenings(&m)
	bounce, complaint := all["bounce"], all["complaint"]
	a, b := feedbackID(&bounce), feedbackID(&complaint)
	if a == b || a != feedbackID(&bounce) || !feedbackForm.MatchString(a) || !feedbackForm.MatchString(b) {
		t.Errorf("feedback IDs = %q and %q, want two of the form %s", a, b, feedbackForm)
	}
	complaint.complaint = &Complaint{FeedbackID: "theirs"}
	if got := feedbackID(&complaint); got != "theirs" {
		t.Errorf("feedback ID = %q, want the provider's", got)
	}
	if one, other := uuidFrom("a"), uuidFrom("b"); one == other || one != uuidFrom("a") || !uuidForm.MatchString(one) {
		t.Errorf("uuidFrom = %q and %q, want two of the form %s", one, other, uuidForm)
	}
}

// TestLargeEventsAreWrittenInParts sees to it that a message with many recipients fits into the log, in order.
func TestLargeEventsAreWrittenInParts(t *testing.T) {
	t.Parallel()
	var all []event.Event
	for _, size := range []int{5, 4, 1, 1, 30, 2} {
		all = append(all, event.Event{ID: string(rune('a' + len(all))), Record: make([]byte, size)})
	}
	var parts []string
	for part := range partsOf(all, 10) {
		ids := ""
		for _, e := range part {
			ids += e.ID
		}
		parts = append(parts, ids)
	}
	if diff := cmp.Diff([]string{"abc", "d", "e", "f"}, parts); diff != "" {
		t.Errorf("parts differ (-want +got):\n%s", diff)
	}
	for range partsOf(nil, 10) {
		t.Error("a part of nothing")
	}
}

// FuzzAppendJSONString holds texts to what encoding/json reads of them.
func FuzzAppendJSONString(f *testing.F) {
	for _, s := range []string{"", "plain", "\"\\/\b\f\n\r\t", "\x00\x1f\x7f", "<&>", "zoë \u2028 😀", "\xff\xc3", "a\xe2\x82"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		text := appendJSONString(nil, s)
		var got string
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatalf("Unmarshal(%s) = %v", text, err)
		}
		if want := string([]rune(s)); got != want { // each byte that is no UTF-8 becomes U+FFFD
			t.Errorf("appendJSONString(%q) reads %q, want %q", s, got, want)
		}
		if !utf8.Valid(text) || strings.ContainsAny(string(text), "\n\r") {
			t.Errorf("appendJSONString(%q) = %q, want one line of UTF-8", s, text)
		}
	})
}
