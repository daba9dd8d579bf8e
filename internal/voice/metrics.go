package voice

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tidings/internal/event"
	"tidings/internal/fault"
)

// Metrics are what the voice channel counts. A nil *Metrics counts nothing.
type Metrics struct {
	messages   *prometheus.CounterVec
	unheard    prometheus.Counter
	calls      *prometheus.CounterVec
	inProgress prometheus.Gauge
	talk       prometheus.Histogram
	waited     prometheus.Histogram
	retries    prometheus.Counter
}

// NewMetrics registers the metrics with reg. It panics if they are registered already.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		messages: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tidings_voice_messages_total",
			Help: "Voice messages asked for, by result: accepted, or the kind of fault they were refused with.",
		}, []string{"result"}),
		unheard: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tidings_voice_messages_without_set_total",
			Help: "Voice messages accepted that name no configuration set, so that their events reach nobody.",
		}),
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tidings_voice_calls_total",
			Help: "Calls that have ended, by the type of their final event.",
		}, []string{"outcome"}),
		inProgress: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tidings_voice_calls_in_progress",
			Help: "Calls between being taken from the queue and their final event being on disk.",
		}),
		talk: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "tidings_voice_call_talk_seconds",
			Help:    "From answer to hang-up, of calls that were answered.",
			Buckets: []float64{1, 5, 10, 20, 30, 60, 120, 300, 600},
		}),
		waited: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "tidings_voice_call_wait_seconds",
			Help:    "From the acceptance of a message to its call being placed.",
			Buckets: []float64{.01, .05, .1, .5, 1, 5, 30, 60, 300, 1800, 7200},
		}),
		retries: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tidings_voice_publish_retries_total",
			Help: "Attempts to write events to the event log that failed and are repeated.",
		}),
	}
	reg.MustRegister(m.messages, m.unheard, m.calls, m.inProgress, m.talk, m.waited, m.retries)
	return m
}

// sent counts a request by its result.
func (m *Metrics) sent(err error, set string) {
	if m == nil {
		return
	}
	if err != nil {
		m.messages.WithLabelValues(fault.From(err).Kind.String()).Inc()
		return
	}
	m.messages.WithLabelValues("accepted").Inc()
	if set == "" {
		m.unheard.Inc()
	}
}

// lines counts calls that are taken up (1) or put down (-1).
func (m *Metrics) lines(delta float64) {
	if m != nil {
		m.inProgress.Add(delta)
	}
}

// placed counts a call that is about to be dialled.
func (m *Metrics) placed(waited time.Duration) {
	if m != nil {
		m.waited.Observe(waited.Seconds())
	}
}

// ended counts a call whose final event is on disk.
func (m *Metrics) ended(final event.Type, talk time.Duration) {
	if m == nil {
		return
	}
	m.calls.WithLabelValues(word(final)).Inc()
	if talk > 0 {
		m.talk.Observe(talk.Seconds())
	}
}

// retried counts an attempt to publish that failed.
func (m *Metrics) retried() {
	if m != nil {
		m.retries.Inc()
	}
}
