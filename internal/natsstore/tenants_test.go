package natsstore

import (
	"slices"
	"testing"

	"tidings/internal/pinpoint"
	"tidings/internal/tenant"
)

func TestTenantsOfApps(t *testing.T) {
	t.Parallel()
	s := openStore(t, Options{})
	if got := s.Apps().Tenants(); len(got) != 0 {
		t.Errorf("Tenants of an empty store = %v, want none", got)
	}
	far := tenant.Tenant{Account: acme.Account, Region: "eu-west-1"}
	gone := appAt(tenant.Tenant{Account: acme.Account, Region: "ap-south-1"}, 3)
	for _, a := range []*pinpoint.App{appAt(acme, 1), appAt(acme, 2), appAt(far, 1), gone} {
		putApp(t, s, a)
	}
	if err := s.Apps().Remove(within(t), gone.Tenant, gone.ID); err != nil {
		t.Fatalf("Remove = %v, want nil", err)
	}
	if got, want := s.Apps().Tenants(), []tenant.Tenant{far, acme}; !slices.Equal(got, want) {
		t.Errorf("Tenants = %v, want %v", got, want)
	}
}
