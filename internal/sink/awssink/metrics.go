package awssink

import "github.com/prometheus/client_golang/prometheus"

// Metrics counts what the drivers do; all of a process share one. A nil *Metrics counts
// nothing.
type Metrics struct {
	requests *prometheus.CounterVec
	rejected *prometheus.CounterVec
	leftOut  prometheus.Counter
}

// NewMetrics makes Metrics and registers them.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tidings_aws_requests_total",
			Help: "Requests to AWS services by the aws driver, by service and outcome: answered, throttled, denied, missing (the target), malformed (the record), failed.",
		}, []string{"service", "outcome"}),
		rejected: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tidings_aws_log_events_rejected_total",
			Help: "Log events that CloudWatch Logs rejected for good, by reason: too_new, too_old, expired.",
		}, []string{"reason"}),
		leftOut: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tidings_aws_metrics_left_out_total",
			Help: "Events that became no metric at CloudWatch, because the value of a dimension is no ASCII.",
		}),
	}
	r.MustRegister(m.requests, m.rejected, m.leftOut)
	return m
}

func (m *Metrics) requested(service string, o outcome) {
	if m != nil {
		m.requests.WithLabelValues(service, string(o)).Inc()
	}
}

func (m *Metrics) wasRejected(reason string) {
	if m != nil {
		m.rejected.WithLabelValues(reason).Inc()
	}
}

func (m *Metrics) wasLeftOut() {
	if m != nil {
		m.leftOut.Inc()
	}
}
