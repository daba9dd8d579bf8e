// Package app wires the rooms together. It is the only one that knows all others, and it
// knows nothing else.
package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"tidings/internal/account"
	"tidings/internal/alarm"
	"tidings/internal/boltstore"
	"tidings/internal/config"
	"tidings/internal/configset"
	"tidings/internal/datadir"
	"tidings/internal/fanout"
	"tidings/internal/lifecycle"
	"tidings/internal/natsstore"
	"tidings/internal/pinpoint"
	"tidings/internal/sink"
	"tidings/internal/sink/awssink"
	"tidings/internal/sink/cloudwatch"
	"tidings/internal/sink/file"
	"tidings/internal/sink/webhook"
	"tidings/internal/voice"
)

// App is a server, open and ready to run.
type App struct {
	cfg       *config.Config
	log       *slog.Logger
	metrics   *prometheus.Registry
	accounts  *account.Directory
	dir       *datadir.Dir
	store     *natsstore.Store
	endpoints *boltstore.Store
	apps      *pinpoint.Service
	sets      *configset.Service
	files     *file.Driver
	topics    *webhook.Topics
	sinks     *sink.Bindings
	alarms    *alarm.Watcher
	courier   *fanout.Courier
	router    *fanout.Router
	carrier   carrier
	mail      mail
	runner    *voice.Runner
	api       *listener
	admin     *listener
	version   string
	speech    string // what speaks, for people

	counters   *cloudwatch.Counters
	awsMetrics *awssink.Metrics
	reloads    *prometheus.CounterVec
	reloading  sync.Mutex // guards drivers
	drivers    *drivers   // of the bindings in force
}

// New opens everything that can fail: the data directory, the store, the listeners. The
// server starts to work with Run. On an error, everything opened is closed again.
func New(ctx context.Context, cfg *config.Config, version string, log *slog.Logger) (_ *App, err error) {
	a := &App{cfg: cfg, log: log, version: version, metrics: prometheus.NewRegistry(), accounts: accounts(cfg)}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.close())
		}
	}()
	a.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if a.dir, err = datadir.Open(cfg.Data); err != nil {
		return nil, err
	}
	if err := a.openStore(ctx); err != nil {
		return nil, err
	}
	if err := a.openDelivery(ctx); err != nil {
		return nil, err
	}
	messages, err := a.openVoice(ctx)
	if err != nil {
		return nil, err
	}
	if err := a.openPinpoint(); err != nil {
		return nil, err
	}
	if err := a.openEmail(ctx); err != nil {
		return nil, err
	}
	handler, err := a.openAPI(ctx, messages)
	if err != nil {
		return nil, err
	}
	if a.api, err = listen(cfg.Listen, cfg.TLS, a.withOthers(handler), log); err != nil {
		return nil, err
	}
	if cfg.PublicURL == "" {
		if err := a.topics.SetPublicURL(a.APIURL()); err != nil {
			return nil, err
		}
	}
	secret, err := a.store.Secret(ctx, "tracking-links")
	if err != nil {
		return nil, fmt.Errorf("secret of tracking links: %w", err)
	}
	if err := a.openTracking(secret); err != nil {
		return nil, err
	}
	if a.admin, err = listen(cfg.Admin, config.TLS{}, a.adminHandler(), log); err != nil {
		return nil, err
	}
	return a, nil
}

// grace is how long a service may take to stop, beside what it waits for by its nature.
const grace = 15 * time.Second

// Run serves until ctx ends, then stops in reverse order: first the listeners, so that
// nothing new is accepted; last the store, so that everything accepted is on disk.
func (a *App) Run(ctx context.Context) error {
	a.log.Info("ready", "api", a.APIURL(), "admin", a.AdminURL(), "data", a.cfg.Data, "quotas", string(a.cfg.Quotas), "speech", a.speech, "carrier", a.carrier.words, "mail", a.mail.words)
	below := []lifecycle.Service{
		{Name: "store", Grace: grace, Run: a.store.Run},
		{Name: "courier", Grace: a.cfg.Delivery.Timeout + grace, Run: a.courier.Run},
		{Name: "router", Grace: grace, Run: a.router.Run},
		{Name: "files", Grace: grace, Run: a.files.Run},
		{Name: "alarms", Grace: grace, Run: a.alarms.Run},
	}
	mails, listeners := a.mail.services(a.cfg.Email.Drain)
	below = append(below, mails...)
	err := lifecycle.Run(ctx, a.carrier.run(below, append(listeners,
		lifecycle.Service{Name: "calls", Grace: a.cfg.Voice.Drain + grace, Run: a.runner.Run},
		lifecycle.Service{Name: "admin", Grace: grace, Run: a.admin.serve},
		lifecycle.Service{Name: "api", Grace: grace, Run: a.api.serve},
	)...)...)
	return errors.Join(err, a.close())
}

// APIURL is where the AWS APIs are served.
func (a *App) APIURL() string { return a.api.url() }

// AdminURL is where operators look.
func (a *App) AdminURL() string { return a.admin.url() }

func (a *App) close() error {
	var errs []error
	for _, l := range []*listener{a.api, a.admin} {
		if l != nil {
			_ = l.ln.Close() // closed already after Run
		}
	}
	errs = append(errs, a.mail.close())
	if a.sinks != nil {
		errs = append(errs, a.sinks.Close())
	}
	if a.drivers != nil {
		errs = append(errs, a.drivers.Close())
	}
	if a.files != nil {
		errs = append(errs, a.files.Close())
	}
	if a.endpoints != nil {
		errs = append(errs, a.endpoints.Close())
	}
	if a.store != nil {
		errs = append(errs, a.store.Close())
	}
	if a.dir != nil {
		errs = append(errs, a.dir.Close())
	}
	return errors.Join(errs...)
}

// listener is an HTTP server and the socket it listens on.
type listener struct {
	ln     net.Listener
	server *http.Server
	scheme string
}

func listen(address string, files config.TLS, h http.Handler, log *slog.Logger) (*listener, error) {
	ln, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	l := &listener{ln: ln, scheme: "http", server: &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}}
	if files.Certificate == "" {
		return l, nil
	}
	certificate, err := tls.LoadX509KeyPair(files.Certificate, files.Key)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("load the TLS certificate: %w", err), ln.Close())
	}
	l.ln = tls.NewListener(ln, &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}})
	l.scheme = "https"
	return l, nil
}

func (l *listener) url() string { return l.scheme + "://" + l.ln.Addr().String() }

// serve answers requests until ctx ends, then lets those under way finish.
func (l *listener) serve(ctx context.Context) error {
	failed := make(chan error, 1)
	go func() { failed <- l.server.Serve(l.ln) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	finish, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	err := l.server.Shutdown(finish)
	if err != nil {
		err = l.server.Close() // whoever streams events or profiles does not hold up the stop
	}
	if ended := <-failed; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	return err
}
