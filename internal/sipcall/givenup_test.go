package sipcall_test

import (
	"errors"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"tidings/internal/event"
)

// TestSilentTrunk does not wait for a trunk that says nothing, and sees to what it says
// later all the same.
func TestSilentTrunk(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(s *setUp) { s.FirstAnswer = 100 * time.Millisecond })
	c := r.call()
	invite := r.callee.takes(sip.INVITE)
	c.ends(event.VoiceFailed, "the trunk does not answer")

	r.callee.answers(invite, 180, "Ringing")
	cancel := r.callee.takes(sip.CANCEL)
	r.callee.answers(cancel, 200, "OK")
	r.callee.answers(invite, 200, "OK", r.callee.describes())
	r.callee.takes(sip.ACK)
	r.callee.isHungUp()
}

func TestContextEnds(t *testing.T) {
	t.Parallel()
	t.Run("before anything came back", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		c := r.call()
		invite := r.callee.takes(sip.INVITE)
		c.cancel()
		c.ends(event.VoiceFailed, "hung up by the service")
		r.callee.answers(invite, 200, "OK", r.callee.describes())
		r.callee.takes(sip.ACK)
		r.callee.isHungUp()
	})
	t.Run("while it rings", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		c := r.call()
		invite := r.callee.takes(sip.INVITE)
		r.callee.answers(invite, 180, "Ringing")
		c.sees(event.VoiceRinging)
		c.cancel()
		r.callee.answers(r.callee.takes(sip.CANCEL), 200, "OK")
		r.callee.answers(invite, 487, "Request Terminated")
		r.callee.takes(sip.ACK)
		c.ends(event.VoiceFailed, "hung up by the service")
	})
	t.Run("in the middle of the message", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, func(s *setUp) { s.length, s.GreetingDelay = time.Minute, -1 })
		c := r.call()
		r.pickUp(c)
		c.cancel()
		r.callee.isHungUp()
		<-c.over
		if c.Type != event.VoiceFailed || c.Talk <= 0 {
			t.Errorf("Dial() = %+v, want failed after some talk", c.Outcome)
		}
	})
}

var errDisk = errors.New("the disk is full")

func TestProgressFails(t *testing.T) {
	t.Parallel()
	for _, when := range []event.Type{event.VoiceRinging, event.VoiceAnswered} {
		t.Run(string(when), func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			c := r.dial(message(), func(t event.Type) error {
				if t == when {
					return errDisk
				}
				return nil
			})
			invite := r.callee.takes(sip.INVITE)
			r.callee.answers(invite, 180, "Ringing")
			c.sees(event.VoiceRinging)
			if when == event.VoiceRinging {
				r.callee.answers(r.callee.takes(sip.CANCEL), 200, "OK")
				r.callee.answers(invite, 487, "Request Terminated")
				r.callee.takes(sip.ACK)
			} else {
				r.callee.answers(invite, 200, "OK", r.callee.describes())
				r.callee.takes(sip.ACK)
				r.callee.isHungUp()
			}
			<-c.over
			if !errors.Is(c.err, errDisk) {
				t.Errorf("Dial() = %v, want %v", c.err, errDisk)
			}
		})
	}
}
