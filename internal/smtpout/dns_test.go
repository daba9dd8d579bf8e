package smtpout

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// zone is a DNS server with these records, by name without a final dot. A name that is in none of the maps does not exist.
type zone struct {
	mx     map[string][]string // "10 mx.example"
	hosts  map[string][]string // addresses
	txt    map[string][]string
	broken map[string]bool // SERVFAIL

	mu    sync.Mutex
	asked map[string]int // questions, by "TypeMX name"
}

// resolver starts the server and returns a resolver that asks only it.
func (z *zone) resolver(tb testing.TB) *net.Resolver {
	tb.Helper()
	z.asked = map[string]int{}
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		buf := make([]byte, 4096)
		for {
			n, from, err := c.ReadFrom(buf)
			if err != nil {
				return
			}
			if answer, err := z.answer(buf[:n]); err == nil {
				_, _ = c.WriteTo(answer, from)
			}
		}
	})
	tb.Cleanup(func() {
		_ = c.Close()
		serving.Wait()
	})
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", c.LocalAddr().String())
	}}
}

// questions returns how often a question was asked.
func (z *zone) questions(what string) int {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.asked[what]
}

func (z *zone) answer(query []byte) ([]byte, error) {
	var p dnsmessage.Parser
	head, err := p.Start(query)
	if err != nil {
		return nil, err
	}
	q, err := p.Question()
	if err != nil {
		return nil, err
	}
	name := strings.TrimSuffix(strings.ToLower(q.Name.String()), ".")
	z.mu.Lock()
	defer z.mu.Unlock()
	z.asked[q.Type.String()+" "+name]++
	head.Response, head.RecursionAvailable = true, true
	m := dnsmessage.Message{Header: head, Questions: []dnsmessage.Question{q}}
	_, hasMX := z.mx[name]
	_, hasHosts := z.hosts[name]
	_, hasTXT := z.txt[name]
	switch {
	case z.broken[name]:
		m.RCode = dnsmessage.RCodeServerFailure
	case !hasMX && !hasHosts && !hasTXT:
		m.RCode = dnsmessage.RCodeNameError
	default:
		for _, body := range z.records(name, q.Type) {
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET, TTL: 60}, Body: body})
		}
	}
	return m.Pack()
}

func (z *zone) records(name string, kind dnsmessage.Type) (all []dnsmessage.ResourceBody) {
	switch kind { //nolint:exhaustive // there are dozens
	case dnsmessage.TypeMX:
		for _, r := range z.mx[name] {
			pref, host, _ := strings.Cut(r, " ")
			var number [2]byte
			for _, d := range pref {
				binary.BigEndian.PutUint16(number[:], binary.BigEndian.Uint16(number[:])*10+uint16(d-'0'))
			}
			all = append(all, &dnsmessage.MXResource{Pref: binary.BigEndian.Uint16(number[:]), MX: dnsmessage.MustNewName(strings.TrimSuffix(host, ".") + ".")})
		}
	case dnsmessage.TypeA, dnsmessage.TypeAAAA:
		for _, r := range z.hosts[name] {
			a := netip.MustParseAddr(r)
			if a.Is4() && kind == dnsmessage.TypeA {
				all = append(all, &dnsmessage.AResource{A: a.As4()})
			} else if a.Is6() && kind == dnsmessage.TypeAAAA {
				all = append(all, &dnsmessage.AAAAResource{AAAA: a.As16()})
			}
		}
	case dnsmessage.TypeTXT:
		for _, r := range z.txt[name] {
			all = append(all, &dnsmessage.TXTResource{TXT: []string{r}})
		}
	default: // there is nothing of that kind
	}
	return all
}

// listenOn listens on addresses of loopback that share a port, as the servers of a domain do.
func listenOn(tb testing.TB, addresses ...string) (port int, all []net.Listener) {
	tb.Helper()
	for range 50 {
		all, port = nil, 0
		for _, a := range addresses {
			l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.ParseIP(a), Port: port})
			if err != nil {
				break
			}
			all, port = append(all, l), l.Addr().(*net.TCPAddr).Port
		}
		if len(all) == len(addresses) {
			return port, all
		}
		closeAll(all)
	}
	tb.Fatal("no port that is free on all addresses")
	return 0, nil
}

func closeAll[C io.Closer](all []C) {
	for _, c := range all {
		_ = c.Close()
	}
}
