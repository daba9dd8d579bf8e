package email

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"tidings/internal/configset"
	"tidings/internal/event"
	"tidings/internal/tenant"
)

// runScanner finds a threat, or fails so many times before.
type runScanner struct {
	threat string
	fails  int
}

func (s *runScanner) Scan(context.Context, []byte) (string, error) {
	if s.fails > 0 {
		s.fails--
		return "", errors.New("clamd is away")
	}
	return s.threat, nil
}

func TestMailsAreLivedToTheirEnd(t *testing.T) {
	t.Parallel()
	complained := runTaken
	complained.Complaint = &Complaint{Type: "abuse", UserAgent: "Mailbox Simulator"}
	silly := runRefused
	silly.Verdict = 77
	for _, tt := range []struct {
		name    string
		change  func(d *runDisk, r *Runner)
		replies []Reply
		ids     []string
		counts  Counts
		listed  map[string]string
	}{
		{name: "delivered", replies: []Reply{runTaken}, ids: []string{"/send", "/delivery/0"}, counts: Counts{Attempts: 2}},
		{
			name: "bounced", replies: []Reply{runRefused}, ids: []string{"/send", "/bounce/0"}, counts: Counts{Attempts: 2, Bounces: 2},
			listed: map[string]string{"ann@example.com": "BOUNCE", "bob@example.com": "BOUNCE"},
		},
		{name: "deferred twice", replies: []Reply{runLater, runLater, runTaken}, ids: []string{"/send", "/delivery/0"}, counts: Counts{Attempts: 2}},
		{name: "deferred for ever", replies: []Reply{runLater}, ids: []string{"/send", "/bounce/0"}, counts: Counts{Attempts: 2, Bounces: 2}},
		{name: "a verdict that is none", replies: []Reply{silly, runTaken}, ids: []string{"/send", "/delivery/0"}, counts: Counts{Attempts: 2}},
		{
			name: "complained of", replies: []Reply{complained}, ids: []string{"/send", "/delivery/0", "/complaint/0"},
			counts: Counts{Attempts: 2, Complaints: 2}, listed: map[string]string{"ann@example.com": "COMPLAINT", "bob@example.com": "COMPLAINT"},
		},
		{
			name: "rejected", change: func(_ *runDisk, r *Runner) { r.Scanner = &runScanner{threat: "EICAR", fails: 2} },
			ids: []string{"/reject"}, counts: Counts{Rejections: 2},
		},
		{
			name: "scanned late", change: func(_ *runDisk, r *Runner) { r.Scanner = &runScanner{fails: 3} },
			replies: []Reply{runTaken}, ids: []string{"/send", "/delivery/0"}, counts: Counts{Attempts: 2},
		},
		{
			name: "never scanned", change: func(_ *runDisk, r *Runner) { r.Scanner = &runScanner{fails: 1e9} },
			ids: []string{"/send", "/bounce/0"}, counts: Counts{Attempts: 2, Bounces: 2},
		},
		{
			name: "not rendered", change: func(d *runDisk, _ *Runner) { d.mails[0].message.Failure = "Attribute 'name' is not present" },
			ids: []string{"/rendering_failure"},
		},
		{
			name: "one suppressed", change: func(d *runDisk, _ *Runner) { d.suppressed["bob@example.com"] = &Suppressed{Reason: "COMPLAINT"} },
			replies: []Reply{runTaken}, ids: []string{"/send", "/bounce/0", "/delivery/1"}, counts: Counts{Attempts: 2},
			listed: map[string]string{"bob@example.com": "COMPLAINT"},
		},
		{
			name: "suppressed for what the set does not mind", change: func(d *runDisk, _ *Runner) {
				d.suppressed["bob@example.com"] = &Suppressed{Reason: "COMPLAINT"}
				d.sets["cs"].Options.Suppression = []string{"BOUNCE"}
			},
			replies: []Reply{runTaken}, ids: []string{"/send", "/delivery/0"}, counts: Counts{Attempts: 2},
			listed: map[string]string{"bob@example.com": "COMPLAINT"},
		},
		{
			name: "bounces that the account does not mind", change: func(d *runDisk, _ *Runner) { d.settings.Suppression = []string{} },
			replies: []Reply{runRefused}, ids: []string{"/send", "/bounce/0"}, counts: Counts{Attempts: 2, Bounces: 2},
		},
		{
			name: "without a set", change: func(d *runDisk, _ *Runner) { d.mails[0].message.Set = "" },
			replies: []Reply{runRefused}, counts: Counts{Attempts: 2, Bounces: 2},
			listed: map[string]string{"ann@example.com": "BOUNCE", "bob@example.com": "BOUNCE"},
		},
		{
			name: "the simulator", change: func(d *runDisk, _ *Runner) {
				d.mails[0].message.Recipients = []string{"bounce+x@Simulator.AmazonSES.com"}
				d.suppressed["bounce+x@simulator.amazonses.com"] = &Suppressed{Reason: "BOUNCE"}
			},
			replies: []Reply{runRefused}, ids: []string{"/send", "/bounce/0"}, counts: Counts{Attempts: 1, Bounces: 1},
			listed: map[string]string{"bounce+x@simulator.amazonses.com": "BOUNCE"},
		},
		{name: "the transport panics", change: func(_ *runDisk, r *Runner) {
			calm, panicked := r.Transport, false
			r.Transport = runTransport(func(ctx context.Context, p Parcel) []Reply {
				if !panicked {
					panicked = true
					panic("oops")
				}
				return calm.Deliver(ctx, p)
			})
		}, replies: []Reply{runTaken}, ids: []string{"/send", "/delivery/0"}, counts: Counts{Attempts: 2}},
		{name: "the transport forgets some, and makes others up", change: func(_ *runDisk, r *Runner) {
			r.Transport = runTransport(func(_ context.Context, p Parcel) []Reply {
				taken, refused := runTaken, runRefused
				taken.Recipients, refused.Recipients = []int{p.Indexes[0], p.Indexes[0], 7, -1}, p.Indexes[:1]
				return []Reply{taken, refused}
			})
		}, ids: []string{"/send", "/delivery/0", "/delivery/1"}, counts: Counts{Attempts: 2}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := newRunDisk(runMessage("m", "Ann@example.com", "bob@example.com"))
				reg := prometheus.NewRegistry()
				r := &Runner{Transport: runSays(append(tt.replies, runTaken)...), Metrics: NewMetrics(reg)}
				if len(tt.replies) > 0 {
					r.Transport = runSays(tt.replies...)
				}
				if tt.change != nil {
					tt.change(d, r)
				}
				runThrough(t, d, r, 15*time.Hour)
				if !d.quiet() {
					t.Error("the message is not done")
				}
				if diff := cmp.Diff(tt.ids, d.ids()); diff != "" {
					t.Errorf("events differ (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(tt.counts, d.counts); diff != "" {
					t.Errorf("statistics differ (-want +got):\n%s", diff)
				}
				if tt.listed == nil {
					tt.listed = map[string]string{}
				}
				if diff := cmp.Diff(tt.listed, d.listed()); diff != "" {
					t.Errorf("suppression list differs (-want +got):\n%s", diff)
				}
				if got, want := runSample(t, reg, "tidings_email_outcomes_total", ""), float64(len(d.mails[0].message.Recipients)); got != want {
					t.Errorf("tidings_email_outcomes_total = %v, want %v", got, want)
				}
				if n := runSample(t, reg, "tidings_email_in_progress", ""); n != 0 {
					t.Errorf("tidings_email_in_progress = %v, want 0", n)
				}
			})
		})
	}
}

