package pinpoint

import (
	"github.com/prometheus/client_golang/prometheus"

	"tidings/internal/fault"
)

// Metrics are what apps count. A nil *Metrics counts nothing.
type Metrics struct {
	accepted prometheus.Counter
	refused  prometheus.Counter
	failed   *prometheus.CounterVec
}

// NewMetrics registers the metrics with reg. It panics if they are registered already.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	events := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tidings_app_events_total",
		Help: "Events of apps, by result: accepted, or refused with a text for the client.",
	}, []string{"result"})
	m := &Metrics{
		accepted: events.WithLabelValues("accepted"),
		refused:  events.WithLabelValues("refused"),
		failed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tidings_app_event_requests_failed_total",
			Help: "Requests to put events that failed as a whole, by the kind of fault.",
		}, []string{"fault"}),
	}
	reg.MustRegister(events, m.failed)
	return m
}

// put counts a request.
func (m *Metrics) put(results []ItemResult, err error) {
	if m == nil {
		return
	}
	if err != nil {
		m.failed.WithLabelValues(fault.From(err).Kind.String()).Inc()
		return
	}
	var accepted, refused int
	for i := range results {
		for j := range results[i].Events {
			if results[i].Events[j].Status == statusAccepted {
				accepted++
			} else {
				refused++
			}
		}
	}
	m.accepted.Add(float64(accepted))
	m.refused.Add(float64(refused))
}
