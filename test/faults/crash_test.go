package faults

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"
)

// repeatWindow is how far back before a kill deliveries may be repeated. Acknowledgements
// reach the log 100 ms after the last delivery of a pack; a busy machine takes longer, and
// a second of what is in the air may be repeated as well.
const repeatWindow = 3

// TestKilled kills the server under load, again and again.
func TestKilled(t *testing.T) {
	t.Parallel()
	rounds := length(3, 50)
	b := newBooks("single", "batch")
	sink := newSink(t, b)
	for _, l := range b.ledgers {
		l.recent = map[int64]int{}
	}
	o := options{data: filepath.Join(t.TempDir(), "data"), config: config(map[string]any{
		"destinations": []any{sink.binding("single", 1), sink.binding("batch", 50)},
	})}
	phones := simulatedPhones(t)
	f := newFollower(b, o.data)
	var repeatable duplicates
	for round := range rounds {
		s := start(t, o)
		c := newClient(t, s)
		if round == 0 {
			c.createSet(t, "single", "batch")
		}
		load{client: c, books: b, phones: phones, writers: 6}.during(t, func() {
			pause(t, 200*time.Millisecond+rand.N(length(1300*time.Millisecond, 5*time.Second)))
			s.wantAlive(t)
			s.kill()
		})
		f.read(t)
		for _, l := range b.ledgers {
			repeatable += duplicates(l.arrivedLately(repeatWindow))
		}
	}
	s := start(t, o)
	s.awaitDelivered(t, b, f, 0)
	finish(t, s, b, repeatable, fmt.Sprintf("%d kills", rounds))
	b.wantNoRefusals(t)
}
