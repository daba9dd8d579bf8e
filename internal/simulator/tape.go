package simulator

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"tidings/internal/voice"
)

// maxPerHour is how many recordings an hour keeps at most: it bounds the disk, and the
// time, that recordings cost under load.
const maxPerHour = 10_000

// hourForm is the path of an hour's folder below its tenant's.
const hourForm = "2006/01/02/15"

// tape keeps what simulated phones heard.
type tape struct {
	dir  string
	keep time.Duration
	cut  func(dst, src string, d time.Duration) error
	link func(old, name string) error
	now  func() time.Time
	log  *slog.Logger

	mu    sync.Mutex
	hour  string          // that count and made are about
	count int             // recordings of this hour
	made  map[string]bool // folders that exist
	// twins are recordings that further ones are linked to in place of the speech they
	// are copies of. They are of this hour, so the sweep leaves them alone.
	twins map[string]string
}

func newTape(opts Options) *tape {
	t := &tape{dir: opts.Recordings, keep: opts.Keep, cut: opts.Cut, link: os.Link, now: opts.Now, log: opts.Log}
	if t.now == nil {
		t.now = time.Now
	}
	if t.log == nil {
		t.log = slog.New(slog.DiscardHandler)
	}
	return t
}

// record keeps the first part of the call's speech, of length heard. A whole message is a
// link to the file of the synthesizer, so it costs no space. A recording that cannot be
// kept is logged; it must not end a call.
func (t *tape) record(c voice.Call, heard time.Duration) {
	if t == nil || c.Speech.File == "" || heard <= 0 {
		return
	}
	folder, ok := t.folder(c.Message.Tenant.Account, c.Message.Tenant.Region)
	if !ok {
		return
	}
	dst := filepath.Join(folder, c.Message.ID+".wav")
	var err error
	if heard >= c.Speech.Duration {
		err = t.twin(c.Speech.File, dst)
	} else {
		err = t.cut(dst, c.Speech.File, heard)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		t.log.Warn("recording not kept", "message", c.Message.ID, "error", err)
	}
}

// twin makes dst a file with the content of src: a link, or a copy where the file system
// allows no link. ext4 allows 65,000 to one file, which a text that is spoken again and
// again reaches; then the copy is what further recordings are linked to.
func (t *tape) twin(src, dst string) error {
	t.mu.Lock()
	base, ok := t.twins[src]
	t.mu.Unlock()
	if !ok {
		base = src
	}
	err := t.link(base, dst)
	if err == nil || errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := copyFile(src, dst); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.twins[src] = dst
	return nil
}

// copyFile copies src to dst, which must not exist. It leaves no part of a file behind.
func copyFile(src, dst string) (err error) {
	in, err := os.Open(src)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	out, err := os.OpenFile(dst, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err = io.Copy(out, in); err == nil {
		err = out.Close()
	} else {
		_ = out.Close()
	}
	if err != nil {
		_ = os.Remove(dst)
	}
	return err
}

// folder returns this hour's folder of the tenant, or false when the hour is full.
func (t *tape) folder(account, region string) (string, bool) {
	hour := t.now().UTC().Format(hourForm)
	folder := filepath.Join(t.dir, account, region, filepath.FromSlash(hour))
	t.mu.Lock()
	defer t.mu.Unlock()
	if hour != t.hour {
		t.hour, t.count, t.made, t.twins = hour, 0, map[string]bool{}, map[string]string{}
	}
	if t.count >= maxPerHour {
		if t.count == maxPerHour {
			t.count++
			t.log.Warn("no more recordings are kept this hour", "kept", maxPerHour)
		}
		return "", false
	}
	t.count++
	if !t.made[folder] {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			t.log.Warn("recording not kept", "error", err)
			return "", false
		}
		t.made[folder] = true
	}
	return folder, true
}

// cleaning is the pause between two looks for recordings that have been kept long enough.
const cleaning = 10 * time.Minute

// clean removes the folders of hours that are over for longer than keep, until ctx ends.
func (t *tape) clean(ctx context.Context) {
	ticks := time.NewTicker(cleaning)
	defer ticks.Stop()
	for {
		if err := t.sweep(); err != nil {
			t.log.Warn("old recordings not removed", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
	}
}

// sweep removes what is due now, and folders that are empty then.
func (t *tape) sweep() error {
	hours, err := filepath.Glob(filepath.Join(t.dir, "*", "*", "*", "*", "*", "*"))
	if err != nil {
		return err
	}
	due := t.now().UTC().Add(-t.keep)
	var errs []error
	for _, folder := range hours {
		rest := folder
		parts := make([]string, 4)
		for i := 3; i >= 0; i-- {
			parts[i] = filepath.Base(rest)
			rest = filepath.Dir(rest)
		}
		hour, err := time.Parse(hourForm, parts[0]+"/"+parts[1]+"/"+parts[2]+"/"+parts[3])
		if err != nil || hour.Add(time.Hour).After(due) {
			continue // not one of ours, or not due
		}
		errs = append(errs, os.RemoveAll(folder))
		for parent := filepath.Dir(folder); parent != rest && os.Remove(parent) == nil; parent = filepath.Dir(parent) {
			continue // removes day, month and year once they are empty
		}
	}
	return errors.Join(errs...)
}
