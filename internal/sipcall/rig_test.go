package sipcall_test

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
	"go.uber.org/goleak"

	"tidings/internal/audio"
	"tidings/internal/event"
	"tidings/internal/rtpaudio"
	"tidings/internal/sipcall"
	"tidings/internal/siptrunk"
	"tidings/internal/tts/wav"
	"tidings/internal/voice"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what has to come. It only ends tests that fail.
const patience = 20 * time.Second

// rig is a Dialer at work, with one trunk that the test plays by hand.
type rig struct {
	testing.TB
	dialer *sipcall.Dialer
	pool   *siptrunk.Pool
	callee *callee
	speech voice.Speech
	stop   func() // ends Run, once
}

// setUp is what a test may change before the rig is made.
type setUp struct {
	sipcall.Options
	callee *callee           // nil = one that speaks UDP
	trunks []siptrunk.Config // the first one's server is the callee unless it has one
	length time.Duration     // of the message
	media  netip.Addr        // of our sound
}

// newRig makes the rig. Its timers are short where a test would have to wait for them.
func newRig(t testing.TB, change ...func(*setUp)) *rig {
	t.Helper()
	s := &setUp{length: 100 * time.Millisecond, media: localhost}
	s.Listen, s.Tail, s.GreetingDelay = "127.0.0.1:0", 20*time.Millisecond, 20*time.Millisecond
	s.trunks = []siptrunk.Config{{Name: "carrier"}}
	for _, c := range change {
		c(s)
	}
	if s.callee == nil {
		s.callee = newCallee(t)
	}
	r := &rig{TB: t, callee: s.callee}
	for i := range s.trunks {
		c := &s.trunks[i]
		c.Server = cmp.Or(c.Server, r.callee.addr())
		c.Options = cmp.Or(c.Options, -1)
		if c.Prefixes == nil {
			c.Prefixes = []string{"+"}
		}
	}
	var err error
	if r.pool, err = siptrunk.New(s.trunks, siptrunk.Options{}); err != nil {
		t.Fatalf("siptrunk.New() = %v", err)
	}
	if s.Media, err = rtpaudio.New(rtpaudio.Options{Address: s.media, Shards: 1}); err != nil {
		t.Fatalf("rtpaudio.New() = %v", err)
	}
	s.Trunks = r.pool
	if r.dialer, err = sipcall.New(s.Options); err != nil {
		t.Fatalf("sipcall.New() = %v", err)
	}
	r.speech = speech(t, s.length)
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := r.dialer.Run(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Run() = %v, want %v", err, context.Canceled)
		}
	})
	media, stopMedia := context.WithCancel(context.Background())
	var turning sync.WaitGroup
	turning.Go(func() { _ = s.Media.Run(media) })
	r.stop = sync.OnceFunc(func() {
		stop()
		running.Wait()
	})
	t.Cleanup(func() {
		r.stop()
		stopMedia()
		turning.Wait()
	})
	return r
}

// speech makes a message: a tone.
func speech(t testing.TB, d time.Duration) voice.Speech {
	t.Helper()
	file := filepath.Join(t.TempDir(), "speech.wav")
	w := wav.New(16000, audio.Tone(440, -10, d, 16000))
	if err := w.Save(file); err != nil {
		t.Fatalf("Save() = %v", err)
	}
	return voice.Speech{File: file, Duration: w.Duration()}
}

// placed is a call on its way.
type placed struct {
	rig    *rig
	cancel context.CancelFunc
	events chan event.Type
	over   chan struct{}
	voice.Outcome
	err error
}

// message is what is called with unless a test wants another one.
func message() voice.Message {
	return voice.Message{ID: "m", Destination: "+12065550100", Origination: "+12065550199", MaxLength: time.Minute}
}

// dial places a call. progress is what the Dialer is told when it reports; nil = all is well.
func (r *rig) dial(m voice.Message, progress func(event.Type) error) *placed {
	ctx, cancel := context.WithCancel(context.Background())
	p := &placed{rig: r, cancel: cancel, events: make(chan event.Type, 8), over: make(chan struct{})}
	go func() {
		defer close(p.over)
		p.Outcome, p.err = r.dialer.Dial(ctx, voice.Call{Message: m, Speech: r.speech}, func(t event.Type) error {
			p.events <- t
			if progress != nil {
				return progress(t)
			}
			return nil
		})
	}()
	r.Cleanup(func() {
		cancel()
		<-p.over
	})
	return p
}

func (r *rig) call() *placed { return r.dial(message(), nil) }

// sees waits for the next event.
func (p *placed) sees(want event.Type) {
	p.rig.Helper()
	select {
	case got := <-p.events:
		if got != want {
			p.rig.Fatalf("event %q, want %q", got, want)
		}
	case <-time.After(patience):
		p.rig.Fatalf("no event, want %q", want)
	}
}

// ends waits for the outcome and compares it, and that no further events came.
func (p *placed) ends(want event.Type, reason string) {
	p.rig.Helper()
	select {
	case <-p.over:
	case <-time.After(patience):
		p.rig.Fatalf("the call does not end, want %q", want)
	}
	if p.err != nil || p.Type != want || p.Reason != reason {
		p.rig.Errorf("Dial() = %q, %q, %v, want %q, %q", p.Type, p.Reason, p.err, want, reason)
	}
	select {
	case got := <-p.events:
		p.rig.Errorf("another event %q", got)
	default:
	}
}

// pickUp lets a call ring, answers it, and takes the ACK. It waits for the ringing to be
// reported: responses that come at once may be handled in any order.
func (r *rig) pickUp(c *placed, edit ...func(*sip.Response)) (invite, ack *sip.Request) {
	r.Helper()
	invite = r.callee.takes(sip.INVITE)
	r.callee.answers(invite, 180, "Ringing")
	c.sees(event.VoiceRinging)
	r.callee.answers(invite, 200, "OK", append([]func(*sip.Response){r.callee.describes()}, edit...)...)
	ack = r.callee.takes(sip.ACK)
	c.sees(event.VoiceAnswered)
	return invite, ack
}
