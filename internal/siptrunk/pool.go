// Package siptrunk keeps the trunks: which of them serves a number, how many calls each may
// carry and how fast they may begin, and how each is doing.
//
// It sends OPTIONS and REGISTER through whoever does the signalling (Transactor) and knows
// neither sockets nor dialogs.
package siptrunk

import (
	"cmp"
	"container/list"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

var (
	// ErrNoRoute says that no trunk serves the number.
	ErrNoRoute = errors.New("no trunk serves the number")

	// ErrNoTrunk says that every trunk that serves the number was tried.
	ErrNoTrunk = errors.New("no trunk is left to try")
)

// Options say what a Pool works with. The zero value is ready to use.
type Options struct {
	Now        func() time.Time      // nil = time.Now
	Log        *slog.Logger          // nil = nothing is logged
	Registerer prometheus.Registerer // nil = nothing is counted
}

// Pool is all trunks. It is safe for concurrent use.
type Pool struct {
	trunks []*Trunk // in the order of the configuration
	now    func() time.Time

	mu      sync.Mutex
	leases  uint64      // handed out ever
	waiting list.List   // of *waiter, in the order they came
	wake    *time.Timer // looks after the waiting; nil = nobody waits for a moment
}

// New makes the pool. Its error names everything that is wrong with the list.
func New(configs []Config, opts Options) (*Pool, error) {
	if err := validate(configs); err != nil {
		return nil, err
	}
	p := &Pool{now: opts.Now}
	if p.now == nil {
		p.now = time.Now
	}
	log := opts.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	begun := p.now()
	for _, c := range configs {
		t := &Trunk{
			config: c, pool: p, log: log.With("trunk", c.Name),
			pace: newPace(c.CallsPerSecond), health: Unknown, known: Unknown, since: begun,
		}
		if c.SRTP && c.Transport != TLS {
			t.log.Warn("the keys of SRTP travel in the clear: whoever sees the signalling can listen; use TLS")
		}
		p.trunks = append(p.trunks, t)
	}
	if opts.Registerer != nil {
		if err := opts.Registerer.Register(newCollector(p)); err != nil {
			return nil, fmt.Errorf("register the metrics of trunks: %w", err)
		}
	}
	return p, nil
}

// Trunks returns all trunks in the order of the configuration.
func (p *Pool) Trunks() []*Trunk { return slices.Clone(p.trunks) }

// Lease is the right to one call through a trunk.
type Lease struct {
	Trunk *Trunk

	once sync.Once
}

// Release gives the line back. Only the first call counts.
func (l *Lease) Release() {
	l.once.Do(func() { l.Trunk.update(func(time.Time) { l.Trunk.calls-- }) })
}

// Lease returns the right to one call of the number (E.164, with plus), through the best trunk
// that is not in tried and has room. The best is the one with the longest prefix; among
// those the one of the lowest priority; among those the least used. A trunk that is down
// comes after all others, as the last resort.
//
// If none has room, Lease waits for a line or for the moment that the calls per second
// allow, behind whoever came before, until ctx ends. It fails with ErrNoRoute, ErrNoTrunk,
// or the error of ctx.
func (p *Pool) Lease(ctx context.Context, number string, tried []*Trunk) (*Lease, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	routes, err := p.routes(number, tried)
	if err != nil {
		return nil, err
	}
	w := &waiter{routes: routes, lease: make(chan *Lease, 1)}
	p.mu.Lock()
	place := p.waiting.PushBack(w)
	p.serve()
	p.mu.Unlock()
	select {
	case l := <-w.lease:
		return l, nil
	case <-ctx.Done():
	}
	p.mu.Lock()
	p.waiting.Remove(place)
	p.mu.Unlock()
	select {
	case l := <-w.lease:
		l.Release() // it came in the same moment
	default:
	}
	return nil, ctx.Err()
}

// waiter is a call that wants a trunk.
type waiter struct {
	routes []route     // the best first; never empty
	lease  chan *Lease // holds one
}

// route is a trunk that serves a number.
type route struct {
	trunk  *Trunk
	prefix int // length of the prefix
}

// compare orders routes by prefix and priority.
func (r route) compare(o route) int {
	return cmp.Or(cmp.Compare(o.prefix, r.prefix), cmp.Compare(r.trunk.config.Priority, o.trunk.config.Priority))
}

// routes lists the trunks that serve the number and were not tried, the best first.
func (p *Pool) routes(number string, tried []*Trunk) ([]route, error) {
	var routes []route
	served := false
	for _, t := range p.trunks {
		length, ok := t.serves(number)
		served = served || ok
		if ok && !slices.Contains(tried, t) {
			routes = append(routes, route{t, length})
		}
	}
	switch {
	case !served:
		return nil, ErrNoRoute
	case len(routes) == 0:
		names := make([]string, len(tried))
		for i, t := range tried {
			names[i] = t.String()
		}
		return nil, fmt.Errorf("%w after %s", ErrNoTrunk, strings.Join(names, ", "))
	}
	slices.SortStableFunc(routes, route.compare)
	return routes, nil
}

// serve gives trunks to those that wait, in the order they came, and sees to it that it is
// called again when the next one can be served. p.mu must be held.
func (p *Pool) serve() {
	now := p.now()
	var next time.Time
	for place := p.waiting.Front(); place != nil; {
		open, at := p.open(now)
		if !open { // thousands may wait: do not ask for each of them
			next = sooner(next, at)
			break
		}
		w, following := place.Value.(*waiter), place.Next()
		best, later := pick(w.routes, now)
		if best != nil {
			p.waiting.Remove(place)
			w.lease <- p.lease(best, now)
		}
		next = sooner(next, later)
		place = following
	}
	if p.wake != nil {
		p.wake.Stop()
		p.wake = nil
	}
	if !next.IsZero() && p.waiting.Len() > 0 {
		p.wake = time.AfterFunc(next.Sub(now), func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.serve()
		})
	}
}

// open reports whether any trunk has room now, and if not, when the first one might. p.mu
// must be held.
func (p *Pool) open(now time.Time) (open bool, next time.Time) {
	for _, t := range p.trunks {
		at, ok := t.room()
		switch {
		case !ok:
		case !at.After(now):
			return true, time.Time{}
		default:
			next = sooner(next, at)
		}
	}
	return false, next
}

// lease takes one line of the trunk. p.mu must be held.
func (p *Pool) lease(t *Trunk, now time.Time) *Lease {
	p.leases++
	t.calls++
	t.leased = p.leases
	t.pace.take(now)
	return &Lease{Trunk: t}
}

// pick returns the best trunk that has room now. If there is none, it returns when to look again,
// zero if only the end of a call, or news of a trunk, can help. p.mu must be held.
func pick(routes []route, now time.Time) (best *Trunk, next time.Time) {
	lastResort := !slices.ContainsFunc(routes, func(r route) bool { return r.trunk.state(now) != Down })
	var rank route
	for _, r := range routes {
		if best != nil && rank.compare(r) != 0 {
			return best, time.Time{}
		}
		if !lastResort && r.trunk.state(now) == Down {
			next = sooner(next, r.trunk.recovers())
			continue
		}
		at, ok := r.trunk.room()
		switch {
		case !ok:
		case at.After(now):
			next = sooner(next, at)
		case best == nil || r.trunk.lessUsed(best):
			best, rank = r.trunk, r
		}
	}
	if best != nil {
		return best, time.Time{}
	}
	return nil, next
}
