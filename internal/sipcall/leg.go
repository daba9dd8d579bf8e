package sipcall

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emiago/sipgo/sip"

	"tidings/internal/event"
	"tidings/internal/sdp"
	"tidings/internal/siptrunk"
	"tidings/internal/voice"
)

// leg is one INVITE to one address of a trunk, with its repetitions, and the calls that
// come of it: one, if nobody forks. Its goroutine is Dial's; requests of the far side are
// answered by those that receive them, under its lock.
type leg struct {
	d      *Dialer
	call   *call
	trunk  *siptrunk.Trunk
	config siptrunk.Config
	log    *slog.Logger
	id     string // Call-ID
	tag    string // ours
	begun  time.Time
	local  sdp.Local
	gone   chan struct{} // closed when the far side has hung up
	noted  atomic.Int32  // a provisional status above 100 that came, see Dialer.note; 0 = none

	// Used by the goroutine that waits for the INVITE's responses: Dial's, or mop's.
	tx        *sip.ClientTx
	keys      credentials
	minSE     string // what a 422 asked for
	deadline  *time.Timer
	heard     bool      // something came back
	alive     bool      // a provisional response came back, so that there is something to cancel
	rang      bool      // more than 100 came back: somebody may have heard it ring
	answered  time.Time // when the 2xx came
	cancelled bool
	why       voice.Outcome // of a call that was cancelled
	err       error         // of progress
	abandoned bool          // mop has taken over

	mu       sync.Mutex
	hop      hop
	invited  *sip.Request // the last INVITE
	seq      uint32       // of our last request
	dialogs  map[string]*dialog
	won      bool            // a 2xx was worked on
	waiting  []*sip.Response // 2xx that came before that
	hosts    []netip.Addr    // that may send us SIP because of this leg
	closed   bool
	hungUp   bool // gone is closed
	dialog   *dialog
	speaking // how the sound is doing
	pending  *pending
}

func (d *Dialer) newLeg(k *call, t *siptrunk.Trunk, target netip.AddrPort) *leg {
	c := t.Config()
	l := &leg{
		d: d, call: k, trunk: t, config: c,
		log: d.Log.With("trunk", c.Name, "message", k.Message.ID),
		id:  rand.Text(), tag: rand.Text(), begun: time.Now(),
		hop:     d.agent.hop(t, c.Network(), target),
		gone:    make(chan struct{}),
		dialogs: make(map[string]*dialog, 1),
	}
	l.local = sdp.Local{Session: uint64(l.begun.Unix()), Version: 1, Address: d.agent.own(target.Addr()), Port: k.stream.Port()}
	if c.SRTP {
		l.local.Key = sdp.NewKey()
	}
	return l
}

// run places the call. Its verdict says whether another trunk may be tried.
func (l *leg) run(ctx context.Context, patience time.Duration) (verdict, error) {
	l.open()
	v, err := l.invite(ctx, patience)
	if !l.abandoned {
		l.close()
	}
	l.d.metrics.ended(l.config.Name, v.status)
	return v, err
}

// open makes the leg known to those who receive requests.
func (l *leg) open() {
	l.d.mu.Lock()
	l.d.legs[l.id] = l
	l.d.mu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hold(l.hop.to.Addr())
}

// close forgets the leg. What still comes of it is answered by nobody.
func (l *leg) close() {
	l.d.mu.Lock()
	delete(l.d.legs, l.id)
	l.d.mu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for _, a := range l.hosts {
		l.d.acl.release(a)
	}
	if l.pending != nil {
		l.pending.timer.Stop()
	}
}

// invite sends the INVITE and sees the call through.
func (l *leg) invite(ctx context.Context, patience time.Duration) (verdict, error) {
	l.deadline = time.NewTimer(patience)
	defer func() {
		if !l.abandoned {
			l.deadline.Stop()
		}
	}()
	opening, cancel := context.WithTimeout(ctx, patience) // a connection may have to be made
	err := l.send(opening)
	cancel()
	if err != nil {
		return l.unreachable(err), nil
	}
	ended := ctx.Done()
	for {
		select {
		case res := <-l.tx.Responses():
			l.d.trace("receive", res)
			if v, over := l.take(ctx, res); over {
				return v, l.err
			}
		case <-l.tx.Done():
			return l.broken(l.tx.Err()), l.err
		case <-l.deadline.C:
			if v, over := l.late(); over {
				return v, l.err
			}
		case <-ended:
			ended = nil
			if v, over := l.giveUp(failed(reasonGivenUp), hangUpWait); over {
				return v, l.err
			}
		case <-l.d.force.Done():
			l.tx.Terminate()
			return verdict{outcome: failed(reasonStopping)}, l.err
		}
	}
}

// take acts on a response. It reports true when the call is over.
func (l *leg) take(ctx context.Context, res *sip.Response) (verdict, bool) {
	l.heard = true
	if status := int(l.noted.Load()); status > 0 && !res.IsProvisional() && !l.cancelled {
		l.ringing(status) // it may have been overtaken by this one
	}
	switch {
	case res.IsProvisional():
		l.provisional(res)
		return verdict{}, false
	case res.IsSuccess():
		return l.accepted(ctx, res), true
	case l.cancelled: // 487, or whatever came in its stead
		return verdict{outcome: l.why, status: res.StatusCode}, true
	case challenged(res):
		if err := l.keys.answer(l.config, l.invited, res); err != nil {
			l.log.Warn("the trunk refuses the call", "status", res.StatusCode, "error", err)
			return l.rejected(res), true
		}
		return l.again(ctx)
	case res.StatusCode == 422 && l.minSE == "": // RFC 4028 section 7.4
		if l.minSE = minSE(res); l.minSE != "" {
			return l.again(ctx)
		}
	}
	return l.rejected(res), true
}

