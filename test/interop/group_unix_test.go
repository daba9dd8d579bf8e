//go:build unix

package interop

import (
	"os/exec"
	"syscall"
)

// alone gives the program a process group of its own, for what it will start.
func alone(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// signalAll signals the program's group.
func signalAll(cmd *exec.Cmd, s syscall.Signal) { _ = syscall.Kill(-cmd.Process.Pid, s) }
