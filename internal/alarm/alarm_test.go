package alarm

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"tidings/internal/configset"
	"tidings/internal/event"
	"tidings/internal/fanout"
	"tidings/internal/sink"
)

// house is what a Watcher looks at.
type house struct {
	status  []fanout.SubscriberStatus
	letters int
	broken  error // of Count
	refuse  error // of Publish
	events  []event.Event
	watcher *Watcher
	now     time.Time
}

func (h *house) Count(context.Context) (int, error) { return h.letters, h.broken }

func (h *house) Publish(_ context.Context, events ...event.Event) error {
	if h.refuse == nil {
		h.events = append(h.events, events...)
	}
	return h.refuse
}

func newHouse() *house {
	h := &house{now: time.UnixMilli(1_795_000_000_000).UTC()}
	h.watcher = &Watcher{
		Thresholds: Thresholds{Failures: 3, Lag: time.Minute, DeadLetters: 2},
		Status:     func() []fanout.SubscriberStatus { return h.status },
		Letters:    h, Publisher: h, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return h.now },
	}
	return h
}

// look looks, and returns what was published meanwhile as "raised failures a".
func (h *house) look(t testing.TB) []string {
	t.Helper()
	h.events = nil
	h.watcher.Look(t.Context())
	var said []string
	for _, e := range h.events {
		var b body
		if err := json.Unmarshal(e.Record, &b); err != nil {
			t.Fatalf("record %s: %v", e.Record, err)
		}
		if e.ID != b.AlarmID+"/"+strings.TrimPrefix(b.EventType, "alarm.") || e.Message != b.AlarmID || string(e.Type) != b.EventType {
			t.Errorf("event %+v and its record %s do not agree", e, e.Record)
		}
		said = append(said, strings.TrimSpace(strings.TrimPrefix(b.EventType, "alarm.")+" "+string(b.Alarm)+" "+b.Destination))
	}
	return said
}

func failing(name string, failures int, lag float64) fanout.SubscriberStatus {
	return fanout.SubscriberStatus{Destination: name, State: fanout.Failing, Failures: failures, Lag: lag, LastError: "no answer"}
}

func TestAlarmsAreRaisedOnceAndClearedOnce(t *testing.T) {
	t.Parallel()
	h := newHouse()
	for i, step := range []struct {
		status  []fanout.SubscriberStatus
		letters int
		want    []string
	}{
		{nil, 0, nil},
		{[]fanout.SubscriberStatus{failing("a", 2, 1)}, 1, nil},
		{[]fanout.SubscriberStatus{failing("a", 3, 1)}, 1, []string{"raised failures a"}},
		{[]fanout.SubscriberStatus{failing("a", 9, 1)}, 1, nil},
		{[]fanout.SubscriberStatus{failing("a", 1, 1)}, 1, nil}, // not healed
		{[]fanout.SubscriberStatus{failing("a", 0, 1)}, 1, []string{"cleared failures a"}},
		{[]fanout.SubscriberStatus{failing("a", 0, 60)}, 1, []string{"raised lag a"}},
		{[]fanout.SubscriberStatus{failing("a", 0, 31)}, 1, nil}, // does not flutter
		{[]fanout.SubscriberStatus{failing("a", 0, 29)}, 2, []string{"cleared lag a", "raised dead_letters"}},
		{nil, 1, []string{"cleared dead_letters"}},
		{[]fanout.SubscriberStatus{failing("a", 3, 0)}, 0, []string{"raised failures a"}},
		{nil, 0, []string{"cleared failures a"}}, // it was deleted
		{[]fanout.SubscriberStatus{{Destination: "a", State: fanout.Disabled, Failures: 9, Lag: 900}}, 0, nil},
	} {
		h.status, h.letters = step.status, step.letters
		if diff := cmp.Diff(step.want, h.look(t)); diff != "" {
			t.Errorf("step %d (-want +got):\n%s", i, diff)
		}
	}
}

