package file

import "time"

// watch compares the clock, which may be set, with the time that really passes.
type watch struct {
	wall    time.Time // when last looked at: what the clock said
	elapsed time.Time // when last looked at: a reading that only serves to tell how much time passed
	set     time.Time // the elapsed when the clock had been set forward; zero = never
}

// wall is the reading of a clock without what Go adds to tell how much time passed.
func wall(t time.Time) time.Time { return t.UTC().Round(0) }

// look takes a reading and reports whether the clock was set forward since the last.
func (w *watch) look(wall, elapsed time.Time) bool {
	ahead := wall.Sub(w.wall) - elapsed.Sub(w.elapsed)
	w.wall, w.elapsed = wall, elapsed
	if ahead <= leap {
		return false
	}
	w.set = elapsed
	return true
}

// steady reports whether the clock was not set forward lately.
func (w *watch) steady(elapsed time.Time) bool {
	return w.set.IsZero() || elapsed.Sub(w.set) >= settle
}
