package file

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tidings/internal/arn"
	"tidings/internal/configset"
	"tidings/internal/event"
	"tidings/internal/sink"
	"tidings/internal/tenant"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// faulty is the disk below a driver under test.
type faulty struct {
	mu      sync.Mutex
	full    int           // writes stop after this many bytes with ENOSPC; -1 = never
	badSync error         // what Sync returns
	stuck   bool          // refuses Truncate
	hold    chan struct{} // not nil = Write waits for it to close
	reached chan struct{} // closed by the first Write that waits
	syncs   int
	open    int
}

type faultyFile struct {
	*os.File
	disk *faulty
}

var errFull = errors.New("no space left on device")

func (f *faultyFile) Write(p []byte) (int, error) {
	d := f.disk
	d.mu.Lock()
	full, hold := d.full, d.hold
	if d.reached != nil {
		close(d.reached)
		d.reached = nil
	}
	d.mu.Unlock()
	if hold != nil {
		<-hold
	}
	if full >= 0 && len(p) > full {
		n, err := f.File.Write(p[:full])
		return n, errors.Join(errFull, err)
	}
	return f.File.Write(p)
}

func (f *faultyFile) Sync() error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	f.disk.syncs++
	return errors.Join(f.disk.badSync, f.File.Sync())
}

func (f *faultyFile) Truncate(size int64) error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if f.disk.stuck {
		return errFull
	}
	return f.File.Truncate(size)
}

func (f *faultyFile) Close() error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	f.disk.open--
	return f.File.Close()
}

// set changes the disk under its lock.
func (d *faulty) set(change func(d *faulty)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change(d)
}

type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = t
}

type rig struct {
	dir    string
	driver *Driver
	disk   *faulty
	clock  *clock
}

func newRig(tb testing.TB, dir string, maxOpen int) *rig {
	tb.Helper()
	return newRigWith(tb, dir, Settings{MaxOpen: maxOpen})
}

// newRigWith makes a rig whose clock stands at 14:30.
func newRigWith(tb testing.TB, dir string, s Settings) *rig {
	tb.Helper()
	r := &rig{dir: dir, disk: &faulty{full: -1}, clock: &clock{t: time.Date(2026, 11, 5, 14, 30, 0, 0, time.UTC)}}
	s.Now = r.clock.now
	d, err := New(dir, s)
	if err != nil {
		tb.Fatalf("New = %v", err)
	}
	d.disk.wrap = func(_ string, f *os.File) handle {
		r.disk.set(func(d *faulty) { d.open++ })
		return &faultyFile{File: f, disk: r.disk}
	}
	r.driver = d
	tb.Cleanup(func() {
		for range 2 {
			if err := d.Close(); err != nil {
				tb.Errorf("Close = %v", err)
			}
		}
		if r.disk.open != 0 {
			tb.Errorf("%d files are open after Close", r.disk.open)
		}
	})
	return r
}

func topic(name string) sink.Target {
	return sink.Target{
		Tenant: tenant.Tenant{Account: "123456789012", Region: "us-east-1"}, Kind: configset.SNS,
		ARN: arn.ARN{Partition: "aws", Service: "sns", Region: "us-east-1", Account: "123456789012", Resource: name},
	}
}

func (r *rig) open(tb testing.TB, name string) sink.Sink {
	tb.Helper()
	s, err := r.driver.Open(topic(name))
	if err != nil {
		tb.Fatalf("Open = %v", err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

// path is where the events of the topic go at the rig's hour.
func (r *rig) path(name string) string {
	return filepath.Join(r.dir, filepath.FromSlash(hourAt(Folder(topic(name)), r.clock.now()).plain()))
}

func (r *rig) read(tb testing.TB, name string) string {
	tb.Helper()
	b, err := os.ReadFile(r.path(name))
	if err != nil {
		tb.Fatalf("ReadFile = %v", err)
	}
	return string(b)
}

func batchOf(records ...string) []sink.Delivery {
	var batch []sink.Delivery
	for i, r := range records {
		batch = append(batch, sink.Delivery{ID: fmt.Sprint(i), Event: event.Event{ID: fmt.Sprint(i), Record: []byte(r)}})
	}
	return batch
}

func mustDeliver(tb testing.TB, s sink.Sink, records ...string) {
	tb.Helper()
	if err := s.Deliver(tb.Context(), batchOf(records...)); err != nil {
		tb.Fatalf("Deliver(%q) = %v", records, err)
	}
}
