package pinpoint

import (
	"context"
	"time"

	"tidings/internal/fault"
	"tidings/internal/tenant"
)

// ImportApp makes an app that has an ID, and the time of its creation, already; the zero
// time stands for now. It fails with fault.Exists if the ID is taken.
func (s *Service) ImportApp(ctx context.Context, a *App) error {
	if !isAppID(a.ID) {
		return fault.New(fault.Invalid, fault.App, "The ID of an app must be 32 hexadecimal digits, not %q.", shorten(a.ID))
	}
	a = a.Clone()
	a.Created = s.orNow(a.Created)
	return s.createApp(ctx, a)
}

// ReplaceApp gives the app that has a's ID the name, the tags and, unless it is zero, the
// time of creation of a. Its event stream, its endpoints and its settings stay.
func (s *Service) ReplaceApp(ctx context.Context, a *App) error {
	if err := checkApp(a); err != nil {
		return err
	}
	if err := s.room(); err != nil {
		return err
	}
	from := a.Clone()
	return s.changeApp(ctx, a.Tenant, a.ID, func(a *App) error {
		a.Name, a.Tags = from.Name, from.Tags
		if !from.Created.IsZero() {
			a.Created = s.orNow(from.Created)
		}
		return nil
	})
}

// ImportStream makes the app's event stream, or replaces it, with the time and the author
// that it had elsewhere; the zero time stands for now. Unlike PutStream it publishes no test
// event: nobody has set up a stream now.
func (s *Service) ImportStream(ctx context.Context, t tenant.Tenant, app string, stream Stream) error {
	gate := s.gate(app)
	gate.Lock()
	defer gate.Unlock()
	stream.Modified = s.orNow(stream.Modified)
	_, err := s.putStream(ctx, t, app, stream)
	return err
}

// orNow returns the time in the precision of records; the zero time is now.
func (s *Service) orNow(t time.Time) time.Time {
	if t.IsZero() {
		return s.now()
	}
	return t.UTC().Truncate(time.Millisecond)
}
