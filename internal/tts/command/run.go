package command

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

const (
	path         = "PATH=/usr/local/bin:/usr/bin:/bin"
	locale       = "LC_ALL=C.UTF-8"
	complaintMax = 1 << 10     // bytes that are kept of what the program writes to standard error
	patience     = time.Second // that is waited for what a program has left behind
)

var (
	errSilent  = errors.New("it wrote no sound")
	errHolding = errors.New("it has ended, but a process that it started still holds its output")
)

// run starts the program with input on its standard input, and returns what it writes.
func (e *engine) run(ctx context.Context, input string, args []string) (*output, error) {
	ctx, cancel := context.WithTimeout(ctx, e.options.Timeout)
	defer cancel()
	out := &output{most: e.options.MaxBytes, full: cancel}
	complaint := &tail{most: complaintMax}
	cmd := exec.CommandContext(ctx, e.path, args...)
	cmd.Env = append([]string{path, locale}, e.options.Env...)
	cmd.Stdin = strings.NewReader(input) // a program that does not read it all is no error
	cmd.Stdout, cmd.Stderr = out, complaint
	cmd.WaitDelay = patience
	isolate(cmd)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	err := cmd.Wait()
	if err != nil {
		end(cmd)
	}
	switch {
	case out.overflowed:
		return out, nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return nil, complaint.explain(fmt.Errorf("stopped after %v at the most: %w", e.options.Timeout, ctx.Err()))
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, exec.ErrWaitDelay):
		return nil, errHolding
	case err != nil:
		return nil, complaint.explain(err)
	case len(out.data) == 0:
		return nil, complaint.explain(errSilent)
	}
	return out, nil
}

// output keeps what is written to it up to a number of bytes.
type output struct {
	most       int
	full       func() // called when more comes
	data       []byte
	overflowed bool
}

// Write never fails: an error would make exec report it in place of the program's own.
func (o *output) Write(p []byte) (int, error) {
	keep := min(len(p), o.most-len(o.data))
	o.data = append(o.data, p[:keep]...)
	if keep < len(p) && !o.overflowed {
		o.overflowed = true
		o.full()
	}
	return len(p), nil
}

// tail keeps the last bytes of what is written to it: that is where programs say why they
// gave up.
type tail struct {
	most int
	data []byte
}

// Write never fails.
func (t *tail) Write(p []byte) (int, error) {
	t.data = append(t.data, p[max(0, len(p)-t.most):]...)
	t.data = t.data[max(0, len(t.data)-t.most):]
	return len(p), nil
}

// explain adds what the program wrote to an error.
func (t *tail) explain(err error) error {
	said := strings.TrimSpace(strings.ToValidUTF8(string(t.data), "?"))
	if said == "" {
		return err
	}
	return fmt.Errorf("%w: %s", err, said)
}
