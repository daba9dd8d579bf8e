package file

import (
	"compress/gzip"
	"context"
	"errors"
	"io/fs"
	"time"
)

const (
	// grace is how long after its end an hour is left alone, for readers that are at it and
	// for clocks that are set back a little.
	grace = time.Hour
	// tick is how often the clock is looked at. Timers do not follow a clock that is set.
	tick = time.Minute
	// leap is how far the clock may get ahead within a tick without having been set, and
	// settle for how long nothing is deleted after it was: a wrong year would delete all.
	leap   = time.Minute
	settle = time.Hour
)

// errBusy is returned by a second Run.
var errBusy = errors.New("hours are looked after already")

// Run looks after hours that are over, now and whenever one has ended, until ctx ends. It
// cuts off lines that a crash tore, compresses and deletes as the Settings say, and ends
// what an earlier process began. What fails is logged and tried again with the next hour.
// It must not run twice at a time.
func (d *Driver) Run(ctx context.Context) error {
	d.mu.Lock()
	if d.closed || d.tending {
		err := errBusy
		if d.closed {
			err = errClosed
		}
		d.mu.Unlock()
		return err
	}
	d.tending = true
	d.mu.Unlock()
	k := &keeper{Driver: d, clock: watch{wall: wall(d.settings.Now()), elapsed: time.Now()}}
	k.run(ctx)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tending = false
	return nil // its end is always a planned one
}

// note lets Run look after the hour when it is over.
func (d *Driver) note(h hour) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.later[h] = struct{}{}
}

// over reports whether the hour ended that long ago.
func (d *Driver) over(h hour, ago time.Duration) bool {
	return !d.settings.Now().Before(h.end().Add(ago))
}

// keeper is a Run.
type keeper struct {
	*Driver
	clock  watch
	packer *gzip.Writer
	failed int
	first  error // of those that failed
}

func (k *keeper) run(ctx context.Context) {
	ticks := time.NewTicker(tick)
	defer ticks.Stop()
	swept := k.clock.wall.Truncate(time.Hour)
	k.sweep(ctx, true)
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		if k.clock.look(wall(k.settings.Now()), time.Now()) && k.settings.Keep > 0 {
			k.settings.Logger.Warn("the clock was set forward: no destination files are deleted for a while", "now", k.clock.wall, "while", settle)
		}
		if current := k.clock.wall.Truncate(time.Hour); !current.Equal(swept) {
			swept = current
			k.sweep(ctx, false)
		}
	}
}

// sweep looks after all hours there are, or only after those that were noted and those
// that are too old.
func (k *keeper) sweep(ctx context.Context, all bool) {
	k.failed, k.first = 0, nil
	if all {
		k.walk(ctx, ".", 0, "")
	} else {
		k.sweepNoted(ctx)
		if k.mayDelete() {
			k.walk(ctx, ".", 0, k.clock.wall.Add(-k.settings.Keep).Format(dayLayout))
		}
	}
	if k.failed > 0 && ctx.Err() == nil {
		k.settings.Logger.Warn("destination files could not be looked after; trying again with the next hour", "failed", k.failed, "error", k.first)
	}
}

// mayDelete reports whether something is to be deleted, and whether the clock that says
// what can be trusted.
func (k *keeper) mayDelete() bool { return k.settings.Keep > 0 && k.clock.steady(time.Now()) }

// expired reports whether the hour is to be deleted. It goes by the time that was looked
// at last, which mayDelete speaks of.
func (k *keeper) expired(h hour) bool {
	return k.settings.Keep > 0 && !k.clock.wall.Before(h.end().Add(max(grace, k.settings.Keep)))
}

// sweepNoted looks after hours that were written to and are over.
func (k *keeper) sweepNoted(ctx context.Context) {
	k.mu.Lock()
	var due []hour
	for h := range k.later {
		if k.over(h, grace) {
			due = append(due, h)
			delete(k.later, h) // before it is looked after: it may be written to meanwhile
		}
	}
	k.mu.Unlock()
	for _, h := range due {
		if ctx.Err() != nil {
			return
		}
		day := h.start.Truncate(24 * time.Hour)
		hours, _, err := k.disk.hoursOf(h.folder, day)
		for _, f := range hours {
			if err == nil && f.hour == h {
				err = k.tend(ctx, f)
			}
		}
		k.check(ctx, h, err)
	}
}

// check sees to it that an hour that failed is looked after again.
func (k *keeper) check(ctx context.Context, h hour, err error) {
	if err == nil || ctx.Err() != nil {
		return
	}
	k.note(h)
	if !errors.Is(err, errNotOver) && !errors.Is(err, errMoved) { // which are nobody's fault
		k.fail(err)
	}
}

func (k *keeper) fail(err error) {
	k.failed++
	if k.first == nil {
		k.first = err
	}
	k.settings.Metrics.countFailed()
}

// tend brings the hour, which is over, to its end.
func (k *keeper) tend(ctx context.Context, f *found) error {
	var errs []error
	if f.hasTemp {
		errs = append(errs, k.disk.remove(f.temp())) // left behind by a crash
	}
	for _, base := range f.closing {
		errs = append(errs, present(k.finish(ctx, f.hour, base)))
	}
	if f.hasPlain {
		errs = append(errs, present(k.mend(ctx, f.hour)))
	}
	if err := errors.Join(errs...); err != nil || !f.hasPlain || !k.settings.Gzip {
		return err
	}
	base, sealed, err := k.seal(ctx, f.hour)
	if err != nil || !sealed {
		return present(err)
	}
	return present(k.finish(ctx, f.hour, base))
}

// present drops the error that there is no such file: an operator has moved it, or a sweep
// has finished it.
func present(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
