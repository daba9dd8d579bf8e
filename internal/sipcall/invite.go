package sipcall

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/emiago/sipgo/sip"

	"tidings/internal/siptrunk"
)

const (
	maxForwards = 70 // RFC 3261 section 8.1.1.6

	// allowed are the methods that the far side may use in a call.
	allowed = "INVITE, ACK, CANCEL, BYE, UPDATE, OPTIONS, INFO"

	// sessionExpires is offered with the callee as refresher (RFC 4028 section 7.1): no
	// call lasts so long that we would have to refresh it.
	sessionExpires = 1800

	maxMinSE = 86400 // seconds; nobody means more
)

// userOf is a number as the trunk wants it in the user part of a URI.
func userOf(c siptrunk.Config, digits string) string {
	switch {
	case c.Dial != "":
		return siptrunk.EscapeUser(c.Dial + digits)
	case c.Plus:
		return "+" + digits
	}
	return digits
}

// ownNumber is the caller's number as the trunk wants it. What is dialled in front of other
// numbers does not belong there.
func ownNumber(c siptrunk.Config, digits string) string {
	if c.Plus {
		return "+" + digits
	}
	return digits
}

// domainOf is the host part of our own URIs at the trunk.
func domainOf(c siptrunk.Config) string {
	if c.Domain != "" {
		host, _ := splitServer(c.Domain)
		return host
	}
	host, _ := splitServer(c.Server)
	return host
}

// routeTo is the Route header that leads through the outbound proxy (RFC 3261 section 8.1.2).
func routeTo(c siptrunk.Config) *sip.RouteHeader {
	host, port := splitServer(c.Proxy)
	u := sip.Uri{Scheme: "sip", Host: host, Port: int(port)}
	if n := c.Network(); n != siptrunk.UDP {
		u.UriParams.Add("transport", string(n))
	}
	u.UriParams.Add("lr", "")
	return &sip.RouteHeader{Address: u}
}

// identify appends the headers that all requests of the leg have in common.
func (l *leg) identify(r *sip.Request, seq uint32) {
	host, _ := splitServer(l.config.Server)
	hops, id := sip.MaxForwardsHeader(maxForwards), sip.CallIDHeader(l.id)
	from := sip.Uri{Scheme: "sip", User: ownNumber(l.config, l.call.caller), Host: domainOf(l.config)}
	if l.config.CallerID == siptrunk.CallerIDPAI && l.config.Username != "" {
		from.User = siptrunk.EscapeUser(l.config.Username)
	}
	r.AppendHeader(&hops)
	r.AppendHeader(&sip.FromHeader{Address: from, Params: sip.HeaderParams{{K: "tag", V: l.tag}}})
	r.AppendHeader(&sip.ToHeader{Address: sip.Uri{Scheme: "sip", User: userOf(l.config, l.call.number), Host: host}})
	r.AppendHeader(&id)
	r.AppendHeader(&sip.CSeqHeader{SeqNo: seq, MethodName: r.Method})
	r.AppendHeader(sip.NewHeader("User-Agent", l.d.UserAgent))
}

// newInvite makes the INVITE.
func (l *leg) newInvite(seq uint32) *sip.Request {
	c, agent := l.config, l.d.agent
	host, port := splitServer(c.Server)
	r := sip.NewRequest(sip.INVITE, sip.Uri{Scheme: "sip", User: userOf(c, l.call.number), Host: host, Port: int(port)})
	r.AppendHeader(agent.newVia(l.hop, branch()))
	if c.Proxy != "" {
		r.AppendHeader(routeTo(c))
	}
	l.identify(r, seq)
	r.AppendHeader(agent.contact(l.hop))
	if c.CallerID != siptrunk.CallerIDFrom {
		number := sip.Uri{Scheme: "sip", User: ownNumber(c, l.call.caller), Host: domainOf(c)}
		r.AppendHeader(sip.NewHeader("P-Asserted-Identity", "<"+number.String()+">")) // RFC 3325
	}
	r.AppendHeader(sip.NewHeader("Allow", allowed))
	r.AppendHeader(sip.NewHeader("Supported", "100rel, timer"))
	expires := sessionExpires
	if l.minSE != "" {
		least, _ := strconv.Atoi(l.minSE)
		expires = max(expires, least)
		r.AppendHeader(sip.NewHeader("Min-SE", l.minSE))
	}
	r.AppendHeader(sip.NewHeader("Session-Expires", fmt.Sprintf("%d;refresher=uas", expires)))
	l.keys.apply(r)
	kind := sip.ContentTypeHeader("application/sdp")
	r.AppendHeader(&kind)
	r.SetBody(l.local.Offer())
	return r
}

