package email

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"tidings/internal/configset"
	"tidings/internal/event"
)

// runIntake is an Intake over a disk with one message for each number of recipients.
func runIntake(tb testing.TB) (*Intake, *runDisk, *prometheus.Registry) {
	tb.Helper()
	accepted := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	one, two := runMessage("one", "Ann@example.com"), runMessage("two", "Ann@example.com", "bob@example.com")
	one.Accepted, two.Accepted = accepted, accepted
	one.ReturnPath = "returns@example.com"
	d := newRunDisk(one, two)
	d.sets["cs"].Destinations = []configset.EventDestination{
		{Name: "all", Enabled: true, Types: []event.Type{event.EmailBounce, event.EmailComplaint, event.EmailOpen}},
		{Name: "app", Enabled: true, Types: []event.Type{event.EmailClick}, Destination: configset.Destination{Kind: configset.Pinpoint, ARN: runApp}},
	}
	l := d.crash()
	reg := prometheus.NewRegistry()
	now := func() time.Time { return accepted.Add(time.Hour) }
	return &Intake{Spool: l, Publisher: l, Registry: l, Sets: l, Now: now, Metrics: NewMetrics(reg)}, d, reg
}

func TestBouncesComeBack(t *testing.T) {
	t.Parallel()
	gone := BackBounce{
		Recipient: "ann@EXAMPLE.com", Action: "Failed", Status: "5.1.1", Diagnostic: "smtp; 550 5.1.1 user unknown", ReportingMTA: "dns; mx.example.com",
	}
	with := func(edit func(b *BackBounce)) BackBounce {
		b := gone
		edit(&b)
		return b
	}
	ann := map[string]string{"ann@example.com": "BOUNCE"}
	for _, tt := range []struct {
		name, id string
		b        BackBounce
		result   string
		want     []string // in the record
		listed   map[string]string
	}{
		{"of one", "one", gone, backPublished, []string{
			`"bounceType":"Permanent","bounceSubType":"General"`, `"timestamp":"2026-03-01T13:00:00.000Z"`, `"reportingMTA":"dsn; mx.example.com"`,
			`[{"emailAddress":"Ann@example.com","action":"failed","status":"5.1.1","diagnosticCode":"smtp; 550 5.1.1 user unknown"}]`,
		}, ann},
		{"of one among two", "two", gone, backPublished, []string{`[{"emailAddress":"Ann@example.com",`}, ann},
		{"forwarded by the only one", "one", with(func(b *BackBounce) { b.Recipient = "elsewhere@example.net" }), backPublished, []string{`[{"emailAddress":"Ann@example.com",`}, ann},
		{"forwarded by one of two", "two", with(func(b *BackBounce) { b.Recipient = "elsewhere@example.net" }), backPublished, []string{
			`"bounceType":"Undetermined","bounceSubType":"Undetermined"`, `[{"emailAddress":"elsewhere@example.net",`,
		}, nil},
		{"of nobody knows whom", "two", BackBounce{}, backPublished, []string{
			`"bounceType":"Undetermined"`, `"bouncedRecipients":[{"emailAddress":"Ann@example.com"},{"emailAddress":"bob@example.com"}]`,
		}, nil},
		{"for a while", "one", with(func(b *BackBounce) { b.Status = "4.2.2" }), backPublished, []string{`"bounceType":"Transient","bounceSubType":"MailboxFull"`}, nil},
		{"delayed", "one", with(func(b *BackBounce) { b.Delayed = true }), backUnwanted, nil, nil},
		{"relayed", "one", with(func(b *BackBounce) { b.Action = "relayed" }), backUnwanted, nil, nil},
		{"of a message nobody knows", "none", gone, backUnknown, nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			in, d, reg := runIntake(t)
			for range 2 { // a server sends it again when our answer was lost
				if err := in.Bounced(t.Context(), tt.id, tt.b); err != nil {
					t.Fatalf("Bounced = %v", err)
				}
			}
			if n := runSample(t, reg, "tidings_email_feedback_total", tt.result); n != 2 {
				t.Errorf("tidings_email_feedback_total{result=%q} = %v, want 2", tt.result, n)
			}
			runWantFeedback(t, d, tt.want, tt.listed)
			if tt.want != nil && !bytes.Equal(d.log[0].Record, d.log[1].Record) {
				t.Errorf("the same bounce has two records:\n%s\n%s", d.log[0].Record, d.log[1].Record)
			}
		})
	}
}

