package awsapi

import (
	"context"
	"errors"

	"tidings/internal/account"
	"tidings/internal/tenant"
)

// ErrNoCaller is returned for a request that nobody has signed. Handlers are called for signed
// requests only, so it tells of a defect here.
var ErrNoCaller = errors.New("the request has no caller")

// Caller returns whose request it is that ctx belongs to.
func Caller(ctx context.Context) (tenant.Tenant, error) {
	p, ok := account.FromContext(ctx)
	if !ok {
		return tenant.Tenant{}, ErrNoCaller
	}
	return p.Tenant(), nil
}
