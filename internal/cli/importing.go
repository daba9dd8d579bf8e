package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"tidings/internal/admin"
	"tidings/internal/awscli"
)

type importCmds struct {
	Pinpoint importPinpointCmd `cmd:"" help:"Apps and event streams: what aws pinpoint get-apps and get-event-stream have printed."`
	SMSVoice importSMSVoiceCmd `cmd:"" name:"sms-voice" help:"Configuration sets and event destinations: what aws pinpoint-sms-voice list-configuration-sets and get-configuration-set-event-destinations have printed."`
	SES      importSESCmd      `cmd:"" name:"ses" help:"Configuration sets and event destinations: what aws ses list-configuration-sets and describe-configuration-set have printed."`
}

// importing are the flags of all imports.
type importing struct {
	remote
	DryRun  bool     `help:"Change nothing, and print what would be."`
	Replace bool     `help:"Change what exists and differs. Without it, that is left alone."`
	JSON    bool     `name:"json" help:"Print one JSON object a line."`
	Files   []string `arg:"" name:"file" help:"Files; - for standard input. They are read together."`
}

type importPinpointCmd struct {
	importing
	Account string `placeholder:"ID" help:"Whose the apps become; without it, whose their ARNs say they are."`
	Region  string `help:"In which region; without it, that of their ARNs."`
}

func (c importPinpointCmd) Run(ctx context.Context, w World) error {
	return c.run(ctx, w, &awscli.Reader{Service: awscli.Pinpoint, Account: c.Account, Region: c.Region})
}

// owned are the flags of imports whose files do not say whose everything is.
type owned struct {
	Account string `required:"" placeholder:"ID" help:"Whose the configuration sets become: no file says."`
	Region  string `required:"" help:"In which region."`
}

type importSMSVoiceCmd struct {
	importing
	owned
	Set string `placeholder:"NAME" help:"The configuration set of the event destinations, if their file is not named after it (NAME.json): AWS does not print it."`
}

func (c importSMSVoiceCmd) Run(ctx context.Context, w World) error {
	return c.run(ctx, w, &awscli.Reader{Service: awscli.SMSVoice, Account: c.Account, Region: c.Region, Set: c.Set})
}

type importSESCmd struct {
	importing
	owned
}

func (c importSESCmd) Run(ctx context.Context, w World) error {
	return c.run(ctx, w, &awscli.Reader{Service: awscli.SES, Account: c.Account, Region: c.Region})
}

func (c importing) run(ctx context.Context, w World, r *awscli.Reader) error {
	b, warnings, err := readSaved(w, r, c.Files)
	if err != nil {
		return err
	}
	done, err := c.client(w).Import(ctx, admin.Import{Batch: b, DryRun: c.DryRun, Replace: c.Replace})
	if err != nil {
		return err
	}
	for _, warning := range append(warnings, done.Warnings...) {
		fmt.Fprintln(w.Stderr, "warning:", warning)
	}
	if c.JSON {
		if err := printLines(w, done.Items); err != nil {
			return err
		}
	} else if err := c.print(w.Stdout, done); err != nil {
		return err
	}
	if n := done.Count(admin.ImportRefused); n > 0 {
		return fmt.Errorf("%d refused", n)
	}
	return nil
}

// maxSavedFile bounds one file.
const maxSavedFile = 64 << 20

// readSaved reads all files, and reports the problems of all of them.
func readSaved(w World, r *awscli.Reader, files []string) (awscli.Batch, []string, error) {
	var wrong []error
	for _, name := range files {
		text, err := readFile(w, name)
		if err == nil {
			err = r.Add(name, text)
		}
		wrong = append(wrong, err)
	}
	if err := errors.Join(wrong...); err != nil {
		return awscli.Batch{}, nil, err
	}
	return r.Finish()
}

func readFile(w World, name string) (text []byte, err error) {
	in := w.Stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	text, err = io.ReadAll(io.LimitReader(in, maxSavedFile+1))
	if err == nil && len(text) > maxSavedFile {
		err = fmt.Errorf("%s: a file has at most %d MiB", name, maxSavedFile>>20)
	}
	return text, err
}

// print writes a line for each thing, below it what differs, and a sum.
func (c importing) print(out io.Writer, done admin.Imported) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, item := range done.Items {
		line := fmt.Sprintf("%s\t%s\t%s/%s/%s", item.Result, item.Kind, item.Account, item.Region, item.Name)
		if item.Reason != "" {
			line += "\t" + item.Reason
		}
		if _, err := fmt.Fprintln(table, line); err != nil {
			return err
		}
		for _, d := range item.Changes {
			if _, err := fmt.Fprintf(table, "\t  %s\t%s -> %s\n", d.Member, orNone(d.Old), orNone(d.New)); err != nil {
				return err
			}
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(out, c.sum(done))
	return err
}

func orNone(s string) string {
	if s == "" {
		return "(none)"
	}
	return s
}

// sum says in one line what became of all.
func (c importing) sum(done admin.Imported) string {
	var parts []string
	for _, result := range []admin.ImportResult{
		admin.ImportCreated, admin.ImportWouldCreate, admin.ImportUnchanged, admin.ImportChanged, admin.ImportWouldChange, admin.ImportRefused,
	} {
		if n := done.Count(result); n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, result))
		}
	}
	sum := "nothing to import"
	if len(parts) > 0 {
		sum = strings.Join(parts, ", ")
	}
	switch {
	case c.DryRun:
		sum += " (dry run: nothing was changed)"
	case done.Count(admin.ImportWouldChange) > 0:
		sum += " (left alone; --replace changes them)"
	}
	return sum
}
