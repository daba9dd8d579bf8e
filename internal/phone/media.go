package phone

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"tidings/internal/audio"
	"tidings/internal/sdp"
)

const (
	rate = 8000 // samples a second of G.711

	packetTime    = 20 * time.Millisecond
	packetSamples = rate / 50

	// linger is how long it has to be quiet after a call until nothing more is expected.
	linger = 20 * time.Millisecond

	// largest bounds what is read of a packet; G.711 of 200 ms has 1,612 bytes.
	largest = 4096
)

// media is the sound of one call: what is heard is recorded, and what is sent is silence.
type media struct {
	rtp, rtcp *net.UDPConn

	mu    sync.Mutex
	local sdp.Local
	peer  sdp.Media // where to send; not sent to before the far side has described itself
	offer bool      // the far side still owes an answer
	voice []int16   // to be sent before silence
	heard recording

	stop    chan struct{}
	working sync.WaitGroup
}

// openMedia reserves an even port for RTP and the odd one after it for RTCP, which is not
// listened to but must not be refused either (RFC 3550 11).
func openMedia(here netip.Addr) (*media, error) {
	const attempts = 100
	for range attempts {
		rtp, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(here, 0)))
		if err != nil {
			return nil, err
		}
		port := rtp.LocalAddr().(*net.UDPAddr).Port
		if port%2 == 0 {
			rtcp, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(here, uint16(port+1))))
			if err == nil {
				local := sdp.Local{Session: uint64(rand.Uint32()), Version: 1, Address: here, Port: port}
				return &media{rtp: rtp, rtcp: rtcp, local: local, stop: make(chan struct{})}, nil
			}
		}
		_ = rtp.Close()
	}
	return nil, errors.New("no two ports for sound are free")
}

// describe answers the description of the far side, or makes an offer if it gave none.
func (m *media) describe(theirs []byte) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(theirs) == 0 {
		m.offer = true
		return m.local.Offer(), nil
	}
	d, err := sdp.Parse(theirs)
	if err != nil {
		return nil, err
	}
	body, peer, err := d.Answer(&m.local)
	if err != nil {
		return nil, err
	}
	m.peer, m.offer = peer, false
	m.local.Version++
	return body, nil
}

// confirmed takes the answer to an offer of ours, which comes with the ACK (RFC 3264 4).
func (m *media) confirmed(theirs []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.offer {
		return nil
	}
	d, err := sdp.Parse(theirs)
	if err != nil {
		return fmt.Errorf("answer in ACK: %w", err)
	}
	peer, err := d.Agree(&m.local)
	if err != nil {
		return fmt.Errorf("answer in ACK: %w", err)
	}
	m.peer, m.offer = peer, false
	return nil
}

// beep is what an answering machine says when it is ready.
func (m *media) beep() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.voice = append(make([]int16, rate/2), audio.Tone(1000, -10, 500*time.Millisecond, rate)...)
}

// start listens and sends until close.
func (m *media) start() {
	m.working.Go(m.listen)
	m.working.Go(m.talk)
}

// listen records what comes, until close interrupts it and nothing is left.
func (m *media) listen() {
	buf := make([]byte, largest)
	for over := false; ; {
		if over {
			_ = m.rtp.SetReadDeadline(time.Now().Add(linger))
		}
		n, err := m.rtp.Read(buf)
		switch {
		case errors.Is(err, net.ErrClosed), over && err != nil:
			return
		case errors.Is(err, os.ErrDeadlineExceeded):
			over = true
			continue
		case err != nil:
			continue // somebody refused what was sent: nobody listens there
		}
		m.mu.Lock()
		m.heard.hear(buf[:n], m.peer.Events)
		m.mu.Unlock()
	}
}

// talk sends a packet every 20 ms, so that the caller sees that somebody is there, and
// address translations stay open.
func (m *media) talk() {
	ticker := time.NewTicker(packetTime)
	defer ticker.Stop()
	packet := make([]byte, rtpHeader, rtpHeader+packetSamples)
	packet[0] = 2 << 6
	seq, at := uint16(rand.Uint32()), rand.Uint32()
	binary.BigEndian.PutUint32(packet[8:], rand.Uint32())
	for first := true; ; first = false {
		select {
		case <-m.stop:
			return
		case <-ticker.C:
		}
		m.mu.Lock()
		peer := m.peer
		sound := make([]int16, packetSamples)
		m.voice = m.voice[copy(sound, m.voice):]
		m.mu.Unlock()
		packet[1] = peer.Payload
		if first {
			packet[1] |= 1 << 7 // the marker: a talkspurt begins (RFC 3551 4.1)
		}
		seq++
		at += packetSamples
		binary.BigEndian.PutUint16(packet[2:], seq)
		binary.BigEndian.PutUint32(packet[4:], at)
		if peer.Send && peer.RTP.IsValid() {
			_, _ = m.rtp.WriteToUDPAddrPort(encode(packet[:rtpHeader], sound, peer.Payload), peer.RTP)
		}
	}
}

// encode appends the sound in the codec that was agreed on.
func encode(packet []byte, sound []int16, payload uint8) []byte {
	if payload == sdp.PCMA {
		return audio.AppendALaw(packet, sound)
	}
	return audio.AppendMuLaw(packet, sound)
}

// close ends the sound and returns what was heard. What has arrived and was not read yet,
// because the machine is busy, is heard before that.
func (m *media) close() *recording {
	close(m.stop)
	_ = m.rtp.SetReadDeadline(time.Now())
	m.working.Wait()
	_ = m.rtp.Close()
	_ = m.rtcp.Close()
	return &m.heard
}

// freeName returns a path that nothing is at: the stem, or with a number behind it.
func freeName(stem, extension string) (string, error) {
	path := stem + extension
	for i := 2; i < 1000; i++ {
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			return path, nil
		}
		path = fmt.Sprintf("%s-%d%s", stem, i, extension)
	}
	return "", fmt.Errorf("%s is taken", path)
}
