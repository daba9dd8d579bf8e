package pinpoint_test

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"tidings/internal/configset"
	"tidings/internal/event"
	"tidings/internal/fault"
	"tidings/internal/pinpoint"
	"tidings/internal/quota"
	"tidings/internal/tenant"
)

func TestApps(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tags := map[string]string{"team": "ops"}
	a, err := r.CreateApp(within(t), here, "shop", tags)
	if err != nil {
		t.Fatalf("CreateApp = %v, want nil", err)
	}
	if !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(a.ID) {
		t.Errorf("the ID of the app is %q, want 32 hexadecimal digits", a.ID)
	}
	if want := "arn:aws:mobiletargeting:us-east-1:123456789012:apps/" + a.ID; a.ARN() != want {
		t.Errorf("ARN = %q, want %q", a.ARN(), want)
	}
	tags["team"] = "changed by the caller"
	got, err := r.App(within(t), here, a.ID)
	if err != nil {
		t.Fatalf("App = %v, want nil", err)
	}
	wantSame(t, "App", &pinpoint.App{ID: a.ID, Name: "shop", Tenant: here, Created: r.clock.Now(), Tags: map[string]string{"team": "ops"}}, got)

	_, err = r.App(within(t), there, a.ID)
	wantFault(t, "App of another region", err, fault.NotFound)
	for _, id := range []string{"", "none", strings.Repeat("0", 32), strings.ToUpper(a.ID), a.ID + "/x"} {
		_, err = r.App(within(t), here, id)
		wantFault(t, "App of "+id, err, fault.NotFound)
	}
	if had, err := r.DeleteApp(within(t), here, a.ID); err != nil || had.Name != "shop" {
		t.Errorf("DeleteApp = %v, %v, want the app", had, err)
	}
	_, err = r.App(within(t), here, a.ID)
	wantFault(t, "App of a deleted app", err, fault.NotFound)
	_, err = r.DeleteApp(within(t), here, a.ID)
	wantFault(t, "DeleteApp a second time", err, fault.NotFound)
}

func TestARNOfOtherPartitions(t *testing.T) {
	t.Parallel()
	for region, want := range map[string]string{"cn-north-1": "arn:aws-cn:", "us-gov-west-1": "arn:aws-us-gov:", "eu-west-1": "arn:aws:"} {
		a := pinpoint.App{ID: "x", Tenant: tenant.Tenant{Account: "123456789012", Region: region}}
		if got := a.ARN(); !strings.HasPrefix(got, want) {
			t.Errorf("ARN in %s = %q, want it to begin with %q", region, got, want)
		}
	}
}

func TestAppsArePagedInTheOrderOfTheirCreation(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for i := range 5 {
		r.app(t, fmt.Sprint(i))
		r.clock.add(time.Millisecond)
	}
	var got []string
	var after pinpoint.Position
	for {
		page, more, err := r.Apps(within(t), here, after, 2)
		if err != nil {
			t.Fatalf("Apps = %v", err)
		}
		for _, a := range page {
			got = append(got, a.Name)
		}
		if !more {
			break
		}
		after = page[len(page)-1].Position()
	}
	if want := []string{"0", "1", "2", "3", "4"}; !slices.Equal(got, want) {
		t.Errorf("Apps = %q, want %q", got, want)
	}
	_, _, err := r.Apps(within(t), here, after, 0)
	wantFault(t, "Apps with an empty page", err, fault.Invalid)
}

func TestCreateAppRefuses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.limit(map[quota.Name]int64{quota.Apps: 2})
	many := map[string]string{}
	for i := range 51 {
		many[fmt.Sprint(i)] = ""
	}
	for _, tt := range []struct {
		what, name string
		tags       map[string]string
	}{
		{"no name", "", nil},
		{"a blank name", " ", nil},
		{"a long name", strings.Repeat("ä", 257), nil},
		{"51 tags", "x", many},
		{"an empty key", "x", map[string]string{"": "v"}},
		{"a long key", "x", map[string]string{strings.Repeat("ä", 129): "v"}},
		{"a long value", "x", map[string]string{"k": strings.Repeat("ä", 257)}},
		{"a reserved key", "x", map[string]string{"AWS:k": "v"}},
	} {
		_, err := r.CreateApp(within(t), here, tt.name, tt.tags)
		wantFault(t, "CreateApp with "+tt.what, err, fault.Invalid)
	}
	delete(many, "0")
	if _, err := r.CreateApp(within(t), here, strings.Repeat("ä", 256), many); err != nil {
		t.Errorf("CreateApp at the limits = %v, want nil", err)
	}
	if _, err := r.CreateApp(within(t), here, "x", map[string]string{strings.Repeat("ä", 128): strings.Repeat("ä", 256)}); err != nil {
		t.Errorf("CreateApp with tags at the limits = %v, want nil", err)
	}
	_, err := r.CreateApp(within(t), here, "one too many", nil)
	wantFault(t, "CreateApp beyond the limit", err, fault.LimitExceeded)
	if _, err := r.CreateApp(within(t), there, "elsewhere", nil); err != nil {
		t.Errorf("CreateApp in another region = %v, want nil", err)
	}
	full := fault.New(fault.Unavailable, "", "full")
	r.Room = func() error { return full }
	_, err = r.CreateApp(within(t), there, "x", nil)
	wantFault(t, "CreateApp without room", err, fault.Unavailable)
}

