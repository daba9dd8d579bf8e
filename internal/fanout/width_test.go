package fanout

import (
	"testing"
	"time"
)

// farAway is a destination that answers after the time of a round trip, and after more once
// it has too much to do.
type farAway struct {
	trip     time.Duration // at best
	capacity float64       // batches/s; 0 = no bound
}

// fly returns what a flight of full batches teaches.
func (d farAway) fly(w *width, per int) landing {
	n := w.batches(per)
	took := d.trip
	if d.capacity > 0 {
		took = max(took, time.Duration(float64(w.now())/d.capacity*float64(time.Second)))
	}
	rounds := (n + w.now() - 1) / w.now()
	return landing{
		batches: n, deliveries: n * per, took: time.Duration(rounds) * took, busy: time.Duration(n) * took, more: true,
	}
}

func TestWidthFollowsTheDestination(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		to       farAway
		per      int
		least    int // after 300 flights
		most     int
		flightMS int64 // that none should exceed by much
	}{
		"far away":               {farAway{trip: 20 * time.Millisecond}, 1, 32, 32, 100},
		"very far away":          {farAway{trip: time.Second}, 10, 32, 32, 1_000},
		"at hand":                {farAway{trip: 10 * time.Microsecond}, 1, 1, 1, 100},
		"one at a time":          {farAway{trip: 2 * time.Millisecond, capacity: 500}, 500, 1, 2, 100},
		"bound at four":          {farAway{trip: 10 * time.Millisecond, capacity: 400}, 1, 3, 8, 160},
		"a file, 5 ms for 5,000": {farAway{trip: 5 * time.Millisecond, capacity: 200}, 5_000, 1, 2, 100},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var w width
			wide := 0
			for range 300 {
				l := tc.to.fly(&w, tc.per)
				if ms := l.took.Milliseconds(); w.mean > 0 && ms > tc.flightMS {
					t.Fatalf("a flight of %d batches, %d in the air, took %d ms, want at most %d", l.batches, w.now(), ms, tc.flightMS)
				}
				w.learn(l, 32)
				if w.now() > 32 || w.now() < 1 {
					t.Fatalf("width %d", w.now())
				}
				if w.now() > tc.most {
					wide++
				}
			}
			if w.now() < tc.least || wide > 30 {
				t.Errorf("width %d after 300 flights, and above %d after %d of them; want at least %d and seldom above", w.now(), tc.most, wide, tc.least)
			}
		})
	}
}

func TestWidthRules(t *testing.T) {
	t.Parallel()
	const trip = 60 * time.Millisecond
	full := func(n int, each time.Duration) landing {
		return landing{batches: n, deliveries: n, took: each, busy: time.Duration(n) * each, more: true}
	}
	for name, tc := range map[string]struct {
		from width
		with landing
		want int
	}{
		"begins with one":                {width{}, landing{}, 1},
		"doubles when more waits":        {width{}, full(1, trip), 2},
		"not when nothing waits":         {width{}, landing{batches: 1, deliveries: 1, took: trip, busy: trip}, 1},
		"not when the flight was small":  {width{size: 4, mean: trip, best: trip}, full(3, trip), 4},
		"not above the bound":            {width{size: 32, mean: trip, best: trip}, full(32, trip), 32},
		"up to the bound":                {width{size: 20, mean: trip, best: trip}, full(20, trip), 32},
		"halves after a failure":         {width{size: 9, mean: trip, best: trip}, landing{batches: 9, took: trip, busy: 9 * trip, failed: true, more: true}, 4},
		"never below one":                {width{size: 1, mean: trip, best: trip}, landing{batches: 1, took: trip, busy: trip, failed: true}, 1},
		"shrinks when crowded":           {width{size: 8, mean: trip, best: trip}, full(8, 20*trip), 6},
		"a millisecond is no crowd":      {width{size: 8, mean: 10 * time.Microsecond, best: 10 * time.Microsecond}, landing{batches: 8, deliveries: 8, took: time.Millisecond, busy: 8 * time.Millisecond}, 8},
		"not when it takes longer":       {width{size: 8, mean: 3 * trip, best: trip}, full(8, 3*trip), 8},
		"a doubling that pays goes on":   {width{size: 2, mean: trip, best: trip, before: 1, goal: 20}, full(2, trip), 4},
		"a doubling that may pay waits":  {width{size: 2, mean: trip, best: trip, before: 1, goal: 155}, full(2, trip), 2},
		"one that does not is undone":    {width{size: 2, mean: trip, best: trip, before: 1, goal: 155, trials: trialSamples - 1}, full(2, trip), 1},
		"and not repeated soon":          {width{size: 1, mean: trip, best: trip, pause: 3}, full(1, trip), 1},
		"not when our own work is long":  {width{size: 4, mean: trip, best: trip}, landing{batches: 32, deliveries: 32, took: 100 * trip, busy: 32 * trip, more: true}, 4},
		"a quick one needs no company":   {width{size: 4, mean: 5_000, best: 5_000}, landing{batches: 4_000, deliveries: 4_000, took: trip, busy: 4_000 * 5_000, more: true}, 2},
		"a flight of nothing is nothing": {width{size: 4, pause: 1}, landing{more: true}, 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := tc.from
			w.learn(tc.with, 32)
			if w.now() != tc.want {
				t.Errorf("width %d, want %d", w.now(), tc.want)
			}
		})
	}
}

func TestWidthForgets(t *testing.T) {
	t.Parallel()
	var w width
	near := farAway{trip: 2 * time.Millisecond}
	for range 20 {
		w.learn(near.fly(&w, 1), 32)
	}
	far := farAway{trip: 60 * time.Millisecond} // it has moved
	for range 300 {
		w.learn(far.fly(&w, 1), 32)
	}
	if w.now() != 32 {
		t.Errorf("width %d long after the destination became slower, want 32", w.now())
	}
}

func TestAFlightOfOneBatchStaysOne(t *testing.T) {
	t.Parallel()
	w := width{mean: 10 * time.Microsecond}
	for limit, want := range map[int]int{1: 8, 10: 8, 32: 8, 100: 2, 256: 1, 5_000: 1} {
		if got := w.batches(limit); got != want {
			t.Errorf("a flight of batches of %d takes %d of them, want %d", limit, got, want)
		}
	}
}
