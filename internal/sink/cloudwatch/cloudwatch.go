// Package cloudwatch stands in for the metrics of CloudWatch where nothing is bound to them: events become counters of this
// server's own metrics, and lines of a file.
package cloudwatch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"tidings/internal/configset"
	"tidings/internal/sink"
)

// Driver counts events and writes them down. It is safe for concurrent use.
type Driver struct {
	files    sink.Driver
	counters *Counters
}

// New makes a Driver that counts with counters and writes through files.
func New(files sink.Driver, counters *Counters) *Driver {
	return &Driver{files: files, counters: counters}
}

// Check reports whether the target is one of metrics.
func (d *Driver) Check(t sink.Target) error {
	if t.Kind != configset.CloudWatch {
		return fmt.Errorf("only metrics can be counted, not what goes to %s", t.ARN)
	}
	return d.files.Check(t)
}

// Open returns a sink of the target.
func (d *Driver) Open(t sink.Target) (sink.Sink, error) {
	if err := d.Check(t); err != nil {
		return nil, err
	}
	lines, err := d.files.Open(t)
	if err != nil {
		return nil, err
	}
	return &gauge{Sink: lines, counters: d.counters, target: t, dimensions: t.Dimensions()}, nil
}

// gauge writes lines, and counts those that are on the disk.
type gauge struct {
	sink.Sink // of the lines

	counters   *Counters
	target     sink.Target
	dimensions []configset.Dimension
}

// Deliver writes a line for each event and counts it. An event that is no metric for what its dimensions hold is left
// out, as CloudWatch's are; one that is none at all fails for good.
func (g *gauge) Deliver(ctx context.Context, batch []sink.Delivery) error {
	failed := map[int]error{}
	var lines []sink.Delivery
	var from []int // their places in the batch
	var metrics []sink.Metric
	for i := range batch {
		m, err := sink.MetricOf(&batch[i].Event, g.dimensions)
		switch {
		case errors.Is(err, sink.ErrNoMetric):
			g.counters.leftOut.Inc()
			continue
		case err != nil:
			failed[i] = sink.Permanent(fmt.Errorf("event %s: %w", batch[i].Event.ID, err))
			continue
		}
		line := batch[i]
		line.Event.Record = datum(&line, m)
		lines, from, metrics = append(lines, line), append(from, i), append(metrics, m)
	}
	if len(lines) > 0 {
		g.write(ctx, lines, from, metrics, failed)
	}
	switch {
	case len(failed) == 0:
		return nil
	case len(batch) == 1:
		return failed[0]
	}
	return &sink.PartialError{Failed: failed}
}

// write writes the lines, counts what arrived, and notes what did not.
func (g *gauge) write(ctx context.Context, lines []sink.Delivery, from []int, metrics []sink.Metric, failed map[int]error) {
	err := g.Sink.Deliver(ctx, lines)
	partial, isPartial := errors.AsType[*sink.PartialError](err)
	for n, i := range from {
		switch {
		case isPartial && partial.Failed[n] != nil:
			failed[i] = partial.Failed[n]
		case err != nil && !isPartial:
			failed[i] = err
		default:
			g.counters.add(g.target.Tenant, metrics[n])
		}
	}
}

// line is a metric as it is written down, in the words of CloudWatch.
// Source: CloudWatch API Reference, "MetricDatum".
type line struct {
	Namespace  string
	MetricName string
	Dimensions []sink.MetricDimension
	Timestamp  string
	Value      int
	Unit       string
	MessageID  string `json:"MessageId"` // ours: which mail it was
}

func datum(d *sink.Delivery, m sink.Metric) []byte {
	b, err := json.Marshal(line{
		Namespace: sink.MetricNamespace, MetricName: m.Name, Dimensions: m.Dimensions,
		Timestamp: m.Time.UTC().Format(time.RFC3339), Value: 1, Unit: "Count", MessageID: d.Event.Message,
	})
	if err != nil { // cannot be: these are strings
		return []byte("{}")
	}
	return b
}
