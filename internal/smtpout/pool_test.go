package smtpout

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"tidings/internal/email"
)

func TestConnectionsAreUsedAgain(t *testing.T) {
	t.Parallel()
	for messages, want := range map[int]int{1: 5, 2: 3, 5: 1, 100: 1} {
		t.Run(fmt.Sprint(messages), func(t *testing.T) {
			t.Parallel()
			p := newPeer(t, nil)
			tr := transport(t, Settings{Relay: p.addr, MaxMessages: messages})
			for range 5 {
				if r := deliver(t, tr, parcel("x@example.org"))[0]; r.Verdict != email.Delivered {
					t.Errorf("reply = %+v, want delivered", r)
				}
			}
			if got := p.connections(); got != want {
				t.Errorf("there were %d connections for 5 mails, want %d", got, want)
			}
		})
	}
}

// TestAConnectionThatTheServerClosed is replaced, and nobody notices.
func TestAConnectionThatTheServerClosed(t *testing.T) {
	t.Parallel()
	taken := then(data, turn{hear: ".", say: "250 taken\r\n"})
	for name, first := range map[string]script{
		"closed":                taken,
		"421 when it is used":   then(taken, turn{hear: "MAIL", say: "421 4.4.2 idle for too long\r\n"}),
		"421 and closed before": then(taken[:len(taken)-1], turn{hear: ".", say: "250 taken\r\n421 4.4.2 idle for too long\r\n"}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := transport(t, Settings{Relay: play(t, first, then(taken, bye))})
			for range 2 {
				want(t, deliver(t, tr, parcel("x@example.org")), email.Reply{Recipients: []int{0}, Verdict: email.Delivered, Code: 250, Text: "250 taken"})
			}
		})
	}
}

// TestAServerThatIsAlwaysGone is asked once by a fresh connection, not for ever.
func TestAServerThatIsAlwaysGone(t *testing.T) {
	t.Parallel()
	taken := then(data, turn{hear: ".", say: "250 taken\r\n"})
	tr := transport(t, Settings{Relay: play(t, taken, then(ehlo, turn{hear: "MAIL"}))})
	deliver(t, tr, parcel("x@example.org"))
	if r := deliver(t, tr, parcel("x@example.org"))[0]; r.Verdict != email.Deferred || !strings.Contains(r.Text, "lost at MAIL") {
		t.Errorf("reply = %+v, want deferred because the connection was lost", r)
	}
}

// TestAfterARefusal the same connection takes the next mail.
func TestAfterARefusal(t *testing.T) {
	t.Parallel()
	p := newPeer(t, func(p *peer) {
		p.rcpt = func(to string) error {
			if strings.HasPrefix(to, "no") {
				return smtpError(550, [3]int{5, 1, 1}, "unknown")
			}
			return nil
		}
	})
	tr := transport(t, Settings{Relay: p.addr})
	for _, to := range []string{"no@example.org", "yes@example.org", "no@example.org", "yes@example.org"} {
		r := deliver(t, tr, parcel(to))[0]
		if want := map[bool]email.Verdict{true: email.Delivered, false: email.Refused}[to[0] == 'y']; r.Verdict != want {
			t.Errorf("%s: %+v, want the verdict %d", to, r, want)
		}
	}
	if n := p.connections(); n != 1 || len(p.deliveries()) != 2 {
		t.Errorf("%d connections, %d mails; want 1 and 2", n, len(p.deliveries()))
	}
}

// TestNoMoreConnectionsThanAllowed holds with many mails at once.
func TestNoMoreConnectionsThanAllowed(t *testing.T) {
	t.Parallel()
	const most, mails = 3, 30
	p := newPeer(t, func(p *peer) { p.hold = make(chan struct{}) })
	tr := transport(t, Settings{Relay: p.addr, MaxConnections: most})
	var sending sync.WaitGroup
	for range mails {
		sending.Go(func() {
			if r := deliver(t, tr, parcel("x@example.org"))[0]; r.Verdict != email.Delivered {
				t.Errorf("reply = %+v, want delivered", r)
			}
		})
	}
	for range most {
		<-p.held // as many as may are on their way
	}
	close(p.hold)
	sending.Wait()
	if n := p.connections(); n > most {
		t.Errorf("there were %d connections, want at most %d", n, most)
	}
}

