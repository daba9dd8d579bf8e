package feedback_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tidings/internal/feedback"
)

// sample reads a message with LF line ends, and returns it with CRLF, too.
func sample(tb testing.TB, name string) map[string][]byte {
	tb.Helper()
	lf, err := os.ReadFile(filepath.Join("testdata", filepath.FromSlash(name)))
	if err != nil {
		tb.Fatal(err)
	}
	return map[string][]byte{"LF": lf, "CRLF": bytes.ReplaceAll(lf, []byte("\n"), []byte("\r\n"))}
}

var noUser = feedback.Recipient{
	FinalRecipient: "nobody@example.org", Action: "failed", Status: "5.1.1",
	Diagnostic: "smtp; 550 5.1.1 No such user", RemoteMTA: "mail.example.org",
}

// with returns a recipient that differs.
func with(r feedback.Recipient, change func(*feedback.Recipient)) feedback.Recipient {
	change(&r)
	return r
}

func TestParseDSN(t *testing.T) {
	t.Parallel()
	const id = "0100019a@example.com"
	for name, want := range map[string]feedback.Report{
		"postfix": {ReportingMTA: "mx.example.net", MessageID: id, Recipients: []feedback.Recipient{
			with(noUser, func(r *feedback.Recipient) {
				r.OriginalRecipient = "alias@example.net"
				r.Diagnostic = "smtp; 550 5.1.1 <nobody@example.org>: Recipient address rejected: User unknown"
			}),
			{FinalRecipient: "full@example.org", OriginalRecipient: "full@example.org", Action: "failed", Status: "5.2.2", Diagnostic: "smtp; 552 5.2.2 Mailbox full", RemoteMTA: "mail.example.org"},
		}},
		"postfix-delayed": {ReportingMTA: "mx.example.net", MessageID: id, Recipients: []feedback.Recipient{
			{FinalRecipient: "slow@example.org", Action: "delayed", Status: "4.4.1", Diagnostic: "X-Postfix; connect to mail.example.org[192.0.2.25]:25: Connection timed out"},
		}},
		"postfix-success": {ReportingMTA: "mx.example.net", Recipients: []feedback.Recipient{
			{FinalRecipient: "fine@example.org", Action: "relayed", Status: "2.0.0", Diagnostic: "smtp; 250 2.0.0 Ok: queued", RemoteMTA: "mail.example.org"},
		}},
		"exim": {ReportingMTA: "mail.example.net", MessageID: id, Recipients: []feedback.Recipient{
			with(noUser, func(r *feedback.Recipient) { r.Status = "5.0.0" }),
		}},
		"exim-old": {Recipients: []feedback.Recipient{
			with(noUser, func(r *feedback.Recipient) { r.RemoteMTA = "" }),
			{FinalRecipient: "other@example.org", Action: "failed", Diagnostic: "x-unknown; Unrouteable address"},
		}},
		"sendmail": {ReportingMTA: "relay.example.net", MessageID: id, Recipients: []feedback.Recipient{
			with(noUser, func(r *feedback.Recipient) { r.Diagnostic = "SMTP; 550 <nobody@example.org>... User unknown" }),
		}},
		"exchange": {ReportingMTA: "DB9PR01.eurprd01.prod.exchange.example", MessageID: id, Recipients: []feedback.Recipient{
			with(noUser, func(r *feedback.Recipient) {
				r.Status = "5.1.10"
				r.Diagnostic = "smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient nobody@example.org not found by SMTP address lookup"
			}),
		}},
		"gmail": {ReportingMTA: "googlemail.com", MessageID: id, Recipients: []feedback.Recipient{
			{
				FinalRecipient: "nobody@gmail.com", Action: "failed", Status: "5.1.1", RemoteMTA: "gmail-smtp-in.l.google.com.",
				Diagnostic: "smtp; 550-5.1.1 The email account that you tried to reach does not exist. 550 5.1.1 https://support.example/ - gsmtp",
			},
		}},
		"careless": {ReportingMTA: "mx.example.org", Recipients: []feedback.Recipient{
			{FinalRecipient: "nobody@example.org", Action: "failed", Status: "5.7.1", Diagnostic: "550-relay [10.5.1.1] says 5.7.1 (policy)"},
			{FinalRecipient: "Mr.", Action: "failed", Status: "5.0.0"},
		}},
		"qmail": {MessageID: id, Recipients: []feedback.Recipient{
			{FinalRecipient: "nobody@example.org", Action: "failed", Status: "5.1.1", Diagnostic: "smtp; 550 5.1.1 No such user Giving up on 192.0.2.25."},
			{FinalRecipient: "other@example.org", Action: "failed", Status: "5.1.2", Diagnostic: "x-unknown; Sorry, I couldn't find any host named example.org. (#5.1.2)"},
		}},
		"for-people": {},
		"utf8": {ReportingMTA: "mx.example.net", MessageID: id, Recipients: []feedback.Recipient{
			{FinalRecipient: "jörg@example.org", Action: "failed", Status: "5.1.1", Diagnostic: "smtp; 550 5.1.1 Benutzer unbekannt: jörg"},
		}},
	} {
		for ends, raw := range sample(t, "dsn/"+name+".eml") {
			got, err := feedback.ParseDSN(raw)
			if err != nil {
				t.Errorf("ParseDSN(%s with %s) = %v, want a report", name, ends, err)
				continue
			}
			if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(feedback.Report{}, "Original")); diff != "" {
				t.Errorf("ParseDSN(%s with %s) (-want +got):\n%s", name, ends, diff)
			}
			if _, err := feedback.ParseARF(raw); !errors.Is(err, feedback.ErrNotReport) {
				t.Errorf("ParseARF(%s) = %v, want ErrNotReport", name, err)
			}
		}
	}
}

