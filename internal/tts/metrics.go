package tts

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// How a synthesis went, in the label "result".
const (
	hit       = "cached"
	spoken    = "spoken"
	estimated = "estimated"
	failed    = "failed"
)

type metrics struct {
	results *prometheus.CounterVec
	seconds prometheus.Histogram
	bytes   prometheus.Gauge
	files   prometheus.Gauge
	evicted prometheus.Counter
}

func newMetrics(r prometheus.Registerer) *metrics {
	f := promauto.With(r) // of nil: the metrics work, but nobody sees them
	m := &metrics{
		results: f.NewCounterVec(prometheus.CounterOpts{
			Name: "tidings_speech_total", Help: "Messages turned into speech, by how it went.",
		}, []string{"result"}),
		seconds: f.NewHistogram(prometheus.HistogramOpts{
			Name: "tidings_speech_seconds", Help: "Time to speak a message that was not cached.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}),
		bytes: f.NewGauge(prometheus.GaugeOpts{
			Name: "tidings_speech_cache_bytes", Help: "Bytes of cached speech.",
		}),
		files: f.NewGauge(prometheus.GaugeOpts{
			Name: "tidings_speech_cache_entries", Help: "Number of cached pieces of speech.",
		}),
		evicted: f.NewCounter(prometheus.CounterOpts{
			Name: "tidings_speech_cache_evicted_total", Help: "Cached pieces of speech that made room for others.",
		}),
	}
	for _, result := range []string{hit, spoken, estimated, failed} {
		m.results.WithLabelValues(result) // shown from the start, as 0
	}
	return m
}

func (m *metrics) done(result string) { m.results.WithLabelValues(result).Inc() }

func (m *metrics) measure(start time.Time) { m.seconds.Observe(time.Since(start).Seconds()) }
