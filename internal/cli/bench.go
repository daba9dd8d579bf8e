package cli

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"
)

type benchCmds struct {
	Send   benchSendCmd   `cmd:"" help:"Signed, durable SendVoiceMessage: requests per second and latency."`
	Sets   benchSetsCmd   `cmd:"" help:"Create and read configuration sets: requests per second and latency."`
	Calls  benchCallsCmd  `cmd:"" help:"Calls through a SIP trunk, from the API to the final event on disk: calls per second."`
	Emails benchEmailsCmd `cmd:"" help:"SendEmail, from the API to the outcome and its events: mails per second."`
	Events benchEventsCmd `cmd:"" help:"PutEvents, from the API to the event stream: events per second."`
}

// load are the flags of a benchmark. Its client is a closed loop: each connection sends its
// next request when the last one is answered, signed by the AWS SDK's signer, as a real
// client would. Server and client share the machine.
type load struct {
	Connections []int         `default:"1,16,256" help:"How many connections, one round each (${default})."`
	Duration    time.Duration `default:"5s" help:"Length of a round (${default})."`
	Data        string        `placeholder:"DIR" help:"Data directory of the server under test; a temporary one if left out."`
}

// maxRound bounds a round, so that no benchmark runs away.
const maxRound = 5 * time.Minute

type benchSendCmd struct {
	load
	Speed float64 `default:"1000" help:"Speed of the simulated phones (${default} times real time)."`
}

func (c benchSendCmd) Run(ctx context.Context, w World) error {
	s, err := startServer(ctx, c.Data, "TIDINGS_VOICE_SIMULATOR_SPEED="+fmt.Sprint(c.Speed))
	if err != nil {
		return err
	}
	defer func() { _ = s.stop() }()
	setUp := newAPIClient(s.API, http.DefaultClient)
	if err := (&demo{out: w.Stdout, api: setUp}).configure(ctx); err != nil {
		return err
	}
	return c.rounds(ctx, w, s, func(ctx context.Context, api *apiClient, _, n int) error {
		return api.call(ctx, http.MethodPost, "/v1/sms-voice/voice/message", map[string]any{
			"ConfigurationSetName":   demoSet,
			"DestinationPhoneNumber": fmt.Sprintf("+1206555%04d", 200+n%9000),
			"OriginationPhoneNumber": "+12065550199",
			"Content":                map[string]any{"PlainTextMessage": map[string]string{"Text": demoText, "VoiceId": "Joanna"}},
		}, nil)
	})
}

type benchSetsCmd struct{ load }

func (c benchSetsCmd) Run(ctx context.Context, w World) error {
	s, err := startServer(ctx, c.Data)
	if err != nil {
		return err
	}
	defer func() { _ = s.stop() }()
	names := make([]string, slices.Max(c.Connections)) // what each worker created last
	return c.rounds(ctx, w, s, func(ctx context.Context, api *apiClient, worker, n int) error {
		if n%2 == 0 {
			names[worker] = "bench-" + rand.Text()
			return api.call(ctx, http.MethodPost, setsPath, map[string]string{"ConfigurationSetName": names[worker]}, nil)
		}
		return api.call(ctx, http.MethodGet, setsPath+"/"+names[worker]+"/event-destinations", nil, nil)
	})
}

// operation is one request of a benchmark: the nth of its worker.
type operation func(ctx context.Context, api *apiClient, worker, n int) error

func (l load) rounds(ctx context.Context, w World, s *server, op operation) error {
	table := tabwriter.NewWriter(w.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	raw, err := rawDisk(s.data)
	if err != nil {
		return err
	}
	fmt.Fprintf(w.Stdout, "\nraw disk: %.0f synced writes/s; server ready in %v, %s resident when idle\n",
		raw, s.startUp.Round(time.Millisecond), s.resident())
	fmt.Fprintln(table, "connections\trequests\treq/s\tp50\tp99\tmax\terrors\tserver CPU\tserver resident\t")
	var failure error
	for _, n := range l.Connections {
		before := s.cpu()
		r, err := l.round(ctx, s.API, n, op)
		if err != nil {
			return err
		}
		failure = cmp.Or(failure, r.firstErr)
		busy := s.cpu() - before
		fmt.Fprintf(table, "%d\t%d\t%.0f\t%v\t%v\t%v\t%d\t%.0f %%\t%s\t\n", n, len(r.latencies), float64(len(r.latencies))/r.took.Seconds(),
			r.quantile(0.50), r.quantile(0.99), r.quantile(1), r.errors, 100*busy.Seconds()/r.took.Seconds(), s.resident())
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if failure != nil {
		fmt.Fprintln(w.Stdout, "the first error:", failure)
	}
	return nil
}

type result struct {
	latencies []time.Duration
	errors    int64
	firstErr  error
	took      time.Duration
}

func (r result) quantile(q float64) time.Duration {
	if len(r.latencies) == 0 {
		return 0
	}
	return r.latencies[int(q*float64(len(r.latencies)-1))].Round(10 * time.Microsecond)
}

// round runs one closed loop per connection until the round is over. It fails only if no
// request succeeds.
func (l load) round(ctx context.Context, url string, connections int, op operation) (result, error) {
	// Requests under way when the round is over are finished: none is given up.
	over, cancel := context.WithTimeout(ctx, min(l.Duration, maxRound))
	defer cancel()
	transport := &http.Transport{MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections}
	defer transport.CloseIdleConnections()
	var (
		workers   sync.WaitGroup
		failed    atomic.Int64
		firstErr  atomic.Pointer[error]
		perWorker = make([][]time.Duration, connections)
		begun     = time.Now()
	)
	for i := range connections {
		workers.Go(func() {
			api := newAPIClient(url, &http.Client{Transport: transport})
			for n := 0; over.Err() == nil; n++ {
				start := time.Now()
				if err := op(ctx, api, i, n); err != nil {
					failed.Add(1)
					firstErr.CompareAndSwap(nil, &err)
					continue
				}
				perWorker[i] = append(perWorker[i], time.Since(start))
			}
		})
	}
	workers.Wait()
	r := result{took: time.Since(begun), errors: failed.Load(), latencies: slices.Concat(perWorker...)}
	slices.Sort(r.latencies)
	err := firstErr.Load()
	if err != nil {
		r.firstErr = *err
	}
	if len(r.latencies) == 0 {
		return r, fmt.Errorf("no request has succeeded: %w", r.firstErr)
	}
	return r, nil
}

// times does an operation n times over so many connections. A connection stops at its first
// failure; the error has those of all.
func times(ctx context.Context, url string, connections, n int, op operation) error {
	transport := &http.Transport{MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections}
	defer transport.CloseIdleConnections()
	var left atomic.Int64
	left.Store(int64(n))
	var workers sync.WaitGroup
	failures := make([]error, connections)
	for i := range connections {
		workers.Go(func() {
			api := newAPIClient(url, &http.Client{Transport: transport})
			for k := 0; left.Add(-1) >= 0 && failures[i] == nil; k++ {
				failures[i] = op(ctx, api, i, k)
			}
		})
	}
	workers.Wait()
	return errors.Join(failures...)
}
