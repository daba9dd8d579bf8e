package datadir

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// holdEnv names the directory that a second process of this test binary shall hold.
const holdEnv = "TIDINGS_TEST_HOLD_DATADIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(holdEnv); dir != "" {
		os.Exit(hold(dir))
	}
	os.Exit(m.Run())
}

// hold takes the directory, says so, and keeps it until its standard input ends.
func hold(dir string) int {
	d, err := Open(dir)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("held")
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	_ = d.Close()
	return 0
}

func TestOpenCreatesTheDirectory(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a", "b")
	d, err := Open(path)
	if err != nil {
		t.Fatalf("Open(%q) = %v, want nil", path, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("mode of the new directory = %v, %v, want 0700", info.Mode().Perm(), err)
	}
	if got, want := d.Path("jetstream", "x"), filepath.Join(path, "jetstream", "x"); got != want {
		t.Errorf("Path = %q, want %q", got, want)
	}
	if got, err := os.ReadFile(d.Path("VERSION")); err != nil || string(got) != "tidings 1\n" {
		t.Errorf("VERSION = %q, %v, want %q", got, err, "tidings 1\n")
	}
	for range 2 {
		if err := d.Close(); err != nil {
			t.Errorf("Close() = %v, want nil", err)
		}
	}
	again, err := Open(path)
	if err != nil {
		t.Fatalf("Open after Close = %v, want nil", err)
	}
	if err := again.Close(); err != nil {
		t.Errorf("Close() = %v, want nil", err)
	}
}

func TestOpenTwiceInOneProcess(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	d, err := Open(path)
	if err != nil {
		t.Fatalf("Open(%q) = %v, want nil", path, err)
	}
	defer func() { _ = d.Close() }()
	_, err = Open(path)
	if !errors.Is(err, ErrLocked) {
		t.Fatalf("second Open = %v, want ErrLocked", err)
	}
	for _, want := range []string{path, strconv.Itoa(os.Getpid())} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("second Open = %q, want %q in it", err, want)
		}
	}
}

func TestOpenWhileAnotherProcessHolds(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), holdEnv+"="+path)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "held\n" {
		t.Fatalf("the other process said %q, %v, want %q", line, err, "held\n")
	}
	_, err = Open(path)
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), fmt.Sprintf("process %d", cmd.Process.Pid)) {
		t.Errorf("Open = %v, want ErrLocked with process %d", err, cmd.Process.Pid)
	}
	_ = stdin.Close()
	if err := cmd.Wait(); err != nil {
		t.Fatalf("the other process ended with %v", err)
	}
	d, err := Open(path)
	if err != nil {
		t.Fatalf("Open after the other process has ended = %v, want nil", err)
	}
	_ = d.Close()
}

func TestOpenRefusesVersions(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ content, want string }{
		"newer":        {"tidings 2\n", "upgrade"},
		"empty":        {"", "damaged"},
		"no number":    {"tidings\n", "damaged"},
		"zero":         {"tidings 0\n", "damaged"},
		"other":        {"postgres 15\n", "damaged"},
		"binary":       {"\x00\xff\x17", "damaged"},
		"long garbage": {strings.Repeat("x", 4096), "damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "VERSION"), []byte(test.content), 0o600); err != nil {
				t.Fatal(err)
			}
			for range 2 { // a refusal must not keep the lock
				if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("Open with VERSION %q = %v, want %q in it", test.content, err, test.want)
				}
			}
		})
	}
}

func TestOpenReportsWhatIsInTheWay(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(file); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("Open(%q) on a file = %v, want an error naming it", file, err)
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "VERSION"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "VERSION") {
		t.Errorf("Open with a directory for VERSION = %v, want an error naming it", err)
	}
}
