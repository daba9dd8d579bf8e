//go:build unix

package espeak

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// isolate gives the program a process group of its own and ends the whole group with it,
// so that nothing it might have started stays behind.
func isolate(cmd *exec.Cmd) {
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error {
		err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		if errors.Is(err, syscall.ESRCH) {
			return os.ErrProcessDone
		}
		return err
	}
}
