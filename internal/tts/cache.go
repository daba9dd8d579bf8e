package tts

import (
	"container/list"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"tidings/internal/tts/wav"
	"tidings/internal/voice"
)

// Grace is how long a file stays after it was last asked for, even if the cache is over
// its size: a call is about to play it. So the cache can be larger than it should by what
// is spoken in that time.
const Grace = 2 * time.Minute

// touchEvery is how often a file that is in use has its time set, by which the order of
// use is known after a restart.
const touchEvery = time.Minute

// memoryOnly is what an entry without a file counts, in bytes.
const memoryOnly = 256

// entry is one piece of speech.
type entry struct {
	key           key
	path          string // "" = there is no file
	rate, samples int
	used          time.Time
}

func (e entry) duration() time.Duration { return wav.Duration(e.samples, e.rate) }

func (e entry) speech() voice.Speech { return voice.Speech{File: e.path, Duration: e.duration()} }

func (e entry) bytes() int64 {
	if e.path == "" {
		return memoryOnly
	}
	return int64(wav.HeaderSize + 2*e.samples)
}

// name is the name of the entry's file. It says all there is to know, so that nothing has
// to be read at start, and gives away a file that a crash has cut short.
func (e entry) name() string { return fmt.Sprintf("%s-%d-%d.wav", e.key, e.rate, e.samples) }

// entryNamed is the reverse of name.
func entryNamed(name string) (e entry, ok bool) {
	const digits = 2 * len(e.key)
	if len(name) < digits {
		return entry{}, false
	}
	if _, err := hex.Decode(e.key[:], []byte(name[:digits])); err != nil {
		return entry{}, false
	}
	if _, err := fmt.Sscanf(name[digits:], "-%d-%d.wav", &e.rate, &e.samples); err != nil {
		return entry{}, false
	}
	return e, e.name() == name && e.rate > 0 && e.rate <= wav.MaxRate && e.samples >= 0
}

// cache keeps speech in files, or only its duration if it has no directory, and forgets
// what was not used for the longest time. It is safe for concurrent use.
type cache struct {
	dir     string
	most    int64
	metrics *metrics
	log     *slog.Logger

	mu    sync.Mutex
	byKey map[key]*list.Element // of *entry
	order list.List             // the last used first
	bytes int64
}

// openCache finds the files of an earlier life by their names and sizes.
func openCache(dir string, most int64, m *metrics, log *slog.Logger) (*cache, error) {
	c := &cache{dir: dir, most: most, metrics: m, log: log, byKey: make(map[key]*list.Element)}
	if dir == "" {
		return c, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var found []*entry
	for _, f := range files {
		e, err := c.inspect(f)
		if err != nil {
			return nil, err
		}
		if e != nil {
			found = append(found, e)
		}
	}
	slices.SortFunc(found, func(a, b *entry) int { return a.used.Compare(b.used) })
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range found {
		c.add(e)
	}
	c.shrink()
	return c, nil
}

// inspect returns the entry of a file, or nil if it is none of the cache's. It removes
// what a crash has left unfinished.
func (c *cache) inspect(f fs.DirEntry) (*entry, error) {
	path := filepath.Join(c.dir, f.Name())
	if temp, err := filepath.Match(wav.TempPattern, f.Name()); err != nil || temp {
		return nil, errors.Join(err, os.Remove(path))
	}
	e, ok := entryNamed(f.Name())
	if !ok || !f.Type().IsRegular() {
		return nil, nil
	}
	info, err := f.Info()
	if err != nil {
		return nil, err
	}
	e.path, e.used = path, info.ModTime()
	if info.Size() != e.bytes() {
		c.log.Warn("cached speech is not complete: removed", "file", path, "bytes", info.Size(), "want", e.bytes())
		return nil, os.Remove(path)
	}
	return &e, nil
}

// get returns speech and notes that it is in use. Speech whose file somebody has removed
// is forgotten.
func (c *cache) get(k key) (entry, bool) {
	now := time.Now()
	c.mu.Lock()
	el, ok := c.byKey[k]
	if !ok {
		c.mu.Unlock()
		return entry{}, false
	}
	e := el.Value.(*entry)
	before := e.used
	e.used = now // from here on it is not evicted, so its file can be looked at without the lock
	c.order.MoveToFront(el)
	found := *e
	c.mu.Unlock()

	var err error
	switch {
	case found.path == "":
	case now.Sub(before) >= touchEvery:
		err = os.Chtimes(found.path, now, now)
	default:
		_, err = os.Lstat(found.path)
	}
	if err != nil {
		c.log.Warn("cached speech is gone: it will be spoken anew", "error", err)
		c.forget(el)
		return entry{}, false
	}
	return found, true
}

func (c *cache) forget(el *list.Element) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := el.Value.(*entry); c.byKey[e.key] == el {
		c.remove(el)
	}
}

// put keeps speech of so many samples. Without a directory the sound itself is not needed.
func (c *cache) put(k key, sound wav.Sound, samples int) error {
	e := &entry{key: k, rate: sound.Rate, samples: samples, used: time.Now()}
	if c.dir != "" {
		path := filepath.Join(c.dir, e.name())
		if err := sound.Save(path); err != nil {
			return err
		}
		e.path = path
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.add(e)
	c.shrink()
	return nil
}

// add puts an entry into the index, in place of one with the same key. The caller holds
// the lock, as with the methods below.
func (c *cache) add(e *entry) {
	if el, ok := c.byKey[e.key]; ok {
		c.remove(el)
		if old := el.Value.(*entry); old.path != e.path {
			c.unlink(old)
		}
	}
	c.byKey[e.key] = c.order.PushFront(e)
	c.bytes += e.bytes()
	c.measure()
}

func (c *cache) remove(el *list.Element) {
	e := el.Value.(*entry)
	delete(c.byKey, e.key)
	c.order.Remove(el)
	c.bytes -= e.bytes()
	c.measure()
}

func (c *cache) measure() {
	c.metrics.bytes.Set(float64(c.bytes))
	c.metrics.files.Set(float64(len(c.byKey)))
}

// unlink removes the file of an entry. The lock is held meanwhile, so that nobody can put
// it back in between.
func (c *cache) unlink(e *entry) {
	if e.path == "" {
		return
	}
	if err := os.Remove(e.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		c.log.Warn("cannot remove cached speech", "error", err)
	}
}

// shrink evicts what was not used for the longest time until the cache has its size.
func (c *cache) shrink() {
	for c.bytes > c.most {
		el := c.order.Back()
		e := el.Value.(*entry)
		if time.Since(e.used) < Grace {
			return
		}
		c.remove(el)
		c.metrics.evicted.Inc()
		c.unlink(e)
	}
}
