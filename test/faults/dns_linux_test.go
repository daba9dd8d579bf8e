package faults

import (
	wire "encoding/binary"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// The answers of a name server. Source: RFC 1035 section 4.1.1, RCODE; silent is none.
const (
	noError  = 0
	servFail = 2
	nxDomain = 3
	silent   = -1
)

// nameServer says of every name that it is the one host it knows, unless a fault is on.
type nameServer struct {
	conn    net.PacketConn
	host    atomic.Pointer[net.IP]
	fault   atomic.Int32
	queries atomic.Int64
}

// newNameServer serves where resolv.conf can point to: port 53.
func newNameServer(t testing.TB) *nameServer {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:53")
	if err != nil {
		t.Skipf("this test must serve DNS at port 53: %v", err)
	}
	n := &nameServer{conn: conn}
	n.host.Store(&net.IP{127, 0, 0, 1})
	served := make(chan struct{})
	go func() {
		defer close(served)
		n.serve()
	}()
	t.Cleanup(func() {
		conn.Close()
		<-served
	})
	return n
}

func (n *nameServer) serve() {
	buf := make([]byte, 1<<12)
	for {
		size, from, err := n.conn.ReadFrom(buf)
		if err != nil {
			return // closed
		}
		n.queries.Add(1)
		fault := n.fault.Load()
		if answer := reply(buf[:size], uint16(max(fault, 0)), *n.host.Load()); fault != silent && answer != nil {
			_, _ = n.conn.WriteTo(answer, from) // who does not get it asks again
		}
	}
}

// reply answers a query with one question; nil = it is none. Without a fault the answer to
// a question for an IPv4 address is the host, and to others that there is none.
// Source: RFC 1035 section 4.1.
func reply(query []byte, rcode uint16, host net.IP) []byte {
	const header, typeA, classIN = 12, 1, 1
	end := header
	for end < len(query) && query[end] != 0 {
		end += 1 + int(query[end])
	}
	end += 5 // the root's empty label, type and class
	if end > len(query) {
		return nil
	}
	answer := append([]byte(nil), query[:end]...)
	put := func(at int, v uint16) { wire.BigEndian.PutUint16(answer[at:], v) }
	put(2, 0x8180|rcode) // a response, recursion was desired and is available
	put(4, 1)
	put(6, 0)
	put(8, 0)
	put(10, 0) // without the query's EDNS0
	if rcode == noError && wire.BigEndian.Uint16(query[end-4:]) == typeA {
		put(6, 1)
		answer = append(answer, 0xc0, header, 0, typeA, 0, classIN, 0, 0, 0, 0, 0, 4)
		answer = append(answer, host.To4()...)
	}
	return answer
}

// TestNoDNS has the name server of a webhook's host fall silent, fail, and deny the name.
func TestNoDNS(t *testing.T) {
	t.Parallel()
	if !inNamespace(t) {
		return
	}
	names := newNameServer(t)
	conf := filepath.Join(t.TempDir(), "resolv.conf")
	if err := os.WriteFile(conf, []byte("nameserver 127.0.0.1\noptions timeout:1 attempts:2\n"), 0o644); err != nil {
		t.Fatalf("write resolv.conf: %v", err)
	}
	if err := syscall.Mount(conf, "/etc/resolv.conf", "", syscall.MS_BIND, ""); err != nil {
		t.Fatalf("mount resolv.conf: %v", err)
	}
	r := newRig(t, setup{name: "hooks.example", keys: impatient()})
	host, _, _ := net.SplitHostPort(r.troubled.address)
	names.host.Store(new(net.ParseIP(host)))
	// A connection that is kept would need no DNS.
	r.troubled.behave(func(w http.ResponseWriter, _ *http.Request, l *ledger, parcels []parcel) {
		w.Header().Set("Connection", "close")
		l.received(parcels)
	})
	var notes []string
	r.load.during(t, func() {
		for _, fault := range []int32{silent, servFail, nxDomain} {
			pause(t, length(500*time.Millisecond, 10*time.Second))
			notes = append(notes, r.without(t, names, fault))
		}
	})
	r.awaitHealthy(t)
	r.finish(t, inTheAir, notes...)
	r.books.wantNoRefusals(t)
}

// without lets the name server have a fault for a while.
func (r *rig) without(t testing.TB, names *nameServer, fault int32) string {
	t.Helper()
	names.fault.Store(fault)
	defer names.fault.Store(noError)
	pause(t, length(300*time.Millisecond, 10*time.Second)) // what has an address already
	queries, arrived := names.queries.Load(), r.troubledArrivals()
	pause(t, length(1200*time.Millisecond, 50*time.Second))
	if n := r.troubledArrivals() - arrived; n > 0 {
		t.Errorf("%d deliveries arrived without DNS, want 0", n)
	}
	queries = names.queries.Load() - queries
	if queries == 0 {
		t.Error("nobody asked the name server while it had a fault: nothing was tested")
	}
	_, parked := r.backlog(t)
	return fmt.Sprintf("%s: %d queries, %d parked", map[int32]string{silent: "no answer", servFail: "SERVFAIL", nxDomain: "NXDOMAIN"}[fault], queries, parked)
}
