package app

import (
	"context"
	"errors"

	"tidings/internal/configset"
	"tidings/internal/fault"
	"tidings/internal/pinpoint"
	"tidings/internal/tenant"
)

// A rehearsal lets the features do what they do without anything being changed: their
// stores read what is there and keep what is written to themselves. So a dry run comes to
// the same results by the same rules. One goroutine at a time may rehearse.

var errNotRehearsed = errors.New("this cannot be rehearsed")

// space is where names are unique.
type space struct {
	tenant tenant.Tenant
	scope  configset.Scope
}

// rehearsedSets is a configset.Store over another one. Its List is that of the other one.
type rehearsedSets struct {
	configset.Store

	written map[configset.Key]*configset.Set
	created map[space]int
}

// Get returns the set, or false.
func (r *rehearsedSets) Get(key configset.Key) (*configset.Set, bool) {
	if s, ok := r.written[key]; ok {
		return s, true
	}
	return r.Store.Get(key)
}

// Count returns how many sets the tenant would have.
func (r *rehearsedSets) Count(t tenant.Tenant, scope configset.Scope) int {
	return r.Store.Count(t, scope) + r.created[space{t, scope}]
}

// Create fails with fault.Exists if the key is taken.
func (r *rehearsedSets) Create(_ context.Context, key configset.Key, s *configset.Set) error {
	if _, ok := r.Get(key); ok {
		return fault.New(fault.Exists, fault.ConfigurationSet, "A configuration set with the name %q exists already.", key.Name)
	}
	r.written[key] = s.Clone()
	r.created[space{key.Tenant, key.Scope}]++
	return nil
}

// Update never meets another writer.
func (r *rehearsedSets) Update(_ context.Context, key configset.Key, s *configset.Set) error {
	r.written[key] = s.Clone()
	return nil
}

// Delete fails.
func (r *rehearsedSets) Delete(context.Context, configset.Key) error { return errNotRehearsed }

// rehearsedApps is a pinpoint.AppStore over another one. Its Apps is that of the other one.
type rehearsedApps struct {
	pinpoint.AppStore

	written map[pinpoint.AppKey]*pinpoint.App
	created map[tenant.Tenant]int
}

// App returns the app, or false.
func (r *rehearsedApps) App(t tenant.Tenant, id string) (*pinpoint.App, bool) {
	if a, ok := r.written[pinpoint.AppKey{Tenant: t, App: id}]; ok {
		return a, true
	}
	return r.AppStore.App(t, id)
}

// Count returns how many apps the tenant would have.
func (r *rehearsedApps) Count(t tenant.Tenant) int { return r.AppStore.Count(t) + r.created[t] }

// Put keeps the app.
func (r *rehearsedApps) Put(_ context.Context, a *pinpoint.App) error {
	if _, ok := r.App(a.Tenant, a.ID); !ok {
		r.created[a.Tenant]++
	}
	r.written[pinpoint.AppKey{Tenant: a.Tenant, App: a.ID}] = a.Clone()
	return nil
}

// Remove fails.
func (r *rehearsedApps) Remove(context.Context, tenant.Tenant, string) error { return errNotRehearsed }

// rehearse returns the features over stores that change nothing.
func (a *App) rehearse() stage {
	sets := &rehearsedSets{a.store.ConfigurationSets(), map[configset.Key]*configset.Set{}, map[space]int{}}
	apps := &rehearsedApps{a.store.Apps(), map[pinpoint.AppKey]*pinpoint.App{}, map[tenant.Tenant]int{}}
	return stage{
		sets: &configset.Service{Store: sets, Limits: a.limits, Check: a.reachable},
		apps: &pinpoint.Service{
			Store: apps, Sets: sets, Limits: a.limits, Check: a.reachable, Room: a.store.Room, NoTestEvent: true,
			// Of no use to an import, but required.
			Endpoints: a.endpoints, Publisher: a.store.Events(),
		},
	}
}

var (
	_ configset.Store   = (*rehearsedSets)(nil)
	_ pinpoint.AppStore = (*rehearsedApps)(nil)
)
