package mailstore

import (
	"cmp"
	"context"
	"slices"

	"tidings/internal/tenant"
)

// Owners returns whoever has an identity of this name, in order.
func (s *Store) Owners(_ context.Context, name string) ([]tenant.Tenant, error) {
	s.identities.mu.RLock()
	defer s.identities.mu.RUnlock()
	var all []tenant.Tenant
	for key, one := range s.identities.all {
		if one.Name != name {
			continue
		}
		t, _, err := parseOwner([]byte(key))
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	slices.SortFunc(all, func(x, y tenant.Tenant) int { return cmp.Compare(x.String(), y.String()) })
	return all, nil
}
