package webhook

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
)

func TestRefusal(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		addr, why string // "" = public
	}{
		{"8.8.8.8", ""},
		{"1.0.0.1", ""},
		{"100.63.255.255", ""},
		{"100.128.0.0", ""},
		{"172.15.255.255", ""},
		{"172.32.0.0", ""},
		{"192.0.1.0", ""},
		{"198.17.255.255", ""},
		{"198.20.0.0", ""},
		{"223.255.255.255", ""},
		{"2606:4700:4700::1111", ""},
		{"2a00:1450:4001::1", ""},
		{"::ffff:8.8.8.8", ""},
		{"64:ff9b::8.8.8.8", ""},
		{"2002:808:808::1", ""},
		{"0.0.0.0", "this network"},
		{"0.1.2.3", "this network"},
		{"10.255.255.255", "private"},
		{"100.64.0.0", "shared"},
		{"100.127.255.255", "shared"},
		{"127.0.0.1", "loopback"},
		{"127.255.255.254", "loopback"},
		{"169.254.169.254", "link-local"},
		{"172.16.0.1", "private"},
		{"172.31.255.255", "private"},
		{"192.0.0.8", "protocol"},
		{"192.0.2.1", "documentation"},
		{"192.88.99.1", "6to4"},
		{"192.168.0.1", "private"},
		{"198.18.0.1", "benchmarks"},
		{"198.19.255.255", "benchmarks"},
		{"198.51.100.1", "documentation"},
		{"203.0.113.1", "documentation"},
		{"224.0.0.1", "multicast"},
		{"239.255.255.255", "multicast"},
		{"240.0.0.1", "reserved"},
		{"255.255.255.255", "reserved"},
		{"::", "this network"},
		{"::1", "loopback"},
		{"::127.0.0.1", "reserved"},
		{"::ffff:127.0.0.1", "loopback"},
		{"::ffff:169.254.169.254", "link-local"},
		{"64:ff9b::127.0.0.1", "loopback"},
		{"64:ff9b::10.0.0.1", "private"},
		{"64:ff9b:1::8.8.8.8", "reserved"},
		{"100::1", "reserved"},
		{"2001::1", "protocol"},
		{"2001:2::1", "protocol"},
		{"2001:db8::1", "documentation"},
		{"2002:7f00:1::", "loopback"},
		{"2002:a9fe:a9fe::1", "link-local"},
		{"3fff::1", "documentation"},
		{"4000::1", "reserved"},
		{"5f00::1", "reserved"},
		{"fc00::1", "private"},
		{"fd00:ec2::254", "private"},
		{"fe80::1", "link-local"},
		{"fe80::1%eth0", "one link"},
		{"2606:4700:4700::1111%eth0", "one link"},
		{"fec0::1", "reserved"},
		{"ff02::1", "multicast"},
	} {
		if got := refusal(netip.MustParseAddr(tc.addr)); got == "" != (tc.why == "") || !strings.Contains(got, tc.why) {
			t.Errorf("refusal(%s) = %q, want %q", tc.addr, got, tc.why)
		}
	}
	if refusal(netip.Addr{}) == "" {
		t.Error("no address is public")
	}
}

// FuzzRefusal compares with what package net thinks of addresses, wrapped or not.
func FuzzRefusal(f *testing.F) {
	for _, s := range []string{"127.0.0.1", "::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::", "8.8.8.8", "fe80::1"} {
		f.Add(netip.MustParseAddr(s).AsSlice())
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, ok := netip.AddrFromSlice(raw)
		if !ok {
			return
		}
		ip := net.IP(raw)
		special := ip.IsLoopback() || ip.IsPrivate() || ip.IsUnspecified() || ip.IsMulticast() || ip.IsLinkLocalUnicast()
		if special && refusal(a) == "" {
			t.Fatalf("%s is taken for public", a)
		}
		four, ok := netip.AddrFromSlice(ip.To4())
		if !ok {
			return
		}
		b := four.As4()
		for _, wrapped := range []netip.Addr{
			netip.AddrFrom16(four.As16()),
			netip.AddrFrom16([16]byte{0: 0, 1: 0x64, 2: 0xff, 3: 0x9b, 12: b[0], 13: b[1], 14: b[2], 15: b[3]}),
			netip.AddrFrom16([16]byte{0: 0x20, 1: 0x02, 2: b[0], 3: b[1], 4: b[2], 5: b[3], 15: 1}),
		} {
			if got, want := refusal(wrapped), refusal(four); got != want {
				t.Fatalf("refusal(%s) = %q, want that of %s: %q", wrapped, got, four, want)
			}
		}
	})
}

// names is a DNS server that answers the n-th question for an IPv4 address with the n-th
// list, and all further ones with the last.
type names struct {
	mu      sync.Mutex
	answers [][]netip.Addr
	asked   int
}

// resolver returns a resolver that asks n alone.
func (n *names) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		go n.serve(far)
		return near, nil
	}}
}

// serve answers the questions of one connection; on a stream each message has its length
// before it (RFC 1035 section 4.2.2).
func (n *names) serve(c net.Conn) {
	defer c.Close()
	for {
		var length [2]byte
		if _, err := io.ReadFull(c, length[:]); err != nil {
			return
		}
		question := make([]byte, binary.BigEndian.Uint16(length[:]))
		if _, err := io.ReadFull(c, question); err != nil {
			return
		}
		answer := n.answer(question)
		if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)); err != nil {
			return
		}
	}
}

