package pinpoint_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"tidings/internal/fault"
	"tidings/internal/pinpoint"
	"tidings/internal/quota"
)

// model is what apps should be, in the simplest words there are.
type model struct {
	t    *rapid.T
	r    *rig
	apps map[string]*modelApp
	gone []string
	sent int // events that were accepted
}

type modelApp struct {
	stream    string // ARN; "" = none
	types     map[string]bool
	endpoints map[string]*modelEndpoint
}

type modelEndpoint struct {
	user, address, status string
	plan                  []string
	visits                float64
	created               time.Time
}

const (
	modelTypes = 3 // custom event types that an app may have
	modelUsers = 2 // endpoints that a user may have
)

// TestModel does anything in any order, and compares with the model after each step.
func TestModel(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	rapid.Check(t, func(rt *rapid.T) {
		r.limits(t)
		m := &model{t: rt, r: r, apps: map[string]*modelApp{}, sent: len(r.log.published())}
		rt.Repeat(map[string]func(*rapid.T){
			"create":     func(*rapid.T) { m.create() },
			"delete":     func(*rapid.T) { m.remove() },
			"stream":     func(*rapid.T) { m.stream() },
			"unstream":   func(*rapid.T) { m.unstream() },
			"events":     func(*rapid.T) { m.events() },
			"update":     func(*rapid.T) { m.update() },
			"unendpoint": func(*rapid.T) { m.removeEndpoint() },
			"unuser":     func(*rapid.T) { m.removeUser() },
			"":           func(*rapid.T) { m.check() },
			"later":      func(*rapid.T) { r.clock.add(time.Second) },
			"open anew":  func(*rapid.T) { m.restart(t) },
		})
		for id := range m.apps {
			m.ok(r.DeleteApp(within(t), here, id))
		}
	})
}

// limits sets those of the model.
func (r *rig) limits(testing.TB) {
	r.limit(map[quota.Name]int64{quota.EventTypes: modelTypes, quota.EndpointsPerUser: modelUsers, quota.Apps: quota.Unlimited})
}

// restart closes the endpoints and opens them again, seldom, for it takes long.
func (m *model) restart(t *testing.T) {
	if rapid.IntRange(0, 9).Draw(m.t, "restart") > 0 {
		return
	}
	log := m.r.log
	m.r.close(t)
	m.r.open(t)
	m.r.limits(t)
	log.next = m.r.nats.Events()
	m.r.log = log
	m.r.Publisher = log
}

func (m *model) ok(_ any, err error) {
	if err != nil {
		m.t.Fatalf("%v, want nil", err)
	}
}

// pick chooses an app, or one that is gone.
func (m *model) pick() (string, *modelApp) {
	ids := append(slices.Sorted(maps.Keys(m.apps)), m.gone...)
	if len(ids) == 0 {
		m.t.Skip("no apps")
	}
	id := ids[rapid.IntRange(0, len(ids)-1).Draw(m.t, "app")]
	return id, m.apps[id]
}

// missing reports whether the app is gone, and holds the service to saying so.
func (m *model) missing(a *modelApp, err error) bool {
	if a == nil && !fault.Is(err, fault.NotFound) {
		m.t.Fatalf("of an app that is gone: %v, want not found", err)
	}
	if a != nil && err != nil && !fault.Is(err, fault.NotFound) && !fault.Is(err, fault.Invalid) {
		m.t.Fatalf("%v, want nil", err)
	}
	return a == nil
}

func (m *model) create() {
	if len(m.apps) == 3 {
		m.t.Skip("enough apps")
	}
	a, err := m.r.CreateApp(m.t.Context(), here, "app", nil)
	m.ok(a, err)
	m.apps[a.ID] = &modelApp{types: map[string]bool{}, endpoints: map[string]*modelEndpoint{}}
}

func (m *model) remove() {
	id, a := m.pick()
	if _, err := m.r.DeleteApp(m.t.Context(), here, id); m.missing(a, err) {
		return
	}
	delete(m.apps, id)
	m.gone = append(m.gone, id)
}

func (m *model) stream() {
	id, a := m.pick()
	arn := rapid.SampledFrom([]string{stream, delivery}).Draw(m.t, "stream")
	if _, err := m.r.PutStream(m.t.Context(), here, id, arn, role, eve); m.missing(a, err) {
		return
	}
	a.stream = arn
	m.sent++ // the test event
}

