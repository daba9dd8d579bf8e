package file

import (
	"bytes"
	"container/list"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
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
	at     hour   // of file
	name   string // of file
	size   int64  // of file: all of it is whole lines
	synced string // the last file whose way from the root is known to be on disk
}

// request is something to do for which the folder must be at rest.
type request struct {
	lines []byte       // to append and sync; a Deliver waits for it
	job   func() error // or this, for the keeper
	done  chan error   // takes one
}

// do hands r over and waits until it is done. When ctx ends first, what was not begun is
// taken back. A job that was begun is waited for: it is short.
func (w *writer) do(ctx context.Context, r *request) error {
	r.done = make(chan error, 1)
	if err := w.driver.enqueue(w, r); err != nil {
		return err
	}
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
	}
	w.mu.Lock()
	waiting := len(w.waiting)
	w.waiting = slices.DeleteFunc(w.waiting, func(other *request) bool { return other == r })
	begun := len(w.waiting) == waiting
	w.mu.Unlock()
	if begun && r.job != nil {
		return <-r.done
	}
	return ctx.Err()
}

// alone runs job while nothing is written to the folder.
func (d *Driver) alone(ctx context.Context, folder string, job func(w *writer) error) error {
	w, err := d.enter(folder)
	if err != nil {
		return err
	}
	return errors.Join(w.do(ctx, &request{job: func() error { return job(w) }}), d.leave(w))
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
	group = runJobs(group)
	var err error
	if len(group) > 0 {
		err = w.appendGroup(group)
	}
	w.mu.Lock()
	w.busy = false
	w.mu.Unlock()
	for _, r := range group {
		r.done <- err
	}
	return true
}

// runJobs does what is no writing and returns the rest.
func runJobs(group []*request) []*request {
	if !slices.ContainsFunc(group, func(r *request) bool { return r.job != nil }) {
		return group
	}
	var lines []*request
	for _, r := range group {
		if r.job == nil {
			lines = append(lines, r)
			continue
		}
		r.done <- r.job()
	}
	return lines
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
	h := hourAt(w.folder, w.driver.settings.Now())
	if w.file != nil && (w.at != h || !w.inPlace()) {
		if err := w.closeFile(); err != nil {
			return err
		}
	}
	if w.at != h {
		w.at, w.name = h, h.plain()
	}
	if w.file != nil {
		w.driver.used(w)
		return nil
	}
	if err := w.driver.evict(w); err != nil {
		return err
	}
	err := w.openFile()
	w.driver.note(h) // not before: a sweep that had seen no file yet would have dropped the note
	return err
}

func (w *writer) inPlace() bool {
	mine, err := w.file.Stat()
	if err != nil {
		return false
	}
	there, err := w.driver.disk.root.Stat(w.name)
	return err == nil && os.SameFile(mine, there) && there.Size() == w.size
}

func (w *writer) openFile() error {
	f, err := w.driver.disk.create(w.name)
	if err != nil {
		return err
	}
	size, torn, err := repair(f)
	if err != nil {
		return errors.Join(fmt.Errorf("cut off a torn line: %w", err), f.Close())
	}
	w.driver.mended(w.name, torn)
	if size == 0 || w.synced != w.name { // an empty file may have been made this moment
		if err := w.driver.disk.syncPath(path.Dir(w.name)); err != nil {
			return errors.Join(err, f.Close())
		}
		w.synced = w.name
	}
	w.file, w.size = f, size
	return nil
}

// release closes the file if it has this name. Only jobs call it.
func (w *writer) release(name string) error {
	if w.file == nil || w.name != name {
		return nil
	}
	w.driver.mu.Lock()
	if w.place != nil {
		w.driver.open.Remove(w.place)
		w.place = nil
	}
	w.driver.mu.Unlock()
	return w.closeFile()
}

// repair cuts off what stands behind the last newline, and returns the size then and how
// much was cut off. Such a line was never reported as delivered.
func repair(f handle) (size, torn int64, err error) {
	info, err := f.Stat()
	if err != nil {
		return 0, 0, err
	}
	size, err = wholeLines(f, info.Size())
	if err != nil || size == info.Size() {
		return size, 0, err
	}
	return size, info.Size() - size, f.Truncate(size)
}

// wholeLines returns where the last line ends that has an end.
func wholeLines(f io.ReaderAt, size int64) (int64, error) {
	block := make([]byte, min(size, 64<<10))
	for end := size; end > 0; {
		start := max(0, end-int64(len(block)))
		part := block[:end-start]
		if _, err := f.ReadAt(part, start); err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		if i := bytes.LastIndexByte(part, '\n'); i >= 0 {
			return start + int64(i) + 1, nil
		}
		end = start
	}
	return 0, nil
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
