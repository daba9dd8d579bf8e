package cli

import (
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
)

const (
	// diskWriters is how many goroutines sit in the kernel while a disk syncs: those of the store, and of mail or endpoints. Each
	// keeps one of Go's processors until the scheduler notices, so there is one more for each: on two cores 8,100 mails a second
	// are accepted with them, and 6,900 without.
	diskWriters = 2
	// gcPercent lets the heap grow to four times what lives before it is collected. What lives is small (some 40 MB, and what is in
	// progress), and a third of the time that mails cost was spent on collecting it again and again.
	gcPercent = 300
	// memoryShare is how much of what the container may have the collector tries to stay below.
	memoryShare = 0.8
)

// cgroupMemory is where Linux says how much memory a container may have.
// Source: Linux kernel documentation, "Control Group v2", memory.max.
const cgroupMemory = "/sys/fs/cgroup/memory.max"

// tuneRuntime sets what Go's runtime cannot know: that much of the work is waiting for disks, and that there is a bound of memory.
// What the operator has set in Go's own variables stands.
func tuneRuntime(getenv func(string) string) {
	if getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + diskWriters)
	}
	if getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if limit, ok := memoryLimit(cgroupMemory); ok && getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(limit)
	}
}

// memoryLimit returns what the collector should stay below; false = there is no bound.
func memoryLimit(file string) (int64, bool) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, false // no control groups, or another system
	}
	most, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64) // "max" = not bounded
	if err != nil || most <= 0 || most > math.MaxInt64/2 {
		return 0, false
	}
	return int64(float64(most) * memoryShare), true
}
