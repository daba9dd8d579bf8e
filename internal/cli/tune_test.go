package cli

import (
	"os"
	"path/filepath"
	"testing"
)

func TestMemoryLimit(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"536870912\n": 429496729, "max\n": 0, "": 0, "-1": 0, "9223372036854771712\n": 0, // as version 1 says that there is none
	} {
		file := filepath.Join(t.TempDir(), "memory.max")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, ok := memoryLimit(file); got != want || ok != (want != 0) {
			t.Errorf("memoryLimit(%q) = %d, %v, want %d", text, got, ok, want)
		}
	}
	if got, ok := memoryLimit(filepath.Join(t.TempDir(), "missing")); ok {
		t.Errorf("memoryLimit without a file = %d, want none", got)
	}
}

func TestGCPercent(t *testing.T) {
	t.Parallel()
	for live, want := range map[uint64]int{0: 300, 40 << 20: 300, 192 << 20: 300, 256 << 20: 200, 300 << 20: 140, 384 << 20: 100, 10 << 30: 100} {
		if got := gcPercent(live); got != want {
			t.Errorf("gcPercent(%d MiB) = %d, want %d", live>>20, got, want)
		}
	}
}
