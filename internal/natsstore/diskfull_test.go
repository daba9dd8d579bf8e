package natsstore

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"tidings/internal/event"
	"tidings/internal/fault"
	"tidings/internal/voice"
)

// smallDiskEnv tells a child of this test binary that it has mounts of its own.
const smallDiskEnv = "TIDINGS_TEST_OWN_MOUNTS"

// onSmallDisk runs the rest of the test in a child process whose mounts are its own, with
// a small disk. In the parent it returns "".
func onSmallDisk(t *testing.T, size string) string {
	t.Helper()
	if os.Getenv(smallDiskEnv) == "" {
		runWithOwnMounts(t)
		return ""
	}
	if err := syscall.Mount("", "/", "", syscall.MS_PRIVATE|syscall.MS_REC, ""); err != nil {
		t.Fatalf("make mounts private: %v", err)
	}
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Fatalf("mount tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return dir
}

func runWithOwnMounts(t *testing.T) {
	t.Helper()
	args := []string{"-test.run=^" + t.Name() + "$", "-test.timeout=90s"}
	if testing.Verbose() {
		args = append(args, "-test.v")
	}
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), smallDiskEnv+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	if _, ran := errors.AsType[*exec.ExitError](err); err != nil && !ran {
		t.Skipf("this system does not let a test mount a small disk: %v", err)
	}
	t.Logf("on the small disk:\n%s", out)
	if err != nil {
		t.Fatalf("on the small disk: %v", err)
	}
}

// ballast fills the disk until free bytes are left, and returns what removes it.
func ballast(t testing.TB, dir string, free int64) (remove func()) {
	t.Helper()
	f, err := os.CreateTemp(dir, "ballast")
	if err != nil {
		t.Fatal(err)
	}
	block := make([]byte, 64<<10)
	for {
		var st syscall.Statfs_t
		if err := syscall.Statfs(dir, &st); err != nil {
			t.Fatal(err)
		}
		if left := int64(st.Bavail) * st.Bsize; left <= free {
			break
		} else if left-free < int64(len(block)) {
			block = block[:st.Bsize]
		}
		if _, err := f.Write(block); err != nil {
			if !errors.Is(err, syscall.ENOSPC) {
				t.Fatal(err)
			}
			break
		}
	}
	return func() {
		if err := errors.Join(f.Close(), os.Remove(f.Name())); err != nil {
			t.Errorf("remove ballast: %v", err)
		}
	}
}

func TestReserve(t *testing.T) {
	t.Parallel()
	dir := onSmallDisk(t, "64m")
	if dir == "" {
		return
	}
	const reserve = 16 << 20
	s := openStore(t, Options{Dir: filepath.Join(dir, "store"), ReserveBytes: reserve})
	runStore(t, s)
	put(t, s, message(1))
	remove := ballast(t, dir, reserve-1<<20)
	wantFault(t, "Put without room", s.Messages().Put(within(t), message(2)), fault.Unavailable)
	wantFault(t, "Create without room", s.ConfigurationSets().Create(within(t), setKeyOf("a"), setOf("a")), fault.Unavailable)
	if got := s.Status(); got.State != StateFull || got.Free > reserve {
		t.Errorf("Status() = %+v, want %q", got, StateFull)
	}
	publish(t, s, eventOf(message(1), event.VoiceInitiated))
	more := ballast(t, dir, reserve/urgentShare-1<<20)
	wantFault(t, "Publish without any room", s.Events().Publish(within(t), eventOf(message(1), event.VoiceRinging)), fault.Unavailable)
	more()
	publish(t, s, eventOf(message(1), event.VoiceRinging))
	wantFault(t, "Put without room", s.Messages().Put(within(t), message(2)), fault.Unavailable)
	remove()
	waitFor(t, "room", func() bool { return s.Status().State == StateOK })
	put(t, s, message(2))
	if err := s.ConfigurationSets().Create(within(t), setKeyOf("a"), setOf("a")); err != nil {
		t.Errorf("Create with room = %v, want nil", err)
	}
}

func TestBoundOfAllStreams(t *testing.T) {
	t.Parallel()
	s := openStore(t, Options{MaxBytes: 4 << 20, KeepEventsBytes: 1 << 20})
	runStore(t, s)
	big := eventOf(message(1), event.VoiceBusy)
	big.Record = make([]byte, 256<<10)
	var err error
	n := 0
	for ; err == nil && n < 64; n++ {
		err = s.Events().Publish(within(t), big)
	}
	wantFault(t, "Publish beyond the bound", err, fault.Unavailable)
	if n < 12 || n > 16 {
		t.Errorf("%d events of 256 KiB were refused or stored, want the bound of 4 MiB to stop them", n)
	}
	wantFault(t, "Put beyond the bound", s.Messages().Put(within(t), message(2)), fault.Unavailable)
	for range n - 1 {
		nextPack(t, s).Ack() // the janitor purges what was fanned out
	}
	waitFor(t, "room", func() bool { return s.Status().State == StateOK && s.Status().Used < 2<<20 })
	put(t, s, message(2))
}

