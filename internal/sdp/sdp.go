// Package sdp is what two telephones tell each other about one line of sound: a session
// description (RFC 8866), as offer and as answer (RFC 3264), with G.711, key presses
// (RFC 4733), and keys for SRTP (RFC 4568).
//
// It reads generously, since telephone exchanges are old and many, and writes strictly.
// Everything that is not audio is refused with port 0. It opens no sockets and looks up no
// names. Its functions are safe for concurrent use.
package sdp

import (
	"errors"
	"net/netip"
	"time"
)

// The payload types of G.711. They are static (RFC 3551 section 6), nobody may number them
// otherwise.
const (
	PCMU = 0
	PCMA = 8
)

// EventsPayload is the payload type that an offer gives to telephone-event. It is dynamic;
// 101 is what nearly everybody uses.
const EventsPayload = 101

// DefaultPacket is how much sound a packet carries if nobody says otherwise.
// Source: RFC 3551 section 4.2.
const DefaultPacket = 20 * time.Millisecond

// KeyLength is the length of a key: 16 bytes of master key, 14 bytes of master salt.
// Source: RFC 4568 section 6.2.1, AES_CM_128_HMAC_SHA1_80.
const KeyLength = 30

// What can be wrong with a description that was understood.
var (
	// ErrNoAudio says that there is no line of sound, or that it was refused with port 0.
	ErrNoAudio = errors.New("sdp: no audio")
	// ErrNoCodec says that the two sides have no codec in common.
	ErrNoCodec = errors.New("sdp: no codec in common")
	// ErrNoKeys says that one side wants SRTP and the other one does not, or that they
	// have no cipher in common. It is never answered with plain RTP.
	ErrNoKeys = errors.New("sdp: no keys for SRTP in common")
	// ErrAddress says that sound cannot be sent to the address.
	ErrAddress = errors.New("sdp: no usable address")
)

// Direction is which way sound goes, as seen by who describes it. The zero value is
// SendRecv.
type Direction uint8

// The directions. Source: RFC 8866 section 6.7.
const (
	SendRecv Direction = iota
	SendOnly
	RecvOnly
	Inactive
)

// String returns the attribute's name.
func (d Direction) String() string {
	switch d {
	case SendOnly:
		return "sendonly"
	case RecvOnly:
		return "recvonly"
	case Inactive:
		return "inactive"
	case SendRecv:
	}
	return "sendrecv"
}

// sends and hears report what the describer does in this direction.
func (d Direction) sends() bool { return d == SendRecv || d == SendOnly }
func (d Direction) hears() bool { return d == SendRecv || d == RecvOnly }

// direction is the inverse of sends and hears.
func direction(sends, hears bool) Direction {
	switch {
	case sends && hears:
		return SendRecv
	case sends:
		return SendOnly
	case hears:
		return RecvOnly
	}
	return Inactive
}

// Local is what we say about ourselves. Session, Address and Port have to be set.
type Local struct {
	Session uint64     // of the origin line; the same through all descriptions of a call
	Version uint64     // of the origin line; grows by one with each that differs from the last
	Address netip.Addr // where sound is to be sent to
	Port    int        // for RTP; RTCP is the next one

	Codecs    []uint8       // payload types, the one we like best first; empty = PCMU, PCMA
	NoEvents  bool          // do not offer telephone-event
	Packet    time.Duration // sound in a packet; 0 = DefaultPacket
	Direction Direction
	Key       []byte // KeyLength bytes that we encrypt with; nil = plain RTP
}

// codecs returns what we can play, in order.
func (l *Local) codecs() []uint8 {
	if len(l.Codecs) == 0 {
		return []uint8{PCMU, PCMA}
	}
	return l.Codecs
}

// Media is what both sides agreed on, as seen from ours.
type Media struct {
	RTP     netip.AddrPort // where to send; not valid if Send is false and the far side gave none
	RTCP    netip.AddrPort // where reports go
	Payload uint8          // PCMU or PCMA
	Events  uint8          // payload type of telephone-event; 0 = none
	Packet  time.Duration  // sound in a packet, as the far side wants it
	Send    bool           // we may send; false while the far side holds the call
	Receive bool           // we will hear something
	Key     []byte         // what the far side encrypts with; nil = plain RTP
}
