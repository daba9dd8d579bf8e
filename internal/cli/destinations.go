package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"tidings/internal/admin"
)

type destinationsCmds struct {
	List destinationsListCmd `cmd:"" help:"List every event destination, how it is doing, and the bindings in force."`
	Test destinationsTestCmd `cmd:"" help:"Deliver one made-up event to an ARN, through whatever is bound to it."`
}

type destinationsListCmd struct {
	remote
	JSON bool `name:"json" help:"Print everything that is known, one JSON object a line."`
}

func (c destinationsListCmd) Run(ctx context.Context, w World) error {
	list, err := c.client(w).Destinations(ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		return printLines(w, list.Destinations)
	}
	return printDestinations(w.Stdout, list)
}

func printDestinations(out io.Writer, list admin.DestinationList) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, err := fmt.Fprintln(table, "STATE\tDESTINATION\tTARGET\tDRIVER\tDELIVERED\tWAITING\tLAG\tLAST ERROR")
	for _, d := range list.Destinations {
		if err != nil {
			return err
		}
		lag := "-"
		if !d.Oldest.IsZero() {
			lag = time.Duration(d.Lag * float64(time.Second)).Round(time.Second).String()
		}
		_, err = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\t%d\t%s\t%s\n",
			d.State, d.Destination, d.Target, d.Driver, d.Delivered, d.Pending+d.Parked, lag, d.LastError)
	}
	if err == nil {
		err = table.Flush()
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, "\nBindings, the first match wins:")
	for _, b := range list.Bindings {
		if err == nil {
			_, err = fmt.Fprintln(out, " ", b)
		}
	}
	return err
}

type destinationsTestCmd struct {
	remote
	Role string `placeholder:"ARN" help:"Role to publish with; without it, that of an event destination with this ARN."`
	JSON bool   `name:"json" help:"Print JSON."`
	ARN  string `arg:"" name:"arn" help:"Of a topic, a delivery stream, a log group, …"`
}

func (c destinationsTestCmd) Run(ctx context.Context, w World) error {
	result, err := c.client(w).Test(ctx, admin.Trial{ARN: c.ARN, Role: c.Role})
	if err != nil {
		return err
	}
	took := time.Duration(result.Took * float64(time.Second)).Round(10 * time.Microsecond)
	switch {
	case c.JSON:
		err = json.NewEncoder(w.Stdout).Encode(result)
	case result.Error == "":
		_, err = fmt.Fprintf(w.Stdout, "delivered by %s in %v: %s\n", result.Driver, took, result.Record)
	}
	if err != nil {
		return err
	}
	if result.Error != "" {
		verdict := "would be tried again"
		if result.Final {
			verdict = "would become a dead letter"
		}
		return fmt.Errorf("not delivered by %s after %v (an event %s): %s", result.Driver, took, verdict, result.Error)
	}
	return nil
}

type replayCmd struct {
	remote
	From        string   `required:"" placeholder:"WHEN" help:"Events committed since: a duration before now (1h), or a time (2026-11-21T10:00:00Z)."`
	To          string   `placeholder:"WHEN" help:"Events committed until then; without it, now."`
	Type        []string `placeholder:"TYPE" help:"Only events of these types: voice.completed, voice.*."`
	Destination string   `placeholder:"NAME" help:"Only to this event destination, as destinations list prints it; a star at the end stands for anything."`
	Message     string   `placeholder:"ID" help:"Only events of this message."`
	JSON        bool     `name:"json" help:"Print JSON."`
}

func (c replayCmd) Run(ctx context.Context, w World) error {
	done, err := c.client(w).Replay(ctx, admin.Replay{
		From: c.From, To: c.To, Types: c.Type, Destination: c.Destination, Message: c.Message,
	})
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(w.Stdout).Encode(done)
	}
	_, err = fmt.Fprintf(w.Stdout, "%d events, %d deliveries on their way again with the IDs they had\n", done.Events, done.Deliveries)
	return err
}
