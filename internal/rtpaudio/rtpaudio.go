// Package rtpaudio sends telephone sound to peers and hears what they send: RTP and RTCP
// (RFC 3550), G.711 in it (RFC 3551), key presses (RFC 4733), and SRTP with keys from the
// signalling (RFC 3711, RFC 4568). One Wheel does it for all calls. It knows nothing of
// SIP or SDP, and encodes nothing: sound comes to it as G.711 and leaves it as it came.
//
// RTP and RTCP have a port each; multiplexing them on one (RFC 5761) is not offered,
// because telephone trunks do not ask for it.
package rtpaudio

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// ErrStopped is returned by a Wheel whose Run has ended, and by its Streams.
var ErrStopped = errors.New("rtp: the wheel has stopped")

// ErrClosed is returned by a Stream that was closed.
var ErrClosed = errors.New("rtp: the stream was closed")

// ErrNoPort is returned by Open when every pair of ports of the range is taken.
var ErrNoPort = errors.New("no free pair of RTP ports")

// Options are what a Wheel needs. The zero value works: any address, any port, no metrics,
// no log.
type Options struct {
	// Address is where RTP is received and sent from. The zero value is every IPv4 address.
	Address netip.Addr
	// FirstPort and LastPort bound the ports, both included. A stream takes an even one and
	// the odd one after it (RFC 3550 section 11). 0, 0 = any that the system gives.
	FirstPort, LastPort uint16
	// Shards is how many threads share the streams. 0 = one per CPU, at most 4.
	Shards     int
	Log        *slog.Logger          // nil = nothing is logged
	Registerer prometheus.Registerer // nil = nothing is measured outside
}

// Wheel sends the sound of all calls. Its threads have absolute deadlines, a millisecond
// apart, and between them no call waits for another one. Safe for concurrent use.
type Wheel struct {
	address netip.Addr
	ports   *ports
	shards  []*shard
	log     *slog.Logger
	metrics *metrics
	ran     atomic.Bool
}

// New makes a Wheel. It opens no socket and starts no thread. It panics if its metrics are
// registered already.
func New(o Options) (*Wheel, error) {
	o.Address = o.Address.Unmap()
	if !o.Address.IsValid() {
		o.Address = netip.IPv4Unspecified()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Shards <= 0 {
		o.Shards = min(runtime.NumCPU(), 4)
	}
	p, err := newPorts(o.Address, o.FirstPort, o.LastPort)
	if err != nil {
		return nil, err
	}
	w := &Wheel{address: o.Address, ports: p, log: o.Log}
	w.metrics = newMetrics(o.Registerer, w)
	for range o.Shards {
		w.shards = append(w.shards, newShard(w))
	}
	return w, nil
}

// Run turns the wheel until ctx is done. Then it stops all streams: their sockets are
// closed and Done closes, though not everything was sent; Stats tells what was. What is
// started before Run begins with it. Run may be called once.
//
// A thread of the wheel that wakes up needs one of Go's processors, and where all are at
// work it waits for one, often for milliseconds. So a program that also computes should
// have as many more than it has CPUs as the wheel has Threads; see runtime.GOMAXPROCS.
func (w *Wheel) Run(ctx context.Context) error {
	if w.ran.Swap(true) {
		return errors.New("rtp: the wheel has been run already")
	}
	var all sync.WaitGroup
	for _, sh := range w.shards {
		all.Go(func() { sh.run(ctx) })
	}
	all.Wait()
	return nil
}

// Threads is how many threads the wheel has.
func (w *Wheel) Threads() int { return len(w.shards) }

// Open reserves a pair of ports for a call. The Stream must be closed, whatever becomes of
// the call. Open fails with ErrNoPort and ErrStopped.
func (w *Wheel) Open() (*Stream, error) {
	rtp, rtcp, err := w.ports.take()
	if err != nil {
		return nil, err
	}
	sh := w.roomiest()
	s := newStream(sh, rtp, rtcp)
	if err := sh.admit(s); err != nil {
		s.unplug()
		return nil, err
	}
	return s, nil
}

// roomiest is the shard for a new stream: the first that is not full, else the one with
// the fewest.
func (w *Wheel) roomiest() *shard {
	for _, sh := range w.shards {
		if sh.members.Load() < full {
			return sh
		}
	}
	return slices.MinFunc(w.shards, func(a, b *shard) int { return cmp.Compare(a.members.Load(), b.members.Load()) })
}

// streams is how many streams are open.
func (w *Wheel) streams() (n int64) {
	for _, sh := range w.shards {
		n += sh.members.Load()
	}
	return n
}

// family says why an address cannot be reached from the Wheel's own, or nil.
func (w *Wheel) family(a netip.Addr) error {
	if a.Unmap().Is4() == w.address.Is4() || w.address == netip.IPv6Unspecified() {
		return nil
	}
	return fmt.Errorf("rtp: %v cannot be reached from %v: one is IPv4, the other IPv6", a, w.address)
}
