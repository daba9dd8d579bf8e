package app

import (
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"tidings/internal/config"
	"tidings/internal/sink"
)

func newReloads(r prometheus.Registerer) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tidings_config_reloads_total",
		Help: "Times the configuration was read again, by outcome: applied, or refused because of a problem.",
	}, []string{"outcome"})
	r.MustRegister(c)
	for _, outcome := range []string{"applied", "refused"} {
		c.WithLabelValues(outcome)
	}
	return c
}

// Reload puts the destinations of a configuration that was read again in force, without
// losing a delivery. Everything else that has changed in it is named in the log and waits
// for the next start. loaded is why it could not be read; then, and if its destinations
// cannot work, nothing changes. It is safe for concurrent use.
func (a *App) Reload(cfg *config.Config, loaded error) error {
	a.reloading.Lock()
	defer a.reloading.Unlock()
	if err := a.reload(cfg, loaded); err != nil {
		a.reloads.WithLabelValues("refused").Inc()
		a.log.Error("configuration is not applied: what was in force stays", "error", err)
		return err
	}
	a.reloads.WithLabelValues("applied").Inc()
	return nil
}

func (a *App) reload(cfg *config.Config, loaded error) error {
	if loaded != nil {
		return loaded
	}
	fresh, err := a.bind(cfg.Destinations)
	if err != nil {
		return err
	}
	old := a.drivers
	a.drivers = fresh
	err = errors.Join(a.sinks.Swap(a.fallback(), fresh.bindings...), old.Close())
	a.courier.Wake()
	if err != nil {
		a.log.Warn("something of the former destinations does not close", "error", err)
	}
	a.log.Info("destinations are in force", "bindings", len(fresh.bindings))
	if keys := changedKeys(a.cfg, cfg); len(keys) > 0 {
		a.log.Warn("other changes take effect with the next start", "keys", keys)
	}
	return nil
}

// fallback serves what no binding matches.
func (a *App) fallback() sink.Binding { return sink.Binding{Name: "file", Driver: a.local()} }

// changedKeys lists the top-level keys that differ, but for those that a reload applies.
func changedKeys(was, is *config.Config) []string {
	var keys []string
	x, y := reflect.ValueOf(*was), reflect.ValueOf(*is)
	for i := range x.NumField() {
		key := x.Type().Field(i).Tag.Get("yaml")
		if key != "destinations" && !reflect.DeepEqual(x.Field(i).Interface(), y.Field(i).Interface()) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// Bindings says what is in force, for people: a pattern and a driver each, first match first.
func (a *App) Bindings() []string {
	a.reloading.Lock()
	defer a.reloading.Unlock()
	lines := make([]string, 0, len(a.drivers.bindings)+1)
	for _, b := range a.drivers.bindings {
		lines = append(lines, fmt.Sprintf("%s -> %s", b.Match, b.Name))
	}
	return append(lines, "* -> file")
}
