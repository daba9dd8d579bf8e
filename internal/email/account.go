package email

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"tidings/internal/account"
	"tidings/internal/fault"
	"tidings/internal/quota"
	"tidings/internal/tenant"
)

// Quota is how much an account may send in a region, counted in recipients.
type Quota struct {
	PerDay, PerSecond float64 // -1 = unlimited
	Sent              float64 // within the last 24 hours
	Sandbox           bool    // mail goes from and to verified identities only
}

// Quota returns what the tenant may send, and what it has sent.
func (s *Service) Quota(ctx context.Context, t tenant.Tenant) (Quota, error) {
	acc, err := s.account(t)
	if err != nil {
		return Quota{}, err
	}
	if err := s.recount(ctx, t, acc); err != nil {
		return Quota{}, err
	}
	sent, err := s.Windows.Count(s.now(), quota.EmailsPerDay, t.String(), dayLimit(acc))
	if err != nil {
		return Quota{}, fmt.Errorf("count mails: %w", err)
	}
	return Quota{
		PerDay:    shown(acc.Limits.Of(quota.EmailsPerDay)),
		PerSecond: shown(acc.Limits.Of(quota.EmailsPerSecond)),
		Sent:      float64(sent),
		Sandbox:   acc.Sandbox,
	}, nil
}

// shown is a limit as SES tells it. Source: SES API v2 Reference, "SendQuota".
func shown(limit int64) float64 {
	if limit <= quota.Unlimited {
		return -1
	}
	return float64(limit)
}

// dayLimit is what the mails of a day are counted by. They are counted even where nothing limits them, for Quota.
func dayLimit(acc *account.Account) int64 {
	if limit := acc.Limits.Of(quota.EmailsPerDay); limit > quota.Unlimited {
		return limit
	}
	return math.MaxInt64
}

// take counts recipients towards the account's rates. undo takes them back.
func (s *Service) take(ctx context.Context, t tenant.Tenant, acc *account.Account, at time.Time, recipients int) (undo func(), err error) {
	// Before the first mail of all, also one that does not count: the statistics, which have every mail, are what it counts from.
	if err := s.recount(ctx, t, acc); err != nil {
		return nil, err
	}
	if recipients == 0 {
		return func() {}, nil
	}
	// The second goes first: uses that are taken back a moment later hold up only those whom the day refuses, too. A mail with
	// more recipients than a second allows passes when nothing else has in that second, or it never could.
	second := acc.Limits.Of(quota.EmailsPerSecond)
	use := quota.Use{Name: quota.EmailsPerSecond, Key: t.String(), Limit: second, N: min(int64(recipients), max(second, 1))}
	undoSecond, err := s.Windows.Take(at, use)
	if err != nil {
		return nil, throttled(err, fault.SendingRate, "Maximum sending rate exceeded.")
	}
	undoDay, err := s.Windows.Take(at, quota.Use{Name: quota.EmailsPerDay, Key: t.String(), Limit: dayLimit(acc), N: int64(recipients)})
	if err != nil {
		undoSecond()
		return nil, throttled(err, fault.SendingQuota, "Daily message quota exceeded.")
	}
	return func() { undoDay(); undoSecond() }, nil
}

// throttled says in SES's words which limit was reached.
// Source: SES Developer Guide, "Errors related to the sending quotas for your Amazon SES account".
func throttled(err error, resource, text string) error {
	if !fault.Is(err, fault.Throttled) {
		return err
	}
	f := fault.New(fault.Throttled, resource, "%s", text)
	f.RetryAfter = fault.From(err).RetryAfter
	f.Err = err
	return f
}

// counting is the one recount of a tenant.
type counting struct {
	mu   sync.Mutex
	done bool
}

// recount counts, when the first mail of a tenant comes after a start of the server, what the tenant sent in the day before.
func (s *Service) recount(ctx context.Context, t tenant.Tenant, acc *account.Account) error {
	found, ok := s.recounted.Load(t)
	if !ok {
		found, _ = s.recounted.LoadOrStore(t, new(counting))
	}
	c := found.(*counting)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done {
		return nil
	}
	all, err := s.Registry.Statistics(ctx, t)
	if err != nil {
		return fmt.Errorf("recount the mails of a day: %w", err)
	}
	since := s.now().Add(-24 * time.Hour)
	for _, span := range all {
		if span.Attempts <= 0 || span.From.Before(since) {
			continue
		}
		use := quota.Use{Name: quota.EmailsPerDay, Key: t.String(), Limit: dayLimit(acc), N: span.Attempts}
		if err := s.Windows.Record(span.From, use); err != nil {
			return fmt.Errorf("recount the mails of a day: %w", err)
		}
	}
	c.done = true
	return nil
}

// Statistics returns what became of the mails of the last two weeks, by spans of 15 minutes, oldest first.
func (s *Service) Statistics(ctx context.Context, t tenant.Tenant) ([]Counts, error) {
	all, err := s.Registry.Statistics(ctx, t)
	if err != nil {
		return nil, fmt.Errorf("read statistics: %w", err)
	}
	return all, nil
}

// Settings returns the switches of the account in a region.
func (s *Service) Settings(ctx context.Context, t tenant.Tenant) (Settings, error) {
	found, err := s.Registry.Settings(ctx, t)
	if err != nil {
		return Settings{}, fmt.Errorf("read settings: %w", err)
	}
	return found, nil
}

// ChangeSettings applies edit to the switches of the account in a region. What edit returns is returned, and then nothing is
// changed. edit may be called more than once.
func (s *Service) ChangeSettings(ctx context.Context, t tenant.Tenant, edit func(*Settings) error) error {
	err := s.Registry.ChangeSettings(ctx, t, func(now *Settings) error {
		if err := edit(now); err != nil {
			return err
		}
		if i := slices.IndexFunc(now.Suppression, func(reason string) bool { return !isReason(reason) }); i >= 0 {
			return badReason(fault.SuppressedAddress, now.Suppression[i])
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("change settings: %w", err)
	}
	return nil
}
