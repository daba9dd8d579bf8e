package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tidings/internal/sink"
	"tidings/internal/sink/sinktest"
)

func TestContract(t *testing.T) {
	t.Parallel()
	sinktest.Run(t, func(tb testing.TB) *sinktest.Harness {
		r := newRig(tb, tb.TempDir(), 0)
		return &sinktest.Harness{
			Driver: r.driver, Target: topic("alerts"), Poison: []byte("{\n"),
			Received: func(tb testing.TB) [][]byte {
				b, err := os.ReadFile(r.path("alerts"))
				if errors.Is(err, fs.ErrNotExist) {
					return nil
				}
				if err != nil {
					tb.Fatalf("ReadFile = %v", err)
				}
				return bytes.Split(bytes.TrimSuffix(b, []byte("\n")), []byte("\n"))
			},
			Contacts: func(tb testing.TB) int {
				entries, err := os.ReadDir(r.dir)
				if err != nil {
					tb.Fatalf("ReadDir = %v", err)
				}
				return len(entries)
			},
			Break: func(testing.TB) func() {
				r.disk.set(func(d *faulty) { d.full = 10 })
				return func() { r.disk.set(func(d *faulty) { d.full = -1 }) }
			},
			Hang: func(testing.TB) (<-chan struct{}, func()) {
				hold, reached := make(chan struct{}), make(chan struct{})
				r.disk.set(func(d *faulty) { d.hold, d.reached = hold, reached })
				return reached, func() {
					r.disk.set(func(d *faulty) { d.hold = nil })
					close(hold)
				}
			},
		}
	})
}

func TestLinesStayWhole(t *testing.T) {
	t.Parallel()
	r := newRig(t, t.TempDir(), 0)
	s := r.open(t, "alerts")
	mustDeliver(t, s, `{"a": 1}`, "{\n \"b\":\r\n 2}", "{\"c\":\"x\ty\"}")
	if got, want := r.read(t, "alerts"), "{\"a\": 1}\n{\"b\":2}\n{\"c\":\"x\ty\"}\n"; got != want {
		t.Errorf("the file holds %q, want %q", got, want)
	}
	for _, poison := range []string{"", " \n", "{\n"} {
		if err := s.Deliver(t.Context(), batchOf(poison)); !errors.Is(err, sink.ErrPermanent) {
			t.Errorf("Deliver(%q) = %v, want a permanent failure", poison, err)
		}
	}
}

func TestANewHourIsANewFile(t *testing.T) {
	t.Parallel()
	r := newRig(t, t.TempDir(), 0)
	s := r.open(t, "alerts")
	mustDeliver(t, s, `{"n":1}`)
	first := r.path("alerts")
	r.clock.set(time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC))
	mustDeliver(t, s, `{"n":2}`)
	if want := filepath.Join(r.dir, "sns/us-east-1/123456789012/alerts/2027/01/01/00.ndjson"); r.path("alerts") != want {
		t.Errorf("path = %s, want %s", r.path("alerts"), want)
	}
	if got := r.read(t, "alerts"); got != "{\"n\":2}\n" {
		t.Errorf("the new hour holds %q", got)
	}
	if b, err := os.ReadFile(first); err != nil || string(b) != "{\"n\":1}\n" {
		t.Errorf("the old hour holds %q, %v", b, err)
	}
	if r.disk.open != 1 {
		t.Errorf("%d files open, want 1", r.disk.open)
	}
}

func TestATornLineIsCutOff(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ before, want string }{
		{"", ""},
		{"{\"n\":1}\n", "{\"n\":1}\n"},
		{"{\"n\":1}\n{\"n\":", "{\"n\":1}\n"},
		{"{\"n\":", ""},
		{"{\"n\":1}\n" + strings.Repeat("x", 200_000), "{\"n\":1}\n"},
		{"{\"n\":1}\n\x00\x00\x00", "{\"n\":1}\n"},
	} {
		r := newRig(t, t.TempDir(), 0)
		if err := os.MkdirAll(filepath.Dir(r.path("alerts")), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(r.path("alerts"), []byte(tc.before), 0o640); err != nil {
			t.Fatal(err)
		}
		mustDeliver(t, r.open(t, "alerts"), `{"new":1}`)
		if got := r.read(t, "alerts"); got != tc.want+"{\"new\":1}\n" {
			t.Errorf("after %d bytes ending in %q: %q", len(tc.before), tc.before[max(0, len(tc.before)-5):], got)
		}
	}
}

func TestAFailedWriteLeavesNothing(t *testing.T) {
	t.Parallel()
	for name, broken := range map[string]func(d *faulty){
		"full disk":                   func(d *faulty) { d.full = 12 },
		"full disk, stuck":            func(d *faulty) { d.full, d.stuck = 12, true },
		"failing sync":                func(d *faulty) { d.badSync = errors.New("input/output error") },
		"full disk and a failed sync": func(d *faulty) { d.full, d.badSync = 3, errors.New("input/output error") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, t.TempDir(), 0)
			s := r.open(t, "alerts")
			mustDeliver(t, s, `{"n":1}`)
			r.disk.set(broken)
			err := s.Deliver(t.Context(), batchOf(`{"long":"enough"}`, `{"n":3}`))
			if err == nil || errors.Is(err, sink.ErrPermanent) {
				t.Errorf("Deliver = %v, want a failure that may pass", err)
			}
			r.disk.set(func(d *faulty) { d.full, d.badSync, d.stuck = -1, nil, false })
			mustDeliver(t, s, `{"n":4}`)
			if got := r.read(t, "alerts"); got != "{\"n\":1}\n{\"n\":4}\n" {
				t.Errorf("the file holds %q", got)
			}
		})
	}
}

