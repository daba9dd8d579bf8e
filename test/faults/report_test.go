package faults

import (
	"fmt"
	"strings"
	"testing"
)

// finish stops the server, closes the books and reports. Everything must have arrived
// before; notes say what else was seen.
func finish(t testing.TB, s *server, b *books, most duplicates, notes ...string) {
	t.Helper()
	s.readLog(t, b)
	dead := len(s.deadLetters(t))
	_, parked := s.backlog(t)
	s.stop(t)

	// What was read while the file grew may have been taken back; what counts is what is there.
	b.ledger(fileTarget).clear()
	f := newFollower(b, s.data)
	f.read(t)
	f.wantWhole(t)

	sum := b.close()
	if b.refused > 0 {
		notes = append(notes, fmt.Sprintf("%d requests refused", b.refused))
	}
	if b.lonely > 0 {
		notes = append(notes, fmt.Sprintf("%d requests without an answer", b.lonely))
	}
	t.Logf("\n| %s | %d | %d | %d | %d | %d | %d | %s |", t.Name(), sum.acknowledged, sum.owed, sum.arrived, sum.lost, sum.duplicates, dead, strings.Join(notes, "; "))
	if sum.lost+sum.open+dead+parked > 0 {
		t.Errorf("%d deliveries are lost, %d messages have no end, %d dead letters, %d parked; want 0, 0, 0, 0", sum.lost, sum.open, dead, parked)
	}
	if sum.duplicates > int(most) {
		t.Errorf("%d deliveries are repeated, want at most %d", sum.duplicates, most)
	}
	if sum.acknowledged == 0 {
		t.Error("nothing was acknowledged: nothing was tested")
	}
	b.wantClean(t)
}

// duplicates is how many deliveries may be repeated.
type duplicates int

// wantNoRefusals fails if a server that was well has refused a request.
func (b *books) wantNoRefusals(t testing.TB) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.refused > 0 {
		t.Errorf("%d requests were refused, the last with %s", b.refused, b.refusal)
	}
}
