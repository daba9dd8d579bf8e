package faults

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// refusedSoon waits until a request is refused from now on.
func (r *rig) refusedSoon(t testing.TB, why string) {
	t.Helper()
	before := r.books.refusals()
	await(t, r.server, "a refusal because of "+why, func() bool { return r.books.refusals() > before },
		func() string { return "" })
}

// acceptedSoon waits until a request is accepted from now on, and returns how long it took.
func (r *rig) acceptedSoon(t testing.TB) time.Duration {
	t.Helper()
	before, began := r.books.promises(), time.Now()
	await(t, r.server, "the service to resume", func() bool { return r.books.promises() > before },
		func() string { return "" })
	return time.Since(began)
}

func (b *books) refusals() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.refused
}

func (b *books) promises() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for serial := range b.calls {
		if b.calls[serial].state == acknowledged {
			n++
		}
	}
	return n
}

// remember has every ledger note when deliveries arrive.
func (b *books) remember() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.ledgers {
		l.recent = map[int64]int{}
	}
}

// lately is how many deliveries may be repeated when the engine fails now, after d of
// trouble: it is opened anew, as after a crash.
func (b *books) lately(d time.Duration) duplicates {
	n := 0
	for _, l := range b.ledgers {
		n += l.arrivedLately(repeatWindow + int64(d/time.Second) + 1)
	}
	return duplicates(n)
}

// breakDisk takes the disk away and gives it back, several times, under load.
func (r *rig) breakDisk(t testing.TB, why string, spoil func() (mend func())) {
	t.Helper()
	r.books.remember()
	var repeatable duplicates
	var slowest time.Duration
	rounds, hold := length(2, 5), length(500*time.Millisecond, 20*time.Second)
	r.load.during(t, func() {
		for range rounds {
			pause(t, length(500*time.Millisecond, 5*time.Second))
			began := time.Now()
			mend := spoil()
			r.refusedSoon(t, why)
			pause(t, hold)
			repeatable += r.books.lately(time.Since(began))
			mend()
			slowest = max(slowest, r.acceptedSoon(t))
		}
	})
	r.finish(t, repeatable, fmt.Sprintf("%d times, accepts again at most %v after it was over", rounds, slowest.Round(10*time.Millisecond)))
}

// TestDiskFull fills the disk under the server.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	if !inNamespace(t) {
		return
	}
	dir := smallDisk(t, "192m")
	r := newRig(t, setup{dir: dir, keys: with(impatient(), "storage", map[string]any{"reserve_bytes": "4MiB"})})
	r.breakDisk(t, "the full disk", func() func() { return fill(t, dir) })
}

// TestReadOnly makes the data directory and all in it unchangeable, also for files that
// are open: as root by the attribute that chattr calls i, else by taking the permission to
// create files.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{keys: impatient()})
	thaw := func() {
		if err := freeze(r.data, false); err != nil {
			t.Errorf("make the data directory writable: %v", err)
		}
	}
	if os.Geteuid() != 0 {
		t.Skip("only root can keep a process from writing to files that it has opened")
	}
	t.Cleanup(thaw)
	if err := freeze(r.data, true); err != nil || writable(r.data) {
		t.Skipf("this file system knows no immutable files: %v", err)
	}
	thaw()
	r.breakDisk(t, "the data directory that cannot be written to", func() func() {
		if err := freeze(r.data, true); err != nil {
			t.Fatalf("freeze the data directory: %v", err)
		}
		return thaw
	})
}

// freeze sets or clears the immutable attribute of everything below dir. Directories come
// before what is in them, so nothing is added meanwhile.
func freeze(dir string, on bool) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if !d.IsDir() && !d.Type().IsRegular() {
			return nil
		}
		if err := setImmutable(path, on); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
}

// immutable is FS_IMMUTABLE_FL. Source: ioctl_iflags(2).
const immutable = 0x10

func setImmutable(path string, on bool) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	flags, err := unix.IoctlGetUint32(int(f.Fd()), unix.FS_IOC_GETFLAGS)
	if err != nil {
		return fmt.Errorf("get the flags of %s: %w", path, err)
	}
	flags &^= immutable
	if on {
		flags |= immutable
	}
	if err := unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, int(flags)); err != nil {
		return fmt.Errorf("set the flags of %s: %w", path, err)
	}
	return nil
}

// writable reports whether a file can be created in dir.
func writable(dir string) bool {
	probe := filepath.Join(dir, "probe")
	f, err := os.Create(probe)
	if err != nil {
		return false
	}
	return errors.Join(f.Close(), os.Remove(probe)) == nil
}
