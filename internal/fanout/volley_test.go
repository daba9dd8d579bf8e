package fanout_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"tidings/internal/event"
	"tidings/internal/sink"
)

// air watches which batches are under way together.
type air struct {
	mu       sync.Mutex
	messages map[string]int // batches under way, by message
	batches  int
	most     int
	clash    string // a message that was in two batches at once
}

func (a *air) watch(s script) script {
	a.messages = map[string]int{}
	return func(ctx context.Context, batch []sink.Delivery) error {
		held := map[string]bool{}
		for i := range batch {
			held[batch[i].Event.Message] = true
		}
		a.count(held, 1)
		defer a.count(held, -1)
		return s(ctx, batch)
	}
}

func (a *air) count(held map[string]bool, by int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.batches += by
	a.most = max(a.most, a.batches)
	for m := range held {
		if a.messages[m] += by; a.messages[m] > 1 {
			a.clash = m
		}
	}
}

func idsOf(events []event.Event) []string {
	ids := make([]string, len(events))
	for i := range events {
		ids[i] = events[i].ID
	}
	return ids
}

// byMessage sorts event IDs by message, and keeps their order within each.
func byMessage(ids []string) []string {
	sorted := slices.Clone(ids)
	slices.SortStableFunc(sorted, func(a, b string) int {
		return strings.Compare(a[:strings.IndexByte(a, '/')], b[:strings.IndexByte(b, '/')])
	})
	return sorted
}

// taking takes everything after d.
func taking(d time.Duration) script {
	return func(ctx context.Context, _ []sink.Delivery) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func TestEventsOfAMessageGoOneAfterTheOther(t *testing.T) {
	t.Parallel()
	for _, count := range []int{1, 3, 7, 100} {
		t.Run(fmt.Sprintf("batches of %d", count), func(t *testing.T) {
			t.Parallel()
			inBubble(t, []string{"a"}, func(t *testing.T, r *rig) {
				var a air
				d := newDice(uint64(count))
				r.far.limits.Count = count
				r.far.script("a", a.watch(d.late(func(e *sink.Delivery) time.Duration {
					return time.Duration(1+d.roll(e, 30)) * time.Millisecond
				})))
				events := r.publishCalls("s", 60, 5)
				r.start(t)
				r.courier.Widen(subscriber("s", "a"), 4)
				after(time.Minute)
				got := r.far.arrived("a")
				if diff := cmp.Diff(byMessage(idsOf(events)), byMessage(got)); diff != "" {
					t.Errorf("arrived, by message (-want +got):\n%s", diff)
				}
				if a.clash != "" {
					t.Errorf("two batches with %s were under way at once", a.clash)
				}
				if a.most < 2 && count < 100 {
					t.Error("batches never were under way together")
				}
				wantClear(t, r)
			})
		})
	}
}

func TestBatchesOfAVolleyAreFullAndKeepTheLimits(t *testing.T) {
	t.Parallel()
	inBubble(t, []string{"a"}, func(t *testing.T, r *rig) {
		r.far.limits = sink.Limits{Count: 10, Bytes: 50} // seven records of 7 bytes
		r.publishCalls("s", 70, 2)
		r.far.script("a", taking(10*time.Millisecond))
		r.start(t)
		r.courier.Widen(subscriber("s", "a"), 4)
		after(time.Minute)
		tried := r.far.tried("a")
		for _, a := range tried {
			if len(a.ids) > 7 {
				t.Errorf("a batch of %d, want at most 7", len(a.ids))
			}
		}
		if len(tried) > 23 {
			t.Errorf("%d batches for 140 deliveries, want about 20", len(tried))
		}
	})
}

func TestOneSlowBatchDoesNotIdleTheOthers(t *testing.T) {
	t.Parallel()
	inBubble(t, []string{"a"}, func(t *testing.T, r *rig) {
		r.far.limits.Count = 1
		learn(t, r, "a", time.Millisecond, 4)
		first := fmt.Sprintf("m%05d", r.serial+1)
		r.far.script("a", func(ctx context.Context, batch []sink.Delivery) error {
			long := time.Millisecond
			if batch[0].Event.Message == first {
				long = 6 * time.Millisecond
			}
			return taking(long)(ctx, batch)
		})
		began := time.Now()
		ids := gather(t, r, "a", 22) // one of 6 ms, and 21 of 1 ms for the other three
		var last time.Time
		for _, a := range r.far.tried("a") {
			last = a.at
		}
		if n := len(ids); n != 22 {
			t.Fatalf("%d published", n)
		}
		if passed := last.Sub(began); passed > 7*time.Millisecond {
			t.Errorf("the last batch began after %v, want 6 ms", passed)
		}
	})
}

// learn has the lane find out how long a batch takes, and gives it a width.
func learn(t *testing.T, r *rig, name string, long time.Duration, width int) {
	t.Helper()
	r.far.script(name, taking(long))
	if r.courier == nil {
		r.start(t)
	}
	r.publish("s", 1)
	after(time.Second)
	r.courier.Widen(subscriber("s", name), width)
}

// gather publishes n events that leave in one flight: they come while another is under way.
func gather(t *testing.T, r *rig, name string, n int) []string {
	t.Helper()
	r.far.mu.Lock()
	then := r.far.scripts[name]
	r.far.mu.Unlock()
	release := make(chan struct{})
	r.far.script(name, func(context.Context, []sink.Delivery) error { <-release; return nil })
	r.publish("s", 1)
	synctest.Wait()
	ids := r.publish("s", n)
	synctest.Wait()
	r.far.script(name, then)
	close(release)
	after(100 * time.Millisecond)
	return ids
}

func TestTheWidthIsLearned(t *testing.T) {
	t.Parallel()
	inBubble(t, []string{"a"}, func(t *testing.T, r *rig) {
		var a air
		r.far.limits.Count = 1
		r.set.Concurrency = 8
		r.far.script("a", a.watch(taking(20*time.Millisecond)))
		r.start(t)
		r.publish("s", 3_000)
		after(5 * time.Second)
		if got := r.status(t, subscriber("s", "a")); got.Width != 8 {
			t.Errorf("width %d after 5 s, want 8", got.Width)
		}
		after(10 * time.Second)
		if n := len(r.far.arrived("a")); n != 3_000 {
			t.Errorf("%d of 3,000 arrived in 15 s, want all: 8 at a time are 400/s", n)
		}
		if a.most != 8 {
			t.Errorf("%d were under way at once, want 8", a.most)
		}
	})
}
