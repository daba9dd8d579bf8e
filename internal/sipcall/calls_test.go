package sipcall_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"tidings/internal/audio"
	"tidings/internal/event"
	"tidings/internal/sdp"
	"tidings/internal/tts/wav"
	"tidings/internal/voice"
)

// encoded is the message as the callee has to hear it.
func (r *rig) encoded(law uint8) []byte {
	r.Helper()
	w, err := wav.Load(r.speech.File)
	if err != nil {
		r.Fatalf("Load() = %v", err)
	}
	pcm := audio.Resample(w.Int16(), w.Rate, 8000)
	if law == sdp.PCMA {
		return audio.AppendALaw(nil, pcm)
	}
	return audio.AppendMuLaw(nil, pcm)
}

// was checks that the message was heard once, whole and without a gap.
func (r *rig) wasHeard(law uint8) {
	r.Helper()
	if n := r.callee.count(r.encoded(law)); n != 1 {
		r.Errorf("the message was heard %d times, want once", n)
	}
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
	r.wasHeard(sdp.PCMU)
}

// TestAnswerAtOnce sees to it that no ringing is made up.
func TestAnswerAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := r.call()
	r.callee.answers(r.callee.takes(sip.INVITE), 200, "OK", r.callee.describes(), with("Require", "timer"))
	r.callee.takes(sip.ACK)
	c.sees(event.VoiceAnswered)
	r.callee.isHungUp()
	c.ends(event.VoiceCompleted, "")
}

// TestFinalResponses is the table of responses to events.
func TestFinalResponses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		rings   bool
		status  int
		text    string
		reason  string // header
		want    event.Type
		because string
	}{
		{true, 486, "Busy Here", "", event.VoiceBusy, "SIP 486 Busy Here"},
		{false, 600, "Busy Everywhere", "", event.VoiceBusy, "SIP 600 Busy Everywhere"},
		{true, 480, "Temporarily Unavailable", "", event.VoiceNoAnswer, "SIP 480 Temporarily Unavailable"},
		{true, 408, "Request Timeout", "", event.VoiceNoAnswer, "SIP 408 Request Timeout"},
		{false, 408, "Request Timeout", "", event.VoiceFailed, "SIP 408 Request Timeout"},
		{true, 487, "Request Terminated", "", event.VoiceNoAnswer, "SIP 487 Request Terminated"},
		{true, 603, "Decline", "", event.VoiceFailed, "SIP 603 Decline"},
		{false, 607, "Unwanted", "", event.VoiceFailed, "SIP 607 Unwanted"},
		{false, 608, "Rejected", "", event.VoiceFailed, "SIP 608 Rejected"},
		{false, 404, "Not Found", "", event.VoiceFailed, "SIP 404 Not Found"},
		{false, 403, "Forbidden", "", event.VoiceFailed, "SIP 403 Forbidden"},
		{false, 410, "Gone", "", event.VoiceFailed, "SIP 410 Gone"},
		{false, 484, "Address Incomplete", "", event.VoiceFailed, "SIP 484 Address Incomplete"},
		{false, 488, "Not Acceptable Here", "", event.VoiceFailed, "SIP 488 Not Acceptable Here"},
		{false, 302, "Moved Temporarily", "", event.VoiceFailed, "SIP 302 Moved Temporarily"},
		{false, 401, "Unauthorized", "", event.VoiceFailed, "SIP 401 Unauthorized"},
		{false, 503, "Service Unavailable", "", event.VoiceFailed, "SIP 503 Service Unavailable"},
		{true, 500, "Server Internal Error", "", event.VoiceFailed, "SIP 500 Server Internal Error"},
		{false, 480, "", `Q.850;cause=17;text="User busy"`, event.VoiceBusy, "SIP 480, Q.850 cause 17"},
		{false, 503, "X", `SIP;cause=503, Q.850 ;cause=18`, event.VoiceNoAnswer, "SIP 503 X, Q.850 cause 18"},
		{false, 500, "X", `Q.850;cause=20`, event.VoiceNoAnswer, "SIP 500 X, Q.850 cause 20"},
		{true, 486, "X", `q.850;Cause=21`, event.VoiceFailed, "SIP 486 X, Q.850 cause 21"},
		{true, 480, "X", `Q.850;cause=16`, event.VoiceNoAnswer, "SIP 480 X, Q.850 cause 16"},
		{true, 480, "X", `Q.850;cause=999999`, event.VoiceNoAnswer, "SIP 480 X"},
		{false, 404, "Not\x01 \xc3\xa4Found" + string(make([]byte, 200)), "", event.VoiceFailed, "SIP 404 Not Found"},
		{false, 799, "Odd", "", event.VoiceFailed, "SIP 799 Odd"},
	}
	for _, tt := range tests {
		t.Run(strconv.Itoa(tt.status)+tt.reason, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			c := r.call()
			invite := r.callee.takes(sip.INVITE)
			if tt.rings {
				r.callee.answers(invite, 180, "Ringing")
				c.sees(event.VoiceRinging)
			}
			r.callee.answers(invite, tt.status, tt.text, func(res *sip.Response) {
				if tt.reason != "" {
					res.AppendHeader(sip.NewHeader("Reason", tt.reason))
				}
			})
			r.callee.takes(sip.ACK)
			c.ends(tt.want, tt.because)
		})
	}
}

