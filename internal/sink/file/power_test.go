package file

import (
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// power is the power of a disk. It can be cut before any of the disk's operations; a write
// is then half done. It keeps count of what would be on the disk after that.
type power struct {
	mu      sync.Mutex
	left    int // operations until it is cut; -1 = never
	used    int // operations so far
	live    map[string]*inode
	durable map[string]*inode
	removed map[string]bool // whose removal is not synced
}

// inode is a file, whatever its name.
type inode struct{ text, synced string }

// remains says what a crash leaves of the disk.
type remains int

const (
	killed remains = iota // all that was done: only the process died
	cut                   // what was synced
	ahead                 // all names, but of the contents what was synced
	hasty                 // what was synced, less what was removed since
)

var errDead = errors.New("the disk is dead")

// newPower gives a disk power that holds for so many operations.
func newPower(tb testing.TB, dir string, left int) *power {
	tb.Helper()
	p := &power{left: left, live: map[string]*inode{}, removed: map[string]bool{}}
	for name, text := range tree(tb, dir) {
		p.live[name] = &inode{text, text}
	}
	p.durable = maps.Clone(p.live)
	return p
}

// drive puts the disk of a driver under this power.
func (p *power) drive(d *disk) {
	d.gate = p.gate
	d.sync = func(*os.File) error { return nil } // the gate keeps account of it
	d.wrap = func(name string, f *os.File) handle {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.live[name] == nil {
			p.live[name] = &inode{}
			delete(p.removed, name)
		}
		return &poweredFile{File: f, power: p, inode: p.live[name]}
	}
}

// spend uses one operation up and reports whether there was power for it.
func (p *power) spend() bool {
	if p.left == 0 {
		return false
	}
	p.left--
	p.used++
	return true
}

func (p *power) dead() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.left == 0
}

func (p *power) gate(op string, names ...string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.spend() {
		return errDead
	}
	switch op {
	case "rename":
		p.live[names[1]] = p.live[names[0]]
		delete(p.live, names[0])
	case "remove":
		delete(p.live, names[0])
		p.removed[names[0]] = true
	case "syncdir":
		in := func(name string, _ *inode) bool { return path.Dir(name) == names[0] }
		maps.DeleteFunc(p.durable, in)
		maps.DeleteFunc(p.removed, func(name string, _ bool) bool { return in(name, nil) })
		for name, node := range p.live {
			if in(name, node) {
				p.durable[name] = node
			}
		}
	}
	return nil
}

// leave makes the directory what a crash leaves of it.
func (p *power) leave(tb testing.TB, dir string, how remains) {
	tb.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	files := p.durable
	switch how {
	case killed:
		return
	case ahead:
		files = p.live
	case hasty:
		maps.DeleteFunc(files, func(name string, _ *inode) bool { return p.removed[name] })
	case cut:
	}
	for name := range tree(tb, dir) {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			tb.Fatal(err)
		}
	}
	for name, node := range files {
		put(tb, dir, name, node.synced)
	}
}

type poweredFile struct {
	*os.File
	power *power
	inode *inode
}

// Write appends: nothing else is done to any file.
func (f *poweredFile) Write(b []byte) (int, error) {
	f.power.mu.Lock()
	defer f.power.mu.Unlock()
	if !f.power.spend() {
		return 0, errDead
	}
	if f.power.left == 0 {
		b = b[:len(b)/2]
	}
	n, err := f.File.Write(b)
	f.inode.text += string(b[:n])
	if f.power.left == 0 {
		err = errDead
	}
	return n, err
}

func (f *poweredFile) ReadAt(b []byte, off int64) (int, error) {
	if f.power.dead() {
		return 0, errDead
	}
	return f.File.ReadAt(b, off)
}

func (f *poweredFile) Truncate(size int64) error {
	f.power.mu.Lock()
	defer f.power.mu.Unlock()
	if !f.power.spend() {
		return errDead
	}
	f.inode.text = f.inode.text[:size]
	return f.File.Truncate(size)
}

func (f *poweredFile) Sync() error {
	f.power.mu.Lock()
	defer f.power.mu.Unlock()
	if !f.power.spend() {
		return errDead
	}
	f.inode.synced = f.inode.text
	return nil
}

// tree returns the files below dir with their contents, by slash-separated path.
func tree(tb testing.TB, dir string) map[string]string {
	tb.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(name)
		relative, _ := filepath.Rel(dir, name)
		files[filepath.ToSlash(relative)] = string(text)
		return err
	})
	if err != nil {
		tb.Fatalf("read %s: %v", dir, err)
	}
	return files
}

// put writes a file below dir.
func put(tb testing.TB, dir, name, text string) {
	tb.Helper()
	name = filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(name), 0o750); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o640); err != nil {
		tb.Fatal(err)
	}
}

// unpack returns what gzip -d makes of the text; all members.
func unpack(tb testing.TB, text string) string {
	tb.Helper()
	r, err := gzip.NewReader(strings.NewReader(text))
	if err != nil {
		tb.Fatalf("%q is no gzip file: %v", text, err)
	}
	out, err := io.ReadAll(r)
	if err != nil {
		tb.Fatalf("a packed file is damaged: %v", err)
	}
	return string(out)
}

// packed returns a gzip file that has each text as a member.
func packed(tb testing.TB, members ...string) string {
	tb.Helper()
	var b strings.Builder
	for _, text := range members {
		w := gzip.NewWriter(&b)
		if _, err := w.Write([]byte(text)); err != nil {
			tb.Fatal(err)
		}
		if err := w.Close(); err != nil {
			tb.Fatal(err)
		}
	}
	return b.String()
}
