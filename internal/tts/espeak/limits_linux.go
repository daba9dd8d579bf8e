package espeak

import (
	"time"

	"golang.org/x/sys/unix"
)

// restrict limits what a process may use, and keeps a crash from writing its memory to
// the disk. It is one more fence, not the only one: where the system refuses it, the
// deadline and the bounds of text and output hold all the same.
func restrict(pid int) {
	for resource, most := range map[int]uint64{
		unix.RLIMIT_CPU:  uint64(Timeout / time.Second),
		unix.RLIMIT_AS:   512 << 20,
		unix.RLIMIT_CORE: 0,
		// Nothing is written to files, but probing for PulseAudio maps 64 MiB, which counts.
		unix.RLIMIT_FSIZE: 128 << 20,
	} {
		_ = unix.Prlimit(pid, resource, &unix.Rlimit{Cur: most, Max: most}, nil)
	}
}
