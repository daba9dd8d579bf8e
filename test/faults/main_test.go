package faults

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// binaryEnv tells a child of this test binary where the program under test is.
const binaryEnv = "TIDINGS_FAULTS_BINARY"

// scaleEnv is the length of the runs: 1 = full length, 0.1 = a tenth of it, not set = the
// seconds that go test takes.
const scaleEnv = "TIDINGS_FAULTS_SCALE"

var (
	binary string  // the program under test, built once
	scale  float64 // of scaleEnv; 0 = short
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if text := os.Getenv(scaleEnv); text != "" {
		var err error
		if scale, err = strconv.ParseFloat(text, 64); err != nil || scale <= 0 {
			fmt.Fprintf(os.Stderr, "%s = %q, want a number above 0\n", scaleEnv, text)
			return 1
		}
	}
	if binary = os.Getenv(binaryEnv); binary != "" {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "tidings-faults-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "tidings")
	if err := build(binary); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// build makes the program, static as it is shipped.
func build(file string, flags ...string) error {
	args := append([]string{"build", "-trimpath", "-o", file}, flags...)
	cmd := exec.Command("go", append(args, "./cmd/tidings")...)
	cmd.Dir = filepath.Join("..", "..")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the binary: %w\n%s", err, out)
	}
	return nil
}

// length chooses between the short form of a run and its full length.
func length[T int | time.Duration](short, full T) T {
	if scale == 0 {
		return short
	}
	return max(short, T(float64(full)*min(scale, 1)))
}
