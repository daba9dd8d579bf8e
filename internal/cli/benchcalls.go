package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"tidings/internal/phone"
)

type benchCallsCmd struct {
	Calls       int           `default:"5000" help:"How many calls (${default})."`
	Connections int           `default:"64" help:"How many connections ask for them (${default})."`
	Speech      time.Duration `default:"100ms" help:"Length of each message, which is silent (${default})."`
	Callee      string        `placeholder:"ADDRESS" help:"SIP callee that answers every call, such as sipp -sn uas; a phone in the process of the benchmark if left out."`
	Data        string        `placeholder:"DIR" help:"Data directory of the server under test; a temporary one if left out."`
}

// maxBenchCalls bounds what a typing error can do.
const maxBenchCalls = 1_000_000

// benchTrunk is the configuration of the server under test: one trunk, and no pauses that
// would say nothing about the server.
const benchTrunk = `sip:
  listen: 127.0.0.1:0
  rtp_ports: any
  greeting_delay: 0s
  tail: 0s
  trunks: [{name: bench, server: %q, prefixes: ["+"], options_interval: -1s}]
voice: {lines: 100000}
`

// atOnce is the number of the phone that answers before it could ring.
const atOnce = "+12065550110"

// Run asks for the calls as fast as the connections allow, and waits until the last one's
// final event is on disk.
func (c benchCallsCmd) Run(ctx context.Context, w World) error {
	if c.Calls < 1 || c.Calls > maxBenchCalls || c.Connections < 1 || c.Speech < 0 || c.Speech > 5*time.Minute {
		return misuse{fmt.Errorf("--calls is 1 to %d, --connections at least 1, --speech at most 5m", maxBenchCalls)}
	}
	callee, hangUp, err := c.callee(ctx)
	if err != nil {
		return err
	}
	defer hangUp()
	file, remove, err := benchConfig(fmt.Sprintf(benchTrunk, callee))
	if err != nil {
		return err
	}
	defer remove()
	s, err := startServer(ctx, c.Data, "TIDINGS_CONFIG="+file)
	if err != nil {
		return err
	}
	defer func() { _ = s.stop() }()
	if err := (&demo{out: io.Discard, api: newAPIClient(s.API, http.DefaultClient)}).configure(ctx); err != nil {
		return err
	}
	return c.measure(ctx, w, s)
}

// callee finds who answers.
func (c benchCallsCmd) callee(ctx context.Context) (address string, hangUp func(), err error) {
	if c.Callee != "" {
		return c.Callee, func() {}, nil
	}
	p, err := phone.New(phone.Options{Listen: "127.0.0.1:0"})
	if err != nil {
		return "", nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() { defer close(done); _ = p.Run(ctx) }()
	return p.Addr(), func() { cancel(); <-done }, nil
}

func (c benchCallsCmd) measure(ctx context.Context, w World, s *server) error {
	raw, err := rawDisk(s.data)
	if err != nil {
		return err
	}
	cpu, begun := s.cpu(), time.Now()
	if err := c.ask(ctx, s.API); err != nil {
		return err
	}
	asked := time.Since(begun)
	outcomes, err := c.wait(ctx, s.Admin)
	if err != nil {
		return err
	}
	took := time.Since(begun)
	fmt.Fprintf(w.Stdout, "raw disk: %.0f synced writes/s\n", raw)
	fmt.Fprintf(w.Stdout, "%d messages accepted in %v: %.0f/s\n", c.Calls, asked.Round(time.Millisecond), float64(c.Calls)/asked.Seconds())
	fmt.Fprintf(w.Stdout, "%d calls ended in %v: %.0f/s; server CPU %.0f %%, resident %s\n", c.Calls, took.Round(time.Millisecond),
		float64(c.Calls)/took.Seconds(), 100*(s.cpu()-cpu).Seconds()/took.Seconds(), s.resident())
	for _, name := range slices.Sorted(maps.Keys(outcomes)) {
		fmt.Fprintf(w.Stdout, "  %s: %d\n", name, outcomes[name])
	}
	return nil
}

// ask sends the messages.
func (c benchCallsCmd) ask(ctx context.Context, url string) error {
	text := fmt.Sprintf(`<speak>%s</speak>`, pauses(c.Speech))
	return times(ctx, url, c.Connections, c.Calls, func(ctx context.Context, api *apiClient, _, _ int) error {
		return api.call(ctx, http.MethodPost, "/v1/sms-voice/voice/message", map[string]any{
			"ConfigurationSetName": demoSet, "DestinationPhoneNumber": atOnce, "OriginationPhoneNumber": "+12065550199",
			"Content": map[string]any{"SSMLMessage": map[string]string{"Text": text, "VoiceId": "Joanna"}},
		}, nil)
	})
}

// pauses is SSML that lasts so long and says nothing.
func pauses(d time.Duration) string {
	const longest = 10 * time.Second // of one <break>
	var b strings.Builder
	for ; d > longest; d -= longest {
		b.WriteString(`<break time="10s"/>`)
	}
	fmt.Fprintf(&b, `<break time="%dms"/>`, d.Milliseconds())
	return b.String()
}

// wait returns the outcomes once as many calls have ended as were asked for.
func (c benchCallsCmd) wait(ctx context.Context, admin string) (map[string]int, error) {
	const pause = 50 * time.Millisecond
	last, changed := 0, time.Now()
	patience := c.Speech + time.Minute
	for {
		outcomes, err := ended(ctx, admin)
		if err != nil {
			return nil, err
		}
		all := 0
		for _, n := range outcomes {
			all += n
		}
		if all >= c.Calls {
			return outcomes, nil
		}
		if all != last {
			last, changed = all, time.Now()
		}
		if time.Since(changed) > patience {
			return nil, fmt.Errorf("%d of %d calls have ended, and none for %v", all, c.Calls, patience)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// ended reads from the server's metrics how many calls have ended, by outcome.
func ended(ctx context.Context, admin string) (map[string]int, error) {
	outcomes := map[string]int{}
	err := eachMetric(ctx, admin, "tidings_voice_calls_total", func(labels string, value float64) {
		outcomes[strings.TrimSuffix(strings.TrimPrefix(labels, `outcome="`), `"`)] = int(value)
	})
	return outcomes, err
}

// eachMetric calls each with the labels and the value of every series of a metric.
func eachMetric(ctx context.Context, admin, name string, each func(labels string, value float64)) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, admin+"/metrics", http.NoBody)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		rest, ok := strings.CutPrefix(lines.Text(), name+"{")
		labels, text, found := strings.Cut(rest, "} ")
		if !ok || !found {
			continue
		}
		value, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return fmt.Errorf("metric %s: %w", name, err)
		}
		each(labels, value)
	}
	return lines.Err()
}