// TestEveryAttemptHasItsTime compares the times of attempts with the schedule, give or take the part left to chance, and looks for
// an attempt at the deadline and a soft bounce there.
func TestEveryAttemptHasItsTime(t *testing.T) {
	t.Parallel()
	m := time.Minute
	for _, tt := range []struct {
		name     string
		maxAge   time.Duration
		schedule []time.Duration
		set      time.Duration
		pauses   []time.Duration
		end      time.Duration
		subtype  string
		minutes  string
	}{
		{"as it is by default", 0, nil, 0, []time.Duration{m, 5 * m, 15 * m, 30 * m, 60 * m, 120 * m, 240 * m}, 12 * time.Hour, "General", "in 720 minutes"},
		{"set by the operator", 2 * time.Hour, []time.Duration{10 * m}, 0, slices.Repeat([]time.Duration{10 * m}, 10), 2 * time.Hour, "General", "in 120 minutes"},
		{"shortened by the set", 0, nil, 10 * m, []time.Duration{m, 5 * m}, 10 * m, "CustomTimeoutExceeded", "in 10 minutes"},
		{"longer in the set", 10 * m, nil, time.Hour, []time.Duration{m, 5 * m}, 10 * m, "General", "in 10 minutes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := newRunDisk(runMessage("m", "ann@example.com"))
				d.sets["cs"].Options.MaxDelivery = tt.set
				begun := time.Now()
				var times []time.Duration
				r := &Runner{MaxAge: tt.maxAge, Schedule: tt.schedule, Transport: runTransport(func(_ context.Context, p Parcel) []Reply {
					times = append(times, time.Since(begun))
					reply := runLater
					reply.Recipients = p.Indexes
					return []Reply{reply}
				})}
				runThrough(t, d, r, 15*time.Hour)
				if len(times) < 2 || times[0] != 0 || times[len(times)-1] != tt.end {
					t.Fatalf("attempts at %v, want the first at 0 and the last at %v", times, tt.end)
				}
				for i, want := range tt.pauses {
					if i+2 >= len(times) { // the pause before the deadline may be cut off
						break
					}
					if got := times[i+1] - times[i]; got < want*9/10 || got > want*11/10 {
						t.Errorf("pause %d = %v, want %v ± 10 %%", i+1, got, want)
					}
				}
				record := string(d.log[len(d.log)-1].Record)
				for _, want := range []string{
					`"bounceType":"Transient","bounceSubType":"` + tt.subtype + `"`, `"status":"4.4.7"`,
					`"diagnosticCode":"smtp; 550 4.4.7 Message expired: unable to deliver ` + tt.minutes + `.<451 4.3.0 try again later>"`,
				} {
					if !strings.Contains(record, want) {
						t.Errorf("bounce = %s, want %s in it", record, want)
					}
				}
			})
		})
	}
}

