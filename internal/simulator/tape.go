package simulator

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"tidings/internal/voice"
)

// maxPerHour is how many recordings an hour keeps at most. It bounds the disk under load
// and stays below the 65,000 links that ext4 allows to one file.
const maxPerHour = 10_000

// hourForm is the path of an hour's folder below its tenant's.
const hourForm = "2006/01/02/15"

// tape keeps what simulated phones heard.
type tape struct {
	dir  string
	keep time.Duration
	cut  func(dst, src string, d time.Duration) error
	now  func() time.Time
	log  *slog.Logger

	mu    sync.Mutex
	hour  string          // that count and made are about
	count int             // recordings of this hour
	made  map[string]bool // folders that exist
}

func newTape(opts Options) *tape {
	t := &tape{dir: opts.Recordings, keep: opts.Keep, cut: opts.Cut, now: opts.Now, log: opts.Log}
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
		err = os.Link(c.Speech.File, dst)
	} else {
		err = t.cut(dst, c.Speech.File, heard)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		t.log.Warn("recording not kept", "message", c.Message.ID, "error", err)
	}
}

// folder returns this hour's folder of the tenant, or false when the hour is full.
func (t *tape) folder(account, region string) (string, bool) {
	hour := t.now().UTC().Format(hourForm)
	folder := filepath.Join(t.dir, account, region, filepath.FromSlash(hour))
	t.mu.Lock()
	defer t.mu.Unlock()
	if hour != t.hour {
		t.hour, t.count, t.made = hour, 0, map[string]bool{}
	}
	if t.count >= maxPerHour {
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
