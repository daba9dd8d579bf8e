package natsstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"tidings/internal/event"
	"tidings/internal/fanout"
	"tidings/internal/fault"
)

func nextPack(t testing.TB, s *Store) *fanout.Pack {
	t.Helper()
	p, err := s.Events().Next(within(t))
	if err != nil {
		t.Fatalf("Next() = %v, want a pack", err)
	}
	return p
}

func TestEventsComeBackAsPublished(t *testing.T) {
	t.Parallel()
	s := openStore(t, Options{})
	want := []event.Event{eventOf(message(1), event.VoiceInitiated), eventOf(message(1), event.VoiceRinging), eventOf(message(2), event.VoiceFailed)}
	publish(t, s, want...)
	publish(t, s)
	got := nextPack(t, s)
	diff(t, "events", got.Events, want)
	if got.Seq != 1 {
		t.Errorf("Seq = %d, want 1", got.Seq)
	}
	got.Ack()
	got.Ack()
}

func TestEventsTooLarge(t *testing.T) {
	t.Parallel()
	s := openStore(t, Options{})
	e := eventOf(message(1), event.VoiceBusy)
	e.Record = make([]byte, maxPayload)
	wantFault(t, "Publish of 8 MiB", s.Events().Publish(within(t), e), fault.Invalid)
	e.Record = make([]byte, 3*maxPackBytes)
	publish(t, s, e)
	got := nextPack(t, s).Events
	if len(got) != 1 || !bytes.Equal(got[0].Record, e.Record) {
		t.Errorf("an event larger than a pack came back as %d events, or changed", len(got))
	}
}

func TestUnacknowledgedEventsComeAgain(t *testing.T) {
	t.Parallel()
	for _, end := range []struct {
		name string
		end  func(testing.TB, *Store)
	}{{"closed", closeStore}, {"crashed", crash}} {
		t.Run(end.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := openStore(t, Options{Dir: dir})
			const n = 9
			for i := range n {
				publish(t, s, eventOf(message(i), event.VoiceBusy))
			}
			for range n {
				if p := nextPack(t, s); p.Seq%3 == 0 {
					p.Ack()
				}
			}
			publish(t, s, eventOf(message(n), event.VoiceBusy))
			end.end(t, s)

			s = openStore(t, Options{Dir: dir})
			began := time.Now()
			got := map[uint64]bool{}
			for len(got) < 7 {
				p := nextPack(t, s)
				if got[p.Seq] || p.Seq != n+1 && p.Seq%3 == 0 {
					t.Errorf("Next() = pack %d, which was acknowledged or handed out before", p.Seq)
				}
				got[p.Seq] = true
				p.Ack()
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("the packs of the former life came after %v; they must not wait for AckWait", took)
			} else {
				t.Logf("the packs of the former life came after %v", took)
			}
			ctx, cancel := context.WithCancel(within(t))
			var all sync.WaitGroup
			all.Go(func() {
				if p, err := s.Events().Next(ctx); err == nil {
					t.Errorf("Next() = pack %d, want none", p.Seq)
				}
			})
			s.sweep(t.Context(), time.Now())
			cancel()
			all.Wait()
		})
	}
}

func TestReadEvents(t *testing.T) {
	t.Parallel()
	s := openStore(t, Options{})
	for i := range 10 {
		publish(t, s, eventOf(message(i), event.VoiceBusy))
	}
	var times []time.Time
	read := func(from Position) (ids []string) {
		err := s.Events().Read(within(t), from, false, func(seq uint64, at time.Time, events []event.Event) error {
			ids = append(ids, fmt.Sprintf("%d:%s", seq, events[0].Message[len(events[0].Message)-2:]))
			times = append(times, at)
			return nil
		})
		if err != nil {
			t.Errorf("Read(%v) = %v, want nil", from, err)
		}
		return ids
	}
	all := []string{"1:00", "2:01", "3:02", "4:03", "5:04", "6:05", "7:06", "8:07", "9:08", "10:09"}
	diff(t, "all events", read(Position{}), all)
	diff(t, "events from 8", read(Position{Seq: 8}), all[7:])
	diff(t, "events behind the last", read(Position{Seq: 11}), []string(nil))
	diff(t, "new events without follow", read(Position{New: true}), []string(nil))
	diff(t, "events from a time", read(Position{Time: times[4]}), all[4:])
	diff(t, "events from the future", read(Position{Time: time.Now().Add(time.Hour)}), []string(nil))
	stop := errors.New("enough")
	if err := s.Events().Read(within(t), Position{}, true, func(uint64, time.Time, []event.Event) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("Read = %v, want %v", err, stop)
	}
}

func TestReadFollows(t *testing.T) {
	t.Parallel()
	s := openStore(t, Options{})
	publish(t, s, eventOf(message(1), event.VoiceBusy))
	ctx, cancel := context.WithCancel(within(t))
	got := make(chan uint64)
	done := make(chan error, 1)
	go func() {
		done <- s.Events().Read(ctx, Position{}, true, func(seq uint64, _ time.Time, _ []event.Event) error {
			got <- seq
			return nil
		})
	}()
	for want := uint64(1); want < 5; want++ {
		if seq := <-got; seq != want {
			t.Errorf("Read = pack %d, want %d", seq, want)
		}
		publish(t, s, eventOf(message(1), event.VoiceBusy))
	}
	<-got
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Read = %v, want Canceled", err)
	}
}
