package phone_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"tidings/internal/phone"
)

// hub collects what a phone reports.
type hub struct {
	*phone.Phone
	said  chan string
	ended chan phone.Call
	stop  func() error // ends the phone and waits for it
}

// start runs a phone for the test.
func start(tb testing.TB, opts phone.Options) *hub {
	tb.Helper()
	h := &hub{said: make(chan string, 100), ended: make(chan phone.Call, 100)}
	opts.Listen = "127.0.0.1:0"
	opts.Say = func(e phone.Happening) { h.said <- e.Number + " " + e.What }
	opts.Ended = func(c phone.Call) { h.ended <- c }
	p, err := phone.New(opts)
	if err != nil {
		tb.Fatal(err)
	}
	h.Phone = p
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	stopped := false
	h.stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return <-done
	}
	tb.Cleanup(func() {
		if err := h.stop(); err != nil && !errors.Is(err, context.Canceled) {
			tb.Errorf("Run = %v", err)
		}
	})
	return h
}

// caller is a telephone made of two sockets. It knows no rules, so a test can break them.
type caller struct {
	tb       testing.TB
	sip, rtp *net.UDPConn
	number   string
	id       string
	cseq     int
	to       string // the To header with the phone's tag, once it is known
}

func dial(tb testing.TB, h *hub, number string) *caller {
	tb.Helper()
	to, err := net.ResolveUDPAddr("udp", h.Addr())
	if err != nil {
		tb.Fatal(err)
	}
	conn, err := net.DialUDP("udp", nil, to)
	if err != nil {
		tb.Fatal(err)
	}
	rtp, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = conn.Close(); _ = rtp.Close() })
	// A test that waits for what never comes fails instead of hanging.
	deadline := time.Now().Add(30 * time.Second)
	_ = conn.SetReadDeadline(deadline)
	_ = rtp.SetReadDeadline(deadline)
	return &caller{tb: tb, sip: conn, rtp: rtp, number: number, id: sip.GenerateTagN(16), to: "<sip:" + number + "@example.com>"}
}

// sdp describes the caller.
func (c *caller) sdp(formats, extra string) string {
	port := c.rtp.LocalAddr().(*net.UDPAddr).Port
	return fmt.Sprintf("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio %d RTP/AVP %s\r\na=rtpmap:101 telephone-event/8000\r\n%s", port, formats, extra)
}

// send sends a request; a new one unless it is an ACK or a CANCEL. Headers end with CRLF.
func (c *caller) send(method, headers, body string) {
	c.tb.Helper()
	branch := fmt.Sprintf("z9hG4bK%s%d", c.id, c.cseq)
	switch method {
	case "CANCEL":
	case "ACK":
		branch += "ack"
	default:
		c.cseq++
		branch = fmt.Sprintf("z9hG4bK%s%d", c.id, c.cseq)
	}
	c.write(method, branch, headers, body)
}

func (c *caller) write(method, branch, headers, body string) {
	c.tb.Helper()
	at := c.sip.LocalAddr().String()
	text := fmt.Sprintf("%s sip:%s@%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=%s;rport\r\nFrom: <sip:+12065550199@%s>;tag=us\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %d %s\r\nContact: <sip:me@%s>\r\nMax-Forwards: 70\r\n%sContent-Length: %d\r\n\r\n%s",
		method, c.number, c.sip.RemoteAddr(), at, branch, at, c.to, c.id, c.cseq, method, at, headers, len(body), body)
	if _, err := c.sip.Write([]byte(text)); err != nil {
		c.tb.Fatal(err)
	}
}

// next returns the next message.
func (c *caller) next() sip.Message {
	c.tb.Helper()
	buf := make([]byte, 4096)
	n, err := c.sip.Read(buf)
	if err != nil {
		c.tb.Fatalf("nothing came: %v", err)
	}
	m, err := sip.ParseMessage(buf[:n])
	if err != nil {
		c.tb.Fatalf("ParseMessage(%q) = %v", buf[:n], err)
	}
	return m
}

// await returns the next response that is not a repeated one or 100, which must have the
// code.
func (c *caller) await(code int) *sip.Response {
	c.tb.Helper()
	for {
		r, ok := c.next().(*sip.Response)
		if !ok {
			c.tb.Fatalf("a request came, want %d", code)
		}
		if r.StatusCode == 100 {
			continue
		}
		if r.StatusCode != code {
			c.tb.Fatalf("%s to %s, want %d", r.StartLine(), r.CSeq().MethodName, code)
		}
		if h := r.To(); h != nil {
			c.to = h.Value()
		}
		return r
	}
}

// bye waits for the phone to hang up.
func (c *caller) bye() *sip.Request {
	c.tb.Helper()
	for {
		r, ok := c.next().(*sip.Request)
		if !ok {
			continue // a repeated response
		}
		if r.Method != sip.BYE {
			c.tb.Fatalf("%s came, want BYE", r.Method)
		}
		if _, err := c.sip.Write([]byte(sip.NewResponseFromRequest(r, 200, "OK", nil).String())); err != nil {
			c.tb.Fatal(err)
		}
		return r
	}
}

// answer calls and is answered; it returns where the phone wants its sound, and the 200.
func (c *caller) answer(formats string) (*net.UDPAddr, *sip.Response) {
	c.tb.Helper()
	c.send("INVITE", "Content-Type: application/sdp\r\n", c.sdp(formats, ""))
	r := c.await(200)
	c.send("ACK", "", "")
	return c.port(r), r
}

// port returns where the description in the response wants sound.
func (c *caller) port(r *sip.Response) *net.UDPAddr {
	c.tb.Helper()
	_, line, ok := strings.Cut(string(r.Body()), "m=audio ")
	var port int
	if _, err := fmt.Sscan(line, &port); !ok || err != nil {
		c.tb.Fatalf("no port in %q", r.Body())
	}
	return &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}
}

// play sends sound as packets of 160 bytes, but for those left out.
func (c *caller) play(to *net.UDPAddr, payload uint8, sound []byte, leftOut ...int) {
	c.tb.Helper()
	for i := 0; i*160 < len(sound); i++ {
		missing := false
		for _, n := range leftOut {
			missing = missing || n == i
		}
		if missing {
			continue
		}
		end := min(len(sound), i*160+160)
		c.packet(to, rtp(payload, 65530+i, 1000+160*i, sound[i*160:end]))
	}
}

func (c *caller) packet(to *net.UDPAddr, b []byte) {
	c.tb.Helper()
	if _, err := c.rtp.WriteTo(b, to); err != nil {
		c.tb.Fatal(err)
	}
}

// rtp makes an RTP packet.
func rtp(payload uint8, seq, at int, data []byte) []byte {
	b := make([]byte, 12, 12+len(data))
	b[0], b[1] = 0x80, payload
	binary.BigEndian.PutUint16(b[2:], uint16(seq))
	binary.BigEndian.PutUint32(b[4:], uint32(at))
	binary.BigEndian.PutUint32(b[8:], 7)
	return append(b, data...)
}
