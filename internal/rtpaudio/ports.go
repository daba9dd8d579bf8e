package rtpaudio

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
)

// anyTries is how often the system is asked for a pair of ports when no range is given.
const anyTries = 100

// What a socket may hold that was not yet read, in bytes (the kernel counts its own
// overhead too, and doubles these). Half a second of RTP: early media that nobody listens
// to must not fill the memory.
const (
	rtpBuffer  = 32 << 10
	rtcpBuffer = 16 << 10
)

// ports gives out pairs of ports. The one that was free longest comes first, so that what
// is still under way to an ended call does not reach the next one.
type ports struct {
	address     netip.Addr
	first, last uint16 // RTP ports, even; 0 = any

	mu   sync.Mutex
	free []uint16 // a queue
}

func newPorts(address netip.Addr, first, last uint16) (*ports, error) {
	p := &ports{address: address}
	if first == 0 && last == 0 {
		return p, nil
	}
	p.first, p.last = first+first%2, last
	if first == 0 || int(p.first)+1 > int(last) || p.first < first {
		return nil, fmt.Errorf("rtp: ports %d to %d hold no pair of an even port and the odd one after it", first, last)
	}
	for port := int(p.first); port+1 <= int(last); port += 2 {
		p.free = append(p.free, uint16(port))
	}
	return p, nil
}

// take opens the sockets of a pair.
func (p *ports) take() (rtp, rtcp *socket, err error) {
	if p.first == 0 {
		return p.takeAny()
	}
	p.mu.Lock()
	n := len(p.free)
	p.mu.Unlock()
	for range n {
		port, ok := p.pop()
		if !ok {
			break
		}
		rtp, rtcp, err = p.pair(port)
		if err == nil {
			return rtp, rtcp, nil
		}
		p.give(port)
		if !errors.Is(err, errPortTaken) {
			return nil, nil, err
		}
	}
	return nil, nil, fmt.Errorf("%w from %d to %d: all %d are taken by calls or by other programs",
		ErrNoPort, p.first, p.last, (int(p.last)-int(p.first)+1)/2)
}

// takeAny lets the system choose a port and takes the pair that it belongs to. Both are
// bound by number: Linux takes a port that it chose itself away when a socket is
// disconnected, which following a redirected peer needs.
func (p *ports) takeAny() (rtp, rtcp *socket, err error) {
	for range anyTries {
		chosen, err := listen(netip.AddrPortFrom(p.address, 0), rtpBuffer)
		if err != nil {
			return nil, nil, err
		}
		port := chosen.port() &^ 1
		chosen.close()
		rtp, rtcp, err = p.pair(port)
		if err == nil || !errors.Is(err, errPortTaken) {
			return rtp, rtcp, err
		}
	}
	return nil, nil, fmt.Errorf("%w: the system gave none in %d tries", ErrNoPort, anyTries)
}

func (p *ports) pair(port uint16) (rtp, rtcp *socket, err error) {
	rtp, err = listen(netip.AddrPortFrom(p.address, port), rtpBuffer)
	if err != nil {
		return nil, nil, err
	}
	rtcp, err = listen(netip.AddrPortFrom(p.address, port+1), rtcpBuffer)
	if err != nil {
		rtp.close()
		return nil, nil, err
	}
	return rtp, rtcp, nil
}

func (p *ports) pop() (uint16, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.free) == 0 {
		return 0, false
	}
	port := p.free[0]
	p.free = p.free[1:]
	return port, true
}

// give takes a pair back whose sockets are closed.
func (p *ports) give(port uint16) {
	if p.first == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = append(p.free, port)
}
