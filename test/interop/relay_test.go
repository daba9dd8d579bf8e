package interop

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// fate is what a relay does with a packet.
type fate byte

const (
	pass  fate = '.'
	lose  fate = 'x'
	twice fate = 'd'
	hold_ fate = 'h' // until the next one of the same direction has passed, or a moment
)

// relay is a bad network: it carries SIP between a caller and a callee, and loses, repeats
// and swaps what it is told to.
type relay struct {
	caller, callee net.Addr // who they are; the caller is known once it has sent something
	near, far      *net.UDPConn
	decide         func(kind string) fate
	noise          func() [][]byte // sent to the caller with every packet; nil = none
	carrying       sync.WaitGroup

	mu         sync.Mutex
	held       map[net.Conn][]byte // by where it came in; one each
	begun      time.Time
	transcript strings.Builder // shown if the test fails
}

// newRelay returns a relay to the callee's port.
func newRelay(tb testing.TB, port int, decide func(kind string) fate) *relay {
	tb.Helper()
	r := &relay{callee: &net.UDPAddr{IP: loopback.AsSlice(), Port: port}, decide: decide, held: map[net.Conn][]byte{}, begun: time.Now()}
	r.near, r.far = listenUDP(tb, 1)[0], listenUDP(tb, 1)[0]
	r.carrying.Go(func() { r.carry(r.near, r.far) })
	r.carrying.Go(func() { r.carry(r.far, r.near) })
	tb.Cleanup(func() {
		_ = r.near.Close()
		_ = r.far.Close()
		r.carrying.Wait()
		if tb.Failed() {
			tb.Logf("the network saw:\n%s", r.transcript.String())
		}
	})
	return r
}

// port is where callers reach the relay.
func (r *relay) port() int { return r.near.LocalAddr().(*net.UDPAddr).Port }

// carry takes packets from one side to the other.
func (r *relay) carry(from, to *net.UDPConn) {
	buf := make([]byte, 65536)
	for {
		n, source, err := from.ReadFrom(buf)
		if err != nil {
			return
		}
		b := bytes.Clone(buf[:n])
		r.mu.Lock()
		if from == r.near {
			r.caller = source
		} else {
			// The callee says where it is, so that the caller would go around the relay.
			b = bytes.ReplaceAll(b, []byte(fmt.Sprint(r.callee)), []byte(fmt.Sprintf("127.0.0.1:%d", r.port())))
		}
		kind := kindOf(b)
		f := r.decide(kind)
		fmt.Fprintf(&r.transcript, "%v %s %s %c\n", time.Since(r.begun).Round(time.Millisecond), map[bool]string{true: "-->", false: "<--"}[from == r.near], kind, f)
		switch f {
		case lose:
		case twice:
			r.send(to, b)
			r.send(to, b)
		case hold_:
			if r.held[from] == nil {
				r.held[from] = b
				time.AfterFunc(150*time.Millisecond, func() { r.release(from, to) })
				break
			}
			r.send(to, b)
		case pass:
			r.send(to, b)
			if late := r.held[from]; late != nil {
				r.held[from] = nil
				r.send(to, late)
			}
		}
		r.mu.Unlock()
	}
}

// release lets the packet go that is held.
func (r *relay) release(from, to *net.UDPConn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if b := r.held[from]; b != nil {
		r.held[from] = nil
		r.send(to, b)
	}
}

// send sends out of the socket. r.mu must be held.
func (r *relay) send(out *net.UDPConn, b []byte) {
	to := r.callee
	if out == r.near {
		if to = r.caller; r.noise != nil {
			for _, n := range r.noise() {
				_, _ = out.WriteTo(n, to)
			}
		}
	}
	_, _ = out.WriteTo(b, to) // what does not go out is lost, like other packets
}

// kindOf says what a packet is: "INVITE", or "200 INVITE" for a response to one.
func kindOf(b []byte) string {
	first, rest, _ := strings.Cut(string(b), "\r\n")
	words := strings.SplitN(first, " ", 3)
	if words[0] != "SIP/2.0" || len(words) < 2 {
		return words[0]
	}
	_, after, _ := strings.Cut(rest, "\r\nCSeq:")
	line, _, _ := strings.Cut(after, "\r\n")
	fields := strings.Fields(line)
	if len(fields) < 2 {
		return words[1]
	}
	return words[1] + " " + fields[1]
}

// script gives the packets of each kind their fates in turn; after that they pass.
func script(fates map[string]string) func(kind string) fate {
	seen := map[string]int{}
	return func(kind string) fate {
		n := seen[kind]
		seen[kind]++
		if n < len(fates[kind]) {
			return fate(fates[kind][n])
		}
		return pass
	}
}

// weather gives packets fates by chance, but the same for the same seed. It loses no more
// than two of a kind in a row: what is repeated must arrive in the end.
func weather(seed uint64) func(kind string) fate {
	dice := rand.New(rand.NewPCG(seed, 0))
	lost := map[string]int{}
	return func(kind string) fate {
		f := pass
		switch n := dice.IntN(100); {
		case n < 25 && lost[kind] < 2:
			lost[kind]++
			return lose
		case n < 40:
			f = twice
		case n < 60:
			f = hold_
		}
		lost[kind] = 0
		return f
	}
}

// babble is what nobody should be upset by.
func babble(seed uint64) func() [][]byte {
	dice := rand.New(rand.NewPCG(seed, 1))
	return func() [][]byte {
		random := make([]byte, dice.IntN(300))
		for i := range random {
			random[i] = byte(dice.Uint32())
		}
		branch := "z9hG4bK" + strconv.FormatUint(dice.Uint64(), 36)
		via := "Via: SIP/2.0/UDP 127.0.0.1:9;branch=" + branch + "\r\n"
		names := "From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: nobody's\r\n"
		return [][]byte{
			random, []byte("SIP/2.0"), []byte("SIP/2.0 200 OK\r\n\r\n"), []byte("\r\n\r\n"), []byte("INVITE"),
			[]byte("SIP/2.0 200 OK\r\n" + via + names + "CSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"),
			[]byte("SIP/2.0 486 Busy Here\r\n" + via + "CSeq: 1 INVITE\r\n\r\n"),
			[]byte("BYE sip:tidings@127.0.0.1 SIP/2.0\r\n" + via + names + "CSeq: 1 BYE\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"),
			[]byte("INVITE sip:+1@127.0.0.1 SIP/2.0\r\n" + via + names + "CSeq: 99999999999999 INVITE\r\nContent-Length: -1\r\n\r\n"),
			[]byte("OPTIONS sip:tidings@127.0.0.1 SIP/2.0\r\n" + via + "From: \r\nTo: \r\nCall-ID: \r\nCSeq: \r\n\r\n"),
			[]byte("ACK sip:x SIP/2.0\r\nVia: \r\n\r\n"),
		}
	}
}
