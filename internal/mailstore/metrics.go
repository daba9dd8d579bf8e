package mailstore

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.etcd.io/bbolt"
)

// metrics are what the store counts.
type metrics struct {
	registerer prometheus.Registerer // nil = none
	commits    prometheus.Histogram
	records    prometheus.Histogram
	gauges     []prometheus.Collector
}

func newMetrics(s *Store, r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		registerer: r,
		commits: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "tidings_mail_commit_seconds",
			Help:    "How long a transaction of mails took, its sync included.",
			Buckets: []float64{.0005, .001, .002, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}),
		records: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "tidings_mail_commit_records",
			Help:    "Records that a transaction of mails wrote or removed.",
			Buckets: prometheus.ExponentialBuckets(1, 4, 8),
		}),
	}
	for _, g := range []struct {
		name, help string
		value      func() float64
	}{
		{"tidings_mail_spool_messages", "Mails that are on disk because not every recipient has an outcome.", s.spool.countMessages},
		{"tidings_mail_spool_bytes", "Bytes of the content of these mails.", s.spool.countBytes},
		{"tidings_mail_spool_memory_bytes", "Memory that mails take which were accepted lately, estimated.", s.spool.countMemory},
		{"tidings_mail_heads", "Mails that are remembered, so that what comes back can be told of.", s.countHeads},
		{"tidings_mail_heads_bytes", "Bytes of what is remembered of these mails.", s.countHeadBytes},
		{"tidings_mail_file_bytes", "Bytes of the file of mails that are in use.", s.usedNow},
	} {
		m.gauges = append(m.gauges, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: g.name, Help: g.help}, g.value))
	}
	if r == nil {
		return m, nil
	}
	for _, c := range m.all() {
		if err := r.Register(c); err != nil {
			m.unregister()
			return nil, fmt.Errorf("register the metrics of mails: %w", err)
		}
	}
	return m, nil
}

func (m *metrics) all() []prometheus.Collector {
	return append([]prometheus.Collector{m.commits, m.records}, m.gauges...)
}

func (m *metrics) unregister() {
	if m.registerer == nil {
		return
	}
	for _, c := range m.all() {
		m.registerer.Unregister(c)
	}
}

func (m *metrics) committed(took time.Duration, records int) {
	m.commits.Observe(took.Seconds())
	m.records.Observe(float64(records))
}

func (s *spool) countMessages() float64 { return s.locked(func() int64 { return int64(s.messages) }) }
func (s *spool) countBytes() float64    { return s.locked(func() int64 { return s.bytes }) }
func (s *spool) countMemory() float64   { return s.locked(func() int64 { return s.memory }) }

func (s *spool) locked(count func() int64) float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return float64(count())
}

func (s *Store) countHeads() float64 {
	return s.db.Count(func(tx *bbolt.Tx) int64 { return readHeadCount(tx).n })
}

func (s *Store) countHeadBytes() float64 {
	return s.db.Count(func(tx *bbolt.Tx) int64 { return readHeadCount(tx).bytes })
}
func (s *Store) usedNow() float64 { return s.db.Count(s.db.Used) }
