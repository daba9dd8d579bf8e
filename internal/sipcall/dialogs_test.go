package sipcall_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"tidings/internal/event"
	"tidings/internal/sdp"
)

func TestHoldAndResume(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(s *setUp) { s.length = 300 * time.Millisecond })
	c := r.call()
	invite, _ := r.pickUp(c)
	for range 5 {
		r.callee.hears()
	}
	hold := r.callee.request(invite, sip.INVITE, 1, r.callee.local(func(l *sdp.Local) { l.Direction, l.Version = sdp.SendOnly, 2 }).Offer())
	hold.AppendHeader(sip.NewHeader("Session-Expires", "1800;refresher=uac"))
	r.callee.asks(hold)
	res := r.callee.gets(200)
	r.callee.asks(r.callee.request(invite, sip.ACK, 1, nil))
	if got := string(res.Body()); !strings.Contains(got, "a=recvonly") || !strings.Contains(got, " 2 IN IP4") {
		t.Errorf("answer to a hold: %q, want recvonly and version 2", got)
	}
	if h := res.GetHeader("Session-Expires"); h == nil || h.Value() != "1800;refresher=uac" {
		t.Errorf("Session-Expires = %v, want it echoed", h)
	}
	if res.Contact() == nil {
		t.Error("no Contact in the answer to a re-INVITE")
	}

	refresh := r.callee.request(invite, sip.UPDATE, 2, nil)
	r.callee.asks(refresh)
	if res := r.callee.gets(200); len(res.Body()) > 0 {
		t.Errorf("answer to an UPDATE without a description: %q", res.Body())
	}
	for i, method := range []sip.RequestMethod{sip.OPTIONS, sip.INFO} {
		r.callee.asks(r.callee.request(invite, method, 10+uint32(i), nil))
		r.callee.gets(200)
	}
	r.callee.asks(r.callee.request(invite, sip.REFER, 20, nil))
	r.callee.gets(405)
	r.callee.asks(r.callee.request(invite, sip.INFO, 5, nil)) // an old one
	r.callee.gets(500)

	for _, rename := range []func(*sip.Request){
		func(q *sip.Request) { q.To().Params = sip.HeaderParams{{K: "tag", V: "wrong"}} },
		func(q *sip.Request) { q.From().Params = sip.HeaderParams{{K: "tag", V: "wrong"}} },
	} {
		bye := r.callee.request(invite, sip.BYE, 25, nil) // of another call
		rename(bye)
		r.callee.asks(bye)
		r.callee.gets(481)
	}

	resume := r.callee.request(invite, sip.UPDATE, 30, r.callee.local(func(l *sdp.Local) { l.Version = 3 }).Offer())
	r.callee.asks(resume)
	if got := string(r.callee.gets(200).Body()); !strings.Contains(got, "a=sendrecv") || !strings.Contains(got, " 3 IN IP4") {
		t.Errorf("answer to a resume: %q, want sendrecv and version 3", got)
	}
	again := r.callee.request(invite, sip.UPDATE, 31, r.callee.local(func(l *sdp.Local) { l.Version = 3 }).Offer())
	r.callee.asks(again)
	if got := string(r.callee.gets(200).Body()); !strings.Contains(got, " 3 IN IP4") {
		t.Errorf("answer to the same offer again: %q, want version 3 still", got)
	}
	r.callee.isHungUp()
	c.ends(event.VoiceCompleted, "")
	r.wasHeard(sdp.PCMU)
}

// TestHeldFromTheBeginning has a callee that answers with the address that means hold, and
// takes the call off hold later.
func TestHeldFromTheBeginning(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := r.call()
	invite := r.callee.takes(sip.INVITE)
	r.callee.answers(invite, 200, "OK", func(res *sip.Response) {
		carry(res, []byte("v=0\r\nc=IN IP4 0.0.0.0\r\nm=audio 9 RTP/AVP 0\r\n"))
	})
	r.callee.takes(sip.ACK)
	c.sees(event.VoiceAnswered)
	r.callee.asks(r.callee.request(invite, sip.INVITE, 1, r.callee.local().Offer()))
	r.callee.gets(200)
	r.callee.asks(r.callee.request(invite, sip.ACK, 1, nil))
	r.callee.isHungUp()
	c.ends(event.VoiceCompleted, "")
	r.wasHeard(sdp.PCMU)
}

