package sipcall_test

import (
	"bytes"
	"fmt"
	"math"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"tidings/internal/audio"
	"tidings/internal/sdp"
)

// callee is the far side, played by the test: it takes messages one by one and answers
// what it is told to.
type callee struct {
	testing.TB
	address   string // host:port
	transport string // UDP, TCP or TLS
	write     func(b []byte, to string) error
	in        chan sip.Message
	seen      []string // heads of what came, to drop repetitions

	rtp   *net.UDPConn
	mu    sync.Mutex
	heard []byte   // payloads in the order they came
	laws  []uint8  // payload types, each once
	ports []uint16 // where sound came from, each once
	sound chan struct{}
}

// newCallee makes a callee that speaks UDP.
func newCallee(t testing.TB) *callee {
	t.Helper()
	return newCalleeAt(t, localhost)
}

// newCalleeAt makes a callee that speaks UDP at an address.
func newCalleeAt(t testing.TB, at netip.Addr) *callee {
	t.Helper()
	c, reading := bareCalleeAt(t, at)
	conn := socketAt(t, at)
	c.address, c.transport = conn.LocalAddr().String(), "UDP"
	c.write = func(b []byte, to string) error {
		addr, err := netip.ParseAddrPort(to)
		if err != nil {
			return err
		}
		_, err = conn.WriteToUDPAddrPort(b, addr)
		return err
	}
	reading.Go(func() {
		b := make([]byte, 65536)
		for {
			n, from, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			c.arrives(slices.Clone(b[:n]), from.String())
		}
	})
	t.Cleanup(func() { conn.Close() }) // before the wait for the readers
	return c
}

// bareCallee makes a callee without signalling. Its readers are waited for at the end.
func bareCallee(t testing.TB) (*callee, *sync.WaitGroup) {
	t.Helper()
	return bareCalleeAt(t, localhost)
}

func bareCalleeAt(t testing.TB, at netip.Addr) (*callee, *sync.WaitGroup) {
	t.Helper()
	c := &callee{TB: t, in: make(chan sip.Message, 1024), sound: make(chan struct{}, 1), rtp: socketAt(t, at)}
	var reading sync.WaitGroup
	t.Cleanup(reading.Wait)
	t.Cleanup(func() { c.rtp.Close() })
	reading.Go(c.listen)
	return c, &reading
}

// arrives takes a message.
func (c *callee) arrives(b []byte, from string) {
	m, err := sip.ParseMessage(b)
	if err != nil {
		c.Errorf("ParseMessage(%q) = %v", b, err)
		return
	}
	m.SetSource(from)
	c.in <- m
}

func socket(t testing.TB) *net.UDPConn {
	t.Helper()
	return socketAt(t, localhost)
}

func socketAt(t testing.TB, at netip.Addr) *net.UDPConn {
	t.Helper()
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(at, 0)))
	if err != nil {
		t.Skipf("the system has no %v: %v", at, err)
	}
	return c
}

func (c *callee) addr() string { return c.address }

// listen takes sound off the socket.
func (c *callee) listen() {
	b := make([]byte, 2048)
	for {
		n, from, err := c.rtp.ReadFromUDPAddrPort(b)
		if err != nil {
			return
		}
		if n < 12 {
			continue
		}
		c.mu.Lock()
		c.heard = append(c.heard, b[12:n]...)
		if law := b[1] & 0x7f; !slices.Contains(c.laws, law) {
			c.laws = append(c.laws, law)
		}
		if !slices.Contains(c.ports, from.Port()) {
			c.ports = append(c.ports, from.Port())
		}
		c.mu.Unlock()
		select {
		case c.sound <- struct{}{}:
		default:
		}
	}
}

// hears waits until some sound came.
func (c *callee) hears() {
	c.Helper()
	select {
	case <-c.sound:
	case <-time.After(patience):
		c.Fatal("no sound")
	}
}

// next is the next message that is not the repetition of one before.
func (c *callee) next() sip.Message {
	c.Helper()
	deadline := time.After(patience)
	for {
		select {
		case m := <-c.in:
			head := m.CallID().Value() + m.Via().Value() + m.CSeq().Value()
			if res, ok := m.(*sip.Response); ok {
				head += fmt.Sprint(res.StatusCode)
			}
			if !slices.Contains(c.seen, head) {
				c.seen = append(c.seen, head)
				return m
			}
		case <-deadline:
			c.Fatal("nothing comes")
		}
	}
}

// takesAgain waits for the repetition of a request.
func (c *callee) takesAgain(method sip.RequestMethod) {
	c.Helper()
	deadline := time.After(patience)
	for {
		select {
		case m := <-c.in:
			if r, ok := m.(*sip.Request); ok && r.Method == method {
				return
			}
		case <-deadline:
			c.Fatalf("%s is not repeated", method)
		}
	}
}

// takes waits for a request.
func (c *callee) takes(method sip.RequestMethod) *sip.Request {
	c.Helper()
	r := c.takesAny()
	if r.Method != method {
		c.Fatalf("a request that is no %s: %v", method, r)
	}
	return r
}

