package pinpoint_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tidings/internal/fault"
	"tidings/internal/pinpoint"
	"tidings/internal/quota"
)

func TestEndpointIsMerged(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	app := r.app(t, "shop")
	r.update(t, app, "phone", pinpoint.EndpointChange{
		Address: new("a@example.com"), ChannelType: new("EMAIL"),
		Attributes: map[string][]string{"plan": {"free", "trial"}, "color": {"red"}},
		Metrics:    map[string]float64{"visits": 1, "clicks": 2}, OptOut: new("ALL"),
		Demographic: &pinpoint.Demographic{Make: new("apple"), Model: new("iPhone")},
		Location:    &pinpoint.Location{City: new("Berlin"), Latitude: new(52.5)},
		User:        &pinpoint.User{UserID: new("u"), UserAttributes: map[string][]string{"role": {"admin"}}},
	})
	created := r.clock.Now()
	first := r.endpoint(t, app, "phone")
	want := &pinpoint.Endpoint{
		App: app, ID: "phone", Created: created, Effective: created, Request: "update", Address: new("a@example.com"), Channel: new("EMAIL"),
		Status: "ACTIVE", OptOut: "ALL", Attributes: map[string][]string{"plan": {"free", "trial"}, "color": {"red"}},
		Metrics:     map[string]float64{"visits": 1, "clicks": 2},
		Demographic: pinpoint.Demographic{Make: new("apple"), Model: new("iPhone")},
		Location:    pinpoint.Location{City: new("Berlin"), Latitude: new(52.5)},
		User:        pinpoint.User{UserID: new("u"), UserAttributes: map[string][]string{"role": {"admin"}}},
	}
	wantSame(t, "a new endpoint", want, first)

	r.clock.add(time.Hour)
	r.update(t, app, "phone", pinpoint.EndpointChange{
		Attributes: map[string][]string{"plan": {"paid"}, "color": {}}, Metrics: map[string]float64{"visits": 5},
		Demographic: &pinpoint.Demographic{Model: new("")}, Location: &pinpoint.Location{Longitude: new(13.4)},
		User: &pinpoint.User{UserAttributes: map[string][]string{"team": {"ops"}}}, EndpointStatus: new("INACTIVE"),
		EffectiveDate: new("2026-01-01T00:00:00+02:00"), RequestID: new("mine"),
	})
	want.Attributes = map[string][]string{"plan": {"paid"}}
	want.Metrics = map[string]float64{"visits": 5, "clicks": 2}
	want.Model, want.Longitude = new(""), new(13.4)
	want.UserAttributes = map[string][]string{"role": {"admin"}, "team": {"ops"}}
	want.Status, want.Request = "INACTIVE", "mine"
	want.Effective = time.Date(2025, 12, 31, 22, 0, 0, 0, time.UTC)
	wantSame(t, "the updated endpoint", want, r.endpoint(t, app, "phone"))

	r.update(t, app, "phone", pinpoint.EndpointChange{OptOut: new("NONE"), RequestID: new("")})
	want.OptOut, want.Status, want.Request, want.Effective = "NONE", "ACTIVE", "update", r.clock.Now()
	wantSame(t, "the endpoint that is active again", want, r.endpoint(t, app, "phone"))
	if first.OptOut != "ALL" || first.Attributes["plan"][0] != "free" {
		t.Error("an endpoint that was handed out has changed")
	}
	r.close(t)
	r.open(t)
	wantSame(t, "the endpoint after a restart", want, r.endpoint(t, app, "phone"))
}

