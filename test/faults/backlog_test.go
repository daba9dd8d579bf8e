package faults

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestBacklog lets deliveries pile up while all webhooks are down, kills and starts the
// server on top of the pile, and lets it drain.
func TestBacklog(t *testing.T) {
	t.Parallel()
	const destinations, events = 5, 4
	messages := length(20_000, 5_000_000) / (destinations * events)
	var topics []string
	for i := range destinations {
		topics = append(topics, fmt.Sprintf("pile-%d", i))
	}
	b := newBooks(topics...)
	sink := newSink(t, b)
	sink.close()
	file := b.ledger(fileTarget)
	file.recent = map[int64]int{}
	o := options{data: filepath.Join(t.TempDir(), "data"), config: config(map[string]any{
		"destinations": []any{sink.binding("pile", 100)},
		"storage":      map[string]any{"max_bytes": "40GiB", "keep_events_bytes": "20GiB"},
		"alarms":       map[string]any{"lag": "24h"},
	})}
	s := start(t, o)
	c, f := newClient(t, s), newFollower(b, o.data)
	c.createSet(t, topics...)

	begun := time.Now()
	// A phone that is answered, so that every call has four events.
	load{client: c, books: b, phones: simulatedPhones(t)[:1], writers: 16, limit: messages}.run(t.Context(), t)
	filled := time.Since(begun)
	owed := messages * destinations * events
	awaitPile(t, s, b, f, owed)
	notes := []string{fmt.Sprintf("%d messages in %v, peak %d MiB resident, %d MiB on disk", messages, filled.Round(time.Second), s.resident(true), size(t, o.data)>>20)}
	f.read(t)
	repeatable := duplicates(len(b.ledgers) * file.arrivedLately(repeatWindow))
	s.kill()

	begun = time.Now()
	s = start(t, o)
	parked := 0
	await(t, s, "the pile after a start", func() bool {
		_, parked = s.backlog(t)
		return parked >= owed
	}, func() string { return fmt.Sprintf("%d parked, want %d", parked, owed) })
	notes = append(notes, fmt.Sprintf("killed, ready again in %v, knows its %d parked deliveries after %v, %d MiB resident", s.startUp.Round(time.Millisecond),
		parked, time.Since(begun).Round(time.Millisecond), s.resident(false)))
	notes = append(notes, drain(t, s, sink, owed))
	f = newFollower(b, o.data) // the server may have cut off a torn line
	file.clear()
	s.awaitDelivered(t, b, f, 0)
	finish(t, s, b, repeatable, notes...)
	b.wantNoRefusals(t)
}

// awaitPile waits until all calls have ended and all their events are parked.
func awaitPile(t testing.TB, s *server, b *books, f *follower, owed int) {
	t.Helper()
	late, pending, parked := 0, 0, 0
	await(t, s, "the pile", func() bool {
		f.read(t)
		if late = b.late(fileTarget); late > 0 {
			return false
		}
		pending, parked = s.backlog(t)
		return parked == owed
	}, func() string {
		return fmt.Sprintf("%d calls have not ended, %d deliveries pending, %d parked, want %d", late, pending, parked, owed)
	})
}

// drain opens the sink and waits until the pile is gone. What arrives is looked at
// afterwards, so that the test does not take the processor away from the server.
func drain(t testing.TB, s *server, sink *sink, owed int) string {
	t.Helper()
	sink.storing = true
	sink.open(t)
	var first time.Time
	parked := owed
	begun := time.Now()
	await(t, s, "the end of the pile", func() bool {
		if first.IsZero() && sink.asked.Load() > 0 {
			first = time.Now()
		}
		var pending int
		pending, parked = s.backlog(t)
		return pending+parked == 0
	}, func() string { return fmt.Sprintf("%d parked", parked) })
	took := time.Since(first)
	note := fmt.Sprintf("drained in %v, %v after the sink was back: %.0f deliveries/s, peak %d MiB resident", took.Round(100*time.Millisecond),
		first.Sub(begun).Round(100*time.Millisecond), float64(owed)/took.Seconds(), s.resident(true))
	sink.close()
	for _, letter := range sink.letters {
		if l, parcels := sink.read(letter.path, letter.header, letter.body, []time.Time{letter.arrived}); l != nil {
			l.received(parcels)
		}
	}
	return note
}

// size is how many bytes the engine's files have.
func size(t testing.TB, data string) int64 {
	t.Helper()
	var sum int64
	err := filepath.WalkDir(data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.Contains(path, "destinations") {
			return nil //nolint:nilerr // what goes while it is counted does not count
		}
		if info, err := d.Info(); err == nil {
			sum += info.Size()
		}
		return nil
	})
	if err != nil {
		t.Fatalf("measure the data directory: %v", err)
	}
	return sum
}
