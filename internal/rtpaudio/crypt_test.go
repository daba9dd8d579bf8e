package rtpaudio

import (
	"bytes"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
)

// key is 30 bytes that differ by which.
func key(which byte) []byte { return sound(keySize+saltSize, which) }

// peerContext is what the peer uses: of the same library, but by itself.
func peerContext(t testing.TB, key []byte) *srtp.Context {
	t.Helper()
	c, err := srtp.CreateContext(key[:keySize], key[keySize:], srtp.ProtectionProfileAes128CmHmacSha1_80)
	if err != nil {
		t.Fatalf("CreateContext() = %v, want nil", err)
	}
	return c
}

// decrypted is a packet as the peer understands it.
func decrypted(t testing.TB, c *srtp.Context, b []byte) *rtp.Packet {
	t.Helper()
	plain, err := c.DecryptRTP(nil, b, nil)
	if err != nil {
		t.Fatalf("DecryptRTP() = %v, want nil", err)
	}
	p := &rtp.Packet{}
	if err := p.Unmarshal(plain); err != nil {
		t.Fatalf("Unmarshal() = %v, want nil", err)
	}
	return p
}

func TestSRTP(t *testing.T) {
	t.Parallel()
	w := turning(t, Options{})
	c, s := listening(t, loopback), open(t, w)
	e := listener(s)
	ours, theirs := key(1), key(2)
	from, to := peerContext(t, ours), peerContext(t, theirs)
	p := c.peer(sound(20*160, 0))
	p.Keys, p.Events = &Keys{Local: ours, Remote: theirs}, 101
	start(t, s, p, 0, 0)
	clear(p.Keys.Local) // Start has made a copy

	var got []*rtp.Packet
	for range 20 {
		got = append(got, decrypted(t, from, receive(t, c.rtp)))
	}
	inOrder(t, got)
	if !bytes.Equal(payloads(got), p.Sound) {
		t.Errorf("the message did not arrive as it was sent")
	}

	first := encrypted(t, to, words(t, 1, 160, PCMU, []byte("how do you do")))
	padded := words(t, 2, 173, PCMU, []byte("fine\x00\x00\x00\x04"))
	padded[0] |= 0x20
	for _, b := range [][]byte{
		first,
		first, // a replay
		encrypted(t, peerContext(t, key(3)), words(t, 3, 200, PCMU, []byte("forged"))),
		words(t, 4, 300, PCMU, []byte("plain")),
		encrypted(t, to, padded),
		encrypted(t, to, words(t, 3, 400, 101, press{event: 9}.payload())),
		encrypted(t, to, words(t, 4, 177, PCMU, []byte(", and you"))),
	} {
		say(t, c.rtp, there(s, 0), b)
	}
	for range 3 {
		<-e.heard
	}
	say(t, c.rtcp, there(s, 1), protected(t, to, &rtcp.ReceiverReport{SSRC: 1, Reports: []rtcp.ReceptionReport{{SSRC: got[0].SSRC, TotalLost: 3}}}))
	say(t, c.rtcp, there(s, 1), plainReport(t, &rtcp.ReceiverReport{SSRC: 1, Reports: []rtcp.ReceptionReport{{SSRC: got[0].SSRC, TotalLost: 4}}}))
	st := s.Close()
	if got, want := e.data.String(), "how do you dofine, and you"; got != want {
		t.Errorf("%q was heard, want %q", got, want)
	}
	if st.Received != 4 || st.Dropped != 4 || st.Digits != "9" || st.RemoteLost != 3 {
		t.Errorf("Close() = %+v, want 4 packets received, 4 dropped, key 9, and 3 packets lost on the way", st)
	}
	if _, err := from.DecryptRTCP(nil, receive(t, c.rtcp), nil); err != nil {
		t.Errorf("DecryptRTCP() = %v, want nil", err)
	}
}

func encrypted(t testing.TB, c *srtp.Context, b []byte) []byte {
	t.Helper()
	b, err := c.EncryptRTP(nil, b, nil)
	if err != nil {
		t.Fatalf("EncryptRTP() = %v, want nil", err)
	}
	return b
}

func plainReport(t testing.TB, p rtcp.Packet) []byte {
	t.Helper()
	b, err := rtcp.Marshal([]rtcp.Packet{p})
	if err != nil {
		t.Fatalf("Marshal() = %v, want nil", err)
	}
	return b
}

func protected(t testing.TB, c *srtp.Context, p rtcp.Packet) []byte {
	t.Helper()
	b, err := c.EncryptRTCP(nil, plainReport(t, p), nil)
	if err != nil {
		t.Fatalf("EncryptRTCP() = %v, want nil", err)
	}
	return b
}

// TestSRTPRedirected changes keys in the middle of a call, to others and to the same.
func TestSRTPRedirected(t *testing.T) {
	t.Parallel()
	w := turning(t, Options{})
	c, s := listening(t, loopback), open(t, w)
	p := c.peer(sound(8000*60, 0))
	p.Keys = &Keys{Local: key(1), Remote: key(2)}
	start(t, s, p, 0, 0)
	one, two, theirs := peerContext(t, key(1)), peerContext(t, key(3)), peerContext(t, key(2))
	decrypted(t, one, receive(t, c.rtp))
	first := encrypted(t, theirs, words(t, 1, 160, PCMU, nil))
	say(t, c.rtp, there(s, 0), first)
	pass(t, s, 250) // it is read

	p.Keys = &Keys{Local: key(3), Remote: key(2)}
	redirect(t, s, p)
	say(t, c.rtp, there(s, 0), first) // a replay, though keys have changed: not this one
	for {
		b := receive(t, c.rtp)
		if _, err := one.DecryptRTP(nil, b, nil); err != nil {
			decrypted(t, two, b)
			break
		}
	}
	if st := s.Close(); st.Received != 1 || st.Dropped != 1 || st.SendErrors != 0 {
		t.Errorf("Close() = %+v, want one packet received, and its replay dropped", st)
	}
}

// TestSRTPGoesOnUnderItsKey keeps the index of reports when a redirect repeats the key.
func TestSRTPGoesOnUnderItsKey(t *testing.T) {
	t.Parallel()
	keys := Keys{Local: key(1), Remote: key(2)}
	s, c := still(t, &keys)
	s.takeTurn(0)
	s.report(false)
	p := s.peer
	crypt, err := s.check(&p)
	if err != nil {
		t.Fatalf("check() = %v, want nil", err)
	}
	s.redirect(p, crypt)
	s.report(false)
	theirs, err := srtp.CreateContext(keys.Local[:keySize], keys.Local[keySize:], srtp.ProtectionProfileAes128CmHmacSha1_80, srtp.SRTCPReplayProtection(64))
	if err != nil {
		t.Fatalf("CreateContext() = %v, want nil", err)
	}
	for i := range 2 {
		if _, err := theirs.DecryptRTCP(nil, receive(t, c.rtcp), nil); err != nil {
			t.Errorf("DecryptRTCP() = %v for report %d, want nil", err, i)
		}
	}
}

func TestStatsOfTime(t *testing.T) {
	t.Parallel()
	if got := lasting(12_345); got != 1543125*time.Microsecond {
		t.Errorf("lasting(12345) = %v, want 1.543125s", got)
	}
}
