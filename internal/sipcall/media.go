package sipcall

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"

	"tidings/internal/rtpaudio"
	"tidings/internal/sdp"
)

// speaking is how the sound of a leg is doing. leg.mu guards it.
type speaking struct {
	said    string // our last description
	media   sdp.Media
	agreed  bool // media is
	updated bool // the far side has changed it before it answered
	live    bool // the call was answered, so that sound may flow
	silence time.Duration
	cued    bool // the message may begin
	started bool // the stream is
	holding bool // the far side wants to hear nothing
	since   time.Time
	paused  time.Duration // for how long it did, without the present time
}

// begin takes the answer to our offer and starts the sound. The channel is closed when the
// message may begin; nil = it has begun.
func (l *leg) begin(g *dialog, res *sip.Response) (<-chan struct{}, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.agree(g, res); err != nil {
		return nil, err
	}
	cue := l.d.Opening.Answered()
	if cue.Hear != nil {
		l.call.stream.Listen(cue.Hear)
	}
	l.live, l.silence, l.cued = true, cue.Silence, cue.Begin == nil
	return cue.Begin, l.play(l.media)
}

// agree finds the callee's answer: in the 2xx, or in a provisional response before it, which
// some do not repeat. l.mu must be held.
func (l *leg) agree(g *dialog, res *sip.Response) error {
	if l.updated {
		return nil // an UPDATE is younger than what answers the INVITE
	}
	body := g.answer
	if isSDP(res) {
		body = res.Body()
	}
	d, err := sdp.Parse(body)
	if err != nil {
		return err
	}
	m, err := d.Agree(&l.local)
	if err != nil {
		return err
	}
	l.media, l.agreed = m, true
	return nil
}

// play makes the sound flow as it was agreed. l.mu must be held.
func (l *leg) play(m sdp.Media) error {
	l.media, l.agreed = m, true
	if !l.live {
		return nil
	}
	l.flow(!m.Send)
	if m.RTP.IsValid() {
		if err := l.point(m); err != nil {
			return err
		}
	}
	return nil
}

// point starts the stream, or points it elsewhere. l.mu must be held.
func (l *leg) point(m sdp.Media) error {
	sound, err := l.call.sound.in(m.Payload)
	if err != nil {
		return err
	}
	l.d.sounds.like(m.Payload)
	p := rtpaudio.Peer{
		RTP: m.RTP, RTCP: m.RTCP, Payload: m.Payload, Sound: sound, Events: m.Events, Packet: m.Packet,
		Follow: func(a netip.Addr) bool { return l.d.acl.media(l.trunk, a) },
	}
	if m.Key != nil {
		p.Keys = &rtpaudio.Keys{Local: l.local.Key, Remote: m.Key}
	}
	if l.started {
		return l.call.stream.Redirect(p)
	}
	l.started = true
	return l.call.stream.Start(p, l.silence, l.d.Tail)
}

// flow lets the sound flow, unless the far side wants to hear nothing or the message may not
// begin yet. l.mu must be held.
func (l *leg) flow(holding bool) {
	if holding != l.holding {
		if l.holding = holding; holding {
			l.since = time.Now()
		} else {
			l.paused += time.Since(l.since)
		}
	}
	if l.holding || !l.cued {
		l.call.stream.Hold()
	} else {
		l.call.stream.Resume()
	}
}

// speakNow lets the message begin.
func (l *leg) speakNow() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cued = true
	l.flow(l.holding)
}

// longest is how long the call may last if it is not held: its message and a little more.
func (l *leg) longest() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return min(l.silence+l.call.Speech.Duration+l.d.Tail+overtime, l.d.MaxCall)
}

// left is how much longer the call may last, now that it has lasted as long as it may
// without the time that it was held.
func (l *leg) left() time.Duration {
	longest := l.longest()
	l.mu.Lock()
	defer l.mu.Unlock()
	paused := l.paused
	if l.holding {
		paused += time.Since(l.since)
	}
	return min(longest+paused, l.d.MaxCall) - time.Since(l.answered)
}

// renegotiate answers an offer of the far side within the call, and does as it says. With
// no offer it makes one of its own; the answer comes with the ACK. l.mu must be held.
func (l *leg) renegotiate(offer []byte) (answer []byte, err error) {
	if len(offer) == 0 {
		return l.say(func() ([]byte, error) { return l.local.Offer(), nil })
	}
	d, err := sdp.Parse(offer)
	if err != nil {
		return nil, err
	}
	var m sdp.Media
	answer, err = l.say(func() (b []byte, err error) {
		b, m, err = d.Answer(&l.local)
		return b, err
	})
	if err != nil {
		return nil, err
	}
	if !l.live {
		l.updated = true
	}
	return answer, l.play(m)
}

// say describes us; if differently from the last time, with the next version (RFC 3264
// section 8). l.mu must be held.
func (l *leg) say(describe func() ([]byte, error)) ([]byte, error) {
	b, err := describe()
	if err != nil || string(b) == l.said {
		return b, err
	}
	l.local.Version++
	if b, err = describe(); err == nil {
		l.said = string(b)
	}
	return b, err
}

// answerIn takes the answer to the offer that we made in a response. l.mu must be held.
func (l *leg) answerIn(body []byte) error {
	d, err := sdp.Parse(body)
	if err != nil {
		return err
	}
	m, err := d.Agree(&l.local)
	if err != nil {
		return err
	}
	return l.play(m)
}

// plain shortens an error of the far side's making for the log.
func plain(err error) string { return phrase(strings.ReplaceAll(fmt.Sprint(err), "\n", " ")) }
