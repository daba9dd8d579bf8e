package mailsim_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/mail"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tidings/internal/email"
	"tidings/internal/mailsim"
)

const raw = "From: a@example.com\r\nTo: b@example.com\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\nHello.\r\n"

func parcel(id string, to ...string) email.Parcel {
	p := email.Parcel{ID: id, From: "a@example.com", Recipients: to, Data: []byte(raw)}
	for i := range to {
		p.Indexes = append(p.Indexes, 10+i)
	}
	return p
}

// next is the transport behind the mailboxes.
type next struct{ took []string }

func (n *next) Deliver(_ context.Context, p email.Parcel) []email.Reply {
	n.took = append(n.took, p.Recipients...)
	return []email.Reply{{Recipients: p.Indexes, Verdict: email.Delivered, Host: "mx.example"}}
}

// verdicts say of each recipient what became of it.
func verdicts(replies []email.Reply) map[int]string {
	all := map[int]string{}
	for _, r := range replies {
		for _, i := range r.Recipients {
			all[i] = fmt.Sprintf("%d %d %s", r.Verdict, r.Code, r.Enhanced)
		}
	}
	return all
}

func TestBehaviors(t *testing.T) {
	t.Parallel()
	m := mailsim.New(mailsim.Options{Domains: []string{"test.example"}})
	for address, want := range map[string]string{
		"success@simulator.amazonses.com":         "1 250 2.6.0",
		"bounce@simulator.amazonses.com":          "3 550 5.1.1",
		"BOUNCE+label@Simulator.AmazonSES.com":    "3 550 5.1.1",
		"ooto@simulator.amazonses.com":            "1 250 2.6.0",
		"complaint+x@simulator.amazonses.com":     "1 250 2.6.0",
		"suppressionlist@simulator.amazonses.com": "3 0 ",
		"mailboxfull@simulator.amazonses.com":     "1 250 2.6.0", // not of SES
		"mailboxfull@test.example":                "2 452 4.2.2",
		"toolarge@test.example":                   "3 552 5.3.4",
		"content+x@test.example":                  "3 554 5.6.0",
		"bounce@test.example":                     "3 550 5.1.1",
		"anybody@test.example":                    "1 250 2.6.0",
		"bounce@elsewhere.example":                "1 250 2.6.0", // no simulated domain: only taken
		"nonsense":                                "1 250 2.6.0",
	} {
		if got := verdicts(m.Deliver(t.Context(), parcel("m", address))); got[10] != want {
			t.Errorf("%s: %q, want %q", address, got[10], want)
		}
	}
}

// TestOneReplyForAll has several addresses of one behavior: SES tells of them in one event.
func TestOneReplyForAll(t *testing.T) {
	t.Parallel()
	m := mailsim.New(mailsim.Options{})
	const domain = "@simulator.amazonses.com"
	replies := m.Deliver(t.Context(), parcel("m", "bounce"+domain, "success"+domain, "bounce+2"+domain, "complaint"+domain, "complaint+2"+domain))
	var got [][]int
	for _, r := range replies {
		got = append(got, r.Recipients)
		if r.Complaint == nil {
			continue
		}
		want := []string{"complaint" + domain, "complaint+2" + domain}
		if diff := cmp.Diff(want, r.Complaint.Recipients); diff != "" || r.Complaint.Type != "abuse" {
			t.Errorf("complaint of type %q, recipients (-want +got):\n%s", r.Complaint.Type, diff)
		}
	}
	if diff := cmp.Diff([][]int{{10, 12}, {11}, {13, 14}}, got); diff != "" {
		t.Errorf("recipients (-want +got):\n%s", diff)
	}
}

func TestGreylisting(t *testing.T) {
	t.Parallel()
	m := mailsim.New(mailsim.Options{Domains: []string{"test.example"}})
	var got []string
	for _, id := range []string{"a", "b", "a", "b"} {
		got = append(got, verdicts(m.Deliver(t.Context(), parcel(id, "greylist@test.example")))[10])
	}
	if want := []string{"2 451 4.7.1", "2 451 4.7.1", "1 250 2.6.0", "1 250 2.6.0"}; !slices.Equal(got, want) {
		t.Errorf("attempts end %q, want %q", got, want)
	}
}

// TestOthersGoOn has real recipients beside simulated ones.
func TestOthersGoOn(t *testing.T) {
	t.Parallel()
	n := &next{}
	m := mailsim.New(mailsim.Options{Domains: []string{"test.example"}, Next: n})
	got := verdicts(m.Deliver(t.Context(), parcel("m", "x@example.com", "bounce@simulator.amazonses.com", "y@example.org", "z@test.example")))
	want := map[int]string{10: "1 0 ", 11: "3 550 5.1.1", 12: "1 0 ", 13: "1 250 2.6.0"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("verdicts (-want +got):\n%s", diff)
	}
	if want := []string{"x@example.com", "y@example.org"}; !slices.Equal(n.took, want) {
		t.Errorf("went on: %q, want %q", n.took, want)
	}
}

