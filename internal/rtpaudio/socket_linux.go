//go:build !portable

package rtpaudio

import (
	"fmt"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Errors of sockets that are told apart.
var (
	errPortTaken = unix.EADDRINUSE
	errRefused   = unix.ECONNREFUSED // an ICMP port unreachable came back for an earlier packet
)

// expedited is the class of service of telephone sound: DSCP EF (RFC 3246), as the upper
// six bits of the former type of service.
const expedited = 46 << 2

// socket is a UDP socket outside of Go's poller, which would wake a goroutine for every
// packet heard. It never blocks. Only one thread may use it at a time; above all, no
// other one may close it, since the number of a closed descriptor is given out again.
type socket struct {
	fd    int
	local uint16
	six   bool // IPv6, perhaps with IPv4 inside
}

// listen opens a socket. The port 0 lets the system choose.
func listen(at netip.AddrPort, buffer int) (*socket, error) {
	s := &socket{six: at.Addr().Is6()}
	family := unix.AF_INET
	if s.six {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_UDP)
	if err != nil {
		return nil, fmt.Errorf("rtp: open a socket: %w", err)
	}
	s.fd = fd
	if err := s.bind(at, buffer); err != nil {
		s.close()
		return nil, fmt.Errorf("rtp: listen on %v: %w", at, err)
	}
	return s, nil
}

func (s *socket) bind(at netip.AddrPort, buffer int) error {
	// None of these decides whether the socket works, so their failure is not one.
	_ = unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_RCVBUF, buffer)
	_ = unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1)
	var name unix.Sockaddr
	if s.six {
		_ = unix.SetsockoptInt(s.fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0)
		_ = unix.SetsockoptInt(s.fd, unix.IPPROTO_IPV6, unix.IPV6_TCLASS, expedited)
		name = &unix.SockaddrInet6{Port: int(at.Port()), Addr: at.Addr().As16()}
	} else {
		name = &unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}
	}
	_ = unix.SetsockoptInt(s.fd, unix.IPPROTO_IP, unix.IP_TOS, expedited)
	if err := unix.Bind(s.fd, name); err != nil {
		return err
	}
	name, err := unix.Getsockname(s.fd)
	if err != nil {
		return err
	}
	switch name := name.(type) {
	case *unix.SockaddrInet4:
		s.local = uint16(name.Port)
	case *unix.SockaddrInet6:
		s.local = uint16(name.Port)
	}
	return nil
}

func (s *socket) port() uint16 { return s.local }

func (s *socket) close() { _ = unix.Close(s.fd) }

// address is where a socket sends to, as the kernel wants it.
type address struct {
	raw  unix.RawSockaddrInet6 // an IPv4 address uses the beginning
	size uintptr
}

// address prepares an address of the socket's family.
func (s *socket) address(to netip.AddrPort) (a address) {
	port := swap(to.Port())
	if s.six {
		a.raw = unix.RawSockaddrInet6{Family: unix.AF_INET6, Port: port, Addr: to.Addr().As16()}
		a.size = unix.SizeofSockaddrInet6
		return a
	}
	four := (*unix.RawSockaddrInet4)(unsafe.Pointer(&a.raw))
	*four = unix.RawSockaddrInet4{Family: unix.AF_INET, Port: port, Addr: to.Addr().Unmap().As4()}
	a.size = unix.SizeofSockaddrInet4
	return a
}

// connect lets the socket hear nobody but to, and send to it without a look at the
// routing table for each packet.
func (s *socket) connect(to *address) error {
	return failed(unix.RawSyscall(unix.SYS_CONNECT, uintptr(s.fd), uintptr(unsafe.Pointer(&to.raw)), to.size))
}

// disconnect undoes connect.
func (s *socket) disconnect() error {
	nobody := unix.RawSockaddrInet6{Family: unix.AF_UNSPEC}
	return failed(unix.RawSyscall(unix.SYS_CONNECT, uintptr(s.fd), uintptr(unsafe.Pointer(&nobody)), unix.SizeofSockaddrInet4))
}

// send sends one datagram; to nil means where the socket is connected to. The call never
// blocks, so Go's scheduler is not told of it.
func (s *socket) send(b []byte, to *address) error {
	var name unsafe.Pointer
	var size uintptr
	if to != nil {
		name, size = unsafe.Pointer(&to.raw), to.size
	}
	_, _, e := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(s.fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)),
		unix.MSG_NOSIGNAL, uintptr(name), size)
	if e != 0 {
		return e
	}
	return nil
}

func failed(_, _ uintptr, e unix.Errno) error {
	if e != 0 {
		return e
	}
	return nil
}
