package natsstore

import (
	"cmp"
	"slices"

	"tidings/internal/tenant"
)

// Tenants returns whoever has an app, in order.
func (a *Apps) Tenants() []tenant.Tenant {
	a.index.mu.RLock()
	defer a.index.mu.RUnlock()
	var all []tenant.Tenant
	for t, in := range a.index.of {
		if len(in.order) > 0 {
			all = append(all, t)
		}
	}
	slices.SortFunc(all, func(x, y tenant.Tenant) int { return cmp.Compare(x.String(), y.String()) })
	return all
}
