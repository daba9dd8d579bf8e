package email

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tidings/internal/configset"
	"tidings/internal/event"
	"tidings/internal/tenant"
)

var runOwner = tenant.Tenant{Account: "123456789012", Region: "us-east-1"}

const runApp = "arn:aws:mobiletargeting:us-east-1:123456789012:apps/0123456789abcdef0123456789abcdef"

// runMessage is a message of the set cs, accepted now.
func runMessage(id string, recipients ...string) Message {
	return Message{
		ID: id, Tenant: runOwner, Accepted: clockNow(nil), Source: "Sender <s@example.com>", Sender: "s@example.com",
		Recipients: recipients, Set: "cs", Tags: map[string][]string{"campaign": {"spring"}},
	}
}

// runMail is a message on the disk.
type runMail struct {
	message Message
	saved   []byte // state that survives a crash; nil = none
	state   []byte // state that the present life has; nil = that of saved
	due     time.Time
	out     bool // handed out in the present life
	done    bool
	kept    bool // done survives a crash
}

// runDisk is a spool, an event log and a registry that outlive the process. It implements the interfaces for one life of the process
// after the other.
type runDisk struct {
	Registry // nil: what the runner does not need breaks the test

	mu         sync.Mutex
	life       int // the present one; earlier lives are dead
	mails      []*runMail
	log        []event.Event
	calls      []int         // how many events each call of Publish brought
	wake       chan struct{} // closed and renewed when there may be something to hand out
	suppressed map[string]*Suppressed
	settings   Settings
	counts     Counts
	sets       map[string]*configset.Set
	// lazy says that what need not wait for the disk is lost in a crash.
	lazy bool
	// fate, if set, decides about a write: whether it is stored, and what the caller is told.
	fate func(what string) (stored bool, err error)
	// broken, if set, is what reading the registry fails with.
	broken error
}

func newRunDisk(messages ...Message) *runDisk {
	d := &runDisk{wake: make(chan struct{}), suppressed: map[string]*Suppressed{}, sets: map[string]*configset.Set{"cs": {Name: "cs"}}}
	for _, m := range messages {
		d.mails = append(d.mails, &runMail{message: m})
	}
	return d
}

var errRunDead = errors.New("this life of the process is over")

// runLife is the disk as one life of the process sees it.
type runLife struct {
	*runDisk
	n int
}

// crash ends the present life at once and begins a new one.
func (d *runDisk) crash() runLife {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.life++
	for _, m := range d.mails {
		var s State
		if m.saved != nil {
			_ = json.Unmarshal(m.saved, &s)
		}
		m.out, m.state, m.due = false, nil, s.Due
		m.done = m.kept
	}
	return runLife{d, d.life}
}

// Put fails: nobody here accepts mail.
func (l runLife) Put(context.Context, ...Letter) error { return errors.ErrUnsupported }

func (l runLife) Find(_ context.Context, id string) (Message, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken != nil {
		return Message{}, false, l.broken
	}
	for _, m := range l.mails {
		if m.message.ID == id {
			return m.message, true, nil
		}
	}
	return Message{}, false, nil
}

func (l runLife) Next(ctx context.Context) (Job, error) {
	for {
		l.mu.Lock()
		if l.n != l.life {
			l.mu.Unlock()
			return Job{}, errRunDead
		}
		soonest := time.Hour
		for _, m := range l.mails {
			if m.out || m.done {
				continue
			}
			if wait := time.Until(m.due); wait > 0 {
				soonest = min(soonest, wait)
				continue
			}
			m.out = true
			defer l.mu.Unlock()
			return l.job(m), nil
		}
		wake := l.wake
		l.mu.Unlock()
		timer := time.NewTimer(soonest)
		select {
		case <-wake:
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return Job{}, ctx.Err()
		}
		timer.Stop()
	}
}

func (l runLife) job(m *runMail) Job {
	j := Job{Message: m.message}
	if m.state == nil {
		m.state = m.saved
	}
	if m.state != nil {
		_ = json.Unmarshal(m.state, &j.State)
	}
	ended := false
	end := func(f func()) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.n != l.life || ended {
			return
		}
		ended, m.out = true, false
		f()
		close(l.wake)
		l.wake = make(chan struct{})
	}
	j.Content = func(context.Context) ([]byte, error) { return []byte("Subject: hello\r\n\r\nhello\r\n"), nil }
	j.Save = func(_ context.Context, s State) error { return l.save(m, s) }
	j.Done = func() { end(func() { m.done, m.kept = true, !l.lazy }) }
	j.Wait = func(s State) {
		end(func() {
			m.state, _ = json.Marshal(s)
			m.due = s.Due
			if !l.lazy {
				m.saved = m.state
			}
		})
	}
	j.Release = func() { end(func() {}) }
	return j
}

func (l runLife) save(m *runMail, s State) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.n != l.life {
		return errRunDead
	}
	stored, err := l.decide("save")
	if stored {
		m.saved, _ = json.Marshal(s)
		m.state = m.saved
	}
	return err
}

