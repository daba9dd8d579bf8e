package file

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"runtime"
)

// disk is the directory of a Driver. Names are slash-separated paths below it.
type disk struct {
	root *os.Root                               // makes sure that no path leaves the directory, not even by a symbolic link
	wrap func(name string, f *os.File) handle   // tests break files with it
	gate func(op string, names ...string) error // tests let the disk die with it; nil = all may pass
	sync func(dir *os.File) error
}

// handle is what is needed of a file.
type handle interface {
	Write(p []byte) (int, error)
	ReadAt(p []byte, off int64) (int, error)
	Stat() (os.FileInfo, error)
	Sync() error
	Truncate(size int64) error
	Close() error
}

func (d *disk) may(op string, names ...string) error {
	if d.gate == nil {
		return nil
	}
	return d.gate(op, names...)
}

func (d *disk) open(name string, flag int) (handle, error) {
	if err := d.may("open", name); err != nil {
		return nil, err
	}
	f, err := d.root.OpenFile(name, flag, 0o640)
	if err != nil {
		return nil, err
	}
	if d.wrap == nil {
		return f, nil
	}
	return d.wrap(name, f), nil
}

// create opens the file for appending, and makes it and its directory if they are missing.
func (d *disk) create(name string) (f handle, err error) {
	for range 3 { // a sweep may remove the directory again while it is empty
		if err = d.root.MkdirAll(path.Dir(name), 0o750); err == nil {
			f, err = d.open(name, os.O_CREATE|os.O_RDWR|os.O_APPEND)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return f, err
}

// stat looks at the name itself, not at what a symbolic link leads to.
func (d *disk) stat(name string) (os.FileInfo, error) {
	if err := d.may("stat", name); err != nil {
		return nil, err
	}
	return d.root.Lstat(name)
}

// list returns the entries of a directory, sorted; none if it is missing.
func (d *disk) list(dir string) ([]fs.DirEntry, error) {
	if err := d.may("list", dir); err != nil {
		return nil, err
	}
	entries, err := fs.ReadDir(d.root.FS(), dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return entries, err
}

func (d *disk) rename(from, to string) error {
	if err := d.may("rename", from, to); err != nil {
		return err
	}
	return d.root.Rename(from, to)
}

// remove removes a file, or a directory that is empty. One that is missing is no error.
func (d *disk) remove(name string) error {
	if err := d.may("remove", name); err != nil {
		return err
	}
	if err := d.root.Remove(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// syncDir makes what was created, renamed or removed in the directory last.
func (d *disk) syncDir(dir string) error {
	if runtime.GOOS == "windows" { // which cannot sync a directory and need not
		return nil
	}
	if err := d.may("syncdir", dir); err != nil {
		return err
	}
	f, err := d.root.Open(dir)
	if err != nil {
		return err
	}
	if err := errors.Join(d.sync(f), f.Close()); err != nil {
		return &fs.PathError{Op: "sync", Path: dir, Err: err}
	}
	return nil
}

// syncPath syncs dir and all directories above it up to the root, so that a new file is
// still found after a power cut.
func (d *disk) syncPath(dir string) error {
	for {
		if err := d.syncDir(dir); err != nil || dir == "." {
			return err
		}
		dir = path.Dir(dir)
	}
}
