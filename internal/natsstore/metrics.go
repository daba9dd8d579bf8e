package natsstore

import (
	"context"
	"fmt"
	"maps"
	"sync"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
)

// sizes is how many bytes each stream had at the last sweep.
type sizes struct {
	mu sync.Mutex
	of map[string]uint64
}

func (z *sizes) set(of map[string]uint64) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.of = of
}

func (z *sizes) get() map[string]uint64 {
	z.mu.Lock()
	defer z.mu.Unlock()
	return maps.Clone(z.of)
}

// measureStreams notes the sizes of all streams and returns the states of those that are
// not buckets.
func (s *Store) measureStreams(ctx context.Context, sess *session) (map[string]jetstream.StreamState, error) {
	states := map[string]jetstream.StreamState{}
	bytes := map[string]uint64{}
	for name, st := range sess.streams {
		info, err := st.Info(ctx)
		if err != nil {
			return nil, fmt.Errorf("look up stream %s: %w", name, err)
		}
		states[name], bytes[name] = info.State, info.State.Bytes
	}
	for name, kv := range map[string]jetstream.KeyValue{bucketSets: sess.sets, bucketMeta: sess.meta} {
		status, err := kv.Status(ctx)
		if err != nil {
			return nil, fmt.Errorf("look up bucket %s: %w", name, err)
		}
		bytes[name] = status.Bytes()
	}
	s.sizes.set(bytes)
	return states, nil
}

var (
	descBytes = prometheus.NewDesc("tidings_storage_bytes", "Bytes stored, by stream.", []string{"stream"}, nil)
	descLimit = prometheus.NewDesc("tidings_storage_limit_bytes", "Bytes that may be stored.", nil, nil)
	descFree  = prometheus.NewDesc("tidings_storage_free_bytes", "Bytes free on the disk of the storage.", nil, nil)
	descFull  = prometheus.NewDesc("tidings_storage_full", "1 while nothing new is accepted, for lack of space or because the storage is being reopened.", nil, nil)
)

// collector shows a store to Prometheus. It looks at memory and at the disk's free space.
type collector struct{ store *Store }

// Describe implements prometheus.Collector.
func (c collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descBytes, descLimit, descFree, descFull} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c collector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	st := c.store.Status()
	for stream, n := range c.store.sizes.get() {
		gauge(descBytes, float64(n), stream)
	}
	gauge(descLimit, float64(st.Limit))
	if st.Free >= 0 {
		gauge(descFree, float64(st.Free))
	}
	full := 0.0
	if st.State != StateOK {
		full = 1
	}
	gauge(descFull, full)
}

func (s *Store) register(r prometheus.Registerer) error {
	if r == nil {
		return nil
	}
	if err := r.Register(collector{s}); err != nil {
		return fmt.Errorf("register storage metrics: %w", err)
	}
	return nil
}

func (s *Store) unregister(r prometheus.Registerer) {
	if r != nil {
		r.Unregister(collector{s})
	}
}
