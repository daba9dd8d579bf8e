package pinpoint

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"

	"tidings/internal/fault"
	"tidings/internal/quota"
	"tidings/internal/tenant"
)

// Cohort returns the number from 0 to 99 of the cohort that the endpoint belongs to. It
// never changes.
// Source: Amazon Pinpoint API Reference, "Endpoint", CohortId.
func (e *Endpoint) Cohort() int { return int(hash(e.App+"/"+e.ID) % 100) }

// NamedChange is a change of the endpoint with the ID.
type NamedChange struct {
	ID     string
	Change EndpointChange
}

// UpdateEndpoint makes the endpoint, or updates it. request is the ID of the request, which
// the endpoint keeps; "" = one is made up.
func (s *Service) UpdateEndpoint(ctx context.Context, t tenant.Tenant, app, id string, c EndpointChange, request string) error {
	return s.UpdateEndpoints(ctx, t, app, []NamedChange{{ID: id, Change: c}}, request)
}

// UpdateEndpoints makes or updates endpoints, at most 100: all of them, or none if one cannot
// be.
func (s *Service) UpdateEndpoints(ctx context.Context, t tenant.Tenant, app string, changes []NamedChange, request string) error {
	gate := s.gate(app)
	gate.RLock()
	defer gate.RUnlock()
	if _, err := s.app(t, app); err != nil {
		return err
	}
	if err := checkChanges(changes); err != nil {
		return err
	}
	if err := s.room(); err != nil {
		return err
	}
	if request == "" {
		request = newID()
	}
	limits, now := s.limits(t.Account), s.now()
	err := s.Endpoints.Change(ctx, AppKey{Tenant: t, App: app}, func(tx EndpointTx) error {
		for i := range changes {
			u := update{app: app, id: changes[i].ID, change: &changes[i].Change, request: request, now: now}
			_, text, err := u.write(tx, limits)
			if err == nil && text != "" {
				err = refusedEndpoint(changes, i, text)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("update endpoints of app %s: %w", app, err)
	}
	return nil
}

func checkChanges(changes []NamedChange) error {
	if n := len(changes); n < 1 || n > maxEndpointsInCall {
		return fault.New(fault.Invalid, fault.Endpoint, "A batch has 1 to %d endpoints, not %d.", maxEndpointsInCall, n)
	}
	for i := range changes {
		text := checkEndpointID(changes[i].ID)
		if text == "" {
			text = changes[i].Change.check()
		}
		if text != "" {
			return refusedEndpoint(changes, i, text)
		}
	}
	return nil
}

// refusedEndpoint says which endpoint of several is meant.
func refusedEndpoint(changes []NamedChange, i int, text string) error {
	if len(changes) > 1 {
		text = say("Endpoint %q: %s", shorten(changes[i].ID), text)
	}
	return fault.New(fault.Invalid, fault.Endpoint, "%s", text)
}

// write stores what the update makes of its endpoint, and returns the endpoint as it is then.
// If that is not allowed, it stores nothing and returns a sentence for the client.
func (u *update) write(tx EndpointTx, limits quota.Limits) (e *Endpoint, text string, err error) {
	had, err := tx.Endpoint(u.id)
	if err != nil {
		return nil, "", err
	}
	if had != nil && !u.changes(had) {
		return had, "", nil
	}
	e = u.apply(had)
	if text := e.checkWhole(); text != "" {
		return nil, text, nil
	}
	if user := e.user(); user != "" && (had == nil || had.user() != user) {
		if text, err := e.join(tx, user, limits.Of(quota.EndpointsPerUser)); text != "" || err != nil {
			return nil, text, err
		}
	}
	if err := e.takeAddress(tx); err != nil {
		return nil, "", err
	}
	tx.Put(e)
	return e, "", nil
}

// user returns the ID of the user; "" = none.
func (e *Endpoint) user() string { return valueOr(e.UserID, "") }

// pushChannels are those of which a user who has too many endpoints loses one.
// Source: Amazon Pinpoint Developer Guide, "Managing an audience member's maximum number of
// endpoints".
var pushChannels = []string{"ADM", "GCM", "APNS", "APNS_SANDBOX", "APNS_VOIP", "APNS_VOIP_SANDBOX", "BAIDU"}

func (e *Endpoint) push() bool { return e.Channel != nil && slices.Contains(pushChannels, *e.Channel) }

// join makes room for e among the endpoints of its user, or returns a sentence for the
// client.
func (e *Endpoint) join(tx EndpointTx, user string, limit int64) (text string, err error) {
	if limit == quota.Unlimited {
		return "", nil
	}
	others, err := tx.OfUser(user, int(limit))
	if err != nil || int64(len(others)) < limit {
		return "", err
	}
	var oldest *Endpoint
	for _, o := range others {
		if o.push() && (oldest == nil || o.Effective.Before(oldest.Effective)) {
			oldest = o
		}
	}
	if !e.push() || oldest == nil {
		return say("The user has %d endpoints, which is the maximum. Delete one of them.", limit), nil
	}
	c := oldest.Clone()
	c.Status, c.UserID = StatusInactive, nil
	tx.Put(c)
	return "", nil
}

// maxSharers bounds how many endpoints lose an address in one update. There is one at most
// unless clients have said of several that they are active.
const maxSharers = 100

// takeAddress makes other endpoints inactive that have the address of e.
// Source: Amazon Pinpoint API Reference, "Endpoint", EndpointStatus.
func (e *Endpoint) takeAddress(tx EndpointTx) error {
	if e.Address == nil || *e.Address == "" || e.Status != StatusActive {
		return nil
	}
	others, err := tx.ActiveAt(*e.Address, maxSharers)
	if err != nil {
		return err
	}
	for _, o := range others {
		if o.ID != e.ID {
			c := o.Clone()
			c.Status = StatusInactive
			tx.Put(c)
		}
	}
	return nil
}

// Endpoint returns the endpoint. It is shared and must not be changed.
func (s *Service) Endpoint(ctx context.Context, t tenant.Tenant, app, id string) (*Endpoint, error) {
	if _, err := s.app(t, app); err != nil {
		return nil, err
	}
	if checkEndpointID(id) != "" {
		return nil, notFound(fault.Endpoint)
	}
	e, err := s.Endpoints.Endpoint(ctx, AppKey{Tenant: t, App: app}, id)
	if err != nil {
		return nil, fmt.Errorf("look up an endpoint of app %s: %w", app, err)
	}
	if e == nil {
		return nil, notFound(fault.Endpoint)
	}
	return e, nil
}

// DeleteEndpoint removes the endpoint and returns what it was.
func (s *Service) DeleteEndpoint(ctx context.Context, t tenant.Tenant, app, id string) (*Endpoint, error) {
	if _, err := s.app(t, app); err != nil {
		return nil, err
	}
	if checkEndpointID(id) != "" {
		return nil, notFound(fault.Endpoint)
	}
	var had *Endpoint
	err := s.Endpoints.Change(ctx, AppKey{Tenant: t, App: app}, func(tx EndpointTx) (err error) {
		if had, err = tx.Endpoint(id); had != nil {
			tx.Delete(id)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("delete an endpoint of app %s: %w", app, err)
	}
	if had == nil {
		return nil, notFound(fault.Endpoint)
	}
	return had, nil
}

// maxUserEndpoints bounds what is returned of one user where no limit does. It is ours.
const maxUserEndpoints = 10_000

// UserEndpoints returns the endpoints of the user, in the order of their IDs. They are shared
// and must not be changed. It fails with fault.NotFound if there are none.
func (s *Service) UserEndpoints(ctx context.Context, t tenant.Tenant, app, user string) ([]*Endpoint, error) {
	if _, err := s.app(t, app); err != nil {
		return nil, err
	}
	if user == "" || len(user) > maxUserIDLength {
		return nil, notFound(fault.Endpoint)
	}
	all, err := s.Endpoints.OfUser(ctx, AppKey{Tenant: t, App: app}, user, maxUserEndpoints)
	if err != nil {
		return nil, fmt.Errorf("look up the endpoints of a user of app %s: %w", app, err)
	}
	if len(all) == 0 {
		return nil, notFound(fault.Endpoint)
	}
	return all, nil
}

// DeleteUserEndpoints removes the endpoints of the user and returns what they were. It fails
// with fault.NotFound if there are none.
func (s *Service) DeleteUserEndpoints(ctx context.Context, t tenant.Tenant, app, user string) ([]*Endpoint, error) {
	if _, err := s.app(t, app); err != nil {
		return nil, err
	}
	if user == "" || len(user) > maxUserIDLength {
		return nil, notFound(fault.Endpoint)
	}
	var had []*Endpoint
	err := s.Endpoints.Change(ctx, AppKey{Tenant: t, App: app}, func(tx EndpointTx) (err error) {
		had, err = tx.OfUser(user, maxUserEndpoints)
		for _, e := range had {
			tx.Delete(e.ID)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("delete the endpoints of a user of app %s: %w", app, err)
	}
	if len(had) == 0 {
		return nil, notFound(fault.Endpoint)
	}
	return had, nil
}

// newID returns a random UUID, version 4 (RFC 9562, section 5.4).
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: it ends the program instead
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:])
}