func TestOriginalHeader(t *testing.T) {
	t.Parallel()
	for ends, raw := range sample(t, "dsn/postfix.eml") {
		got, err := feedback.ParseDSN(raw)
		if err != nil {
			t.Fatal(err)
		}
		want := feedback.Fields{
			{Name: "Return-Path", Value: "<bounce-abc@bounces.example.com>"},
			{Name: "From", Value: "Sender <sender@example.com>"},
			{Name: "To", Value: "alias@example.net, full@example.org"},
			{Name: "Subject", Value: "Hello, folded"},
			{Name: "Message-ID", Value: "<0100019a@example.com>"},
		}
		if diff := cmp.Diff(want, got.Original); diff != "" {
			t.Errorf("Original with %s (-want +got):\n%s", ends, diff)
		}
		if got := got.Original.Get("subject"); got != "Hello, folded" {
			t.Errorf("Get(subject) = %q, want the folded value", got)
		}
	}
}

func TestParseARF(t *testing.T) {
	t.Parallel()
	const id, from = "0100019a@example.com", "bounce-abc@bounces.example.com"
	at := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	for name, want := range map[string]feedback.Complaint{
		"yahoo": {Type: "abuse", UserAgent: "Yahoo!-Mail-Feedback/2.0", Arrived: at, Recipients: []string{"someone@yahoo.example"}, MailFrom: from, MessageID: id},
		"aol":   {Type: "abuse", UserAgent: "AOL SComp", Arrived: at, MessageID: id},
		"headers-only": {
			Type: "fraud", UserAgent: "SomeGenerator/1.0", Arrived: time.Date(2005, 3, 8, 18, 0, 0, 0, time.UTC),
			Recipients: []string{"user@example.org", "second@x@example.org"}, MailFrom: "somespammer@example.com", MessageID: "8787KJKJ3K4J3K4J3K4J3.mail@example.com",
		},
		"jmrp": {Type: "abuse", Recipients: []string{"someone@hotmail.example"}, MessageID: id},
	} {
		for ends, raw := range sample(t, "arf/"+name+".eml") {
			got, err := feedback.ParseARF(raw)
			if err != nil {
				t.Errorf("ParseARF(%s with %s) = %v, want a complaint", name, ends, err)
				continue
			}
			if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(feedback.Complaint{}, "Original")); diff != "" {
				t.Errorf("ParseARF(%s with %s) (-want +got):\n%s", name, ends, diff)
			}
			if got.Original.Get("Message-ID") == "" {
				t.Errorf("ParseARF(%s with %s) has no original", name, ends)
			}
		}
	}
}

