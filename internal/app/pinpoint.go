package app

import (
	"strings"

	"tidings/internal/arn"
	"tidings/internal/boltstore"
	"tidings/internal/configset"
	"tidings/internal/fault"
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

// reachable reports whether there is a way of delivering to d for the tenant.
func (a *App) reachable(t tenant.Tenant, d configset.Destination) error {
	if d.Kind == configset.Pinpoint {
		return a.ownApp(t, d.ARN)
	}
	target, err := sink.NewTarget(t, d)
	if err != nil {
		return err
	}
	return a.sinks.Check(target)
}

// ownApp reports whether the tenant has the app: the events of its mail can appear in no other.
func (a *App) ownApp(t tenant.Tenant, name string) error {
	app, err := arn.Parse(name)
	if err != nil {
		return err
	}
	id := strings.TrimPrefix(app.Resource, "apps/")
	if _, ok := a.store.Apps().App(t, id); !ok || app.Account != t.Account || app.Region != t.Region {
		return fault.New(fault.Invalid, fault.EventDestination, "There is no Pinpoint project %s in account %s and region %s.", name, t.Account, t.Region)
	}
	return nil
}

var (
	_ pinpoint.AppStore      = (*natsstore.Apps)(nil)
	_ pinpoint.EndpointStore = (*boltstore.Store)(nil)
	_ pinpoint.Publisher     = (*natsstore.Events)(nil)
)
