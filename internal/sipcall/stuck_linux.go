package sipcall

import (
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// unstick has the system close the connection if the far side takes nothing of what is sent
// for so long (RFC 5482). sipgo writes without a deadline: a call would wait for ever.
func unstick(c *net.TCPConn, after time.Duration) {
	raw, err := c.SyscallConn()
	if err != nil {
		return // it is closed
	}
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(after.Milliseconds()))
	})
}
