package boltstore

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"tidings/internal/fault"
	"tidings/internal/pinpoint"
)

// smallDiskEnv tells a child of this test binary that it has mounts of its own.
const smallDiskEnv = "TIDINGS_TEST_OWN_MOUNTS"

// TestFullDisk fills a small disk of a child process: what was acknowledged stays, what was
// not is told, and once there is room again everything goes on.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	if os.Getenv(smallDiskEnv) == "" {
		withOwnMounts(t)
		return
	}
	if err := syscall.Mount("", "/", "", syscall.MS_PRIVATE|syscall.MS_REC, ""); err != nil {
		t.Fatalf("make mounts private: %v", err)
	}
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=24m"); err != nil {
		t.Fatalf("mount tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 8<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "endpoints.db")
	s := open(t, Options{Path: path})
	var kept []string
	var refused error
	for i := 0; refused == nil && i < 10_000; i++ {
		e := endpoint(fmt.Sprint(i), "user")
		e.Attributes["big"] = []string{string(make([]byte, 20_000))}
		refused = s.Change(within(t), acme, func(tx pinpoint.EndpointTx) error { tx.Put(e); return nil })
		if refused == nil {
			kept = append(kept, e.ID)
		}
	}
	if !fault.Is(refused, fault.Unavailable) || !errors.Is(refused, syscall.ENOSPC) {
		t.Fatalf("after %d endpoints Change = %v, want it unavailable for lack of space", len(kept), refused)
	}
	check := func(when string) {
		t.Helper()
		for _, id := range kept {
			if get(t, s, acme, id) == nil {
				t.Fatalf("%s: endpoint %s of %d is lost", when, id, len(kept))
			}
		}
	}
	check("on a full disk")
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	put(t, s, acme, endpoint("more", "user"))
	kept = append(kept, "more")
	check("with room again")
	shut(t, s)
	s = open(t, Options{Path: path})
	check("after a restart")
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
