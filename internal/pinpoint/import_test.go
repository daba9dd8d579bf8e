package pinpoint_test

import (
	"strings"
	"testing"
	"time"

	"tidings/internal/fault"
	"tidings/internal/pinpoint"
)

func TestReplaceApp(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.app(t, "shop")
	if _, err := r.PutStream(within(t), here, id, stream, role, eve); err != nil {
		t.Fatalf("PutStream = %v, want nil", err)
	}
	had, _ := r.App(within(t), here, id)
	created := time.Date(2020, 1, 1, 0, 0, 0, 123456789, time.UTC)
	from := &pinpoint.App{ID: id, Name: "store", Tenant: here, Created: created, Tags: map[string]string{"k": "v"}}
	if err := r.ReplaceApp(within(t), from); err != nil {
		t.Fatalf("ReplaceApp = %v, want nil", err)
	}
	from.Tags["k"] = "changed by the caller"
	want := had.Clone()
	want.Name, want.Created, want.Tags = "store", created.Truncate(time.Millisecond), map[string]string{"k": "v"}
	got, err := r.App(within(t), here, id)
	if err != nil {
		t.Fatalf("App = %v, want nil", err)
	}
	wantSame(t, "App", want, got)

	if err := r.ReplaceApp(within(t), &pinpoint.App{ID: id, Name: "store", Tenant: here}); err != nil {
		t.Fatalf("ReplaceApp without a time = %v, want nil", err)
	}
	if got, _ := r.App(within(t), here, id); !got.Created.Equal(want.Created) || len(got.Tags) != 0 {
		t.Errorf("App = %+v, want the time it had and no tags", got)
	}
	wantFault(t, "ReplaceApp by one without a name", r.ReplaceApp(within(t), &pinpoint.App{ID: id, Tenant: here}), fault.Invalid)
	wantFault(t, "ReplaceApp of none", r.ReplaceApp(within(t), &pinpoint.App{ID: strings.Repeat("0", 32), Name: "x", Tenant: here}), fault.NotFound)
	full := fault.New(fault.Unavailable, "", "full")
	r.Room = func() error { return full }
	wantFault(t, "ReplaceApp without room", r.ReplaceApp(within(t), &pinpoint.App{ID: id, Name: "x", Tenant: here}), fault.Unavailable)
	_, err = r.CreateApp(within(t), here, "x", nil)
	wantFault(t, "CreateApp without room", err, fault.Unavailable)
}

func TestImportStream(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.app(t, "shop")
	old := pinpoint.Stream{ARN: stream, Role: role, Modified: time.Date(2020, 1, 1, 0, 0, 0, 123456789, time.UTC), By: eve}
	if err := r.ImportStream(within(t), here, id, old); err != nil {
		t.Fatalf("ImportStream = %v, want nil", err)
	}
	got, err := r.Stream(within(t), here, id)
	if err != nil {
		t.Fatalf("Stream = %v, want nil", err)
	}
	old.Modified = old.Modified.Truncate(time.Millisecond)
	wantSame(t, "Stream", &old, got)

	if err := r.ImportStream(within(t), here, id, pinpoint.Stream{ARN: delivery, Role: role}); err != nil {
		t.Fatalf("ImportStream in place of another = %v, want nil", err)
	}
	got, err = r.Stream(within(t), here, id)
	if err != nil {
		t.Fatalf("Stream = %v, want nil", err)
	}
	wantSame(t, "Stream", &pinpoint.Stream{ARN: delivery, Role: role, Modified: r.clock.Now()}, got)
	if n := len(r.log.published()); n != 0 {
		t.Errorf("ImportStream published %d events, want none", n)
	}
	for what, s := range map[string]pinpoint.Stream{
		"no ARN":      {Role: role},
		"a topic":     {ARN: "arn:aws:sns:us-east-1:123456789012:x", Role: role},
		"no role":     {ARN: stream},
		"a user":      {ARN: stream, Role: eve},
		"no delivery": {ARN: "arn:aws:firehose:us-east-1:123456789012:stream/x", Role: role},
	} {
		wantFault(t, "ImportStream with "+what, r.ImportStream(within(t), here, id, s), fault.Invalid)
	}
	wantFault(t, "ImportStream of no app", r.ImportStream(within(t), here, strings.Repeat("0", 32), old), fault.NotFound)
}