func (m *model) unstream() {
	id, a := m.pick()
	had, err := m.r.DeleteStream(m.t.Context(), here, id)
	if m.missing(a, err) {
		return
	}
	if (a.stream == "") != (err != nil) || err == nil && had.ARN != a.stream {
		m.t.Fatalf("DeleteStream = %v, %v, want %q", had, err, a.stream)
	}
	a.stream = ""
}

// change draws a change, and what it says in the words of the model.
func (m *model) change() (pinpoint.EndpointChange, func(*modelEndpoint)) {
	var c pinpoint.EndpointChange
	word := func(what string) *string {
		return rapid.SampledFrom([]*string{nil, nil, new(""), new("x"), new("y")}).Draw(m.t, what)
	}
	user, address, status := word("user"), word("address"), rapid.SampledFrom([]*string{nil, nil, new("INACTIVE")}).Draw(m.t, "status")
	plan := rapid.SampledFrom([][]string{nil, {}, {"a"}, {"b", "c"}}).Draw(m.t, "plan")
	visits := rapid.SampledFrom([]float64{0, 1, 2}).Draw(m.t, "visits")
	if user != nil {
		c.User = &pinpoint.User{UserID: user}
	}
	c.Address, c.EndpointStatus = address, status
	if plan != nil {
		c.Attributes = map[string][]string{"plan": plan}
	}
	if visits > 0 {
		c.Metrics = map[string]float64{"visits": visits}
	}
	said := user != nil || address != nil || status != nil || plan != nil || visits > 0
	return c, func(e *modelEndpoint) {
		set := func(to *string, given *string) {
			if given != nil {
				*to = *given
			}
		}
		set(&e.user, user)
		set(&e.address, address)
		if said {
			e.status = "ACTIVE"
		}
		set(&e.status, status)
		if plan != nil {
			e.plan = plan
		}
		if visits > 0 {
			e.visits = visits
		}
	}
}

// apply changes an endpoint of the model and reports whether that is allowed.
func (m *model) apply(a *modelApp, id string, change func(*modelEndpoint)) bool {
	had := a.endpoints[id]
	next := modelEndpoint{status: "ACTIVE", created: m.r.clock.Now()}
	if had != nil {
		next = *had
	}
	change(&next)
	if had != nil && cmp.Equal(*had, next, cmp.AllowUnexported(modelEndpoint{}), cmpopts.EquateEmpty()) {
		return true
	}
	if next.user != "" && (had == nil || had.user != next.user) {
		n := 0
		for _, e := range a.endpoints {
			if e.user == next.user {
				n++
			}
		}
		if n >= modelUsers {
			return false
		}
	}
	if next.address != "" && next.status == "ACTIVE" {
		for other, e := range a.endpoints {
			if other != id && e.address == next.address {
				e.status = "INACTIVE"
			}
		}
	}
	a.endpoints[id] = &next
	return true
}

func (m *model) update() {
	id, a := m.pick()
	c, change := m.change()
	endpoint := rapid.SampledFrom([]string{"1", "2", "3", "4"}).Draw(m.t, "endpoint")
	err := m.r.UpdateEndpoint(m.t.Context(), here, id, endpoint, c, "")
	if m.missing(a, err) {
		return
	}
	if want := m.apply(a, endpoint, change); want != (err == nil) {
		m.t.Fatalf("UpdateEndpoint(%q) = %v, want it accepted: %v", endpoint, err, want)
	}
}

func (m *model) events() {
	id, a := m.pick()
	var b pinpoint.Batch
	var changes []func(*modelEndpoint)
	for i := range rapid.IntRange(1, 3).Draw(m.t, "items") {
		c, change := m.change()
		endpoint := rapid.SampledFrom([]string{"1", "2", "3", "4", "$"}).Draw(m.t, "endpoint")
		it := pinpoint.Item{Endpoint: endpoint, Change: &c}
		for j := range rapid.IntRange(0, 3).Draw(m.t, "events") {
			e := happened(fmt.Sprint(i, j), rapid.SampledFrom([]string{"a", "b", "c", "d", "_x"}).Draw(m.t, "type"))
			if rapid.IntRange(0, 4).Draw(m.t, "bad") == 0 {
				e.Timestamp = "never"
			}
			it.Events = append(it.Events, e)
		}
		b.Items, changes = append(b.Items, it), append(changes, change)
	}
	got, err := m.r.PutEvents(m.t.Context(), here, id, b)
	if m.missing(a, err) {
		return
	}
	if err != nil {
		m.t.Fatalf("PutEvents = %v, want nil", err)
	}
	for i, it := range b.Items {
		want := it.Endpoint != "$"
		if want && !m.apply(a, it.Endpoint, changes[i]) {
			want = false
			m.apply(a, it.Endpoint, func(*modelEndpoint) {}) // it is an endpoint all the same
		}
		if (got[i].Endpoint.Status == 202) != want {
			m.t.Fatalf("endpoint %q is answered %v, want it accepted: %v", it.Endpoint, got[i].Endpoint, want)
		}
		for j, e := range it.Events {
			want := it.Endpoint != "$" && e.Timestamp != "never" && (e.Type == "_x" || a.types[e.Type] || len(a.types) < modelTypes)
			if (got[i].Events[j].Status == 202) != want {
				m.t.Fatalf("event %q is answered %v, want it accepted: %v", e.Type, got[i].Events[j], want)
			}
			if want {
				m.sent++
				if e.Type != "_x" {
					a.types[e.Type] = true
				}
			}
		}
	}
}