func TestMailsAreKept(t *testing.T) {
	t.Parallel()
	m := mailsim.New(mailsim.Options{Dir: t.TempDir(), Domains: []string{"test.example"}})
	m.Deliver(t.Context(), parcel("0100-1", "b@example.com", "bounce@test.example"))
	m.Deliver(t.Context(), parcel("0100-2", "ooto@test.example"))
	all, err := m.List(10, "")
	if err != nil {
		t.Fatalf("List = %v", err)
	}
	for i := range all {
		if all[i].At.IsZero() || all[i].Size == 0 {
			t.Errorf("mail %s has no time, or no size", all[i].ID)
		}
		all[i].At, all[i].Size = time.Time{}, 0
	}
	const took = "delivered; 250 2.6.0 Message received"
	want := []mailsim.Mail{
		{ID: "0100-2-reply-10", Message: "0100-2", To: []string{"a@example.com"}, Outcomes: []string{took}, Subject: "Out of office"},
		{ID: "0100-2", Message: "0100-2", From: "a@example.com", To: []string{"ooto@test.example"}, Outcomes: []string{took}, Subject: "Grüße"},
		{
			ID: "0100-1", Message: "0100-1", From: "a@example.com", To: []string{"b@example.com", "bounce@test.example"},
			Outcomes: []string{took, "bounced; 550 5.1.1 user unknown"}, Subject: "Grüße",
		},
	}
	if diff := cmp.Diff(want, all); diff != "" {
		t.Errorf("List (-want +got):\n%s", diff)
	}
	if some, err := m.List(10, "BOUNCE@"); err != nil || len(some) != 1 || some[0].ID != "0100-1" {
		t.Errorf("List of bounce@ = %v, %v", some, err)
	}
	if one, err := m.List(1, ""); err != nil || len(one) != 1 {
		t.Errorf("List of one = %v, %v", one, err)
	}
	text, err := m.Read("0100-1")
	if err != nil || !bytes.HasSuffix(text, []byte(strings.TrimSpace(raw))) {
		t.Fatalf("Read = %q, %v", text, err)
	}
	for _, id := range []string{"0100-1", "0100-2-reply-10"} {
		text, _ := m.Read(id)
		if _, err := mail.ReadMessage(bytes.NewReader(text)); err != nil {
			t.Errorf("%s is no message: %v", id, err)
		}
	}
	for _, id := range []string{"0100-3", "", "../0100-1", `..\x`} {
		if _, err := m.Read(id); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Read(%q) = %v, want fs.ErrNotExist", id, err)
		}
	}
}

func TestNothingIsKept(t *testing.T) {
	t.Parallel()
	m := mailsim.New(mailsim.Options{})
	m.Deliver(t.Context(), parcel("m", "b@example.com"))
	if all, err := m.List(10, ""); err != nil || len(all) != 0 {
		t.Errorf("List = %v, %v, want none", all, err)
	}
	if _, err := m.Read("m"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Read = %v", err)
	}
}

// TestTheOldestGo fills the room, and then lets time pass.
func TestTheOldestGo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	now := time.Now()
	m := mailsim.New(mailsim.Options{Dir: dir, MaxBytes: 16 << 10, Keep: 24 * time.Hour, Now: func() time.Time { return now }})
	for i := range 200 {
		m.Deliver(t.Context(), parcel(fmt.Sprintf("%04d", i), "b@example.com"))
	}
	all, err := m.List(1000, "")
	if err != nil || len(all) < 10 || len(all) > 100 {
		t.Fatalf("%d mails are kept, %v", len(all), err)
	}
	if all[0].ID != "0199" || all[len(all)-1].ID != fmt.Sprintf("%04d", 200-len(all)) {
		t.Errorf("kept are %s to %s, want the newest", all[len(all)-1].ID, all[0].ID)
	}
	now = now.Add(25 * time.Hour)
	m.Deliver(t.Context(), parcel("later", "b@example.com"))
	if all, err = m.List(1000, ""); err != nil || len(all) > 1 {
		t.Errorf("a day later %d mails are kept, %v, want at most the new one", len(all), err)
	}
	days, err := filepath.Glob(filepath.Join(dir, "*/*/*"))
	if err != nil || len(days) > 1 {
		t.Errorf("directories %q, %v, want at most that of the new mail", days, err)
	}
}

// TestUnwritable has a file where the directory should be: the mail is none the worse for it.
func TestUnwritable(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	m := mailsim.New(mailsim.Options{Dir: file})
	if got := verdicts(m.Deliver(t.Context(), parcel("m", "b@example.com"))); got[10] != "1 250 2.6.0" {
		t.Errorf("verdict %q, want delivered", got[10])
	}
}
