package natsstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"tidings/internal/event"
	"tidings/internal/voice"
)

func TestMessagesComeBackAsPut(t *testing.T) {
	t.Parallel()
	s := openStore(t, Options{})
	want := message(1)
	put(t, s, want)
	got := nextJob(t, s)
	diff(t, "message", got.Message, want)
	if got.Begun != nil {
		t.Errorf("Begun = %v, want none", got.Begun)
	}
	bare := voice.Message{ID: "x", Tenant: acme, Accepted: time.UnixMilli(5).UTC(), Destination: "+1", Content: voice.Content{Kind: voice.PlainText}}
	put(t, s, bare)
	diff(t, "message without the optional fields", nextJob(t, s).Message, bare)
}

func TestManyPutsShareAPack(t *testing.T) {
	t.Parallel()
	s := openStore(t, Options{})
	const writers, each = 32, 40
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := range each {
				put(t, s, message(w*each+i))
			}
		})
	}
	all.Wait()
	seen := map[string]bool{}
	for range writers * each {
		j := nextJob(t, s)
		if seen[j.Message.ID] {
			t.Errorf("Next() = %s for the second time", j.Message.ID)
		}
		seen[j.Message.ID] = true
		j.Done()
	}
	noJob(t, s, message(writers*each))
	sess, err := s.session()
	if err != nil {
		t.Fatal(err)
	}
	info, err := sess.streams[streamMessages].Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if info.State.LastSeq > writers*each/2 {
		t.Errorf("%d puts made %d packs, want far fewer", writers*each, info.State.LastSeq)
	}
}

func TestPutWhoseContextHasEnded(t *testing.T) {
	t.Parallel()
	s := openStore(t, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Messages().Put(ctx, message(1)); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("Put = %v, want nil or Canceled", err)
	}
	if _, err := s.Messages().Next(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("Next = %v, want nil or Canceled", err)
	}
}

func TestReleasedJobIsHandedOutAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openStore(t, Options{Dir: dir})
	put(t, s, message(1))
	j := nextJob(t, s)
	j.Release()
	j.Release()
	j.Done() // comes too late
	j = nextJob(t, s)
	diff(t, "released message", j.Message, message(1))
	j.Release()
	closeStore(t, s)

	s = openStore(t, Options{Dir: dir})
	j = nextJob(t, s)
	diff(t, "released message after a restart", j.Message, message(1))
	j.Done()
	noJob(t, s, message(2))
}

// TestCallsOfAFormerLife puts messages into one pack each or into a common one, gets some
// of them on their way, and looks what the next life is told.
func TestCallsOfAFormerLife(t *testing.T) {
	t.Parallel()
	for _, end := range []struct {
		name string
		end  func(testing.TB, *Store)
	}{{"closed", closeStore}, {"crashed", crash}} {
		t.Run(end.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := openStore(t, Options{Dir: dir})
			const n = 12
			var all sync.WaitGroup
			for i := range n {
				all.Go(func() { put(t, s, message(i)) })
			}
			all.Wait()
			jobs := map[string]voice.Job{}
			for range n {
				j := nextJob(t, s)
				jobs[j.Message.ID] = j
			}
			begun := map[string][]event.Type{}
			ended := map[string]bool{}
			for i := range n {
				m := message(i)
				steps := [][]event.Type{
					nil,
					{event.VoiceInitiated},
					{event.VoiceInitiated, event.VoiceRinging, event.VoiceAnswered},
					{event.VoiceInitiated, event.VoiceBusy},                                               // ended, not done
					{event.VoiceInitiated, event.VoiceRinging, event.VoiceAnswered, event.VoiceCompleted}, // ended and done
				}[i%5]
				for _, step := range steps {
					publish(t, s, eventOf(m, step))
				}
				begun[m.ID], ended[m.ID] = steps, i%5 >= 3
				if i%5 == 4 {
					jobs[m.ID].Done()
				}
			}
			put(t, s, message(100)) // never handed out
			end.end(t, s)

			s = openStore(t, Options{Dir: dir})
			put(t, s, message(101))
			began := time.Now()
			got := map[string][]event.Type{}
			for range 8 + 2 {
				j := nextJob(t, s)
				if _, twice := got[j.Message.ID]; twice || ended[j.Message.ID] {
					t.Errorf("Next() = %s, which has ended or was handed out before", j.Message.ID)
				}
				got[j.Message.ID] = j.Begun
				j.Done()
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("the jobs of the former life came after %v; they must not wait for AckWait", took)
			} else {
				t.Logf("the jobs of the former life came after %v", took)
			}
			for id, types := range got {
				if !slices.Equal(types, begun[id]) {
					t.Errorf("Begun of %s = %v, want %v", id, types, begun[id])
				}
			}
			noJob(t, s, message(102))
			// A third life: everything is done.
			closeStore(t, s)
			noJob(t, openStore(t, Options{Dir: dir}), message(103))
		})
	}
}

