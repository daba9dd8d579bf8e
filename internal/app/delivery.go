package app

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"tidings/internal/alarm"
	"tidings/internal/fanout"
	"tidings/internal/sink"
	"tidings/internal/sink/awssink"
	"tidings/internal/sink/cloudwatch"
	"tidings/internal/sink/file"
	"tidings/internal/sink/webhook"
)

// openDelivery builds the way from the event log to the sinks.
func (a *App) openDelivery(ctx context.Context) error {
	if err := a.openSinks(ctx); err != nil {
		return err
	}
	directory, err := a.directory()
	if err != nil {
		return err
	}
	metrics := fanout.NewMetrics(a.metrics)
	log := a.log.With("room", "delivery")
	cfg := a.cfg.Delivery
	a.courier = fanout.NewCourier(fanout.Parts{
		Directory: directory, Sinks: a.sinks, Lot: a.store.Parking(), Morgue: a.store.DeadLetters(),
		Logger: log, Metrics: metrics,
	}, fanout.Settings{
		Timeout: cfg.Timeout, Backoff: cfg.Backoff, BackoffMax: cfg.BackoffMax, GiveUp: cfg.GiveUp, Concurrency: cfg.Concurrency,
	})
	a.topics.OnConfirmed(func(string) { a.courier.Wake() }) // what waited for the confirmation need not wait longer
	a.metrics.MustRegister(a.courier)
	a.router = &fanout.Router{Log: a.store.Events(), Directory: directory, Courier: a.courier, Logger: log, Metrics: metrics}
	a.alarms = &alarm.Watcher{
		Thresholds: alarm.Thresholds{Failures: a.cfg.Alarms.Failures, Lag: a.cfg.Alarms.Lag, DeadLetters: a.cfg.Alarms.DeadLetters},
		Status:     a.courier.Status, Letters: a.store.DeadLetters(), Log: a.log.With("room", "alarm"), Now: time.Now,
	}
	if a.cfg.Alarms.Destination != "" {
		a.alarms.Publisher = a.store.Events()
	}
	a.metrics.MustRegister(a.alarms)
	return nil
}

// openSinks makes the drivers and puts the bindings of the configuration in force.
func (a *App) openSinks(ctx context.Context) (err error) {
	log := a.log.With("room", "sinks")
	a.files, err = file.New(a.dir.Path("destinations"), file.Settings{
		Gzip: a.cfg.Files.Gzip, Keep: a.cfg.Files.Keep, Logger: log, Metrics: file.NewMetrics(a.metrics),
	})
	if err != nil {
		return err
	}
	if a.topics, err = webhook.OpenTopics(ctx, a.store, a.cfg.PublicURL, log); err != nil {
		return fmt.Errorf("topics of webhooks: %w", err)
	}
	a.counters = cloudwatch.NewCounters(a.metrics)
	a.awsMetrics, a.reloads = awssink.NewMetrics(a.metrics), newReloads(a.metrics)
	if a.drivers, err = a.bind(a.cfg.Destinations); err != nil {
		return err
	}
	a.sinks = sink.NewBindings(a.fallback(), a.drivers.bindings...)
	return nil
}

// directory knows who wants events: event destinations, and the operator who wants alarms.
func (a *App) directory() (fanout.Directory, error) {
	d := alarm.Directory{Directory: fanout.SetDirectory{Sets: a.store.ConfigurationSets()}}
	if a.cfg.Alarms.Destination == "" {
		return d, nil
	}
	var err error
	if d.Target, err = alarm.NewTarget(a.cfg.Alarms.Destination); err == nil {
		err = a.sinks.Check(d.Target)
	}
	if err != nil {
		return nil, fmt.Errorf("alarms.destination: %w", err)
	}
	return d, nil
}

// withOthers serves, beside the AWS APIs, what SNS-shaped webhooks point to, and what mails do.
func (a *App) withOthers(api http.Handler) http.Handler {
	topics := a.topics.Handler()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/sns/") {
			topics.ServeHTTP(w, r)
			return
		}
		if a.mail.serves(r) {
			a.mail.visits.ServeHTTP(w, r)
			return
		}
		api.ServeHTTP(w, r)
	})
}
