package sdp

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// NewKey makes a key for Local.Key.
func NewKey() []byte {
	key := make([]byte, KeyLength)
	rand.Read(key) // never fails, as crypto/rand says
	return key
}

// Offer describes what we would like.
func (l *Local) Offer() []byte {
	var b bytes.Buffer
	l.head(&b)
	events := uint8(EventsPayload)
	if l.NoEvents {
		events = 0
	}
	l.line(&b, "RTP/AVP", l.codecs(), events, l.Direction, 1, l.Packet)
	return b.Bytes()
}

// Agree takes the description as the answer to an offer of ours. It fails with ErrNoAudio,
// ErrNoCodec, ErrNoKeys or ErrAddress.
func (d *Description) Agree(l *Local) (Media, error) {
	m, _, err := d.agree(l)
	return m, err
}

// Answer answers the description, which is an offer. It fails as Agree does; then the
// offer is to be refused as a whole, with 488 (RFC 3261 section 21.4.26).
func (d *Description) Answer(l *Local) ([]byte, Media, error) {
	m, tag, err := d.agree(l)
	if err != nil {
		return nil, Media{}, err
	}
	var b bytes.Buffer
	l.head(&b)
	for i, s := range d.streams {
		if i != d.audio {
			// RFC 3264 section 6: as many lines as the offer has, in the same order.
			fmt.Fprintf(&b, "m=%s 0 %s %s\r\n", s.kind, s.proto, strings.Join(s.formats, " "))
			continue
		}
		l.line(&b, s.proto, []uint8{m.Payload}, m.Events, direction(m.Send, m.Receive), tag, m.Packet)
	}
	return b.Bytes(), m, nil
}

// agree finds what both sides can do, and the tag of the keys that were chosen.
func (d *Description) agree(l *Local) (m Media, tag int, err error) {
	if d.Port == 0 {
		return m, 0, ErrNoAudio
	}
	mine := l.codecs()
	i := slices.IndexFunc(d.Formats, func(pt uint8) bool {
		return (pt == PCMU || pt == PCMA) && slices.Contains(mine, pt)
	})
	if i < 0 {
		return m, 0, ErrNoCodec
	}
	m.Payload, m.Packet = d.Formats[i], d.Packet
	if m.Packet == 0 {
		m.Packet = DefaultPacket
	}
	if !l.NoEvents {
		m.Events = d.Events
	}
	if m.Key, tag, err = d.keys(l); err != nil {
		return Media{}, 0, err
	}
	// RFC 3264 section 6.1: who holds says sendonly or inactive, so that we fall silent.
	m.Send = l.Direction.sends() && d.Direction.hears()
	m.Receive = l.Direction.hears() && d.Direction.sends()
	return m, tag, d.reach(l, &m)
}

// keys chooses the first line of keys that we can use.
func (d *Description) keys(l *Local) (key []byte, tag int, err error) {
	if d.Secure != (l.Key != nil) {
		return nil, 0, ErrNoKeys
	}
	if !d.Secure {
		return nil, 0, nil
	}
	i := slices.IndexFunc(d.Cryptos, func(c Crypto) bool { return c.Key != nil })
	if i < 0 {
		return nil, 0, ErrNoKeys
	}
	return d.Cryptos[i].Key, d.Cryptos[i].Tag, nil
}

// reach says where sound and reports go.
func (d *Description) reach(l *Local, m *Media) error {
	switch {
	case !d.Address.IsValid(), d.Address.IsMulticast():
		return ErrAddress
	case d.Address.IsUnspecified():
		m.Send = false // RFC 2543 appendix B.5, still in use: 0.0.0.0 means hold
		return nil
	case d.Address.Is4() != l.Address.Unmap().Is4():
		return ErrAddress // no socket of ours reaches it
	}
	m.RTP = netip.AddrPortFrom(d.Address, uint16(d.Port))
	m.RTCP = d.RTCP
	if !m.RTCP.IsValid() || m.RTCP.Addr().IsMulticast() || m.RTCP.Addr().IsUnspecified() {
		m.RTCP = netip.AddrPortFrom(d.Address, uint16(min(d.Port+1, 65535)))
	}
	return nil
}

// head writes the lines before the media lines.
func (l *Local) head(b *bytes.Buffer) {
	family := "IP4"
	if l.Address.Is6() && !l.Address.Is4In6() {
		family = "IP6"
	}
	address := l.Address.Unmap().WithZone("")
	// The name "-" and the subject "-" are what RFC 8866 sections 5.2 and 5.3 say for none.
	fmt.Fprintf(b, "v=0\r\no=- %d %d IN %s %s\r\ns=-\r\nc=IN %[3]s %[4]s\r\nt=0 0\r\n", l.Session, l.Version, family, address)
}

// line writes the media line for audio and its attributes.
func (l *Local) line(b *bytes.Buffer, proto string, codecs []uint8, events uint8, d Direction, tag int, ptime time.Duration) {
	if l.Key != nil && !strings.HasPrefix(strings.ToUpper(proto), "RTP/SAVP") {
		proto = "RTP/SAVP"
	}
	fmt.Fprintf(b, "m=audio %d %s", l.Port, proto)
	for _, pt := range codecs {
		fmt.Fprintf(b, " %d", pt)
	}
	if events > 0 {
		fmt.Fprintf(b, " %d", events)
	}
	b.WriteString("\r\n")
	for _, pt := range codecs {
		fmt.Fprintf(b, "a=rtpmap:%d %s/8000\r\n", pt, map[uint8]string{PCMU: "PCMU", PCMA: "PCMA"}[pt])
	}
	if events > 0 {
		fmt.Fprintf(b, "a=rtpmap:%d telephone-event/8000\r\na=fmtp:%[1]d 0-15\r\n", events)
	}
	if ptime == 0 {
		ptime = DefaultPacket
	}
	fmt.Fprintf(b, "a=ptime:%d\r\n", ptime.Milliseconds())
	if l.Key != nil {
		fmt.Fprintf(b, "a=crypto:%d %s inline:%s\r\n", tag, suite, base64.StdEncoding.EncodeToString(l.Key))
	}
	fmt.Fprintf(b, "a=%s\r\n", d)
}