// answer makes the answer to a message with one question (RFC 1035 section 4.1).
func (n *names) answer(message []byte) []byte {
	end := 12 // of the name, behind the header
	for message[end] != 0 {
		end += int(message[end]) + 1
	}
	kind := binary.BigEndian.Uint16(message[end+1:])
	var list []netip.Addr
	if kind == 1 { // A
		n.mu.Lock()
		list = n.answers[min(n.asked, len(n.answers)-1)]
		n.asked++
		n.mu.Unlock()
	}
	b := slices.Clone(message[:end+5])
	b[2], b[3] = 0x81, 0x80 // an answer, recursion available, no error
	binary.BigEndian.PutUint16(b[4:], 1)
	binary.BigEndian.PutUint16(b[6:], uint16(len(list)))
	clear(b[8:12])
	for _, a := range list {
		b = append(b, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4) // the name asked for, A, IN, no time to live
		b = append(b, a.AsSlice()...)
	}
	return b
}

var errStop = errors.New("stopped before connecting")

// watched is a guarded driver that connects to nothing public, and tells what it would have
// connected to.
func watched(tb testing.TB, url string, n *names) (d *Driver, dialed func() []string) {
	tb.Helper()
	s := Settings{URL: url, Secrets: []string{secretA}}
	if n != nil {
		s.Resolver = n.resolver()
	}
	d = newDriver(tb, s)
	var mu sync.Mutex
	var all []string
	d.dialing = func(to netip.AddrPort) error {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, to.String())
		return errStop
	}
	return d, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(all)
	}
}

func addrs(list ...string) []netip.Addr {
	var all []netip.Addr
	for _, s := range list {
		all = append(all, netip.MustParseAddr(s))
	}
	return all
}

func TestRebindingDoesNotHelp(t *testing.T) {
	t.Parallel()
	f := newFarEnd(t)
	_, port, _ := net.SplitHostPort(f.Listener.Addr().String())
	n := &names{answers: [][]netip.Addr{addrs("8.8.8.8"), addrs("127.0.0.1"), addrs("8.8.8.8", "127.0.0.1"), addrs("169.254.169.254", "10.0.0.1")}}
	d, dialed := watched(t, "http://hooks.example:"+port+"/x", n)
	s := openSink(t, d)
	wantTemporary(t, s.Deliver(t.Context(), batchOf(`{}`)), errStop.Error())
	for _, want := range []string{"a loopback address", "", "refused to connect"} {
		wantTemporary(t, s.Deliver(t.Context(), batchOf(`{}`)), want)
	}
	if got, want := dialed(), []string{"8.8.8.8:" + port, "8.8.8.8:" + port}; !slices.Equal(got, want) {
		t.Errorf("dialled %v, want %v", got, want)
	}
	if f.contacts.Load() != 0 {
		t.Error("the server on this machine was reached")
	}
}

func TestTheGuardLetsPublicAddressesThrough(t *testing.T) {
	t.Parallel()
	d, dialed := watched(t, "https://hooks.example/x", &names{answers: [][]netip.Addr{addrs("93.184.215.14")}})
	wantTemporary(t, openSink(t, d).Deliver(t.Context(), batchOf(`{}`)), errStop.Error())
	if got := dialed(); !slices.Equal(got, []string{"93.184.215.14:443"}) {
		t.Errorf("dialled %v, want 93.184.215.14:443", got)
	}
}

// Forms that only the dialer understands get past New, and no further.
func TestTheGuardKnowsEveryForm(t *testing.T) {
	t.Parallel()
	f := newFarEnd(t)
	_, port, _ := net.SplitHostPort(f.Listener.Addr().String())
	for _, host := range []string{"１２７.０.０.１", "127。0。0。1"} { // full width: made plain for the dialer (UTS 46)
		d, dialed := watched(t, "http://"+host+":"+port+"/x", nil)
		wantTemporary(t, openSink(t, d).Deliver(t.Context(), batchOf(`{}`)))
		if got := dialed(); len(got) > 0 {
			t.Errorf("%s: dialled %v", host, got)
		}
	}
	if f.contacts.Load() != 0 {
		t.Error("the server on this machine was reached")
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	inside := newFarEnd(t)
	for _, code := range []int{301, 302, 303, 307, 308} {
		f := newFarEnd(t)
		f.answers(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, inside.URL+"/token-123", code)
		})
		err := openSink(t, newDriver(t, local(f.URL))).Deliver(t.Context(), batchOf(`{}`))
		wantTemporary(t, err, "redirects are not followed", inside.URL)
		if strings.Contains(err.Error(), "leads to "+inside.URL+"/") {
			t.Errorf("the error %q tells the path", err)
		}
	}
	if inside.contacts.Load() != 0 {
		t.Error("a redirect was followed")
	}
}

// A proxy would dial for us, where nobody is asked.
func TestAGuardedDriverUsesNoProxy(t *testing.T) {
	t.Parallel()
	for _, private := range []bool{false, true} {
		d := newDriver(t, Settings{URL: "https://hooks.example/x", AllowPrivate: private})
		if got := d.transport.Proxy != nil; got != private {
			t.Errorf("allow_private %t: uses a proxy: %t", private, got)
		}
	}
}
