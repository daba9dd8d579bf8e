package interop

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"go.uber.org/goleak"

	"tidings/internal/rtpaudio"
)

// wheel sends the sound of all calls, as in the product: one for each test would be more
// threads than the machine has cores, all in a hurry.
var wheel *rtpaudio.Wheel

func TestMain(m *testing.M) { os.Exit(runAll(m)) }

func runAll(m *testing.M) int {
	// These tests wait for each other's timers and hardly compute, so many may run at once.
	// What the command line says counts more.
	err := flag.Set("test.parallel", "16")
	if err == nil {
		wheel, err = rtpaudio.New(rtpaudio.Options{Address: loopback, Shards: 1})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- wheel.Run(ctx) }()
	code := m.Run()
	cancel()
	if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "the wheel ended:", err)
		code = 1
	}
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	return code
}

// need returns the path of a program, or ends the test without it.
func need(tb testing.TB, program, debian string) string {
	tb.Helper()
	for _, name := range []string{program, "/usr/sbin/" + program} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("TIDINGS_INTEROP") == "required" {
		tb.Fatalf("%s is not installed (Debian package %s)", program, debian)
	}
	tb.Skipf("%s is not installed (Debian package %s)", program, debian)
	return ""
}
