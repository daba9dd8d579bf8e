package sipcall

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"tidings/internal/siptrunk"
)

// Resolver looks names up. *net.Resolver is one.
type Resolver interface {
	LookupSRV(ctx context.Context, service, proto, name string) (string, []*net.SRV, error)
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

const (
	// fresh is how long an answer of the name service is used. Go does not tell what the
	// record itself says.
	fresh = time.Minute
	// lookUp bounds a look-up.
	lookUp = 3 * time.Second
	// maxTargets bounds how many addresses of one name are tried.
	maxTargets = 8
)

// names is what names of servers lead to (RFC 3263, without NAPTR: the transport is
// configured). Safe for concurrent use.
type names struct {
	resolver Resolver
	now      func() time.Time

	mu    sync.Mutex
	known map[question]*reply
}

type question struct {
	server  string
	network siptrunk.Transport
}

// reply is the latest answer. Its lock is held while it is looked up, so that one asks and
// the others wait.
type reply struct {
	mu      sync.Mutex
	targets []netip.AddrPort
	until   time.Time
}

func newNames(r Resolver) *names {
	if r == nil {
		r = net.DefaultResolver
	}
	return &names{resolver: r, now: time.Now, known: make(map[question]*reply)}
}

// find returns the addresses of a server, host or host:port, in the order in which they
// are to be tried. An answer that cannot be renewed stays in use.
func (n *names) find(ctx context.Context, server string, network siptrunk.Transport) ([]netip.AddrPort, error) {
	host, port := splitServer(server)
	if a, err := netip.ParseAddr(host); err == nil {
		if port == 0 {
			port = defaultPort(network)
		}
		return []netip.AddrPort{netip.AddrPortFrom(a.Unmap(), port)}, nil
	}
	n.mu.Lock()
	q := question{strings.ToLower(server), network}
	r := n.known[q]
	if r == nil {
		r = &reply{}
		n.known[q] = r
	}
	n.mu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	if n.now().Before(r.until) {
		return r.targets, nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookUp)
	defer cancel()
	targets, err := n.ask(ctx, host, port, network)
	if err != nil && len(r.targets) == 0 {
		return nil, fmt.Errorf("look up %s: %w", server, err)
	}
	if err == nil {
		r.targets = targets[:min(len(targets), maxTargets)]
	}
	r.until = n.now().Add(fresh)
	return r.targets, nil
}

// ask asks for SRV records if no port was given (RFC 3263 section 4.2), then for addresses.
func (n *names) ask(ctx context.Context, host string, port uint16, network siptrunk.Transport) ([]netip.AddrPort, error) {
	if port != 0 {
		return n.addresses(ctx, host, port)
	}
	service, proto := "sip", string(network)
	if network == siptrunk.TLS {
		service, proto = "sips", "tcp"
	}
	// net.Resolver orders them by priority and weight (RFC 2782).
	_, records, err := n.resolver.LookupSRV(ctx, service, proto, host)
	if err != nil || len(records) == 0 {
		return n.addresses(ctx, host, defaultPort(network))
	}
	var targets []netip.AddrPort
	var failed error
	for _, r := range records {
		target := strings.TrimSuffix(r.Target, ".")
		if target == "" { // RFC 2782: the service is decidedly not available
			return nil, fmt.Errorf("%s does not offer the service", host)
		}
		t, err := n.addresses(ctx, target, r.Port)
		failed = cmp.Or(failed, err)
		targets = append(targets, t...)
	}
	if len(targets) > 0 {
		failed = nil
	}
	return targets, failed
}

// addresses looks up a host; IPv4 first, since that is what trunks are tried with.
func (n *names) addresses(ctx context.Context, host string, port uint16) ([]netip.AddrPort, error) {
	found, err := n.resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	var targets []netip.AddrPort
	for _, a := range found {
		targets = append(targets, netip.AddrPortFrom(a.Unmap(), port))
	}
	slices.SortStableFunc(targets, func(a, b netip.AddrPort) int {
		return cmp.Compare(a.Addr().BitLen(), b.Addr().BitLen())
	})
	if len(targets) == 0 {
		return nil, fmt.Errorf("%s has no address", host)
	}
	return slices.Compact(targets), nil
}

// splitServer takes host or host:port apart. The host of an IPv6 address has no brackets,
// the port is 0 if there is none.
func splitServer(server string) (host string, port uint16) {
	if h, p, err := net.SplitHostPort(server); err == nil {
		n, _ := strconv.ParseUint(p, 10, 16)
		return h, uint16(n)
	}
	return strings.Trim(server, "[]"), 0
}

// defaultPort is where SIP is expected. Source: RFC 3261 section 19.1.2.
func defaultPort(network siptrunk.Transport) uint16 {
	if network == siptrunk.TLS {
		return 5061
	}
	return 5060
}
