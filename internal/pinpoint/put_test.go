package pinpoint_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"tidings/internal/event"
	"tidings/internal/fault"
	"tidings/internal/natsstore"
	"tidings/internal/pinpoint"
	"tidings/internal/quota"
)

func itoa(n int) string { return strconv.Itoa(n) }

func TestPutEventsPublishesInOrderAndAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	app := r.app(t, "shop")
	got := r.put(t, app,
		item("phone", happened("1", "a"), happened("2", "b")),
		item("tablet", happened("1", "c")))
	wantSame(t, "results", []pinpoint.ItemResult{
		{Endpoint: accepted, Events: []pinpoint.Result{accepted, accepted}},
		{Endpoint: accepted, Events: []pinpoint.Result{accepted}},
	}, got)
	if n := len(r.log.calls); n != 1 {
		t.Errorf("the request was published in %d calls, want 1", n)
	}
	var ids, keys, types []string
	for _, e := range r.log.published() {
		ids, keys = append(ids, e.ID), append(keys, e.Key)
		types = append(types, decoded(t, e.Record)["event_type"].(string))
		if e.Set != app || e.Message != "request" || e.Tenant != here || e.Type != event.AppEvent || !e.Time.Equal(r.clock.Now()) {
			t.Errorf("the event is %+v, want one of app %s", e, app)
		}
	}
	wantSame(t, "IDs", []string{"request/00", "request/01", "request/02"}, ids)
	wantSame(t, "keys", []string{"phone", "phone", "tablet"}, keys)
	wantSame(t, "types", []string{"a", "b", "c"}, types)

	var stored []event.Event
	err := r.nats.Events().Read(within(t), natsstore.Position{}, false, func(_ uint64, _ time.Time, events []event.Event) error {
		stored = append(stored, events...)
		return nil
	})
	if err != nil {
		t.Fatalf("Read = %v", err)
	}
	wantSame(t, "the log", r.log.published(), stored)
}

func TestPutEventsRefusesByItself(t *testing.T) {
	t.Parallel()
	many := func(n int) map[string]string {
		m := map[string]string{}
		for i := range n {
			m[fmt.Sprint(i)] = ""
		}
		return m
	}
	for _, tt := range []struct {
		what string
		edit func(*pinpoint.Event)
		want string // a part of the text; "" = accepted
	}{
		{"no type", func(e *pinpoint.Event) { e.Type = "" }, "EventType is missing"},
		{"long type", func(e *pinpoint.Event) { e.Type = strings.Repeat("ä", 257) }, "At most 256"},
		{"type at the limit", func(e *pinpoint.Event) { e.Type = strings.Repeat("ä", 256) }, ""},
		{"no time", func(e *pinpoint.Event) { e.Timestamp = "" }, "Timestamp is missing"},
		{"bad time", func(e *pinpoint.Event) { e.Timestamp = "yesterday" }, "ISO 8601"},
		{"long key", func(e *pinpoint.Event) { e.Attributes = map[string]string{strings.Repeat("ä", 51): ""} }, "50"},
		{"key at the limit", func(e *pinpoint.Event) { e.Attributes = map[string]string{strings.Repeat("ä", 50): ""} }, ""},
		{"empty key", func(e *pinpoint.Event) { e.Attributes = map[string]string{"": ""} }, "1 to 50"},
		{"long value", func(e *pinpoint.Event) { e.Attributes = map[string]string{"k": strings.Repeat("ä", 201)} }, "At most 200"},
		{"value at the limit", func(e *pinpoint.Event) { e.Attributes = map[string]string{"k": strings.Repeat("ä", 200)} }, ""},
		{"many attributes", func(e *pinpoint.Event) { e.Attributes = many(41) }, "At most 40"},
		{"many keys", func(e *pinpoint.Event) { e.Attributes, e.Metrics = many(40), map[string]float64{"m": 1} }, "At most 40"},
		{"keys at the limit", func(e *pinpoint.Event) { e.Attributes, e.Metrics = many(39), map[string]float64{"m": 1} }, ""},
		{"long metric", func(e *pinpoint.Event) { e.Metrics = map[string]float64{strings.Repeat("m", 51): 1} }, "50"},
		{"no session ID", func(e *pinpoint.Event) { e.Session = &pinpoint.Session{Start: e.Timestamp} }, "Id of the session"},
		{"no session start", func(e *pinpoint.Event) { e.Session = &pinpoint.Session{ID: "s"} }, "StartTimestamp of the session is missing"},
		{"bad session stop", func(e *pinpoint.Event) {
			e.Session = &pinpoint.Session{ID: "s", Start: e.Timestamp, Stop: new("x")}
		}, "StopTimestamp of the session"},
		{"empty session stop", func(e *pinpoint.Event) {
			e.Session = &pinpoint.Session{ID: "s", Start: e.Timestamp, Stop: new("")}
		}, ""},
		{"large", func(e *pinpoint.Event) { e.AppTitle = new(strings.Repeat("x", 1000<<10)) }, "At most 1024000"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			app := r.app(t, "shop")
			odd := happened("odd", "odd")
			tt.edit(&odd)
			got := r.put(t, app, item("phone", happened("before", "a"), odd, happened("after", "b")))[0]
			if got.Endpoint != accepted || got.Events[0] != accepted || got.Events[2] != accepted {
				t.Errorf("the results are %v, want only the odd one refused", got)
			}
			switch {
			case tt.want == "" && got.Events[1] != accepted:
				t.Errorf("the odd event is answered %v, want it accepted", got.Events[1])
			case tt.want != "" && (got.Events[1].Status != 400 || !strings.Contains(got.Events[1].Message, tt.want)):
				t.Errorf("the odd event is answered %v, want 400 with %q", got.Events[1], tt.want)
			}
			want := 2
			if tt.want == "" {
				want = 3
			}
			if n := len(r.log.published()); n != want {
				t.Errorf("%d events were published, want %d", n, want)
			}
		})
	}
}