// send sends the INVITE, for the first time or with what was asked for since.
func (l *leg) send(ctx context.Context) error {
	l.mu.Lock()
	r := l.newInvite(l.next())
	h := l.hop
	l.invited, l.said = r, string(r.Body())
	l.mu.Unlock()
	tx, err := l.d.agent.start(ctx, &h, r, l.repeated)
	if err != nil {
		return err
	}
	l.tx = tx
	l.mu.Lock()
	l.hop = h
	l.mu.Unlock()
	return nil
}

// sendCancel sends the CANCEL of the INVITE (RFC 3261 section 9.1): the same way, with the
// same Via. What comes of it is seen to in the background; what matters is what comes of
// the INVITE.
func (l *leg) sendCancel() {
	l.mu.Lock()
	r := sip.NewRequest(sip.CANCEL, l.invited.Recipient)
	r.AppendHeader(l.invited.Via().Clone())
	for _, h := range l.invited.GetHeaders("Route") {
		r.AppendHeader(sip.HeaderClone(h))
	}
	l.identify(r, l.invited.CSeq().SeqNo)
	r.SetBody(nil)
	h := l.hop
	l.mu.Unlock()
	l.d.spawn(func() {
		ctx, cancel := l.d.background(l.d.CancelTimeout)
		defer cancel()
		if _, err := l.d.once(ctx, &h, r); err != nil {
			l.log.Debug("a CANCEL was not answered", "error", err)
		}
	})
}

// early notes what a provisional response says about the call to be, and confirms it if
// that is demanded.
func (l *leg) early(res *sip.Response) {
	l.mu.Lock()
	defer l.mu.Unlock()
	g, err := l.learn(res)
	if err != nil {
		return
	}
	if isSDP(res) {
		g.answer = res.Body()
	}
	rseq, ok := reliable(res)
	if !ok || g.rseq != 0 && rseq != g.rseq+1 { // RFC 3262 section 4: repeated, or out of order
		return
	}
	g.rseq = rseq
	r, h, err := l.request(g, sip.PRACK, l.next())
	if err != nil {
		l.log.Warn("a ringing callee cannot be reached", "error", err)
		return
	}
	r.AppendHeader(sip.NewHeader("RAck", fmt.Sprintf("%d %d INVITE", rseq, l.invited.CSeq().SeqNo)))
	l.d.spawn(func() {
		ctx, cancel := l.d.background(l.d.CancelTimeout)
		defer cancel()
		if _, err := l.d.exchange(ctx, l.config, &h, r, l.nextLocked); err != nil {
			l.log.Debug("a PRACK was not answered", "error", err)
		}
	})
}

// reliable returns the number of a provisional response that has to be acknowledged (RFC
// 3262 section 4).
func reliable(res *sip.Response) (rseq uint32, ok bool) {
	if !slices.ContainsFunc(res.GetHeaders("Require"), func(h sip.Header) bool { return lists(h.Value(), "100rel") }) {
		return 0, false
	}
	h := res.GetHeader("RSeq")
	if h == nil {
		return 0, false
	}
	n, err := strconv.ParseUint(strings.TrimSpace(h.Value()), 10, 32)
	return uint32(n), err == nil && n > 0
}

// lists reports whether a list of words has the word.
func lists(list, word string) bool {
	for w := range strings.SplitSeq(list, ",") {
		if strings.EqualFold(strings.TrimSpace(w), word) {
			return true
		}
	}
	return false
}

// isSDP reports whether the message has a session description.
func isSDP(m sip.Message) bool {
	if len(m.Body()) == 0 {
		return false
	}
	h := m.GetHeaders("Content-Type")
	if len(h) == 0 {
		return true // RFC 3261 wants one; without, there is nothing else it could be
	}
	kind, _, _ := strings.Cut(h[0].Value(), ";")
	return strings.EqualFold(strings.TrimSpace(kind), "application/sdp")
}

// minSE is the shortest session that the response wants, "" if it does not say.
func minSE(res *sip.Response) string {
	h := res.GetHeader("Min-SE")
	if h == nil {
		return ""
	}
	value, _, _ := strings.Cut(h.Value(), ";")
	n, err := strconv.ParseUint(strings.TrimSpace(value), 10, 31)
	if err != nil || n == 0 || n > maxMinSE {
		return ""
	}
	return strconv.FormatUint(n, 10)
}
