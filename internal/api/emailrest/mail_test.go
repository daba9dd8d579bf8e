package emailrest_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"tidings/internal/email"
	"tidings/internal/fault"
	"tidings/internal/tenant"
)

// mail is an email service in memory, of one account, without rules. It keeps what it was asked
// to send; if fails is set, it sends nothing and fails with it.
type mail struct {
	now        time.Time
	fails      error
	identities map[string]*email.Identity
	templates  map[string]*email.Template
	suppressed map[string]*email.Suppressed
	settings   email.Settings
	sent       []email.Request
	bulks      []email.Bulk
	filters    []string // of lists of suppressed addresses
}

func newMail(now time.Time) *mail {
	return &mail{
		now: now, identities: map[string]*email.Identity{}, templates: map[string]*email.Template{}, suppressed: map[string]*email.Suppressed{},
	}
}

// asked is what m was asked to send, and the filters of the lists it was asked for.
func (m *mail) asked() []any {
	var all []any
	for _, r := range m.sent {
		all = append(all, r)
	}
	for _, b := range m.bulks {
		all = append(all, b)
	}
	for _, f := range m.filters {
		all = append(all, f)
	}
	return all
}

const messageID = "0100019aa5f9d4c0-0f5e2b6e-1c2d-4e3f-8a9b-0123456789ab-000000"

func (m *mail) Send(_ context.Context, _ tenant.Tenant, r email.Request) (string, error) {
	if m.fails != nil {
		return "", m.fails
	}
	m.sent = append(m.sent, r)
	return messageID, nil
}

// SendBulk fails for mails whose data is the number of one of the failures.
func (m *mail) SendBulk(_ context.Context, _ tenant.Tenant, b email.Bulk) ([]email.BulkResult, error) {
	if m.fails != nil {
		return nil, m.fails
	}
	m.bulks = append(m.bulks, b)
	results := make([]email.BulkResult, len(b.Entries))
	for i, e := range b.Entries {
		results[i].ID = messageID
		var n int
		if _, err := fmt.Sscanf(e.Data, `{"fail":%d}`, &n); err == nil {
			results[i] = email.BulkResult{Err: failures[n]}
		}
	}
	return results, nil
}

// failures are why a mail of many may not be sent.
var failures = []error{
	fault.New(fault.Invalid, fault.EmailMessage, "Email address is not verified."),
	fault.New(fault.Invalid, fault.EmailIdentity, "Email address is not verified."),
	fault.New(fault.Invalid, fault.EmailParameter, "Invalid tag name."),
	fault.New(fault.Denied, "", "Not for you."),
	fault.New(fault.NotFound, fault.ConfigurationSet, "Configuration set <a> does not exist."),
	fault.New(fault.NotFound, fault.EmailTemplate, "Template a does not exist."),
	fault.New(fault.NotFound, fault.EmailIdentity, "Email identity a does not exist."),
	fault.New(fault.NotFound, "", "Something does not exist."),
	fault.New(fault.Denied, fault.SetSending, "Email sending is disabled for configuration set a."),
	fault.New(fault.Denied, fault.AccountSending, "Email sending is disabled."),
	fault.New(fault.Throttled, fault.SendingRate, "Maximum sending rate exceeded."),
	fault.New(fault.Throttled, fault.SendingQuota, "Daily message quota exceeded."),
	fault.New(fault.Throttled, "", "Rate exceeded."),
	fault.New(fault.Unavailable, "", "There is no room on the disk."),
	errors.New("password=hunter2"),
	fault.New(fault.LimitExceeded, "", "Too many."),
}

func (m *mail) CreateTemplate(_ context.Context, _ tenant.Tenant, one email.Template) error {
	if m.templates[one.Name] != nil {
		return fault.New(fault.Exists, fault.EmailTemplate, "Template %s already exists.", one.Name)
	}
	one.Created = m.now
	m.templates[one.Name] = &one
	return nil
}

func (m *mail) UpdateTemplate(ctx context.Context, t tenant.Tenant, one email.Template) error {
	old, err := m.Template(ctx, t, one.Name)
	if err != nil {
		return err
	}
	one.Created, one.Tags = old.Created, old.Tags
	m.templates[one.Name] = &one
	return nil
}

func (m *mail) Template(_ context.Context, _ tenant.Tenant, name string) (*email.Template, error) {
	if m.templates[name] == nil {
		return nil, fault.New(fault.NotFound, fault.EmailTemplate, "Template %s does not exist.", name)
	}
	return m.templates[name], nil
}

func (m *mail) Templates(_ context.Context, _ tenant.Tenant, after string, limit int) ([]*email.Template, bool, error) {
	all, more := behind(m.templates, after, limit)
	return all, more, nil
}

func (m *mail) DeleteTemplate(_ context.Context, _ tenant.Tenant, name string) (bool, error) {
	_, had := m.templates[name]
	delete(m.templates, name)
	return had, nil
}

func (m *mail) Render(ctx context.Context, t tenant.Tenant, name, data string) (string, error) {
	one, err := m.Template(ctx, t, name)
	switch {
	case err != nil:
		return "", err
	case data == "":
		return "", fault.New(fault.Invalid, fault.RenderingData, "The rendering data is no JSON object.")
	case data == "{}":
		return "", fault.New(fault.Invalid, fault.RenderingTag, "Attribute 'name' is not present in the rendering data.")
	}
	return "Subject: " + one.Subject + "\r\n\r\n" + one.Text + data, nil
}

