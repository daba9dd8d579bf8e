package pinpoint_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"tidings/internal/event"
	"tidings/internal/pinpoint"
	"tidings/internal/quota"
	"tidings/internal/tenant"
)

// benchItem is what a mobile client sends: a whole endpoint, and events with a few attributes.
func benchItem(endpoint string, events int) pinpoint.Item {
	it := pinpoint.Item{Endpoint: endpoint, Change: &pinpoint.EndpointChange{
		Address: new("device-token-of-" + endpoint), ChannelType: new("GCM"),
		Attributes: map[string][]string{"plan": {"free"}, "interests": {"music", "sports"}},
		Demographic: &pinpoint.Demographic{
			AppVersion: new("5.1.0"), Locale: new("en_US"), Make: new("Google"), Model: new("Pixel 9"),
			Platform: new("android"), PlatformVersion: new("16"), Timezone: new("America/Los_Angeles"),
		},
		Location: &pinpoint.Location{Country: new("US"), City: new("Seattle")}, OptOut: new("NONE"),
		User: &pinpoint.User{UserID: new("user-" + endpoint)},
	}}
	for i := range events {
		it.Events = append(it.Events, pinpoint.Event{
			ID: fmt.Sprint(i), Type: "screen_view", Timestamp: "2026-11-21T11:59:58.123Z", AppPackageName: new("com.example.shop"),
			AppTitle: new("Shop"), AppVersionCode: new("510"), ClientSDKVersion: new("2.80.0"), SDKName: new("aws-sdk-android"),
			Attributes: map[string]string{"screen": "checkout", "origin": "cart", "experiment": "b", "currency": "USD"},
			Metrics:    map[string]float64{"items": 3, "total": 59.97},
			Session:    &pinpoint.Session{ID: "ab12cd34-20261121-115900", Start: "2026-11-21T11:59:00.000Z"},
		})
	}
	return it
}

// benchBatch has so many events of ten at an endpoint.
func benchBatch(r *rand.Rand, events, endpoints int) pinpoint.Batch {
	const perEndpoint = 10
	var b pinpoint.Batch
	for left := events; left > 0; left -= perEndpoint {
		b.Items = append(b.Items, benchItem(fmt.Sprintf("endpoint-%08d", r.IntN(endpoints)), min(left, perEndpoint)))
	}
	return b
}

// processTime is what the process has used of its processors.
func processTime() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// benchmark puts b.N batches from p clients into the apps, at endpoints that are known already.
func benchmark(b *testing.B, s *pinpoint.Service, apps []string, size, p int) {
	b.Helper()
	const endpoints, prepared = 1000, 64
	random := rand.New(rand.NewPCG(1, 2))
	batches := make([]pinpoint.Batch, prepared)
	for i := range batches {
		batches[i] = benchBatch(random, size, endpoints)
	}
	one := func(i int) {
		if _, err := s.PutEvents(context.Background(), here, apps[i%len(apps)], batches[i%prepared]); err != nil {
			b.Errorf("PutEvents = %v", err)
		}
	}
	for i := range max(prepared, min(len(apps), 10_000)) {
		one(i)
	}
	runtime.GC()
	var next atomic.Int64
	var all sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	before := processTime()
	for range p {
		all.Go(func() {
			for i := int(next.Add(1)); i <= b.N; i = int(next.Add(1)) {
				one(i)
			}
		})
	}
	all.Wait()
	b.StopTimer()
	n := float64(b.N * size)
	b.ReportMetric(n/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64((processTime()-before).Nanoseconds())/n, "cpu-ns/event")
}

// sizes are how many events a request has.
var sizes = []int{1, 10, 100}

// BenchmarkPutEvents is what the rules and records cost: nothing is written.
func BenchmarkPutEvents(b *testing.B) {
	for _, size := range sizes {
		b.Run(fmt.Sprintf("batch=%d", size), func(b *testing.B) {
			s, apps := fakeService(1)
			benchmark(b, s, apps, size, 1)
		})
	}
}

// BenchmarkPutEventsDurably writes into the real stores.
func BenchmarkPutEventsDurably(b *testing.B) {
	for _, apps := range []int{1, 10_000} {
		for _, size := range sizes {
			b.Run(fmt.Sprintf("apps=%d/batch=%d", apps, size), func(b *testing.B) {
				r := newRig(b)
				r.log.drop = true
				r.limit(map[quota.Name]int64{quota.Apps: quota.Unlimited})
				benchmark(b, r.Service, benchApps(b, r, apps), size, 32)
			})
		}
	}
}

