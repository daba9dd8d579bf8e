package mailstore

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"tidings/internal/email"
	"tidings/internal/fault"
)

// smallDiskEnv tells a child of this test binary that it has mounts of its own.
const smallDiskEnv = "TIDINGS_TEST_OWN_MOUNTS"

// TestFullDisk fills a small disk of a child process: what was acknowledged stays, what was not is told, outcomes have a place all the
// same, and once mails are done there is room for others.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	if os.Getenv(smallDiskEnv) == "" {
		withOwnMounts(t)
		return
	}
	s, kept := fillDisk(t)
	for i, id := range kept {
		j := next(t, s)
		if j.Message.ID != id {
			t.Fatalf("on a full disk Next = %s, want %s, the %dth of %d", j.Message.ID, id, i, len(kept))
		}
		save(t, j, delivered())
		if i < len(kept)/2 {
			j.Done()
		}
	}
	for i := 0; ; i++ {
		if err := s.Put(within(t), newLetter("9", 20_000)); err == nil {
			break
		} else if !fault.Is(err, fault.Unavailable) {
			t.Fatalf("Put with room again = %v, want nil before long", err)
		}
	}
	path := s.opts.Path
	shut(t, s)
	s = open(t, Options{Path: path})
	for _, id := range kept[len(kept)/2:] {
		j := next(t, s)
		if d := diff(delivered(), j.State); j.Message.ID != id || d != "" {
			t.Fatalf("after a restart Next = %s, want %s, and its state (-want +got):\n%s", j.Message.ID, id, d)
		}
	}
	if j := next(t, s); j.Message.ID != "9" {
		t.Errorf("after a restart Next = %s, want what was put last", j.Message.ID)
	}
	waits(t, s)
}

// fillDisk puts mails on a small disk until there is no room.
func fillDisk(t *testing.T) (s *Store, kept []string) {
	t.Helper()
	if err := syscall.Mount("", "/", "", syscall.MS_PRIVATE|syscall.MS_REC, ""); err != nil {
		t.Fatalf("make mounts private: %v", err)
	}
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=40m"); err != nil {
		t.Fatalf("mount tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	s = open(t, Options{Path: filepath.Join(dir, "mail.db"), MemoryBytes: 1})
	var refused error
	for i := 0; refused == nil && i < 10_000; i++ {
		l := newLetter(fmt.Sprintf("1-%08d", i), 100_000)
		if refused = s.Put(within(t), l, email.Letter{Message: newLetter(l.Message.ID+"+", 0).Message}); refused == nil {
			kept = append(kept, l.Message.ID, l.Message.ID+"+")
		}
	}
	if !fault.Is(refused, fault.Unavailable) || !errors.Is(refused, syscall.ENOSPC) {
		t.Fatalf("after %d mails Put = %v, want it unavailable for lack of space", len(kept), refused)
	}
	return s, kept
}

// withOwnMounts runs the test in a child process whose mounts are its own.
func withOwnMounts(t *testing.T) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.timeout=90s")
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
	if err != nil {
		t.Fatalf("on the small disk: %v\n%s", err, out)
	}
}