// takesAny waits for a request, whichever it is.
func (c *callee) takesAny() *sip.Request {
	c.Helper()
	m := c.next()
	r, ok := m.(*sip.Request)
	if !ok {
		c.Fatalf("a message that is no request: %v", m)
	}
	return r
}

// gets waits for a response.
func (c *callee) gets(status int) *sip.Response {
	c.Helper()
	m := c.next()
	res, ok := m.(*sip.Response)
	if !ok || res.StatusCode != status {
		c.Fatalf("a message that is no %d: %v", status, m)
	}
	return res
}

// tag is what the callee calls itself, unless a test plays forks.
const tag = "callee"

// response makes a response; edit changes it.
func (c *callee) response(r *sip.Request, status int, text string, edit ...func(*sip.Response)) *sip.Response {
	res := sip.NewResponseFromRequest(r, status, text, nil)
	if status > 100 {
		res.To().Params = sip.HeaderParams{{K: "tag", V: tag}}
	}
	res.AppendHeader(&sip.ContactHeader{Address: c.uri()})
	for _, e := range edit {
		e(res)
	}
	return res
}

// uri is where the callee is reached.
func (c *callee) uri() sip.Uri {
	host, port, _ := sip.ParseAddr(c.addr())
	u := sip.Uri{Scheme: "sip", User: "callee", Host: host, Port: port}
	if c.transport != "UDP" {
		u.UriParams.Add("transport", strings.ToLower(c.transport))
	}
	return u
}

// answers sends a response.
func (c *callee) answers(r *sip.Request, status int, text string, edit ...func(*sip.Response)) {
	c.Helper()
	c.sends(c.response(r, status, text, edit...), r.Source())
}

// sends sends a message.
func (c *callee) sends(m sip.Message, to string) {
	c.Helper()
	if err := c.write([]byte(m.String()), to); err != nil {
		c.Fatalf("write to %s: %v", to, err)
	}
}

// describes is the callee's SDP in a response.
func (c *callee) describes(edit ...func(*sdp.Local)) func(*sip.Response) {
	return func(res *sip.Response) { carry(res, c.local(edit...).Offer()) }
}

// local is what the callee says of its sound.
func (c *callee) local(edit ...func(*sdp.Local)) *sdp.Local {
	at := c.rtp.LocalAddr().(*net.UDPAddr).AddrPort()
	l := &sdp.Local{Session: 1, Version: 1, Address: at.Addr(), Port: int(at.Port()), Codecs: []uint8{sdp.PCMU}}
	for _, e := range edit {
		e(l)
	}
	return l
}

// carry puts a description into a message.
func carry(m sip.Message, body []byte) {
	m.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
	m.SetBody(body)
}

// with adds a header to a response.
func with(name, value string) func(*sip.Response) {
	return func(res *sip.Response) { res.AppendHeader(sip.NewHeader(name, value)) }
}

// request makes a request of the callee within the call that the INVITE began.
func (c *callee) request(invite *sip.Request, method sip.RequestMethod, seq uint32, body []byte) *sip.Request {
	contact := invite.Contact().Address
	r := sip.NewRequest(method, contact)
	host, port, _ := sip.ParseAddr(c.addr())
	r.AppendHeader(&sip.ViaHeader{
		ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: c.transport, Host: host, Port: port,
		Params: sip.HeaderParams{{K: "branch", V: sip.GenerateBranch()}},
	})
	hops, id := sip.MaxForwardsHeader(70), sip.CallIDHeader(invite.CallID().Value())
	r.AppendHeader(&hops)
	r.AppendHeader(&sip.FromHeader{Address: invite.To().Address, Params: sip.HeaderParams{{K: "tag", V: tag}}})
	r.AppendHeader(&sip.ToHeader{Address: invite.From().Address, Params: invite.From().Params.Clone()})
	r.AppendHeader(&id)
	r.AppendHeader(&sip.CSeqHeader{SeqNo: seq, MethodName: method})
	r.AppendHeader(&sip.ContactHeader{Address: c.uri()})
	if body != nil {
		carry(r, body)
	} else {
		r.SetBody(nil)
	}
	return r
}

// asks sends a request within the call.
func (c *callee) asks(r *sip.Request) { c.sends(r, r.Recipient.HostPort()) }

// isHungUp takes the BYE and answers it.
func (c *callee) isHungUp() *sip.Request {
	c.Helper()
	bye := c.takes(sip.BYE)
	c.answers(bye, 200, "OK")
	return bye
}

// loudness is how loud the sound that was heard is, in dB below full scale.
func (c *callee) loudness(law uint8) float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	pcm := audio.MuLaw(c.heard)
	if law == sdp.PCMA {
		pcm = audio.ALaw(c.heard)
	}
	var sum float64
	for _, v := range pcm {
		sum += float64(v) * float64(v)
	}
	return 20 * math.Log10(math.Sqrt(sum/float64(max(len(pcm), 1)))/32768)
}

// count is how often the sound that was heard holds the whole of what is to be heard.
func (c *callee) count(whole []byte) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return bytes.Count(c.heard, whole)
}
