package file

import (
	"context"
	"errors"
	"path"
	"strings"
	"time"
)

// How deep directories are below the driver's: service/region/account/name/YYYY/MM/DD.
const (
	folderDepth = 4
	dayDepth    = 7
)

// walk looks after the hours below dir, which is so many levels deep: after all of them, or,
// given a date, only for what is to be deleted of the days until then. It reports whether
// dir is gone.
func (k *keeper) walk(ctx context.Context, dir string, depth int, until string) (gone bool) {
	if depth == dayDepth {
		return k.walkDay(ctx, dir, until)
	}
	entries, err := k.disk.list(dir)
	if err != nil {
		k.fail(err)
		return false
	}
	left := len(entries)
	for _, e := range entries {
		if ctx.Err() != nil {
			return false
		}
		below := path.Join(dir, e.Name())
		if e.IsDir() && (depth < folderDepth || isDate(below, until)) && k.walk(ctx, below, depth+1, until) {
			left--
		}
	}
	return left == 0 && depth > 0 && k.removeDir(dir, depth, left < len(entries))
}

// walkDay does the same for the directory of a day.
func (k *keeper) walkDay(ctx context.Context, dir, until string) (gone bool) {
	folder, date := dateOf(dir)
	day, err := time.Parse(dayLayout, date)
	if err != nil {
		return false
	}
	hours, entries, err := k.disk.hoursOf(folder, day)
	if err != nil {
		k.fail(err)
		return false
	}
	left := entries
	for _, f := range hours {
		switch {
		case ctx.Err() != nil:
			return false
		case k.expired(f.hour):
			if k.mayDelete() {
				n, err := k.drop(ctx, f)
				left -= n
				k.check(ctx, f.hour, err)
			}
		case until != "":
		case k.over(f.hour, grace):
			k.check(ctx, f.hour, k.tend(ctx, f))
		default:
			k.begin(ctx, f)
		}
	}
	return left == 0 && k.removeDir(dir, dayDepth, left < entries)
}

// begin looks at an hour that is not long over.
func (k *keeper) begin(ctx context.Context, f *found) {
	k.note(f.hour)
	if f.hasPlain && k.over(f.hour, 0) {
		k.check(ctx, f.hour, present(k.mend(ctx, f.hour)))
	}
}

// drop deletes the files of the hour and returns how many are gone.
func (k *keeper) drop(ctx context.Context, f *found) (gone int, err error) {
	for _, name := range f.names() {
		if err := k.dropFile(ctx, f.hour, name); err != nil {
			return gone, err
		}
		gone++
		k.settings.Metrics.countDeleted()
	}
	return gone, nil
}

func (k *keeper) dropFile(ctx context.Context, h hour, name string) error {
	if name != h.plain() {
		return k.disk.remove(name)
	}
	return k.alone(ctx, h.folder, func(w *writer) error {
		if !k.over(h, grace) {
			return errNotOver
		}
		return errors.Join(w.release(name), k.disk.remove(name))
	})
}

// errNotOver is met when the clock was set back between two looks at it.
var errNotOver = errors.New("the clock was set back: the hour is not over any more")

// removeDir removes an empty directory: one that was emptied just now, or that a crash left
// of a day that is past. Others may be an operator's. That it is not empty any more is no
// failure; whoever was about to write there makes it again.
func (k *keeper) removeDir(dir string, depth int, emptied bool) bool {
	if !k.mayDelete() {
		return false
	}
	_, date := dateOf(dir)
	if !emptied && (depth <= folderDepth || date >= k.clock.wall.Format(dayLayout)[:len(date)]) {
		return false
	}
	return k.disk.remove(dir) == nil
}

// dateOf takes the path of a year's, month's or day's directory apart.
func dateOf(dir string) (folder, date string) {
	parts := strings.Split(dir, "/")
	if len(parts) <= folderDepth {
		return dir, ""
	}
	return path.Join(parts[:folderDepth]...), path.Join(parts[folderDepth:]...)
}

// isDate reports whether dir stands for a year, a month or a day that does not begin behind
// the date until.
func isDate(dir, until string) bool {
	_, date := dateOf(dir)
	if len(date) > len(dayLayout) {
		return false
	}
	_, err := time.Parse(dayLayout[:len(date)], date)
	return err == nil && (until == "" || date <= until[:len(date)])
}
