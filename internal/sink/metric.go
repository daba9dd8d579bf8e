package sink

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"tidings/internal/configset"
	"tidings/internal/event"
)

// MetricNamespace is where metrics of mail are put, unless an operator says otherwise. AWS/SES, where SES puts them, belongs to AWS.
// Source: CloudWatch API Reference, "PutMetricData", Namespace.
const MetricNamespace = "SelfHosted/SES"

// Metric is an event as a number that CloudWatch adds up: each counts 1.
type Metric struct {
	Name       string // "Delivery"
	Dimensions []MetricDimension
	Time       time.Time
}

// MetricDimension is a dimension with its value.
type MetricDimension struct{ Name, Value string }

// metricNames are the names of the metrics, by type.
// Source: SES Developer Guide, "Retrieving Amazon SES event data from CloudWatch".
var metricNames = map[event.Type]string{
	event.EmailSend:             "Send",
	event.EmailReject:           "Reject",
	event.EmailBounce:           "Bounce",
	event.EmailComplaint:        "Complaint",
	event.EmailDelivery:         "Delivery",
	event.EmailOpen:             "Open",
	event.EmailClick:            "Click",
	event.EmailRenderingFailure: "RenderingFailure",
}

// ErrNoMetric says that an event becomes no metric, though it is in order: the mail went out, and nothing is counted.
// Source: SES Developer Guide, "Set up a CloudWatch event destination for event publishing": values that are no ASCII.
var ErrNoMetric = errors.New("the event becomes no metric")

// maxDimensionValue is how long a value may be.
// Source: CloudWatch API Reference, "Dimension".
const maxDimensionValue = 1024

// emailRecord is what metrics need of the record of an event of e-mail.
type emailRecord struct {
	Mail struct {
		Tags    map[string][]string            `json:"tags"`
		Headers []struct{ Name, Value string } `json:"headers"`
	} `json:"mail"`
	Click struct {
		LinkTags map[string][]string `json:"linkTags"`
	} `json:"click"`
}

// MetricOf returns the metric that the event is to a destination with these dimensions. A message that
// lacks a value has the dimension's default. It fails with ErrNoMetric, or because the event is none of e-mail.
func MetricOf(e *event.Event, dimensions []configset.Dimension) (Metric, error) {
	m := Metric{Name: metricNames[e.Type], Time: e.Time}
	if m.Name == "" {
		return m, fmt.Errorf("an event of type %s is no metric", e.Type)
	}
	var r emailRecord
	if err := json.Unmarshal(e.Record, &r); err != nil {
		return m, fmt.Errorf("read the record: %w", err)
	}
	for _, d := range dimensions {
		value := r.value(d)
		if value == "" {
			value = d.Default
		}
		if len(value) > maxDimensionValue || !printableASCII(value) {
			return m, fmt.Errorf("%w: the value of %s is no ASCII, or too long", ErrNoMetric, d.Name)
		}
		m.Dimensions = append(m.Dimensions, MetricDimension{Name: d.Name, Value: value})
	}
	return m, nil
}

// value finds the value of a dimension; "" = the message has none. Of several the first counts.
func (r *emailRecord) value(d configset.Dimension) string {
	switch d.Source {
	case configset.MessageTag:
		return first(r.Mail.Tags[d.Name])
	case configset.LinkTag:
		return first(r.Click.LinkTags[d.Name])
	case configset.EmailHeader:
		for _, h := range r.Mail.Headers {
			if strings.EqualFold(h.Name, d.Name) {
				return strings.TrimSpace(h.Value)
			}
		}
	}
	return ""
}

func first(all []string) string {
	if len(all) == 0 {
		return ""
	}
	return all[0]
}

func printableASCII(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
