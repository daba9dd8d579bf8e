package sink

import (
	"fmt"
	"strings"

	"tidings/internal/arn"
	"tidings/internal/configset"
	"tidings/internal/tenant"
)

// NewTarget returns the target that the destination d of the tenant t means. Destinations
// that mean the same place have equal targets: the star behind the ARN of a log group,
// which stands for all of its streams, is cut off.
func NewTarget(t tenant.Tenant, d configset.Destination) (Target, error) {
	a, err := arn.Parse(d.ARN)
	if err != nil {
		return Target{}, fmt.Errorf("target %q: %w", d.ARN, err)
	}
	if a.Service == "logs" {
		a.Resource = strings.TrimSuffix(a.Resource, ":*")
	}
	return Target{Tenant: t, Kind: d.Kind, ARN: a, Role: d.Role}, nil
}
