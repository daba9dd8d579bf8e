package interop

import (
	"flag"
	"os"
	"os/exec"
	"testing"

	"go.uber.org/goleak"
)

// These tests wait for each other's timers and hardly compute, so many may run at once.
// What the command line says counts more.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "16"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
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
