package cli

import (
	"context"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"time"
)

const (
	// diskWriters is how many goroutines sit in the kernel while a disk syncs: those of the store, and of mail or endpoints. Each
	// keeps one of Go's processors until the scheduler notices, so there is one more for each: on two cores 8,100 mails a second
	// are accepted with them, and 6,900 without.
	diskWriters = 2
	// most is how far the heap may grow beyond what lives before it is collected, in percent, and least what Go does by default. What
	// lives is small as a rule (some 40 MB, and what is in progress), and a third of what mails cost was collecting it again and again.
	most, least = 300, 100
	// roomy is the heap up to which memory is traded for time. Beyond it, Go's default holds.
	roomy = 768 << 20
	// look is the pause between two looks at what lives.
	look = 2 * time.Second
	// memoryShare is how much of what the container may have the collector tries to stay below.
	memoryShare = 0.8
)

// cgroupMemory is where Linux says how much memory a container may have.
// Source: Linux kernel documentation, "Control Group v2", memory.max.
const cgroupMemory = "/sys/fs/cgroup/memory.max"

// tuneRuntime sets what Go's runtime cannot know: that much of the work is waiting for disks, and that there is a bound of memory.
// What the operator has set in Go's own variables stands.
//
// It goes on looking until ctx ends.
func tuneRuntime(ctx context.Context, getenv func(string) string) {
	if getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + diskWriters)
	}
	if limit, ok := memoryLimit(cgroupMemory); ok && getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(limit)
	}
	if getenv("GOGC") == "" {
		go tuneCollector(ctx)
	}
}

// tuneCollector keeps the collector to what the heap's size is good for.
func tuneCollector(ctx context.Context) {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	for now := 0; ; {
		metrics.Read(live)
		if percent := gcPercent(live[0].Value.Uint64()); percent != now {
			debug.SetGCPercent(percent)
			now = percent
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// gcPercent is how far the heap may grow beyond what lives, in steps of 20 percent.
func gcPercent(live uint64) int {
	const step = 20
	if live == 0 {
		return most
	}
	percent := int64(roomy)*100/int64(min(live, roomy)) - 100
	return int(max(least, min(most, percent/step*step)))
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
