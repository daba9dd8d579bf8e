package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// server is a server under test: this very program, in a process of its own.
type server struct {
	API     string
	Admin   string
	startUp time.Duration // from start to ready
	data    string
	process *exec.Cmd
	cleanUp func()
}

// startServer starts a server without quotas on free loopback ports and waits until it is
// ready. env are additional TIDINGS_ variables.
func startServer(ctx context.Context, data string, env ...string) (*server, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s := &server{cleanUp: func() {}}
	if data == "" {
		if data, err = os.MkdirTemp("", "tidings-bench-"); err != nil {
			return nil, err
		}
		s.cleanUp = func() { _ = os.RemoveAll(data) }
	}
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, err
	}
	s.data = data
	s.process = exec.CommandContext(ctx, program, "serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--data", data, "--quotas", "off")
	s.process.Env = append(os.Environ(), env...)
	log, err := os.Create(filepath.Join(data, "bench.log")) // at its default level, as a server in earnest
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }() // the child has its own descriptor
	s.process.Stderr = log
	s.process.Cancel = func() error { return s.process.Process.Signal(syscall.SIGTERM) }
	out, err := s.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	begun := time.Now()
	if err := s.process.Start(); err != nil {
		return nil, err
	}
	if err := json.NewDecoder(out).Decode(s); err != nil {
		return nil, errors.Join(fmt.Errorf("the server under test did not become ready, see %s: %w", log.Name(), err), s.stop())
	}
	s.startUp = time.Since(begun)
	return s, nil
}

// benchConfig writes the configuration of a server under test. remove takes it away.
func benchConfig(text string) (file string, remove func(), err error) {
	dir, err := os.MkdirTemp("", "tidings-bench-")
	if err != nil {
		return "", nil, err
	}
	remove = func() { _ = os.RemoveAll(dir) }
	file = filepath.Join(dir, "bench.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		remove()
		return "", nil, err
	}
	return file, remove, nil
}

func (s *server) stop() error {
	_ = s.process.Process.Signal(syscall.SIGTERM) // it may have ended by itself
	err := s.process.Wait()
	s.cleanUp()
	return err
}

// resident is the server's resident memory, as the kernel counts it.
func (s *server) resident() string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.process.Process.Pid))
	if err != nil {
		return "unknown"
	}
	for line := range bytes.Lines(text) {
		if rest, ok := bytes.CutPrefix(line, []byte("VmRSS:")); ok {
			kib, err := strconv.Atoi(strings.Fields(string(rest))[0])
			if err == nil {
				return fmt.Sprintf("%d MiB", kib>>10)
			}
		}
	}
	return "unknown"
}

// clockTick is the unit of the times in /proc: USER_HZ, which is 100 on Linux.
const clockTick = time.Second / 100

// cpu is the processor time the server has used.
func (s *server) cpu() time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.process.Process.Pid))
	if err != nil {
		return 0
	}
	// The second field, the name, may hold blanks; it ends with the last bracket.
	_, rest, _ := strings.Cut(string(text[max(0, bytes.LastIndexByte(text, ')')):]), " ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * clockTick
}
