package sipcall

import (
	"net"
	"net/netip"
	"slices"
	"sync"

	"github.com/emiago/sipgo/sip"

	"tidings/internal/siptrunk"
)

// acl knows who may talk to us: the trunks' addresses, the networks that their
// configuration allows, and whoever calls in progress were routed through. Nothing of
// anybody else reaches the parser.
type acl struct {
	allow    []netip.Prefix // of all trunks
	mu       sync.RWMutex
	trunks   map[*siptrunk.Trunk][]netip.Addr // what their names lead to at present
	hops     map[netip.Addr]int               // by how many calls they are used
	stranger func()                           // counts
}

func newACL(trunks []*siptrunk.Trunk) *acl {
	a := &acl{trunks: make(map[*siptrunk.Trunk][]netip.Addr), hops: make(map[netip.Addr]int), stranger: func() {}}
	for _, t := range trunks {
		a.allow = append(a.allow, t.Config().Allow...)
	}
	return a
}

// resolved notes what the trunk's server and proxy are.
func (a *acl) resolved(t *siptrunk.Trunk, targets []netip.AddrPort) {
	a.mu.RLock()
	same := slices.EqualFunc(a.trunks[t], targets, func(a netip.Addr, b netip.AddrPort) bool { return a == b.Addr() })
	a.mu.RUnlock()
	if same {
		return
	}
	addresses := make([]netip.Addr, len(targets))
	for i, t := range targets {
		addresses[i] = t.Addr()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.trunks[t] = addresses
}

// hold lets the address talk to us until it is released as often.
func (a *acl) hold(h netip.Addr) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.hops[h]++
}

func (a *acl) release(h netip.Addr) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.hops[h]--; a.hops[h] <= 0 {
		delete(a.hops, h)
	}
}

// allows reports whether the address may send SIP to us.
func (a *acl) allows(from netip.Addr) bool {
	from = from.Unmap().WithZone("")
	if inAny(a.allow, from) {
		return true
	}
	a.mu.RLock()
	defer a.mu.RUnlock()
	if a.hops[from] > 0 {
		return true
	}
	for _, addresses := range a.trunks {
		if slices.Contains(addresses, from) {
			return true
		}
	}
	return false
}

// media reports whether sound of a call of this trunk may come from the address.
func (a *acl) media(t *siptrunk.Trunk, from netip.Addr) bool {
	from = from.Unmap()
	if inAny(t.Config().Allow, from) {
		return true
	}
	a.mu.RLock()
	defer a.mu.RUnlock()
	return slices.Contains(a.trunks[t], from)
}

func inAny(networks []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(a) })
}

// filter is a sip.TransportReadFilter: what strangers send is dropped before it is parsed.
func (a *acl) filter(from sip.TransportReadProps, data []byte) ([]byte, error) {
	if a.allows(addressOf(from.RemoteAddr)) {
		return data, nil
	}
	a.stranger()
	return nil, nil
}

func addressOf(n net.Addr) netip.Addr {
	switch n := n.(type) {
	case *net.UDPAddr:
		return n.AddrPort().Addr().Unmap()
	case *net.TCPAddr:
		return n.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

// door is a listener that lets nobody in whom the acl does not know.
type door struct {
	net.Listener
	acl *acl
}

// Accept waits for a connection of somebody known.
func (d door) Accept() (net.Conn, error) {
	for {
		c, err := d.Listener.Accept()
		if err != nil || d.acl.allows(addressOf(c.RemoteAddr())) {
			return c, err
		}
		d.acl.stranger()
		_ = c.Close()
	}
}
