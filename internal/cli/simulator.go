package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"tidings/internal/event"
	"tidings/internal/simulator"
)

type simulatorCmds struct {
	Numbers simulatorNumbersCmd `cmd:"" help:"List the simulated phones and what each does."`
}

type simulatorNumbersCmd struct {
	JSON bool `name:"json" help:"Print JSON."`
}

func (c simulatorNumbersCmd) Run(w World) error {
	if c.JSON {
		return writeNumbersJSON(w.Stdout)
	}
	table := tabwriter.NewWriter(w.Stdout, 0, 0, 2, ' ', 0)
	for _, n := range simulator.Numbers() {
		end := n.Events[len(n.Events)-1]
		if _, err := fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", n.Number, n.Behavior, end, n.Description); err != nil {
			return err
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w.Stdout, "\nEvery other area code has the same phones. Any other number answers.")
	return err
}

func writeNumbersJSON(out io.Writer) error {
	type number struct {
		Number      string       `json:"number"`
		Behavior    string       `json:"behavior"`
		Description string       `json:"description"`
		Events      []event.Type `json:"events"`
	}
	var all []number
	for _, n := range simulator.Numbers() {
		all = append(all, number{n.Number, n.Behavior, n.Description, n.Events})
	}
	pretty := json.NewEncoder(out)
	pretty.SetIndent("", "  ")
	return pretty.Encode(all)
}