func TestPutEventsRefusesEndpointsByThemselves(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	app := r.app(t, "shop")
	r.update(t, app, "known", pinpoint.EndpointChange{Demographic: &pinpoint.Demographic{Make: new("apple")}})
	bad := &pinpoint.EndpointChange{ChannelType: new("PIGEON"), Demographic: &pinpoint.Demographic{Make: new("other")}}
	got := r.put(t, app,
		pinpoint.Item{Endpoint: "known", Change: bad, Events: []pinpoint.Event{happened("1", "a")}},
		pinpoint.Item{Endpoint: "new", Change: bad, Events: []pinpoint.Event{happened("1", "b")}},
		pinpoint.Item{Endpoint: "without", Events: []pinpoint.Event{happened("1", "c")}},
		item("$bad", happened("1", "d")),
		item("good", happened("1", "e")),
	)
	for i, want := range []struct {
		endpoint, event string // "" = accepted
	}{{"ChannelType", ""}, {"ChannelType", ""}, {"Endpoint is missing", ""}, {"$", "$"}, {"", ""}} {
		for _, pair := range []struct {
			got  pinpoint.Result
			want string
		}{{got[i].Endpoint, want.endpoint}, {got[i].Events[0], want.event}} {
			if ok := pair.want == "" && pair.got == accepted || pair.want != "" && pair.got.Status == 400 && strings.Contains(pair.got.Message, pair.want); !ok {
				t.Errorf("item %d is answered %v, want %q", i, got[i], want)
			}
		}
	}
	var makes []any
	for _, e := range r.log.published() {
		makes = append(makes, decoded(t, e.Record)["device"].(map[string]any)["make"])
	}
	wantSame(t, "makes in the records", []any{"apple", nil, nil, nil}, makes)
	if e := r.endpoint(t, app, "known"); *e.Make != "apple" {
		t.Errorf("a refused change has made %q of the endpoint", *e.Make)
	}
}