// runWantFeedback holds the disk to one event with these parts in its record, and to this suppression list.
func runWantFeedback(tb testing.TB, d *runDisk, parts []string, listed map[string]string) {
	tb.Helper()
	events := d.events()
	if parts == nil {
		if len(events) != 0 {
			tb.Errorf("events = %v, want none", events)
		}
		return
	}
	if len(events) != 1 {
		tb.Fatalf("events = %v, want one", d.ids())
	}
	for _, part := range parts {
		if !strings.Contains(string(events[0].Record), part) {
			tb.Errorf("record = %s, want %s in it", events[0].Record, part)
		}
	}
	if listed == nil {
		listed = map[string]string{}
	}
	if diff := cmp.Diff(listed, d.listed()); diff != "" {
		tb.Errorf("suppression list differs (-want +got):\n%s", diff)
	}
}

func TestComplaintsComeBack(t *testing.T) {
	t.Parallel()
	ann := map[string]string{"ann@example.com": "COMPLAINT"}
	for _, tt := range []struct {
		name, id string
		c        Complaint
		want     []string
		listed   map[string]string
	}{
		{"of one", "two", Complaint{Recipients: []string{"ann@example.com"}, Type: "abuse", UserAgent: "Feedback/1"}, []string{
			`"complainedRecipients":[{"emailAddress":"Ann@example.com"}]`, `"complaintSubType":null`, `"userAgent":"Feedback/1","complaintFeedbackType":"abuse"}`,
		}, ann},
		{"of the only one, hidden", "one", Complaint{}, []string{`"complainedRecipients":[{"emailAddress":"Ann@example.com"}]`, `"complaintSubType":null}`}, ann},
		{"of one of two, hidden", "two", Complaint{}, []string{`[{"emailAddress":"Ann@example.com"},{"emailAddress":"bob@example.com"}]`}, nil},
		{"of a stranger", "two", Complaint{Recipients: []string{"x@example.net"}}, []string{`[{"emailAddress":"x@example.net"}]`}, nil},
		{"that is none", "one", Complaint{Type: "not-spam"}, []string{`"complaintFeedbackType":"not-spam"`}, nil},
		{"of a message nobody knows", "none", Complaint{}, nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			in, d, _ := runIntake(t)
			for range 2 {
				if err := in.Complained(t.Context(), tt.id, tt.c); err != nil {
					t.Fatalf("Complained = %v", err)
				}
			}
			runWantFeedback(t, d, tt.want, tt.listed)
		})
	}
}

func TestOpensAndClicksComeBack(t *testing.T) {
	t.Parallel()
	in, d, reg := runIntake(t)
	at := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	v := Visit{IP: "192.0.2.1", UserAgent: "Mozilla/5.0", At: at}
	err := errors.Join(
		in.Opened(t.Context(), "one", v), in.Opened(t.Context(), "one", v), in.Opened(t.Context(), "none", v),
		in.Clicked(t.Context(), "one", v, "https://example.com/", map[string][]string{"k": {"v"}}),
	)
	if err != nil {
		t.Fatal(err)
	}
	var types []event.Type
	for _, e := range d.events() { // each open is an event of its own
		types = append(types, e.Type)
		if !e.Time.Equal(at) {
			t.Errorf("the time of %s is %v, want %v", e.ID, e.Time, at)
		}
	}
	if diff := cmp.Diff([]event.Type{event.EmailOpen, event.EmailOpen, event.EmailClick, event.AppEvent}, types); diff != "" {
		t.Errorf("events differ (-want +got):\n%s", diff)
	}
	d.sets["cs"].Destinations = nil
	if err := errors.Join(in.Opened(t.Context(), "one", v), in.Clicked(t.Context(), "one", v, "https://example.com/", nil)); err != nil {
		t.Fatal(err)
	}
	if n := len(d.events()); n != 4 {
		t.Errorf("%d events, want the 4 that were there: nobody wants opens and clicks any more", n)
	}
	for result, want := range map[string]float64{backPublished: 3, backUnknown: 1, backUnwanted: 2} {
		if n := runSample(t, reg, "tidings_email_feedback_total", result); n != want {
			t.Errorf("tidings_email_feedback_total{result=%q} = %v, want %v", result, n, want)
		}
	}
}

