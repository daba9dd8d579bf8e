package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"time"

	"tidings/internal/admin"
	"tidings/internal/config"
	"tidings/internal/lifecycle"
	"tidings/internal/rtpaudio"
	"tidings/internal/simulator"
	"tidings/internal/sipcall"
	"tidings/internal/siptrunk"
	"tidings/internal/voice"
)

// carrier is who places the calls: the telephone network, or phones that exist only here.
type carrier struct {
	dialer voice.Dialer
	// services run below the calls, in this order.
	services []lifecycle.Service
	status   func() admin.PartStatus
	trunks   func() []admin.Trunk
	words    string // what it is, for people
}

// openCarrier opens the carrier that the configuration asks for.
func (a *App) openCarrier() (carrier, error) {
	if a.cfg.Voice.Carrier == "simulator" || len(a.cfg.SIP.Trunks) == 0 {
		return a.openSimulator()
	}
	return a.openTrunks()
}

func (a *App) openSimulator() (carrier, error) {
	cfg := a.cfg.Voice.Simulator
	options := simulator.Options{
		Speed: cfg.Speed, Keep: cfg.KeepRecordings, Numbers: map[string]string{},
		Log: a.log.With("room", "simulator"), Cut: cutWAV,
	}
	for _, n := range cfg.Numbers {
		options.Numbers[n.Number] = n.Behavior
	}
	if cfg.KeepRecordings > 0 {
		options.Recordings = a.dir.Path("recordings")
	}
	d, err := simulator.New(options)
	if err != nil {
		return carrier{}, err
	}
	words := fmt.Sprintf("simulated phones, at %v times real time", cfg.Speed)
	return carrier{
		dialer:   d,
		services: []lifecycle.Service{{Name: "simulator", Grace: grace, Run: d.Run}},
		status:   func() admin.PartStatus { return admin.PartStatus{Ready: true, State: "simulated", Detail: words} },
		trunks:   func() []admin.Trunk { return nil },
		words:    words,
	}, nil
}

// openTrunks opens the sockets towards the telephone network.
func (a *App) openTrunks() (carrier, error) {
	cfg := &a.cfg.SIP
	trunks, err := trunkConfigs(cfg.Trunks)
	if err != nil {
		return carrier{}, err
	}
	pool, err := siptrunk.New(trunks, siptrunk.Options{Log: a.log.With("room", "siptrunk"), Registerer: a.metrics})
	if err != nil {
		return carrier{}, err
	}
	media := rtpaudio.Options{Shards: rtpThreads(cfg.RTPThreads, a.cfg.Voice.Lines), Log: a.log.With("room", "rtpaudio"), Registerer: a.metrics}
	if media.FirstPort, media.LastPort, err = cfg.RTPPorts.Bounds(); err != nil {
		return carrier{}, fmt.Errorf("sip.rtp_ports: %w", err)
	}
	wheel, err := rtpaudio.New(media)
	if err != nil {
		return carrier{}, err
	}
	options := sipcall.Options{
		Listen: cfg.Listen, Trunks: pool, Media: wheel, RingTimeout: cfg.RingTimeout, FirstAnswer: cfg.AnswerTimeout,
		GreetingDelay: orNone(cfg.GreetingDelay), Tail: orNone(cfg.Tail), UserAgent: "Tidings/" + a.version,
		Log: a.log.With("room", "sipcall"), Registerer: a.metrics,
	}
	if cfg.PublicAddress != "" {
		if options.PublicAddress, err = netip.ParseAddr(cfg.PublicAddress); err != nil {
			return carrier{}, fmt.Errorf("sip.public_address: %w", err)
		}
	}
	dialer, err := sipcall.New(options)
	if err != nil {
		return carrier{}, err
	}
	return carrier{
		dialer: dialer,
		services: []lifecycle.Service{
			{Name: "rtp", Grace: grace, Run: func(ctx context.Context) error { return turn(ctx, wheel) }},
			{Name: "sip", Grace: grace, Run: dialer.Run},
		},
		status: func() admin.PartStatus { return trunkStatus(pool.Status()) },
		trunks: func() []admin.Trunk { return adminTrunks(cfg.Trunks, pool.Status()) },
		words:  fmt.Sprintf("SIP trunks: %d, from %v", len(trunks), dialer.Addr()),
	}, nil
}

// turn runs the wheel with a processor of Go's scheduler for each of its threads on top of
// the others. Its threads sleep in the kernel, which the scheduler does not notice at once:
// without the extra ones, goroutines that compute keep a thread waiting when it wakes, and
// the packets of 100 calls deviate by 4.7 ms instead of 0.04 ms.
func turn(ctx context.Context, wheel *rtpaudio.Wheel) error {
	before := runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS(before + wheel.Threads())
	defer runtime.GOMAXPROCS(before)
	return wheel.Run(ctx)
}

