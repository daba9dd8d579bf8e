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
func (a *App) openPinpoint() (*pinpoint.Service, error) {
	cfg := a.cfg.Pinpoint
	var err error
	a.endpoints, err = boltstore.Open(boltstore.Options{
		Path: a.dir.Path("endpoints.db"), MaxBytes: int64(cfg.MaxBytes), CacheBytes: int64(cfg.CacheBytes),
		Log: a.log.With("room", "endpoints"), Registerer: a.metrics,
	})
	if err != nil {
		return nil, err
	}
	return &pinpoint.Service{
		Store: a.store.Apps(), Endpoints: a.endpoints, Sets: a.store.ConfigurationSets(), Publisher: a.store.Events(),
		Limits: a.limits, Check: a.reachable, Room: a.store.Room, NoTestEvent: !cfg.TestEvent,
		Metrics: pinpoint.NewMetrics(a.metrics),
	}, nil
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
