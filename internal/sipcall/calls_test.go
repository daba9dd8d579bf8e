package sipcall_test

import (
	"testing"

	"github.com/emiago/sipgo/sip"

	"tidings/internal/audio"
	"tidings/internal/event"
	"tidings/internal/tts/wav"
)

// encoded is the message as the callee has to hear it, µ-law.
func (r *rig) encoded() []byte {
	r.Helper()
	w, err := wav.Load(r.speech.File)
	if err != nil {
		r.Fatalf("Load() = %v", err)
	}
	return audio.AppendMuLaw(nil, audio.Resample(w.Int16(), w.Rate, 8000))
}

func TestAnswer(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := r.call()
	invite := r.callee.takes(sip.INVITE)
	r.callee.answers(invite, 100, "Trying")
	r.callee.answers(invite, 180, "Ringing")
	c.sees(event.VoiceRinging)
	r.callee.answers(invite, 200, "OK", r.callee.describes())
	ack := r.callee.takes(sip.ACK)
	if ack.CSeq().SeqNo != invite.CSeq().SeqNo || ack.Recipient.User != "callee" {
		t.Errorf("ACK %v of %v", ack, invite)
	}
	c.sees(event.VoiceAnswered)
	bye := r.callee.isHungUp()
	if bye.CSeq().SeqNo <= invite.CSeq().SeqNo {
		t.Errorf("CSeq of BYE %d, of INVITE %d", bye.CSeq().SeqNo, invite.CSeq().SeqNo)
	}
	c.ends(event.VoiceCompleted, "")
	if c.Talk < r.speech.Duration {
		t.Errorf("talked for %v, want at least %v", c.Talk, r.speech.Duration)
	}
	if n := r.callee.count(r.encoded()); n != 1 {
		t.Errorf("the message was heard %d times, want once", n)
	}
}

func TestBusy(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := r.call()
	invite := r.callee.takes(sip.INVITE)
	r.callee.answers(invite, 180, "Ringing")
	c.sees(event.VoiceRinging)
	r.callee.answers(invite, 486, "Busy Here")
	r.callee.takes(sip.ACK)
	c.ends(event.VoiceBusy, "SIP 486 Busy Here")
}