// TestHeldForGood is cut off at the longest time a call may take.
func TestHeldForGood(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(s *setUp) { s.MaxCall = 300 * time.Millisecond })
	c := r.call()
	inactive := func(l *sdp.Local) { l.Direction = sdp.Inactive }
	r.callee.answers(r.callee.takes(sip.INVITE), 200, "OK", r.callee.describes(inactive))
	r.callee.takes(sip.ACK)
	c.sees(event.VoiceAnswered)
	r.callee.isHungUp()
	c.ends(event.VoiceFailed, "cut off at the longest time a call may take, after 0.0 s of the message")
}

func TestChangeOfCodec(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(s *setUp) { s.length = 300 * time.Millisecond })
	c := r.call()
	invite, _ := r.pickUp(c)
	r.callee.hears()

	g729 := []byte("v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 9 RTP/AVP 18\r\n")
	r.callee.asks(r.callee.request(invite, sip.INVITE, 1, g729))
	r.callee.gets(488) // and all stays as it was
	r.callee.asks(r.callee.request(invite, sip.ACK, 1, nil))
	odd := r.callee.request(invite, sip.INVITE, 2, nil)
	odd.AppendHeader(sip.NewHeader("Content-Type", "application/isup"))
	odd.SetBody([]byte("x"))
	r.callee.asks(odd)
	r.callee.gets(415)
	r.callee.asks(r.callee.request(invite, sip.ACK, 2, nil))

	// An INVITE without an offer: we make one, and the ACK answers it.
	r.callee.asks(r.callee.request(invite, sip.INVITE, 3, nil))
	offer, err := sdp.Parse(r.callee.gets(200).Body())
	if err != nil {
		t.Fatalf("Parse() = %v", err)
	}
	alaw := r.callee.local(func(l *sdp.Local) { l.Codecs = []uint8{sdp.PCMA} })
	answer, _, err := offer.Answer(alaw)
	if err != nil {
		t.Fatalf("Answer() = %v", err)
	}
	r.callee.asks(r.callee.request(invite, sip.ACK, 3, answer))
	r.callee.isHungUp()
	c.ends(event.VoiceCompleted, "")
	r.callee.mu.Lock()
	defer r.callee.mu.Unlock()
	if want := []uint8{sdp.PCMU, sdp.PCMA}; !slices.Equal(r.callee.laws, want) {
		t.Errorf("heard payload types %v, want %v", r.callee.laws, want)
	}
}

// TestAnswerToReINVITEIsRepeated until its ACK comes.
func TestAnswerToReINVITEIsRepeated(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(s *setUp) { s.length = time.Minute })
	c := r.call()
	invite, _ := r.pickUp(c)
	r.callee.asks(r.callee.request(invite, sip.INVITE, 1, r.callee.local().Offer()))
	for range 2 {
		if res, ok := (<-r.callee.in).(*sip.Response); !ok || res.StatusCode != 200 || len(res.Body()) == 0 {
			t.Fatalf("a message that is no 200 with a description: %v", res)
		}
	}
	r.callee.asks(r.callee.request(invite, sip.ACK, 1, nil))
	c.cancel()
	r.callee.isHungUp()
}

func TestForks(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(s *setUp) { s.length = time.Minute })
	c := r.call()
	named := func(tag string) func(*sip.Response) {
		return func(res *sip.Response) {
			res.To().Params = sip.HeaderParams{{K: "tag", V: tag}}
			res.Contact().Address.User = tag
		}
	}
	invite := r.callee.takes(sip.INVITE)
	for _, fork := range []string{"one", "two", "three"} {
		r.callee.answers(invite, 180, "Ringing", named(fork))
	}
	c.sees(event.VoiceRinging)
	r.callee.answers(invite, 200, "OK", named("two"), r.callee.describes())
	if ack := r.callee.takes(sip.ACK); ack.Recipient.User != "two" {
		t.Errorf("ACK to %q, want it to two", ack.Recipient.User)
	}
	c.sees(event.VoiceAnswered)
	r.callee.answers(invite, 200, "OK", named("three"), r.callee.describes())
	ack := r.callee.takes(sip.ACK)
	bye := r.callee.isHungUp()
	for _, m := range []*sip.Request{ack, bye} {
		if got, _ := m.To().Params.Get("tag"); got != "three" || m.Recipient.User != "three" {
			t.Errorf("%s to %q, want it to three", m.Method, got)
		}
	}
	r.callee.answers(invite, 200, "OK", named("two"), r.callee.describes())
	r.callee.takesAgain(sip.ACK)
	c.cancel()
	if got, _ := r.callee.isHungUp().To().Params.Get("tag"); got != "two" {
		t.Errorf("BYE to %q, want it to two", got)
	}
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name          string
		first, second string // Record-Route, from the far side to us
		recipient     string
		routes        []string // % is the callee's address
	}{
		{"loose", "<sip:near.invalid;lr>", "<sip:%;lr>", "sip:callee@%", []string{"<sip:%;lr>", "<sip:near.invalid;lr>"}},
		{"strict", "<sip:far.invalid>", "<sip:%;x=y>", "sip:%;x=y", []string{"<sip:far.invalid>", "<sip:callee@%>"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			at := func(s string) string { return strings.ReplaceAll(s, "%", r.callee.addr()) }
			c := r.call()
			_, ack := r.pickUp(c, with("Record-Route", at(tt.first)), with("Record-Route", at(tt.second)))
			bye := r.callee.isHungUp()
			for _, m := range []*sip.Request{ack, bye} {
				var routes []string
				for _, h := range m.GetHeaders("Route") {
					routes = append(routes, h.Value())
				}
				want := []string{at(tt.routes[0]), at(tt.routes[1])}
				if m.Recipient.String() != at(tt.recipient) || !slices.Equal(routes, want) {
					t.Errorf("%s %s, routes %q, want %s, %q", m.Method, m.Recipient.String(), routes, at(tt.recipient), want)
				}
			}
			c.ends(event.VoiceCompleted, "")
		})
	}
}

