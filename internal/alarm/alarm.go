// Package alarm tells operators when deliveries are in trouble: in the log, in metrics, and
// as events to a destination of their own.
package alarm

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tidings/internal/event"
	"tidings/internal/fanout"
	"tidings/internal/tenant"
)

// Kind is what an alarm is about.
type Kind string

// The kinds.
const (
	Failures    Kind = "failures"     // attempts of one event destination failed in a row
	Lag         Kind = "lag"          // the oldest undelivered event of one event destination is too old
	DeadLetters Kind = "dead_letters" // deliveries were given up, over all destinations
)

var kinds = []Kind{DeadLetters, Failures, Lag}

// Thresholds say when an alarm is raised. Each is at least 1.
type Thresholds struct {
	Failures    int           // attempts
	Lag         time.Duration // cleared at half of it, so that it does not flutter
	DeadLetters int
}

// Alarm is one thing that is wrong.
type Alarm struct {
	ID          string // the same when it is raised and when it is cleared
	Kind        Kind
	Destination string // account/region/scope/set/name; "" = all of them
	Target      string // its ARN
	Since       time.Time
	Detail      string // a sentence
}

// Watcher looks at all destinations from time to time. Its fields are set before Run; it
// is safe for concurrent use.
type Watcher struct {
	Thresholds
	Status  func() []fanout.SubscriberStatus
	Letters interface {
		Count(ctx context.Context) (int, error)
	}
	// Publisher takes the events of alarms; nil = there are none.
	Publisher interface {
		Publish(ctx context.Context, events ...event.Event) error
	}
	Log   *slog.Logger
	Now   func() time.Time
	Every time.Duration // between two looks; 0 = 5 s

	mu     sync.Mutex
	raised map[key]*Alarm
	unsent []event.Event // what could not be published yet
}

// key is what can be raised once at a time.
type key struct {
	kind        Kind
	destination string
}

const defaultEvery = 5 * time.Second

// Run looks until ctx ends.
func (w *Watcher) Run(ctx context.Context) error {
	every := w.Every
	if every <= 0 {
		every = defaultEvery
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			w.Look(ctx)
		}
	}
}

// Look compares what is with what was raised, and tells the difference.
func (w *Watcher) Look(ctx context.Context) {
	now := w.Now().UTC()
	wrong := map[key]Alarm{}
	holds := map[key]bool{} // not wrong enough to be raised, too wrong to be cleared
	for _, s := range w.Status() {
		w.judge(&s, wrong, holds)
	}
	if n, err := w.Letters.Count(ctx); err != nil {
		holds[key{DeadLetters, ""}] = true // nobody knows
	} else if n >= w.DeadLetters {
		wrong[key{DeadLetters, ""}] = Alarm{Kind: DeadLetters, Detail: fmt.Sprintf("%d deliveries were given up; see tidings deadletters list", n)}
	}
	w.mu.Lock()
	events := append(w.unsent, w.clear(now, wrong, holds)...)
	events = append(events, w.raise(now, wrong)...)
	w.unsent = nil
	w.mu.Unlock()
	if w.Publisher == nil || len(events) == 0 {
		return
	}
	if err := w.Publisher.Publish(ctx, events...); err != nil {
		w.keep(events, err)
	}
}

func (w *Watcher) judge(s *fanout.SubscriberStatus, wrong map[key]Alarm, holds map[key]bool) {
	failures, lag := key{Failures, s.Destination}, key{Lag, s.Destination}
	about := Alarm{Destination: s.Destination, Target: s.Target}
	switch {
	case s.State == fanout.Disabled: // somebody said so: nothing is wrong
		return
	case s.Failures >= w.Failures:
		a := about
		a.Kind, a.Detail = Failures, fmt.Sprintf("%d attempts failed in a row: %s", s.Failures, s.LastError)
		wrong[failures] = a
	case s.Failures > 0:
		holds[failures] = true
	}
	behind := time.Duration(s.Lag * float64(time.Second))
	switch {
	case behind >= w.Lag:
		a := about
		a.Kind, a.Detail = Lag, fmt.Sprintf("the oldest undelivered event is %v old; %d are waiting", behind.Round(time.Second), s.Pending+s.Parked)
		wrong[lag] = a
	case behind >= w.Lag/2:
		holds[lag] = true
	}
}

