package email

import (
	"context"

	"tidings/internal/fault"
	"tidings/internal/tenant"
)

// Send checks a mail, accepts it, and returns its ID. When it returns, the mail is on disk, and each recipient will have an
// outcome.
func (s *Service) Send(ctx context.Context, t tenant.Tenant, r Request) (id string, err error) {
	return "", fault.New(fault.Unavailable, "", "Not yet.")
}

// SendBulk makes one mail for each entry, and accepts those that are in order. The results are in the order of the entries.
func (s *Service) SendBulk(ctx context.Context, t tenant.Tenant, b Bulk) ([]BulkResult, error) {
	return nil, fault.New(fault.Unavailable, "", "Not yet.")
}

// SendBounce sends a bounce message to the sender of a mail, and returns its ID.
func (s *Service) SendBounce(ctx context.Context, t tenant.Tenant, r BounceRequest) (id string, err error) {
	return "", fault.New(fault.Unavailable, "", "Not yet.")
}

// Render fills a template, and returns the message that it would become.
func (s *Service) Render(ctx context.Context, t tenant.Tenant, name, data string) (mime string, err error) {
	return "", fault.New(fault.Unavailable, "", "Not yet.")
}
