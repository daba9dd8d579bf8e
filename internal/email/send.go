package email

import (
	"context"
	"fmt"
	"time"

	"tidings/internal/account"
	"tidings/internal/configset"
	"tidings/internal/fault"
	"tidings/internal/mailtemplate"
	"tidings/internal/tenant"
)

// mostEntries is how many mails a bulk has. Source: SES API Reference, "SendBulkTemplatedEmail", Destinations.
const mostEntries = 50

// Send checks a mail, accepts it, and returns its ID. When it returns, the mail is on disk, and each recipient will have an
// outcome. A mail that cannot be made from its template is accepted, too: an event says that it failed.
func (s *Service) Send(ctx context.Context, t tenant.Tenant, r Request) (id string, err error) {
	id, err = s.send(ctx, t, &r)
	s.Metrics.sent(r.Operation, err)
	return id, err
}

func (s *Service) send(ctx context.Context, t tenant.Tenant, r *Request) (string, error) {
	d, err := s.open(ctx, t)
	if err != nil {
		return "", err
	}
	l, err := d.write(ctx, r)
	if err != nil {
		return "", err
	}
	undo, err := s.take(ctx, t, d.acc, d.at, countable(l.Message.Recipients))
	if err != nil {
		return "", err
	}
	if err := s.put(ctx, undo, l); err != nil {
		return "", err
	}
	return l.Message.ID, nil
}

// put accepts letters, all or none; undo takes back what was counted for them.
func (s *Service) put(ctx context.Context, undo func(), all ...Letter) error {
	err := s.Spool.Put(ctx, all...)
	if err == nil {
		return nil
	}
	// A client that hangs up leaves it open whether the mails were stored. If they were, they count; otherwise hanging up in time
	// would be a way around the limits.
	if ctx.Err() == nil {
		undo()
	}
	return fmt.Errorf("accept mail: %w", err)
}

// SendBulk makes one mail for each entry, and accepts those that are in order, all at once. The results are in the order of the
// entries. It fails as a whole if nothing can be sent at all.
func (s *Service) SendBulk(ctx context.Context, t tenant.Tenant, b Bulk) ([]BulkResult, error) {
	results, err := s.sendBulk(ctx, t, &b)
	if err != nil {
		s.Metrics.sent(b.Operation, err)
		return nil, err
	}
	for _, one := range results {
		s.Metrics.sent(b.Operation, one.Err)
	}
	return results, nil
}

func (s *Service) sendBulk(ctx context.Context, t tenant.Tenant, b *Bulk) ([]BulkResult, error) {
	if len(b.Entries) < 1 || len(b.Entries) > mostEntries {
		return nil, fault.New(fault.Invalid, fault.EmailParameter, "A bulk has 1 to %d destinations, not %d.", mostEntries, len(b.Entries))
	}
	d, err := s.openBulk(ctx, t, b)
	if err != nil {
		return nil, err
	}
	results := make([]BulkResult, len(b.Entries))
	letters := make([]Letter, 0, len(b.Entries))
	taken := make([]func(), 0, len(b.Entries))
	undo := func() {
		for _, one := range taken {
			one()
		}
	}
	for i := range b.Entries {
		l, back, err := d.entry(ctx, b, &b.Entries[i])
		if err != nil && fault.From(err).Kind == fault.Internal {
			undo()
			return nil, err
		}
		if results[i].Err = err; err == nil {
			results[i].ID = l.Message.ID
			letters, taken = append(letters, l), append(taken, back)
		}
	}
	if len(letters) == 0 {
		return results, nil
	}
	if err := s.put(ctx, undo, letters...); err != nil {
		return nil, err
	}
	return results, nil
}

// openBulk checks what all entries have in common.
func (s *Service) openBulk(ctx context.Context, t tenant.Tenant, b *Bulk) (*desk, error) {
	if b.Templated == nil || b.Simple != nil || b.Raw != nil {
		return nil, fault.New(fault.Invalid, fault.EmailParameter, "A bulk is made from a template.")
	}
	d, err := s.open(ctx, t)
	if err != nil {
		return nil, err
	}
	if err := checkMessageTags(b.Tags); err != nil {
		return nil, err
	}
	w, err := d.sender(ctx, &b.Request)
	if err != nil {
		return nil, err
	}
	if _, err := d.configurationSet(b.Set, w.from); err != nil {
		return nil, err
	}
	if _, err := d.template(ctx, b.Templated); err != nil {
		return nil, err
	}
	return d, d.checkVerified(ctx, w.senders(), nil)
}

// entry makes one mail of a bulk, and counts it.
func (d *desk) entry(ctx context.Context, b *Bulk, e *BulkEntry) (Letter, func(), error) {
	r := b.Request // a copy: what is shared is not changed
	r.To, r.Cc, r.Bcc = e.To, e.Cc, e.Bcc
	if len(e.Tags) > 0 {
		r.Tags = e.Tags
	}
	if len(e.Headers) > 0 {
		r.Headers = e.Headers
	}
	d.over = e.Data
	l, err := d.write(ctx, &r)
	if err != nil {
		return Letter{}, nil, err
	}
	undo, err := d.s.take(ctx, d.t, d.acc, d.at, countable(l.Message.Recipients))
	if err != nil {
		return Letter{}, nil, err
	}
	return l, undo, nil
}

// desk is where the mails of one request are written.
type desk struct {
	s   *Service
	t   tenant.Tenant
	acc *account.Account
	at  time.Time

	// What entries of a bulk need not look up again.
	from    string // an address, whose identity is known
	known   speaker
	stored  *Template          // the template of all mails
	base    *mailtemplate.Data // the default data, read; nil = not yet
	baseErr error
	over    string // data of the entry, laid over the default data
}

// open begins a request, if the account can send at all.
func (s *Service) open(ctx context.Context, t tenant.Tenant) (*desk, error) {
	acc, err := s.account(t)
	if err != nil {
		return nil, err
	}
	settings, err := s.Registry.Settings(ctx, t)
	if err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	if settings.Paused {
		return nil, fault.New(fault.Denied, fault.AccountSending, "Email sending is disabled for this account.")
	}
	return &desk{s: s, t: t, acc: acc, at: s.now()}, nil
}

// write makes a letter of a request, if everything is in order but the rates, which it does not ask.
func (d *desk) write(ctx context.Context, r *Request) (Letter, error) {
	contents := 0
	for _, given := range []bool{r.Simple != nil, r.Raw != nil, r.Templated != nil} {
		if given {
			contents++
		}
	}
	if contents != 1 {
		return Letter{}, fault.New(fault.Invalid, fault.EmailParameter, "Exactly one of simple, raw and templated content must be given, not %d.", contents)
	}
	if r.Raw != nil {
		return d.writeRaw(ctx, r)
	}
	return d.writeComposed(ctx, r)
}

// configurationSet returns the set of a mail: the one that is named, or that of the identity that sends. It must be there, and not
// be paused.
func (d *desk) configurationSet(named string, from speaker) (string, error) {
	if named == "" && from.identity != nil {
		named = from.identity.Set
	}
	if named == "" {
		return "", nil
	}
	set, ok := d.s.Sets.Get(configset.Key{Tenant: d.t, Scope: configset.Email, Name: named})
	if !ok {
		return "", noSet(named)
	}
	if set.Options.SendingPaused {
		return "", fault.New(fault.Denied, fault.SetSending, "Email sending is disabled for configuration set <%s>.", named)
	}
	return named, nil
}
