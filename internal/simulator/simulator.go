// Package simulator is a carrier whose phones exist only here. It places no call, but all
// that surrounds one is real: the speech, the order of events, the time it takes.
//
// The number dialled chooses what happens, see Numbers. The same number always does the
// same, so a test can rely on it.
package simulator

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"tidings/internal/event"
	"tidings/internal/voice"
)

// Options say how the carrier is simulated.
type Options struct {
	// Speed is how much faster than real time the phones are; 0 = 1. Event times tell
	// when things really happened here; durations in the records tell how long they
	// would have taken.
	Speed float64
	// Numbers gives further numbers the behavior of one of the simulator's phones.
	Numbers map[string]string
	// Recordings is where answered calls leave what was heard; "" = nowhere.
	Recordings string
	// Keep is how long a recording stays.
	Keep time.Duration
	// Cut writes the first part of the WAV file src, of length d, to dst.
	Cut func(dst, src string, d time.Duration) error
	Now func() time.Time // nil = time.Now
	Log *slog.Logger
}

// Dialer is the simulated carrier. It implements voice.Dialer and is safe for concurrent use.
type Dialer struct {
	speed float64
	extra map[string]*Phone // by digits
	tape  *tape             // nil = no recordings
	now   func() time.Time
}

// New makes the carrier. It fails if Numbers names a behavior that does not exist.
func New(opts Options) (*Dialer, error) {
	d := &Dialer{speed: opts.Speed, now: opts.Now}
	if d.speed == 0 {
		d.speed = 1
	}
	if d.now == nil {
		d.now = time.Now
	}
	if opts.Recordings != "" {
		d.tape = newTape(opts)
	}
	return d, d.file(opts.Numbers)
}

// Run removes recordings that have been kept long enough, until ctx ends.
func (d *Dialer) Run(ctx context.Context) error {
	if d.tape != nil {
		d.tape.clean(ctx)
	}
	<-ctx.Done()
	return ctx.Err()
}

// Dial simulates the call. See voice.Dialer.
func (d *Dialer) Dial(ctx context.Context, c voice.Call, progress func(event.Type) error) (voice.Outcome, error) {
	p := d.find(string(c.Message.Destination))
	if p.ring > 0 {
		if err := progress(event.VoiceRinging); err != nil {
			return voice.Outcome{}, err
		}
		if !d.wait(ctx, p.ring) {
			return voice.Outcome{Type: event.VoiceFailed, Reason: "hung up by the service while the phone was ringing"}, nil
		}
	}
	if !p.Answers() {
		return voice.Outcome{Type: p.end, Reason: p.reason}, nil
	}
	if err := progress(event.VoiceAnswered); err != nil {
		return voice.Outcome{}, err
	}
	return d.speak(ctx, c, p)
}

// speak plays the message to whoever answered, as far as they listen.
func (d *Dialer) speak(ctx context.Context, c voice.Call, p *Phone) (voice.Outcome, error) {
	talk := time.Duration(float64(c.Speech.Duration) * p.heard)
	begun := d.now()
	if !d.wait(ctx, talk) {
		talk = min(talk, time.Duration(float64(d.now().Sub(begun))*d.speed))
		d.tape.record(c, talk)
		reason := fmt.Sprintf("hung up by the service after %.1f s of the message", talk.Seconds())
		return voice.Outcome{Type: event.VoiceFailed, Talk: talk, Reason: reason}, nil
	}
	d.tape.record(c, talk)
	return voice.Outcome{Type: p.end, Talk: talk, Reason: p.reason}, nil
}

// shortestWait is below what a timer is worth.
const shortestWait = 50 * time.Microsecond

// wait lets simulated time pass. It reports whether all of it did, before ctx ended.
func (d *Dialer) wait(ctx context.Context, simulated time.Duration) bool {
	span := time.Duration(float64(simulated) / d.speed)
	if span < shortestWait {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(span)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
