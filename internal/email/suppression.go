package email

import (
	"context"
	"fmt"
	"strings"
	"time"

	"tidings/internal/fault"
	"tidings/internal/tenant"
)

func isReason(reason string) bool {
	return reason == suppressedForBounce || reason == suppressedForComplaint
}

func badReason(resource, reason string) error {
	return fault.New(fault.Invalid, resource, "A reason for suppression is %s or %s, not %q.", suppressedForBounce, suppressedForComplaint, clip(reason))
}

// Suppress puts an address on the suppression list, or gives one that is there a new reason.
func (s *Service) Suppress(ctx context.Context, t tenant.Tenant, address, reason string) error {
	address, err := suppressible(address)
	if err != nil {
		return err
	}
	if !isReason(reason) {
		return badReason(fault.SuppressedAddress, reason)
	}
	if err := s.Registry.PutSuppressed(ctx, t, &Suppressed{Address: address, Reason: reason, Updated: s.now()}); err != nil {
		return fmt.Errorf("suppress an address: %w", err)
	}
	return nil
}

// Suppressed returns the entry of the suppression list for an address.
func (s *Service) Suppressed(ctx context.Context, t tenant.Tenant, address string) (*Suppressed, error) {
	address, err := suppressible(address)
	if err != nil {
		return nil, err
	}
	found, ok, err := s.Registry.Suppressed(ctx, t, address)
	if err != nil {
		return nil, fmt.Errorf("look a suppressed address up: %w", err)
	}
	if !ok {
		return nil, notSuppressed(address)
	}
	return found, nil
}

// SuppressedList returns up to limit entries of the suppression list in the order of addresses, beginning behind after, and
// whether more follow. reasons nil = all; since and until bound when they were updated, zero = not.
func (s *Service) SuppressedList(ctx context.Context, t tenant.Tenant, reasons []string, since, until time.Time, after string, limit int) ([]*Suppressed, bool, error) {
	for _, reason := range reasons {
		if !isReason(reason) {
			return nil, false, badReason(fault.SuppressedAddress, reason)
		}
	}
	if err := checkPage(limit); err != nil {
		return nil, false, err
	}
	all, more, err := s.Registry.SuppressedList(ctx, t, reasons, since, until, after, limit)
	if err != nil {
		return nil, false, fmt.Errorf("list suppressed addresses: %w", err)
	}
	return all, more, nil
}

// Unsuppress takes an address off the suppression list.
func (s *Service) Unsuppress(ctx context.Context, t tenant.Tenant, address string) error {
	address, err := suppressible(address)
	if err != nil {
		return err
	}
	had, err := s.Registry.DeleteSuppressed(ctx, t, address)
	if err != nil {
		return fmt.Errorf("take an address off the suppression list: %w", err)
	}
	if !had {
		return notSuppressed(address)
	}
	return nil
}

// suppressible returns an address as the suppression list has it.
func suppressible(text string) (string, error) {
	address, err := bareAddress(text)
	if err != nil {
		return "", fault.New(fault.Invalid, fault.SuppressedAddress, "Invalid email address <%s>.", clip(text))
	}
	return strings.ToLower(address), nil
}

// notSuppressed is in the words of SES.
func notSuppressed(address string) error {
	return fault.New(fault.NotFound, fault.SuppressedAddress, "Email address %s does not exist on your suppression list.", clip(address))
}

// checkPage reports whether a page can have this many entries.
func checkPage(limit int) error {
	if limit < 1 {
		return fault.New(fault.Invalid, fault.PaginationToken, "A page has at least 1 entry, not %d.", limit)
	}
	return nil
}
