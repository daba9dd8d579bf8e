package faults

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// follower reads the files of the event destination that is a file, as they grow.
type follower struct {
	take    func(line []byte) // is given every whole line, once
	pattern string
	offsets map[string]int64
	partial map[string]string // what stands behind the last whole line
}

func newFollower(b *books, data string) *follower {
	return followStream(data, fileTarget, b.ledger(fileTarget).take)
}

// followStream has every line of the files of a stream taken.
func followStream(data, stream string, take func(line []byte)) *follower {
	return &follower{
		take:    take,
		pattern: filepath.Join(data, "destinations", "firehose", testRegion, testAccount, stream, "*", "*", "*", "*.ndjson"),
		offsets: map[string]int64{}, partial: map[string]string{},
	}
}

// read takes in what was appended since it was called last.
func (f *follower) read(t testing.TB) {
	t.Helper()
	files, err := filepath.Glob(f.pattern)
	if err != nil {
		t.Fatalf("find the files: %v", err)
	}
	for _, file := range files {
		text := f.appended(t, file)
		whole := text[:bytes.LastIndexByte(text, '\n')+1]
		f.offsets[file] += int64(len(whole))
		f.partial[file] = string(text[len(whole):])
		for line := range bytes.Lines(whole) {
			f.take(bytes.TrimSuffix(line, []byte("\n")))
		}
	}
}

func (f *follower) appended(t testing.TB, name string) []byte {
	t.Helper()
	file, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatalf("read what was delivered: %v", err)
	}
	defer file.Close()
	if _, err := file.Seek(f.offsets[name], io.SeekStart); err != nil {
		t.Fatalf("read what was delivered: %v", err)
	}
	text, err := io.ReadAll(file)
	if err != nil {
		t.Fatalf("read what was delivered: %v", err)
	}
	return text
}

// wantWhole fails if a file ends in the middle of a line. Call it once nobody writes.
func (f *follower) wantWhole(t testing.TB) {
	t.Helper()
	for file, rest := range f.partial {
		if rest != "" {
			t.Errorf("%s ends in the middle of a line: %q", filepath.Base(file), rest)
		}
	}
}
