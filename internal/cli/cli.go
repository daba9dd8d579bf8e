// Package cli is the command line of Tidings: flags, output and exit codes.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/alecthomas/kong"
)

// Exit codes.
const (
	exitOK      = 0
	exitFailed  = 1 // the command failed
	exitMisused = 2 // the command line or the configuration is wrong
)

// World is all that a command sees of the process it runs in.
type World struct {
	Version string
	Getenv  func(string) string
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer
}

// commands is the command line.
type commands struct {
	Serve        serveCmd         `cmd:"" help:"Run the server."`
	Demo         demoCmd          `cmd:"" help:"Start a server, send a voice message to a simulated phone through the AWS API, and show its events."`
	Events       eventsCmds       `cmd:"" help:"Read the event log of a running server."`
	Deadletters  deadLetterCmds   `cmd:"" help:"List and retry deliveries that were given up."`
	Destinations destinationsCmds `cmd:"" help:"See and try what events are delivered to."`
	Replay       replayCmd        `cmd:"" help:"Deliver events of the log again."`
	Trunks       trunksCmd        `cmd:"" help:"Show the ways into the telephone network and how they are doing."`
	Mail         mailCmds         `cmd:"" help:"Look at simulated mail, and set up real mail."`
	Import       importCmds       `cmd:"" help:"Make what AWS had, from what the AWS CLI has printed of it."`
	Export       exportCmds       `cmd:"" help:"Print what there is, as the AWS CLI would."`
	Status       statusCmd        `cmd:"" help:"Show the state of each part of a running server."`
	Simulator    simulatorCmds    `cmd:"" help:"About the simulated phones."`
	Phone        phoneCmd         `cmd:"" help:"Be a telephone that can be called over SIP, to try calls without a trunk."`
	Config       configCmds       `cmd:"" help:"Print and check configurations."`
	Bench        benchCmds        `cmd:"" help:"Measure a server on this machine."`
	Version      versionCmd       `cmd:"" help:"Print the version."`
}

// misuse is an error in what the user wrote, not in what the program did.
type misuse struct{ error }

func (m misuse) Unwrap() error { return m.error }

// exited carries kong's wish to end the process (after --help) up to Run.
type exited int

// Run runs the command that args say and returns the exit code.
func Run(ctx context.Context, args []string, w World) (code int) {
	defer func() {
		if r := recover(); r != nil {
			asked, ok := r.(exited)
			if !ok {
				panic(r)
			}
			code = int(asked)
		}
	}()
	var all commands
	parser, err := kong.New(&all,
		kong.Name("tidings"),
		kong.Description("Tidings sends messages and tells you what became of them."),
		kong.Writers(w.Stdout, w.Stderr),
		kong.Exit(func(code int) { panic(exited(code)) }),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(w),
		kong.UsageOnError(),
	)
	if err != nil {
		fmt.Fprintln(w.Stderr, "tidings:", err)
		return exitFailed
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(w.Stderr, "tidings: %v (see tidings --help)\n", err)
		return exitMisused
	}
	switch err := parsed.Run(); {
	case err == nil, errors.Is(err, context.Canceled):
		return exitOK
	case isMisuse(err):
		fmt.Fprintf(w.Stderr, "tidings: %v\n", err)
		return exitMisused
	default:
		fmt.Fprintf(w.Stderr, "tidings: %v\n", err)
		return exitFailed
	}
}

func isMisuse(err error) bool {
	_, ok := errors.AsType[misuse](err)
	return ok
}

// isTerminal reports whether w is a terminal.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// newLogger makes the logger that the configuration asks for.
func newLogger(w io.Writer, level, format string) *slog.Logger {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		l = slog.LevelInfo
	}
	options := &slog.HandlerOptions{Level: l}
	if format == "text" || format == "auto" && isTerminal(w) {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}

type versionCmd struct{}

func (versionCmd) Run(w World) error {
	_, err := fmt.Fprintln(w.Stdout, "tidings", w.Version)
	return err
}
