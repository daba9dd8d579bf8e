package sink_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tidings/internal/arn"
	"tidings/internal/configset"
	"tidings/internal/sink"
	"tidings/internal/tenant"
)

// counting is a driver that counts what is open.
type counting struct {
	refuse error
	mu     sync.Mutex
	opened int
	open   int
}

func (d *counting) Check(sink.Target) error { return d.refuse }

func (d *counting) Open(sink.Target) (sink.Sink, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.refuse != nil {
		return nil, d.refuse
	}
	d.opened++
	d.open++
	return &countedSink{driver: d}, nil
}

func (d *counting) counts() (opened, open int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.opened, d.open
}

type countedSink struct {
	driver *counting
	mu     sync.Mutex
	closed bool
}

var errUsedAfterClose = errors.New("used after Close")

func (s *countedSink) Limits() sink.Limits { return sink.Limits{Count: 10, Bytes: 1 << 20} }

func (s *countedSink) Deliver(context.Context, []sink.Delivery) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errUsedAfterClose
	}
	return nil
}

func (s *countedSink) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errors.New("closed twice by the bindings")
	}
	s.closed = true
	s.driver.mu.Lock()
	s.driver.open--
	s.driver.mu.Unlock()
	return nil
}

func target(name string) sink.Target {
	return sink.Target{
		Tenant: tenant.Tenant{Account: "123456789012", Region: "us-east-1"},
		Kind:   configset.SNS,
		ARN:    arn.ARN{Partition: "aws", Service: "sns", Region: "us-east-1", Account: "123456789012", Resource: name},
	}
}

func binding(tb testing.TB, pattern string, d sink.Driver) sink.Binding {
	tb.Helper()
	p, err := sink.ParsePattern(pattern)
	if err != nil {
		tb.Fatalf("ParsePattern(%q) = %v", pattern, err)
	}
	return sink.Binding{Name: pattern, Match: p, Driver: d}
}

func mustOpen(tb testing.TB, b *sink.Bindings, t sink.Target) sink.Sink {
	tb.Helper()
	s, err := b.Open(t)
	if err != nil {
		tb.Fatalf("Open(%v) = %v", t.ARN, err)
	}
	return s
}

func mustClose(tb testing.TB, s interface{ Close() error }) {
	tb.Helper()
	if err := s.Close(); err != nil {
		tb.Fatalf("Close = %v", err)
	}
}

func TestTheFirstMatchWins(t *testing.T) {
	t.Parallel()
	refusing := &counting{refuse: errors.New("no broker")}
	b := sink.NewBindings(sink.Binding{Name: "default", Driver: &counting{}},
		binding(t, "arn:aws:sns:*:*:a*", &counting{}), binding(t, "arn:aws:sns:*:*:*b", refusing))
	for name, want := range map[string]string{"ab": "arn:aws:sns:*:*:a*", "cb": "arn:aws:sns:*:*:*b", "c": "default"} {
		if got := b.Name(target(name)); got != want {
			t.Errorf("Name(%q) = %q, want %q", name, got, want)
		}
	}
	if err := b.Check(target("ab")); err != nil {
		t.Errorf("Check = %v", err)
	}
	if err := b.Check(target("cb")); !errors.Is(err, refusing.refuse) {
		t.Errorf("Check = %v, want what the driver says", err)
	}
	if _, err := b.Open(target("cb")); !errors.Is(err, refusing.refuse) {
		t.Errorf("Open = %v, want what the driver says", err)
	}
	refusing.refuse = nil
	mustClose(t, mustOpen(t, b, target("cb"))) // a failure is not remembered
}

func TestEqualTargetsShareASink(t *testing.T) {
	t.Parallel()
	d := &counting{}
	b := sink.NewBindings(sink.Binding{Name: "default", Driver: d})
	one, two := mustOpen(t, b, target("a")), mustOpen(t, b, target("a"))
	mustClose(t, one)
	mustClose(t, one) // counts once
	if err := two.Deliver(t.Context(), nil); err != nil {
		t.Errorf("Deliver after the other user closed = %v", err)
	}
	mustClose(t, two)
	mustClose(t, mustOpen(t, b, target("a"))) // still warm
	if opened, open := d.counts(); opened != 1 || open != 1 {
		t.Errorf("%d opened and %d open, want 1 and 1", opened, open)
	}
	mustClose(t, b)
	if _, open := d.counts(); open != 0 {
		t.Errorf("%d open after Close", open)
	}
	if _, err := b.Open(target("a")); err == nil {
		t.Error("Open after Close worked")
	}
}

