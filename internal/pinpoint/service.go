package pinpoint

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"hash/maphash"
	"maps"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"tidings/internal/configset"
	"tidings/internal/fault"
	"tidings/internal/quota"
	"tidings/internal/tenant"
)

// Service is what an API family does with apps. It holds the rules; the stores only keep.
// It is safe for concurrent use and must not be copied.
//
// What does not exist is fault.NotFound, one too many fault.LimitExceeded, and any wrong
// input fault.Invalid. A refused change changes nothing.
type Service struct {
	Store     AppStore        // required
	Endpoints EndpointStore   // required
	Sets      configset.Store // required: event streams are sets of scope configset.App
	Publisher Publisher       // required
	// Limits returns what the account may have; nil = quota.Production for everybody.
	Limits func(account string) quota.Limits
	// Check reports whether there is a way of delivering to d for the tenant. It must not touch the
	// network. What it says goes to the client. nil = there always is.
	Check func(t tenant.Tenant, d configset.Destination) error
	// Room fails with a fault while nothing new may be stored; nil = there is always room.
	Room func() error
	// NoTestEvent keeps the event _test.event_stream from being published when an event
	// stream is put.
	NoTestEvent bool
	Now         func() time.Time // nil = time.Now
	Metrics     *Metrics         // nil = none

	once    sync.Once
	streams configset.Service
	words   vocabularies
	seed    maphash.Seed
	// gates keep the deletion of an app apart from what is done with it, and changes of one
	// app from each other. Apps share them, which can only make one of them wait.
	gates [64]sync.RWMutex
}

// prepare makes what can be made from the fields.
func (s *Service) prepare() {
	s.once.Do(func() {
		s.seed = maphash.MakeSeed()
		s.streams.Store, s.streams.Now = s.Sets, s.Now
		s.streams.Check = func(t tenant.Tenant, d configset.Destination) error {
			if s.Check == nil {
				return nil
			}
			return s.Check(t, d)
		}
		// An app has one event stream, and how many apps there are is limited already.
		s.streams.Limits = func(string) quota.Limits { return quota.Limits{} }
	})
}

// gate returns the gate of an app.
func (s *Service) gate(id string) *sync.RWMutex {
	s.prepare()
	return &s.gates[maphash.String(s.seed, id)%uint64(len(s.gates))]
}

// maxNameLength bounds the name of an app in characters. It is ours.
const maxNameLength = 256

// CreateApp makes an app with a new ID.
func (s *Service) CreateApp(ctx context.Context, t tenant.Tenant, name string, tags map[string]string) (*App, error) {
	a := &App{ID: newAppID(), Name: name, Tenant: t, Created: s.now(), Tags: maps.Clone(tags)}
	if err := s.createApp(ctx, a); err != nil {
		return nil, err
	}
	return a, nil
}

func (s *Service) createApp(ctx context.Context, a *App) error {
	if err := checkApp(a); err != nil {
		return err
	}
	if err := s.room(); err != nil {
		return err
	}
	gate := s.gate(a.Tenant.String()) // one creation of a tenant at a time makes its limit exact
	gate.Lock()
	defer gate.Unlock()
	if _, ok := s.Store.App(a.Tenant, a.ID); ok {
		return fault.New(fault.Exists, fault.App, "An app with the ID %s exists already.", a.ID)
	}
	limit := s.limits(a.Tenant.Account).Of(quota.Apps)
	if limit != quota.Unlimited && int64(s.Store.Count(a.Tenant)) >= limit {
		return fault.New(fault.LimitExceeded, fault.App, "An account has at most %d apps in a region. Delete some.", limit)
	}
	if err := s.Store.Put(ctx, a); err != nil {
		return fmt.Errorf("create app: %w", err)
	}
	return nil
}

// checkApp reports whether the app's name and tags are in order.
func checkApp(a *App) error {
	switch n := utf8.RuneCountInString(a.Name); {
	case strings.TrimSpace(a.Name) == "":
		return fault.New(fault.Invalid, fault.App, "The name of the app is missing.")
	case n > maxNameLength:
		return fault.New(fault.Invalid, fault.App, "The name of an app has at most %d characters, this one has %d.", maxNameLength, n)
	}
	return checkTags(a.Tags)
}