// clear takes back what is not wrong any more. mu is held.
func (w *Watcher) clear(now time.Time, wrong map[key]Alarm, holds map[key]bool) []event.Event {
	var events []event.Event
	for k, a := range w.raised {
		if _, still := wrong[k]; still || holds[k] {
			continue
		}
		delete(w.raised, k)
		w.Log.Info("alarm cleared", "alarm", a.Kind, "destination", a.Destination, "raised_for", now.Sub(a.Since).Round(time.Second))
		events = append(events, record(a, event.AlarmCleared, now)...)
	}
	return events
}

// raise notes what is newly wrong. mu is held.
func (w *Watcher) raise(now time.Time, wrong map[key]Alarm) []event.Event {
	var events []event.Event
	for k, a := range wrong {
		if have, ok := w.raised[k]; ok {
			have.Detail = a.Detail
			continue
		}
		if w.raised == nil {
			w.raised = map[key]*Alarm{}
		}
		a.ID, a.Since = strings.ToLower(rand.Text()), now
		w.raised[k] = &a
		w.Log.Warn("alarm raised", "alarm", a.Kind, "destination", a.Destination, "target", a.Target, "detail", a.Detail)
		events = append(events, record(&a, event.AlarmRaised, now)...)
	}
	return events
}

// maxUnsent bounds the alarms that wait for the event log.
const maxUnsent = 1_000

// keep holds events back until the log takes them.
func (w *Watcher) keep(events []event.Event, why error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(events) > maxUnsent {
		w.Log.Error("alarms cannot be published and the oldest are dropped", "dropped", len(events)-maxUnsent, "error", why)
		events = events[len(events)-maxUnsent:]
	}
	w.unsent = events
}

// Raised returns the alarms that are raised now, in the order of their destinations.
func (w *Watcher) Raised() []Alarm {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := make([]Alarm, 0, len(w.raised))
	for _, a := range w.raised {
		all = append(all, *a)
	}
	slices.SortFunc(all, func(a, b Alarm) int {
		return strings.Compare(a.Destination+" "+string(a.Kind), b.Destination+" "+string(b.Kind))
	})
	return all
}

var descRaised = prometheus.NewDesc("tidings_alarms", "Alarms that are raised now, by what they are about: failures, lag, dead_letters.", []string{"alarm"}, nil)

// Describe makes the Watcher a prometheus.Collector.
func (w *Watcher) Describe(ch chan<- *prometheus.Desc) { ch <- descRaised }

// Collect makes the Watcher a prometheus.Collector.
func (w *Watcher) Collect(ch chan<- prometheus.Metric) {
	counts := map[Kind]int{}
	for _, a := range w.Raised() {
		counts[a.Kind]++
	}
	for _, k := range kinds {
		ch <- prometheus.MustNewConstMetric(descRaised, prometheus.GaugeValue, float64(counts[k]), string(k))
	}
}

// owner has no client: its account and region exist for alarms only.
var owner = tenant.Tenant{Account: "000000000000", Region: "local"}

// body is the record of an alarm.
type body struct {
	EventType      string `json:"eventType"` // alarm.raised or alarm.cleared
	EventVersion   string `json:"eventVersion"`
	EventTimestamp int64  `json:"eventTimestamp"` // milliseconds since 1970
	AlarmID        string `json:"alarmId"`
	Alarm          Kind   `json:"alarm"`
	Destination    string `json:"destination,omitempty"`
	Target         string `json:"target,omitempty"`
	Since          string `json:"since"`
	Detail         string `json:"detail"`
}

// record makes the event of an alarm; none if it is about the destination of alarms, which
// would feed itself.
func record(a *Alarm, t event.Type, now time.Time) []event.Event {
	if a.Destination == subscriber.String() {
		return nil
	}
	text, err := json.Marshal(body{
		string(t), "1.0", now.UnixMilli(), a.ID, a.Kind, a.Destination, a.Target, a.Since.Format(time.RFC3339), a.Detail,
	})
	if err != nil {
		return nil // strings and numbers always encode
	}
	_, word, _ := strings.Cut(string(t), ".")
	return []event.Event{{ID: a.ID + "/" + word, Type: t, Time: now, Tenant: owner, Message: a.ID, Record: text}}
}
