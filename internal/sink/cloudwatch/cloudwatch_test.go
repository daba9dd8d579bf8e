package cloudwatch_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"tidings/internal/configset"
	"tidings/internal/event"
	"tidings/internal/sink"
	"tidings/internal/sink/cloudwatch"
	"tidings/internal/tenant"
)

// paper is a sink of files that keeps its lines in memory.
type paper struct {
	lines []string
	err   error // of the next delivery
}

func (p *paper) Check(sink.Target) error             { return nil }
func (p *paper) Open(sink.Target) (sink.Sink, error) { return p, nil }
func (p *paper) Limits() sink.Limits                 { return sink.Limits{Count: 100, Bytes: 1 << 20} }
func (p *paper) Close() error                        { return nil }

func (p *paper) Deliver(_ context.Context, batch []sink.Delivery) error {
	err := p.err
	p.err = nil
	partial, isPartial := errors.AsType[*sink.PartialError](err)
	for i := range batch {
		if err == nil || isPartial && partial.Failed[i] == nil {
			p.lines = append(p.lines, string(batch[i].Event.Record))
		}
	}
	return err
}

func target(tb testing.TB, dimensions ...string) sink.Target {
	tb.Helper()
	var all []configset.Dimension
	for _, name := range dimensions {
		all = append(all, configset.Dimension{Name: name, Source: configset.MessageTag, Default: "none"})
	}
	t, err := sink.NewTarget(tenant.Tenant{Account: "123456789012", Region: "eu-west-1"}, configset.Destination{Kind: configset.CloudWatch}, all...)
	if err != nil {
		tb.Fatalf("NewTarget = %v", err)
	}
	return t
}

func delivery(id string, what event.Type, campaign string) sink.Delivery {
	return sink.Delivery{ID: id, Event: event.Event{
		ID: id, Type: what, Time: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC), Message: id,
		Record: fmt.Appendf(nil, `{"mail":{"tags":{"campaign":[%q]}}}`, campaign),
	}}
}

func open(tb testing.TB, p *paper, r prometheus.Registerer, t sink.Target) sink.Sink {
	tb.Helper()
	s, err := cloudwatch.New(p, cloudwatch.NewCounters(r)).Open(t)
	if err != nil {
		tb.Fatalf("Open = %v", err)
	}
	return s
}

func TestEventsAreCountedAndWrittenDown(t *testing.T) {
	t.Parallel()
	p, r := &paper{}, prometheus.NewPedanticRegistry()
	s := open(t, p, r, target(t, "campaign", "ses:from-domain"))
	err := s.Deliver(t.Context(), []sink.Delivery{
		delivery("a", event.EmailSend, "autumn"), delivery("b", event.EmailSend, "autumn"),
		delivery("c", event.EmailBounce, "spring"), delivery("d", event.EmailSend, "grün"),
	})
	if err != nil {
		t.Fatalf("Deliver = %v", err)
	}
	const line = `{"Namespace":"SelfHosted/SES","MetricName":%q,"Dimensions":[{"Name":"campaign","Value":%q},{"Name":"ses:from-domain","Value":"none"}],` +
		`"Timestamp":"2026-11-21T12:00:00Z","Value":1,"Unit":"Count","MessageId":%q}`
	want := []string{fmt.Sprintf(line, "Send", "autumn", "a"), fmt.Sprintf(line, "Send", "autumn", "b"), fmt.Sprintf(line, "Bounce", "spring", "c")}
	if diff := cmp.Diff(want, p.lines); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	const help = "# HELP tidings_email_metrics_total Events of e-mail that went to CloudWatch destinations, by account, region, metric, and the destination's dimensions (dimension_NAME).\n" +
		"# TYPE tidings_email_metrics_total counter\n"
	const series = `tidings_email_metrics_total{account="123456789012",dimension_campaign=%q,dimension_ses_from_domain="none",metric=%q,region="eu-west-1"} %d` + "\n"
	exposed := help + fmt.Sprintf(series, "autumn", "Send", 2) + fmt.Sprintf(series, "spring", "Bounce", 1)
	if err := testutil.GatherAndCompare(r, strings.NewReader(exposed), "tidings_email_metrics_total"); err != nil {
		t.Error(err)
	}
	const left = "# HELP tidings_email_metrics_left_out_total Events of e-mail that became no metric, because the value of a dimension is no ASCII.\n" +
		"# TYPE tidings_email_metrics_left_out_total counter\ntidings_email_metrics_left_out_total 1\n"
	if err := testutil.GatherAndCompare(r, strings.NewReader(left), "tidings_email_metrics_left_out_total"); err != nil {
		t.Error(err)
	}
}

