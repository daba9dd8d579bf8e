package configset

import (
	"context"
	"fmt"
	"slices"

	"tidings/internal/fault"
	"tidings/internal/tenant"
)

// Import makes the set if there is none, and adds event destinations behind those it has,
// all in one write: no event ever finds the set without those that belong to it.
//
// refused says of each event destination, in their order, why it was not added, with the
// faults of CreateDestination; nil = it was. The others are added nevertheless. After err,
// nothing was.
func (s *Service) Import(ctx context.Context, t tenant.Tenant, scope Scope, name string, all []EventDestination) (refused []error, err error) {
	if err := checkName(fault.ConfigurationSet, "configuration set", name); err != nil {
		return nil, err
	}
	checked := make([]EventDestination, len(all))
	wrong := make([]error, len(all))
	for i, d := range all {
		checked[i], wrong[i] = s.check(t, scope, d)
	}
	fill := func(c *Set) error {
		refused = slices.Clone(wrong) // anew with each attempt
		for i, d := range checked {
			if refused[i] == nil {
				refused[i] = s.add(t.Account, c, d)
			}
		}
		return nil
	}
	key := Key{Tenant: t, Scope: scope, Name: name}
	if _, ok := s.Store.Get(key); !ok {
		err := s.importNew(ctx, key, fill)
		if _, made := s.Store.Get(key); err == nil || !made {
			return refused, err
		}
		// Somebody else has made it meanwhile.
	}
	if !slices.Contains(wrong, nil) { // nothing to write
		return wrong, nil
	}
	return refused, s.change(ctx, key, fill)
}

func (s *Service) importNew(ctx context.Context, key Key, fill func(*Set) error) error {
	done, err := s.room(key.Tenant, key.Scope)
	if err != nil {
		return err
	}
	defer done()
	set := &Set{Name: key.Name, Created: s.now()}
	if err := fill(set); err != nil {
		return err
	}
	if err := s.Store.Create(ctx, key, set); err != nil {
		return fmt.Errorf("import configuration set %q: %w", key.Name, err)
	}
	return nil
}
