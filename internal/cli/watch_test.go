package cli

import (
	"os"
	"path/filepath"
	"testing"
)

func TestFollowerWaitsUntilAFileHasSettled(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "tidings.yaml")
	put := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("one")
	f := follower{path: path}
	f.seen = f.look()
	f.applied = f.seen
	for i, step := range []struct {
		do   func()
		want bool
	}{
		{func() {}, false},
		{func() { put("tw") }, false},                 // being written
		{func() { put("two") }, false},                // other content again
		{func() {}, true},                             // settled
		{func() {}, false},                            // told once
		{func() { _ = os.Remove(path) }, false},       // gone
		{func() {}, false},                            // still gone: nothing to apply
		{func() { put("two") }, false},                // back
		{func() {}, false},                            // the same as before
		{func() { put("one") }, false},                // an older version
		{func() {}, true},                             // counts as a change
		{func() { _ = os.Chmod(path, 0o400) }, false}, // its content is the same
	} {
		step.do()
		if got := f.changed(); got != step.want {
			t.Errorf("step %d: changed = %v, want %v", i, got, step.want)
		}
	}
	none := follower{}
	if none.changed() {
		t.Error("a server without a file has seen it change")
	}
}
