package email

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestAStopInTheMiddle breaks an attempt off and finds the message delivered in the next life.
func TestAStopInTheMiddle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newRunDisk(runMessage("m", "ann@example.com"))
		hangs := runTransport(func(ctx context.Context, p Parcel) []Reply {
			<-ctx.Done()
			return []Reply{{Recipients: p.Indexes, Verdict: Deferred, Text: "broken off"}}
		})
		time.Sleep(20 * time.Hour) // its time is up, but an attempt that is broken off is none
		begun := time.Now()
		runThrough(t, d, &Runner{Transport: hangs, Drain: time.Minute}, time.Hour)
		if took := time.Since(begun); took != time.Hour+time.Minute {
			t.Errorf("the stop came after %v, want it after the minute of the drain", took)
		}
		if d.quiet() {
			t.Fatal("a message is done whose attempt was broken off")
		}
		// An attempt that was broken off says nothing of the server: the next start tries at once.
		runThrough(t, d, &Runner{Transport: runSays(runTaken)}, time.Second)
		if diff := cmp.Diff([]string{"/send", "/delivery/0"}, d.ids()); diff != "" {
			t.Errorf("events differ (-want +got):\n%s", diff)
		}
	})
}

// TestAMailThatIsTooOldIsTriedOnce, and so is one whose time was up while the server was down.
func TestAMailThatIsTooOldIsTriedOnce(t *testing.T) {
	t.Parallel()
	for name, reply := range map[string]Reply{"/delivery/0": runTaken, "/bounce/0": runLater} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := newRunDisk(runMessage("m", "ann@example.com"))
				time.Sleep(20 * time.Hour)
				runThrough(t, d, &Runner{Transport: runSays(reply)}, time.Second)
				if diff := cmp.Diff([]string{"/send", name}, d.ids()); diff != "" {
					t.Errorf("events differ (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// TestACrashBeforeTheEventIsOut has the event published by the next life at once, and whoever is left tried when it is time.
func TestACrashBeforeTheEventIsOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newRunDisk(runMessage("m", "ann@example.com", "bob@example.com"))
		writes := 0
		d.fate = func(what string) (bool, error) {
			if writes++; writes == 2 {
				if what != "save" {
					t.Errorf("the second write is to %s, want save", what)
				}
				d.life++
				return true, errRunDead
			}
			return true, nil
		}
		var tried [][]string
		var times []time.Time
		halves := runTransport(func(_ context.Context, p Parcel) []Reply {
			tried, times = append(tried, p.Recipients), append(times, time.Now())
			taken, later := runTaken, runLater
			taken.Recipients, later.Recipients = p.Indexes[:1], p.Indexes[1:]
			return []Reply{taken, later}
		})
		runThrough(t, d, &Runner{Transport: halves}, time.Second)
		runThrough(t, d, &Runner{Transport: halves}, time.Second)
		if diff := cmp.Diff([]string{"/send", "/delivery/0"}, d.ids()); diff != "" {
			t.Errorf("events after the crash differ (-want +got):\n%s", diff)
		}
		runThrough(t, d, &Runner{Transport: halves}, time.Hour)
		if diff := cmp.Diff([][]string{{"ann@example.com", "bob@example.com"}, {"bob@example.com"}}, tried); diff != "" {
			t.Fatalf("attempts differ (-want +got):\n%s", diff)
		}
		if pause := times[1].Sub(times[0]); pause < 50*time.Second {
			t.Errorf("the second attempt came after %v, want it by the schedule", pause)
		}
		if diff := cmp.Diff([]string{"/send", "/delivery/0", "/delivery/1"}, d.ids()); diff != "" {
			t.Errorf("events differ (-want +got):\n%s", diff)
		}
	})
}

// TestNoMoreThanConcurrency counts what is in progress at once.
func TestNoMoreThanConcurrency(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var all []Message
		for i := range 20 {
			all = append(all, runMessage("m"+string(rune('a'+i)), "ann@example.com"))
		}
		d := newRunDisk(all...)
		var mu sync.Mutex
		now, most := 0, 0
		r := &Runner{Concurrency: 3, Transport: runTransport(func(_ context.Context, p Parcel) []Reply {
			mu.Lock()
			now++
			most = max(most, now)
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			now--
			mu.Unlock()
			taken := runTaken
			taken.Recipients = p.Indexes
			return []Reply{taken}
		})}
		runThrough(t, d, r, time.Minute)
		if !d.quiet() || most != 3 {
			t.Errorf("at most %d were in progress and all done is %v, want 3 and true", most, d.quiet())
		}
	})
}

// TestNothingIsLostWhileTheStorageFails has every write fail for an hour.
func TestNothingIsLostWhileTheStorageFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newRunDisk(runMessage("m", "ann@example.com"))
		begun := time.Now()
		d.fate = func(string) (bool, error) {
			if time.Since(begun) < time.Hour {
				return false, errors.New("disk full")
			}
			return true, nil
		}
		attempts := 0
		says := runSays(runTaken)
		var log bytes.Buffer
		r := &Runner{Log: slog.New(slog.NewTextHandler(&log, nil)), Transport: runTransport(func(ctx context.Context, p Parcel) []Reply {
			attempts++
			return says(ctx, p)
		})}
		runThrough(t, d, r, 2*time.Hour)
		if diff := cmp.Diff([]string{"/send", "/delivery/0"}, d.ids()); diff != "" || attempts != 1 {
			t.Errorf("%d attempts, want 1; events differ (-want +got):\n%s", attempts, diff)
		}
		if n := strings.Count(log.String(), "what became of a mail is not written"); n < 2 || n > 400 {
			t.Errorf("%d warnings in an hour, want now and then one", n)
		}
		if strings.Contains(log.String(), "ann@example.com") {
			t.Errorf("log = %s, want no address in it", log.String())
		}
	})
}
