//go:build unix

package command

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// isolate gives the program a process group of its own, and has the whole group ended with
// it when its time is over.
func isolate(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error {
		if err := kill(cmd.Process.Pid); !errors.Is(err, syscall.ESRCH) {
			return err
		}
		return os.ErrProcessDone
	}
}

// end ends what a program that did not do well may have left behind.
func end(cmd *exec.Cmd) { _ = kill(cmd.Process.Pid) } // mostly there is nothing

func kill(group int) error { return syscall.Kill(-group, syscall.SIGKILL) }
