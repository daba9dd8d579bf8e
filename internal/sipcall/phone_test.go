package sipcall_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"tidings/internal/event"
	"tidings/internal/phone"
	"tidings/internal/simulator"
	"tidings/internal/siptrunk"
	"tidings/internal/voice"
)

// ringUp runs the phone of `tidings phone`.
func ringUp(t *testing.T, o phone.Options) *phone.Phone {
	t.Helper()
	o.Listen, o.Ring, o.HangUp = "127.0.0.1:0", 20*time.Millisecond, 150*time.Millisecond
	p, err := phone.New(o)
	if err != nil {
		t.Fatalf("phone.New() = %v", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := p.Run(ctx); err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("Run() = %v", err)
		}
	})
	t.Cleanup(func() {
		stop()
		running.Wait()
	})
	return p
}

// TestPhones calls each number of the phone: its calls end as the simulator's do, with the
// same events in the same order.
func TestPhones(t *testing.T) {
	t.Parallel()
	p := ringUp(t, phone.Options{})
	r := newRig(t, func(s *setUp) {
		s.trunks[0].Server, s.length, s.RingTimeout = p.Addr(), 400*time.Millisecond, 2*time.Second
		s.GreetingDelay = 50 * time.Millisecond
	})
	for _, n := range simulator.Numbers() {
		t.Run(n.Behavior, func(t *testing.T) {
			t.Parallel()
			m := message()
			m.Destination = voice.Phone(n.Number)
			c := r.dial(m, nil)
			<-c.over
			close(c.events)
			got := []event.Type{event.VoiceInitiated}
			for e := range c.events {
				got = append(got, e)
			}
			got = append(got, c.Type)
			if c.err != nil || !slices.Equal(got, n.Events) {
				t.Errorf("events %q, %q, %v, want %q", got, c.Reason, c.err, n.Events)
			}
		})
	}
}

// TestPhoneByTCP calls the phone over TCP with credentials. With SRTP demanded, which it does
// not speak, the call fails.
func TestPhoneByTCP(t *testing.T) {
	t.Parallel()
	for name, secure := range map[string]bool{"RTP": false, "SRTP": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ended := make(chan phone.Call, 1)
			p := ringUp(t, phone.Options{Username: "alice", Password: "secret", Ended: func(c phone.Call) { ended <- c }})
			r := newRig(t, func(s *setUp) {
				c := &s.trunks[0]
				c.Server, c.Transport, c.SRTP = p.Addr(), siptrunk.TCP, secure
				c.Username, c.Password = "alice", "secret"
			})
			c := r.call()
			if secure {
				<-c.over
				if c.Type != event.VoiceFailed || c.Talk != 0 {
					t.Errorf("Dial() = %+v, want failed without an answer", c.Outcome)
				}
				return
			}
			c.sees(event.VoiceRinging)
			c.sees(event.VoiceAnswered)
			c.ends(event.VoiceCompleted, "")
			heard := (<-ended).Heard
			if heard.Duration() < r.speech.Duration {
				t.Errorf("the phone heard %v, want at least %v", heard.Duration(), r.speech.Duration)
			}
		})
	}
}
