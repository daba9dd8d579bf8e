package cloudwatch

import (
	"fmt"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"tidings/internal/sink"
	"tidings/internal/tenant"
)

const (
	metricName = "tidings_email_metrics_total"
	metricHelp = "Events of e-mail that went to CloudWatch destinations, by account, region, metric, and the destination's dimensions (dimension_NAME)."

	// maxSeries bounds the counters: values of dimensions come from clients, and each is a series.
	maxSeries = 10_000
)

// Counters are the metrics of all accounts, as counters of this server. Their labels depend on the
// dimensions that clients have chosen. It is a prometheus.Collector and safe for concurrent use.
type Counters struct {
	leftOut prometheus.Counter
	beyond  prometheus.Counter

	mu     sync.Mutex
	series map[string]prometheus.Counter
}

// NewCounters makes Counters and registers them.
func NewCounters(r prometheus.Registerer) *Counters {
	c := &Counters{
		series: map[string]prometheus.Counter{},
		leftOut: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tidings_email_metrics_left_out_total",
			Help: "Events of e-mail that became no metric, because the value of a dimension is no ASCII.",
		}),
		beyond: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tidings_email_metrics_uncounted_total",
			Help: "Events of e-mail that are in files and not in tidings_email_metrics_total, because dimensions have too many values.",
		}),
	}
	r.MustRegister(c, c.leftOut, c.beyond)
	return c
}

// Describe describes nothing: which labels there are is not known before.
func (c *Counters) Describe(chan<- *prometheus.Desc) {}

// Collect sends all counters.
func (c *Counters) Collect(to chan<- prometheus.Metric) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, counter := range c.series {
		to <- counter
	}
}

func (c *Counters) add(t tenant.Tenant, m sink.Metric) {
	labels := prometheus.Labels{"account": t.Account, "region": t.Region, "metric": m.Name}
	for _, d := range m.Dimensions {
		labels[label(d.Name)] = d.Value
	}
	key := fmt.Sprintf("%q", labels) // in order; dimensions that are one label are one series
	c.mu.Lock()
	defer c.mu.Unlock()
	counter, ok := c.series[key]
	if !ok {
		if len(c.series) >= maxSeries {
			c.beyond.Inc()
			return
		}
		counter = prometheus.NewCounter(prometheus.CounterOpts{Name: metricName, Help: metricHelp, ConstLabels: labels})
		c.series[key] = counter
	}
	counter.Inc()
}

// label makes of a dimension's name what a label's may be. Names that differ in signs alone are one label; SES allows
// letters, digits, hyphens, underscores and colons.
func label(name string) string {
	return "dimension_" + strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, name)
}
