package cli

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"
)

type benchCmds struct {
	Send benchSendCmd `cmd:"" help:"Signed, durable SendVoiceMessage: requests per second and latency."`
	Sets benchSetsCmd `cmd:"" help:"Create and read configuration sets: requests per second and latency."`
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
	setUp := newAPIClient(s.API, demoRegion, "test", "test", http.DefaultClient)
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
	run := rand.Text()[:8]
	return c.rounds(ctx, w, s, func(ctx context.Context, api *apiClient, worker, n int) error {
		name := fmt.Sprintf("bench-%s-%d-%d", run, worker, n/2)
		if n%2 == 0 {
			return api.call(ctx, http.MethodPost, setsPath, map[string]string{"ConfigurationSetName": name}, nil)
		}
		return api.call(ctx, http.MethodGet, setsPath+"/"+name+"/event-destinations", nil, nil)
	})
}

// operation is one request of a benchmark: the nth of its worker.
type operation func(ctx context.Context, api *apiClient, worker, n int) error

func (l load) rounds(ctx context.Context, w World, s *server, op operation) error {
	table := tabwriter.NewWriter(w.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w.Stdout, "\nserver ready in %v, %s resident when idle\n", s.startUp.Round(time.Millisecond), s.resident())
	fmt.Fprintln(table, "connections\trequests\treq/s\tp50\tp99\tmax\terrors\tserver CPU\tserver resident\t")
	for _, n := range l.Connections {
		before := s.cpu()
		r, err := l.round(ctx, s.API, n, op)
		if err != nil {
			return err
		}
		busy := s.cpu() - before
		fmt.Fprintf(table, "%d\t%d\t%.0f\t%v\t%v\t%v\t%d\t%.0f %%\t%s\t\n", n, len(r.latencies), float64(len(r.latencies))/r.took.Seconds(),
			r.quantile(0.50), r.quantile(0.99), r.quantile(1), r.errors, 100*busy.Seconds()/r.took.Seconds(), s.resident())
	}
	return table.Flush()
}

type result struct {
	latencies []time.Duration
	errors    int64
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
	ctx, cancel := context.WithTimeout(ctx, min(l.Duration, maxRound))
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
			api := newAPIClient(url, demoRegion, "test", "test", &http.Client{Transport: transport})
			for n := 0; ctx.Err() == nil; n++ {
				start := time.Now()
				err := op(ctx, api, i, n)
				switch {
				case err == nil:
					perWorker[i] = append(perWorker[i], time.Since(start))
				case ctx.Err() == nil:
					failed.Add(1)
					firstErr.CompareAndSwap(nil, &err)
				}
			}
		})
	}
	workers.Wait()
	r := result{took: time.Since(begun), errors: failed.Load(), latencies: slices.Concat(perWorker...)}
	slices.Sort(r.latencies)
	if err := firstErr.Load(); err != nil && len(r.latencies) == 0 {
		return r, *err
	}
	return r, nil
}