// TestABusyHost makes nobody wait for ever, and mail to others does not wait at all.
func TestABusyHost(t *testing.T) {
	t.Parallel()
	z := &zone{hosts: map[string][]string{"slow.example": {"127.0.0.1"}, "fast.example": {"127.0.0.2"}}}
	peers, s := servers(t, z, func(i int, p *peer) {
		if i == 0 {
			p.hold = make(chan struct{})
		}
	}, "127.0.0.1", "127.0.0.2")
	s.MaxConnections, s.Turn = 1, time.Millisecond
	tr := transport(t, s)
	var sending sync.WaitGroup
	sending.Go(func() { deliver(t, tr, parcel("x@slow.example")) })
	<-peers[0].held
	want(t, deliver(t, tr, parcel("y@slow.example")), email.Reply{
		Recipients: []int{0}, Verdict: email.Deferred, Enhanced: "4.4.5", Text: "slow.example is busy with 1 other mails of ours",
	})
	if r := deliver(t, tr, parcel("x@fast.example"))[0]; r.Verdict != email.Delivered {
		t.Errorf("mail to another host: %+v, want delivered", r)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r := tr.Deliver(ctx, parcel("x@slow.example")); len(r) != 1 || r[0].Verdict != email.Deferred {
		t.Errorf("after the end of the context: %+v, want deferred", r)
	}
	close(peers[0].hold)
	sending.Wait()
}

// TestAHostThatIsDown costs nothing for a while.
func TestAHostThatIsDown(t *testing.T) {
	t.Parallel()
	_, l := listenOn(t, "127.0.0.1")
	p := newPeerOn(t, l[0], func(p *peer) { p.server.MaxLineLength = 2000 })
	reg := prometheus.NewRegistry()
	clock := newClock()
	var lines strings.Builder
	tr := transport(t, Settings{Relay: p.addr, Rest: time.Minute, Registerer: reg, Now: clock.now, Log: slog.New(slog.NewTextHandler(&lines, nil))})
	count := func(result string) float64 { return testutil.ToFloat64(tr.metrics.connections.WithLabelValues(result)) }
	_ = l[0].Close()
	for range 100 {
		r := deliver(t, tr, parcel("x@example.org"))[0]
		if r.Verdict != email.Deferred || r.Enhanced != "4.4.1" || r.Host != "127.0.0.1" || r.Text != "connect to 127.0.0.1: connection refused" {
			t.Errorf("reply = %+v, want deferred because the connection was refused", r)
		}
	}
	if n := count("unreachable"); n != 1 {
		t.Errorf("%v attempts to connect for 100 mails, want 1", n)
	}
	again, err := net.Listen("tcp", p.addr)
	if err != nil {
		t.Fatal(err)
	}
	newPeerOn(t, again, nil)
	clock.pass(time.Minute - 1)
	if r := deliver(t, tr, parcel("x@example.org"))[0]; r.Verdict != email.Deferred {
		t.Errorf("before its rest is over: %+v, want deferred", r)
	}
	clock.pass(1)
	if r := deliver(t, tr, parcel("x@example.org"))[0]; r.Verdict != email.Delivered {
		t.Errorf("after its rest: %+v, want delivered", r)
	}
	for _, line := range []string{"the relay takes no mail", "the relay takes mail again"} {
		if n := strings.Count(lines.String(), line); n != 1 {
			t.Errorf("the log has %q %d times, want once:\n%s", line, n, lines.String())
		}
	}
}

// TestAServerThatTakesNoMoreConnections is not down: those it has go on.
func TestAServerThatTakesNoMoreConnections(t *testing.T) {
	t.Parallel()
	taken := then(data, turn{hear: ".", say: "250 taken\r\n"})
	inside, let := make(chan struct{}), make(chan struct{})
	first := then(data[:len(data)-1], turn{hear: "DATA", say: "354 go\r\n", do: func(net.Conn) {
		close(inside)
		<-let
	}}, turn{hear: ".", say: "250 taken\r\n"}, turn{hear: "MAIL", say: "250 ok\r\n"}, turn{hear: "RCPT", say: "250 ok\r\n"},
		turn{hear: "DATA", say: "354 go\r\n"}, turn{hear: ".", say: "250 taken again\r\n"}, bye)
	tr := transport(t, Settings{Relay: play(t, first, script{{say: "421 4.7.0 too many connections\r\n"}}, taken)})
	var sending sync.WaitGroup
	sending.Go(func() { deliver(t, tr, parcel("x@example.org")) })
	<-inside
	if r := deliver(t, tr, parcel("x@example.org"))[0]; r.Code != 421 {
		t.Errorf("reply = %+v, want 421", r)
	}
	close(let)
	sending.Wait()
	if r := deliver(t, tr, parcel("x@example.org"))[0]; r.Text != "250 taken again" {
		t.Errorf("reply = %+v, want the first connection to go on", r)
	}
}

// TestABetterConnection is made where a lesser one is idle, within what is allowed.
func TestABetterConnection(t *testing.T) {
	t.Parallel()
	z := &zone{hosts: map[string][]string{"one.example": {"127.0.0.1"}}}
	peers, s := servers(t, z, nil, "127.0.0.1")
	s.MaxConnections = 1
	tr := transport(t, s)
	deliver(t, tr, parcel("x@one.example"))
	p := parcel("x@one.example")
	p.RequireTLS = true
	if r := deliver(t, tr, p)[0]; r.Enhanced != "4.7.4" {
		t.Errorf("reply = %+v, want 4.7.4: the idle connection is not encrypted", r)
	}
	if n := peers[0].connections(); n != 2 {
		t.Errorf("there were %d connections, want 2", n)
	}
	tr.pool.mu.Lock()
	defer tr.pool.mu.Unlock()
	if n := len(tr.pool.hosts); n != 0 {
		t.Errorf("%d hosts are remembered, want none: no connection is left", n)
	}
}

func TestIdleConnectionsEnd(t *testing.T) {
	t.Parallel()
	p := newPeer(t, nil)
	clock := newClock()
	tr := transport(t, Settings{Relay: p.addr, Idle: time.Hour, Now: clock.now})
	deliver(t, tr, parcel("x@example.org"))
	tr.pool.sweep()
	open := func() int {
		tr.pool.mu.Lock()
		defer tr.pool.mu.Unlock()
		return len(tr.pool.hosts)
	}
	if open() != 1 {
		t.Error("a connection that was just used is closed")
	}
	clock.pass(time.Hour)
	tr.pool.sweep()
	if open() != 0 {
		t.Error("an idle connection is kept for ever")
	}
	tr.closing.Wait()
	if n := testutil.ToFloat64(tr.metrics.open); n != 0 {
		t.Errorf("%v connections are open, want 0", n)
	}
}

// TestTheSweeperSweeps by itself.
func TestTheSweeperSweeps(t *testing.T) {
	t.Parallel()
	gone := make(chan struct{})
	tr := transport(t, Settings{Idle: 2 * time.Millisecond, Relay: play(t, then(data, turn{hear: ".", say: "250 taken\r\n"},
		turn{hear: "QUIT", say: "221 bye\r\n", do: func(net.Conn) { close(gone) }}))})
	deliver(t, tr, parcel("x@example.org"))
	<-gone
}

func TestAfterClose(t *testing.T) {
	t.Parallel()
	p := newPeer(t, nil)
	tr := transport(t, Settings{Relay: p.addr})
	deliver(t, tr, parcel("x@example.org"))
	tr.Close()
	tr.Close()
	if n := testutil.ToFloat64(tr.metrics.open); n != 0 {
		t.Errorf("%v connections are open after Close, want 0", n)
	}
	want(t, deliver(t, tr, parcel("x@example.org")), email.Reply{
		Recipients: []int{0}, Verdict: email.Deferred, Enhanced: "4.3.2", Text: "this server is shutting down",
	})
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	tr := transport(t, Settings{Registerer: reg, Relay: play(t,
		then(data, turn{hear: ".", say: "250 taken\r\n"}, turn{hear: "MAIL", say: "250 ok\r\n"}, turn{hear: "RCPT", say: "250 ok\r\n"},
			turn{hear: "DATA", say: "354 go\r\n"}, turn{hear: "."}), // gone
		script{{say: "554 no\r\n"}},
	)})
	for range 3 {
		deliver(t, tr, parcel("x@example.org"))
	}
	tr.closing.Wait()
	if err := testutil.GatherAndCompare(reg, strings.NewReader(`# HELP tidings_smtp_connections_total Connections to mail servers, by result: open, refused (by the greeting, EHLO, TLS or AUTH), unreachable.
# TYPE tidings_smtp_connections_total counter
tidings_smtp_connections_total{result="open"} 1
tidings_smtp_connections_total{result="refused"} 1
# HELP tidings_smtp_open_connections Connections to mail servers that are open, idle ones included.
# TYPE tidings_smtp_open_connections gauge
tidings_smtp_open_connections 0
# HELP tidings_smtp_unknown_total Mails whose content a server had when the connection ended without its reply. They are sent again, and may arrive twice.
# TYPE tidings_smtp_unknown_total counter
tidings_smtp_unknown_total 1
`), "tidings_smtp_connections_total", "tidings_smtp_open_connections", "tidings_smtp_unknown_total"); err != nil {
		t.Error(err)
	}
	if n := testutil.CollectAndCount(tr.metrics.transaction); n != 1 {
		t.Errorf("%d series of transactions, want 1", n)
	}
}

// TestManyMailsManyServers keeps the books in order: no host is remembered, no turn is taken, no connection is open at the end.
func TestManyMailsManyServers(t *testing.T) {
	t.Parallel()
	z := &zone{hosts: map[string][]string{}, mx: map[string][]string{}}
	var addresses []string
	for i := range 5 {
		a := fmt.Sprintf("127.0.0.%d", i+1)
		addresses = append(addresses, a)
		z.hosts[fmt.Sprintf("mx%d.example", i)] = []string{a}
		z.mx[fmt.Sprintf("d%d.example", i)] = []string{fmt.Sprintf("10 mx%d.example", i), fmt.Sprintf("10 mx%d.example", (i+1)%5)}
	}
	peers, s := servers(t, z, nil, addresses...)
	s.MaxConnections, s.MaxMessages = 2, 7
	tr := transport(t, s)
	var sending sync.WaitGroup
	const senders, each = 10, 20
	for range senders {
		sending.Go(func() {
			for range each {
				p := parcel("a@d0.example", "b@d1.example", "c@d2.example", "d@d3.example", "e@d4.example")
				for _, r := range deliver(t, tr, p) {
					if r.Verdict != email.Delivered {
						t.Errorf("reply = %+v, want delivered", r)
					}
				}
			}
		})
	}
	sending.Wait()
	total := 0
	for _, p := range peers {
		total += len(p.deliveries())
	}
	if total != senders*each*5 {
		t.Errorf("the servers got %d mails, want %d", total, senders*each*5)
	}
	tr.Close()
	if n := testutil.ToFloat64(tr.metrics.open); n != 0 || len(tr.pool.hosts) != 0 {
		t.Errorf("%v connections are open and %d hosts are remembered after Close, want none", n, len(tr.pool.hosts))
	}
}

func TestRestsAreForgotten(t *testing.T) {
	t.Parallel()
	clock := newClock()
	tr := transport(t, Settings{Now: clock.now})
	at := netip.MustParseAddrPort("192.0.2.1:25")
	tr.pool.failed(&host{name: "x", open: map[netip.AddrPort]int{}}, at, ours(email.Deferred, "4.4.1", "down"))
	if _, ok := tr.pool.rests(at); !ok {
		t.Error("an address that failed is not left alone")
	}
	clock.pass(30 * time.Second)
	tr.pool.sweep()
	if n := len(tr.pool.resting); n != 0 {
		t.Errorf("%d rests are remembered, want none", n)
	}
}
