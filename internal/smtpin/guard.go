package smtpin

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

// The bounds of a connection.
const (
	// maxChatter is how many octets may come between two messages: commands for 50 recipients are a tenth of it.
	maxChatter = 256 << 10
	// maxLine is the longest line, also of a message. RFC 5321 4.5.3.1.6 has 1,000 octets, RFC 4954 4 has 12,288 for
	// credentials; programs that know neither write whole paragraphs.
	maxLine = 64 << 10
	// maxErrors is how many commands of a connection may be refused.
	maxErrors = 20
	// maxAuthErrors is how many credentials of a connection may be wrong.
	maxAuthErrors = 3
	// idle is how long a client may take for a command. Source: RFC 5321 4.5.3.2.7, at least five minutes.
	idle = 5 * time.Minute
	// messageTime is how long a client may take for a message: for 40 MiB, 46 kB/s. RFC 5321 4.5.3.2.5 has three minutes for
	// each block, which would let somebody stay for weeks.
	messageTime = 15 * time.Minute
	writeTime   = time.Minute
)

var errChatter = errors.New("too many commands without a message")

// guard is a listener that bounds how many connections there are, and knows them, so that they can be told to end.
type guard struct {
	net.Listener
	name      string
	most      int
	perIP     int
	wordless  bool // those who are turned away expect TLS
	metrics   *Metrics
	stopping  chan struct{} // closed when the listener stops
	working   sync.WaitGroup
	mu        sync.Mutex
	conns     map[*conn]struct{}
	addresses map[netip.Addr]int
	stopped   bool
	ended     bool // no message may begin
}

func newGuard(ln net.Listener, name string, s Settings, wordless bool) *guard {
	return &guard{
		Listener: ln, name: name, most: s.MaxConnections, perIP: s.MaxPerAddress, wordless: wordless, metrics: s.Metrics,
		stopping: make(chan struct{}), conns: map[*conn]struct{}{}, addresses: map[netip.Addr]int{},
	}
}

// Accept waits for a connection within the bounds, and turns all others away.
func (g *guard) Accept() (net.Conn, error) {
	for {
		raw, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if c := g.admit(raw); c != nil {
			g.metrics.connected(g.name)
			return c, nil
		}
		g.metrics.turnedAway(g.name)
		if !g.wordless {
			// A few octets into a new connection never wait.
			_ = raw.SetWriteDeadline(time.Now().Add(time.Second))
			_, _ = io.WriteString(raw, "421 Too many concurrent SMTP connections\r\n")
		}
		_ = raw.Close()
	}
}

func (g *guard) admit(raw net.Conn) *conn {
	c := &conn{Conn: raw, guard: g, address: network(raw.RemoteAddr()), client: host(raw.RemoteAddr()), budget: maxChatter}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopped || len(g.conns) >= g.most || g.addresses[c.address] >= g.perIP {
		return nil
	}
	g.conns[c] = struct{}{}
	g.addresses[c.address]++
	return c
}

// network is what counts as one client: an address, or the 64 bits of IPv6 that belong to one site (RFC 6177).
func network(a net.Addr) netip.Addr {
	p, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.Addr{}
	}
	address := p.Addr().Unmap().WithZone("")
	if address.Is6() {
		if prefix, err := address.Prefix(64); err == nil {
			return prefix.Addr()
		}
	}
	return address
}

func host(a net.Addr) string {
	h, _, _ := net.SplitHostPort(a.String())
	return h
}

func (g *guard) forget(c *conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, ok := g.conns[c]; !ok {
		return
	}
	delete(g.conns, c)
	if g.addresses[c.address]--; g.addresses[c.address] == 0 {
		delete(g.addresses, c.address)
	}
}

// stop takes no more connections, and ends those that have no message under way.
func (g *guard) stop() {
	g.mu.Lock()
	if !g.stopped {
		g.stopped = true
		close(g.stopping)
	}
	all := g.all()
	g.mu.Unlock()
	_ = g.Close() // it may be closed
	for _, c := range all {
		c.end()
	}
}

// drop ends all connections.
func (g *guard) drop() {
	g.mu.Lock()
	all := g.all()
	g.mu.Unlock()
	for _, c := range all {
		_ = c.Close() // whoever uses it finds out
	}
}

