package natsstore

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"tidings/internal/event"
)

// writerEnv names the directory into which a child of this test binary writes until it
// is killed.
const writerEnv = "TIDINGS_TEST_WRITE_INTO"

// child does the work of a child process, if this is one.
func child() (code int, ok bool) {
	dir := os.Getenv(writerEnv)
	if dir == "" {
		return 0, false
	}
	if err := writeUntilKilled(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1, true
	}
	return 0, true
}

// writeUntilKilled puts messages and publishes events from many goroutines, takes jobs and
// packs, and prints the ID of each record once it was acknowledged.
func writeUntilKilled(dir string) error {
	ctx := context.Background()
	s, err := Open(ctx, Options{Dir: dir})
	if err != nil {
		return err
	}
	base := int(time.Now().UnixNano() % 1_000_000_000_000)
	base -= base % 1_000_000
	failed := make(chan error)
	for lane := range 32 {
		go func() {
			for i := base + lane; ; i += 32 {
				m := message(i)
				if err := s.Messages().Put(ctx, m); err != nil {
					failed <- err
				}
				fmt.Println(m.ID)
				e := eventOf(m, event.VoiceInitiated)
				if err := s.Events().Publish(ctx, e); err != nil {
					failed <- err
				}
				fmt.Println(e.ID)
			}
		}()
	}
	go func() {
		for {
			j, err := s.Messages().Next(ctx)
			if err != nil {
				failed <- err
			}
			e := eventOf(j.Message, event.VoiceFailed)
			if err := s.Events().Publish(ctx, e); err != nil {
				failed <- err
			}
			fmt.Println(e.ID)
			j.Done()
		}
	}()
	go func() {
		for {
			p, err := s.Events().Next(ctx)
			if err != nil {
				failed <- err
			}
			p.Ack()
		}
	}()
	return <-failed
}

func TestKilledWriterLosesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	acknowledged := map[string]bool{}
	for round := range 3 {
		killWriter(t, dir, 1500*(round+1), acknowledged)
		began := time.Now()
		s := openStore(t, Options{Dir: dir, KeepMessages: time.Hour})
		opened := time.Since(began)
		waiting := wantStored(t, s, acknowledged)
		began = time.Now()
		first := drain(t, s, waiting, map[string]bool{})
		t.Logf("round %d: opened in %v, first of %d jobs after %v, all after %v",
			round, opened, waiting, first, time.Since(began))
		if first > 5*time.Second {
			t.Errorf("the first job came after %v; it must not wait for AckWait", first)
		}
		closeStore(t, s)
	}
}

// drain takes all jobs that wait and ends their calls. It returns when the first came.
func drain(t *testing.T, s *Store, waiting int, ended map[string]bool) (first time.Duration) {
	t.Helper()
	began := time.Now()
	var all sync.WaitGroup
	for i := range waiting {
		j := nextJob(t, s)
		if i == 0 {
			first = time.Since(began)
		}
		if ended[j.Message.ID] {
			t.Fatalf("Next() = %s, which has ended or was handed out before", j.Message.ID)
		}
		ended[j.Message.ID] = true
		all.Go(func() {
			publish(t, s, eventOf(j.Message, event.VoiceFailed))
			j.Done()
		})
	}
	all.Wait()
	return first
}

// killWriter runs a writer until it has printed n IDs, kills it, and notes all IDs.
func killWriter(t *testing.T, dir string, n int, acknowledged map[string]bool) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), writerEnv+"="+dir)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(out)
	for i := 0; ; i++ {
		line, err := r.ReadString('\n')
		if err != nil {
			break // the last line may be half
		}
		acknowledged[strings.TrimSuffix(line, "\n")] = true
		if i == n {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil || cmd.ProcessState.Exited() {
		t.Fatalf("the writer ended by itself: %v", err)
	}
}
