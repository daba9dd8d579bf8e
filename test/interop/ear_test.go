package interop

import (
	"encoding/binary"
	"net"
	"sync"
	"testing"
	"time"

	"tidings/internal/audio"
)

// ear hears what is sent to a callee that has a mouth for SIP only.
type ear struct {
	rtp, rtcp *net.UDPConn
	listening sync.WaitGroup

	mu      sync.Mutex
	payload map[uint8]int // packets by payload type
	sound   []int16       // in the order it came
	gap     time.Duration // the longest between two packets
	last    time.Time
	reports int // RTCP packets
}

// newEar opens an even port and the one after it.
func newEar(tb testing.TB) *ear {
	tb.Helper()
	e := &ear{payload: map[uint8]int{}}
	pair := listenUDP(tb, 2)
	e.rtp, e.rtcp = pair[0], pair[1]
	e.listening.Go(func() { e.listen(e.rtp, e.hear) })
	e.listening.Go(func() { e.listen(e.rtcp, func([]byte) { e.reports++ }) })
	tb.Cleanup(func() { e.close() })
	return e
}

func (e *ear) close() {
	_ = e.rtp.Close()
	_ = e.rtcp.Close()
	e.listening.Wait()
}

// port is where the callee's description says that it wants sound.
func (e *ear) port() int { return e.rtp.LocalAddr().(*net.UDPAddr).Port }

func (e *ear) listen(c *net.UDPConn, take func([]byte)) {
	buf := make([]byte, 2048)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		e.mu.Lock()
		take(buf[:n])
		e.mu.Unlock()
	}
}

// hear takes a packet of RTP without extras (RFC 3550 5.1). e.mu must be held.
func (e *ear) hear(b []byte) {
	if len(b) < 12 || binary.BigEndian.Uint16(b)&0xff00 != 0x8000 {
		e.payload[255]++ // not what we would send
		return
	}
	payload := b[1] & 0x7f
	e.payload[payload]++
	switch payload {
	case 0:
		e.sound = append(e.sound, audio.MuLaw(b[12:])...)
	case 8:
		e.sound = append(e.sound, audio.ALaw(b[12:])...)
	}
	now := time.Now()
	if !e.last.IsZero() {
		e.gap = max(e.gap, now.Sub(e.last))
	}
	e.last = now
}

// heard returns what was heard until now, by payload type too, and the longest gap.
func (e *ear) heard() ([]int16, map[uint8]int, time.Duration) {
	e.close() // no packet is on its way on loopback
	return e.sound, e.payload, e.gap
}
