package smtpout

import (
	"context"
	"net/netip"
	"slices"
	"sync"

	"tidings/internal/email"
)

// maxDomains is how many domains of one mail are served at the same time.
const maxDomains = 8

// Transport hands mail over. It is safe for concurrent use. Whoever made it closes it.
type Transport struct {
	settings Settings
	pool     *pool
	routes   *routes
	policies *policies // nil = they are not asked for
	metrics  *metrics

	stop    chan struct{}
	once    sync.Once
	sweeper sync.WaitGroup
	closing sync.WaitGroup // sessions that say goodbye
}

var _ email.Transport = (*Transport)(nil)

// New makes a Transport. Its error names everything that is wrong with the settings. It does not touch the network.
func New(settings Settings) (*Transport, error) {
	settings, err := settings.withDefaults()
	if err != nil {
		return nil, err
	}
	t := &Transport{settings: settings, metrics: newMetrics(settings.Registerer), stop: make(chan struct{})}
	t.pool = &pool{t: t, hosts: map[string]*host{}, resting: map[netip.AddrPort]rest{}}
	t.routes = &routes{t: t, known: map[string]route{}}
	if settings.MTASTS {
		t.policies = newPolicies(t)
	}
	t.sweeper.Go(func() { t.pool.run(t.stop) })
	return t, nil
}

// Close says goodbye to all servers and waits for that, two seconds at most. Call it when no Deliver is under way. A Deliver that comes
// later defers everything. Only the first call counts.
func (t *Transport) Close() {
	t.once.Do(func() {
		close(t.stop)
		t.sweeper.Wait()
		t.pool.close()
		t.closing.Wait()
	})
}

// Deliver makes one attempt. It implements email.Transport.
//
// A relay gets the whole parcel at once, the servers of recipients one transaction for each domain.
func (t *Transport) Deliver(ctx context.Context, p email.Parcel) []email.Reply {
	all := make([]said, len(p.Recipients))
	m := message{data: p.Data, tls: p.RequireTLS, eight: slices.ContainsFunc(p.Data, func(b byte) bool { return b >= 0x80 })}
	batches := t.sort(p, &m, all)
	turns := make(chan struct{}, maxDomains)
	var under sync.WaitGroup
	for _, b := range batches[min(1, len(batches)):] {
		under.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			t.batch(ctx, m, b, all)
		})
	}
	if len(batches) > 0 {
		t.batch(ctx, m, batches[0], all) // most mails have one
	}
	under.Wait()
	return group(p.Indexes, all)
}

// batch are recipients of one mail that go to the same servers.
type batch struct {
	domain string // "" = the relay
	to     []string
	at     []int // their places in the parcel
}

// sort parts the recipients by the servers they go to, and gives those their verdict that go nowhere.
func (t *Transport) sort(p email.Parcel, m *message, all []said) []batch {
	var flaw said // of the whole mail
	if p.From != "" {
		from, _, problem := parseAddress(p.From)
		if problem != "" {
			// RFC 3463: X.1.7, bad sender's mailbox address syntax.
			flaw = ours(email.Refused, "5.1.7", "sender: %s", problem)
		}
		m.from = from.String()
	}
	if n := longLine(p.Data); n > 0 {
		// RFC 3463: X.6.0, media error.
		flaw = ours(email.Refused, "5.6.0", "a line of the message has %d bytes; the most is %d (RFC 5322 2.1.1)", n, maxLine)
	}
	var batches []batch
	known := map[string]int{}
	for i, r := range p.Recipients {
		to, enhanced, problem := parseAddress(r)
		switch {
		case flaw.verdict != 0:
			all[i] = flaw
			continue
		case problem != "":
			all[i] = undeliverable(enhanced, problem)
			continue
		case len(t.settings.AllowedDomains) > 0 && !slices.Contains(t.settings.AllowedDomains, to.domain):
			// RFC 3463: X.7.1, delivery not authorized.
			all[i] = ours(email.Refused, "5.7.1", "this server may not send mail to %s", to.domain)
			continue
		}
		key := to.domain
		if t.settings.Relay != "" {
			key = ""
		}
		at, ok := known[key]
		if !ok {
			at = len(batches)
			known[key] = at
			batches = append(batches, batch{domain: key})
		}
		batches[at].to = append(batches[at].to, to.String())
		batches[at].at = append(batches[at].at, i)
	}
	return batches
}

// batch delivers to the recipients of a batch and notes their verdicts.
func (t *Transport) batch(ctx context.Context, m message, b batch, all []said) {
	for i, v := range t.deliver(ctx, m, b) {
		all[b.at[i]] = v
	}
}

// deliver goes through the servers until one of them has decided.
func (t *Transport) deliver(ctx context.Context, m message, b batch) []said {
	way := t.routes.find(ctx, b.domain)
	if len(way.hops) == 0 {
		return slices.Repeat([]said{way.failure}, len(b.to))
	}
	hops, level := way.hops, t.level(m)
	if t.policies != nil && b.domain != "" {
		if p := t.policies.find(ctx, b.domain); p.enforce {
			level = verified
			hops = slices.DeleteFunc(slices.Clone(hops), func(h hop) bool { return !p.allows(h.name) })
		}
	}
	// RFC 3463: X.7.0, other security status. RFC 8461 5: what the policy forbids may be a mistake that somebody mends.
	last := ours(email.Deferred, "4.7.0", "the MTA-STS policy of %s names none of its mail servers", b.domain)
	for i, hop := range hops {
		out, err := t.attempt(ctx, hop, level, m, b.to)
		switch {
		case err == nil && !out.early:
			return out.all
		case err == nil:
			last = worse(i, last, out.all[0])
		default:
			last = worse(i, last, err.said)
		}
		if ctx.Err() != nil {
			break
		}
	}
	return slices.Repeat([]said{last}, len(b.to))
}

// worse returns the one of two verdicts of servers of a domain that counts if none of them took the mail: as long as one of them
// may take it later, it is not refused (RFC 7504 3: only if all of them take no mail). The first one counts if there were some before.
func worse(before int, a, b said) said {
	if before > 0 && a.verdict == email.Deferred && b.verdict == email.Refused {
		return a
	}
	return b
}

// level returns what connections have to be for a message.
func (t *Transport) level(m message) security {
	switch {
	case m.tls:
		return verified
	case t.settings.Relay == "" || t.settings.RelayTLS == RelayOpportunistic:
		return opportunistic
	case t.settings.RelayTLS == RelayPlain:
		return plain
	default:
		return verified
	}
}

// attempt hands the message to a server. A session that was kept may have been closed by the server meanwhile: then a fresh one
// is used.
func (t *Transport) attempt(ctx context.Context, to hop, level security, m message, recipients []string) (outcome, *setupError) {
	h, ok := t.pool.enter(to.name)
	if !ok {
		return outcome{}, &setupError{said: ours(email.Deferred, "4.3.2", "this server is shutting down")}
	}
	defer t.pool.leave(h)
	if err := t.pool.turn(ctx, h); err != nil {
		return outcome{}, err
	}
	defer func() { <-h.turns }()
	for fresh := false; ; fresh = true {
		s, err := t.pool.take(ctx, h, to.addresses, level, fresh)
		if err != nil {
			return outcome{}, err
		}
		reused := s.sent > 0
		out := s.transact(ctx, m, recipients)
		t.pool.give(h, s)
		if !out.early || !reused || ctx.Err() != nil {
			return out, nil
		}
	}
}