func TestImportApp(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := &pinpoint.App{
		ID: strings.Repeat("0a", 16), Name: "old", Tenant: here, Created: time.Date(2020, 1, 1, 0, 0, 0, 123456789, time.UTC), Tags: map[string]string{"k": "v"},
	}
	if err := r.ImportApp(within(t), a); err != nil {
		t.Fatalf("ImportApp = %v, want nil", err)
	}
	got, err := r.App(within(t), here, a.ID)
	if err != nil || got.Name != "old" || !got.Created.Equal(time.Date(2020, 1, 1, 0, 0, 0, 123e6, time.UTC)) {
		t.Errorf("App = %v, %v, want the imported one", got, err)
	}
	wantFault(t, "ImportApp a second time", r.ImportApp(within(t), a), fault.Exists)
	a.ID = "x"
	wantFault(t, "ImportApp with no ID", r.ImportApp(within(t), a), fault.Invalid)
}

func TestTags(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.app(t, "shop")
	arn := "arn:aws:mobiletargeting:us-east-1:123456789012:apps/" + id
	tags := func() map[string]string {
		t.Helper()
		got, err := r.Tags(within(t), here, arn)
		if err != nil || got == nil {
			t.Fatalf("Tags = %v, %v, want some", got, err)
		}
		return got
	}
	wantSame(t, "Tags of a new app", map[string]string{}, tags())
	if err := r.Tag(within(t), here, arn, map[string]string{"a": "1", "b": "2"}); err != nil {
		t.Fatalf("Tag = %v, want nil", err)
	}
	if err := r.Tag(within(t), here, arn, map[string]string{"b": "3", "c": ""}); err != nil {
		t.Fatalf("Tag = %v, want nil", err)
	}
	if err := r.Untag(within(t), here, arn, []string{"a", "none"}); err != nil {
		t.Fatalf("Untag = %v, want nil", err)
	}
	wantSame(t, "Tags", map[string]string{"b": "3", "c": ""}, tags())
	wantFault(t, "Tag with a reserved key", r.Tag(within(t), here, arn, map[string]string{"aws:x": ""}), fault.Invalid)
	wantSame(t, "Tags after a refusal", map[string]string{"b": "3", "c": ""}, tags())

	for what, bad := range map[string]string{
		"no app":         "arn:aws:mobiletargeting:us-east-1:123456789012:apps/" + strings.Repeat("0", 32),
		"other region":   "arn:aws:mobiletargeting:eu-west-1:123456789012:apps/" + id,
		"other service":  "arn:aws:ses:us-east-1:123456789012:apps/" + id,
		"other resource": "arn:aws:mobiletargeting:us-east-1:123456789012:templates/x/EMAIL",
	} {
		_, err := r.Tags(within(t), here, bad)
		wantFault(t, "Tags of "+what, err, fault.NotFound)
		wantFault(t, "Tag of "+what, r.Tag(within(t), here, bad, map[string]string{"a": "b"}), fault.NotFound)
		wantFault(t, "Untag of "+what, r.Untag(within(t), here, bad, []string{"a"}), fault.NotFound)
	}
	_, err := r.Tags(within(t), here, "arn:aws:mobiletargeting:us-east-1:999999999999:apps/"+id)
	wantFault(t, "Tags of another account", err, fault.Denied)
	wantFault(t, "Tag of no ARN", r.Tag(within(t), here, "x", nil), fault.Invalid)
}

func TestStreamLives(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.app(t, "shop")
	_, err := r.Stream(within(t), here, id)
	wantFault(t, "Stream of an app without one", err, fault.NotFound)
	_, err = r.DeleteStream(within(t), here, id)
	wantFault(t, "DeleteStream of an app without one", err, fault.NotFound)

	want := &pinpoint.Stream{ARN: stream, Role: role, Modified: r.clock.Now(), By: eve}
	got, err := r.PutStream(within(t), here, id, stream, role, eve)
	if err != nil {
		t.Fatalf("PutStream = %v, want nil", err)
	}
	wantSame(t, "PutStream", want, got)
	r.clock.add(time.Minute)
	got, err = r.Stream(within(t), here, id)
	if err != nil {
		t.Fatalf("Stream = %v, want nil", err)
	}
	wantSame(t, "Stream", want, got)
	set, ok := r.nats.ConfigurationSets().Get(setOf(id))
	if !ok || len(set.Destinations) != 1 {
		t.Fatalf("the set of the app is %v, %v, want one destination", set, ok)
	}
	wantSame(t, "the event destination", configset.EventDestination{
		Name: "event-stream", Enabled: true, Types: []event.Type{event.AppEvent},
		Destination: configset.Destination{Kind: configset.KinesisStream, ARN: stream, Role: role},
	}, set.Destinations[0])

	want = &pinpoint.Stream{ARN: delivery, Role: role, Modified: r.clock.Now(), By: "root"}
	if _, err = r.PutStream(within(t), here, id, delivery, role, "root"); err != nil {
		t.Fatalf("PutStream of another = %v, want nil", err)
	}
	r.close(t)
	r.open(t)
	got, err = r.DeleteStream(within(t), here, id)
	if err != nil {
		t.Fatalf("DeleteStream = %v, want nil", err)
	}
	wantSame(t, "DeleteStream", want, got)
	_, err = r.Stream(within(t), here, id)
	wantFault(t, "Stream after it was deleted", err, fault.NotFound)
}

