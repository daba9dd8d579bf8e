package cli

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"tidings/internal/admin"
)

type trunksCmd struct {
	remote
	JSON bool `name:"json" help:"Print everything that is known, one JSON object a line."`
}

func (c trunksCmd) Run(ctx context.Context, w World) error {
	trunks, err := c.client(w).Trunks(ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		return printLines(w, trunks)
	}
	if len(trunks) == 0 {
		_, err := fmt.Fprintln(w.Stdout, "There are no trunks: calls go to simulated phones. See docs/telephony.md.")
		return err
	}
	return printTrunks(w, trunks)
}

func printTrunks(w World, trunks []admin.Trunk) error {
	table := tabwriter.NewWriter(w.Stdout, 0, 0, 2, ' ', 0)
	_, err := fmt.Fprintln(table, "STATE\tTRUNK\tSERVER\tPREFIXES\tCALLS\tREGISTERED UNTIL\tROUND TRIP\tLAST ERROR")
	for i := range trunks {
		if err != nil {
			return err
		}
		t := &trunks[i]
		calls := fmt.Sprint(t.Calls)
		if t.MaxCalls > 0 {
			calls += fmt.Sprintf(" of %d", t.MaxCalls)
		}
		registered, roundTrip := "-", "-"
		if t.Registered != nil {
			registered = t.Registered.Format(time.TimeOnly)
		}
		if t.RoundTrip > 0 {
			roundTrip = time.Duration(t.RoundTrip * float64(time.Second)).Round(10 * time.Microsecond).String()
		}
		_, err = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", t.State, t.Name, t.Server+" ("+t.Transport+")",
			strings.Join(t.Prefixes, " "), calls, registered, roundTrip, t.LastError)
	}
	if err == nil {
		err = table.Flush()
	}
	return err
}
