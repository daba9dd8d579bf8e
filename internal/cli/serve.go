package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"tidings/internal/app"
)

type serveCmd struct {
	settings
}

// Run serves until ctx ends. Once everything listens, it says so on standard output: a
// sentence on a terminal, one JSON object otherwise, so that a script can wait for it.
func (c serveCmd) Run(ctx context.Context, w World) error {
	cfg, err := c.load(w)
	if err != nil {
		return err
	}
	log := newLogger(w.Stderr, cfg.Log.Level, cfg.Log.Format)
	a, err := app.New(ctx, cfg, w.Version, log)
	if err != nil {
		return err
	}
	if err := sayReady(w.Stdout, a); err != nil {
		return err
	}
	return a.Run(ctx)
}

func sayReady(out io.Writer, a *app.App) error {
	if isTerminal(out) {
		_, err := fmt.Fprintf(out, "Tidings serves the AWS API at %s and operators at %s. Stop it with Ctrl-C.\n", a.APIURL(), a.AdminURL())
		return err
	}
	return json.NewEncoder(out).Encode(struct {
		Ready bool   `json:"ready"`
		API   string `json:"api"`
		Admin string `json:"admin"`
	}{true, a.APIURL(), a.AdminURL()})
}