func TestNoBounces(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]error{
		"none/vacation.eml":      feedback.ErrAutomatic,
		"none/exchange-away.eml": feedback.ErrAutomatic,
		"none/old-vacation.eml":  feedback.ErrAutomatic,
		"none/receipt.eml":       feedback.ErrAutomatic,
		"none/letter.eml":        feedback.ErrNotReport,
		"arf/yahoo.eml":          feedback.ErrNotReport,
	} {
		for ends, raw := range sample(t, name) {
			if got, err := feedback.ParseDSN(raw); !errors.Is(err, want) {
				t.Errorf("ParseDSN(%s with %s) = %+v, %v, want %v", name, ends, got, err, want)
			}
		}
	}
	if _, err := feedback.ParseDSN(nil); !errors.Is(err, feedback.ErrNotReport) {
		t.Errorf("ParseDSN(nil) = %v, want ErrNotReport", err)
	}
}

// TestBounds: what is endless in a report is cut off.
func TestBounds(t *testing.T) {
	t.Parallel()
	head := "Content-Type: message/delivery-status\n\nReporting-MTA: dns; a\n\n"
	many := head + strings.Repeat("Final-Recipient: rfc822; a@example.com\nAction: failed\nStatus: 5.1.1\n\n", 5000)
	r, err := feedback.ParseDSN([]byte(many))
	if err != nil || len(r.Recipients) != 1000 {
		t.Errorf("ParseDSN = %d recipients, %v, want 1000", len(r.Recipients), err)
	}
	long := head + "Final-Recipient: rfc822; a@example.com\nDiagnostic-Code: smtp; 550 " + strings.Repeat("é", 5000) + "\n"
	if r, err = feedback.ParseDSN([]byte(long)); err != nil || len(r.Recipients[0].Diagnostic) > 2000 {
		t.Errorf("ParseDSN = a diagnostic of %d octets, %v, want at most 2000", len(r.Recipients[0].Diagnostic), err)
	}
	var deep strings.Builder
	for i := range 100 {
		fmt.Fprintf(&deep, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%[1]d\n", i)
	}
	if _, err := feedback.ParseDSN([]byte(deep.String() + head)); err == nil {
		t.Error("ParseDSN of 100 parts in each other = nil, want an error")
	}
}

func seeds(f *testing.F) {
	f.Helper()
	names, err := filepath.Glob("testdata/*/*.eml")
	if err != nil || len(names) < 15 {
		f.Fatalf("%d samples, %v, want 15 or more", len(names), err)
	}
	for _, name := range names {
		raw, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
}

// FuzzParseDSN: whatever comes in, the report can go into an event.
func FuzzParseDSN(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := feedback.ParseDSN(raw)
		if err != nil && (len(r.Recipients) > 0 || !errors.Is(err, feedback.ErrNotReport) && !errors.Is(err, feedback.ErrAutomatic)) {
			t.Errorf("ParseDSN = %+v, %v, want a known error alone", r, err)
		}
		line(t, r.ReportingMTA, r.MessageID)
		for _, one := range r.Recipients {
			line(t, one.FinalRecipient, one.OriginalRecipient, one.Action, one.Status, one.Diagnostic, one.RemoteMTA)
			if one.Action == "" || one.Status != "" && strings.Count(one.Status, ".") != 2 {
				t.Errorf("recipient = %+v, want an action, and a status of RFC 3463 or none", one)
			}
		}
	})
}

// FuzzParseARF: whatever comes in, the complaint can go into an event.
func FuzzParseARF(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := feedback.ParseARF(raw)
		if err != nil && !errors.Is(err, feedback.ErrNotReport) {
			t.Errorf("ParseARF = %v, want a known error", err)
		}
		line(t, c.Type, c.UserAgent, c.MailFrom, c.MessageID)
		line(t, c.Recipients...)
	})
}

// line expects texts that are one line of valid UTF-8, not too long.
func line(t *testing.T, texts ...string) {
	t.Helper()
	for _, s := range texts {
		if strings.ContainsAny(s, "\r\n") || strings.ToValidUTF8(s, "") != s || len(s) > 2100 {
			t.Errorf("text = %q, want one line of UTF-8", s)
		}
	}
}
