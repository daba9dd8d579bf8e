// Package file delivers events to files: one line of JSON per event, one file per target
// and hour (UTC, by the time of delivery), in a directory tree that follows the ARN:
//
//	sns/us-east-1/123456789012/alerts/2026/11/05/14.ndjson
//
// It is the destination that needs nothing else. A delivery is reported as done once its
// line is synced to the disk. Concurrent deliveries to one target share one write and one
// sync. A line that a crash tore is cut off before the next is written, and at the next
// start at the latest.
//
// Run looks after hours that are over: it compresses and deletes them, as the Settings say.
// Compressing turns 14.ndjson into 14.ndjson.gz. Meanwhile the lines are in
// 14.ndjson.closing-0, which nothing is written to any more. Should 14.ndjson appear again,
// because the clock was set back, its lines become one more member of 14.ndjson.gz, as RFC
// 1952 section 2.2 has it; 14.ndjson.closing-N is then what goes behind the first N bytes.
//
// A directory must belong to one Driver of one process.
package file

import (
	"bytes"
	"container/list"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"tidings/internal/sink"
)

// The bounds of one batch: large enough that the sync is shared by many, small enough that
// the write takes milliseconds.
const (
	batchCount = 5_000
	batchBytes = 4 << 20
)

const (
	defaultMaxOpen = 256
	maxFlushes     = 64 // at a time; more would only queue up in the kernel
)

// Settings are the choices of a Driver. The zero value is good.
type Settings struct {
	MaxOpen int              // files kept open at most, 0 = 256; at least 1
	Gzip    bool             // compress hours when they are over
	Keep    time.Duration    // delete hours that ended longer ago, an hour at least; 0 = never
	Now     func() time.Time // chooses the hour; nil = time.Now
	Logger  *slog.Logger     // nil = nothing is logged
	Metrics *Metrics         // nil = nothing is counted
}

// Driver writes below one directory. It is safe for concurrent use.
type Driver struct {
	settings Settings
	disk     *disk
	slots    chan struct{} // one is taken while a writer writes

	flushes sync.WaitGroup
	mu      sync.Mutex // taken before a writer's
	closed  bool
	writers map[string]*writer // by folder
	open    *list.List         // of *writer with an open file, the longest unused first
	tending bool               // Run works
	later   map[hour]struct{}  // hours that were written to and that Run has to look after
}

// New makes a Driver that writes below the directory, which is created if it is missing.
// Whoever makes it must Close it.
func New(dir string, s Settings) (*Driver, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("file destinations: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("file destinations: %w", err)
	}
	if s.Now == nil {
		s.Now = time.Now
	}
	if s.Logger == nil {
		s.Logger = slog.New(slog.DiscardHandler)
	}
	if s.MaxOpen <= 0 {
		s.MaxOpen = defaultMaxOpen
	}
	return &Driver{
		settings: s, disk: &disk{root: root, sync: (*os.File).Sync},
		slots:   make(chan struct{}, min(s.MaxOpen, maxFlushes)),
		writers: map[string]*writer{}, open: list.New(), later: map[hour]struct{}{},
	}, nil
}

// Check finds no fault with any target: every ARN has a folder.
func (d *Driver) Check(sink.Target) error { return nil }

// Open returns a sink of the target. It touches no file: the first delivery does.
func (d *Driver) Open(t sink.Target) (sink.Sink, error) {
	w, err := d.enter(Folder(t))
	if err != nil {
		return nil, err
	}
	return &target{writer: w}, nil
}

// enter adds a user to the writer of the folder.
func (d *Driver) enter(folder string) (*writer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, errClosed
	}
	w, ok := d.writers[folder]
	if !ok {
		w = &writer{driver: d, folder: folder}
		d.writers[folder] = w
	}
	w.users++
	return w, nil
}

// Close waits for the writes under way and closes all files. Run must have returned.
func (d *Driver) Close() error {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return nil
	}
	d.closed = true
	d.mu.Unlock()
	d.flushes.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	var failures []error
	for _, w := range d.writers {
		failures = append(failures, w.closeFile())
	}
	clear(d.writers)
	d.open.Init()
	return errors.Join(append(failures, d.disk.root.Close())...)
}

var errClosed = errors.New("closed")

// target is one user of a writer.
type target struct {
	writer *writer
	mu     sync.Mutex
	closed bool
}

// Limits bounds a batch.
func (*target) Limits() sink.Limits { return sink.Limits{Count: batchCount, Bytes: batchBytes} }

// Deliver appends the records and returns when they are on the disk. A record that is no
// JSON fails for good.
func (t *target) Deliver(ctx context.Context, batch []sink.Delivery) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	t.mu.Lock()
	closed := t.closed
	t.mu.Unlock()
	if closed {
		return errClosed
	}
	lines, failed := encode(batch)
	if len(lines) > 0 {
		if err := t.writer.do(ctx, &request{lines: lines}); err != nil {
			return err
		}
	}
	switch {
	case len(failed) == 0:
		return nil
	case len(failed) == len(batch) && len(batch) == 1:
		return failed[0]
	}
	return &sink.PartialError{Failed: failed}
}

// Close lets go of the target.
func (t *target) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil
	}
	t.closed = true
	return t.writer.driver.leave(t.writer)
}

// encode returns the lines of the batch, and which records cannot be one.
func encode(batch []sink.Delivery) (lines []byte, failed map[int]error) {
	size := 0
	for i := range batch {
		size += len(batch[i].Event.Record) + 1
	}
	b := bytes.NewBuffer(make([]byte, 0, size))
	for i := range batch {
		if err := encodeLine(b, batch[i].Event.Record); err != nil {
			if failed == nil {
				failed = map[int]error{}
			}
			failed[i] = sink.Permanent(fmt.Errorf("event %s: %w", batch[i].Event.ID, err))
		}
	}
	return b.Bytes(), failed
}

// encodeLine appends one line. A record is left as it is, byte for byte; only one that
// spreads over several lines has its white space taken out.
func encodeLine(b *bytes.Buffer, record []byte) error {
	if len(bytes.TrimSpace(record)) == 0 {
		return errors.New("the record is empty")
	}
	if bytes.ContainsAny(record, "\n\r") {
		if err := json.Compact(b, record); err != nil {
			return fmt.Errorf("the record is no JSON: %w", err)
		}
	} else {
		b.Write(record)
	}
	b.WriteByte('\n')
	return nil
}
