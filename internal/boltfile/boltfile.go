// Package boltfile is what files of bbolt have in common, whatever lies in them: how they are opened, which layout they have, and what
// callers may know when the disk refuses.
package boltfile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"tidings/internal/fault"
)

// Each file has a bucket Meta with the version of its layout under KeyVersion.
var (
	Meta       = []byte("meta")
	KeyVersion = []byte("version")
)

// lockTimeout is how long to wait for another process to give the file free.
const lockTimeout = time.Second

// File is an open file. It is safe for concurrent use.
type File struct {
	*bbolt.DB

	path string
	what string
}

// Open opens the file, which is created if it is missing, and makes its buckets. what lies in it is said in errors: "endpoints". It fails if
// the file has another layout. The caller closes the File.
func Open(path, what string, layout byte, options bbolt.Options, buckets ...[]byte) (*File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("create the directory of %s: %w", what, err)
	}
	options.Timeout = lockTimeout
	db, err := bbolt.Open(path, 0o600, &options)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	if err := db.Update(func(tx *bbolt.Tx) error { return prepare(tx, layout, buckets) }); err != nil {
		return nil, errors.Join(fmt.Errorf("prepare %s: %w", path, err), db.Close())
	}
	return &File{DB: db, path: path, what: what}, nil
}

func prepare(tx *bbolt.Tx, layout byte, buckets [][]byte) error {
	for _, name := range append([][]byte{Meta}, buckets...) {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return err
		}
	}
	meta := tx.Bucket(Meta)
	switch v := meta.Get(KeyVersion); {
	case v == nil:
		return meta.Put(KeyVersion, []byte{layout})
	case len(v) != 1 || v[0] != layout:
		return fmt.Errorf("it has layout %v, this program knows %d", v, layout)
	}
	return nil
}

// Close closes the file.
func (f *File) Close() error {
	if err := f.DB.Close(); err != nil {
		return fmt.Errorf("close %s: %w", f.path, err)
	}
	return nil
}

// Read reads in a transaction. It fails with Closed once the file is.
func (f *File) Read(read func(tx *bbolt.Tx) error) error {
	err := f.View(read)
	if errors.Is(err, bolterrors.ErrDatabaseNotOpen) {
		return Closed()
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", f.what, err)
	}
	return nil
}

// Used returns how many bytes of the file are in use.
func (f *File) Used(tx *bbolt.Tx) int64 {
	return tx.Size() - int64(f.Stats().FreePageN)*int64(f.Info().PageSize)
}

// Count returns what is counted on disk, for metrics; 0 when the file is closed.
func (f *File) Count(count func(tx *bbolt.Tx) int64) (n float64) {
	_ = f.View(func(tx *bbolt.Tx) error {
		n = float64(count(tx))
		return nil
	})
	return n
}

// Refused turns the failure of a transaction into what callers may know.
func (f *File) Refused(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, bolterrors.ErrMaxSizeReached) {
		return f.Full(err)
	}
	return unavailable(err, "The storage of "+f.what+" cannot be written. Try again later.")
}

// Full says that nothing can be accepted for lack of room.
func (f *File) Full(cause error) error {
	return unavailable(cause, "The storage of "+f.what+" is full, so nothing can be accepted. Try again later.")
}

// Closed says that the server is about to stop.
func Closed() error { return unavailable(nil, "The service is shutting down. Try again.") }

func unavailable(cause error, text string) error {
	f := fault.New(fault.Unavailable, "", "%s", text)
	f.Err = cause
	return f
}
