package faults

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// server is a running binary.
type server struct {
	API   string `json:"api"`
	Admin string `json:"admin"`
	Ready bool   `json:"ready"`

	data    string
	startUp time.Duration // from start to ready
	process *exec.Cmd
	log     *os.File
	ended   chan struct{} // closed once the process is gone
	err     error         // how it ended; read after ended is closed
}

// options are what a run wants of its server. The same options start it again on the same
// data.
type options struct {
	binary string // "" = the binary under test
	data   string
	config map[string]any
	env    []string
}

// config is what all runs have in common: phones that are a thousand times as fast as
// real ones, and no speech engine. More keys are laid over it.
func config(more map[string]any) map[string]any {
	c := map[string]any{
		"voice":  map[string]any{"simulator": map[string]any{"speed": 1000, "keep_recordings": "0s"}},
		"speech": map[string]any{"engine": "estimate"},
		"log":    map[string]any{"level": "warn", "format": "text"},
	}
	maps.Copy(c, more)
	return c
}

// with returns the keys and one more.
func with(keys map[string]any, key string, value any) map[string]any {
	keys[key] = value
	return keys
}

// start runs a server and waits until it is ready. It is stopped when the test ends.
func start(t testing.TB, o options) *server {
	t.Helper()
	s := &server{data: o.data, ended: make(chan struct{})}
	program := binary
	if o.binary != "" {
		program = o.binary
	}
	s.process = exec.Command(program, "serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0",
		"--data", s.data, "--quotas", "off", "--config", writeConfig(t, o.config))
	s.process.Env = append(os.Environ(), o.env...)
	var err error
	if s.log, err = os.CreateTemp(t.TempDir(), "server-*.log"); err != nil {
		t.Fatalf("open a log: %v", err)
	}
	s.process.Stderr = s.log
	out, err := s.process.StdoutPipe()
	if err != nil {
		t.Fatalf("pipe the server's output: %v", err)
	}
	begun := time.Now()
	if err := s.process.Start(); err != nil {
		t.Fatalf("start the server: %v", err)
	}
	line, readErr := bufio.NewReader(out).ReadBytes('\n')
	s.startUp = time.Since(begun)
	go func() {
		defer close(s.ended)
		s.err = s.process.Wait()
	}()
	t.Cleanup(func() {
		s.stop(t)
		if t.Failed() {
			t.Logf("the server's log ends with:\n%s", s.tail())
		}
		s.log.Close()
	})
	if err := errors.Join(readErr, json.Unmarshal(line, s)); err != nil || !s.Ready {
		t.Fatalf("the server said %q instead of being ready: %v\n%s", line, err, s.tail())
	}
	return s
}

func writeConfig(t testing.TB, config map[string]any) string {
	t.Helper()
	text, err := json.Marshal(config) // JSON is YAML too
	if err != nil {
		t.Fatalf("write the configuration: %v", err)
	}
	file := filepath.Join(t.TempDir(), "tidings.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatalf("write the configuration: %v", err)
	}
	return file
}

// stopGrace is longer than the server gives calls and deliveries in progress.
const stopGrace = time.Minute

// stop ends the server in order, as an operator does.
func (s *server) stop(t testing.TB) {
	t.Helper()
	select {
	case <-s.ended:
		return
	default:
	}
	_ = s.process.Process.Signal(syscall.SIGTERM) // it may have ended meanwhile
	timer := time.NewTimer(stopGrace)
	defer timer.Stop()
	select {
	case <-s.ended:
		if s.err != nil {
			t.Errorf("the server stopped with %v, want exit status 0\n%s", s.err, s.tail())
		}
	case <-timer.C:
		t.Errorf("the server is still running %v after SIGTERM\n%s", stopGrace, s.tail())
		s.kill()
	}
}

// kill ends the server at once, in the middle of whatever it is doing.
func (s *server) kill() {
	_ = s.process.Process.Kill() // it may have ended by itself
	<-s.ended
}

// wantAlive fails if the server has ended by itself.
func (s *server) wantAlive(t testing.TB) {
	t.Helper()
	select {
	case <-s.ended:
		t.Fatalf("the server ended by itself: %v\n%s", s.err, s.tail())
	default:
	}
}

// tail returns the end of the log, without the lines of requests.
func (s *server) tail() string {
	const enough = 8 << 10
	text, err := os.ReadFile(s.log.Name())
	if err != nil {
		return err.Error()
	}
	var kept strings.Builder
	for line := range strings.Lines(string(text)) {
		if !strings.Contains(line, " msg=request ") {
			kept.WriteString(line)
		}
	}
	return kept.String()[max(0, kept.Len()-enough):]
}

// resident is the server's resident memory in MiB, as the kernel counts it; 0 = not known.
// With peak it is the most that it ever was.
func (s *server) resident(peak bool) int {
	key := "VmRSS:"
	if peak {
		key = "VmHWM:"
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.process.Process.Pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), key)
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	kib, _ := strconv.Atoi(fields[0])
	return kib >> 10
}

// pause waits for d, or fails the test when that ends before.
func pause(t testing.TB, d time.Duration) {
	t.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.Context().Done():
		t.Fatalf("pausing: %v", context.Cause(t.Context()))
	}
}

// patience is how long nothing may move before a run counts as stuck. It is longer than
// the longest pause between two attempts to deliver.
func patience() time.Duration { return length(time.Minute, 6*time.Minute) }

// await calls met until it is true. It fails the test, with what progress says, once
// nothing that progress says has changed for long.
func await(t testing.TB, s *server, what string, met func() bool, progress func() string) {
	t.Helper()
	patience := patience()
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	last, since := "", time.Now()
	for !met() {
		s.wantAlive(t)
		if now := progress(); now != last {
			last, since = now, time.Now()
		} else if time.Since(since) > patience {
			t.Fatalf("waited %v for %s, and nothing moves: %s", patience, what, last)
		}
		select {
		case <-look.C:
		case <-t.Context().Done():
			t.Fatalf("waiting for %s: %v", what, context.Cause(t.Context()))
		}
	}
}
