package tracking

import "github.com/prometheus/client_golang/prometheus"

// The kinds and results of requests, as metrics name them.
const (
	kindOpen  = "open"
	kindClick = "click"
	kindOther = "other"

	resultAccepted = "accepted" // it is told of
	resultLooked   = "looked"   // HEAD: nobody opened or followed anything
	resultInvalid  = "invalid"  // no link or pixel of ours
	resultDropped  = "dropped"  // served, but there was no room to remember it
	resultFailed   = "failed"   // served, but it could not be told of
)

// Metrics count requests. A nil *Metrics counts nothing.
type Metrics struct{ requests *prometheus.CounterVec }

// NewMetrics registers the metrics with reg. It panics if they are registered already.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{requests: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tidings_tracking_requests_total",
		Help: "Requests for pixels and links, by kind (open, click, other) and result: accepted, looked (HEAD, which is no visit), invalid, dropped (no room), failed (served and accepted, but the event could not be stored).",
	}, []string{"kind", "result"})}
	reg.MustRegister(m.requests)
	return m
}

func (m *Metrics) count(kind, result string) {
	if m != nil {
		m.requests.WithLabelValues(kind, result).Inc()
	}
}