func TestSessionTimers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := r.call()
	invite := r.callee.takes(sip.INVITE)
	if got := invite.GetHeader("Session-Expires").Value(); got != "1800;refresher=uas" {
		t.Errorf("Session-Expires = %q", got)
	}
	r.callee.answers(invite, 422, "Session Interval Too Small", with("Min-SE", "3600"))
	r.callee.takes(sip.ACK)
	invite = r.callee.takes(sip.INVITE)
	if got, least := invite.GetHeader("Session-Expires").Value(), invite.GetHeader("Min-SE").Value(); got != "3600;refresher=uas" || least != "3600" {
		t.Errorf("Session-Expires = %q, Min-SE = %q", got, least)
	}
	r.callee.answers(invite, 422, "Session Interval Too Small", with("Min-SE", "7200"))
	r.callee.takes(sip.ACK)
	c.ends(event.VoiceFailed, "SIP 422 Session Interval Too Small")
}

// TestRefresher has a callee that leaves the refreshing to us.
func TestRefresher(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(s *setUp) { s.length = time.Minute })
	c := r.call()
	r.pickUp(c, with("Session-Expires", "2;refresher=uac"), with("Allow", "INVITE, UPDATE"))
	update := r.callee.takes(sip.UPDATE)
	if update.Contact() == nil || update.GetHeader("Session-Expires") == nil || len(update.Body()) > 0 {
		t.Errorf("UPDATE %v, want Contact and Session-Expires", update)
	}
	r.callee.answers(update, 200, "OK")
	c.cancel()
	for {
		if m, ok := r.callee.next().(*sip.Request); ok {
			r.callee.answers(m, 200, "OK")
			if m.Method == sip.BYE {
				break
			}
		}
	}
}

// TestByeIsNotAnswered ends all the same, in bounded time.
func TestByeIsNotAnswered(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(s *setUp) { s.ByeTimeout = 1500 * time.Millisecond })
	c := r.call()
	r.pickUp(c)
	r.callee.takes(sip.BYE)
	r.callee.takesAgain(sip.BYE)
	c.ends(event.VoiceCompleted, "")
}

// TestStop hangs up what is in progress when the Dialer is told to stop.
func TestStop(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(s *setUp) { s.length = time.Minute })
	talking, ringing := r.call(), (*placed)(nil)
	r.pickUp(talking)
	ringing = r.call()
	invite := r.callee.takes(sip.INVITE)
	r.callee.answers(invite, 180, "Ringing")
	ringing.sees(event.VoiceRinging)
	stopped := make(chan struct{})
	go func() {
		r.stop()
		close(stopped)
	}()
	for range 3 {
		switch m := r.callee.takesAny(); string(m.Method) {
		case "CANCEL":
			r.callee.answers(m, 200, "OK")
			r.callee.answers(invite, 487, "Request Terminated")
		case "BYE":
			r.callee.answers(m, 200, "OK")
		case "ACK":
		default:
			t.Errorf("%s after the stop", m.Method)
		}
	}
	<-stopped
	ringing.ends(event.VoiceFailed, "hung up by the service")
	<-talking.over
	if talking.Type != event.VoiceFailed {
		t.Errorf("Dial() = %+v, want failed", talking.Outcome)
	}
	r.call().ends(event.VoiceFailed, "the service is stopping")
}
