package smtpout

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"

	"tidings/internal/email"
)

// maxResting bounds how many addresses are remembered as not to be reached. What does not fit is tried.
const maxResting = 10_000

// host is a mail server by its name, with all its addresses.
type host struct {
	name  string
	turns chan struct{} // holds one for each session in use
	users int           // sessions in use, and those who wait for a turn
	idle  []*session    // the last used last
	open  map[netip.AddrPort]int

	advanced time.Time // when a mail last had its turn, or came to its end
}

// rest is an address that could not be reached.
type rest struct {
	until time.Time
	said  said
}

// pool keeps the sessions with all hosts. It is safe for concurrent use.
type pool struct {
	t *Transport

	mu      sync.Mutex
	hosts   map[string]*host
	resting map[netip.AddrPort]rest
	closed  bool
	down    bool // the relay, when it was last needed
}

// enter notes that somebody wants a session with the host.
func (p *pool) enter(name string) (*host, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, false
	}
	h := p.hosts[name]
	if h == nil {
		h = &host{name: name, turns: make(chan struct{}, p.t.settings.MaxConnections), open: map[netip.AddrPort]int{}}
		p.hosts[name] = h
	}
	h.users++
	return h, true
}

// leave is the end of enter.
func (p *pool) leave(h *host) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h.users--
	p.forget(h)
}

// forget drops a host that nobody uses. p.mu must be held.
func (p *pool) forget(h *host) {
	if h.users == 0 && len(h.idle) == 0 {
		delete(p.hosts, h.name)
	}
}

// turn waits until the host may have one more session in use.
func (p *pool) turn(ctx context.Context, h *host) *setupError {
	begun := time.Now()
	for {
		select {
		case h.turns <- struct{}{}:
			p.advance(h)
			return nil
		default:
		}
		if p.waitForTurn(ctx, h, p.patience(h, begun)) {
			return nil
		}
		if ctx.Err() != nil || p.patience(h, begun) <= 0 {
			// RFC 3463: X.4.5, mail system congestion.
			return &setupError{said: ours(email.Deferred, "4.4.5", "%s is busy with %d other mails of ours", h.name, cap(h.turns)).at(place{host: h.name})}
		}
	}
}

// waitForTurn waits for a turn for so long and reports whether there was one.
func (p *pool) waitForTurn(ctx context.Context, h *host, most time.Duration) bool {
	waiting, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	select {
	case h.turns <- struct{}{}:
		p.advance(h)
		return true
	case <-waiting.Done():
		return false
	}
}

// patience is how long a mail that waits since begun still waits for its turn: with a relay as long as that gets on with others.
func (p *pool) patience(h *host, begun time.Time) time.Duration {
	if p.t.settings.Relay == "" || p.t.settings.Turn > 0 {
		return p.t.settings.Turn - time.Since(begun)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.t.settings.Stall - time.Since(h.advanced)
}

// advance notes that the host gets on with our mail.
func (p *pool) advance(h *host) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h.advanced = time.Now()
}

