package email

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tidings/internal/account"
	"tidings/internal/configset"
	"tidings/internal/event"
	"tidings/internal/fault"
	"tidings/internal/quota"
	"tidings/internal/tenant"
)

var (
	svcNoon  = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	svcOwner = tenant.Tenant{Account: "123456789012", Region: "us-east-1"}
)

// svcSpool keeps what it is given. err, if set, is what Put fails with.
type svcSpool struct {
	mu      sync.Mutex
	letters []Letter
	puts    int
	err     error
}

func (s *svcSpool) Put(_ context.Context, all ...Letter) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	s.puts++
	s.letters = append(s.letters, all...)
	return nil
}

func (s *svcSpool) Next(ctx context.Context) (Job, error) {
	<-ctx.Done()
	return Job{}, ctx.Err()
}

func (s *svcSpool) Find(_ context.Context, id string) (Message, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.letters {
		if l.Message.ID == id {
			return l.Message, true, nil
		}
	}
	return Message{}, false, nil
}

// all returns what was put.
func (s *svcSpool) all() []Letter {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.letters)
}

// svcRegistry keeps everything in memory, of all tenants under their own keys.
type svcRegistry struct {
	mu         sync.Mutex
	templates  map[string]*Template
	identities map[string]*Identity
	suppressed map[string]*Suppressed
	settings   map[string]Settings
	counts     map[string][]Counts
	asked      int // for statistics
}

func newSvcRegistry() *svcRegistry {
	return &svcRegistry{
		templates: map[string]*Template{}, identities: map[string]*Identity{}, suppressed: map[string]*Suppressed{},
		settings: map[string]Settings{}, counts: map[string][]Counts{},
	}
}

func svcKey(t tenant.Tenant, name string) string { return t.String() + "|" + name }

// svcPage returns the names of a tenant behind after, and whether there are more.
func svcPage[V any](all map[string]V, t tenant.Tenant, after string, limit int) (page []V, more bool) {
	for _, key := range slices.Sorted(maps.Keys(all)) {
		name, ok := strings.CutPrefix(key, svcKey(t, ""))
		if !ok || name <= after {
			continue
		}
		if len(page) == limit {
			return page, true
		}
		page = append(page, all[key])
	}
	return page, false
}

func (r *svcRegistry) Template(_ context.Context, t tenant.Tenant, name string) (*Template, bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	one, ok := r.templates[svcKey(t, name)]
	return one, ok, nil
}

func (r *svcRegistry) Templates(_ context.Context, t tenant.Tenant, after string, limit int) ([]*Template, bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	page, more := svcPage(r.templates, t, after, limit)
	return page, more, nil
}

func (r *svcRegistry) CountTemplates(_ context.Context, t tenant.Tenant) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	page, _ := svcPage(r.templates, t, "", 1<<30)
	return len(page), nil
}

func (r *svcRegistry) PutTemplate(_ context.Context, t tenant.Tenant, one *Template, fresh bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, had := r.templates[svcKey(t, one.Name)]
	switch {
	case had && fresh:
		return fault.New(fault.Exists, fault.EmailTemplate, "there")
	case !had && !fresh:
		return fault.New(fault.NotFound, fault.EmailTemplate, "gone")
	}
	c := *one
	r.templates[svcKey(t, one.Name)] = &c
	return nil
}

func (r *svcRegistry) DeleteTemplate(_ context.Context, t tenant.Tenant, name string) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, had := r.templates[svcKey(t, name)]
	delete(r.templates, svcKey(t, name))
	return had, nil
}

func (r *svcRegistry) Identity(_ context.Context, t tenant.Tenant, name string) (*Identity, bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	one, ok := r.identities[svcKey(t, name)]
	return one, ok, nil
}

func (r *svcRegistry) Identities(_ context.Context, t tenant.Tenant, after string, limit int) ([]*Identity, bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	page, more := svcPage(r.identities, t, after, limit)
	return page, more, nil
}

func (r *svcRegistry) ChangeIdentity(_ context.Context, t tenant.Tenant, name string, edit func(*Identity) (*Identity, error)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var now *Identity
	if one, ok := r.identities[svcKey(t, name)]; ok {
		c := *one
		now = &c
	}
	after, err := edit(now)
	switch {
	case err != nil:
		return err
	case after == nil:
		delete(r.identities, svcKey(t, name))
	default:
		r.identities[svcKey(t, name)] = after
	}
	return nil
}

func (r *svcRegistry) Suppressed(_ context.Context, t tenant.Tenant, address string) (*Suppressed, bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	one, ok := r.suppressed[svcKey(t, address)]
	return one, ok, nil
}

