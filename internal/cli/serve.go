package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"tidings/internal/app"
)

type serveCmd struct {
	settings
}

// Run serves until ctx ends. Once everything listens, it says so on standard output: a
// sentence on a terminal, one JSON object otherwise, so that a script can wait for it.
func (c serveCmd) Run(ctx context.Context, w World) error {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP) // from the start: unheard, it would end the process
	defer signal.Stop(hangups)
	cfg, err := c.load(w)
	if err != nil {
		return err
	}
	tuning, tuned := context.WithCancel(ctx)
	defer tuned()
	tuneRuntime(tuning, w.Getenv)
	log := newLogger(w.Stderr, cfg.Log.Level, cfg.Log.Format)
	a, err := app.New(ctx, cfg, w.Version, log)
	if err != nil {
		return err
	}
	if err := sayReady(w.Stdout, a); err != nil {
		return err
	}
	watching, stop := context.WithCancel(ctx)
	var watcher sync.WaitGroup
	watcher.Go(func() {
		watch(watching, c.file(w), hangups, func() { _ = a.Reload(c.load(w)) }) // it has logged what was wrong
	})
	err = a.Run(ctx)
	stop()
	watcher.Wait()
	return err
}

func sayReady(out io.Writer, a *app.App) error {
	if isTerminal(out) {
		_, err := fmt.Fprintf(out, "Tidings serves the AWS API at %s and operators at %s. Stop it with Ctrl-C.\n", a.APIURL(), a.AdminURL())
		return err
	}
	return json.NewEncoder(out).Encode(struct {
		Ready      bool   `json:"ready"`
		API        string `json:"api"`
		Admin      string `json:"admin"`
		Submission string `json:"submission,omitempty"`
		Bounces    string `json:"bounces,omitempty"`
		Tracking   string `json:"tracking,omitempty"`
	}{true, a.APIURL(), a.AdminURL(), a.SMTPAddress("submission"), a.SMTPAddress("bounces"), a.TrackingURL()})
}
