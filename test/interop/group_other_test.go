//go:build !unix

package interop

import (
	"os/exec"
	"syscall"
)

// The programs that are called run on Unix only, so there is never one to signal.
func alone(*exec.Cmd) {}

func signalAll(cmd *exec.Cmd, _ syscall.Signal) { _ = cmd.Process.Kill() }
