//go:build unix

package rtpaudio

import "syscall"

// unread is the size of the datagram that waits in a socket, -1 if none does.
func unread(c syscall.RawConn) (n int) {
	err := c.Control(func(fd uintptr) {
		var err error
		if n, _, err = syscall.Recvfrom(int(fd), make([]byte, 2000), syscall.MSG_DONTWAIT|syscall.MSG_PEEK); err != nil {
			n = -1
		}
	})
	if err != nil {
		return -1
	}
	return n
}
