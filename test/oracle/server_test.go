package oracle

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The key that a server without accounts knows, and its account.
const (
	testKey     = "test"
	testSecret  = "test"
	testAccount = "123456789012"
	testRegion  = "us-east-1"
)

// binary is the program under test, built once from the tree around this module.
var binary string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "tidings-oracle-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "tidings")
	build := exec.Command("go", "build", "-trimpath", "-o", binary, "./cmd/tidings")
	build.Dir = filepath.Join("..", "..")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the binary: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// server is a running binary.
type server struct {
	API   string `json:"api"`
	Admin string `json:"admin"`
	Ready bool   `json:"ready"`

	data    string
	process *exec.Cmd
	log     *lockedBuffer
	ended   chan struct{} // closed once the process is gone
	err     error         // how it ended; read after ended is closed
}

// options are what a test wants of its server. The zero value has no quotas and a data
// directory of its own.
type options struct {
	quotas string         // "" = off
	config map[string]any // written as JSON, which is YAML too; none = the defaults
	env    map[string]string
	data   string // "" = a new directory
}

// start runs a server and waits until it is ready. It is stopped when the test ends.
func start(t testing.TB, o options) *server {
	t.Helper()
	s := &server{data: o.data, log: &lockedBuffer{}, ended: make(chan struct{})}
	if s.data == "" {
		s.data = filepath.Join(t.TempDir(), "data")
	}
	if o.quotas == "" {
		o.quotas = "off"
	}
	args := []string{"serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--data", s.data, "--quotas", o.quotas}
	if len(o.config) > 0 {
		args = append(args, "--config", writeConfig(t, o.config))
	}
	s.process = exec.Command(binary, args...)
	s.process.Stderr = s.log
	s.process.Env = os.Environ()
	for k, v := range o.env {
		s.process.Env = append(s.process.Env, k+"="+v)
	}
	out, err := s.process.StdoutPipe()
	if err != nil {
		t.Fatalf("pipe the server's output: %v", err)
	}
	if err := s.process.Start(); err != nil {
		t.Fatalf("start the server: %v", err)
	}
	line, readErr := bufio.NewReader(out).ReadBytes('\n')
	go func() {
		defer close(s.ended)
		s.err = s.process.Wait()
	}()
	t.Cleanup(func() {
		s.stop(t)
		if t.Failed() {
			t.Logf("the server's log ends with:\n%s", s.log.tail())
		}
	})
	if err := errors.Join(readErr, json.Unmarshal(line, s)); err != nil || !s.Ready {
		t.Fatalf("the server said %q instead of being ready: %v\n%s", line, err, s.log.tail())
	}
	return s
}

func writeConfig(t testing.TB, config map[string]any) string {
	t.Helper()
	text, err := json.Marshal(config)
	if err != nil {
		t.Fatalf("write the configuration: %v", err)
	}
	file := filepath.Join(t.TempDir(), "tidings.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatalf("write the configuration: %v", err)
	}
	return file
}

// stopGrace is longer than the server gives the calls in progress.
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
			t.Errorf("the server stopped with %v, want exit status 0\n%s", s.err, s.log.tail())
		}
	case <-timer.C:
		t.Errorf("the server is still running %v after SIGTERM\n%s", stopGrace, s.log.tail())
		s.kill()
	}
}

// kill ends the server at once, in the middle of whatever it is doing.
func (s *server) kill() {
	_ = s.process.Process.Kill() // it may have ended by itself
	<-s.ended
}

// lockedBuffer collects what a process writes while a test looks on.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

// tail returns the last few thousand bytes.
func (b *lockedBuffer) tail() []byte {
	const enough = 4 << 10
	b.mu.Lock()
	defer b.mu.Unlock()
	text := b.text.Bytes()
	return bytes.Clone(text[max(0, len(text)-enough):])
}

// await calls met until it is true. It fails the test, with what progress says, once
// nothing that progress says has changed for a while.
func await(t testing.TB, what string, met func() bool, progress func() string) {
	t.Helper()
	const patience = 30 * time.Second
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	last, since := "", time.Now()
	for !met() {
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
