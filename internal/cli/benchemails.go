package cli

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"
)

type benchEmailsCmd struct {
	load
	APIs []string `name:"apis" default:"v2,v1" enum:"v1,v2" help:"Which API, one table each: v2 (JSON), v1 (Query) (${default})."`
	SMTP bool     `name:"smtp" help:"Hand the mails to an SMTP server on this machine that takes and forgets them; without it they end in simulated mailboxes."`
	DKIM bool     `name:"dkim" help:"Sign them with an RSA key of 2,048 bits."`
	Lean bool     `name:"lean" help:"Each connection sends one signed mail again and again, which costs the client next to nothing: what the server alone can do."`
	Body int      `default:"1024" help:"Bytes of text in a mail (${default})."`
}

const (
	benchSet     = "bench"
	benchSender  = "bench@example.com"
	setsV2       = "/v2/email/configuration-sets"
	emailBenched = "tidings_email_outcomes_total"
)

// Run sends mails as fast as the connections allow, and waits until the events of all are delivered.
func (c benchEmailsCmd) Run(ctx context.Context, w World) error {
	if c.Duration <= 0 || c.Duration > maxRound || c.Body < 1 || c.Body > 1<<20 {
		return misuse{fmt.Errorf("--duration is at most %v, --body 1 byte to 1 MiB", maxRound)}
	}
	env := []string{"TIDINGS_EMAIL_SIMULATOR_KEEP=0s"}
	if c.SMTP {
		sink, err := newSMTPSink()
		if err != nil {
			return err
		}
		defer sink.close()
		env = append(env, "TIDINGS_EMAIL_RELAY_SERVER="+sink.address(), "TIDINGS_EMAIL_RELAY_TLS=none", "TIDINGS_EMAIL_RELAY_CONNECTIONS=64")
	}
	s, err := startServer(ctx, c.Data, env...)
	if err != nil {
		return err
	}
	defer func() { _ = s.stop() }()
	raw, err := rawDisk(s.data)
	if err != nil {
		return err
	}
	if err := c.configure(ctx, s.API); err != nil {
		return err
	}
	fmt.Fprintf(w.Stdout, "raw disk: %.0f synced writes/s; mails of %d bytes of text, two events each\n", raw, c.Body)
	for _, version := range c.APIs {
		table := tabwriter.NewWriter(w.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintf(table, "%s connections\tmails\taccepted/s\tp50\tp99\tmax\terrors\tsent/s\tevents/s\tserver CPU per mail\tserver resident\t\n", version)
		for _, n := range c.Connections {
			if err := c.round(ctx, table, s, version, n); err != nil {
				return err
			}
		}
		if err := table.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// configure makes a set whose events go to a file, and an identity that signs, if asked for.
func (c benchEmailsCmd) configure(ctx context.Context, url string) error {
	api := newAPIClient(url, http.DefaultClient).of("ses")
	if err := api.call(ctx, http.MethodPost, setsV2, map[string]string{"ConfigurationSetName": benchSet}, nil); err != nil {
		return err
	}
	err := api.call(ctx, http.MethodPost, setsV2+"/"+benchSet+"/event-destinations", map[string]any{
		"EventDestinationName": "all",
		"EventDestination": map[string]any{
			"Enabled": true, "MatchingEventTypes": []string{"SEND", "DELIVERY"},
			"KinesisFirehoseDestination": map[string]string{
				"IamRoleArn": "arn:aws:iam::123456789012:role/bench", "DeliveryStreamArn": "arn:aws:firehose:us-east-1:123456789012:deliverystream/bench",
			},
		},
	}, nil)
	if err != nil || !c.DKIM {
		return err
	}
	_, domain, _ := strings.Cut(benchSender, "@")
	return api.call(ctx, http.MethodPost, "/v2/email/identities", map[string]string{"EmailIdentity": domain}, nil)
}

// round sends mails over n connections and reports how it went.
func (c benchEmailsCmd) round(ctx context.Context, table *tabwriter.Writer, s *server, version string, n int) error {
	before, err := c.progress(ctx, s.Admin)
	if err != nil {
		return err
	}
	text := strings.Repeat("All work and no play makes Jack a dull boy.\n", c.Body/44+1)[:c.Body]
	cpu, begun := s.cpu(), time.Now()
	send, done := c.sending(version, n, text)
	defer done()
	r, err := c.load.round(ctx, s.API, n, send)
	if err != nil {
		return err
	}
	mails := len(r.latencies)
	sent, told, err := c.await(ctx, s.Admin, before, mails, begun)
	if err != nil {
		return err
	}
	busy := s.cpu() - cpu
	_, err = fmt.Fprintf(table, "%d\t%d\t%.0f\t%v\t%v\t%v\t%d\t%.0f\t%.0f\t%v\t%s\t\n", n, mails, float64(mails)/r.took.Seconds(),
		r.quantile(0.50), r.quantile(0.99), r.quantile(1), r.errors, float64(mails)/sent.Seconds(), float64(2*mails)/told.Seconds(),
		(busy / time.Duration(mails)).Round(time.Microsecond), s.resident())
	return err
}

// progress is how far the server is.
type progress struct{ sent, delivered int }

func (c benchEmailsCmd) progress(ctx context.Context, admin string) (p progress, err error) {
	err = eachMetric(ctx, admin, emailBenched, func(_ string, value float64) { p.sent += int(value) })
	if err == nil {
		p.delivered, err = delivered(ctx, admin)
	}
	return p, err
}

// await waits until so many mails more are sent and their events delivered, and tells when that was.
func (c benchEmailsCmd) await(ctx context.Context, admin string, before progress, mails int, begun time.Time) (sent, told time.Duration, err error) {
	for {
		now, err := c.progress(ctx, admin)
		if err != nil {
			return 0, 0, err
		}
		if sent == 0 && now.sent-before.sent >= mails {
			sent = time.Since(begun)
		}
		if sent > 0 && now.delivered-before.delivered >= 2*mails {
			return sent, time.Since(begun), nil
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return 0, 0, ctx.Err()
		}
	}
}

// sending sends mails with that text over n connections. done closes them.
func (c benchEmailsCmd) sending(version string, n int, text string) (send operation, done func()) {
	body := bodyV2
	path, contentType := "/v2/email/outbound-emails", "application/json"
	if version == "v1" {
		body, path, contentType = bodyV1, "/", formType
	}
	if !c.Lean {
		return func(ctx context.Context, api *apiClient, worker, k int) error {
			to := fmt.Sprintf("r%d@example.org", (worker*7919+k)%10_000)
			answer, err := api.of("ses").do(ctx, http.MethodPost, path, contentType, body(to, text))
			if err == nil && answer.status != http.StatusOK {
				err = fmt.Errorf("%d %s", answer.status, answer.body)
			}
			return err
		}, func() {}
	}
	clients := make([]*leanClient, n)
	send = func(ctx context.Context, api *apiClient, worker, _ int) (err error) {
		if clients[worker] == nil {
			to := fmt.Sprintf("r%d@example.org", worker)
			if clients[worker], err = api.of("ses").lean(ctx, path, contentType, body(to, text)); err != nil {
				return err
			}
		}
		return clients[worker].send()
	}
	return send, func() {
		for _, one := range clients {
			if one != nil {
				_ = one.conn.Close()
			}
		}
	}
}

// bodyV2 is a mail as the SDKs of version 2 write it.
func bodyV2(to, text string) []byte {
	return fmt.Appendf(nil, `{"FromEmailAddress":%q,"Destination":{"ToAddresses":[%q]},"Content":{"Simple":{"Subject":{"Data":"Hello"},"Body":{"Text":{"Data":%q}}}},"ConfigurationSetName":%q}`,
		benchSender, to, text, benchSet)
}

// bodyV1 is a mail as the SDKs of version 1 write it.
func bodyV1(to, text string) []byte {
	return []byte(url.Values{
		"Action": {"SendEmail"}, "Version": {"2010-12-01"}, "Source": {benchSender}, "Destination.ToAddresses.member.1": {to},
		"Message.Subject.Data": {"Hello"}, "Message.Body.Text.Data": {text}, "ConfigurationSetName": {benchSet},
	}.Encode())
}
