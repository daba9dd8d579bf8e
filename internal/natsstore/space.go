package natsstore

import (
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
)

// The states of a store.
const (
	StateOK        = "ok"
	StateFull      = "storage full" // nothing new is accepted; what was accepted goes on
	StateReopening = "reopening"    // the storage has failed and is being mended
)

// Status is how the store is.
type Status struct {
	State    string // StateOK, StateFull or StateReopening
	Sentence string // for people: what it means and what to do
	Used     int64  // bytes stored
	Limit    int64  // bytes that may be stored
	Free     int64  // bytes free on the disk for an unprivileged process; -1 = not known
}

// urgentShare is the part of the reserve that even events may not touch: it is left for
// what the server writes about itself.
const urgentShare = 8

// space knows how much room there is and who may still write. It is safe for concurrent
// use.
type space struct {
	dir     string
	log     *slog.Logger
	reserve int64
	limit   int64
	used    atomic.Int64 // as last measured, and what was stored since
	full    atomic.Bool
	mu      sync.Mutex // one measurement decides at a time
}

func newSpace(opts Options) *space {
	return &space{dir: opts.Dir, log: opts.Log, reserve: opts.ReserveBytes, limit: opts.MaxBytes}
}

// admit reports with a fault that a write of n bytes has no room.
func (sp *space) admit(u urgency, n int) error {
	free, err := sp.free()
	if err != nil {
		return reopeningFault(err)
	}
	if u == urgent {
		if free-int64(n) < sp.reserve/urgentShare || sp.used.Load()+int64(n) > sp.limit {
			return fullFault(nil)
		}
		return nil
	}
	if sp.measure(free, int64(n)) {
		return fullFault(nil)
	}
	return nil
}

// refuses is admit for a write that will gather with others: as long as there was room at
// the last look it costs nothing.
func (sp *space) refuses() error {
	if !sp.full.Load() {
		return nil
	}
	return sp.admit(ordinary, 0)
}

// stored counts a write until the next measurement.
func (sp *space) stored(n int) { sp.used.Add(int64(n)) }

// measure decides whether there is room for n more bytes beside the reserve. Once there
// was none, there must be a good deal more before there is some again, or the state would
// flap with every deleted file.
func (sp *space) measure(free, n int64) (full bool) {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	reserve, limit := sp.reserve, sp.limit-sp.limit/16
	if sp.full.Load() {
		reserve += reserve / urgentShare
		limit -= limit / 64
	}
	used := sp.used.Load()
	full = free-n < reserve || used+n > limit
	switch was := sp.full.Swap(full); {
	case full && !was:
		sp.log.Warn("storage full: nothing new is accepted", "used", used, "limit", sp.limit, "free", free, "reserve", sp.reserve)
	case was && !full:
		sp.log.Info("storage has room again", "used", used, "limit", sp.limit, "free", free)
	}
	return full
}

// free returns the bytes that an unprivileged process may still write to the disk.
func (sp *space) free() (int64, error) {
	var st syscall.Statfs_t
	for {
		err := syscall.Statfs(sp.dir, &st)
		switch err {
		case nil:
			return int64(min(st.Bavail, 1<<40)) * int64(st.Bsize), nil //nolint:unconvert // the types differ between systems
		case syscall.EINTR:
		default:
			return 0, os.NewSyscallError("statfs "+sp.dir, err)
		}
	}
}

// Status tells how the store is. It looks at the disk, not at the streams.
func (s *Store) Status() Status {
	st := Status{State: StateOK, Sentence: "The storage works.", Used: s.space.used.Load(), Limit: s.opts.MaxBytes, Free: -1}
	if free, err := s.space.free(); err == nil {
		st.Free = free
	}
	switch _, err := s.session(); {
	case err != nil:
		st.State = StateReopening
		st.Sentence = "The storage has failed and is being reopened; it stays so while there is no free disk space."
	case s.space.full.Load():
		st.State = StateFull
		st.Sentence = fmt.Sprintf("The storage is full: %d of %d bytes are used, and %d bytes are free on the disk of which %d are kept in reserve. Free disk space or raise the bound.",
			st.Used, st.Limit, st.Free, s.opts.ReserveBytes)
	}
	return st
}

// look measures the room anew. It reports false if the server does not answer.
func (s *Store) look() (ok bool) {
	free, err := s.space.free()
	if err != nil {
		s.log.Error("cannot tell the free disk space", "err", err)
		return true
	}
	if sess, err := s.session(); err == nil {
		used, ok := inTime(s.tune.stuck, func() int64 { return s.tune.usage(sess) })
		if !ok {
			return false
		}
		s.space.used.Store(used)
	}
	s.space.measure(free, 0)
	return true
}