// orNone says "none" where sipcall takes 0 for "the usual".
func orNone(d time.Duration) time.Duration {
	if d == 0 {
		return -1
	}
	return d
}

// rtpThreads is how many threads send the sound of so many lines. One was measured to hold
// 2,000 calls and more; a thread more than there are processors only gets in the way.
func rtpThreads(configured, lines int) int {
	if configured > 0 {
		return configured
	}
	const each = 2_000
	return max(1, min((lines+each-1)/each, runtime.GOMAXPROCS(0)))
}

// trunkStatus is always ready: without any trunk accepted messages wait for one, or end
// with the events that say so, and everything else works.
func trunkStatus(all []siptrunk.Status) admin.PartStatus {
	up := 0
	var down []string
	for i := range all {
		switch s := &all[i]; s.State {
		case siptrunk.Up:
			up++
		case siptrunk.Down:
			down = append(down, fmt.Sprintf("%s is down since %s: %s", s.Name, s.Since.UTC().Format("15:04:05"), s.LastError))
		case siptrunk.Unknown:
		}
	}
	part := admin.PartStatus{Ready: true, State: "ok", Detail: fmt.Sprintf("%d of %d trunks are up", up, len(all))}
	if len(down) > 0 {
		part.State = "failing"
		part.Detail += "; " + strings.Join(down, "; ")
	}
	return part
}

func adminTrunks(configured []config.Trunk, all []siptrunk.Status) []admin.Trunk {
	out := make([]admin.Trunk, len(all))
	for i := range all {
		s := &all[i]
		out[i] = admin.Trunk{
			Name: s.Name, Server: s.Server, Transport: string(s.Transport), Prefixes: configured[i].Prefixes,
			State: string(s.State), Calls: s.Calls, MaxCalls: s.MaxCalls, Waiting: s.Waiting,
			RoundTrip: s.RoundTrip.Seconds(), LastError: s.LastError,
		}
		if !s.Since.IsZero() {
			out[i].Since = new(s.Since.UTC())
		}
		if !s.Registered.IsZero() {
			out[i].Registered = new(s.Registered.UTC())
		}
	}
	return out
}

// CheckTrunks reports what keeps the trunks of cfg, which is valid otherwise, from working.
// It touches no network.
func CheckTrunks(cfg *config.Config) error {
	trunks, err := trunkConfigs(cfg.SIP.Trunks)
	if err != nil || len(trunks) == 0 {
		return err
	}
	_, err = siptrunk.New(trunks, siptrunk.Options{Log: slog.New(slog.DiscardHandler)})
	return err
}

func trunkConfigs(list []config.Trunk) ([]siptrunk.Config, error) {
	out := make([]siptrunk.Config, len(list))
	var problems []error
	for i := range list {
		var err error
		if out[i], err = trunkConfig(&list[i]); err != nil {
			problems = append(problems, fmt.Errorf("sip.trunks[%d]: %w", i, err))
		}
	}
	return out, errors.Join(problems...)
}

func trunkConfig(t *config.Trunk) (siptrunk.Config, error) {
	c := siptrunk.Config{
		Name: t.Name, Server: t.Server, Proxy: t.Proxy, Transport: siptrunk.Transport(t.Transport), SRTP: t.SRTP,
		Username: t.Username, Password: string(t.Password), Realm: t.Realm, Domain: t.Domain,
		Register: t.Register, Expires: t.Expires, Options: t.OptionsInterval,
		Prefixes: t.Prefixes, Priority: t.Priority, CallerID: siptrunk.CallerID(t.CallerID), Plus: !t.OmitPlus, Dial: t.DialPrefix,
		MaxCalls: t.MaxCalls, CallsPerSecond: t.CallsPerSecond, DeclineIsBusy: t.DeclineIsBusy,
	}
	for _, text := range t.Allow {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			return c, fmt.Errorf("allow: %w", err)
		}
		c.Allow = append(c.Allow, network)
	}
	var err error
	if t.Transport == "tls" {
		c.TLS, err = trunkTLS(&t.TLS)
	}
	return c, err
}

func trunkTLS(t *config.TrunkTLS) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CA != "" {
		text, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("tls.ca: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("tls.ca: %s holds no PEM certificate", t.CA)
		}
	}
	if t.Certificate != "" {
		pair, err := tls.LoadX509KeyPair(t.Certificate, t.Key)
		if err != nil {
			return nil, fmt.Errorf("tls.certificate: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// Trunks returns how the trunks are doing. See admin.Carrier.
func (c carrier) Trunks() []admin.Trunk { return c.trunks() }

// run makes the services of the carrier part of those of the server.
func (c carrier) run(before []lifecycle.Service, after ...lifecycle.Service) []lifecycle.Service {
	return append(append(before, c.services...), after...)
}
