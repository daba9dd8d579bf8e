package cli

import (
	"context"

	"tidings/internal/awscli"
)

type exportCmds struct {
	Pinpoint exportPinpointCmd `cmd:"" help:"Apps and event streams, as aws pinpoint get-apps and get-event-stream print them."`
	SMSVoice exportSMSVoiceCmd `cmd:"" name:"sms-voice" help:"Configuration sets and event destinations, as aws pinpoint-sms-voice prints them."`
	SES      exportSESCmd      `cmd:"" name:"ses" help:"Configuration sets and event destinations, as aws ses prints them."`
}

type exportPinpointCmd struct{ exporting }

func (c exportPinpointCmd) Run(ctx context.Context, w World) error {
	return c.run(ctx, w, awscli.Pinpoint)
}

type exportSMSVoiceCmd struct{ exporting }

func (c exportSMSVoiceCmd) Run(ctx context.Context, w World) error {
	return c.run(ctx, w, awscli.SMSVoice)
}

type exportSESCmd struct{ exporting }

func (c exportSESCmd) Run(ctx context.Context, w World) error { return c.run(ctx, w, awscli.SES) }

// exporting are the flags of all exports.
type exporting struct {
	remote
	Account string `placeholder:"ID" help:"Whose; needed if there is something of several."`
	Region  string `help:"In which region; likewise."`
}

func (c exporting) run(ctx context.Context, w World, service awscli.Service) error {
	b, err := c.client(w).Export(ctx, service, awscli.Owner{Account: c.Account, Region: c.Region})
	if err != nil {
		return err
	}
	return awscli.Print(w.Stdout, b)
}
