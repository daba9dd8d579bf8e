package pinpoint_test

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"

	"tidings/internal/boltstore"
	"tidings/internal/configset"
	"tidings/internal/event"
	"tidings/internal/fault"
	"tidings/internal/natsstore"
	"tidings/internal/pinpoint"
	"tidings/internal/quota"
	"tidings/internal/tenant"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

var (
	here  = tenant.Tenant{Account: "123456789012", Region: "us-east-1"}
	there = tenant.Tenant{Account: "123456789012", Region: "eu-west-1"}
)

const (
	stream   = "arn:aws:kinesis:us-east-1:123456789012:stream/clicks"
	delivery = "arn:aws:firehose:us-east-1:123456789012:deliverystream/clicks"
	role     = "arn:aws:iam::123456789012:role/service/publisher"
	eve      = "arn:aws:iam::123456789012:user/eve"
)

var (
	_ pinpoint.AppStore      = (*natsstore.Apps)(nil)
	_ pinpoint.EndpointStore = (*boltstore.Store)(nil)
	_ pinpoint.Publisher     = (*natsstore.Events)(nil)
)

// clock is what a test says the time is.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// rig is a Service over the real stores.
type rig struct {
	*pinpoint.Service
	clock *clock
	nats  *natsstore.Store
	bolt  *boltstore.Store
	log   *recorder
	dir   string
}

// recorder keeps what is published and hands it on.
type recorder struct {
	next pinpoint.Publisher
	drop bool // nothing is kept

	mu     sync.Mutex
	calls  [][]event.Event
	broken error
}

func (r *recorder) Publish(ctx context.Context, events ...event.Event) error {
	r.mu.Lock()
	broken := r.broken
	if broken == nil && !r.drop {
		r.calls = append(r.calls, events)
	}
	r.mu.Unlock()
	if broken != nil {
		return broken
	}
	return r.next.Publish(ctx, events...)
}

// published returns all events so far.
func (r *recorder) published() (all []event.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, call := range r.calls {
		all = append(all, call...)
	}
	return all
}

func newRig(t testing.TB) *rig {
	t.Helper()
	r := &rig{clock: &clock{now: time.Date(2026, 11, 21, 12, 0, 0, 5e6, time.UTC)}, dir: t.TempDir()}
	r.open(t)
	t.Cleanup(func() { r.close(t) })
	return r
}

func (r *rig) open(t testing.TB) {
	t.Helper()
	var err error
	if r.nats, err = natsstore.Open(within(t), natsstore.Options{Dir: filepath.Join(r.dir, "jetstream")}); err != nil {
		t.Fatalf("open the log: %v", err)
	}
	if r.bolt, err = boltstore.Open(boltstore.Options{Path: filepath.Join(r.dir, "endpoints.db")}); err != nil {
		t.Fatalf("open the endpoints: %v", err)
	}
	r.log = &recorder{next: r.nats.Events()}
	limits := quota.For(quota.Production, nil)
	r.Service = &pinpoint.Service{
		Store: r.nats.Apps(), Endpoints: r.bolt, Sets: r.nats.ConfigurationSets(), Publisher: r.log,
		Room: r.nats.Room, Now: r.clock.Now, Limits: func(string) quota.Limits { return limits },
	}
}

func (r *rig) close(t testing.TB) {
	t.Helper()
	if err := errors.Join(r.bolt.Close(), r.nats.Close()); err != nil {
		t.Errorf("close the stores: %v", err)
	}
}

// limit sets limits.
func (r *rig) limit(overrides map[quota.Name]int64) {
	limits := quota.For(quota.Production, overrides)
	r.Limits = func(string) quota.Limits { return limits }
}

// app makes an app and returns its ID.
func (r *rig) app(t testing.TB, name string) string {
	t.Helper()
	a, err := r.CreateApp(within(t), here, name, nil)
	if err != nil {
		t.Fatalf("CreateApp(%q) = %v, want nil", name, err)
	}
	return a.ID
}

// put puts a batch that must not fail as a whole.
func (r *rig) put(t testing.TB, app string, items ...pinpoint.Item) []pinpoint.ItemResult {
	t.Helper()
	results, err := r.PutEvents(within(t), here, app, pinpoint.Batch{Request: "request", Items: items})
	if err != nil {
		t.Fatalf("PutEvents = %v, want nil", err)
	}
	return results
}

func (r *rig) endpoint(t testing.TB, app, id string) *pinpoint.Endpoint {
	t.Helper()
	e, err := r.Endpoint(within(t), here, app, id)
	if err != nil {
		t.Fatalf("Endpoint(%q) = %v, want nil", id, err)
	}
	return e
}

func (r *rig) update(t testing.TB, app, id string, c pinpoint.EndpointChange) {
	t.Helper()
	if err := r.UpdateEndpoint(within(t), here, app, id, c, "update"); err != nil {
		t.Fatalf("UpdateEndpoint(%q) = %v, want nil", id, err)
	}
}

func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	t.Cleanup(cancel)
	return ctx
}

// happened makes an event that is in order.
func happened(id, kind string) pinpoint.Event {
	return pinpoint.Event{ID: id, Type: kind, Timestamp: "2026-11-21T11:59:58.123Z"}
}

// item makes an item with an empty endpoint.
func item(endpoint string, events ...pinpoint.Event) pinpoint.Item {
	return pinpoint.Item{Endpoint: endpoint, Change: &pinpoint.EndpointChange{}, Events: events}
}

var (
	accepted = pinpoint.Result{Status: 202, Message: "Accepted"}
	sameText = cmpopts.IgnoreUnexported(pinpoint.Endpoint{})
)

func wantFault(t testing.TB, what string, err error, kind fault.Kind) {
	t.Helper()
	if !fault.Is(err, kind) {
		t.Errorf("%s = %v, want the fault %v", what, err, kind)
	}
}

// decoded reads a record.
func decoded(t testing.TB, record []byte) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(record, &m); err != nil {
		t.Fatalf("the record is no JSON: %v\n%s", err, record)
	}
	return m
}

func wantSame(t testing.TB, what string, want, got any) {
	t.Helper()
	if d := cmp.Diff(want, got, sameText, cmpopts.EquateEmpty()); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func setOf(app string) configset.Key {
	return configset.Key{Tenant: here, Scope: configset.App, Name: app}
}
