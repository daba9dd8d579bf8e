package sink

import (
	"encoding/json"
	"fmt"
	"strings"

	"tidings/internal/arn"
	"tidings/internal/configset"
	"tidings/internal/tenant"
)

// NewTarget returns the target that the destination d of the tenant t means. Destinations
// that mean the same place have equal targets: the star behind the ARN of a log group,
// which stands for all of its streams, is cut off.
//
// The metrics of CloudWatch have no ARN. So that operators can bind them, they get one:
// arn:aws:cloudwatch:REGION:ACCOUNT:metrics.
func NewTarget(t tenant.Tenant, d configset.Destination, dimensions ...configset.Dimension) (Target, error) {
	if d.Kind == configset.CloudWatch {
		named, err := json.Marshal(dimensions)
		if err != nil {
			return Target{}, fmt.Errorf("target of metrics: %w", err)
		}
		a := arn.ARN{Partition: "aws", Service: "cloudwatch", Region: t.Region, Account: t.Account, Resource: "metrics"}
		return Target{Tenant: t, Kind: d.Kind, ARN: a, dimensions: string(named)}, nil
	}
	a, err := arn.Parse(d.ARN)
	if err != nil {
		return Target{}, fmt.Errorf("target %q: %w", d.ARN, err)
	}
	if a.Service == "logs" {
		a.Resource = strings.TrimSuffix(a.Resource, ":*")
	}
	return Target{Tenant: t, Kind: d.Kind, ARN: a, Role: d.Role}, nil
}

// Dimensions are those of the metrics of a CloudWatch target; nil for all others.
func (t Target) Dimensions() []configset.Dimension {
	if t.dimensions == "" {
		return nil
	}
	var all []configset.Dimension
	if err := json.Unmarshal([]byte(t.dimensions), &all); err != nil {
		return nil // cannot be: NewTarget wrote it
	}
	return all
}
