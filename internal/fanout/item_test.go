package fanout

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tidings/internal/event"
)

func TestFifoIsAQueue(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var q fifo
		var model []string
		serial := 0
		fresh := func(n int) (items []item, ids []string) {
			for range n {
				serial++
				ids = append(ids, fmt.Sprint(serial))
				items = append(items, item{event: &event.Event{ID: ids[len(ids)-1], Record: make([]byte, serial)}})
			}
			return items, ids
		}
		bytes := func() (n int) {
			for i := range q.len() {
				n += q.peek(i).size()
			}
			return n
		}
		same := func(what string, items []item, want []string) {
			var got []string
			for _, it := range items {
				got = append(got, it.event.ID)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%s = %v, want %v", what, got, want)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				items, ids := fresh(rapid.IntRange(1, 5).Draw(t, "n"))
				for _, it := range items {
					q.push(it)
				}
				model = append(model, ids...)
			},
			"unshift": func(t *rapid.T) {
				items, ids := fresh(rapid.IntRange(0, 5).Draw(t, "n"))
				q.unshift(items)
				model = append(ids, model...)
			},
			"pop": func(t *rapid.T) {
				n := rapid.IntRange(0, len(model)).Draw(t, "n")
				same("pop", q.pop(n), model[:n])
				model = model[n:]
			},
			"drain": func(*rapid.T) {
				same("drain", q.drain(), model)
				model = nil
			},
			"": func(t *rapid.T) {
				if q.len() != len(model) || q.bytes != bytes() {
					t.Fatalf("%d items of %d bytes, want %d of %d", q.len(), q.bytes, len(model), bytes())
				}
			},
		})
	})
}

func TestBackoffIsJitteredAndBounded(t *testing.T) {
	t.Parallel()
	for n, most := range map[int]time.Duration{
		1: time.Second, 2: 2 * time.Second, 3: 4 * time.Second, 9: 256 * time.Second, 10: 5 * time.Minute, 1_000_000: 5 * time.Minute,
	} {
		seen := map[time.Duration]bool{}
		for range 100 {
			d := backoff(n, time.Second, 5*time.Minute)
			if d < most/2 || d > most {
				t.Fatalf("backoff(%d) = %v, want %v to %v", n, d, most/2, most)
			}
			seen[d] = true
		}
		if len(seen) < 50 {
			t.Errorf("backoff(%d) took %d values of 100, want jitter", n, len(seen))
		}
	}
}

func TestAnItemKeepsItsHistoryOnDisk(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 5, 14, 0, 0, 0, time.UTC)
	it := item{event: &event.Event{ID: "m/answered", Record: []byte("{}")}}
	it.fail(now, "first")
	it.fail(now.Add(time.Minute), "second")
	d := it.delivery()
	back := itemOf(&d, nil, 0)
	if *back.past != (past{attempts: 2, first: now, last: "second"}) {
		t.Errorf("past = %+v", *back.past)
	}
	if never := itemOf(&Delivery{}, nil, 0); never.past != nil {
		t.Errorf("past of a delivery that never failed = %+v", never.past)
	}
}

func TestMemoryLetsOneLargeDeliveryIn(t *testing.T) {
	t.Parallel()
	m := newMemory(10, 100)
	if !m.take(1_000) {
		t.Fatal("a delivery larger than all the room never gets in")
	}
	if m.take(1) {
		t.Error("more than the room was taken")
	}
	m.give(1, 1_000)
	select {
	case <-m.freed:
	default:
		t.Error("who waits is not told that there is room")
	}
	for range 10 {
		if !m.take(10) {
			t.Fatal("there is room, but none is given")
		}
	}
	if m.take(0) {
		t.Error("more deliveries than the bound were taken")
	}
}
