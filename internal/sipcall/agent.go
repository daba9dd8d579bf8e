package sipcall

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"

	"tidings/internal/siptrunk"
)

// receiveBuffer is asked for the UDP socket. The usual 208 KiB overflow at some thousand
// calls per second, and each drop delays a call by half a second.
const receiveBuffer = 4 << 20

// errTooLarge says that a request neither fits a datagram nor reaches the trunk by TCP.
var errTooLarge = errors.New("the request is longer than a datagram may be, and the trunk takes no TCP")

// stack is sipgo's transports and transactions.
type stack struct {
	transport    *sip.TransportLayer
	transactions *sip.TransactionLayer
}

// agent sends and receives SIP for all calls. UDP and TCP share one stack; each trunk with
// TLS has its own, because a stack knows one configuration of TLS.
type agent struct {
	d     *Dialer
	plain stack
	tls   map[*siptrunk.Trunk]stack
	udp   *net.UDPConn
	tcp   net.Listener // nil = no trunk uses TCP
	local netip.AddrPort
	laddr sip.Addr // of the UDP socket, as sipgo knows it

	mu      sync.Mutex
	sources map[netip.Addr]netip.Addr // which of our addresses leads where
}

func newAgent(d *Dialer) (*agent, error) {
	a := &agent{d: d, tls: make(map[*siptrunk.Trunk]stack), sources: make(map[netip.Addr]netip.Addr)}
	if err := a.listen(); err != nil {
		return nil, err
	}
	a.plain = a.newStack(nil)
	// Filed here and not only by ServeUDP, which takes its time: a request sent before
	// would have sipgo bind the port again.
	a.plain.transport.Pool("udp").Add(a.udp.LocalAddr().String(), &sip.UDPConnection{
		PacketConn: a.udp, PacketAddr: a.udp.LocalAddr().String(), Listener: true,
	})
	for _, t := range d.Options.Trunks.Trunks() {
		if c := t.Config(); c.Transport == siptrunk.TLS {
			a.tls[t] = a.newStack(tlsConfig(c))
		}
	}
	return a, nil
}

// listen opens the sockets: UDP, and TCP on the same port where a trunk uses it.
func (a *agent) listen() error {
	at, err := net.ResolveUDPAddr("udp", a.d.Listen)
	if err != nil {
		return fmt.Errorf("sip: listen on %s: %w", a.d.Listen, err)
	}
	stream := slices.ContainsFunc(a.d.Options.Trunks.Trunks(), func(t *siptrunk.Trunk) bool { return t.Config().Transport == siptrunk.TCP })
	attempts := 1
	if at.Port == 0 && stream {
		attempts = 20 // what is free for UDP may be taken for TCP
	}
	for range attempts {
		if err = a.bind(at, stream); err == nil {
			return nil
		}
	}
	return err
}

// bind opens the UDP socket and, if it is wanted, the TCP socket of the same port.
func (a *agent) bind(at *net.UDPAddr, stream bool) (err error) {
	if a.udp, err = net.ListenUDP("udp", at); err != nil {
		return fmt.Errorf("sip: %w", err)
	}
	_ = a.udp.SetReadBuffer(receiveBuffer) // as much as the system allows
	bound := a.udp.LocalAddr().(*net.UDPAddr)
	a.local = netip.AddrPortFrom(bound.AddrPort().Addr().Unmap(), uint16(bound.Port))
	a.laddr = sip.Addr{IP: bound.IP, Port: bound.Port, Zone: bound.Zone}
	if !stream {
		return nil
	}
	if a.tcp, err = net.ListenTCP("tcp", &net.TCPAddr{IP: at.IP, Port: bound.Port, Zone: at.Zone}); err != nil {
		a.tcp = nil // not a nil *net.TCPListener
		return errors.Join(fmt.Errorf("sip: %w", err), a.udp.Close())
	}
	return nil
}

// tlsConfig is what a trunk's connections are made with.
func tlsConfig(c siptrunk.Config) *tls.Config {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.TLS != nil {
		config = c.TLS.Clone()
	}
	if config.ServerName == "" {
		// RFC 5922 section 4: the name that was configured, not what it led to.
		config.ServerName, _ = splitServer(nextServer(c))
	}
	return config
}

func (a *agent) newStack(config *tls.Config) stack {
	log := quiet(a.d.Log)
	t := sip.NewTransportLayer(net.DefaultResolver, sip.NewParser(), config,
		sip.WithTransportLayerLogger(log), sip.WithTransportLayerReadFilter(a.d.acl.filter))
	t.OnMessage(a.d.note) // before the transactions, which ask for messages, too
	x := sip.NewTransactionLayer(t, sip.WithTransactionLayerLogger(log),
		sip.WithTransactionLayerUnhandledResponseHandler(a.d.stray))
	x.OnRequest(a.d.receive)
	return stack{t, x}
}

// serve receives until close. The channel gets what ends it before that.
func (a *agent) serve(wg *sync.WaitGroup) <-chan error {
	failed := make(chan error, 2)
	wg.Go(func() { failed <- a.plain.transport.ServeUDP(a.udp) })
	if a.tcp != nil {
		wg.Go(func() { failed <- a.plain.transport.ServeTCP(door{a.tcp, a.d.acl}) })
	}
	return failed
}