func TestStreamRefuses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.app(t, "shop")
	for _, tt := range []struct{ arn, role, want string }{
		{"", role, "DestinationStreamArn is missing"},
		{"clicks", role, "must have the form"},
		{"arn:aws:sns:us-east-1:123456789012:clicks", role, "must have the form"},
		{"arn:aws:kinesis:us-east-1:123456789012:clicks", role, "stream/NAME"},
		{"arn:aws:firehose:us-east-1:123456789012:stream/clicks", role, "deliverystream/NAME"},
		{stream, "", "IAM role ARN is missing"},
		{stream, "admin", "IAM role"},
	} {
		_, err := r.PutStream(within(t), here, id, tt.arn, tt.role, eve)
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("PutStream(%q, %q) = %v, want an invalid request with %q", tt.arn, tt.role, err, tt.want)
		}
	}
	if _, ok := r.nats.ConfigurationSets().Get(setOf(id)); ok {
		t.Error("a refused stream has left a configuration set")
	}
	_, err := r.PutStream(within(t), here, strings.Repeat("0", 32), stream, role, eve)
	wantFault(t, "PutStream of no app", err, fault.NotFound)
	if n := len(r.log.published()); n != 0 {
		t.Errorf("refused streams have published %d events, want none", n)
	}
}

func TestPutStreamAsksWhetherItCanBeDelivered(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.app(t, "shop")
	r.Check = func(_ tenant.Tenant, d configset.Destination) error {
		return fmt.Errorf("nothing is bound to %s", d.ARN)
	}
	_, err := r.PutStream(within(t), here, id, stream, role, eve)
	if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "nothing is bound to "+stream) {
		t.Errorf("PutStream = %v, want the reason", err)
	}
}

func TestPutStreamPublishesATestEvent(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.app(t, "shop")
	for range 2 {
		if _, err := r.PutStream(within(t), here, id, stream, role, eve); err != nil {
			t.Fatalf("PutStream = %v, want nil", err)
		}
	}
	all := r.log.published()
	if len(all) != 2 || all[0].ID == all[1].ID {
		t.Fatalf("two streams have published %v, want an event each", all)
	}
	e := all[0]
	if e.Set != id || e.Type != event.AppEvent || e.Tenant != here || e.Partition() == "" || !e.Time.Equal(r.clock.Now()) {
		t.Errorf("the test event is %+v, want one of the app", e)
	}
	golden(t, "test_event", id, e.Record)
	r.NoTestEvent = true
	if _, err := r.PutStream(within(t), here, id, stream, role, eve); err != nil {
		t.Fatalf("PutStream = %v, want nil", err)
	}
	if n := len(r.log.published()); n != 2 {
		t.Errorf("with test events off there are %d, want 2", n)
	}
	r.NoTestEvent = false
	r.log.broken = errors.New("disk on fire")
	if _, err := r.PutStream(within(t), here, id, stream, role, eve); !errors.Is(err, r.log.broken) {
		t.Errorf("PutStream when nothing can be published = %v, want it to fail", err)
	}
}

// A deleted app takes everything with it, and one of the same ID begins with nothing.
func TestDeleteAppDeletesAllOfIt(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.limit(map[quota.Name]int64{quota.EventTypes: 1})
	id := r.app(t, "shop")
	if _, err := r.PutStream(within(t), here, id, stream, role, eve); err != nil {
		t.Fatal(err)
	}
	r.put(t, id, item("phone", happened("1", "purchase")))
	if _, err := r.DeleteApp(within(t), here, id); err != nil {
		t.Fatalf("DeleteApp = %v, want nil", err)
	}
	_, err := r.PutEvents(within(t), here, id, pinpoint.Batch{Items: []pinpoint.Item{item("phone")}})
	wantFault(t, "PutEvents of a deleted app", err, fault.NotFound)
	if _, ok := r.nats.ConfigurationSets().Get(setOf(id)); ok {
		t.Error("the event stream is still there")
	}
	if err := r.ImportApp(within(t), &pinpoint.App{ID: id, Name: "again", Tenant: here}); err != nil {
		t.Fatalf("ImportApp = %v, want nil", err)
	}
	_, err = r.Endpoint(within(t), here, id, "phone")
	wantFault(t, "Endpoint of the app that came again", err, fault.NotFound)
	if got := r.put(t, id, item("phone", happened("1", "another"))); got[0].Events[0] != accepted {
		t.Errorf("an event type of the app that came again is refused: %v", got)
	}
}