func TestIdleSinksAreBounded(t *testing.T) {
	t.Parallel()
	d := &counting{}
	b := sink.NewBindings(sink.Binding{Name: "default", Driver: d})
	busy := mustOpen(t, b, target("busy"))
	for i := range 3_000 {
		mustClose(t, mustOpen(t, b, target(fmt.Sprint(i))))
	}
	if _, open := d.counts(); open != 1_024+1 {
		t.Errorf("%d sinks open, want 1,024 idle ones and the busy one", open)
	}
	if err := busy.Deliver(t.Context(), nil); err != nil {
		t.Errorf("Deliver on the busy one = %v", err)
	}
}

func TestSwapLosesNoDelivery(t *testing.T) {
	t.Parallel()
	drivers := []*counting{{}, {}}
	b := sink.NewBindings(sink.Binding{Name: "default", Driver: drivers[0]})
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for i := range 4 {
		wg.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				s, err := b.Open(target(strings.Repeat("x", n%3+1)))
				if err != nil {
					t.Errorf("worker %d: Open = %v", i, err)
					return
				}
				if err := s.Deliver(t.Context(), nil); err != nil {
					t.Errorf("worker %d: Deliver = %v", i, err)
				}
				if err := s.Close(); err != nil {
					t.Errorf("worker %d: Close = %v", i, err)
				}
			}
		})
	}
	held := mustOpen(t, b, target("held"))
	for i := range 200 {
		if err := b.Swap(sink.Binding{Name: "default", Driver: drivers[i%2]}); err != nil {
			t.Errorf("Swap = %v", err)
		}
	}
	if err := held.Deliver(t.Context(), nil); err != nil {
		t.Errorf("Deliver on a sink from before the swaps = %v", err)
	}
	close(stop)
	wg.Wait()
	mustClose(t, held)
	mustClose(t, b)
	for i, d := range drivers {
		if _, open := d.counts(); open != 0 {
			t.Errorf("driver %d: %d sinks were never closed", i, open)
		}
	}
}

func TestNewTarget(t *testing.T) {
	t.Parallel()
	d := configset.Destination{Kind: configset.CloudWatchLogs, ARN: "arn:aws:logs:us-east-1:123456789012:log-group:calls", Role: "r"}
	owner := tenant.Tenant{Account: "123456789012", Region: "us-east-1"}
	plain, err := sink.NewTarget(owner, d)
	if err != nil {
		t.Fatalf("NewTarget = %v", err)
	}
	d.ARN += ":*"
	starred, err := sink.NewTarget(owner, d)
	if err != nil || starred != plain {
		t.Errorf("NewTarget with :* = %+v, %v, want %+v", starred, err, plain)
	}
	if plain.Tenant != owner || plain.Role != "r" || plain.ARN.Resource != "log-group:calls" {
		t.Errorf("NewTarget = %+v", plain)
	}
	if _, err := sink.NewTarget(owner, configset.Destination{ARN: "nowhere"}); err == nil {
		t.Error("NewTarget of a broken ARN worked")
	}
}

// TestTargetsOfMetrics are told apart by their dimensions, and operators can bind them.
func TestTargetsOfMetrics(t *testing.T) {
	t.Parallel()
	owner := tenant.Tenant{Account: "123456789012", Region: "eu-west-1"}
	metrics := configset.Destination{Kind: configset.CloudWatch}
	one := []configset.Dimension{{Name: "a", Source: configset.MessageTag, Default: "x"}, {Name: "b", Source: configset.LinkTag, Default: "y"}}
	target, err := sink.NewTarget(owner, metrics, one...)
	if err != nil || target.ARN.String() != "arn:aws:cloudwatch:eu-west-1:123456789012:metrics" {
		t.Fatalf("NewTarget = %v, %v", target.ARN, err)
	}
	if diff := cmp.Diff(one, target.Dimensions()); diff != "" {
		t.Errorf("Dimensions (-want +got):\n%s", diff)
	}
	if same, err := sink.NewTarget(owner, metrics, one...); err != nil || same != target {
		t.Errorf("the same once more = %+v, %v", same, err)
	}
	if other, err := sink.NewTarget(owner, metrics, one[:1]...); err != nil || other == target {
		t.Errorf("with fewer dimensions = %+v, %v, want another target", other, err)
	}
	topic, err := sink.NewTarget(owner, configset.Destination{Kind: configset.SNS, ARN: "arn:aws:sns:eu-west-1:123456789012:a"})
	if err != nil || topic.Dimensions() != nil {
		t.Errorf("dimensions of a topic = %v, %v, want none", topic.Dimensions(), err)
	}
}
