//go:build !portable

package rtpaudio

import (
	"encoding/binary"
	"net/netip"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// batch is how many datagrams one system call takes from a socket.
const batch = 16

// inbox is the memory into which a thread receives.
type inbox struct {
	got     [batch]arrival
	headers [batch]header
	vectors [batch]unix.Iovec
	names   [batch]unix.RawSockaddrInet6
	control [batch][64]byte
	data    [batch][maxDatagram]byte
}

// header is the kernel's struct mmsghdr.
type header struct {
	unix.Msghdr
	size uint32
}

func newInbox() *inbox {
	in := &inbox{}
	for i := range batch {
		in.vectors[i].Base = &in.data[i][0]
		in.vectors[i].SetLen(maxDatagram)
		h := &in.headers[i]
		h.Name = (*byte)(unsafe.Pointer(&in.names[i]))
		h.Iov = &in.vectors[i]
		h.SetIovlen(1)
		h.Control = &in.control[i][0]
	}
	return in
}

// receive takes what has arrived, at most a batch. It never blocks; what it returns is
// valid until the next call with the same inbox.
func (s *socket) receive(in *inbox) []arrival {
	for i := range in.headers {
		h := &in.headers[i]
		h.Namelen, h.Flags = unix.SizeofSockaddrInet6, 0
		h.SetControllen(len(in.control[i]))
	}
	n, _, e := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&in.headers)), batch, unix.MSG_DONTWAIT, 0, 0)
	if e == errRefused { // of an earlier packet; asking has taken the error away
		n, _, e = unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&in.headers)), batch, unix.MSG_DONTWAIT, 0, 0)
	}
	if e != 0 {
		return nil
	}
	for i := range int(n) {
		in.got[i] = in.arrival(i)
	}
	return in.got[:n]
}

func (in *inbox) arrival(i int) arrival {
	h := &in.headers[i]
	a := arrival{from: in.source(i), at: in.stamp(i)}
	if h.Flags&unix.MSG_TRUNC == 0 {
		a.data = in.data[i][:min(h.size, maxDatagram)]
	}
	return a
}

// source is who sent datagram i.
func (in *inbox) source(i int) netip.AddrPort {
	name := &in.names[i]
	if name.Family == unix.AF_INET {
		four := (*unix.RawSockaddrInet4)(unsafe.Pointer(name))
		return netip.AddrPortFrom(netip.AddrFrom4(four.Addr), swap(four.Port))
	}
	return netip.AddrPortFrom(netip.AddrFrom16(name.Addr).Unmap(), swap(name.Port))
}

// stamp is when datagram i came, by the kernel's clock: it lies in the socket for up to
// 200 ms before it is read.
func (in *inbox) stamp(i int) time.Time {
	c := (*unix.Cmsghdr)(unsafe.Pointer(&in.control[i]))
	if in.headers[i].Controllen >= unix.SizeofCmsghdr && c.Level == unix.SOL_SOCKET && c.Type == unix.SCM_TIMESTAMPNS {
		ts := (*unix.Timespec)(unsafe.Pointer(&in.control[i][unix.CmsgLen(0)]))
		return time.Unix(ts.Unix())
	}
	return time.Now()
}

// swap turns the order of a port's bytes from ours to the network's, or back.
func swap(port uint16) uint16 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], port)
	return binary.NativeEndian.Uint16(b[:])
}
