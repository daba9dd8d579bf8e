package rtpaudio

import (
	"net/netip"
	"sync/atomic"
	"time"
)

// MaxDigits is how many key presses of a call are kept.
const MaxDigits = 64

// Stats is what a Stream did so far.
type Stats struct {
	Sent       uint64         // RTP packets
	SendErrors uint64         // packets that the system did not take; their sound is not sent again
	Refused    uint64         // times that the peer's host said that nobody listens there
	Received   uint64         // valid RTP packets
	Lost       uint64         // packets of the peer that did not arrive (RFC 3550 appendix A.3)
	Dropped    uint64         // datagrams that were no valid RTP or RTCP of the peer
	Jitter     time.Duration  // of what is received (RFC 3550 appendix A.8)
	Spoken     time.Duration  // how much of Sound was sent
	Complete   bool           // everything was sent, the silence after the sound too
	Digits     string         // keys pressed: 0 to 9, *, #, A to D; the first MaxDigits of them
	Remote     netip.AddrPort // where sound goes at present; zero before Start

	// What the peer reports of our packets; zero until it does.
	RemoteLost   uint64        // how many did not arrive
	RemoteJitter time.Duration // with which jitter
	RoundTrip    time.Duration // how long a packet takes there and back
}

// counts are Stats as they are being counted: written by one thread, read by any.
type counts struct {
	sent, sendErrors, refused, received, lost, dropped atomic.Uint64
	remoteLost                                         atomic.Uint64
	spoken                                             atomic.Int64 // samples
	jitter, remoteJitter                               atomic.Int64 // samples
	roundTrip                                          atomic.Int64 // nanoseconds
	complete                                           atomic.Bool
	digits                                             atomic.Pointer[string]
	remote                                             atomic.Pointer[netip.AddrPort]
}

func (c *counts) stats() Stats {
	s := Stats{
		Sent:         c.sent.Load(),
		SendErrors:   c.sendErrors.Load(),
		Refused:      c.refused.Load(),
		Received:     c.received.Load(),
		Lost:         c.lost.Load(),
		Dropped:      c.dropped.Load(),
		Jitter:       lasting(c.jitter.Load()),
		Spoken:       lasting(c.spoken.Load()),
		Complete:     c.complete.Load(),
		RemoteLost:   c.remoteLost.Load(),
		RemoteJitter: lasting(c.remoteJitter.Load()),
		RoundTrip:    time.Duration(c.roundTrip.Load()),
	}
	if d := c.digits.Load(); d != nil {
		s.Digits = *d
	}
	if r := c.remote.Load(); r != nil {
		s.Remote = *r
	}
	return s
}

// lasting is how long so many samples last.
func lasting(samples int64) time.Duration { return time.Duration(samples) * time.Second / sampleRate }
