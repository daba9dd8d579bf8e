package webhook

import (
	"context"
	"fmt"
	"net/netip"
	"syscall"
)

// control is asked before every connection, with the address that is about to be dialled:
// after all names were resolved, so that no name can answer one thing to a check and
// another to the dialer (DNS rebinding).
func (d *Driver) control(_ context.Context, _, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("refused to connect: %w", err)
	}
	if why := refusal(to.Addr()); d.guarded && why != "" {
		return fmt.Errorf("refused to connect to %s: it is %s; allow_private would allow it", to.Addr(), why)
	}
	if d.dialing != nil {
		return d.dialing(to)
	}
	return nil
}

// block is a range of addresses that are not on the public internet.
type block struct {
	prefix netip.Prefix
	why    string
}

// blocks has the ranges that are refused inside those that are public otherwise: all of
// IPv4, and 2000::/3.
// Source: IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890), all that are
// not globally reachable, and the multicast and reserved ranges.
var blocks = []block{
	{netip.MustParsePrefix("0.0.0.0/8"), "an address of this network"},
	{netip.MustParsePrefix("10.0.0.0/8"), "a private address"},
	{netip.MustParsePrefix("100.64.0.0/10"), "a shared address (carrier-grade NAT)"},
	{netip.MustParsePrefix("127.0.0.0/8"), "a loopback address"},
	{netip.MustParsePrefix("169.254.0.0/16"), "a link-local address"}, // and the metadata of clouds
	{netip.MustParsePrefix("172.16.0.0/12"), "a private address"},
	{netip.MustParsePrefix("192.0.0.0/24"), "an address of a protocol"},
	{netip.MustParsePrefix("192.0.2.0/24"), "an address for documentation"},
	{netip.MustParsePrefix("192.88.99.0/24"), "an address of a 6to4 relay"},
	{netip.MustParsePrefix("192.168.0.0/16"), "a private address"},
	{netip.MustParsePrefix("198.18.0.0/15"), "an address for benchmarks"},
	{netip.MustParsePrefix("198.51.100.0/24"), "an address for documentation"},
	{netip.MustParsePrefix("203.0.113.0/24"), "an address for documentation"},
	{netip.MustParsePrefix("224.0.0.0/4"), "a multicast address"},
	{netip.MustParsePrefix("240.0.0.0/4"), "a reserved address"},
	{netip.MustParsePrefix("2001::/23"), "an address of a protocol"}, // Teredo, ORCHID, benchmarks
	{netip.MustParsePrefix("2001:db8::/32"), "an address for documentation"},
	{netip.MustParsePrefix("3fff::/20"), "an address for documentation"},
}

var (
	publicV6  = netip.MustParsePrefix("2000::/3")     // what IANA gives out as global unicast
	nat64     = netip.MustParsePrefix("64:ff9b::/96") // RFC 6052: an IPv4 address in the last 4 bytes
	sixToFour = netip.MustParsePrefix("2002::/16")    // RFC 3056: an IPv4 address in bytes 2 to 5
)

// refusal says why no connection may be made to the address without leave; "" = it is
// public. An IPv6 address that holds an IPv4 address is judged by that.
func refusal(a netip.Addr) string {
	if !a.IsValid() {
		return "no address"
	}
	if a.Zone() != "" {
		return "an address of one link"
	}
	a = a.Unmap()
	if a.Is6() {
		b := a.As16()
		switch {
		case nat64.Contains(a):
			return refusal(netip.AddrFrom4([4]byte(b[12:])))
		case sixToFour.Contains(a):
			return refusal(netip.AddrFrom4([4]byte(b[2:6])))
		case !publicV6.Contains(a):
			return special(a)
		}
	}
	for _, block := range blocks {
		if block.prefix.Contains(a) {
			return block.why
		}
	}
	return ""
}

// special names an IPv6 address outside of what is given out as public.
func special(a netip.Addr) string {
	switch {
	case a.IsLoopback():
		return "a loopback address"
	case a.IsUnspecified():
		return "an address of this network"
	case a.IsPrivate():
		return "a private address"
	case a.IsLinkLocalUnicast():
		return "a link-local address"
	case a.IsMulticast():
		return "a multicast address"
	}
	return "a reserved address"
}
