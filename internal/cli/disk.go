package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// rawSyncs is how many synced writes measure the disk.
const rawSyncs = 2_000

// rawDisk measures what the disk below dir can do: appends of 512 bytes to one file, each
// synced before the next. No server that keeps its promises does more commits than that;
// it can only put more into each.
func rawDisk(dir string) (perSecond float64, err error) {
	path := filepath.Join(dir, "raw-disk")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return 0, err
	}
	defer func() {
		_ = f.Close()
		_ = os.Remove(path)
	}()
	line := make([]byte, 512)
	begun := time.Now()
	for range rawSyncs {
		if _, err := f.Write(line); err != nil {
			return 0, fmt.Errorf("measure the disk: %w", err)
		}
		if err := f.Sync(); err != nil {
			return 0, fmt.Errorf("measure the disk: %w", err)
		}
	}
	return rawSyncs / time.Since(begun).Seconds(), nil
}