func (m *model) removeEndpoint() {
	id, a := m.pick()
	endpoint := rapid.SampledFrom([]string{"1", "2", "3", "4"}).Draw(m.t, "endpoint")
	_, err := m.r.DeleteEndpoint(m.t.Context(), here, id, endpoint)
	if m.missing(a, err) {
		return
	}
	if there := a.endpoints[endpoint] != nil; there != (err == nil) {
		m.t.Fatalf("DeleteEndpoint(%q) = %v, want it to be there: %v", endpoint, err, there)
	}
	delete(a.endpoints, endpoint)
}

func (m *model) removeUser() {
	id, a := m.pick()
	had, err := m.r.DeleteUserEndpoints(m.t.Context(), here, id, "x")
	if m.missing(a, err) {
		return
	}
	n := 0
	for endpoint, e := range a.endpoints {
		if e.user == "x" {
			n++
			delete(a.endpoints, endpoint)
		}
	}
	if len(had) != n || (n == 0) != (err != nil) {
		m.t.Fatalf("DeleteUserEndpoints = %v, %v, want %d", had, err, n)
	}
}

// check compares everything with the model.
func (m *model) check() {
	ctx := m.t.Context()
	if n := len(m.r.log.published()); n != m.sent {
		m.t.Fatalf("%d events were published, want %d", n, m.sent)
	}
	for _, id := range m.gone {
		if _, err := m.r.App(ctx, here, id); !fault.Is(err, fault.NotFound) {
			m.t.Fatalf("App of one that is gone = %v", err)
		}
	}
	for id, a := range m.apps {
		s, err := m.r.Stream(ctx, here, id)
		if (a.stream == "") != fault.Is(err, fault.NotFound) || err == nil && s.ARN != a.stream {
			m.t.Fatalf("Stream = %v, %v, want %q", s, err, a.stream)
		}
		users := map[string][]string{}
		for _, endpoint := range []string{"1", "2", "3", "4"} {
			want, there := a.endpoints[endpoint]
			e, err := m.r.Endpoint(ctx, here, id, endpoint)
			if there != (err == nil) {
				m.t.Fatalf("Endpoint(%q) = %v, want it to be there: %v", endpoint, err, there)
			}
			if there {
				if d := cmp.Diff(*want, seen(e), cmp.AllowUnexported(modelEndpoint{}), cmpopts.EquateEmpty()); d != "" {
					m.t.Fatalf("Endpoint(%q) (-want +got):\n%s", endpoint, d)
				}
				users[want.user] = append(users[want.user], endpoint)
			}
		}
		for _, user := range []string{"x", "y"} {
			all, err := m.r.UserEndpoints(ctx, here, id, user)
			var ids []string
			for _, e := range all {
				ids = append(ids, e.ID)
			}
			if !slices.Equal(ids, users[user]) || (ids == nil) != fault.Is(err, fault.NotFound) {
				m.t.Fatalf("UserEndpoints(%q) = %q, %v, want %q", user, ids, err, users[user])
			}
		}
	}
	if err := m.r.nats.Room(); err != nil {
		m.t.Fatalf("Room = %v", err)
	}
}

// seen puts an endpoint into the words of the model.
func seen(e *pinpoint.Endpoint) modelEndpoint {
	text := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	return modelEndpoint{
		user: text(e.UserID), address: text(e.Address), status: e.Status, plan: e.Attributes["plan"], visits: e.Metrics["visits"], created: e.Created,
	}
}
