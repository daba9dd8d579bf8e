package rtpaudio

import (
	"bytes"
	"context"
	"net"
	"net/netip"
	"testing"
	"time"
)

func TestStreamSpeaks(t *testing.T) {
	t.Parallel()
	w, err := New(Options{Address: netip.MustParseAddr("127.0.0.1")})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s, err := w.Open()
	if err != nil {
		t.Fatal(err)
	}
	sound := make([]byte, 1000)
	for i := range sound {
		sound[i] = byte(i)
	}
	if err := s.Start(Peer{RTP: c.LocalAddr().(*net.UDPAddr).AddrPort(), Sound: sound}, 50*time.Millisecond, 40*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	<-s.Done()
	st := s.Close()
	var got []byte
	b := make([]byte, 2000)
	for range st.Sent {
		n, err := c.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, b[12:n]...)
	}
	if !bytes.Equal(got[400:1400], sound) {
		t.Fatal("differ")
	}
}
