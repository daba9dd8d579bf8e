package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"tidings/internal/admin"
	"tidings/internal/app"
	"tidings/internal/config"
	"tidings/internal/quota"
)

type demoCmd struct {
	Data string `default:"tidings-demo" placeholder:"DIR" help:"Where the demo keeps its data (${default})."`
}

// The demo's resources.
const (
	demoRegion  = "us-east-1"
	demoAccount = "123456789012"
	demoSet     = "demo"
	demoPhone   = "+12065550100"
	demoText    = "Hello from Tidings. Your appointment is tomorrow at nine thirty in the morning."
)

// demoDestinations are the three kinds of destination that a configuration set may have.
var demoDestinations = []struct {
	name   string
	member string
	arns   map[string]string
}{
	{"alerts", "SnsDestination", map[string]string{"TopicArn": "arn:aws:sns:us-east-1:123456789012:alerts"}},
	{"calls", "KinesisFirehoseDestination", map[string]string{
		"DeliveryStreamArn": "arn:aws:firehose:us-east-1:123456789012:deliverystream/calls",
		"IamRoleArn":        "arn:aws:iam::123456789012:role/tidings",
	}},
	{"audit", "CloudWatchLogsDestination", map[string]string{
		"LogGroupArn": "arn:aws:logs:us-east-1:123456789012:log-group:audit",
		"IamRoleArn":  "arn:aws:iam::123456789012:role/tidings",
	}},
}

// Run starts a server on free loopback ports, does what a new user would do, and shows
// what happened.
func (c demoCmd) Run(ctx context.Context, w World) error {
	cfg := config.Default()
	cfg.Listen, cfg.Admin, cfg.Data = "127.0.0.1:0", "127.0.0.1:0", c.Data
	cfg.Quotas = quota.Off // a demo may be run as often as one likes
	cfg.Voice.Simulator.Speed = 4
	if err := cfg.Validate(w.Getenv); err != nil {
		return err
	}
	a, err := app.New(ctx, cfg, w.Version, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	serving, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- a.Run(serving) }()

	d := demo{
		out: w.Stdout, data: c.Data, url: a.APIURL(),
		api:   newAPIClient(a.APIURL(), http.DefaultClient),
		admin: &admin.Client{URL: a.AdminURL()},
	}
	err = d.run(ctx)
	stop()
	return errors.Join(err, <-done)
}

type demo struct {
	out   io.Writer
	data  string
	url   string
	api   *apiClient
	admin *admin.Client
}

func (d *demo) say(format string, args ...any) { _, _ = fmt.Fprintf(d.out, format+"\n", args...) }

func (d *demo) run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	ready, err := d.admin.Ready(ctx)
	if err != nil {
		return err
	}
	d.say("Tidings serves the AWS API at %s", d.url)
	d.say("  speech: %s", ready.Parts["speech"].Detail)
	if err := d.configure(ctx); err != nil {
		return err
	}
	id, err := d.send(ctx)
	if err != nil {
		return err
	}
	if err := d.watch(ctx, id); err != nil {
		return err
	}
	if err := d.showDestinations(ctx, id); err != nil {
		return err
	}
	d.showRecording(id)
	d.next()
	return nil
}

const setsPath = "/v1/sms-voice/configuration-sets"

// configure creates the configuration set and its destinations, if an earlier demo has not.
func (d *demo) configure(ctx context.Context) error {
	d.say("\nA configuration set with three event destinations:")
	if err := d.create(ctx, setsPath, map[string]string{"ConfigurationSetName": demoSet}); err != nil {
		return err
	}
	for _, dest := range demoDestinations {
		err := d.create(ctx, setsPath+"/"+demoSet+"/event-destinations", map[string]any{
			"EventDestinationName": dest.name,
			"EventDestination": map[string]any{
				"Enabled": true, dest.member: dest.arns,
				"MatchingEventTypes": []string{"INITIATED_CALL", "RINGING", "ANSWERED", "COMPLETED_CALL", "BUSY", "FAILED", "NO_ANSWER"},
			},
		})
		if err != nil {
			return err
		}
		d.say("  %-7s %s", dest.name, dest.member)
	}
	return nil
}

