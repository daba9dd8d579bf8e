package file

import "errors"

// used moves w to the end of the line of those whose file may be closed.
func (d *Driver) used(w *writer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if w.place != nil {
		d.open.MoveToBack(w.place)
	}
}

// evict makes room for one more open file, w's own, by closing the files that were not
// used for longest. No more writers are busy at a time than files may be open, and w is
// one of them, so there is always one at rest.
func (d *Driver) evict(w *writer) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if w.place == nil {
		w.place = d.open.PushBack(w)
	}
	d.open.MoveToBack(w.place)
	var failures []error
	for e := d.open.Front(); e != nil && d.open.Len() > d.settings.MaxOpen; {
		next := e.Next()
		if other, ok := e.Value.(*writer); ok && other != w {
			failures = append(failures, other.detach())
		}
		e = next
	}
	return errors.Join(failures...)
}

// detach closes the file of w unless w is just at it. driver.mu is held.
func (w *writer) detach() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.busy {
		return nil
	}
	w.driver.open.Remove(w.place)
	w.place = nil
	return w.closeFile()
}

// leave takes one user from w.
func (d *Driver) leave(w *writer) error {
	d.mu.Lock()
	w.users--
	d.mu.Unlock()
	return d.rest(w)
}

// rest forgets w if nobody uses it and nothing is being written. It is kept so long
// because two writers of one folder would undo each other's work.
func (d *Driver) rest(w *writer) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	w.mu.Lock()
	flushing := w.flushing
	w.mu.Unlock()
	if w.users > 0 || flushing || d.writers[w.folder] != w {
		return nil
	}
	delete(d.writers, w.folder)
	if w.place == nil {
		return nil
	}
	return w.detach()
}
