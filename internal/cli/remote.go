package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"text/tabwriter"

	"tidings/internal/admin"
)

// remote are the flags of commands that talk to a running server.
type remote struct {
	Admin string `default:"http://127.0.0.1:4571" placeholder:"URL" help:"The server's admin listener (${default})."`
	Token string `placeholder:"TOKEN" help:"Its admin token (or TIDINGS_ADMIN_TOKEN)."`
}

func (r remote) client(w World) *admin.Client {
	token := r.Token
	if token == "" {
		token = w.Getenv("TIDINGS_ADMIN_TOKEN")
	}
	return &admin.Client{URL: r.Admin, Token: token}
}

// printLines prints whole entries, one JSON object a line.
func printLines[T any](w World, all []T) error {
	out := json.NewEncoder(w.Stdout)
	for i := range all {
		if err := out.Encode(all[i]); err != nil {
			return err
		}
	}
	return nil
}

type eventsCmds struct {
	Tail eventsTailCmd `cmd:"" help:"Print events as they happen."`
}

type eventsTailCmd struct {
	remote
	Since    string `placeholder:"WHEN" help:"Begin this long ago (10m) or at this time (2026-11-21T10:00:00Z); without it, now."`
	NoFollow bool   `help:"Stop at the end of the log."`
	JSON     bool   `name:"json" help:"Print whole events, one JSON object a line."`
}

func (c eventsTailCmd) Run(ctx context.Context, w World) error {
	out := json.NewEncoder(w.Stdout)
	return c.client(w).Tail(ctx, c.Since, !c.NoFollow, func(e admin.Entry) error {
		if c.JSON {
			return out.Encode(e)
		}
		set := e.Set
		if set == "" {
			set = "-"
		}
		_, err := fmt.Fprintf(w.Stdout, "%s  %-16s  %s  %s/%s  %s\n",
			e.Committed.UTC().Format("2006-01-02T15:04:05.000Z"), e.Type, e.Message, e.Account, e.Region, set)
		return err
	})
}

type deadLetterCmds struct {
	List   deadLetterListCmd   `cmd:"" help:"List deliveries that were given up."`
	Retry  deadLetterRetryCmd  `cmd:"" help:"Deliver them again."`
	Delete deadLetterDeleteCmd `cmd:"" help:"Delete them. Their events were not delivered and will not be."`
}

type deadLetterListCmd struct {
	remote
	JSON  bool `name:"json" help:"Print whole dead letters, one JSON object a line."`
	Limit int  `default:"1000" help:"How many at most (${default})."`
}

// lettersPerCall is how many dead letters one call of the server returns at most.
const lettersPerCall = 1000

func (c deadLetterListCmd) Run(ctx context.Context, w World) error {
	if c.Limit < 1 {
		return misuse{fmt.Errorf("--limit must be at least 1")}
	}
	client, out := c.client(w), json.NewEncoder(w.Stdout)
	table := tabwriter.NewWriter(w.Stdout, 0, 0, 2, ' ', 0)
	for after, left := "", c.Limit; left > 0; {
		letters, err := client.DeadLetters(ctx, after, min(left, lettersPerCall))
		if err != nil {
			return err
		}
		if len(letters) == 0 {
			break
		}
		for _, l := range letters {
			if c.JSON {
				err = out.Encode(l)
			} else {
				_, err = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d attempts\t%s\n",
					l.ID, l.Died.UTC().Format("2006-01-02T15:04:05Z"), l.Destination, l.Type, l.Attempts, l.Reason)
			}
			if err != nil {
				return err
			}
		}
		after, left = letters[len(letters)-1].ID, left-len(letters)
	}
	return table.Flush()
}

type deadLetterRetryCmd struct {
	remote
	All bool     `help:"All there are."`
	IDs []string `arg:"" optional:"" name:"id" help:"IDs of dead letters, from deadletters list."`
}

func (c deadLetterRetryCmd) Run(ctx context.Context, w World) error {
	if c.All == (len(c.IDs) > 0) {
		return misuse{fmt.Errorf("name dead letters by ID, or say --all")}
	}
	client, retried := c.client(w), 0
	next := func() ([]string, error) {
		if !c.All {
			return c.IDs[retried:], nil
		}
		letters, err := client.DeadLetters(ctx, "", lettersPerCall)
		ids := make([]string, len(letters))
		for i, l := range letters {
			ids[i] = l.ID
		}
		return ids, err
	}
	var last []string
	for {
		ids, err := next()
		if err != nil {
			return err
		}
		// The same page again means that retried letters died anew: stop, do not spin.
		if len(ids) == 0 || slices.Equal(ids, last) {
			break
		}
		if err := client.Retry(ctx, ids...); err != nil {
			return err
		}
		last, retried = ids, retried+len(ids)
	}
	_, err := fmt.Fprintf(w.Stdout, "%d handed to their destinations again\n", retried)
	return err
}

type deadLetterDeleteCmd struct {
	remote
	IDs []string `arg:"" name:"id" help:"IDs of dead letters, from deadletters list."`
}

func (c deadLetterDeleteCmd) Run(ctx context.Context, w World) error {
	if err := c.client(w).Forget(ctx, c.IDs...); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w.Stdout, "%d deleted\n", len(c.IDs))
	return err
}

type statusCmd struct {
	remote
	JSON bool `name:"json" help:"Print JSON."`
}

func (c statusCmd) Run(ctx context.Context, w World) error {
	ready, err := c.client(w).Ready(ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(w.Stdout).Encode(ready)
	}
	table := tabwriter.NewWriter(w.Stdout, 0, 0, 2, ' ', 0)
	names := make([]string, 0, len(ready.Parts))
	for name := range ready.Parts {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		p := ready.Parts[name]
		if _, err := fmt.Fprintf(table, "%s\t%s\t%s\n", name, p.State, p.Detail); err != nil {
			return err
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if !ready.Ready {
		return fmt.Errorf("not ready")
	}
	return nil
}