func (d *demo) create(ctx context.Context, path string, in any) error {
	err := d.api.call(ctx, http.MethodPost, path, in, nil)
	if refused, ok := errors.AsType[*apiError](err); ok && refused.exception == "AlreadyExistsException" {
		return nil
	}
	return err
}

func (d *demo) send(ctx context.Context) (id string, err error) {
	d.say("\nA voice message to %s, a simulated phone that answers:", demoPhone)
	var out struct{ MessageId string }
	err = d.api.call(ctx, http.MethodPost, "/v1/sms-voice/voice/message", map[string]any{
		"ConfigurationSetName":   demoSet,
		"DestinationPhoneNumber": demoPhone,
		"OriginationPhoneNumber": "+12065550199",
		"Content":                map[string]any{"PlainTextMessage": map[string]string{"Text": demoText, "VoiceId": "Joanna", "LanguageCode": "en-US"}},
	}, &out)
	if err != nil {
		return "", err
	}
	d.say("  accepted and on disk: MessageId %s", out.MessageId)
	return out.MessageId, nil
}

var errSeen = errors.New("the final event was seen")

// watch prints the message's events as the log gets them.
func (d *demo) watch(ctx context.Context, id string) error {
	d.say("\nIts events, as they happen:")
	err := d.admin.Tail(ctx, "1m", true, func(e admin.Entry) error {
		if e.Message != id {
			return nil
		}
		d.say("  %s  %s", e.Committed.Local().Format("15:04:05.000"), e.Type)
		if strings.Contains(string(e.Record), `"isFinal":true`) {
			return errSeen
		}
		return nil
	})
	if errors.Is(err, errSeen) {
		return nil
	}
	return err
}

// showDestinations waits until every destination has the final event and prints where.
func (d *demo) showDestinations(ctx context.Context, id string) error {
	d.say("\nThe same events, in the destinations:")
	for _, dest := range demoDestinations {
		for {
			file, last := d.lastLine(id, dest.name)
			if strings.Contains(last, `"isFinal":true`) {
				d.say("  %s", file)
				if dest.name == demoDestinations[len(demoDestinations)-1].name {
					d.say("\nThe last record there:\n  %s", last)
				}
				break
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("the events have not arrived in %s: %w", dest.name, ctx.Err())
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
	return nil
}

// lastLine returns the newest file of a destination and the last line in it about the message.
func (d *demo) lastLine(id, name string) (file, line string) {
	files, err := filepath.Glob(filepath.Join(d.data, "destinations", "*", demoRegion, demoAccount, name, "*", "*", "*", "*.ndjson"))
	if err != nil || len(files) == 0 {
		return "", ""
	}
	file = files[len(files)-1]
	text, err := os.ReadFile(file)
	if err != nil {
		return file, ""
	}
	for l := range strings.Lines(string(text)) {
		if strings.Contains(l, id) {
			line = strings.TrimSpace(l)
		}
	}
	return file, line
}

func (d *demo) showRecording(id string) {
	found, err := filepath.Glob(filepath.Join(d.data, "recordings", demoAccount, demoRegion, "*", "*", "*", "*", id+".wav"))
	if err != nil || len(found) == 0 {
		d.say("\nNo recording: no speech engine is installed (apt-get install espeak-ng).")
		return
	}
	d.say("\nWhat the phone heard (play it with aplay or any player):\n  %s", found[0])
}

func (d *demo) next() {
	d.say(`
What to try next:
  bin/tidings serve                      # the server, on 127.0.0.1:4570; then, in another terminal:
  bin/tidings simulator numbers          # phones that are busy, do not answer, hang up, …
  bin/tidings events tail                # every event as it happens
  export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=us-east-1
  aws --endpoint-url http://127.0.0.1:4570 pinpoint-sms-voice send-voice-message \
      --destination-phone-number +12065550101 --origination-phone-number +12065550199 \
      --content 'PlainTextMessage={Text=Hello}'
  curl -s http://127.0.0.1:4571/metrics  # and /readyz, /v1/destinations, /debug/pprof/`)
}
