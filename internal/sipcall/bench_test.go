package sipcall_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tidings/internal/event"
	"tidings/internal/sipcall"
	"tidings/internal/voice"
)

// BenchmarkCalls sets calls up and tears them down: INVITE, 180, 200, ACK, BYE, 200, with
// no more than two packets of sound in between. The callee only copies headers, so that
// nearly all that is measured is the caller.
func BenchmarkCalls(b *testing.B) {
	quick := newQuickCallee(b)
	r := newRig(b, func(s *setUp) {
		s.trunks[0].Server = quick.conn.LocalAddr().String()
		s.GreetingDelay, s.Tail = -1, -1
	})
	r.speech = voice.Speech{Duration: 20 * time.Millisecond, Estimated: true}
	const lines = 400
	var wrong atomic.Int64
	jobs := make(chan struct{}, lines)
	var busy sync.WaitGroup
	for range lines {
		busy.Go(func() {
			for range jobs {
				o, err := r.dialer.Dial(context.Background(), voice.Call{Message: message(), Speech: r.speech}, func(event.Type) error { return nil })
				if err != nil || o.Type != event.VoiceCompleted {
					wrong.Add(1)
				}
			}
		})
	}
	b.ReportAllocs()
	for b.Loop() {
		jobs <- struct{}{}
	}
	close(jobs)
	busy.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
	if n := wrong.Load(); n > 0 {
		b.Errorf("%d of %d calls were not completed", n, b.N)
	}
}

// quickCallee answers everything at once, by the cheapest means.
type quickCallee struct {
	conn *net.UDPConn
	body string
}

func newQuickCallee(t testing.TB) *quickCallee {
	t.Helper()
	q := &quickCallee{conn: socket(t)}
	_ = q.conn.SetReadBuffer(4 << 20)
	sink := socket(t)
	q.body = fmt.Sprintf("v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio %d RTP/AVP 0\r\n", sink.LocalAddr().(*net.UDPAddr).Port)
	var reading sync.WaitGroup
	reading.Go(q.serve)
	t.Cleanup(func() {
		q.conn.Close()
		sink.Close()
		reading.Wait()
	})
	return q
}

func (q *quickCallee) serve() {
	b := make([]byte, 4096)
	for {
		n, from, err := q.conn.ReadFromUDPAddrPort(b)
		if err != nil {
			return
		}
		switch {
		case bytes.HasPrefix(b, []byte("INVITE")):
			q.reply(b[:n], from, "180 Ringing", "")
			q.reply(b[:n], from, "200 OK", q.body)
		case bytes.HasPrefix(b, []byte("BYE")):
			q.reply(b[:n], from, "200 OK", "")
		}
	}
}

func (q *quickCallee) reply(r []byte, to netip.AddrPort, status, body string) {
	var out bytes.Buffer
	out.WriteString("SIP/2.0 " + status + "\r\n")
	for line := range bytes.SplitSeq(r, []byte("\r\n")) {
		name, _, _ := bytes.Cut(line, []byte(":"))
		switch string(name) {
		case "Via", "From", "Call-ID", "CSeq":
			out.Write(line)
			out.WriteString("\r\n")
		case "To":
			out.Write(line)
			if !bytes.Contains(line, []byte(";tag=")) {
				out.WriteString(";tag=q")
			}
			out.WriteString("\r\n")
		}
	}
	fmt.Fprintf(&out, "Contact: <sip:q@%s>\r\nContent-Length: %d\r\n", q.conn.LocalAddr(), len(body))
	if body != "" {
		out.WriteString("Content-Type: application/sdp\r\n")
	}
	out.WriteString("\r\n" + body)
	_, _ = q.conn.WriteToUDPAddrPort(out.Bytes(), to)
}

var _ sipcall.Opening = sipcall.Delay(0)
