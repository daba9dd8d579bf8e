//go:build !linux || portable

package rtpaudio

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// This is for systems that calls are tried on, not placed from by the thousand: sockets of
// package net, and a goroutine for each that reads. With the build tag portable it is used on Linux
// too, so that it can be tested there.

// Errors of sockets that are told apart.
var (
	errPortTaken = syscall.EADDRINUSE
	errRefused   = syscall.ECONNREFUSED
)

// batch is how many datagrams are taken from a socket at a time.
const batch = 16

// waiting is how many datagrams wait to be taken; what comes then is lost.
const waiting = 64

// socket is a UDP socket that never blocks.
type socket struct {
	conn  *net.UDPConn
	local uint16
	ended sync.WaitGroup

	mu      sync.Mutex
	arrived []arrival
}

// listen opens a socket. The port 0 lets the system choose. Its buffer is in this process.
func listen(at netip.AddrPort, _ int) (*socket, error) {
	network := "udp4"
	if at.Addr().Is6() {
		network = "udp"
	}
	conn, err := net.ListenUDP(network, net.UDPAddrFromAddrPort(at))
	if err != nil {
		return nil, fmt.Errorf("rtp: %w", err)
	}
	s := &socket{conn: conn, local: uint16(conn.LocalAddr().(*net.UDPAddr).Port)}
	s.ended.Go(s.read)
	return s, nil
}

// read keeps what comes until it is taken.
func (s *socket) read() {
	b := make([]byte, maxDatagram+1)
	for {
		n, from, err := s.conn.ReadFromUDPAddrPort(b)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // of an earlier packet
			continue
		}
		a := arrival{from: plain(from), at: time.Now()}
		if n <= maxDatagram {
			a.data = append([]byte(nil), b[:n]...)
		}
		s.mu.Lock()
		if len(s.arrived) < waiting {
			s.arrived = append(s.arrived, a)
		}
		s.mu.Unlock()
	}
}

func (s *socket) port() uint16 { return s.local }

func (s *socket) close() {
	_ = s.conn.Close()
	s.ended.Wait()
}

// address is where a socket sends to.
type address struct{ to netip.AddrPort }

func (s *socket) address(to netip.AddrPort) address { return address{to: to} }

// connect and disconnect do nothing: Stream looks at every sender anyway.
func (s *socket) connect(*address) error { return errors.ErrUnsupported }
func (s *socket) disconnect() error      { return nil }

// send sends one datagram.
func (s *socket) send(b []byte, to *address) error {
	_, err := s.conn.WriteToUDPAddrPort(b, to.to)
	return err
}

// inbox is the memory into which a thread receives.
type inbox struct{ got [batch]arrival }

func newInbox() *inbox { return &inbox{} }

// receive takes what has arrived, at most a batch.
func (s *socket) receive(in *inbox) []arrival {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := copy(in.got[:], s.arrived)
	s.arrived = s.arrived[:copy(s.arrived, s.arrived[n:])]
	return in.got[:n]
}
