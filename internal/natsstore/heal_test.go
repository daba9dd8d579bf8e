package natsstore

import (
	"context"
	"testing"
	"time"

	"tidings/internal/event"
)

// TestHeals takes the server away under the store in the ways in which it can go.
func TestHeals(t *testing.T) {
	t.Parallel()
	for name, breakIt := range map[string]func(*session) error{
		"shut down":          func(sess *session) error { sess.srv.Shutdown(); return nil },
		"JetStream disabled": func(sess *session) error { return sess.srv.ShutdownJetStream() },
		"connection lost":    func(sess *session) error { sess.nc.Close(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := openStore(t, Options{})
			runStore(t, s)
			wantSeen := follow(t, s)
			former, err := s.session()
			for i := range 3 {
				put(t, s, message(i))
				job := nextJob(t, s)
				publish(t, s, eventOf(message(i), event.VoiceInitiated))
				wantSeen(message(i).ID)
				pack := nextPack(t, s)
				if err != nil {
					t.Fatal(err)
				}
				if err := breakIt(former); err != nil {
					t.Fatal(err)
				}
				if former, err = s.await(within(t), former); err != nil {
					t.Fatalf("the store was not reopened: %v", err)
				}
				publish(t, s, eventOf(message(i), event.VoiceBusy))
				wantSeen(message(i).ID)
				job.Done()
				pack.Ack()
				if next := nextPack(t, s); next.Seq != pack.Seq+1 {
					t.Errorf("Next() = pack %d, want %d", next.Seq, pack.Seq+1)
				} else {
					next.Ack()
				}
				noJob(t, s, message(200+i))
			}
			if got := s.Status().State; got != StateOK {
				t.Errorf("State = %q, want %q", got, StateOK)
			}
		})
	}
}

// follow reads the event log from its beginning and on, and returns what waits for the
// next event and compares the message it is of.
func follow(t *testing.T, s *Store) (wantSeen func(message string)) {
	t.Helper()
	ctx, cancel := context.WithCancel(within(t))
	seen := make(chan string, 16)
	ended := make(chan error, 1)
	go func() {
		ended <- s.Events().Read(ctx, Position{}, true, func(_ uint64, _ time.Time, events []event.Event) error {
			for _, e := range events {
				seen <- e.Message
			}
			return nil
		})
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return func(want string) {
		t.Helper()
		select {
		case got := <-seen:
			if got != want {
				t.Errorf("Read = an event of %s, want %s", got, want)
			}
		case err := <-ended:
			ended <- err
			t.Fatalf("Read = %v, want it to go on", err)
		case <-ctx.Done():
			t.Fatalf("waited for Read to bring an event of %s", want)
		}
	}
}
