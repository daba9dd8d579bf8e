package ses_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"tidings/internal/email"
	"tidings/internal/fault"
	"tidings/internal/tenant"
)

// office is an email.Service that keeps what it was asked for and follows few rules of its own. If fails is set, all that it does
// fails with it.
type office struct {
	now        time.Time
	fails      error
	entries    []error // what becomes of the entries of a bulk; those beyond succeed
	sent       []any
	templates  map[string]*email.Template
	identities map[string]*email.Identity
	settings   email.Settings
}

func newOffice(now time.Time) *office {
	return &office{now: now, templates: map[string]*email.Template{}, identities: map[string]*email.Identity{}}
}

const messageID = "010019dd7b0f1a80-0f5e2b6e-1c2d-4e3f-8a9b-0123456789ab-000000"

func (o *office) Send(_ context.Context, _ tenant.Tenant, r email.Request) (string, error) {
	if o.fails != nil {
		return "", o.fails
	}
	o.sent = append(o.sent, r)
	return messageID, nil
}

func (o *office) SendBulk(_ context.Context, _ tenant.Tenant, b email.Bulk) ([]email.BulkResult, error) {
	if o.fails != nil {
		return nil, o.fails
	}
	o.sent = append(o.sent, b)
	var results []email.BulkResult
	for i := range b.Entries {
		if i < len(o.entries) && o.entries[i] != nil {
			results = append(results, email.BulkResult{Err: o.entries[i]})
			continue
		}
		results = append(results, email.BulkResult{ID: messageID})
	}
	return results, nil
}

func (o *office) SendBounce(_ context.Context, _ tenant.Tenant, r email.BounceRequest) (string, error) {
	if o.fails != nil {
		return "", o.fails
	}
	o.sent = append(o.sent, r)
	return messageID, nil
}

func (o *office) CreateTemplate(_ context.Context, _ tenant.Tenant, one email.Template) error {
	if o.fails != nil {
		return o.fails
	}
	if _, ok := o.templates[one.Name]; ok {
		return fault.New(fault.Exists, fault.EmailTemplate, "Template %s already exists.", one.Name)
	}
	one.Created = o.now
	o.templates[one.Name] = &one
	return nil
}

func (o *office) UpdateTemplate(ctx context.Context, t tenant.Tenant, one email.Template) error {
	old, err := o.Template(ctx, t, one.Name)
	if err != nil {
		return err
	}
	one.Created = old.Created
	o.templates[one.Name] = &one
	return nil
}

func (o *office) Template(_ context.Context, _ tenant.Tenant, name string) (*email.Template, error) {
	if o.fails != nil {
		return nil, o.fails
	}
	one, ok := o.templates[name]
	if !ok {
		return nil, fault.New(fault.NotFound, fault.EmailTemplate, "Template %s does not exist.", name)
	}
	return one, nil
}

func (o *office) Templates(_ context.Context, _ tenant.Tenant, after string, limit int) ([]*email.Template, bool, error) {
	all, more := page(o.templates, after, limit, func(*email.Template) bool { return true })
	return all, more, o.fails
}

// page is a page of the things with names that pass.
func page[T any](all map[string]*T, after string, limit int, pass func(*T) bool) (found []*T, more bool) {
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if name > after && pass(all[name]) {
			found = append(found, all[name])
		}
	}
	return found[:min(limit, len(found))], len(found) > limit
}

func (o *office) DeleteTemplate(_ context.Context, _ tenant.Tenant, name string) (bool, error) {
	_, had := o.templates[name]
	delete(o.templates, name)
	return had, o.fails
}

func (o *office) Render(ctx context.Context, t tenant.Tenant, name, data string) (string, error) {
	one, err := o.Template(ctx, t, name)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("Subject: %s\r\n\r\n%s <%s>", one.Subject, one.Text, data), nil
}

func (o *office) VerifyIdentity(_ context.Context, _ tenant.Tenant, name string) (*email.Identity, error) {
	if o.fails != nil {
		return nil, o.fails
	}
	if _, ok := o.identities[name]; !ok {
		one := &email.Identity{Name: name, Created: o.now, Verified: !strings.Contains(name, "later"), Forwarding: true}
		if one.Kind() == email.Domain {
			one.Token = "token-of-" + name
		}
		o.identities[name] = one
	}
	return o.identities[name], nil
}

func (o *office) VerifyDKIM(ctx context.Context, t tenant.Tenant, domain string) (*email.Identity, error) {
	one, err := o.VerifyIdentity(ctx, t, domain)
	if err == nil {
		one.DKIM, one.Selector = true, "selector"
	}
	return one, err
}

func (o *office) Identity(_ context.Context, _ tenant.Tenant, name string) (*email.Identity, error) {
	if o.fails != nil {
		return nil, o.fails
	}
	one, ok := o.identities[name]
	if !ok {
		return nil, fault.New(fault.NotFound, fault.EmailIdentity, "Email identity %s does not exist.", name)
	}
	return one, nil
}

func (o *office) Identities(_ context.Context, _ tenant.Tenant, kind email.IdentityKind, after string, limit int) ([]*email.Identity, bool, error) {
	all, more := page(o.identities, after, limit, func(one *email.Identity) bool { return kind == email.AnyIdentity || one.Kind() == kind })
	return all, more, o.fails
}

func (o *office) ChangeIdentity(ctx context.Context, t tenant.Tenant, name string, edit func(*email.Identity) error) error {
	one, err := o.Identity(ctx, t, name)
	if err != nil {
		return err
	}
	return edit(one)
}

func (o *office) DeleteIdentity(_ context.Context, _ tenant.Tenant, name string) (bool, error) {
	_, had := o.identities[name]
	delete(o.identities, name)
	return had, o.fails
}

func (o *office) Quota(context.Context, tenant.Tenant) (email.Quota, error) {
	return email.Quota{PerDay: -1, PerSecond: 14, Sent: 12.5}, o.fails
}

func (o *office) Statistics(context.Context, tenant.Tenant) ([]email.Counts, error) {
	return []email.Counts{
		{From: o.now.Add(-30 * time.Minute), Attempts: 100, Bounces: 2, Complaints: 1, Rejections: 3},
		{From: o.now.Add(-15 * time.Minute), Attempts: 7},
	}, o.fails
}

func (o *office) Settings(context.Context, tenant.Tenant) (email.Settings, error) {
	return o.settings, o.fails
}

func (o *office) ChangeSettings(_ context.Context, _ tenant.Tenant, edit func(*email.Settings) error) error {
	if o.fails != nil {
		return o.fails
	}
	return edit(&o.settings)
}