func TestRaisedAndItsMetric(t *testing.T) {
	t.Parallel()
	h := newHouse()
	h.status = []fanout.SubscriberStatus{failing("b", 3, 0), failing("a", 4, 61)}
	h.look(t)
	var got []string
	for _, a := range h.watcher.Raised() {
		got = append(got, a.Destination+" "+string(a.Kind))
		if a.Since != h.now || a.Detail == "" {
			t.Errorf("%+v lacks its beginning or its sentence", a)
		}
	}
	if diff := cmp.Diff([]string{"a failures", "a lag", "b failures"}, got); diff != "" {
		t.Errorf("Raised (-want +got):\n%s", diff)
	}
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(h.watcher)
	want := `
# HELP tidings_alarms Alarms that are raised now, by what they are about: failures, lag, dead_letters.
# TYPE tidings_alarms gauge
tidings_alarms{alarm="dead_letters"} 0
tidings_alarms{alarm="failures"} 2
tidings_alarms{alarm="lag"} 1
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}

func TestAnUnknownCountOfDeadLettersChangesNothing(t *testing.T) {
	t.Parallel()
	h := newHouse()
	h.letters = 2
	h.look(t)
	h.broken = errors.New("storage is being reopened")
	if got := h.look(t); got != nil {
		t.Errorf("published %q, want nothing while nobody knows", got)
	}
}

func TestAlarmsWaitForTheLog(t *testing.T) {
	t.Parallel()
	h := newHouse()
	h.status = []fanout.SubscriberStatus{failing("a", 3, 0)}
	h.refuse = errors.New("the disk is full")
	h.look(t)
	h.refuse, h.status = nil, nil
	if diff := cmp.Diff([]string{"raised failures a", "cleared failures a"}, h.look(t)); diff != "" {
		t.Errorf("published (-want +got):\n%s", diff)
	}
	if got := h.look(t); got != nil {
		t.Errorf("published %q again", got)
	}
}

func TestTheDestinationOfAlarmsMakesNoAlarmEvents(t *testing.T) {
	t.Parallel()
	h := newHouse()
	h.status = []fanout.SubscriberStatus{failing(subscriber.String(), 3, 90)}
	if got := h.look(t); got != nil {
		t.Errorf("published %q, want nothing: it would feed itself", got)
	}
	if got := len(h.watcher.Raised()); got != 2 {
		t.Errorf("%d alarms raised, want 2 all the same", got)
	}
}

func TestRunEnds(t *testing.T) {
	t.Parallel()
	h := newHouse()
	looked := make(chan struct{}, 1)
	h.watcher.Status = func() []fanout.SubscriberStatus {
		select {
		case looked <- struct{}{}:
		default:
		}
		return nil
	}
	h.watcher.Every = time.Millisecond
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.watcher.Run(ctx) }()
	<-looked
	stop()
	if err := <-done; err != nil {
		t.Errorf("Run = %v", err)
	}
}

// somebody is a Directory with one subscriber, who wants everything.
type somebody struct{ sub fanout.Subscriber }

func (d somebody) Match(_ *event.Event, buf []fanout.Subscriber) []fanout.Subscriber {
	return append(buf, d.sub)
}

func (d somebody) Find(s fanout.Subscriber) (sink.Target, bool, bool) {
	return sink.Target{Kind: configset.SNS}, true, s == d.sub
}

func TestDirectory(t *testing.T) {
	t.Parallel()
	target, err := NewTarget("arn:aws:sns:us-east-1:123456789012:operators")
	if err != nil {
		t.Fatal(err)
	}
	client := fanout.Subscriber{Tenant: owner, Scope: configset.Voice, Set: "s", Name: "d"}
	d := Directory{Directory: somebody{client}, Target: target}
	for _, tt := range []struct {
		typ  event.Type
		want []fanout.Subscriber
	}{
		{event.AlarmRaised, []fanout.Subscriber{subscriber}},
		{event.AlarmCleared, []fanout.Subscriber{subscriber}},
		{event.VoiceBusy, []fanout.Subscriber{client}},
	} {
		if diff := cmp.Diff(tt.want, d.Match(&event.Event{Type: tt.typ}, nil)); diff != "" {
			t.Errorf("Match(%s) (-want +got):\n%s", tt.typ, diff)
		}
	}
	if got, enabled, ok := d.Find(subscriber); got != target || !enabled || !ok {
		t.Errorf("Find of the operator = %v, %v, %v", got, enabled, ok)
	}
	if got, _, ok := d.Find(client); got.Kind != configset.SNS || !ok {
		t.Errorf("Find of a client = %v, %v", got, ok)
	}
	d.Target = sink.Target{}
	if got := d.Match(&event.Event{Type: event.AlarmRaised}, nil); got != nil {
		t.Errorf("Match without a destination of alarms = %v, want nobody", got)
	}
	if _, _, ok := d.Find(subscriber); ok {
		t.Error("Find without a destination of alarms found one")
	}
	if _, err := NewTarget("operators"); err == nil {
		t.Error("NewTarget of what is no ARN worked")
	}
}