// TestBouncesAlikeAreOneEvent is what the mailbox simulator's page promises.
func TestBouncesAlikeAreOneEvent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newRunDisk(runMessage("m", "bounce+1@simulator.amazonses.com", "ok@example.com", "bounce+2@simulator.amazonses.com", "other@example.net"))
		r := &Runner{Transport: runTransport(func(_ context.Context, p Parcel) []Reply {
			one, two, taken, other := runRefused, runRefused, runTaken, runRefused
			one.Recipients, taken.Recipients, two.Recipients, other.Recipients = p.Indexes[:1], p.Indexes[1:2], p.Indexes[2:3], p.Indexes[3:]
			other.Host = "mx.example.net"
			return []Reply{two, taken, one, other}
		})}
		runThrough(t, d, r, time.Minute)
		if diff := cmp.Diff([]string{"/send", "/bounce/0", "/delivery/1", "/bounce/2"}, d.ids()); diff != "" {
			t.Fatalf("events differ (-want +got):\n%s", diff)
		}
		var record struct {
			Bounce struct {
				BouncedRecipients []struct{ EmailAddress string }
			}
		}
		if err := json.Unmarshal(d.log[1].Record, &record); err != nil {
			t.Fatal(err)
		}
		want := []struct{ EmailAddress string }{{"bounce+1@simulator.amazonses.com"}, {"bounce+2@simulator.amazonses.com"}}
		if diff := cmp.Diff(want, record.Bounce.BouncedRecipients); diff != "" {
			t.Errorf("bounced recipients differ (-want +got):\n%s", diff)
		}
	})
}