func (g *guard) all() []*conn {
	all := make([]*conn, 0, len(g.conns))
	for c := range g.conns {
		all = append(all, c)
	}
	return all
}

// wait waits until no message is worked on; none may begin any more.
func (g *guard) wait() {
	g.mu.Lock()
	g.ended = true
	g.mu.Unlock()
	g.working.Wait()
}

// conn is a connection that is bounded in what it may send without sending messages.
type conn struct {
	net.Conn
	guard   *guard
	address netip.Addr // what counts as one client
	client  string     // IP address; "" = not known

	mu         sync.Mutex
	budget     int64 // octets that may come before the next message
	messages   int   // under way: 0 or 1
	hungUp     bool  // nothing more is read
	broken     bool  // a read has failed
	probed     bool  // reads fail for now
	errors     int
	authErrors int
}

// beneath returns the connection below what go-smtp knows.
func beneath(c net.Conn) *conn {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	return c.(*conn)
}

// Read counts what is read. Whoever was too late once gets no more time: go-smtp takes half a line for a line.
func (c *conn) Read(p []byte) (int, error) {
	c.mu.Lock()
	over, probed := c.hungUp, c.probed
	c.mu.Unlock()
	switch {
	case probed:
		return 0, os.ErrDeadlineExceeded
	case over:
		return 0, io.EOF
	}
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hungUp = c.hungUp || errors.Is(err, os.ErrDeadlineExceeded)
	c.broken = c.broken || err != nil
	if c.messages == 0 {
		if c.budget -= int64(n); c.budget < 0 {
			return 0, errChatter
		}
	}
	return n, err
}

// SetReadDeadline is called before each command. When the listener stops, it is the end.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.messages == 0 {
		select {
		case <-c.guard.stopping:
			t = time.Unix(1, 0)
		default:
		}
	}
	return c.Conn.SetReadDeadline(t)
}

// Close ends the connection, and makes room for another.
func (c *conn) Close() error {
	c.guard.forget(c)
	return c.Conn.Close()
}

// end ends the connection unless a message is under way. The client is told.
func (c *conn) end() { _ = c.SetReadDeadline(time.Now().Add(idle)) }

// whole reports whether a message that came in chunks came to its end, and not just to that of the connection: go-smtp 0.25
// takes the one for the other. top is the connection as go-smtp has it, which must not be read meanwhile.
func (c *conn) whole(top net.Conn) bool {
	c.mu.Lock()
	broken := c.broken
	c.probed = true
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.probed = false
	}()
	encrypted, ok := top.(*tls.Conn)
	if broken || !ok {
		return !broken
	}
	// The end of TLS is not seen here, but read before anything else. If instead there is something, it is lost: the client
	// did not wait for the reply, and has to come again.
	_, err := encrypted.Read(make([]byte, 1))
	return errors.Is(err, os.ErrDeadlineExceeded)
}

// hangUp lets the connection end after the reply that is under way.
func (c *conn) hangUp() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hungUp = true
}

// begin says that a message is under way; ok is false if it is too late for one. finish must be called when it is over.
func (c *conn) begin() (finish func(), ok bool) {
	c.guard.mu.Lock()
	defer c.guard.mu.Unlock()
	if c.guard.ended {
		return nil, false
	}
	c.guard.working.Add(1)
	c.mu.Lock()
	c.messages++
	c.mu.Unlock()
	_ = c.SetReadDeadline(time.Now().Add(messageTime)) // a broken connection fails at the next read
	return func() {
		c.mu.Lock()
		c.messages--
		c.budget = max(c.budget, maxChatter)
		c.mu.Unlock()
		c.guard.working.Done()
	}, true
}

// allow lets that much come that is no message: the rest of one that was refused.
func (c *conn) allow(octets int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.budget = octets + maxChatter
}

// failed counts an error of the client, and reports whether it was one too many. Then the connection ends.
func (c *conn) failed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.errors++
	c.hungUp = c.hungUp || c.errors >= maxErrors
	return c.hungUp
}

// failedAuth is failed for credentials, and says how many there have been.
func (c *conn) failedAuth() (times int, last bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.authErrors++
	c.hungUp = c.hungUp || c.authErrors >= maxAuthErrors
	return c.authErrors, c.hungUp
}