// close ends all transactions and connections.
func (a *agent) close() {
	_ = a.udp.Close()
	if a.tcp != nil {
		_ = a.tcp.Close()
	}
	stacks := []stack{a.plain}
	for _, s := range a.tls {
		stacks = append(stacks, s)
	}
	for _, s := range stacks {
		s.transactions.Close()
		_ = s.transport.Close() // everything is over; nobody could do anything about it
	}
}

// hop is where requests go next.
type hop struct {
	stack   stack
	network siptrunk.Transport
	to      netip.AddrPort
}

// via is the name of the network in Via and Contact.
func (h hop) via() string { return sip.NetworkToUpper(string(h.network)) }

// hop returns the way to an address.
func (a *agent) hop(t *siptrunk.Trunk, network siptrunk.Transport, to netip.AddrPort) hop {
	s := a.plain
	if own, ok := a.tls[t]; ok && network == siptrunk.TLS {
		s = own
	}
	return hop{s, network, to}
}

// own is the address by which the far side reaches us.
func (a *agent) own(far netip.Addr) netip.Addr {
	if a.d.PublicAddress.IsValid() {
		return a.d.PublicAddress
	}
	if !a.local.Addr().IsUnspecified() {
		return a.local.Addr()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if s, ok := a.sources[far]; ok {
		return s
	}
	source := a.local.Addr()
	// Nothing is sent: connecting a datagram socket asks for the route.
	if c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(far, 5060))); err == nil {
		source = addressOf(c.LocalAddr()).WithZone("")
		_ = c.Close()
		a.sources[far] = source
	}
	return source
}

// branch makes a name for a transaction (RFC 3261 section 8.1.1.7).
func branch() string { return sip.RFC3261BranchMagicCookie + rand.Text() }

// newVia makes the Via of a request that takes this way.
func (a *agent) newVia(h hop, branch string) *sip.ViaHeader {
	v := &sip.ViaHeader{
		ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: h.via(),
		Host: a.own(h.to.Addr()).String(), Port: int(a.local.Port()),
		Params: sip.HeaderParams{{K: "branch", V: branch}, {K: "rport"}}, // RFC 3581
	}
	if h.network == siptrunk.TLS {
		v.Port = 0 // the connection's; there is no port of ours that takes TLS
	}
	return v
}

// contact is where the far side reaches us during a call.
func (a *agent) contact(h hop) *sip.ContactHeader {
	c := &sip.ContactHeader{Address: sip.Uri{
		Scheme: "sip", User: "tidings", Host: a.own(h.to.Addr()).String(), Port: int(a.local.Port()),
	}}
	if h.network != siptrunk.UDP {
		c.Address.UriParams = sip.HeaderParams{{K: "transport", V: string(h.network)}}
	}
	return c
}

// address fills in what sipgo needs to send the request this way.
func (a *agent) address(h hop, r *sip.Request) {
	r.SetTransport(h.via())
	r.SetDestination(h.to.String())
	if h.network == siptrunk.UDP {
		r.Laddr = a.laddr // or it would leave from another port
	}
}

// start sends a request in a transaction of its own, which the caller has to drain or to
// terminate. A request that is too long for UDP goes by TCP (RFC 3261 section 18.1.1); then
// h says so afterwards. again is called with every 2xx after the first.
func (a *agent) start(ctx context.Context, h *hop, r *sip.Request, again func(*sip.Response)) (*sip.ClientTx, error) {
	tx, err := a.attempt(ctx, *h, r, again)
	if err == nil || h.network != siptrunk.UDP || !errors.Is(err, sip.ErrUDPMTUCongestion) {
		return tx, err
	}
	stream := *h
	stream.network = siptrunk.TCP
	r.ReplaceHeader(a.newVia(stream, branch()))
	r.Laddr = sip.Addr{}
	if tx, err = a.attempt(ctx, stream, r, again); err != nil {
		return nil, fmt.Errorf("%w: %w", errTooLarge, err)
	}
	*h = stream
	return tx, nil
}

func (a *agent) attempt(ctx context.Context, h hop, r *sip.Request, again func(*sip.Response)) (*sip.ClientTx, error) {
	a.address(h, r)
	tx, err := h.stack.transactions.NewClientTransaction(ctx, r)
	if err != nil {
		return nil, err
	}
	if h.network != siptrunk.UDP {
		a.streams(tx.Connection(), h, r)
	}
	if again != nil {
		tx.OnRetransmission(again)
	}
	a.d.trace("send", r)
	if err := tx.Init(); err != nil {
		tx.Terminate()
		return nil, err
	}
	return tx, nil
}

// stuck is how long a far side may take nothing of what is sent through a connection.
const stuck = 10 * time.Second

// streams fits a connection to the request, and the request to the connection.
func (a *agent) streams(c sip.Connection, h hop, r *sip.Request) {
	if s, ok := c.(*sip.TCPConnection); ok {
		switch t := s.Conn.(type) {
		case *net.TCPConn:
			unstick(t, stuck)
		case *tls.Conn:
			if t, ok := t.NetConn().(*net.TCPConn); ok {
				unstick(t, stuck)
			}
		}
	}
	if l, ok := c.LocalAddr().(*net.TCPAddr); ok && h.network == siptrunk.TLS && r.Contact() != nil {
		// The far side can only come back through the connection that is there.
		r.Contact().Address.Port = l.Port
	}
}

// write sends a request without a transaction: an ACK of a 2xx (RFC 3261 section 13.2.2.4).
func (a *agent) write(h hop, r *sip.Request) error {
	a.address(h, r)
	a.d.trace("send", r)
	return h.stack.transport.WriteMsg(r)
}
