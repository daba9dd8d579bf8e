package sipcall

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"

	"tidings/internal/siptrunk"
)

// maxForks bounds how many callees of one call are told apart.
const maxForks = 16

var errForks = errors.New("too many callees answer one call")

// dialog is what two telephones know about each other (RFC 3261 section 12), as the caller
// keeps it. It belongs to a leg, whose lock guards it.
type dialog struct {
	tag    string // the far side's
	target sip.Uri
	routes []sip.Uri
	far    uint32 // the far side's last CSeq
	rseq   uint32 // of the last reliable provisional response
	answer []byte // SDP of a provisional response

	confirmed bool         // by a 2xx
	ack       *sip.Request // that answered the 2xx
	way       hop          // where ack went; and everything else, while the target stays
	known     bool         // way is
}

// tagOf returns the tag in To, where the callee names itself.
func tagOf(res *sip.Response) string {
	if to := res.To(); to != nil {
		tag, _ := to.Params.Get("tag")
		return tag
	}
	return ""
}

// learn makes or renews the dialog that a response to the INVITE belongs to (RFC 3261
// section 12.1.2). l.mu must be held.
func (l *leg) learn(res *sip.Response) (*dialog, error) {
	tag := tagOf(res)
	g := l.dialogs[tag]
	if g == nil {
		if len(l.dialogs) == maxForks {
			return nil, errForks
		}
		g = &dialog{tag: tag, target: l.invited.Recipient}
		l.dialogs[tag] = g
	}
	if c := res.Contact(); c != nil && c.Address.Host != "" && !c.Address.Wildcard {
		g.target, g.known = *c.Address.Clone(), false
		g.target.Headers = nil // RFC 3261 section 19.1.1, table 1: not in a request line
	}
	if !g.confirmed { // RFC 3261 section 13.2.2.4: the 2xx decides
		g.routes = g.routes[:0]
		for _, h := range slices.Backward(res.GetHeaders("Record-Route")) {
			if r, ok := h.(*sip.RecordRouteHeader); ok {
				g.routes, g.known = append(g.routes, *r.Address.Clone()), false
			}
		}
	}
	return g, nil
}

// request makes a request within a dialog (RFC 3261 section 12.2.1.1). l.mu must be held.
func (l *leg) request(g *dialog, method sip.RequestMethod, seq uint32) (*sip.Request, hop, error) {
	target, routes := g.target, g.routes
	if len(routes) > 0 && !loose(routes[0]) {
		// A strict router wants its own name in the request line, and the target last.
		routes = append(slices.Clone(routes[1:]), target)
		target = g.routes[0]
		target.Headers = nil
	}
	h, err := l.wayOf(g)
	if err != nil {
		return nil, hop{}, err
	}
	r := sip.NewRequest(method, target)
	r.AppendHeader(l.d.agent.newVia(h, branch()))
	for i := range routes {
		r.AppendHeader(&sip.RouteHeader{Address: *routes[i].Clone()})
	}
	l.identify(r, seq)
	if g.tag != "" {
		r.To().Params = sip.HeaderParams{{K: "tag", V: g.tag}}
	}
	if method == sip.UPDATE {
		r.AppendHeader(l.invited.Contact().Clone())
	}
	r.SetBody(nil)
	return r, h, nil
}

// loose reports whether a router is as RFC 3261 wants it and not as RFC 2543 did.
func loose(route sip.Uri) bool {
	return slices.ContainsFunc(route.UriParams, func(p sip.HeaderKV) bool { return strings.EqualFold(p.K, "lr") })
}

// wayOf says where requests of the dialog go: the first router, or the target itself. l.mu
// must be held, also while a name is looked up, which is bounded and hardly ever needed.
func (l *leg) wayOf(g *dialog) (hop, error) {
	if g.known {
		return g.way, nil
	}
	next := g.target
	if len(g.routes) > 0 {
		next = g.routes[0]
	}
	h, err := l.lead(next)
	if err != nil {
		return hop{}, err
	}
	g.way, g.known = h, true
	return h, nil
}

// lead says which way a URI leads.
func (l *leg) lead(u sip.Uri) (hop, error) {
	network := l.hop.network
	if t, ok := u.UriParams.Get("transport"); ok {
		network = siptrunk.Transport(strings.ToLower(t))
	} else if u.IsEncrypted() {
		network = siptrunk.TLS
	}
	if !slices.Contains([]siptrunk.Transport{siptrunk.UDP, siptrunk.TCP, siptrunk.TLS}, network) {
		return hop{}, fmt.Errorf("the far side wants to be reached by %q", phrase(string(network)))
	}
	host := strings.Trim(u.Host, "[]")
	if own, port := splitServer(nextServer(l.config)); strings.EqualFold(host, own) && (u.Port == 0 || u.Port == int(port)) && network == l.hop.network {
		return l.hop, nil // of several addresses of the name, the one that took the call
	}
	server := host
	if u.Port > 0 {
		server = fmt.Sprintf("[%s]:%d", host, u.Port)
	}
	ctx, cancel := context.WithTimeout(l.d.force, lookUp)
	defer cancel()
	targets, err := l.d.names.find(ctx, server, network)
	if err != nil {
		return hop{}, err
	}
	if !targets[0].IsValid() || targets[0].Port() == 0 {
		return hop{}, fmt.Errorf("the far side wants to be reached at %q", phrase(u.HostPort()))
	}
	l.hold(targets[0].Addr())
	return l.d.agent.hop(l.trunk, network, targets[0]), nil
}

// hold lets the address send us SIP as long as the leg lasts. l.mu must be held.
func (l *leg) hold(a netip.Addr) {
	if !slices.Contains(l.hosts, a) && !l.closed {
		l.hosts = append(l.hosts, a)
		l.d.acl.hold(a)
	}
}

// acknowledge sends the ACK of a 2xx (RFC 3261 section 13.2.2.4), or sends it again. l.mu must
// be held.
func (l *leg) acknowledge(g *dialog) error {
	if g.ack == nil {
		r, _, err := l.request(g, sip.ACK, l.invited.CSeq().SeqNo)
		if err != nil {
			return err
		}
		l.keys.apply(r) // RFC 3261 section 22.1: the same credentials as in the INVITE
		g.ack = r
	}
	return l.d.agent.write(g.way, g.ack)
}

// bye ends a dialog. It repeats the BYE until it is answered, or until the time for that
// is over; then there is nothing more that could be done.
func (l *leg) bye(g *dialog) {
	ctx, cancel := context.WithTimeout(l.d.force, l.d.ByeTimeout)
	defer cancel()
	l.mu.Lock()
	r, h, err := l.request(g, sip.BYE, l.next())
	l.mu.Unlock()
	if err == nil {
		_, err = l.d.exchange(ctx, l.config, &h, r, l.nextLocked)
	}
	if err != nil {
		l.log.Warn("a BYE was not answered", "error", err)
	}
}

// background is for requests whose answers do not matter for the call: they are repeated
// for so long, but hardly any longer when the service stops.
func (d *Dialer) background(patience time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(d.force, patience)
	stop := context.AfterFunc(d.life, func() { time.AfterFunc(hangUpWait/2, cancel) })
	return ctx, func() { stop(); cancel() }
}

// next counts the requests of the leg. l.mu must be held.
func (l *leg) next() uint32 {
	l.seq++
	return l.seq
}

func (l *leg) nextLocked() uint32 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.next()
}

// nextServer is where requests to a trunk go first: host or host:port.
func nextServer(c siptrunk.Config) string {
	if c.Proxy != "" {
		return c.Proxy
	}
	return c.Server
}
