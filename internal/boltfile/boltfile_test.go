package boltfile_test

import (
	"errors"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"go.etcd.io/bbolt"

	"tidings/internal/boltfile"
	"tidings/internal/fault"
)

const layout = 3

func open(tb testing.TB, path string, layout byte) (*boltfile.File, error) {
	tb.Helper()
	f, err := boltfile.Open(path, "things", layout, bbolt.Options{}, []byte("things"))
	if err == nil {
		tb.Cleanup(func() { _ = f.Close() }) // twice is no error
	}
	return f, err
}

// TestAFileIsOpenedAgain makes a file below a directory that is missing, and opens it as another program might.
func TestAFileIsOpenedAgain(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "below", "things.db")
	f, err := open(t, path, layout)
	if err != nil {
		t.Fatalf("Open = %v", err)
	}
	put := func(tx *bbolt.Tx) error { return tx.Bucket([]byte("things")).Put([]byte("a"), []byte("b")) }
	if err := f.Update(put); err != nil {
		t.Fatalf("Update = %v", err)
	}
	size := func(*bbolt.Tx) int64 { return 7 }
	if f.Count(size) != 7 || f.Count(f.Used) <= 0 {
		t.Errorf("Count = %v, used %v", f.Count(size), f.Count(f.Used))
	}
	if err := f.Close(); err != nil {
		t.Fatalf("Close = %v", err)
	}
	if err := f.Read(func(*bbolt.Tx) error { return nil }); !fault.Is(err, fault.Unavailable) {
		t.Errorf("Read of a closed file = %v, want fault.Unavailable", err)
	}
	if n := f.Count(size); n != 0 {
		t.Errorf("Count of a closed file = %v, want 0", n)
	}
	if _, err := open(t, path, layout+1); err == nil || !strings.Contains(err.Error(), "it has layout [3], this program knows 4") {
		t.Errorf("Open by a later program = %v", err)
	}
	f, err = open(t, path, layout)
	if err != nil {
		t.Fatalf("Open again = %v", err)
	}
	wrong := errors.New("wrong")
	err = f.Read(func(tx *bbolt.Tx) error {
		if v := tx.Bucket([]byte("things")).Get([]byte("a")); string(v) != "b" {
			t.Errorf("read %q, want b", v)
		}
		return wrong
	})
	if !errors.Is(err, wrong) || err.Error() != "read things: wrong" {
		t.Errorf("Read = %v", err)
	}
}

func TestWhatCallersMayKnow(t *testing.T) {
	t.Parallel()
	f, err := open(t, filepath.Join(t.TempDir(), "things.db"), layout)
	if err != nil {
		t.Fatalf("Open = %v", err)
	}
	for cause, want := range map[error]string{
		syscall.ENOSPC: "The storage of things is full, so nothing can be accepted. Try again later.",
		syscall.EIO:    "The storage of things cannot be written. Try again later.",
	} {
		err := f.Refused(cause)
		if !fault.Is(err, fault.Unavailable) || fault.From(err).Msg != want || !errors.Is(err, cause) {
			t.Errorf("Refused(%v) = %v, want %q and the cause", cause, err, want)
		}
	}
}