func (r *svcRegistry) SuppressedList(_ context.Context, t tenant.Tenant, _ []string, _, _ time.Time, after string, limit int) ([]*Suppressed, bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	page, more := svcPage(r.suppressed, t, after, limit)
	return page, more, nil
}

func (r *svcRegistry) PutSuppressed(_ context.Context, t tenant.Tenant, s *Suppressed) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.suppressed[svcKey(t, s.Address)] = s
	return nil
}

func (r *svcRegistry) DeleteSuppressed(_ context.Context, t tenant.Tenant, address string) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, had := r.suppressed[svcKey(t, address)]
	delete(r.suppressed, svcKey(t, address))
	return had, nil
}

func (r *svcRegistry) Settings(_ context.Context, t tenant.Tenant) (Settings, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.settings[t.String()], nil
}

func (r *svcRegistry) ChangeSettings(_ context.Context, t tenant.Tenant, edit func(*Settings) error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.settings[t.String()]
	if err := edit(&now); err != nil {
		return err
	}
	r.settings[t.String()] = now
	return nil
}

func (r *svcRegistry) Count(tenant.Tenant, time.Time, Counts) {}

func (r *svcRegistry) Statistics(_ context.Context, t tenant.Tenant) ([]Counts, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked++
	return r.counts[t.String()], nil
}

// svcSets are configuration sets by name, of svcOwner.
type svcSets map[string]configset.Options

func (s svcSets) Get(key configset.Key) (*configset.Set, bool) {
	o, ok := s[key.Name]
	if !ok || key.Tenant != svcOwner || key.Scope != configset.Email {
		return nil, false
	}
	return &configset.Set{Name: key.Name, Options: o}, true
}

// svcAccounts are accounts by ID.
type svcAccounts map[string]*account.Account

func (a svcAccounts) Account(id string) (*account.Account, bool) {
	one, ok := a[id]
	return one, ok
}

// svcHouse is a Service and what stands behind it.
type svcHouse struct {
	*Service
	spool    *svcSpool
	registry *svcRegistry
	account  *account.Account
}

// newSvcHouse returns a Service of an account in production, at noon, with the sets "news" and "paused".
func newSvcHouse(tb testing.TB) *svcHouse {
	tb.Helper()
	h := &svcHouse{spool: &svcSpool{}, registry: newSvcRegistry()}
	h.account = &account.Account{ID: svcOwner.Account, Limits: quota.For(quota.Production, nil)}
	h.Service = &Service{
		Spool: h.spool, Registry: h.registry, Windows: quota.NewWindows(), VerifyAtOnce: true, MessageDomain: "mail.example",
		Sets:     svcSets{"news": {}, "paused": {SendingPaused: true}, "other": {}},
		Accounts: svcAccounts{h.account.ID: h.account},
		Now:      func() time.Time { return svcNoon },
	}
	return h
}

// limit gives the account limits of its own.
func (h *svcHouse) limit(mode quota.Mode, over map[quota.Name]int64) {
	h.account.Limits = quota.For(mode, over)
	h.account.Sandbox = mode == quota.Sandbox
}

// letter sends, and returns what was stored for it.
func (h *svcHouse) letter(tb testing.TB, r Request) Letter {
	tb.Helper()
	id, err := h.Send(tb.Context(), svcOwner, r)
	if err != nil {
		tb.Fatalf("Send(%+v) = %v, want it to be accepted", r, err)
	}
	all := h.spool.all()
	last := all[len(all)-1]
	if last.Message.ID != id {
		tb.Fatalf("Send = %q, and %q was stored", id, last.Message.ID)
	}
	return last
}

// svcSimple is a mail that is in order.
func svcSimple() Request {
	return Request{
		Operation: "SendEmail", Origin: Origin{IP: "192.0.2.1", TLS: "TLSv1.3", Caller: "AKIAEXAMPLE"},
		From: "Alice <alice@example.com>", To: []string{"bob@example.net"},
		Simple: &Simple{Subject: Text{Data: "Hello"}, Text: &Text{Data: "How are you?"}},
	}
}

// wantFault holds an error to a fault.
func wantFault(tb testing.TB, what string, err error, kind fault.Kind, resource, text string) {
	tb.Helper()
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		tb.Errorf("%s = %v, want a fault: %s", what, err, text)
		return
	}
	if f.Kind != kind || f.Resource != resource || f.Msg != text {
		tb.Errorf("%s = %v %s %q,\nwant %v %s %q", what, f.Kind, f.Resource, f.Msg, kind, resource, text)
	}
}

// svcPublisher notes what is published.
type svcPublisher struct {
	mu     sync.Mutex
	events []event.Event
	err    error
}

func (p *svcPublisher) Publish(_ context.Context, events ...event.Event) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.events = append(p.events, events...)
	return p.err
}
