package app

import (
	"tidings/internal/boltstore"
	"tidings/internal/configset"
	"tidings/internal/natsstore"
	"tidings/internal/pinpoint"
	"tidings/internal/quota"
	"tidings/internal/sink"
	"tidings/internal/tenant"
)

// openPinpoint opens the store of endpoints and builds what apps can do over it.
func (a *App) openPinpoint() (err error) {
	cfg := a.cfg.Pinpoint
	a.endpoints, err = boltstore.Open(boltstore.Options{
		Path: a.dir.Path("endpoints.db"), MaxBytes: int64(cfg.MaxBytes), CacheBytes: int64(cfg.CacheBytes),
		Log: a.log.With("room", "endpoints"), Registerer: a.metrics,
	})
	if err != nil {
		return err
	}
	a.apps = &pinpoint.Service{
		Store: a.store.Apps(), Endpoints: a.endpoints, Sets: a.store.ConfigurationSets(), Publisher: a.store.Events(),
		Limits: a.limits, Check: a.reachable, Room: a.store.Room, NoTestEvent: !cfg.TestEvent,
		Metrics: pinpoint.NewMetrics(a.metrics),
	}
	return nil
}

// limits are those of an account.
func (a *App) limits(id string) quota.Limits {
	if acc, ok := a.accounts.Account(id); ok {
		return acc.Limits
	}
	return quota.For(quota.Production, nil)
}

// reachable reports whether there is a way of delivering to d.
func (a *App) reachable(d configset.Destination) error {
	if d.Kind == configset.CloudWatch {
		return nil // it has no ARN to be bound, and is only kept: there is no API for e-mail yet
	}
	t, err := sink.NewTarget(tenant.Tenant{}, d)
	if err != nil {
		return err
	}
	return a.sinks.Check(t)
}

var (
	_ pinpoint.AppStore      = (*natsstore.Apps)(nil)
	_ pinpoint.EndpointStore = (*boltstore.Store)(nil)
	_ pinpoint.Publisher     = (*natsstore.Events)(nil)
)
