package sipcall

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"

	"tidings/internal/event"
	"tidings/internal/voice"
)

// accepted sees an answered call through.
func (l *leg) accepted(ctx context.Context, res *sip.Response) verdict {
	if l.cancelled { // it has crossed our CANCEL
		l.dismiss(res)
		return verdict{outcome: l.why, status: res.StatusCode}
	}
	l.answered = time.Now()
	l.deadline.Stop()
	l.trunk.Answered()
	if !l.call.rang {
		l.d.metrics.rang(time.Since(l.begun))
	}
	v := verdict{status: res.StatusCode}
	g, err := l.confirm(res)
	if err != nil {
		l.log.Warn("an answered call cannot be acknowledged", "error", err)
		v.outcome = failed("the callee's answer cannot be acknowledged")
		return v
	}
	v.outcome = l.speak(ctx, g, res)
	v.outcome.Talk = time.Since(l.answered)
	select {
	case <-l.gone:
	default:
		l.bye(g)
	}
	return v
}

// confirm makes a dialog of a 2xx and acknowledges it. Then it is the turn of those that
// have come meanwhile.
func (l *leg) confirm(res *sip.Response) (*dialog, error) {
	l.mu.Lock()
	g, err := l.establish(res)
	waiting := l.waiting
	l.waiting, l.won = nil, true
	l.mu.Unlock()
	for _, r := range waiting {
		l.settle(r)
	}
	return g, err
}

// establish is confirm for one. l.mu must be held.
func (l *leg) establish(res *sip.Response) (*dialog, error) {
	g, err := l.learn(res)
	if err != nil {
		return nil, err
	}
	g.confirmed = true
	if l.dialog == nil && !l.cancelled {
		l.dialog = g
	}
	return g, l.acknowledge(g)
}

// dismiss acknowledges a 2xx that is not wanted, and hangs up.
func (l *leg) dismiss(res *sip.Response) {
	g, err := l.confirm(res)
	if g == nil {
		l.log.Warn("an unwanted answer cannot be acknowledged", "error", err)
		return
	}
	l.bye(g) // also if the ACK could not be sent
}

// repeated acts on every 2xx after the first: the same one again wants its ACK again, the
// one of another callee is hung up (RFC 3261 section 13.2.2.4).
func (l *leg) repeated(res *sip.Response) {
	l.d.trace("receive", res)
	l.settle(res)
}

func (l *leg) settle(res *sip.Response) {
	l.mu.Lock()
	if !l.won {
		// sipgo has a goroutine for each datagram. This one has overtaken the first 2xx on
		// its way to the call, and whose it is shows only when that is there.
		if len(l.waiting) < maxForks {
			l.waiting = append(l.waiting, res)
		}
		l.mu.Unlock()
		return
	}
	if g := l.dialogs[tagOf(res)]; g != nil && g.confirmed {
		if err := l.acknowledge(g); err != nil {
			l.log.Debug("an ACK could not be repeated", "error", err)
		}
		l.mu.Unlock()
		return
	}
	l.mu.Unlock()
	if l.d.begin() {
		go func() {
			defer l.d.done()
			l.dismiss(res)
		}()
	}
}

// speak plays the message to whoever has answered, until one of the two hangs up.
func (l *leg) speak(ctx context.Context, g *dialog, res *sip.Response) voice.Outcome {
	cue, err := l.begin(g, res)
	if e := l.call.progress(event.VoiceAnswered); e != nil {
		l.err = e
		return failed(reasonGivenUp)
	}
	if err != nil {
		l.log.Warn("an answered call has no sound", "error", err)
		return failed("the callee's phone offers no sound that can be used")
	}
	limit := time.NewTimer(l.longest())
	defer limit.Stop()
	refresh, stop := refresher(res)
	defer stop()
	for {
		select {
		case <-l.call.stream.Done():
			return l.finished()
		case <-l.gone:
			return l.leftBy()
		case <-cue:
			cue = nil
			l.speakNow()
		case <-refresh:
			l.refresh(g)
		case <-limit.C:
			if rest := l.left(); rest > 0 {
				limit.Reset(rest)
				continue
			}
			return l.cutOff()
		case <-ctx.Done():
			return failed("%s after %.1f s of the message", reasonGivenUp, l.heardOf().Seconds())
		}
	}
}

// heardOf is how much of the message was sent.
func (l *leg) heardOf() time.Duration { return l.call.stream.Stats().Spoken }

// finished is the outcome when the stream has ended.
func (l *leg) finished() voice.Outcome {
	if !l.call.stream.Stats().Complete {
		return failed("%s after %.1f s of the message", reasonStopping, l.heardOf().Seconds())
	}
	return voice.Outcome{Type: event.VoiceCompleted}
}

// leftBy is the outcome when the callee has hung up: the message was delivered as far as
// somebody wanted to hear it.
func (l *leg) leftBy() voice.Outcome {
	heard := l.heardOf()
	switch {
	case heard == 0:
		return failed("the callee hung up before the message began")
	case heard >= l.call.Speech.Duration:
		return voice.Outcome{Type: event.VoiceCompleted}
	}
	o := failed("the callee hung up after %.1f s of the message", heard.Seconds())
	o.Type = event.VoiceCompleted
	return o
}

// cutOff is the outcome of a call that has lasted too long.
func (l *leg) cutOff() voice.Outcome {
	o := failed("cut off at the longest time a call may take, after %.1f s of the message", l.heardOf().Seconds())
	if l.heardOf() > 0 {
		o.Type = event.VoiceCompleted
	}
	return o
}

// refresher ticks when the session has to be refreshed by us (RFC 4028 section 10). We ask the
// callee to do that; some let us do it all the same.
func refresher(res *sip.Response) (tick <-chan time.Time, stop func()) {
	h := res.GetHeader("Session-Expires")
	if h == nil {
		h = res.GetHeader("x") // its compact form
	}
	if h == nil {
		return nil, func() {}
	}
	value, parameters, _ := strings.Cut(h.Value(), ";")
	n, err := strconv.ParseUint(strings.TrimSpace(value), 10, 31)
	if err != nil || n < 2 || !lists(strings.ReplaceAll(parameters, ";", ","), "refresher=uac") || !updates(res) {
		return nil, func() {}
	}
	t := time.NewTicker(time.Duration(n) * time.Second / 2)
	return t.C, t.Stop
}

// updates reports whether who sent the response takes UPDATE.
func updates(res *sip.Response) bool {
	for _, h := range res.GetHeaders("Allow") {
		if lists(h.Value(), string(sip.UPDATE)) {
			return true
		}
	}
	return false
}

// refresh tells the far side that we are still there.
func (l *leg) refresh(g *dialog) {
	l.mu.Lock()
	r, h, err := l.request(g, sip.UPDATE, l.next())
	l.mu.Unlock()
	if err != nil {
		return
	}
	r.AppendHeader(sip.NewHeader("Supported", "timer"))
	r.AppendHeader(sip.NewHeader("Session-Expires", strconv.Itoa(sessionExpires)+";refresher=uac"))
	l.d.spawn(func() {
		ctx, cancel := l.d.background(l.d.ByeTimeout)
		defer cancel()
		if _, err := l.d.exchange(ctx, l.config, &h, r, l.nextLocked); err != nil {
			l.log.Debug("a session could not be refreshed", "error", err)
		}
	})
}
