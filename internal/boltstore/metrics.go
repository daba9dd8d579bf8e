package boltstore

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are what the store counts.
type metrics struct {
	registerer prometheus.Registerer // nil = none
	commits    prometheus.Histogram
	written    prometheus.Counter
	bytes      prometheus.Collector
	memory     prometheus.Collector
}

func newMetrics(s *Store, r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		registerer: r,
		commits: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "tidings_endpoints_commit_seconds",
			Help:    "How long a transaction of endpoints took, its sync included.",
			Buckets: []float64{.0005, .001, .002, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}),
		written: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tidings_endpoints_written_total",
			Help: "Endpoints that were written or removed.",
		}),
		bytes: prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "tidings_endpoints_bytes",
			Help: "Bytes of the file of endpoints that are in use.",
		}, func() float64 { return s.db.Count(s.db.Used) }),
		memory: prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "tidings_endpoints_cache_bytes",
			Help: "Memory that cached endpoints take, estimated.",
		}, s.cache.size),
	}
	if r == nil {
		return m, nil
	}
	for _, c := range m.all() {
		if err := r.Register(c); err != nil {
			m.unregister()
			return nil, fmt.Errorf("register the metrics of endpoints: %w", err)
		}
	}
	return m, nil
}

func (m *metrics) all() []prometheus.Collector {
	return []prometheus.Collector{m.commits, m.written, m.bytes, m.memory}
}

func (m *metrics) unregister() {
	if m.registerer == nil {
		return
	}
	for _, c := range m.all() {
		m.registerer.Unregister(c)
	}
}

func (m *metrics) committed(took time.Duration, endpoints int) {
	m.commits.Observe(took.Seconds())
	m.written.Add(float64(endpoints))
}

func (c *cache) size() (bytes float64) {
	for i := range c.shards {
		sh := &c.shards[i]
		sh.mu.RLock()
		bytes += float64(sh.bytes)
		sh.mu.RUnlock()
	}
	return bytes
}
