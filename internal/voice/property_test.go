package voice

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"tidings/internal/event"
)

// scenario is what befalls a few messages, drawn before anything runs.
type scenario struct {
	calls     []script        // one per message
	publishes []publishing    // what becomes of attempts to publish, one after the other; then all succeed
	lives     []stopping      // how lives of the process end; then one runs until all is done
	speech    []time.Duration // how long speaking takes, per message; negative = fails
	lines     int
}

// script is what a dialer does.
type script struct {
	steps []step
	end   event.Type
	how   string // "outcome", "error", "panic", "hang"
}

type step struct {
	after time.Duration
	t     event.Type
}

type publishing int

const (
	stored   publishing = iota
	refused             // not stored, and the caller is told
	doubtful            // stored, and the caller is told that it was not
)

type stopping struct {
	after time.Duration
	crash bool // else a stop by plan
	drain time.Duration
}

func drawScenario(t *rapid.T) scenario {
	types := []event.Type{
		event.VoiceInitiated, event.VoiceRinging, event.VoiceAnswered, event.VoiceCompleted,
		event.VoiceBusy, event.VoiceNoAnswer, event.VoiceFailed, "voice.nonsense",
	}
	// Mostly what happens in life, now and then what no dialer should do.
	kind := rapid.OneOf(rapid.SampledFrom(types[1:3]), rapid.SampledFrom(types))
	final := rapid.OneOf(rapid.SampledFrom(types[3:7]), rapid.SampledFrom(types))
	seconds := func(label string, most int) time.Duration {
		return time.Duration(rapid.IntRange(0, most*10).Draw(t, label)) * 100 * time.Millisecond
	}
	s := scenario{lines: rapid.IntRange(1, 4).Draw(t, "lines")}
	for range rapid.IntRange(1, 5).Draw(t, "messages") {
		var c script
		for range rapid.IntRange(0, 3).Draw(t, "steps") {
			c.steps = append(c.steps, step{seconds("step after", 5), kind.Draw(t, "progress")})
		}
		c.end = final.Draw(t, "end")
		c.how = rapid.SampledFrom([]string{"outcome", "outcome", "outcome", "error", "panic", "hang"}).Draw(t, "how")
		s.calls = append(s.calls, c)
		s.speech = append(s.speech, seconds("speech", 3)-100*time.Millisecond)
	}
	for range rapid.IntRange(0, 12).Draw(t, "publishes") {
		s.publishes = append(s.publishes, rapid.SampledFrom([]publishing{stored, refused, doubtful}).Draw(t, "publish"))
	}
	for range rapid.IntRange(0, 3).Draw(t, "lives") {
		s.lives = append(s.lives, stopping{seconds("stop after", 12), rapid.Bool().Draw(t, "crash"), seconds("drain", 5)})
	}
	return s
}

// world plays a scenario.
type world struct {
	scenario
	*disk
	mu    sync.Mutex
	dials map[string]int
	tries int
}

func (w *world) index(id string) (i int) {
	_, _ = fmt.Sscanf(id, "m%d", &i)
	return i
}

func (w *world) Dial(ctx context.Context, c Call, progress func(event.Type) error) (Outcome, error) {
	w.mu.Lock()
	w.dials[c.Message.ID]++
	w.mu.Unlock()
	s := w.calls[w.index(c.Message.ID)]
	for _, step := range s.steps {
		if !wait(ctx, step.after) {
			return Outcome{Type: event.VoiceFailed, Reason: "hung up"}, nil
		}
		if err := progress(step.t); err != nil {
			return Outcome{}, err
		}
	}
	switch s.how {
	case "error":
		return Outcome{}, errors.New("no carrier")
	case "panic":
		panic("no carrier")
	case "hang":
		<-ctx.Done()
		return Outcome{}, ctx.Err()
	}
	return Outcome{Type: s.end, Talk: time.Second}, nil
}

// play lives through all lives and returns what is wrong afterwards.
func (w *world) play(ctx context.Context) error {
	w.publish = func([]event.Event) (bool, error) { // called with the disk's lock held
		w.tries++
		if w.tries > len(w.publishes) {
			return true, nil
		}
		switch w.publishes[w.tries-1] {
		case stored:
		case refused:
			return false, errors.New("disk full")
		case doubtful:
			return true, errors.New("no answer")
		}
		return true, nil
	}
	for _, end := range w.lives {
		w.live(ctx, end)
	}
	// Quiet lives until all is done: a dialer that hangs keeps a line until the stop.
	for range len(w.messages) + 1 {
		w.live(ctx, stopping{after: time.Hour})
	}
	if !w.allDone() {
		return fmt.Errorf("done are %v of %d messages", w.done, len(w.messages))
	}
	for _, m := range w.messages {
		if err := w.check(m.ID); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) live(ctx context.Context, end stopping) {
	l := w.crash()
	speak := speaker(func(ctx context.Context, c Content, _ time.Duration) (Speech, error) {
		took := w.speech[w.index(c.Text)]
		if took < 0 {
			return Speech{}, errors.New("hoarse")
		}
		if !wait(ctx, took) {
			return Speech{}, ctx.Err()
		}
		return Speech{Duration: time.Second}, nil
	})
	r := &Runner{Queue: l, Publisher: l, Synthesizer: speak, Dialer: w, Lines: w.lines, Drain: end.drain}
	ctx, stop := context.WithCancel(ctx)
	returned := make(chan struct{})
	go func() {
		defer close(returned)
		_ = r.Run(ctx)
	}()
	time.Sleep(end.after)
	if end.crash {
		w.crash() // nothing of this life reaches the disk any more
	}
	stop()
	<-returned
}

// check holds one message to the promises.
func (w *world) check(id string) error {
	if n := w.dials[id]; n > 1 {
		return fmt.Errorf("%s was dialled %d times", id, n)
	}
	var state event.Type
	finals := 0
	types := w.types(id)
	for _, t := range types {
		if !legal(state, t) {
			return fmt.Errorf("%s has the events %v: %q after %q", id, types, t, state)
		}
		if isFinal(t) {
			finals++
		}
		state = t
	}
	if finals != 1 {
		return fmt.Errorf("%s has the events %v: %d final ones", id, types, finals)
	}
	return nil
}

// TestOneFinalEventAndAtMostOneDial is the promise that everything else hangs on: whatever
// carriers, disks and crashes do, every message gets exactly one final event, in a legal
// order, and no phone rings twice.
func TestOneFinalEventAndAtMostOneDial(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		s := drawScenario(rt)
		w := &world{scenario: s, dials: map[string]int{}}
		var messages []Message
		for i := range s.calls {
			m := message(fmt.Sprintf("m%d", i))
			m.Content.Text = m.ID // so that the speaker knows whose it is
			messages = append(messages, m)
		}
		var err error
		synctest.Test(t, func(t *testing.T) {
			w.disk = newDisk(messages...)
			err = w.play(t.Context())
		})
		if err != nil {
			rt.Fatalf("%v", err)
		}
	})
}