// TestWhatCannotBeTakenInIsAnError lets the sender try again.
func TestWhatCannotBeTakenInIsAnError(t *testing.T) {
	t.Parallel()
	in, d, reg := runIntake(t)
	full := errors.New("disk full")
	d.fate = func(string) (bool, error) { return false, full }
	b := BackBounce{Recipient: "ann@example.com", Action: "failed", Status: "5.1.1"}
	if err := in.Bounced(t.Context(), "one", b); !errors.Is(err, full) {
		t.Errorf("Bounced = %v, want %v", err, full)
	}
	d.broken = errors.New("no registry")
	for name, err := range map[string]error{
		"Bounced": in.Bounced(t.Context(), "one", b), "Complained": in.Complained(t.Context(), "one", Complaint{}), "Opened": in.Opened(t.Context(), "one", Visit{}),
	} {
		if !errors.Is(err, d.broken) {
			t.Errorf("%s = %v, want %v", name, err, d.broken)
		}
	}
	if n := runSample(t, reg, "tidings_email_feedback_total", backFailed); n != 4 {
		t.Errorf("tidings_email_feedback_total{result=%q} = %v, want 4", backFailed, n)
	}
}

func TestCopiesGoWhereTheClientAskedFor(t *testing.T) {
	t.Parallel()
	in, _, _ := runIntake(t)
	if err := in.Return(t.Context(), "one", []byte("report")); err != nil {
		t.Errorf("Return without a way = %v, want nil", err)
	}
	var to []string
	full := error(nil)
	in.Forward = func(_ context.Context, m Message, original []byte) error {
		to = append(to, m.ReturnPath+" "+string(original))
		return full
	}
	for _, id := range []string{"one", "two", "none"} {
		if err := in.Return(t.Context(), id, []byte("report")); err != nil {
			t.Errorf("Return(%q) = %v", id, err)
		}
	}
	if !slices.Equal(to, []string{"returns@example.com report"}) {
		t.Errorf("forwarded %q, want one report", to)
	}
	full = errors.New("spool full")
	if err := in.Return(t.Context(), "one", nil); !errors.Is(err, full) {
		t.Errorf("Return = %v, want %v", err, full)
	}
}

// TestTheLogHasNoAddresses unless it may.
func TestTheLogHasNoAddresses(t *testing.T) {
	t.Parallel()
	for _, personal := range []bool{false, true} {
		in, _, _ := runIntake(t)
		var log bytes.Buffer
		in.Log, in.Personal = slog.New(slog.NewTextHandler(&log, nil)), personal
		err := errors.Join(
			in.Bounced(t.Context(), "one", BackBounce{Status: "5.1.1", Diagnostic: "smtp; 550 <Ann@example.com>"}),
			in.Complained(t.Context(), "one", Complaint{}), in.Opened(t.Context(), "one", Visit{IP: "192.0.2.1"}),
		)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(log.String(), "mail came back"); n != 2 {
			t.Errorf("%d lines, want 2:\n%s", n, &log)
		}
		if got := strings.Contains(log.String(), "Ann@example.com"); got != personal {
			t.Errorf("with Personal %v an address in the log is %v:\n%s", personal, got, &log)
		}
	}
}
