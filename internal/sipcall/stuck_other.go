//go:build !linux

package sipcall

import (
	"net"
	"time"
)

// unstick does nothing: the system closes a stuck connection when it thinks fit.
func unstick(*net.TCPConn, time.Duration) {}
