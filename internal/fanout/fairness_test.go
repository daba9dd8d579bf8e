package fanout_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"tidings/internal/fanout"
	"tidings/internal/sink"
)

// crowd is many event destinations, ten in a set. Every tenth is in trouble: one half of
// these refuses connections, the other half hangs.
type crowd struct {
	rig     *rig
	sets    int
	names   []string
	trouble map[string]bool
}

const crowdPerSet = 10

func newCrowd(r *rig, sets int) *crowd {
	c := &crowd{rig: r, sets: sets, trouble: map[string]bool{}}
	for set := range sets {
		names := make([]string, crowdPerSet)
		for i := range names {
			names[i] = fmt.Sprintf("d-%d-%d", set, i)
		}
		c.names = append(c.names, names...)
		r.sets.put(fmt.Sprintf("s-%d", set), names...)
		c.trouble[names[set%crowdPerSet]] = true
		r.far.script(names[set%crowdPerSet], []script{down, hang}[set%2])
	}
	return c
}

// publish publishes one event for everybody.
func (c *crowd) publish() {
	for set := range c.sets {
		c.rig.publish(fmt.Sprintf("s-%d", set), 1)
	}
}

// wantEach checks how many events arrived at each destination.
func (c *crowd) wantEach(t *testing.T, healthy, troubled int) {
	t.Helper()
	wrong := 0
	for _, name := range c.names {
		want := healthy
		if c.trouble[name] {
			want = troubled
		}
		if got := len(c.rig.far.arrived(name)); got != want {
			if wrong++; wrong <= 5 {
				t.Errorf("%d events arrived at %s, want %d", got, name, want)
			}
		}
	}
	if wrong > 0 {
		t.Fatalf("%d of %d destinations are wrong", wrong, len(c.names))
	}
}

func TestTenThousandDestinationsAreIsolated(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, func(t *testing.T, r *rig) {
		c := newCrowd(r, 1_000)
		r.start(t)
		synctest.Wait()
		began := time.Now()
		for round := range 3 {
			c.publish()
			synctest.Wait()
			c.wantEach(t, round+1, 0)
		}
		if passed := time.Since(began); passed != 0 {
			t.Errorf("the healthy ones waited for %v", passed)
		}
		if all, busy := r.courier.Lanes(); all != len(c.names) || busy != len(c.names) {
			t.Errorf("%d lanes, %d busy, want %d", all, busy, len(c.names))
		}
		after(4 * time.Second)
		if n := r.log.unacknowledged(); n != 0 {
			t.Errorf("%d packs wait for those in trouble", n)
		}
		if n := runtime.NumGoroutine(); n > 2*len(c.trouble)+100 {
			t.Errorf("%d goroutines for %d destinations in trouble", n, len(c.trouble))
		}
		if _, busy := r.courier.Lanes(); busy != len(c.trouble) {
			t.Errorf("%d lanes are looked after, want the %d in trouble", busy, len(c.trouble))
		}
		c.publish()
		synctest.Wait()
		c.wantEach(t, 4, 0)
		if _, busy := r.courier.Lanes(); busy != len(c.names) {
			t.Errorf("%d lanes are looked after, want all that had an event just now", busy)
		}
		after(time.Minute)
		if err := r.courier.Audit(); err != nil {
			t.Error(err)
		}
		for name := range c.trouble {
			r.far.script(name, nil)
		}
		r.courier.Wake()
		after(time.Minute) // those that hang do so for 30 s
		c.wantEach(t, 4, 4)
		wantClear(t, r)
		if _, busy := r.courier.Lanes(); busy != 0 || r.courier.InFlight() != 0 {
			t.Errorf("%d lanes are looked after, and flights hold %d bytes, want none", busy, r.courier.InFlight())
		}
	})
}

func TestMemoryIsBoundedOverThousandsOfDestinations(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, func(t *testing.T, r *rig) {
		c := newCrowd(r, 200)
		r.set.TotalCount, r.set.TotalBytes = 500, 1<<20
		r.far.limits = sink.Limits{Count: 1, Bytes: 1 << 10}
		r.start(t)
		for round := range 3 {
			c.publish()
			for range 8 {
				after(10 * time.Millisecond)
				pending := 0
				for _, s := range r.courier.Status() {
					pending += s.Pending
				}
				if pending > 500 {
					t.Fatalf("%d deliveries in memory, want at most 500", pending)
				}
			}
			after(2 * time.Second)
			c.wantEach(t, round+1, 0)
			if err := r.courier.Audit(); err != nil {
				t.Fatal(err)
			}
		}
		if n := r.log.unacknowledged(); n > c.sets {
			t.Errorf("%d packs wait", n)
		}
	})
}

func TestABacklogOfManyIsReadLittleAtATime(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, func(t *testing.T, r *rig) {
		const many, each = 200, 400
		var names []string
		for i := range many {
			names = append(names, fmt.Sprintf("d-%d", i))
			r.far.script(names[i], down)
		}
		r.sets.put("s", names...)
		r.set.TotalBytes = 4 << 20 // of which flights have 1 MiB
		r.far.limits.Count = 10
		r.start(t)
		r.publish("s", each)
		after(5 * time.Minute)
		for _, name := range names { // now all of them answer, and slowly
			r.far.script(name, taking(20*time.Millisecond))
		}
		r.courier.Wake()
		most := 0
		for range 2_000 {
			after(5 * time.Millisecond)
			most = max(most, r.courier.InFlight())
		}
		// The last few of them take the least that a flight gets, and one that begins to
		// recover keeps eight deliveries.
		if bound := 1<<20 + many*(32<<10); most > bound {
			t.Errorf("flights held %d bytes, want at most %d", most, bound)
		}
		after(time.Hour)
		for _, name := range names {
			if n := len(r.far.arrived(name)); n != each {
				t.Fatalf("%d arrived at %s, want %d", n, name, each)
			}
		}
		wantClear(t, r)
	})
}

func TestAHangingBacklogIsNotKeptInMemory(t *testing.T) {
	t.Parallel()
	inBubble(t, []string{"a"}, func(t *testing.T, r *rig) {
		r.far.script("a", hang)
		r.start(t)
		r.publish("s", 1_000)
		after(2 * time.Minute)
		if got := r.status(t, subscriber("s", "a")); got.Parked != 1_000 || got.State != fanout.Failing && got.State != fanout.Slow {
			t.Fatalf("Status = %+v", got)
		}
		inFlight := func(ctx context.Context, batch []sink.Delivery) error {
			if n := r.courier.InFlight(); n > 10_000 { // eight small deliveries
				t.Errorf("a probe of %d holds %d bytes", len(batch), n)
			}
			return hang(ctx, batch)
		}
		r.far.script("a", inFlight)
		before := len(r.far.tried("a"))
		after(time.Hour)
		if n := len(r.far.tried("a")); n == before {
			t.Error("nothing was tried")
		}
	})
}
