// Package datadir guards the directory that holds everything Tidings keeps: one process
// at a time, and no older program over the data of a newer one.
//
// It knows nothing of what lies in the directory besides its own two files, LOCK and
// VERSION. It uses flock(2), which also works between containers that share a volume, and
// which the kernel releases when a process dies.
package datadir

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// Version is the layout of the directory that this program writes. It rises when a
// program of the former version could no longer read the data.
const Version = 1

const (
	lockName    = "LOCK"
	versionName = "VERSION"
	product     = "tidings"
)

// maxVersionBytes bounds what is read of a VERSION file; a true one has a dozen bytes.
const maxVersionBytes = 256

// ErrLocked says that another process has the directory.
var ErrLocked = errors.New("another process uses the data directory")

// Dir is a data directory that this process has to itself. It is safe for concurrent use.
type Dir struct {
	path string

	mu   sync.Mutex
	lock *os.File // nil once closed
}

// Open takes the directory at path for this process, and creates it (mode 0700) if it is
// missing. It fails with ErrLocked while another process has it, and refuses a directory
// whose VERSION file is newer than this program or not readable.
func Open(path string) (*Dir, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("data directory %q: %w", path, err)
	}
	if err := os.MkdirAll(abs, 0o700); err != nil {
		return nil, fmt.Errorf("create data directory: %w", err)
	}
	lock, err := takeLock(abs)
	if err != nil {
		return nil, err
	}
	if err := checkVersion(abs); err != nil {
		return nil, errors.Join(err, release(lock))
	}
	return &Dir{path: abs, lock: lock}, nil
}

// Path returns the absolute path of elem below the directory, or of the directory itself.
func (d *Dir) Path(elem ...string) string {
	return filepath.Join(append([]string{d.path}, elem...)...)
}

// Close gives the directory free. It may be called twice.
func (d *Dir) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.lock == nil {
		return nil
	}
	// The file stays: removing it would let two processes lock two files of one name.
	err := release(d.lock)
	d.lock = nil
	return err
}

// takeLock locks the LOCK file and writes the process ID into it, for people and for the
// error text of whoever comes second.
func takeLock(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock file: %w", err)
	}
	if err := flock(f, syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer func() { _ = f.Close() }() // nothing was written
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
		}
		return nil, fmt.Errorf("%w: %s%s", ErrLocked, dir, holder(f))
	}
	if err := writeHolder(f); err != nil {
		return nil, errors.Join(fmt.Errorf("write lock file: %w", err), release(f))
	}
	return f, nil
}

// release unlocks and closes the LOCK file. Closing alone would not do: a child process that
// is just being started has the file open, too, until it runs its own program.
func release(f *os.File) error {
	return errors.Join(flock(f, syscall.LOCK_UN), f.Close())
}

func flock(f *os.File, how int) error {
	for {
		err := syscall.Flock(int(f.Fd()), how)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

func writeHolder(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// holder names the process that has the lock, or is empty if the file does not tell.
func holder(f *os.File) string {
	buf := make([]byte, 32)
	n, _ := f.ReadAt(buf, 0) // a short read is the rule; an empty one leaves n at 0
	pid, err := strconv.Atoi(strings.TrimSpace(string(buf[:n])))
	if err != nil || pid <= 0 {
		return ""
	}
	return fmt.Sprintf(" (process %d)", pid)
}

// checkVersion compares the VERSION file with Version, and writes one where none is.
func checkVersion(dir string) error {
	path := filepath.Join(dir, versionName)
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return writeVersion(dir)
	}
	if err != nil {
		return fmt.Errorf("open version file: %w", err)
	}
	defer func() { _ = f.Close() }() // only read
	buf := make([]byte, maxVersionBytes)
	n, err := f.Read(buf)
	if err != nil {
		return fmt.Errorf("%s is not readable (%w): this is no data directory of %s, or it is damaged", path, err, product)
	}
	name, number, ok := strings.Cut(string(bytes.TrimSpace(buf[:n])), " ")
	version, err := strconv.Atoi(number)
	if !ok || name != product || err != nil || version < 1 {
		return fmt.Errorf("%s holds %q instead of %q: this is no data directory of %s, or it is damaged",
			path, bytes.TrimSpace(buf[:n]), fmt.Sprintf("%s %d", product, Version), product)
	}
	if version > Version {
		return fmt.Errorf("%s was written by a newer %s (data version %d; this program knows %d): upgrade the program, or use another data directory",
			dir, product, version, Version)
	}
	return nil
}

// writeVersion makes the VERSION file appear whole or not at all.
func writeVersion(dir string) error {
	path := filepath.Join(dir, versionName)
	temp := path + ".new"
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("write version file: %w", err)
	}
	_, err = fmt.Fprintf(f, "%s %d\n", product, Version)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write version file: %w", err)
	}
	if err := os.Rename(temp, path); err != nil {
		return fmt.Errorf("write version file: %w", err)
	}
	return syncDir(dir)
}

// syncDir makes a rename inside dir survive a power cut.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync data directory: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("sync data directory: %w", err)
	}
	return nil
}