func TestAFileMovedAwayIsMadeAnew(t *testing.T) {
	t.Parallel()
	r := newRig(t, t.TempDir(), 0)
	s := r.open(t, "alerts")
	mustDeliver(t, s, `{"n":1}`)
	if err := os.Rename(r.path("alerts"), r.path("alerts")+".old"); err != nil {
		t.Fatal(err)
	}
	mustDeliver(t, s, `{"n":2}`)
	if err := os.Truncate(r.path("alerts"), 0); err != nil {
		t.Fatal(err)
	}
	mustDeliver(t, s, `{"n":3}`)
	if got := r.read(t, "alerts"); got != "{\"n\":3}\n" {
		t.Errorf("the file holds %q", got)
	}
}

func TestASymbolicLinkDoesNotLeadOut(t *testing.T) {
	t.Parallel()
	r := newRig(t, t.TempDir(), 0)
	outside := t.TempDir()
	if err := os.Symlink(outside, filepath.Join(r.dir, "sns")); err != nil {
		t.Fatal(err)
	}
	if err := r.open(t, "alerts").Deliver(t.Context(), batchOf(`{"n":1}`)); err == nil {
		t.Error("Deliver through a symbolic link worked")
	}
	if entries, err := os.ReadDir(outside); err != nil || len(entries) != 0 {
		t.Errorf("outside the directory: %v, %v", entries, err)
	}
}

func TestConcurrentDeliveriesShareASync(t *testing.T) {
	t.Parallel()
	r := newRig(t, t.TempDir(), 0)
	s := r.open(t, "alerts")
	hold, reached := make(chan struct{}), make(chan struct{})
	r.disk.set(func(d *faulty) { d.hold, d.reached = hold, reached })
	var wg sync.WaitGroup
	wg.Go(func() { mustDeliver(t, s, `{"first":1}`) })
	<-reached // the first write is under way; what comes now is one group
	for range 100 {
		wg.Go(func() { mustDeliver(t, s, `{"n":1}`) })
	}
	w := r.driver.writers[Folder(topic("alerts"))]
	for waiting := 0; waiting < 100; {
		w.mu.Lock()
		waiting = len(w.waiting)
		w.mu.Unlock()
	}
	r.disk.set(func(d *faulty) { d.hold = nil })
	close(hold)
	wg.Wait()
	if got := strings.Count(r.read(t, "alerts"), "\n"); got != 101 {
		t.Errorf("%d lines, want 101", got)
	}
	if r.disk.syncs != 2 {
		t.Errorf("%d syncs for 101 deliveries, want 2", r.disk.syncs)
	}
}

func TestACancelledDeliveryThatWaitsIsTakenBack(t *testing.T) {
	t.Parallel()
	r := newRig(t, t.TempDir(), 0)
	s := r.open(t, "alerts")
	hold, reached := make(chan struct{}), make(chan struct{})
	r.disk.set(func(d *faulty) { d.hold, d.reached = hold, reached })
	var wg sync.WaitGroup
	wg.Go(func() { mustDeliver(t, s, `{"first":1}`) })
	<-reached
	ctx, cancel := context.WithCancel(t.Context())
	second := make(chan error, 1)
	wg.Go(func() { second <- s.Deliver(ctx, batchOf(`{"second":1}`)) })
	cancel()
	if err := <-second; !errors.Is(err, context.Canceled) {
		t.Errorf("Deliver = %v, want context.Canceled", err)
	}
	close(hold)
	wg.Wait()
	if got := r.read(t, "alerts"); got != "{\"first\":1}\n" {
		t.Errorf("the file holds %q", got)
	}
}

func TestOpenFilesAreBounded(t *testing.T) {
	t.Parallel()
	r := newRig(t, t.TempDir(), 4)
	var wg sync.WaitGroup
	for i := range 40 {
		s := r.open(t, fmt.Sprintf("topic-%d", i))
		wg.Go(func() {
			for n := range 5 {
				mustDeliver(t, s, fmt.Sprintf(`{"n":%d}`, n))
				r.disk.set(func(d *faulty) {
					if d.open > 4 {
						t.Errorf("%d files open, want at most 4", d.open)
					}
				})
			}
		})
	}
	wg.Wait()
	for i := range 40 {
		if got := strings.Count(r.read(t, fmt.Sprintf("topic-%d", i)), "\n"); got != 5 {
			t.Errorf("topic %d has %d lines, want 5", i, got)
		}
	}
}

func TestTheLastUserClosesTheFile(t *testing.T) {
	t.Parallel()
	r := newRig(t, t.TempDir(), 0)
	one, two := r.open(t, "alerts"), r.open(t, "alerts")
	mustDeliver(t, one, `{"n":1}`)
	_ = one.Close()
	mustDeliver(t, two, `{"n":2}`)
	if err := one.Deliver(t.Context(), batchOf(`{}`)); err == nil {
		t.Error("Deliver on a closed sink worked")
	}
	_ = two.Close()
	if r.disk.open != 0 || len(r.driver.writers) != 0 {
		t.Errorf("%d files and %d writers, want none", r.disk.open, len(r.driver.writers))
	}
}
