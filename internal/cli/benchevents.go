package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"
)

type benchEventsCmd struct {
	Batches     []int         `default:"1,10,100" help:"How many events are in a request, one round each (${default})."`
	Connections int           `default:"32" help:"How many connections send them (${default})."`
	Apps        int           `default:"1" help:"How many apps, each with an event stream, they are spread over (${default})."`
	Duration    time.Duration `default:"5s" help:"Length of a round (${default})."`
	Backlog     int           `placeholder:"N" help:"First put this many events of another app whose stream cannot be delivered to, so that they wait on disk."`
	Config      string        `short:"c" placeholder:"FILE" help:"Configuration of the server under test, for its bindings; without it, event streams end in files."`
	Data        string        `placeholder:"DIR" help:"Data directory of the server under test; a temporary one if left out."`
}

// Run puts events as fast as the connections allow, and waits until all are delivered.
func (c benchEventsCmd) Run(ctx context.Context, w World) error {
	if c.Connections < 1 || c.Apps < 1 || c.Apps > 100_000 || c.Duration <= 0 || c.Duration > maxRound {
		return misuse{fmt.Errorf("--connections and --apps are at least 1, --duration at most %v", maxRound)}
	}
	if c.Backlog < 0 || c.Backlog > 0 && c.Config != "" {
		return misuse{fmt.Errorf("--backlog is not negative, and brings a configuration of its own")}
	}
	env := []string{"TIDINGS_PINPOINT_TEST_EVENT=false"}
	if c.Backlog > 0 {
		file, remove, err := benchConfig(backlogConfig)
		if err != nil {
			return err
		}
		defer remove()
		c.Config = file
	}
	if c.Config != "" {
		env = append(env, "TIDINGS_CONFIG="+c.Config)
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
	if c.Backlog > 0 {
		if err := c.pile(ctx, w, s); err != nil {
			return err
		}
	}
	apps, err := c.apps(ctx, s.API, "bench", c.Apps)
	if err != nil {
		return err
	}
	fmt.Fprintf(w.Stdout, "raw disk: %.0f synced writes/s; %d apps\n", raw, len(apps))
	table := tabwriter.NewWriter(w.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "events/request\tevents\taccepted/s\tp50\tp99\tdelivered/s\tserver CPU per event\tserver resident\t")
	for _, n := range c.Batches {
		if err := c.round(ctx, table, s, apps, n); err != nil {
			return err
		}
	}
	return table.Flush()
}

// backlogConfig leads one event stream to where nobody listens.
const backlogConfig = `destinations:
  - match: "arn:aws:kinesis:*:*:stream/backlog"
    webhook: {url: "http://127.0.0.1:9/", batch: 100, allow_private: true}
storage: {max_bytes: 40GiB}
`

// pile puts the events that cannot be delivered.
func (c benchEventsCmd) pile(ctx context.Context, w World, s *server) error {
	apps, err := c.apps(ctx, s.API, "backlog", 1)
	if err != nil {
		return err
	}
	const each = 100
	begun := time.Now()
	err = times(ctx, s.API, c.Connections, (c.Backlog+each-1)/each, func(ctx context.Context, api *apiClient, worker, k int) error {
		return api.of("mobiletargeting").call(ctx, http.MethodPost, "/v1/apps/"+apps[0]+"/events", batchOfEvents(worker, k, each), nil)
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(w.Stdout, "%d events wait that cannot be delivered, put at %.0f/s; server resident %s\n",
		c.Backlog, float64(c.Backlog)/time.Since(begun).Seconds(), s.resident())
	return nil
}

// apps creates apps whose event streams have this name.
func (c benchEventsCmd) apps(ctx context.Context, url, stream string, n int) ([]string, error) {
	api := newAPIClient(url, http.DefaultClient).of("mobiletargeting")
	ids := make([]string, n)
	for i := range ids {
		var app struct{ ID string }
		if err := api.call(ctx, http.MethodPost, "/v1/apps", map[string]string{"Name": fmt.Sprint("bench-", i)}, &app); err != nil {
			return nil, err
		}
		err := api.call(ctx, http.MethodPost, "/v1/apps/"+app.ID+"/eventstream", map[string]string{
			"DestinationStreamArn": "arn:aws:kinesis:us-east-1:123456789012:stream/" + stream,
			"RoleArn":              "arn:aws:iam::123456789012:role/bench",
		}, nil)
		if err != nil {
			return nil, err
		}
		ids[i] = app.ID
	}
	return ids, nil
}

// round sends requests of n events and reports how it went.
func (c benchEventsCmd) round(ctx context.Context, table *tabwriter.Writer, s *server, apps []string, n int) error {
	before, err := delivered(ctx, s.Admin)
	if err != nil {
		return err
	}
	cpu, begun := s.cpu(), time.Now()
	r, err := load{Duration: c.Duration}.round(ctx, s.API, c.Connections, func(ctx context.Context, api *apiClient, worker, k int) error {
		app := apps[(worker*31+k)%len(apps)]
		return api.of("mobiletargeting").call(ctx, http.MethodPost, "/v1/apps/"+app+"/events", batchOfEvents(worker, k, n), nil)
	})
	if err != nil {
		return err
	}
	if r.firstErr != nil {
		return r.firstErr
	}
	events := len(r.latencies) * n
	for {
		now, err := delivered(ctx, s.Admin)
		if err != nil {
			return err
		}
		if now-before >= events {
			break
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	took := time.Since(begun)
	busy := s.cpu() - cpu
	_, err = fmt.Fprintf(table, "%d\t%d\t%.0f\t%v\t%v\t%.0f\t%v\t%s\t\n", n, events, float64(events)/r.took.Seconds(),
		r.quantile(0.50), r.quantile(0.99), float64(events)/took.Seconds(), (busy / time.Duration(events)).Round(100*time.Nanosecond), s.resident())
	return err
}

// batchOfEvents is the body of a PutEvents of one endpoint, as a mobile SDK sends it.
func batchOfEvents(worker, k, n int) json.RawMessage {
	var b strings.Builder
	now := time.Now().UTC().Format("2006-01-02T15:04:05.000Z")
	fmt.Fprintf(&b, `{"BatchItem":{"endpoint-%d":{"Endpoint":{},"Events":{`, worker)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `"%d-%d":{"EventType":"purchase","Timestamp":"%s","AppTitle":"Bench","AppVersionCode":"1","SdkName":"bench",`+
			`"Attributes":{"screen":"checkout","currency":"EUR","sku":"ABC-%d"},"Metrics":{"price":12.5,"items":3},`+
			`"Session":{"Id":"session-%d","StartTimestamp":"%s"}}`, k, i, now, i, worker, now)
	}
	b.WriteString(`}}}}`)
	return json.RawMessage(b.String())
}

// delivered reads from the server's metrics how many deliveries have arrived.
func delivered(ctx context.Context, admin string) (int, error) {
	all := 0
	err := eachMetric(ctx, admin, "tidings_deliveries_total", func(labels string, value float64) {
		if strings.Contains(labels, `outcome="delivered"`) {
			all += int(value)
		}
	})
	return all, err
}