// App returns the app. It is shared and must not be changed.
func (s *Service) App(_ context.Context, t tenant.Tenant, id string) (*App, error) {
	return s.app(t, id)
}

// Apps returns up to limit apps in the order of their creation, beginning behind the
// position (the zero Position = from the first), and whether more follow. limit must be at
// least 1. The apps are shared and must not be changed.
func (s *Service) Apps(_ context.Context, t tenant.Tenant, after Position, limit int) (apps []*App, more bool, err error) {
	if limit < 1 {
		return nil, false, fault.New(fault.Invalid, fault.App, "A page has at least 1 app, not %d.", limit)
	}
	apps, more = s.Store.Apps(t, after, limit)
	return apps, more, nil
}

// DeleteApp removes the app, its event stream and its endpoints, and returns what it was.
// Events that were accepted before are still delivered as far as they are on their way.
func (s *Service) DeleteApp(ctx context.Context, t tenant.Tenant, id string) (*App, error) {
	gate := s.gate(id)
	gate.Lock()
	defer gate.Unlock()
	a, err := s.app(t, id)
	if err != nil {
		return nil, err
	}
	// The app goes last: after a failure before that, the client can delete it again.
	if err := s.streams.Delete(ctx, t, configset.App, id); err != nil && !fault.Is(err, fault.NotFound) {
		return nil, fmt.Errorf("delete the event stream of app %s: %w", id, err)
	}
	if err := s.Endpoints.Drop(ctx, AppKey{Tenant: t, App: id}); err != nil {
		return nil, fmt.Errorf("delete the endpoints of app %s: %w", id, err)
	}
	if err := s.Store.Remove(ctx, t, id); err != nil {
		return nil, fmt.Errorf("delete app %s: %w", id, err)
	}
	s.words.forget(AppKey{Tenant: t, App: id})
	return a, nil
}

// changeApp applies edit to a copy of the app and stores it.
func (s *Service) changeApp(ctx context.Context, t tenant.Tenant, id string, edit func(*App) error) error {
	gate := s.gate(id)
	gate.Lock()
	defer gate.Unlock()
	a, err := s.app(t, id)
	if err != nil {
		return err
	}
	return s.edit(ctx, a, edit)
}

// edit is changeApp for who has the gate already.
func (s *Service) edit(ctx context.Context, a *App, edit func(*App) error) error {
	c := a.Clone()
	if err := edit(c); err != nil {
		return err
	}
	if err := s.Store.Put(ctx, c); err != nil {
		return fmt.Errorf("change app %s: %w", a.ID, err)
	}
	return nil
}

// app returns the app as the store shares it.
func (s *Service) app(t tenant.Tenant, id string) (*App, error) {
	if !isAppID(id) { // no such app can exist, and the store need not cope with the ID
		return nil, notFound(fault.App)
	}
	a, ok := s.Store.App(t, id)
	if !ok {
		return nil, notFound(fault.App)
	}
	return a, nil
}

// notFound is what Pinpoint says of whatever does not exist.
func notFound(resource string) error {
	return fault.New(fault.NotFound, resource, "Resource not found")
}

// newAppID returns 32 random hexadecimal digits.
func newAppID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: it ends the program instead
	return hex.EncodeToString(b[:])
}

// isAppID reports whether s has the form of an app's ID.
func isAppID(s string) bool {
	if len(s) != 32 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

func (s *Service) limits(account string) quota.Limits {
	if s.Limits == nil {
		return quota.For(quota.Production, nil)
	}
	return s.Limits(account)
}

func (s *Service) room() error {
	if s.Room == nil {
		return nil
	}
	return s.Room()
}

// now returns the time in the precision of records.
func (s *Service) now() time.Time {
	now := time.Now
	if s.Now != nil {
		now = s.Now
	}
	return now().UTC().Truncate(time.Millisecond)
}

// shorten keeps what a client sent from filling an error text.
func shorten(s string) string {
	const limit = 64
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "…"
}