func TestNothingIsHandedOutTwiceAfterAckWait(t *testing.T) {
	t.Parallel()
	tune := defaultTuning()
	tune.ackWait = 50 * time.Millisecond
	s := openTuned(t, Options{}, tune) // nobody claims, because Run does not run
	const n = 20
	var jobs []voice.Job
	for i := range n {
		put(t, s, message(i))
		jobs = append(jobs, nextJob(t, s))
	}
	sess, err := s.session()
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the server to deliver again", func() bool {
		c, err := sess.js.Consumer(t.Context(), streamMessages, consumerVoice)
		return err == nil && c.CachedInfo().NumRedelivered == n
	})
	noJob(t, s, message(n))
	for _, j := range jobs {
		j.Done()
	}
	noJob(t, s, message(n+1))
	waitFor(t, "all to be acknowledged", func() bool {
		c, err := sess.js.Consumer(t.Context(), streamMessages, consumerVoice)
		return err == nil && c.CachedInfo().NumAckPending == 0
	})
}

// waitFor polls until what the embedded server does in its own time has happened.
func waitFor(t testing.TB, what string, done func() bool) {
	t.Helper()
	ctx := within(t)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited %v for %s", patience, what)
		case <-tick.C:
		}
	}
}

func TestAccepted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	opts := Options{Dir: dir, KeepMessages: 24 * time.Hour}
	s := openStore(t, opts)
	began := time.Now().Truncate(time.Millisecond)
	var want []voice.Message
	for i := range 5 {
		m := message(i)
		m.Accepted = began.Add(time.Duration(i-2) * time.Hour).UTC()
		put(t, s, m)
		if i >= 2 {
			want = append(want, m)
		}
		if i < 4 {
			nextJob(t, s).Done()
		}
	}
	s.sweep(t.Context(), time.Now())
	closeStore(t, s)
	s = openStore(t, opts)
	var got []voice.Message
	err := s.Messages().Accepted(within(t), began, func(m voice.Message) error {
		got = append(got, m)
		return nil
	})
	if err != nil {
		t.Fatalf("Accepted = %v, want nil", err)
	}
	diff(t, "accepted messages", got, want)
	stop := errors.New("enough")
	if err := s.Messages().Accepted(within(t), began, func(voice.Message) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("Accepted = %v, want %v", err, stop)
	}
	none := func(m voice.Message) error { return fmt.Errorf("called with %s", m.ID) }
	if err := s.Messages().Accepted(within(t), began.Add(25*time.Hour), none); err != nil {
		t.Errorf("Accepted of the future = %v, want nil", err)
	}
	if err := openStore(t, Options{}).Messages().Accepted(within(t), began, none); err != nil {
		t.Errorf("Accepted of an empty store = %v, want nil", err)
	}
}

func TestBacklogStaysBounded(t *testing.T) {
	t.Parallel()
	s := openStore(t, Options{})
	const n = 40 * fetchPacks
	for i := range n {
		put(t, s, message(i))
	}
	nextJob(t, s).Done()
	for i := 1; i < n; i++ {
		j := nextJob(t, s)
		if want := message(i).ID; j.Message.ID != want {
			t.Fatalf("Next() = %s, want %s: one writer's messages come in order", j.Message.ID, want)
		}
		if inMemory := s.messages.jobs.len(); inMemory > 3*fetchPacks {
			t.Fatalf("%d jobs are in memory, want at most %d", inMemory, 3*fetchPacks)
		}
		j.Done()
	}
}
