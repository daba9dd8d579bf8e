//go:build !linux

package espeak

// restrict has nothing to do here: only Linux can limit another process.
func restrict(int) {}
