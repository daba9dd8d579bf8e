package cli

import (
	"bytes"
	"context"
	"crypto/sha256"
	"os"
	"time"
)

// lookEvery is how often the configuration file is looked at.
const lookEvery = 2 * time.Second

// watch calls reload at every hangup, and when the file at path ("" = none) has other content
// than before and has kept it for one look, so that a file is not read while it is written.
func watch(ctx context.Context, path string, hangups <-chan os.Signal, reload func()) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	file := follower{path: path}
	file.seen = file.look()
	file.applied = file.seen
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangups:
			file.seen = file.look()
			file.applied = file.seen
			reload()
		case <-ticker.C:
			if file.changed() {
				reload()
			}
		}
	}
}

// follower notices that a file has changed.
type follower struct {
	path          string
	seen, applied []byte // hashes of the content; nil = there was none
}

func (f *follower) look() []byte {
	if f.path == "" {
		return nil
	}
	text, err := os.ReadFile(f.path)
	if err != nil {
		return nil // it is being replaced, or gone: what is in force stays
	}
	sum := sha256.Sum256(text)
	return sum[:]
}

// changed reports once that there is content which is new and has settled.
func (f *follower) changed() bool {
	before := f.seen
	f.seen = f.look()
	if f.seen == nil || !bytes.Equal(f.seen, before) || bytes.Equal(f.seen, f.applied) {
		return false
	}
	f.applied = f.seen
	return true
}
