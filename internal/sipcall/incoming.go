package sipcall

import (
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

// How a 2xx to an INVITE is repeated until its ACK comes. Source: RFC 3261 section 13.3.1.4,
// with the timers of appendix A.
const (
	timer1 = 500 * time.Millisecond
	timer2 = 4 * time.Second
	tries  = 11 // 64*T1 in all
)

// pending is a 2xx to an INVITE of the far side whose ACK is awaited. leg.mu guards it.
type pending struct {
	seq     uint32
	offered bool // it had an offer, so that the ACK has the answer
	timer   *time.Timer
	pause   time.Duration
	left    int
}

// receive answers a request. sipgo calls it in a goroutine of its own.
func (d *Dialer) receive(r *sip.Request, tx *sip.ServerTx) {
	d.trace("receive", r)
	// Or it is kept for ever. What was answered stays for its repetitions.
	defer tx.TerminateGracefully()
	l, g := d.find(r)
	switch {
	case r.IsAck():
		if l != nil {
			l.acknowledged(r)
		}
	case l == nil:
		d.respond(tx, d.refuse(r))
	default:
		l.receive(g, r, tx)
	}
}

// note sees messages in the order in which they come. The transactions work on each in a
// goroutine of its own, so that a final response may overtake the 180 before it. That the
// phone rang must not be missed then: such a call must not be placed again.
func (d *Dialer) note(m sip.Message) {
	res, ok := m.(*sip.Response)
	if !ok || !res.IsProvisional() || res.StatusCode <= sip.StatusTrying {
		return
	}
	id, seq := res.CallID(), res.CSeq()
	if id == nil || seq == nil || seq.MethodName != sip.INVITE {
		return
	}
	d.mu.Lock()
	l := d.legs[string(*id)]
	d.mu.Unlock()
	if l != nil && (rings(res.StatusCode) || l.noted.Load() == 0) {
		l.noted.Store(int32(res.StatusCode))
	}
}

// stray takes responses that belong to no transaction: those that come late or again.
func (d *Dialer) stray(res *sip.Response) { d.trace("receive", res) }

// find returns the call that the request belongs to (RFC 3261 section 12.2.2).
func (d *Dialer) find(r *sip.Request) (*leg, *dialog) {
	id, from, to := r.CallID(), r.From(), r.To()
	if id == nil || from == nil || to == nil {
		return nil, nil
	}
	d.mu.Lock()
	l := d.legs[string(*id)]
	d.mu.Unlock()
	if l == nil {
		return nil, nil
	}
	if tag, _ := to.Params.Get("tag"); tag != l.tag {
		return nil, nil
	}
	tag, _ := from.Params.Get("tag")
	l.mu.Lock()
	defer l.mu.Unlock()
	g := l.dialogs[tag]
	if g == nil {
		return nil, nil
	}
	return l, g
}

// refuse answers what belongs to no call. We take no calls.
func (d *Dialer) refuse(r *sip.Request) *sip.Response {
	known := false
	if to := r.To(); to != nil {
		known = to.Params.Has("tag")
	}
	switch {
	case known, r.IsCancel(), r.Method == sip.BYE:
		return sip.NewResponseFromRequest(r, sip.StatusCallTransactionDoesNotExists, "Call/Transaction Does Not Exist", nil)
	case r.IsInvite():
		return sip.NewResponseFromRequest(r, sip.StatusForbidden, "Forbidden", nil)
	case r.Method == sip.OPTIONS: // trunks ask whether we are there
		return d.able(r)
	}
	return d.notAllowed(r)
}

// able answers OPTIONS (RFC 3261 section 11.2).
func (d *Dialer) able(r *sip.Request) *sip.Response {
	res := sip.NewResponseFromRequest(r, sip.StatusOK, "OK", nil)
	res.AppendHeader(sip.NewHeader("Allow", allowed))
	res.AppendHeader(sip.NewHeader("Accept", "application/sdp"))
	res.AppendHeader(sip.NewHeader("Supported", "100rel, timer"))
	return res
}

func (d *Dialer) notAllowed(r *sip.Request) *sip.Response {
	res := sip.NewResponseFromRequest(r, sip.StatusMethodNotAllowed, "Method Not Allowed", nil)
	res.AppendHeader(sip.NewHeader("Allow", allowed))
	return res
}

// respond sends a response.
func (d *Dialer) respond(tx *sip.ServerTx, res *sip.Response) {
	res.AppendHeader(sip.NewHeader("Server", d.UserAgent))
	d.trace("send", res)
	if err := tx.Respond(res); err != nil {
		d.Log.Debug("a response could not be sent", "status", res.StatusCode, "error", err)
	}
}

// receive answers a request within the call.
func (l *leg) receive(g *dialog, r *sip.Request, tx *sip.ServerTx) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if q := r.CSeq(); q == nil || q.SeqNo <= g.far && g.far > 0 { // RFC 3261 section 12.2.2
		l.d.respond(tx, sip.NewResponseFromRequest(r, sip.StatusInternalServerError, "CSeq Out Of Order", nil))
		return
	}
	g.far = r.CSeq().SeqNo
	switch string(r.Method) {
	case "BYE":
		l.d.respond(tx, sip.NewResponseFromRequest(r, sip.StatusOK, "OK", nil))
		if g == l.dialog && !l.hungUp {
			l.hungUp = true
			close(l.gone)
		}
	case "INVITE", "UPDATE":
		l.change(g, r, tx)
	case "OPTIONS":
		l.d.respond(tx, l.d.able(r))
	case "INFO":
		l.d.respond(tx, sip.NewResponseFromRequest(r, sip.StatusOK, "OK", nil))
	default:
		l.d.respond(tx, l.d.notAllowed(r))
	}
}

