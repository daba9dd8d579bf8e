package file

import (
	"context"
	"errors"
	"os"
)

// mend cuts off a torn last line. The hour is over, but may be written to if the clock is
// set back this moment.
func (k *keeper) mend(ctx context.Context, h hour) error {
	f, err := k.disk.open(h.plain(), os.O_RDONLY)
	if err != nil {
		return err
	}
	whole, err := endsWhole(f)
	if err := errors.Join(err, f.Close()); err != nil || whole {
		return err
	}
	return k.alone(ctx, h.folder, func(w *writer) error {
		if !k.over(h, 0) {
			return nil
		}
		if err := w.release(h.plain()); err != nil {
			return err
		}
		f, err := k.disk.open(h.plain(), os.O_RDWR)
		if err != nil {
			return err
		}
		return errors.Join(k.repair(h.plain(), f), f.Close())
	})
}

// endsWhole reports whether the last line of the file is whole.
func endsWhole(f handle) (bool, error) {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return true, err
	}
	last := make([]byte, 1)
	if _, err := f.ReadAt(last, info.Size()-1); err != nil {
		return true, err
	}
	return last[0] == '\n', nil
}

// repair cuts off a torn line, for good.
func (d *Driver) repair(name string, f handle) error {
	_, torn, err := repair(f)
	if err != nil || torn == 0 {
		return err
	}
	d.mended(name, torn)
	return f.Sync()
}

// mended tells that a torn line was cut off.
func (d *Driver) mended(name string, torn int64) {
	if torn == 0 {
		return
	}
	d.settings.Metrics.countMended()
	d.settings.Logger.Warn("a line that was not written to its end was cut off; it was not reported as delivered", "file", name, "bytes", torn)
}