func TestEndpointLimits(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	app := r.app(t, "shop")
	lists := func(n, values, name, value int) map[string][]string {
		m := map[string][]string{}
		for i := range n {
			key := fmt.Sprint(i)
			m[key+strings.Repeat("ä", name-len(key))] = slices.Repeat([]string{strings.Repeat("ä", value)}, values)
		}
		return m
	}
	for _, tt := range []struct {
		what string
		c    pinpoint.EndpointChange
		want string // a part of the text; "" = accepted
	}{
		{"channel", pinpoint.EndpointChange{ChannelType: new("FAX")}, "ChannelType must be one of"},
		{"status", pinpoint.EndpointChange{EndpointStatus: new("active")}, "EndpointStatus must be"},
		{"opt-out", pinpoint.EndpointChange{OptOut: new("SOME")}, "OptOut must be"},
		{"date", pinpoint.EndpointChange{EffectiveDate: new("today")}, "EffectiveDate must be"},
		{"no date", pinpoint.EndpointChange{EffectiveDate: new("")}, ""},
		{"name", pinpoint.EndpointChange{Attributes: lists(1, 1, 51, 1)}, "1 to 50 characters"},
		{"name at the limit", pinpoint.EndpointChange{Attributes: lists(1, 1, 50, 1)}, ""},
		{"value", pinpoint.EndpointChange{User: &pinpoint.User{UserAttributes: lists(1, 1, 5, 101)}}, "At most 100"},
		{"value at the limit", pinpoint.EndpointChange{User: &pinpoint.User{UserAttributes: lists(1, 1, 5, 100)}}, ""},
		{"values", pinpoint.EndpointChange{Attributes: lists(1, 51, 5, 1)}, "At most 50"},
		{"values at the limit", pinpoint.EndpointChange{Attributes: lists(1, 50, 5, 1)}, ""},
		{"metric", pinpoint.EndpointChange{Metrics: map[string]float64{"": 1}}, "1 to 50 characters"},
		{"attributes", pinpoint.EndpointChange{Attributes: lists(200, 1, 5, 1), User: &pinpoint.User{UserAttributes: lists(51, 1, 5, 1)}}, "At most 250"},
		{"attributes at the limit", pinpoint.EndpointChange{Attributes: lists(200, 1, 5, 1), User: &pinpoint.User{UserAttributes: lists(50, 1, 5, 1)}}, ""},
		{"size", pinpoint.EndpointChange{Attributes: lists(10, 10, 5, 100)}, "At most 15360"},
		{"user", pinpoint.EndpointChange{User: &pinpoint.User{UserID: new(strings.Repeat("u", 1025))}}, "UserId has at most"},
		{"address", pinpoint.EndpointChange{Address: new(strings.Repeat("a", 8<<10+1))}, "Address has at most"},
	} {
		err := r.UpdateEndpoint(within(t), here, app, tt.what, tt.c, "")
		if ok := tt.want == "" && err == nil || tt.want != "" && fault.Is(err, fault.Invalid) && strings.Contains(err.Error(), tt.want); !ok {
			t.Errorf("%s: UpdateEndpoint = %v, want %q", tt.what, err, tt.want)
		}
	}
	for _, id := range []string{"", "a$", "{", "}", "\xff", strings.Repeat("x", 257)} {
		wantFault(t, fmt.Sprintf("UpdateEndpoint of %q", id), r.UpdateEndpoint(within(t), here, app, id, pinpoint.EndpointChange{}, ""), fault.Invalid)
		_, err := r.Endpoint(within(t), here, app, id)
		wantFault(t, fmt.Sprintf("Endpoint of %q", id), err, fault.NotFound)
		_, err = r.DeleteEndpoint(within(t), here, app, id)
		wantFault(t, fmt.Sprintf("DeleteEndpoint of %q", id), err, fault.NotFound)
	}
}

func TestUpdateEndpointsIsAllOrNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	app := r.app(t, "shop")
	batch := make([]pinpoint.NamedChange, 101)
	for i := range batch {
		batch[i].ID = fmt.Sprint(i)
	}
	call := func(changes []pinpoint.NamedChange) error {
		return r.UpdateEndpoints(within(t), here, app, changes, "")
	}
	wantFault(t, "UpdateEndpoints of 101", call(batch), fault.Invalid)
	wantFault(t, "UpdateEndpoints of none", call(nil), fault.Invalid)
	big := pinpoint.EndpointChange{Address: new(strings.Repeat("a", 8<<10)), Demographic: &pinpoint.Demographic{Make: new(strings.Repeat("a", 8<<10))}}
	batch[99].Change = big // only the whole endpoint is too large
	err := call(batch[:100])
	if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), `Endpoint "99"`) {
		t.Errorf("UpdateEndpoints with a large one = %v, want it named", err)
	}
	_, err = r.Endpoint(within(t), here, app, "0")
	wantFault(t, "Endpoint of a batch that was refused", err, fault.NotFound)
	batch[99].Change = pinpoint.EndpointChange{}
	if err := call(batch[:100]); err != nil {
		t.Errorf("UpdateEndpoints = %v, want nil", err)
	}
	r.endpoint(t, app, "99")
	wantFault(t, "UpdateEndpoint of no app", r.UpdateEndpoint(within(t), there, app, "a", pinpoint.EndpointChange{}, ""), fault.NotFound)
}

func TestEndpointsOfAUser(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	app := r.app(t, "shop")
	user := func(id string) pinpoint.EndpointChange {
		return pinpoint.EndpointChange{User: &pinpoint.User{UserID: &id}}
	}
	for _, id := range []string{"b", "a", "c"} {
		r.update(t, app, id, user("u"))
	}
	r.update(t, app, "c", user("v"))
	r.update(t, app, "d", user(""))
	ids := func(all []*pinpoint.Endpoint, err error) []string {
		t.Helper()
		if err != nil {
			t.Errorf("the endpoints of a user: %v", err)
		}
		var ids []string
		for _, e := range all {
			ids = append(ids, e.ID)
		}
		return ids
	}
	wantSame(t, "UserEndpoints(u)", []string{"a", "b"}, ids(r.UserEndpoints(within(t), here, app, "u")))
	wantSame(t, "UserEndpoints(v)", []string{"c"}, ids(r.UserEndpoints(within(t), here, app, "v")))
	wantSame(t, "DeleteUserEndpoints(u)", []string{"a", "b"}, ids(r.DeleteUserEndpoints(within(t), here, app, "u")))
	for _, u := range []string{"u", "none", "", strings.Repeat("u", 2000)} {
		_, err := r.UserEndpoints(within(t), here, app, u)
		wantFault(t, "UserEndpoints of nobody", err, fault.NotFound)
		_, err = r.DeleteUserEndpoints(within(t), here, app, u)
		wantFault(t, "DeleteUserEndpoints of nobody", err, fault.NotFound)
	}
	if had, err := r.DeleteEndpoint(within(t), here, app, "c"); err != nil || *had.UserID != "v" {
		t.Errorf("DeleteEndpoint = %v, %v, want the endpoint of v", had, err)
	}
	_, err := r.DeleteEndpoint(within(t), here, app, "c")
	wantFault(t, "DeleteEndpoint a second time", err, fault.NotFound)
	_, err = r.UserEndpoints(within(t), here, app, "v")
	wantFault(t, "UserEndpoints after the last was deleted", err, fault.NotFound)
}