func TestDeclineIsBusyWhereTheTrunkMeansIt(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(s *setUp) { s.trunks[0].DeclineIsBusy = true })
	c := r.call()
	r.callee.answers(r.callee.takes(sip.INVITE), 603, "Decline")
	r.callee.takes(sip.ACK)
	c.ends(event.VoiceBusy, "SIP 603 Decline")
}

func briefly(s *setUp) { s.RingTimeout = 150 * time.Millisecond }

func TestNoAnswer(t *testing.T) {
	t.Parallel()
	r := newRig(t, briefly)
	c := r.call()
	invite := r.callee.takes(sip.INVITE)
	r.callee.answers(invite, 180, "Ringing")
	c.sees(event.VoiceRinging)
	cancel := r.callee.takes(sip.CANCEL)
	if got, want := cancel.Via().Value(), invite.Via().Value(); got != want {
		t.Errorf("Via of CANCEL %q, of INVITE %q", got, want)
	}
	if cancel.CSeq().SeqNo != invite.CSeq().SeqNo || cancel.To().Params.Has("tag") || cancel.Recipient.String() != invite.Recipient.String() {
		t.Errorf("CANCEL %v does not match %v", cancel, invite)
	}
	r.callee.answers(cancel, 200, "OK")
	r.callee.answers(invite, 487, "Request Terminated")
	r.callee.takes(sip.ACK)
	c.ends(event.VoiceNoAnswer, "no answer within 150ms")
}

// TestManyProvisionalResponses repeats 183 more often than sipgo's own dialog stands.
func TestManyProvisionalResponses(t *testing.T) {
	t.Parallel()
	r := newRig(t, briefly)
	c := r.call()
	invite := r.callee.takes(sip.INVITE)
	r.callee.answers(invite, 100, "Trying")
	for range 15 {
		r.callee.answers(invite, 183, "Session Progress", r.callee.describes())
	}
	c.sees(event.VoiceRinging)
	cancel := r.callee.takes(sip.CANCEL)
	r.callee.answers(cancel, 200, "OK")
	r.callee.answers(invite, 487, "Request Terminated")
	r.callee.takes(sip.ACK)
	c.ends(event.VoiceNoAnswer, "no answer within 150ms")
}

// TestNothingAfterCancel has a callee that takes the CANCEL and says no more.
func TestNothingAfterCancel(t *testing.T) {
	t.Parallel()
	r := newRig(t, briefly, func(s *setUp) { s.CancelTimeout = 100 * time.Millisecond })
	c := r.call()
	invite := r.callee.takes(sip.INVITE)
	r.callee.answers(invite, 182, "Queued")
	c.sees(event.VoiceRinging)
	r.callee.takes(sip.CANCEL)
	c.ends(event.VoiceNoAnswer, "no answer within 150ms")
}

// TestAnswerCrossesCancel must not leave the callee on a dead line.
func TestAnswerCrossesCancel(t *testing.T) {
	t.Parallel()
	r := newRig(t, briefly)
	c := r.call()
	invite := r.callee.takes(sip.INVITE)
	r.callee.answers(invite, 180, "Ringing")
	c.sees(event.VoiceRinging)
	cancel := r.callee.takes(sip.CANCEL)
	r.callee.answers(invite, 200, "OK", r.callee.describes())
	r.callee.answers(cancel, 200, "OK")
	r.callee.takes(sip.ACK)
	r.callee.isHungUp()
	c.ends(event.VoiceNoAnswer, "no answer within 150ms")
	if r.callee.count([]byte{0xff}) > 0 {
		t.Error("sound was sent to a call that was cancelled")
	}
}

func TestEarlyMedia(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := r.call()
	invite := r.callee.takes(sip.INVITE)
	r.callee.answers(invite, 183, "Session Progress", r.callee.describes())
	c.sees(event.VoiceRinging)
	// The 2xx leaves out what the 183 has said.
	r.callee.answers(invite, 200, "OK")
	r.callee.takes(sip.ACK)
	c.sees(event.VoiceAnswered)
	r.callee.isHungUp()
	c.ends(event.VoiceCompleted, "")
	r.wasHeard(sdp.PCMU)
}