// again sends the INVITE once more, with what the last response asked for.
func (l *leg) again(ctx context.Context) (verdict, bool) {
	if err := l.send(ctx); err != nil {
		return l.unreachable(err), true
	}
	l.alive = false
	l.deadline.Reset(l.d.FirstAnswer)
	return verdict{}, false
}

// rejected is the verdict of a final response above 299.
func (l *leg) rejected(res *sip.Response) verdict {
	v := judge(res, l.rang, l.config.DeclineIsBusy)
	if !v.next {
		l.trunk.Answered()
	}
	return v
}

// provisional acts on a response below 200.
func (l *leg) provisional(res *sip.Response) {
	first := !l.alive
	l.alive = true
	switch {
	case l.cancelled && first:
		l.sendCancel()
		return
	case l.cancelled:
		return
	case first:
		l.deadline.Reset(l.d.RingTimeout)
	}
	if res.StatusCode <= sip.StatusTrying {
		return
	}
	l.early(res)
	l.ringing(res.StatusCode)
}

// ringing acts on a provisional status above 100: somebody may have heard the phone ring.
func (l *leg) ringing(status int) {
	if !l.rang {
		l.rang = true
		l.deadline.Reset(l.d.RingTimeout)
		l.trunk.Answered()
	}
	if !rings(status) || l.call.rang {
		return
	}
	l.call.rang = true
	l.d.metrics.rang(time.Since(l.begun))
	if err := l.call.progress(event.VoiceRinging); err != nil {
		l.err = err
		l.giveUp(failed(reasonGivenUp), hangUpWait)
	}
}

// rings reports whether a status is told as RINGING.
func rings(status int) bool {
	return status >= sip.StatusRinging && status <= sip.StatusSessionInProgress
}

// late acts when what was waited for has not come in time.
func (l *leg) late() (verdict, bool) {
	switch {
	case l.cancelled: // RFC 3261 section 9.1: after 64*T1 it counts as cancelled
		l.abandon()
		return verdict{outcome: l.why}, true
	case !l.heard || !l.alive:
		l.abandon()
		return verdict{outcome: failed("the trunk does not answer"), next: !l.rang, trouble: "no answer to INVITE"}, true
	}
	o := voice.Outcome{Type: event.VoiceNoAnswer, Reason: fmt.Sprintf("no answer within %v", l.d.RingTimeout)}
	return l.giveUp(o, l.d.CancelTimeout)
}

// giveUp ends a call that was not answered yet, with this outcome. Its end is waited for
// as long as wait; a call that nobody has heard of yet ends in the background: there is
// nothing to cancel before a provisional response (RFC 3261 section 9.1).
func (l *leg) giveUp(o voice.Outcome, wait time.Duration) (verdict, bool) {
	if l.cancelled {
		return verdict{}, false
	}
	l.cancelled, l.why = true, o
	if !l.alive {
		l.abandon()
		return verdict{outcome: o}, true
	}
	l.sendCancel()
	l.deadline.Reset(wait)
	return verdict{}, false
}

// broken is the verdict when the transaction ends without a final response.
func (l *leg) broken(err error) verdict {
	if l.cancelled {
		return verdict{outcome: l.why}
	}
	v := verdict{outcome: failed("the trunk does not answer"), next: !l.rang}
	if v.next {
		v.trouble = fmt.Sprintf("INVITE: %v", err)
	}
	return v
}

// unreachable is the verdict when the INVITE could not be sent.
func (l *leg) unreachable(err error) verdict {
	l.log.Warn("an INVITE could not be sent", "to", l.hop.to, "error", err)
	if errors.Is(err, errTooLarge) {
		return verdict{outcome: failed("the call's request is too long for the trunk"), next: true}
	}
	return verdict{outcome: failed("the trunk cannot be reached"), next: !l.rang, trouble: err.Error()}
}

// abandon leaves the INVITE to itself, but not what may still come of it.
func (l *leg) abandon() {
	l.abandoned = true
	l.cancelled = true
	l.d.spawn(l.mop)
}

// mop waits for what comes of an abandoned INVITE: who rings is cancelled, who answers is
// hung up.
func (l *leg) mop() {
	defer l.close()
	l.deadline.Reset(l.d.CancelTimeout)
	defer l.deadline.Stop()
	stopping := l.d.life.Done()
	for {
		select {
		case res := <-l.tx.Responses():
			l.d.trace("receive", res)
			switch {
			case res.IsProvisional():
				l.provisional(res)
			case res.IsSuccess():
				l.dismiss(res)
				return
			default:
				return
			}
		case <-l.tx.Done():
			return
		case <-l.deadline.C:
			l.tx.Terminate()
			return
		case <-stopping:
			stopping = nil
			l.deadline.Reset(hangUpWait / 2)
		case <-l.d.force.Done():
			l.tx.Terminate()
			return
		}
	}
}