// Source: Amazon Pinpoint Developer Guide, "Managing an audience member's maximum number of
// endpoints".
func TestAUserHasSoManyEndpoints(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.limit(map[quota.Name]int64{quota.EndpointsPerUser: 2})
	app := r.app(t, "shop")
	change := func(channel string) pinpoint.EndpointChange {
		return pinpoint.EndpointChange{ChannelType: &channel, User: &pinpoint.User{UserID: new("u")}}
	}
	r.update(t, app, "mail", change("EMAIL"))
	r.clock.add(time.Second)
	r.update(t, app, "old", change("APNS"))
	r.clock.add(time.Second)
	wantFault(t, "a third, for mail", r.UpdateEndpoint(within(t), here, app, "sms", change("SMS"), ""), fault.Invalid)
	r.update(t, app, "new", change("GCM")) // pushes the old one out
	if old := r.endpoint(t, app, "old"); old.Status != "INACTIVE" || old.UserID != nil {
		t.Errorf("the oldest endpoint is %v of %v, want it inactive and nobody's", old.Status, old.UserID)
	}
	r.update(t, app, "mail", change("EMAIL")) // is one of them already
	all, err := r.UserEndpoints(within(t), here, app, "u")
	if err != nil || len(all) != 2 {
		t.Errorf("UserEndpoints = %v, %v, want two", all, err)
	}
	got := r.put(t, app, pinpoint.Item{Endpoint: "sms", Change: new(change("SMS")), Events: []pinpoint.Event{happened("1", "a")}})[0]
	if got.Endpoint.Status != 400 || !strings.Contains(got.Endpoint.Message, "2 endpoints") || got.Events[0] != accepted {
		t.Errorf("PutEvents with one endpoint too many = %v, want the endpoint refused and the event accepted", got)
	}
	if e := r.endpoint(t, app, "sms"); e.UserID != nil {
		t.Errorf("the refused endpoint belongs to %q", *e.UserID)
	}
	r.update(t, app, "mail", pinpoint.EndpointChange{ChannelType: new("SMS"), User: &pinpoint.User{UserID: new("v")}})
	r.update(t, app, "sms", change("SMS")) // there is room again
}

// Source: Amazon Pinpoint API Reference, "Endpoint", EndpointStatus.
func TestAnAddressIsActiveOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	app, other := r.app(t, "shop"), r.app(t, "other")
	at := pinpoint.EndpointChange{Address: new("token"), ChannelType: new("APNS")}
	r.update(t, app, "first", at)
	r.update(t, other, "first", at)
	r.update(t, app, "second", at)
	status := func(app, id string) string { return r.endpoint(t, app, id).Status }
	if got := status(app, "first"); got != "INACTIVE" {
		t.Errorf("the first endpoint with the address is %s, want INACTIVE", got)
	}
	if got := status(other, "first"); got != "ACTIVE" {
		t.Errorf("the endpoint of another app is %s, want ACTIVE", got)
	}
	r.put(t, app, pinpoint.Item{Endpoint: "first", Change: &at}) // an update makes it active again
	if a, b := status(app, "first"), status(app, "second"); a != "ACTIVE" || b != "INACTIVE" {
		t.Errorf("after the first was updated, they are %s and %s, want ACTIVE and INACTIVE", a, b)
	}
	inactive := at
	inactive.EndpointStatus = new("INACTIVE")
	r.update(t, app, "third", inactive)
	if got := status(app, "first"); got != "ACTIVE" {
		t.Errorf("after an inactive one came with its address, the first is %s, want ACTIVE", got)
	}
}

func TestCohortsAreEven(t *testing.T) {
	t.Parallel()
	var counts [100]int
	const n = 100_000
	for i := range n {
		e := pinpoint.Endpoint{App: "app", ID: fmt.Sprint(i)}
		c := e.Cohort()
		if c < 0 || c > 99 {
			t.Fatalf("Cohort(%d) = %d, want 0 to 99", i, c)
		}
		counts[c]++
	}
	for c, got := range counts {
		if got < n/100*8/10 || got > n/100*12/10 {
			t.Errorf("cohort %d has %d of %d, want about a hundredth", c, got, n)
		}
	}
	e := pinpoint.Endpoint{App: strings.Repeat("a", 32), ID: "phone"}
	if got := e.Cohort(); got != 34 {
		t.Errorf("Cohort = %d, want 34: it must never change", got)
	}
}