// change answers a request that changes the call: who hears what, where the far side is,
// or nothing but the time for which it is alive. l.mu must be held.
func (l *leg) change(g *dialog, r *sip.Request, tx *sip.ServerTx) {
	if !g.confirmed && r.IsInvite() || g.confirmed && g != l.dialog {
		l.d.respond(tx, sip.NewResponseFromRequest(r, sip.StatusRequestPending, "Request Pending", nil))
		return
	}
	if r.IsInvite() && len(r.Body()) > 0 && !isSDP(r) {
		res := sip.NewResponseFromRequest(r, sip.StatusUnsupportedMediaType, "Unsupported Media Type", nil)
		res.AppendHeader(sip.NewHeader("Accept", "application/sdp"))
		l.d.respond(tx, res)
		return
	}
	var body []byte
	if isSDP(r) || r.IsInvite() && len(r.Body()) == 0 {
		var err error
		if body, err = l.renegotiate(r.Body()); err != nil {
			l.log.Warn("a change of the call is refused", "error", plain(err))
			l.d.respond(tx, sip.NewResponseFromRequest(r, sip.StatusNotAcceptableHere, "Not Acceptable Here", nil))
			return
		}
	}
	if c := r.Contact(); c != nil && c.Address.Host != "" && !c.Address.Wildcard {
		g.target, g.known = *c.Address.Clone(), false // RFC 3261 section 12.2.2
		g.target.Headers = nil
	}
	res := sip.NewResponseFromRequest(r, sip.StatusOK, "OK", body)
	res.AppendHeader(l.invited.Contact().Clone())
	res.AppendHeader(sip.NewHeader("Allow", allowed))
	alive(r, res)
	if body != nil {
		kind := sip.ContentTypeHeader("application/sdp")
		res.AppendHeader(&kind)
	}
	l.d.respond(tx, res)
	if r.IsInvite() {
		l.await(r, tx, res)
	}
}

// alive echoes the session timer, so that the far side goes on refreshing (RFC 4028 section 9).
func alive(r *sip.Request, res *sip.Response) {
	h := r.GetHeader("Session-Expires")
	if h == nil {
		return
	}
	value := h.Value()
	if !strings.Contains(value, "refresher=") {
		value += ";refresher=uac"
	}
	res.AppendHeader(sip.NewHeader("Require", "timer"))
	res.AppendHeader(sip.NewHeader("Session-Expires", value))
}

// await repeats a 2xx until its ACK comes. l.mu must be held.
func (l *leg) await(r *sip.Request, tx *sip.ServerTx, res *sip.Response) {
	if l.pending != nil {
		l.pending.timer.Stop()
	}
	if l.closed {
		return
	}
	p := &pending{seq: r.CSeq().SeqNo, offered: len(r.Body()) == 0, pause: timer1, left: tries}
	p.timer = time.AfterFunc(p.pause, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.pending != p || p.left == 0 || l.closed {
			return
		}
		p.left--
		p.pause = min(2*p.pause, timer2)
		p.timer.Reset(p.pause)
		l.d.trace("send", res)
		_ = tx.Respond(res) // the next time, perhaps
	})
	l.pending = p
}

// acknowledged takes the ACK of a 2xx of ours.
func (l *leg) acknowledged(r *sip.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p, q := l.pending, r.CSeq()
	if p == nil || q == nil || q.SeqNo != p.seq {
		return
	}
	p.timer.Stop()
	l.pending = nil
	if p.offered {
		if err := l.answerIn(r.Body()); err != nil {
			l.log.Warn("the callee's answer cannot be used", "error", plain(err))
		}
	}
}