func TestPutEventsRefusesAsAWhole(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	app := r.app(t, "shop")
	events := make([]pinpoint.Event, 100)
	for i := range events {
		events[i] = happened(fmt.Sprint(i), "a")
	}
	call := func(b pinpoint.Batch) error {
		_, err := r.PutEvents(within(t), here, app, b)
		return err
	}
	wantFault(t, "PutEvents of 101 events", call(pinpoint.Batch{Items: []pinpoint.Item{item("a", events...), item("b", events[0])}}), fault.Invalid)
	wantFault(t, "PutEvents of nothing", call(pinpoint.Batch{}), fault.Invalid)
	wantFault(t, "PutEvents of more than 4 MB", call(pinpoint.Batch{Size: 4<<20 + 1, Items: []pinpoint.Item{item("a", events[0])}}), fault.Invalid)
	endpoints := make([]pinpoint.Item, 101)
	for i := range endpoints {
		endpoints[i] = item(fmt.Sprint(i))
	}
	wantFault(t, "PutEvents of 101 endpoints", call(pinpoint.Batch{Items: endpoints}), fault.Invalid)
	if n := len(r.log.published()); n != 0 {
		t.Errorf("refused requests have published %d events", n)
	}
	if err := call(pinpoint.Batch{Size: 4 << 20, Items: []pinpoint.Item{item("a", events...)}}); err != nil {
		t.Errorf("PutEvents at the limits = %v, want nil", err)
	}
	ids := map[string]bool{}
	for _, e := range r.log.published() {
		ids[e.ID] = true
	}
	if len(ids) != 100 {
		t.Errorf("100 events have %d different IDs", len(ids))
	}
	_, err := r.PutEvents(within(t), there, app, pinpoint.Batch{Items: []pinpoint.Item{item("a", events[0])}})
	wantFault(t, "PutEvents of another region", err, fault.NotFound)
	full := fault.New(fault.Unavailable, "", "full")
	r.Room = func() error { return full }
	wantFault(t, "PutEvents without room", call(pinpoint.Batch{Items: []pinpoint.Item{item("a", events[0])}}), fault.Unavailable)
}

// The largest request that is allowed is published, whatever it has to be escaped to.
func TestTheLargestRequestIsPublished(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	app := r.app(t, "shop")
	change := &pinpoint.EndpointChange{Address: new(strings.Repeat("a", 8<<10)), Demographic: &pinpoint.Demographic{Make: new(strings.Repeat("\x01", 1<<10))}}
	events := make([]pinpoint.Event, 100)
	for i := range events {
		events[i] = happened(fmt.Sprint(i), "a")
		events[i].AppTitle = new(strings.Repeat("\x01", 4<<20/100/6)) // as it travels: \u0001
	}
	got := r.put(t, app, pinpoint.Item{Endpoint: "a", Change: change, Events: events})
	if got[0].Endpoint != accepted || slices.ContainsFunc(got[0].Events, func(r pinpoint.Result) bool { return r != accepted }) {
		t.Errorf("the largest request is answered %v, want it accepted", got)
	}
	if n := len(r.log.published()); n != 100 {
		t.Errorf("%d events were published, want 100", n)
	}
}

func TestWordsAreLimited(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	limits := map[quota.Name]int64{quota.EventTypes: 2, quota.EventAttributes: 1, quota.EventMetrics: 1}
	r.limit(limits)
	app := r.app(t, "shop")
	with := func(kind, attribute, metric string) pinpoint.Event {
		e := happened("1", kind)
		if attribute != "" {
			e.Attributes = map[string]string{attribute: ""}
		}
		if metric != "" {
			e.Metrics = map[string]float64{metric: 1}
		}
		return e
	}
	got := r.put(t, app, item("phone",
		with("a", "x", "m"), with("a", "y", ""), with("a", "", "n"), with("b", "x", ""), with("c", "", ""),
		with("_session.start", "x", "m"), with("b", "", "")))[0].Events
	for i, want := range []string{"", "1 of at most 1 attribute keys", "1 of at most 1 metric keys", "", "2 of at most 2 custom event types", "", ""} {
		if ok := want == "" && got[i] == accepted || want != "" && got[i].Status == 400 && strings.Contains(got[i].Message, want); !ok {
			t.Errorf("event %d is answered %v, want %q", i, got[i], want)
		}
	}
	r.close(t)
	r.open(t)
	r.limit(limits)
	if got := r.put(t, app, item("phone", with("d", "", "")))[0].Events[0]; got.Status != 400 {
		t.Errorf("after a restart a third type is answered %v, want 400", got)
	}
	other := r.app(t, "other")
	if got := r.put(t, other, item("phone", with("d", "", "")))[0].Events[0]; got != accepted {
		t.Errorf("the first type of another app is answered %v, want it accepted", got)
	}
	r.limit(map[quota.Name]int64{quota.EventTypes: quota.Unlimited})
	if got := r.put(t, app, item("phone", with("d", "", "")))[0].Events[0]; got != accepted {
		t.Errorf("without a limit a third type is answered %v, want it accepted", got)
	}
	words, err := r.bolt.Words(within(t), pinpoint.AppKey{Tenant: here, App: app})
	if err != nil || len(words) != 4 { // two types, an attribute key, a metric key
		t.Errorf("%d words are kept, %v, want 4: what is not limited is not counted", len(words), err)
	}
}