// TestOnlyWhatArrivedCounts lets the file fail, in whole and in part.
func TestOnlyWhatArrivedCounts(t *testing.T) {
	t.Parallel()
	p, r := &paper{}, prometheus.NewPedanticRegistry()
	s := open(t, p, r, target(t, "campaign"))
	broken := errors.New("disk full")
	batch := []sink.Delivery{delivery("call", event.VoiceAnswered, ""), delivery("a", event.EmailSend, "x"), delivery("b", event.EmailSend, "x")}
	p.err = broken
	whole, ok := errors.AsType[*sink.PartialError](s.Deliver(t.Context(), batch))
	if !ok || !errors.Is(whole.Failed[0], sink.ErrPermanent) || !errors.Is(whole.Failed[1], broken) || !errors.Is(whole.Failed[2], broken) {
		t.Fatalf("Deliver with a full disk = %v, want the call for good, the mails for now", whole)
	}
	p.err = &sink.PartialError{Failed: map[int]error{1: broken}} // the second line
	part, ok := errors.AsType[*sink.PartialError](s.Deliver(t.Context(), batch[1:]))
	if !ok || len(part.Failed) != 1 || !errors.Is(part.Failed[1], broken) {
		t.Fatalf("Deliver with half a disk = %v, want the second failed", part)
	}
	if n := testutil.CollectAndCount(gatherer{r}, "tidings_email_metrics_total"); n != 1 {
		t.Errorf("%d series, want 1", n)
	}
	if err := s.Deliver(t.Context(), batch[:1]); !errors.Is(err, sink.ErrPermanent) {
		t.Errorf("Deliver of a call alone = %v, want a failure for good", err)
	}
}

func TestSeriesAreBounded(t *testing.T) {
	t.Parallel()
	p, r := &paper{}, prometheus.NewPedanticRegistry()
	s := open(t, p, r, target(t, "campaign"))
	var batch []sink.Delivery
	for i := range 10_007 {
		batch = append(batch, delivery("m", event.EmailSend, fmt.Sprintf("c%d", i)))
	}
	if err := s.Deliver(t.Context(), batch); err != nil {
		t.Fatalf("Deliver = %v", err)
	}
	const want = "# HELP tidings_email_metrics_uncounted_total Events of e-mail that are in files and not in tidings_email_metrics_total, because dimensions have too many values.\n" +
		"# TYPE tidings_email_metrics_uncounted_total counter\ntidings_email_metrics_uncounted_total 7\n"
	if err := testutil.GatherAndCompare(r, strings.NewReader(want), "tidings_email_metrics_uncounted_total"); err != nil {
		t.Error(err)
	}
	if len(p.lines) != len(batch) {
		t.Errorf("%d lines, want %d", len(p.lines), len(batch))
	}
}

// TestNamesThatAreOneLabel has dimensions that a label cannot tell apart: the metrics must still be readable.
func TestNamesThatAreOneLabel(t *testing.T) {
	t.Parallel()
	r := prometheus.NewPedanticRegistry()
	p, counters := &paper{}, cloudwatch.NewCounters(r)
	for _, name := range []string{"a-b", "a:b"} {
		s, err := cloudwatch.New(p, counters).Open(target(t, name))
		if err != nil {
			t.Fatalf("Open = %v", err)
		}
		if err := s.Deliver(t.Context(), []sink.Delivery{delivery("m", event.EmailSend, "x")}); err != nil {
			t.Fatalf("Deliver = %v", err)
		}
	}
	if _, err := r.Gather(); err != nil {
		t.Errorf("Gather = %v", err)
	}
}

func TestOnlyMetrics(t *testing.T) {
	t.Parallel()
	d := cloudwatch.New(&paper{}, cloudwatch.NewCounters(prometheus.NewRegistry()))
	topic, err := sink.NewTarget(tenant.Tenant{}, configset.Destination{Kind: configset.SNS, ARN: "arn:aws:sns:eu-west-1:123456789012:alerts"})
	if err != nil {
		t.Fatalf("NewTarget = %v", err)
	}
	if err := d.Check(topic); err == nil {
		t.Error("Check of a topic = nil")
	}
	if _, err := d.Open(topic); err == nil {
		t.Error("Open of a topic = nil")
	}
}

// gatherer collects what a registry gathers.
type gatherer struct{ *prometheus.Registry }

func (g gatherer) Describe(chan<- *prometheus.Desc)    {}
func (g gatherer) Collect(to chan<- prometheus.Metric) { g.Registry.Collect(to) }