func TestPRACK(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := r.call()
	invite := r.callee.takes(sip.INVITE)
	reliably := func(rseq string) {
		r.callee.answers(invite, 183, "Session Progress", with("Require", "100rel"), with("RSeq", rseq), r.callee.describes())
	}
	reliably("7")
	c.sees(event.VoiceRinging)
	prack := r.callee.takes(sip.PRACK)
	if got, want := prack.GetHeader("RAck").Value(), "7 "+strconv.Itoa(int(invite.CSeq().SeqNo))+" INVITE"; got != want {
		t.Errorf("RAck = %q, want %q", got, want)
	}
	if got, _ := prack.To().Params.Get("tag"); got != tag {
		t.Errorf("To tag of PRACK = %q, want %q", got, tag)
	}
	r.callee.answers(prack, 200, "OK")
	reliably("7") // again: it was confirmed
	reliably("8")
	prack = r.callee.takes(sip.PRACK)
	if got, want := prack.GetHeader("RAck").Value(), "8 "+strconv.Itoa(int(invite.CSeq().SeqNo))+" INVITE"; got != want {
		t.Errorf("RAck = %q, want %q", got, want)
	}
	r.callee.answers(prack, 200, "OK")
	r.callee.answers(invite, 200, "OK")
	r.callee.takes(sip.ACK)
	c.sees(event.VoiceAnswered)
	r.callee.isHungUp()
	c.ends(event.VoiceCompleted, "")
}

func TestRemoteHangUp(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(s *setUp) { s.length = time.Minute })
	c := r.call()
	invite, _ := r.pickUp(c)
	for range 20 {
		r.callee.hears()
	}
	r.callee.asks(r.callee.request(invite, sip.BYE, 1, nil))
	r.callee.gets(200)
	<-c.over
	if c.Type != event.VoiceCompleted || c.Talk <= 0 || c.Talk > r.speech.Duration {
		t.Errorf("Dial() = %+v, want completed after some of the message", c.Outcome)
	}
}

func TestRemoteHangUpBeforeTheFirstWord(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(s *setUp) { s.GreetingDelay = time.Minute })
	c := r.call()
	invite, _ := r.pickUp(c)
	r.callee.asks(r.callee.request(invite, sip.BYE, 1, nil))
	r.callee.gets(200)
	c.ends(event.VoiceFailed, "the callee hung up before the message began")
}

// TestUnusableAnswers have to be acknowledged and hung up.
func TestUnusableAnswers(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"none":    "",
		"G.729":   "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 9 RTP/AVP 18\r\n",
		"refused": "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 0 RTP/AVP 0\r\n",
		"SRTP":    "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 9 RTP/SAVP 0\r\n",
		"garbage": "\x00\x01",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			c := r.call()
			invite := r.callee.takes(sip.INVITE)
			r.callee.answers(invite, 200, "OK", func(res *sip.Response) {
				if body != "" {
					carry(res, []byte(body))
				}
			})
			r.callee.takes(sip.ACK)
			c.sees(event.VoiceAnswered)
			r.callee.isHungUp()
			c.ends(event.VoiceFailed, "the callee's phone offers no sound that can be used")
		})
	}
}

func TestALaw(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := r.call()
	alaw := func(l *sdp.Local) { l.Codecs = []uint8{sdp.PCMA} }
	r.callee.answers(r.callee.takes(sip.INVITE), 200, "OK", r.callee.describes(alaw))
	r.callee.takes(sip.ACK)
	c.sees(event.VoiceAnswered)
	r.callee.isHungUp()
	c.ends(event.VoiceCompleted, "")
	r.wasHeard(sdp.PCMA)
}

func TestEstimatedSpeechIsSilence(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.speech = voice.Speech{Duration: 100 * time.Millisecond, Estimated: true}
	c := r.call()
	r.pickUp(c)
	r.callee.isHungUp()
	c.ends(event.VoiceCompleted, "")
	if db := r.callee.loudness(sdp.PCMU); db > -70 {
		t.Errorf("heard %v dB, want silence", db)
	}
}

// TestNumbers refuses what could write headers of its own.
func TestNumbers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, p := range []voice.Phone{"", "+", "1\r\nX: 1", "+1555x", "123456789012345678901"} {
		for _, m := range []voice.Message{
			{Destination: p, Origination: "+12065550199"}, {Destination: "+12065550100", Origination: p},
		} {
			c := r.dial(m, nil)
			c.ends(event.VoiceFailed, "the number cannot be dialled")
		}
	}
	r.dial(voice.Message{Destination: "+12065550100", Origination: "+1", CallerID: "1\r\nX: 1"}, nil).ends(event.VoiceFailed, "the number cannot be dialled")
}

// TestSpeechThatIsGone fails before anybody's phone rings.
func TestSpeechThatIsGone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.speech.File += ".gone"
	c := r.call()
	<-c.over
	if c.err == nil {
		t.Errorf("Dial() = %+v, want an error", c.Outcome)
	}
}
