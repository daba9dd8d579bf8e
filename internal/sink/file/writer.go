package file

import (
	"bytes"
	"container/list"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"runtime"
	"slices"
	"sync"
)

// writer appends to the files of one folder. A goroutine works only while there is
// something to write.
type writer struct {
	driver *Driver
	folder string
	users  int           // guarded by driver.mu
	place  *list.Element // in driver.open; guarded by driver.mu

	mu       sync.Mutex
	waiting  []*request
	flushing bool // a goroutine serves those who wait
	busy     bool // it has a slot and is at the file

	// The rest belongs to that goroutine while busy, else to the holder of mu.
	file   handle // nil = none open
	name   string // of file
	size   int64  // of file: all of it is whole lines
	synced string // the last file whose way from the root is known to be on disk
}

// request is one Deliver that waits for its lines to be on disk.
type request struct {
	lines []byte
	done  chan error // takes one
}

// write hands lines over and waits for the disk. When ctx ends first, lines that were not
// begun are taken back.
func (w *writer) write(ctx context.Context, lines []byte) error {
	r := &request{lines: lines, done: make(chan error, 1)}
	if err := w.driver.enqueue(w, r); err != nil {
		return err
	}
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting = slices.DeleteFunc(w.waiting, func(other *request) bool { return other == r })
	return ctx.Err()
}

// enqueue lets r wait and starts the goroutine that serves it, if none runs.
func (d *Driver) enqueue(w *writer, r *request) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return errClosed
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting = append(w.waiting, r)
	if !w.flushing {
		w.flushing = true
		d.flushes.Go(w.flush)
	}
	return nil
}

// flush writes until nobody waits.
func (w *writer) flush() {
	for w.flushOnce() {
	}
	_ = w.driver.rest(w) // a failed close tells nothing new: all that was written is synced
}

// flushOnce writes for all who wait now. It reports whether anybody did.
func (w *writer) flushOnce() bool {
	w.driver.slots <- struct{}{}
	defer func() { <-w.driver.slots }()
	w.mu.Lock()
	group := w.waiting
	w.waiting = nil
	w.flushing = len(group) > 0
	w.busy = w.flushing
	w.mu.Unlock()
	if len(group) == 0 {
		return false
	}
	err := w.appendGroup(group)
	w.mu.Lock()
	w.busy = false
	w.mu.Unlock()
	for _, r := range group {
		r.done <- err
	}
	return true
}

// appendGroup writes the lines of all requests and syncs. If that fails, none of them is
// in the file.
func (w *writer) appendGroup(group []*request) error {
	if err := w.ready(); err != nil {
		return fmt.Errorf("file %s: %w", w.name, err)
	}
	lines := group[0].lines
	if len(group) > 1 {
		all := make([][]byte, len(group))
		for i, r := range group {
			all[i] = r.lines
		}
		lines = bytes.Join(all, nil)
	}
	_, err := w.file.Write(lines)
	if err == nil {
		err = w.file.Sync()
	}
	if err == nil {
		w.size += int64(len(lines))
		return nil
	}
	// A part may have been written, and after a failed sync nobody knows what is on the
	// disk: take everything back. If even that fails, opening the file again mends it.
	if undo := w.file.Truncate(w.size); undo != nil {
		err = errors.Join(err, undo, w.closeFile())
	}
	return fmt.Errorf("file %s: %w", w.name, err)
}

// ready makes sure that the file of this hour is open and still where its name says: an
// operator may have moved it away.
func (w *writer) ready() error {
	name := hour(w.folder, w.driver.now())
	if w.file != nil && (w.name != name || !w.inPlace()) {
		if err := w.closeFile(); err != nil {
			return err
		}
	}
	w.name = name
	if w.file != nil {
		w.driver.used(w)
		return nil
	}
	if err := w.driver.evict(w); err != nil {
		return err
	}
	return w.openFile()
}

func (w *writer) inPlace() bool {
	mine, err := w.file.Stat()
	if err != nil {
		return false
	}
	there, err := w.driver.root.Stat(w.name)
	return err == nil && os.SameFile(mine, there) && there.Size() == w.size
}

func (w *writer) openFile() error {
	dir := path.Dir(w.name)
	if err := w.driver.root.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	f, err := w.driver.root.OpenFile(w.name, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o640)
	if err != nil {
		return err
	}
	file := w.driver.wrap(f)
	size, err := repair(file)
	if err != nil {
		return errors.Join(fmt.Errorf("cut off a torn line: %w", err), file.Close())
	}
	if w.synced != w.name {
		if err := w.driver.syncPath(dir); err != nil {
			return errors.Join(err, file.Close())
		}
		w.synced = w.name
	}
	w.file, w.size = file, size
	return nil
}

// repair cuts off what stands behind the last newline, and returns the size then. Such a
// line was never reported as delivered.
func repair(f handle) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	size := info.Size()
	block := make([]byte, 64<<10)
	for end := size; end > 0; {
		start := max(0, end-int64(len(block)))
		part := block[:end-start]
		if _, err := f.ReadAt(part, start); err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		if i := bytes.LastIndexByte(part, '\n'); i >= 0 {
			return cut(f, size, start+int64(i)+1)
		}
		end = start
	}
	return cut(f, size, 0)
}

func cut(f handle, size, whole int64) (int64, error) {
	if size == whole {
		return size, nil
	}
	return whole, f.Truncate(whole)
}

// closeFile closes the open file, if any. All of it is synced.
func (w *writer) closeFile() error {
	if w.file == nil {
		return nil
	}
	f := w.file
	w.file = nil
	return f.Close()
}

// syncPath syncs dir and all directories above it up to the root, so that a new file is
// still found after a power cut.
func (d *Driver) syncPath(dir string) error {
	if runtime.GOOS == "windows" { // which cannot sync a directory and need not
		return nil
	}
	for {
		f, err := d.root.Open(dir)
		if err != nil {
			return err
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return &fs.PathError{Op: "sync", Path: dir, Err: err}
		}
		if dir == "." {
			return nil
		}
		dir = path.Dir(dir)
	}
}
