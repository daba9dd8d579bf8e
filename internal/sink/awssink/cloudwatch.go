package awssink

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"tidings/internal/configset"
	"tidings/internal/sink"
)

// The bounds of a request. Source: CloudWatch API Reference, "PutMetricData".
const (
	metricCount = 1_000
	metricBytes = 4 << 20             // of records, of which only the values of dimensions are sent
	metricPast  = 14 * 24 * time.Hour // older data is refused
	metricAhead = 2 * time.Hour       // and newer
	metricStep  = time.Minute         // to which CloudWatch adds up
)

// namespaceForm is the form of a namespace.
// Source: CloudWatch API Reference, "PutMetricData", Namespace.
var namespaceForm = regexp.MustCompile(`^[A-Za-z0-9._/#:-]{1,255}$`)

// isNamespace reports whether metrics can be put there.
func isNamespace(s string) bool { return namespaceForm.MatchString(s) && !strings.HasPrefix(s, ":") }

// metricsForm is the resource of the ARN that sink.NewTarget gives to metrics.
var metricsForm = regexp.MustCompile(`^metrics$`)

// gauge puts events as metrics, each of which counts 1. Those of one name, the same dimensions and one minute travel
// together. An event that becomes no metric is delivered: SES leaves it out, too.
type gauge struct {
	caller     *caller
	client     *cloudwatch.Client
	namespace  string
	dimensions []configset.Dimension
	now        func() time.Time
	metrics    *Metrics
}

func openMetrics(d *Driver, t sink.Target) sink.Sink {
	signer := d.signer(t)
	return &gauge{
		caller:     d.caller("cloudwatch", signer, nil),
		client:     cloudwatch.NewFromConfig(d.config(signer, t.ARN.Region)),
		namespace:  cmp.Or(d.settings.Namespace, sink.MetricNamespace),
		dimensions: t.Dimensions(), now: d.settings.Now, metrics: d.settings.Metrics,
	}
}

// Limits bounds a batch.
func (*gauge) Limits() sink.Limits { return sink.Limits{Count: metricCount, Bytes: metricBytes} }

// Close has nothing to release.
func (*gauge) Close() error { return nil }

// sum is metrics that travel together.
type sum struct {
	metric sink.Metric
	from   []int // indexes into the batch
}

// Deliver puts the batch with one request, which CloudWatch takes as a whole or not at all.
func (g *gauge) Deliver(ctx context.Context, batch []sink.Delivery) error {
	result := &tally{size: len(batch)}
	sums := g.add(batch, result)
	if len(sums) == 0 {
		return result.error()
	}
	in := &cloudwatch.PutMetricDataInput{Namespace: &g.namespace}
	var all []int
	for _, s := range sums {
		in.MetricData = append(in.MetricData, s.datum())
		all = append(all, s.from...)
	}
	_, err := attempt(ctx, g.caller, "PutMetricData", func(ctx context.Context) (*cloudwatch.PutMetricDataOutput, error) {
		out, err := g.client.PutMetricData(ctx, in)
		if err == nil && isEmpty(out.ResultMetadata) {
			err = errNoAnswer
		}
		return out, err
	})
	if err != nil {
		slices.Sort(all)
		result.request(all, err)
	}
	return result.error()
}

// add adds the events up, in the order in which they first appear.
func (g *gauge) add(batch []sink.Delivery, result *tally) []*sum {
	var sums []*sum
	known := map[string]*sum{}
	for i := range batch {
		m, err := sink.MetricOf(&batch[i].Event, g.dimensions)
		if errors.Is(err, sink.ErrNoMetric) {
			g.metrics.wasLeftOut()
			continue
		}
		if err == nil {
			err = g.checkTime(m.Time)
		}
		if err != nil {
			result.refuse(i, &batch[i], err)
			continue
		}
		m.Time = m.Time.UTC().Truncate(metricStep)
		key := fmt.Sprintf("%s %d %q", m.Name, m.Time.Unix(), m.Dimensions)
		s, ok := known[key]
		if !ok {
			s = &sum{metric: m}
			known[key] = s
			sums = append(sums, s)
		}
		s.from = append(s.from, i)
	}
	return sums
}

func (g *gauge) checkTime(at time.Time) error {
	now := g.now()
	if at.Before(now.Add(-metricPast)) || at.After(now.Add(metricAhead)) {
		return fmt.Errorf("CloudWatch takes metrics of the last two weeks, not of %s", at.UTC().Format(time.RFC3339))
	}
	return nil
}

// datum is the sum as it is sent: so many times 1.
func (s *sum) datum() types.MetricDatum {
	d := types.MetricDatum{
		MetricName: &s.metric.Name, Timestamp: &s.metric.Time, Unit: types.StandardUnitCount,
		Values: []float64{1}, Counts: []float64{float64(len(s.from))},
	}
	for _, dimension := range s.metric.Dimensions {
		d.Dimensions = append(d.Dimensions, types.Dimension{Name: &dimension.Name, Value: &dimension.Value})
	}
	return d
}