// TestHealsAfterDiskFull fills the disk under a store at work, so that its server meets
// ENOSPC, and looks that nothing acknowledged is lost and that all goes on by itself.
func TestHealsAfterDiskFull(t *testing.T) {
	t.Parallel()
	dir := onSmallDisk(t, "48m")
	if dir == "" {
		return
	}
	opts := Options{Dir: filepath.Join(dir, "store"), ReserveBytes: 4 << 20, KeepMessages: time.Hour}
	s := openStore(t, opts)
	s.space.reserve = -1 << 40 // nothing is refused in time
	runStore(t, s)
	create(t, s, setKeyOf("before"))
	held, brief := message(1_000_000), message(1_000_001)
	put(t, s, held)
	heldJob := nextJob(t, s) // in hand all the time
	put(t, s, brief)
	briefJob := nextJob(t, s) // ends while there is no server
	publish(t, s, eventOf(brief, event.VoiceInitiated), eventOf(brief, event.VoiceBusy))

	w := startWriters(t, s)
	w.atLeast(t, 200)
	former, err := s.session()
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		remove := ballast(t, dir, 0)
		w.untilRefused(t)
		waitFor(t, "the store to see it", func() bool { return s.Status().State == StateReopening })
		briefJob.Done()
		remove()
		sess, err := s.await(within(t), former)
		if err != nil {
			t.Fatalf("the store was not reopened: %v", err)
		}
		former = sess
		w.atLeast(t, w.count()+200)
	}
	get(t, s, setKeyOf("before"))
	create(t, s, setKeyOf("after"))
	acknowledged := w.stop()
	publish(t, s, eventOf(held, event.VoiceInitiated), eventOf(held, event.VoiceCompleted))
	heldJob.Done()
	waiting := wantStored(t, s, acknowledged)
	for seq, n := range w.took {
		if n > 1 {
			t.Errorf("pack %d was handed out %d times", seq, n)
		}
	}
	half := waiting / 2
	ended := map[string]bool{held.ID: true, brief.ID: true}
	drain(t, s, half, ended)
	closeStore(t, s)

	s = openStore(t, opts)
	if again := wantStored(t, s, acknowledged); again != waiting-half {
		t.Errorf("%d calls wait after a restart, want %d", again, waiting-half)
	}
	drain(t, s, waiting-half, ended)
	noJob(t, s, message(2_000_000))
}

// wantStored looks for every acknowledged record on disk, and returns how many calls
// have not ended.
func wantStored(t *testing.T, s *Store, acknowledged map[string]bool) (waiting int) {
	t.Helper()
	stored := map[string]bool{}
	ended := map[string]bool{}
	err := s.Events().Read(within(t), Position{}, false, func(_ uint64, _ time.Time, events []event.Event) error {
		for _, e := range events {
			stored[e.ID] = true
			ended[e.Message] = ended[e.Message] || slices.Contains(final, e.Type)
		}
		return nil
	})
	if err != nil {
		t.Fatalf("Read = %v, want nil", err)
	}
	err = s.Messages().Accepted(within(t), time.Time{}, func(m voice.Message) error {
		stored[m.ID] = true
		if !ended[m.ID] {
			waiting++
		}
		return nil
	})
	if err != nil {
		t.Fatalf("Accepted = %v, want nil", err)
	}
	for id := range acknowledged {
		if !stored[id] {
			t.Errorf("%s was acknowledged and is lost", id)
		}
	}
	t.Logf("%d acknowledged, %d stored, %d calls wait", len(acknowledged), len(stored), waiting)
	return waiting
}

// writers put and publish without end and remember what was acknowledged; beside them a
// reader takes the events.
type writers struct {
	cancel  context.CancelFunc
	all     sync.WaitGroup
	mu      sync.Mutex
	acked   map[string]bool
	refused int
	took    map[uint64]int // by sequence; read it after stop
}

func startWriters(t testing.TB, s *Store) *writers {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	w := &writers{cancel: cancel, acked: map[string]bool{}, took: map[uint64]int{}}
	t.Cleanup(func() { w.stop() })
	const lanes = 4
	for lane := range lanes {
		w.all.Go(func() {
			for i := lane; ctx.Err() == nil; i += lanes {
				m := message(i)
				e := eventOf(m, event.VoiceInitiated)
				w.note(ctx, m.ID, s.Messages().Put(ctx, m))
				w.note(ctx, e.ID, s.Events().Publish(ctx, e))
			}
		})
	}
	w.all.Go(func() {
		for {
			p, err := s.Events().Next(ctx)
			if err != nil {
				if ctx.Err() == nil {
					t.Errorf("Next() = %v, want it to wait", err)
				}
				return
			}
			w.took[p.Seq]++
			p.Ack()
		}
	})
	return w
}

func (w *writers) note(ctx context.Context, id string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case err == nil:
		w.acked[id] = true
	case ctx.Err() == nil && fault.Is(err, fault.Unavailable):
		w.refused++
	}
}

func (w *writers) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.acked)
}

func (w *writers) atLeast(t testing.TB, n int) {
	t.Helper()
	waitFor(t, "acknowledgements", func() bool { return w.count() >= n })
}

// untilRefused waits until a write was refused from now on.
func (w *writers) untilRefused(t testing.TB) {
	t.Helper()
	refused := func() int {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.refused
	}
	before := refused()
	waitFor(t, "refusals", func() bool { return refused() > before })
}

func (w *writers) stop() map[string]bool {
	w.cancel()
	w.all.Wait()
	return w.acked
}
