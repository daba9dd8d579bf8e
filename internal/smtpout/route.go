package smtpout

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"tidings/internal/email"
)

const (
	// maxHosts is how many servers of a domain are tried at one attempt.
	maxHosts = 5

	// maxAddresses is how many addresses of a server are tried at one attempt.
	maxAddresses = 5

	// routeAge is how long a way to a domain is used before DNS is asked again. The resolver does not tell how long it might be.
	routeAge = time.Minute

	// maxRoutes bounds how many domains are remembered.
	maxRoutes = 10_000
)

// hop is a server that may take the mail.
type hop struct {
	name      string
	addresses []netip.AddrPort
}

// route is the way to a domain: servers, the best first; or why there is none.
type route struct {
	hops    []hop
	failure said // if hops is empty
	until   time.Time
}

// routes finds the servers of domains, and remembers them for a while. It is safe for concurrent use.
type routes struct {
	t *Transport

	mu    sync.Mutex
	known map[string]route
}

// find returns the way to a domain; "" = the relay.
func (r *routes) find(ctx context.Context, domain string) route {
	now := r.t.settings.Now()
	r.mu.Lock()
	found, ok := r.known[domain]
	r.mu.Unlock()
	if ok && now.Before(found.until) {
		return found
	}
	if domain == "" {
		found = r.relay(ctx)
	} else {
		found = r.domain(ctx, domain)
	}
	if len(found.hops) == 0 && found.failure.verdict == email.Deferred {
		return found // asked again by the next mail: DNS may be back in a second
	}
	found.until = now.Add(routeAge)
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.known) >= maxRoutes {
		clear(r.known)
	}
	r.known[domain] = found
	return found
}

// relay is the way to the relay.
func (r *routes) relay(ctx context.Context) route {
	name, port, _ := net.SplitHostPort(r.t.settings.Relay) // checked by New
	number, err := r.t.settings.Resolver.LookupPort(ctx, "tcp", port)
	if err != nil {
		return route{failure: ours(email.Deferred, "4.4.3", "port of the relay: %v", err)}
	}
	addresses, err := r.addresses(ctx, name, number)
	if err != nil {
		return route{failure: ours(email.Deferred, "4.4.3", "address of the relay: %v", err)}
	}
	return route{hops: []hop{{name, addresses}}}
}

// domain looks up the servers of a domain. Sources: RFC 5321 5.1, RFC 7505 (null MX).
func (r *routes) domain(ctx context.Context, domain string) route {
	records, err := r.t.settings.Resolver.LookupMX(ctx, domain+".")
	switch {
	case len(records) == 1 && records[0].Host == ".":
		return route{failure: ours(email.Refused, "5.1.10", "the domain %s takes no mail (null MX)", domain)}
	case len(records) > 0: // with err some of them were malformed
	case missing(err):
		return r.hops(ctx, domain, []*net.MX{{Host: domain + "."}}, true) // the implicit MX
	case err != nil:
		return route{failure: unresolved(domain, err)}
	}
	// RFC 5321 5.1: those of one preference in random order, so that they share the load.
	rand.Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
	slices.SortStableFunc(records, func(a, b *net.MX) int { return int(a.Pref) - int(b.Pref) })
	return r.hops(ctx, domain, records, false)
}

// hops looks up the addresses of servers.
func (r *routes) hops(ctx context.Context, domain string, records []*net.MX, implicit bool) route {
	// RFC 3463: X.4.4, unable to route.
	failure := ours(email.Refused, "5.4.4", "none of the mail servers of %s has an address", domain)
	if implicit {
		// RFC 3463: X.1.2, bad destination system address.
		failure = ours(email.Refused, "5.1.2", "the domain %s does not exist, or has neither MX nor address", domain)
	}
	var way route
	for _, mx := range records {
		if len(way.hops) == maxHosts {
			break
		}
		name := strings.ToLower(strings.TrimSuffix(mx.Host, "."))
		addresses, err := r.addresses(ctx, name, r.t.settings.Port)
		if err != nil && !missing(err) {
			failure = unresolved(name, err)
		}
		public := addresses
		if !r.t.settings.AllowPrivate {
			public = slices.DeleteFunc(slices.Clone(addresses), func(a netip.AddrPort) bool { return private(a.Addr()) })
		}
		if len(public) > 0 {
			way.hops = append(way.hops, hop{name, public})
		} else if len(addresses) > 0 && failure.verdict == email.Refused {
			failure = ours(email.Refused, "5.4.4", "the mail server %s of %s is at %s, which is no public address", name, domain, addresses[0].Addr())
		}
	}
	if len(way.hops) == 0 {
		way.failure = failure
	}
	return way
}

// addresses looks up the addresses of a host, or takes it for one.
func (r *routes) addresses(ctx context.Context, name string, port int) ([]netip.AddrPort, error) {
	if a, err := netip.ParseAddr(name); err == nil {
		return []netip.AddrPort{netip.AddrPortFrom(a.Unmap(), uint16(port))}, nil
	}
	if strings.Contains(name, ".") {
		name += "." // no search list
	}
	found, err := r.t.settings.Resolver.LookupNetIP(ctx, "ip", name)
	if err != nil {
		return nil, err
	}
	local := r.t.settings.LocalAddress.Unmap()
	var all []netip.AddrPort
	for _, a := range found {
		a = a.Unmap()
		if len(all) < maxAddresses && (!local.IsValid() || local.Is4() == a.Is4()) {
			all = append(all, netip.AddrPortFrom(a, uint16(port)))
		}
	}
	if len(all) == 0 {
		return nil, errors.New("no address of " + name + " can be reached from " + local.String() + ", port " + strconv.Itoa(port))
	}
	return all, nil
}

// missing reports whether DNS has answered that there is nothing.
func missing(err error) bool {
	d, ok := errors.AsType[*net.DNSError](err)
	return ok && d.IsNotFound
}

// unresolved is the verdict when DNS does not answer. RFC 3463: X.4.3, directory server failure.
func unresolved(name string, err error) said {
	why := reason(err)
	if d, ok := errors.AsType[*net.DNSError](err); ok {
		why = d.Err
	}
	return ours(email.Deferred, "4.4.3", "DNS for %s: %s", name, why)
}