// BenchmarkPutNewEndpoints makes an endpoint with every event: the worst case for their store.
func BenchmarkPutNewEndpoints(b *testing.B) {
	r := newRig(b)
	r.log.drop = true
	app := r.app(b, "shop")
	var next atomic.Int64
	var all sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	before := processTime()
	for range 32 {
		all.Go(func() {
			for i := int(next.Add(1)); i <= b.N; i = int(next.Add(1)) {
				batch := pinpoint.Batch{Items: make([]pinpoint.Item, 100)}
				for j := range batch.Items {
					batch.Items[j] = benchItem(fmt.Sprintf("endpoint-%016x", rand.Uint64()), 1)
				}
				if _, err := r.PutEvents(context.Background(), here, app, batch); err != nil {
					b.Errorf("PutEvents = %v", err)
				}
			}
		})
	}
	all.Wait()
	b.StopTimer()
	b.ReportMetric(float64(100*b.N)/b.Elapsed().Seconds(), "endpoints/s")
	b.ReportMetric(float64((processTime()-before).Nanoseconds())/float64(100*b.N), "cpu-ns/endpoint")
}

func benchApps(b *testing.B, r *rig, n int) []string {
	b.Helper()
	apps := make([]string, n)
	var next atomic.Int64
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				apps[i] = fmt.Sprintf("%032x", i)
				err := r.nats.Apps().Put(context.Background(), &pinpoint.App{ID: apps[i], Name: "app", Tenant: here, Created: r.clock.Now()})
				if err != nil {
					b.Errorf("Put = %v", err)
				}
			}
		})
	}
	all.Wait()
	return apps
}

// fakeService writes nothing.
func fakeService(n int) (*pinpoint.Service, []string) {
	f := &fakes{apps: map[string]*pinpoint.App{}, endpoints: map[string]*pinpoint.Endpoint{}}
	var ids []string
	for i := range n {
		id := fmt.Sprintf("%032x", i)
		ids = append(ids, id)
		f.apps[id] = &pinpoint.App{ID: id, Tenant: here}
	}
	limits := quota.For(quota.Production, nil)
	return &pinpoint.Service{Store: f, Endpoints: fakeEndpoints{f}, Publisher: f, Limits: func(string) quota.Limits { return limits }}, ids
}

// fakes stand for the disk in benchmarks.
type fakes struct {
	pinpoint.AppStore
	apps      map[string]*pinpoint.App
	endpoints map[string]*pinpoint.Endpoint
}

func (f *fakes) App(_ tenant.Tenant, id string) (*pinpoint.App, bool) {
	a, ok := f.apps[id]
	return a, ok
}

func (f *fakes) Publish(context.Context, ...event.Event) error { return nil }

type fakeEndpoints struct{ *fakes }

func (f fakeEndpoints) Endpoint(_ context.Context, _ pinpoint.AppKey, id string) (*pinpoint.Endpoint, error) {
	return f.endpoints[id], nil
}

func (f fakeEndpoints) OfUser(context.Context, pinpoint.AppKey, string, int) ([]*pinpoint.Endpoint, error) {
	return nil, nil
}

func (f fakeEndpoints) Words(context.Context, pinpoint.AppKey) ([]pinpoint.Word, error) {
	return nil, nil
}

func (f fakeEndpoints) Change(_ context.Context, _ pinpoint.AppKey, edit func(pinpoint.EndpointTx) error) error {
	return edit(fakeTx(f))
}

func (f fakeEndpoints) Drop(context.Context, pinpoint.AppKey) error { return nil }

type fakeTx struct{ *fakes }

func (f fakeTx) Endpoint(id string) (*pinpoint.Endpoint, error)     { return f.endpoints[id], nil }
func (f fakeTx) OfUser(string, int) ([]*pinpoint.Endpoint, error)   { return nil, nil }
func (f fakeTx) ActiveAt(string, int) ([]*pinpoint.Endpoint, error) { return nil, nil }
func (f fakeTx) Put(e *pinpoint.Endpoint)                           { f.endpoints[e.ID] = e }
func (f fakeTx) Delete(id string)                                   { delete(f.endpoints, id) }
func (f fakeTx) AddWord(pinpoint.Word)                              {}