// selector is one that looks as those of keys that were made here.
const selector = "aaaabbbbccccddddeeeeffff22"

// rsaKey is the key of all identities.
var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func pkcs8() []byte {
	der, err := x509.MarshalPKCS8PrivateKey(rsaKey())
	if err != nil {
		panic(err)
	}
	return der
}

func (m *mail) CreateIdentity(_ context.Context, _ tenant.Tenant, one email.Identity) (*email.Identity, error) {
	switch {
	case m.identities[one.Name] != nil:
		return nil, fault.New(fault.Exists, fault.EmailIdentity, "Email identity %s already exists.", one.Name)
	case !strings.Contains(one.Name, "."):
		return nil, fault.New(fault.Invalid, fault.EmailIdentity, "Invalid domain name <%s>.", one.Name)
	}
	one.Created, one.Forwarding, one.Verified = m.now, true, !strings.HasPrefix(one.Name, "new")
	if one.Kind() == email.Domain {
		if one.DKIM = true; one.Key == nil {
			one.Selector, one.Key = selector, pkcs8()
		}
	}
	m.identities[one.Name] = &one
	return &one, nil
}

func (m *mail) Identity(_ context.Context, _ tenant.Tenant, name string) (*email.Identity, error) {
	if m.identities[name] == nil {
		return nil, fault.New(fault.NotFound, fault.EmailIdentity, "Email identity %s does not exist.", name)
	}
	return m.identities[name], nil
}

func (m *mail) Identities(_ context.Context, _ tenant.Tenant, _ email.IdentityKind, after string, limit int) ([]*email.Identity, bool, error) {
	all, more := behind(m.identities, after, limit)
	return all, more, nil
}

func (m *mail) DeleteIdentity(_ context.Context, _ tenant.Tenant, name string) (bool, error) {
	_, had := m.identities[name]
	delete(m.identities, name)
	return had, nil
}

func (m *mail) ChangeIdentity(ctx context.Context, t tenant.Tenant, name string, edit func(*email.Identity) error) error {
	one, err := m.Identity(ctx, t, name)
	if err != nil {
		return err
	}
	changed := *one
	changed.Tags, changed.Policies = maps.Clone(one.Tags), maps.Clone(one.Policies)
	if err := edit(&changed); err != nil {
		return err
	}
	if changed.DKIM && changed.Key == nil {
		return fault.New(fault.Invalid, fault.EmailIdentity, "Domain %s is not verified for DKIM signing.", name)
	}
	m.identities[name] = &changed
	return nil
}

func (m *mail) VerifyDKIM(ctx context.Context, t tenant.Tenant, domain string) (*email.Identity, error) {
	one, err := m.Identity(ctx, t, domain)
	if err == nil && one.Key == nil {
		one.DKIM, one.Selector, one.Key = true, selector, pkcs8()
	}
	return one, err
}

func (m *mail) Quota(context.Context, tenant.Tenant) (email.Quota, error) {
	return email.Quota{PerDay: -1, PerSecond: 14, Sent: 3}, nil
}

func (m *mail) Settings(context.Context, tenant.Tenant) (email.Settings, error) {
	return m.settings, nil
}

func (m *mail) ChangeSettings(_ context.Context, _ tenant.Tenant, edit func(*email.Settings) error) error {
	return edit(&m.settings)
}

func (m *mail) Suppress(_ context.Context, _ tenant.Tenant, address, reason string) error {
	m.suppressed[address] = &email.Suppressed{Address: address, Reason: reason, Updated: m.now}
	if strings.HasPrefix(address, "bounced") {
		m.suppressed[address].Message, m.suppressed[address].Feed = messageID, "feedback"
	}
	return nil
}

func (m *mail) Suppressed(_ context.Context, _ tenant.Tenant, address string) (*email.Suppressed, error) {
	if m.suppressed[address] == nil {
		return nil, fault.New(fault.NotFound, fault.SuppressedAddress, "Email address %s does not exist on your suppression list.", address)
	}
	return m.suppressed[address], nil
}

func (m *mail) SuppressedList(_ context.Context, _ tenant.Tenant, reasons []string, since, until time.Time, after string, limit int) ([]*email.Suppressed, bool, error) {
	m.filters = append(m.filters, fmt.Sprint(reasons, since.Format(time.RFC3339Nano), until.Format(time.RFC3339Nano)))
	all, more := behind(m.suppressed, after, limit)
	return all, more, nil
}

func (m *mail) Unsuppress(ctx context.Context, t tenant.Tenant, address string) error {
	_, err := m.Suppressed(ctx, t, address)
	delete(m.suppressed, address)
	return err
}

// behind returns up to limit of all behind a name, in the order of names.
func behind[T any](all map[string]T, after string, limit int) (page []T, more bool) {
	for _, name := range slices.Sorted(maps.Keys(all)) {
		switch {
		case name <= after:
		case len(page) == limit:
			return page, true
		default:
			page = append(page, all[name])
		}
	}
	return page, false
}
