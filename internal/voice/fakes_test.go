package voice

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tidings/internal/event"
	"tidings/internal/tenant"
)

var (
	noon  = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	owner = tenant.Tenant{Account: "123456789012", Region: "us-east-1"}
)

func message(id string) Message {
	return Message{
		ID: id, Tenant: owner, Accepted: noon, Destination: "+14255550159", Origination: "+12065550153",
		Country: "US", Set: "cs-1", MaxLength: 5 * time.Minute,
		Content: Content{Kind: PlainText, Text: "secret words", Language: "en-US", Voice: "Joanna"},
	}
}

// disk is a queue and an event log that outlive the process. It implements Queue and
// Publisher for one life of the process after the other.
type disk struct {
	mu       sync.Mutex
	life     int // the present one; earlier lives are dead
	messages []Message
	out      map[string]bool // handed out in this life
	done     map[string]bool
	log      []event.Event
	released int
	wake     chan struct{} // closed and renewed when there is something to hand out
	// publish, if set, decides about an attempt to publish: whether it is stored, and
	// what the caller is told.
	publish func(events []event.Event) (store bool, err error)
}

func newDisk(messages ...Message) *disk {
	return &disk{messages: messages, out: map[string]bool{}, done: map[string]bool{}, wake: make(chan struct{})}
}

var errDead = errors.New("this life of the process is over")

// life is the disk as one life of the process sees it.
type life struct {
	*disk
	n int
}

// crash ends the present life at once and begins a new one.
func (d *disk) crash() life {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.life++
	clear(d.out)
	return life{d, d.life}
}

func (l life) Put(_ context.Context, m Message) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.messages = append(l.messages, m)
	close(l.wake)
	l.wake = make(chan struct{})
	return nil
}

func (l life) Next(ctx context.Context) (Job, error) {
	for {
		l.mu.Lock()
		if l.n != l.life {
			l.mu.Unlock()
			return Job{}, errDead
		}
		for _, m := range l.messages {
			if !l.out[m.ID] && !l.done[m.ID] {
				l.out[m.ID] = true
				defer l.mu.Unlock()
				return l.job(m), nil
			}
		}
		wake := l.wake
		l.mu.Unlock()
		select {
		case <-wake:
		case <-ctx.Done():
			return Job{}, ctx.Err()
		}
	}
}

func (l life) job(m Message) Job {
	j := Job{Message: m}
	for _, e := range l.log {
		if e.Message == m.ID {
			j.Begun = append(j.Begun, e.Type)
		}
	}
	once := func(f func()) func() {
		return func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			if l.n == l.life {
				f()
			}
		}
	}
	j.Done = once(func() { l.done[m.ID] = true })
	j.Release = once(func() {
		l.released++
		delete(l.out, m.ID)
	})
	return j
}

func (l life) Publish(_ context.Context, events ...event.Event) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.n != l.life {
		return errDead
	}
	store, err := true, error(nil)
	if l.publish != nil {
		store, err = l.publish(events)
	}
	if store {
		l.log = append(l.log, events...)
	}
	return err
}

// allDone reports whether every message is done.
func (d *disk) allDone() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.done) == len(d.messages)
}

// types are the types of a message's events, each event once.
func (d *disk) types(id string) []event.Type {
	d.mu.Lock()
	defer d.mu.Unlock()
	var all []event.Type
	seen := map[string]bool{}
	for _, e := range d.log {
		if e.Message == id && !seen[e.ID] {
			seen[e.ID] = true
			all = append(all, e.Type)
		}
	}
	return all
}

// last is the last event in the log.
func (d *disk) last(tb testing.TB) event.Event {
	tb.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.log) == 0 {
		tb.Fatal("the event log is empty")
	}
	return d.log[len(d.log)-1]
}

// speaker is a Synthesizer. The zero value says everything in 6 s.
type speaker func(ctx context.Context, c Content, limit time.Duration) (Speech, error)

func (f speaker) Synthesize(ctx context.Context, c Content, limit time.Duration) (Speech, error) {
	if f == nil {
		return Speech{Duration: 6 * time.Second, Estimated: true}, nil
	}
	return f(ctx, c, limit)
}

// dialer is a Dialer.
type dialer func(ctx context.Context, c Call, progress func(event.Type) error) (Outcome, error)

func (f dialer) Dial(ctx context.Context, c Call, progress func(event.Type) error) (Outcome, error) {
	return f(ctx, c, progress)
}

// answers is a call that rings 2 s, is answered and spoken to.
func answers(ctx context.Context, c Call, progress func(event.Type) error) (Outcome, error) {
	if err := progress(event.VoiceRinging); err != nil {
		return Outcome{}, err
	}
	if !wait(ctx, 2*time.Second) {
		return Outcome{}, ctx.Err()
	}
	if err := progress(event.VoiceAnswered); err != nil {
		return Outcome{}, err
	}
	if !wait(ctx, c.Speech.Duration) {
		return Outcome{}, ctx.Err()
	}
	return Outcome{Type: event.VoiceCompleted, Talk: c.Speech.Duration}, nil
}

// wait lets time pass and reports whether all of it did before ctx ended.
func wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// sample reads a counter or gauge; label is the value of its only label, "" if it has none.
func sample(tb testing.TB, reg *prometheus.Registry, name, label string) float64 {
	tb.Helper()
	families, err := reg.Gather()
	if err != nil {
		tb.Fatalf("Gather = %v", err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name && (label == "" || m.GetLabel()[0].GetValue() == label) {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return 0
}
