package oracle

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"
)

// crashRounds is how often TestCrash kills the server, unless TIDINGS_CRASH_ROUNDS says
// otherwise.
const crashRounds = 3

// The load of a round: closed loops, each with at most so many requests.
const (
	messageWriters   = 6
	messagesPerRound = 300 // of one writer
	setWriters       = 3
	setsPerRound     = 100 // of one writer
)

// TestCrash kills the server in the middle of its work, again and again, on one data
// directory, and then counts: what was acknowledged must be there, every acknowledged
// message must have come to exactly one end, and nobody may have been called twice.
func TestCrash(t *testing.T) {
	t.Parallel()
	rounds := crashRounds
	if text := os.Getenv("TIDINGS_CRASH_ROUNDS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			t.Fatalf("TIDINGS_CRASH_ROUNDS = %q, want a number of rounds", text)
		}
		rounds = n
	}
	o := options{config: fast, data: filepath.Join(t.TempDir(), "data")}
	phones := simulatedPhones(t)
	b := newBooks()
	for round := range rounds {
		s := start(t, o)
		if round == 0 {
			createDestinations(t, client(t, s.API, testRegion), "crash")
		}
		underLoad(t, s, b, phones, round)
	}
	s := start(t, o)
	for service, target := range targets {
		f := newFollower(s.data, service, target)
		await(t, "the end of every call, at "+service, func() bool {
			f.read(t)
			return len(b.unfinished(f.calls)) == 0
		}, func() string {
			return fmt.Sprintf("%d calls were begun, %d have not ended", len(f.calls), len(b.unfinished(f.calls)))
		})
	}
	missing := b.missingSets(t, client(t, s.API, testRegion))
	s.stop(t)

	for service, target := range targets {
		f := newFollower(s.data, service, target)
		f.read(t)
		f.wantWhole(t)
		b.settle(t, service, f.calls)
	}
	t.Logf("%d kills: %d messages acknowledged, %d unanswered; %d changes of %d sets acknowledged, %d sets not as acknowledged; %d requests refused",
		rounds, len(b.messages), b.unanswered, b.changes, len(b.sets), len(missing), len(b.refused))
	for _, m := range missing {
		t.Error(m)
	}
	if len(b.refused) > 0 {
		t.Errorf("%d requests were refused by a healthy server, one with: %v", len(b.refused), b.refused[0])
	}
	if len(b.messages) == 0 || b.changes == 0 {
		t.Error("the server was killed before it had acknowledged anything: nothing was tested")
	}
}

// underLoad writes to the server from all sides and kills it at a moment of chance.
func underLoad(t *testing.T, s *server, b *books, phones []phone, round int) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var writers sync.WaitGroup
	for range messageWriters {
		c := client(t, s.API, testRegion)
		writers.Go(func() { b.writeMessages(ctx, c, phones) })
	}
	for i := range setWriters {
		c := client(t, s.API, testRegion)
		writers.Go(func() { b.writeSets(ctx, c, fmt.Sprintf("r%d-w%d", round, i)) })
	}
	moment := time.NewTimer(200*time.Millisecond + rand.N(1300*time.Millisecond))
	defer moment.Stop()
	select {
	case <-moment.C:
	case <-s.ended:
		t.Errorf("the server ended by itself: %v\n%s", s.err, s.log.tail())
	}
	s.kill()
	writers.Wait()
}