// A request that only repeats what is known writes no endpoint.
func TestUnchangedEndpointsAreNotWritten(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	app := r.app(t, "shop")
	change := &pinpoint.EndpointChange{
		Address: new("a@example.com"), ChannelType: new("EMAIL"), Attributes: map[string][]string{"plan": {"free"}, "gone": {}},
		Metrics: map[string]float64{"visits": 1}, User: &pinpoint.User{UserID: new("u"), UserAttributes: map[string][]string{"role": {"admin"}}},
		Demographic: &pinpoint.Demographic{Make: new("apple")}, Location: &pinpoint.Location{Latitude: new(1.5)},
	}
	both := func(request string) *pinpoint.Endpoint {
		t.Helper()
		b := pinpoint.Batch{Request: request, Items: []pinpoint.Item{
			{Endpoint: "phone", Change: change, Events: []pinpoint.Event{happened("1", "a")}}, item("tablet", happened("1", "a")),
		}}
		if _, err := r.PutEvents(within(t), here, app, b); err != nil {
			t.Fatalf("PutEvents = %v", err)
		}
		return r.endpoint(t, app, "phone")
	}
	first := both("one")
	r.clock.add(time.Minute)
	if second := both("two"); second != first {
		t.Errorf("the endpoint was written again: request %q, effective %v", second.Request, second.Effective)
	}
	change.Metrics["visits"] = 2
	third := both("three")
	if third.Request != "three" || !third.Effective.Equal(r.clock.Now()) || third.Metrics["visits"] != 2 || !third.Created.Equal(first.Created) {
		t.Errorf("the changed endpoint is %+v, want it updated", third)
	}
	if first.Metrics["visits"] != 1 {
		t.Error("an endpoint that was handed out has changed")
	}
	if e := r.endpoint(t, app, "tablet"); e.Request != "one" {
		t.Errorf("the endpoint that nothing was said of has request %q, want one", e.Request)
	}
}

func TestPutEventsFailsWithItsStores(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.limit(map[quota.Name]int64{quota.EventTypes: 1})
	app := r.app(t, "shop")
	r.log.broken = errors.New("disk on fire")
	b := pinpoint.Batch{Items: []pinpoint.Item{item("phone", happened("1", "a"))}}
	if _, err := r.PutEvents(within(t), here, app, b); !errors.Is(err, r.log.broken) {
		t.Errorf("PutEvents without a log = %v, want it to fail", err)
	}
	r.log.broken = nil
	if err := r.bolt.Close(); err != nil {
		t.Fatal(err)
	}
	b.Items[0].Endpoint = "another"
	_, err := r.PutEvents(within(t), here, app, b)
	wantFault(t, "PutEvents without endpoints", err, fault.Unavailable)
	if n := len(r.log.published()); n != 0 {
		t.Errorf("a request that failed has published %d events", n)
	}
}

// Many clients at once lose nothing, and an endpoint that many change has all changes.
func TestPutEventsFromMany(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	app := r.app(t, "shop")
	const clients, each = 8, 10
	var all sync.WaitGroup
	for c := range clients {
		all.Go(func() {
			for i := range each {
				change := &pinpoint.EndpointChange{Metrics: map[string]float64{fmt.Sprint(c): float64(i)}}
				b := pinpoint.Batch{Items: []pinpoint.Item{
					{Endpoint: "shared", Change: change, Events: []pinpoint.Event{happened("1", fmt.Sprint(c))}},
					item(fmt.Sprint(c), happened("2", "b")),
				}}
				results, err := r.PutEvents(context.Background(), here, app, b)
				if err != nil || results[0].Endpoint != accepted || results[0].Events[0] != accepted {
					t.Errorf("PutEvents = %v, %v, want it accepted", results, err)
				}
			}
		})
	}
	all.Wait()
	e := r.endpoint(t, app, "shared")
	for c := range clients {
		if got := e.Metrics[fmt.Sprint(c)]; got != each-1 {
			t.Errorf("the metric of client %d is %v, want %d", c, got, each-1)
		}
	}
	ids := map[string]bool{}
	for _, e := range r.log.published() {
		ids[e.ID] = true
	}
	if len(ids) != 2*clients*each {
		t.Errorf("%d different events were published, want %d", len(ids), 2*clients*each)
	}
}