// runHelp is everything that prepares a parcel.
type runHelp struct{ tracked, signed []string }

func (h *runHelp) Track(raw []byte, id, host string, opens, clicks bool) ([]byte, error) {
	if opens {
		h.tracked = append(h.tracked, id+" opens "+host)
	}
	if clicks {
		h.tracked = append(h.tracked, id+" clicks "+host)
	}
	return append([]byte("tracked "), raw...), nil
}

func (h *runHelp) Sign(_ context.Context, _ tenant.Tenant, sender string, raw []byte) ([]byte, error) {
	h.signed = append(h.signed, sender)
	return append([]byte("signed "), raw...), nil
}

func (h *runHelp) For(id string) string { return "bounce-" + id + "@bounces.example.com" }

func TestAParcelIsPrepared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newRunDisk(runMessage("m", "Ann@example.com"))
		d.sets["cs"].Options = configset.Options{RequireTLS: true, RedirectDomain: "links.example.com"}
		d.sets["cs"].Destinations = []configset.EventDestination{
			{Name: "on", Enabled: true, Types: []event.Type{event.EmailOpen}},
			{Name: "off", Types: []event.Type{event.EmailClick}},
		}
		help := &runHelp{}
		var got Parcel
		r := &Runner{Tracker: help, Signer: help, ReturnPaths: help, Transport: runTransport(func(_ context.Context, p Parcel) []Reply {
			got = p
			taken := runTaken
			taken.Recipients = p.Indexes
			return []Reply{taken}
		})}
		runThrough(t, d, r, time.Minute)
		want := Parcel{
			ID: "m", Tenant: runOwner, From: "bounce-m@bounces.example.com", Recipients: []string{"Ann@example.com"}, Indexes: []int{0},
			Data: []byte("signed tracked Subject: hello\r\n\r\nhello\r\n"), RequireTLS: true,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("parcel differs (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"m opens links.example.com"}, help.tracked); diff != "" {
			t.Errorf("tracking differs (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"s@example.com"}, help.signed); diff != "" {
			t.Errorf("signing differs (-want +got):\n%s", diff)
		}
	})
}

// TestAppsAreTold sees to it that the event for an app stands in the same call as the one that it doubles.
func TestAppsAreTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newRunDisk(runMessage("m", "ann@example.com"))
		app := func(name string, enabled bool, arn string, types ...event.Type) configset.EventDestination {
			return configset.EventDestination{Name: name, Enabled: enabled, Types: types, Destination: configset.Destination{Kind: configset.Pinpoint, ARN: arn}}
		}
		d.sets["cs"].Destinations = []configset.EventDestination{
			app("one", true, runApp, event.EmailDelivery),
			app("the same", true, runApp, event.EmailDelivery),
			app("off", false, runApp, event.EmailSend),
			app("foreign", true, strings.Replace(runApp, "123456789012", "210987654321", 1), event.EmailDelivery),
			app("no app", true, "arn:aws:mobiletargeting:us-east-1:123456789012:apps/", event.EmailDelivery),
			{Name: "topic", Enabled: true, Types: []event.Type{event.EmailDelivery}, Destination: configset.Destination{Kind: configset.SNS, ARN: "arn:aws:sns:us-east-1:123456789012:t"}},
		}
		runThrough(t, d, &Runner{Transport: runSays(runTaken)}, time.Minute)
		const id = "0123456789abcdef0123456789abcdef"
		if diff := cmp.Diff([]string{"/send", "/delivery/0", "/delivery/0/app/" + id}, d.ids()); diff != "" {
			t.Fatalf("events differ (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]int{1, 2}, d.calls); diff != "" {
			t.Errorf("calls of Publish differ (-want +got):\n%s", diff)
		}
		twin := d.log[2]
		if twin.Type != event.AppEvent || twin.Set != id || twin.Tenant != runOwner || twin.Partition() != uuidFrom("m") {
			t.Errorf("event = %+v, want one of the app", twin)
		}
	})
}
