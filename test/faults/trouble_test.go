package faults

import (
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// rig is a server whose event destinations are two sinks, healthy and troubled, and a
// file. Of the troubled sink there are two: one event in a request, and batches.
type rig struct {
	*server
	books    *books
	options  options
	client   *client
	healthy  *sink
	troubled *sink
	follower *follower
	load     load
	now      func() time.Time // nil = time.Now
}

// The event destinations of a rig.
var (
	wellTopics    = []string{"well"}
	troubleTopics = []string{"trouble-single", "trouble-batch"}
)

// setup is what a run wants of its rig. The zero value is good.
type setup struct {
	name   string             // how the troubled sink is known to the server; "" = by its address
	keys   map[string]any     // laid over the common configuration
	dir    string             // for the data; "" = a temporary one
	binary string             // "" = the binary under test
	env    []string           // of the server
	now    func() time.Time   // the server's clock; nil = this machine's
	dates  func() []time.Time // that a signature may be from just now; nil = now
}

// newRig starts a server.
func newRig(t testing.TB, want setup) *rig {
	t.Helper()
	if want.dir == "" {
		want.dir = t.TempDir()
	}
	r := &rig{books: newBooks(append(wellTopics, troubleTopics...)...), now: want.now}
	r.healthy, r.troubled = newSink(t, r.books), newSink(t, r.books)
	r.troubled.host = want.name
	if want.dates != nil {
		r.healthy.dates, r.troubled.dates = want.dates, want.dates
	}
	keys := map[string]any{"destinations": []any{
		r.healthy.binding("well", 1), r.troubled.binding("trouble-single", 1), r.troubled.binding("trouble-batch", 20),
	}}
	maps.Copy(keys, want.keys)
	r.options = options{binary: want.binary, data: filepath.Join(want.dir, "data"), config: config(keys), env: want.env}
	r.start(t)
	r.client.createSet(t, append(wellTopics, troubleTopics...)...)
	return r
}

// start starts the server, again or for the first time.
func (r *rig) start(t testing.TB) {
	t.Helper()
	r.server = start(t, r.options)
	r.client = newClient(t, r.server)
	if r.now != nil {
		r.client.now = r.now
	}
	r.follower = newFollower(r.books, r.data)
	r.load = load{client: r.client, books: r.books, phones: simulatedPhones(t), writers: 4, pace: length(150, 300)}
}

// impatient is how runs of seconds deliver. At full length the defaults hold.
func impatient() map[string]any {
	if scale > 0 {
		return map[string]any{}
	}
	return map[string]any{"delivery": map[string]any{"backoff": "100ms", "backoff_max": "500ms", "timeout": "1s"}}
}

// inTheAir is how many deliveries the troubled destinations can have on their way at a
// time: so many are repeated when they break off after they took them.
const inTheAir = 2 * 32 * 20

// awaitHealthy waits until all that was acknowledged has ended at the healthy
// destinations, while the troubled ones go on being in trouble.
func (r *rig) awaitHealthy(t testing.TB) {
	t.Helper()
	late := 0
	await(t, r.server, "the healthy destinations", func() bool {
		r.follower.read(t)
		late = r.books.late(fileTarget, wellTopics[0])
		return late == 0
	}, func() string { return fmt.Sprintf("%d messages have not ended there", late) })
}

// late counts acknowledged messages that have no final event at one of the destinations.
func (b *books) late(names ...string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for serial := range b.calls {
		if b.calls[serial].state != acknowledged {
			continue
		}
		if slices.ContainsFunc(b.ledgers, func(l *ledger) bool {
			return slices.Contains(names, l.name) && !l.hasFinal(serial)
		}) {
			n++
		}
	}
	return n
}

// delay describes how long events took to the ledger, since it was asked last.
func (l *ledger) delay() string {
	l.books.mu.Lock()
	defer l.books.mu.Unlock()
	defer func() { l.delays = nil }()
	return quantiles(l.delays)
}

// troubledArrivals counts what the troubled destinations took.
func (r *rig) troubledArrivals() int {
	n := 0
	for _, name := range troubleTopics {
		n += r.books.ledger(name).arrived()
	}
	return n
}

// finish waits for all deliveries and closes the books.
func (r *rig) finish(t testing.TB, most duplicates, notes ...string) {
	t.Helper()
	r.awaitDelivered(t, r.books, r.follower, 0)
	finish(t, r.server, r.books, most, notes...)
}

// TestSinkDown has a sink refuse connections, and come back.
func TestSinkDown(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{keys: impatient()})
	second := length(time.Second, 5*time.Second)
	var parked int
	r.load.during(t, func() {
		pause(t, second)
		r.troubled.close()
		pause(t, length(2*time.Second, 3*time.Minute))
		_, parked = r.backlog(t)
		r.troubled.open(t)
		pause(t, second)
	})
	back := time.Now()
	r.awaitDelivered(t, r.books, r.follower, 0)
	if parked == 0 {
		t.Error("nothing was parked while the sink was down: nothing was tested")
	}
	r.finish(t, inTheAir, fmt.Sprintf("%d parked at the end of the time down, all delivered %v after the load", parked, time.Since(back).Round(100*time.Millisecond)))
	r.books.wantNoRefusals(t)
}

// TestSinkHangs has a sink accept requests and never answer them. Meanwhile the others
// get everything.
func TestSinkHangs(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{keys: impatient()})
	well := r.books.ledger(wellTopics[0])
	var whileHanging int
	r.load.during(t, func() {
		pause(t, length(time.Second, 5*time.Second))
		r.troubled.behave(hanging)
		whileHanging = r.troubledArrivals()
		well.time()
		pause(t, length(2*time.Second, 2*time.Minute))
	})
	r.awaitHealthy(t)
	if n := r.troubledArrivals() - whileHanging; n > inTheAir {
		t.Errorf("a sink that hangs took %d deliveries", n)
	}
	delay := well.delay()
	r.troubled.behave(obliging)
	r.finish(t, inTheAir, "a healthy webhook meanwhile: "+delay)
	r.books.wantNoRefusals(t)
}

// TestSinkRedirects has a sink redirect to itself. The deliveries wait until it stops:
// nobody may be led elsewhere.
func TestSinkRedirects(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{keys: impatient()})
	r.troubled.behave(func(w http.ResponseWriter, r *http.Request, _ *ledger, _ []parcel) {
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	})
	r.load.during(t, func() { pause(t, length(time.Second, 10*time.Second)) })
	r.awaitHealthy(t)
	if n := r.troubledArrivals(); n > 0 {
		t.Errorf("%d deliveries arrived at a sink that redirects, want 0", n)
	}
	r.troubled.behave(obliging)
	r.finish(t, 0) // a request for /elsewhere would be complained of
	r.books.wantNoRefusals(t)
}