func (l runLife) Publish(_ context.Context, events ...event.Event) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.n != l.life {
		return errRunDead
	}
	stored, err := l.decide("publish")
	if stored {
		l.log = append(l.log, events...)
		l.calls = append(l.calls, len(events))
	}
	return err
}

func (d *runDisk) decide(what string) (bool, error) {
	if d.fate == nil {
		return true, nil
	}
	return d.fate(what)
}

func (l runLife) Suppressed(_ context.Context, _ tenant.Tenant, address string) (*Suppressed, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, ok := l.suppressed[address]
	return s, ok, l.broken
}

func (l runLife) PutSuppressed(_ context.Context, _ tenant.Tenant, s *Suppressed) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.n != l.life {
		return errRunDead
	}
	l.suppressed[s.Address] = s
	return nil
}

func (l runLife) Settings(context.Context, tenant.Tenant) (Settings, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.settings, l.broken
}

func (l runLife) Count(_ tenant.Tenant, _ time.Time, add Counts) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts.Attempts += add.Attempts
	l.counts.Bounces += add.Bounces
	l.counts.Complaints += add.Complaints
	l.counts.Rejections += add.Rejections
}

func (l runLife) Get(key configset.Key) (*configset.Set, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, ok := l.sets[key.Name]
	return s, ok && key.Scope == configset.Email && key.Tenant == runOwner
}

// quiet reports whether every message is done.
func (d *runDisk) quiet() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !slices.ContainsFunc(d.mails, func(m *runMail) bool { return !m.done })
}

// events are those of the log, each ID once.
func (d *runDisk) events() []event.Event {
	d.mu.Lock()
	defer d.mu.Unlock()
	var all []event.Event
	seen := map[string]bool{}
	for _, e := range d.log {
		if !seen[e.ID] {
			seen[e.ID] = true
			all = append(all, e)
		}
	}
	return all
}

// ids are the IDs of the events, without the message's.
func (d *runDisk) ids() []string {
	var all []string
	for _, e := range d.events() {
		all = append(all, strings.TrimPrefix(e.ID, e.Message))
	}
	return all
}

// listed are the addresses on the suppression list and why.
func (d *runDisk) listed() map[string]string {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := map[string]string{}
	for address, s := range d.suppressed {
		all[address] = s.Reason
	}
	return maps.Clone(all)
}

// runTransport is a Transport.
type runTransport func(ctx context.Context, p Parcel) []Reply

func (f runTransport) Deliver(ctx context.Context, p Parcel) []Reply { return f(ctx, p) }

// runSays answers attempt after attempt for all recipients at once, the last answer again and again.
func runSays(replies ...Reply) runTransport {
	var mu sync.Mutex
	n := 0
	return func(_ context.Context, p Parcel) []Reply {
		mu.Lock()
		defer mu.Unlock()
		r := replies[min(n, len(replies)-1)]
		n++
		r.Recipients = p.Indexes
		return []Reply{r}
	}
}

var (
	runTaken = Reply{
		Verdict: Delivered, Code: 250, Enhanced: "2.6.0", Text: "250 2.6.0 Message received",
		Host: "mx.example.com", RemoteIP: "192.0.2.25", LocalIP: "198.51.100.7", TLS: "TLSv1.3",
	}
	runRefused = Reply{Verdict: Refused, Code: 550, Enhanced: "5.1.1", Text: "550 5.1.1 user unknown", Host: "mx.example.com"}
	runLater   = Reply{Verdict: Deferred, Code: 451, Enhanced: "4.3.0", Text: "451 4.3.0 try again later", Host: "mx.example.com"}
)

// runThrough runs r on a new life of d until everything is done or so much time has passed, then stops it. It must be called in
// a bubble of synctest.
func runThrough(tb testing.TB, d *runDisk, r *Runner, most time.Duration) {
	tb.Helper()
	l := d.crash()
	r.Spool, r.Publisher, r.Registry, r.Sets = l, l, l, l
	ctx, stop := context.WithCancel(tb.Context())
	returned := make(chan error, 1)
	go func() { returned <- r.Run(ctx) }()
	synctest.Wait()
	for end := time.Now().Add(most); time.Now().Before(end) && !d.quiet(); synctest.Wait() {
		time.Sleep(time.Second)
	}
	stop()
	if err := <-returned; !errors.Is(err, context.Canceled) {
		tb.Errorf("Run = %v, want %v", err, context.Canceled)
	}
}

// runSample adds up a metric over its labels, or reads the one with a label of this value.
func runSample(tb testing.TB, reg *prometheus.Registry, name, label string) float64 {
	tb.Helper()
	families, err := reg.Gather()
	if err != nil {
		tb.Fatalf("Gather = %v", err)
	}
	sum := 0.0
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() != name {
				continue
			}
			has := label == ""
			for _, l := range m.GetLabel() {
				has = has || l.GetValue() == label
			}
			if has {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return sum
}