// take returns a session with the host that is good enough, an idle one if there is any and fresh is not set. The caller has a
// turn, and gives the session back.
func (p *pool) take(ctx context.Context, h *host, addresses []netip.AddrPort, level security, fresh bool) (*session, *setupError) {
	s, spare := p.reuse(h, level, fresh)
	if spare != nil {
		p.t.closing.Go(spare.quit)
	}
	if s != nil {
		return s, nil
	}
	last := &setupError{said: ours(email.Deferred, "4.4.1", "%s has no address", h.name)}
	for _, at := range addresses {
		if resting, ok := p.rests(at); ok {
			last = &setupError{said: resting}
			continue
		}
		s, err := p.t.dial(ctx, h, at, level)
		if err == nil {
			p.opened(h, at)
			return s, nil
		}
		last = err
		// That it cannot encrypt tells nothing to those who do not ask for it.
		special := err.tls && level > p.t.level(message{})
		if !err.ours && !special {
			p.failed(h, at, err.said)
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, last
}

// reuse takes an idle session. If there are some, but none that will do, one of them makes room for a new one, so that the
// host never has more than it may.
func (p *pool) reuse(h *host, level security, fresh bool) (s, spare *session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(h.idle) == 0 {
		return nil, nil
	}
	at := len(h.idle) - 1
	for at >= 0 && (fresh || h.idle[at].level < level && level == verified) {
		at--
	}
	if at < 0 {
		spare = h.idle[0]
		h.idle = h.idle[1:]
		h.closed(spare)
		return nil, spare
	}
	s = h.idle[at]
	h.idle = slices.Delete(h.idle, at, at+1)
	return s, nil
}

// closed notes that a session is gone. The pool's mu must be held.
func (h *host) closed(s *session) {
	if h.open[s.address]--; h.open[s.address] <= 0 {
		delete(h.open, s.address)
	}
}

// give takes a session back, for the next mail if it is good for one.
func (p *pool) give(h *host, s *session) {
	s.used = p.t.settings.Now()
	p.mu.Lock()
	if !s.dirty {
		h.advanced = time.Now()
	}
	keep := !s.dirty && !p.closed && s.sent < p.t.settings.MaxMessages
	if keep {
		h.idle = append(h.idle, s)
	} else {
		h.closed(s)
	}
	p.mu.Unlock()
	if !keep {
		p.t.closing.Go(s.quit)
	}
}

// rests reports whether the address is to be left alone, and what it last said.
func (p *pool) rests(at netip.AddrPort) (said, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r, ok := p.resting[at]
	if !ok || !p.t.settings.Now().Before(r.until) {
		return said{}, false
	}
	return r.said, true
}

// opened notes that there is one more session.
func (p *pool) opened(h *host, at netip.AddrPort) {
	p.mu.Lock()
	h.open[at]++
	again := p.down
	p.down = false
	p.mu.Unlock()
	if again {
		p.t.settings.Log.Info("the relay takes mail again", "relay", p.t.settings.Relay)
	}
}

// failed has the address left alone for a while. One that has other sessions with us is well, it only takes no more of them.
func (p *pool) failed(h *host, at netip.AddrPort, why said) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if h.open[at] > 0 || len(p.resting) >= maxResting {
		return
	}
	p.resting[at] = rest{p.t.settings.Now().Add(p.t.settings.Rest), why}
	if p.t.settings.Relay != "" && !p.down && len(h.open) == 0 {
		p.down = true
		p.t.settings.Log.Warn("the relay takes no mail", "relay", p.t.settings.Relay, "address", at.Addr(), "reason", why.text)
	}
}

// sweep closes sessions that were idle for too long, all of them if the pool is closed, and forgets rests that are over.
func (p *pool) sweep() {
	now := p.t.settings.Now()
	var old []*session
	p.mu.Lock()
	for _, h := range p.hosts {
		h.idle = slices.DeleteFunc(h.idle, func(s *session) bool {
			tooOld := p.closed || now.Sub(s.used) >= p.t.settings.Idle
			if tooOld {
				h.closed(s)
				old = append(old, s)
			}
			return tooOld
		})
		p.forget(h)
	}
	for at, r := range p.resting {
		if !now.Before(r.until) {
			delete(p.resting, at)
		}
	}
	p.mu.Unlock()
	for _, s := range old {
		p.t.closing.Go(s.quit)
	}
}

// run sweeps until stop is closed.
func (p *pool) run(stop <-chan struct{}) {
	again := time.NewTicker(max(p.t.settings.Idle/2, time.Millisecond))
	defer again.Stop()
	for {
		select {
		case <-again.C:
			p.sweep()
		case <-stop:
			return
		}
	}
}

// close closes the idle sessions; those in use are closed when they are given back.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.sweep()
}
