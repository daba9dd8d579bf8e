package email

import (
	"github.com/prometheus/client_golang/prometheus"

	"tidings/internal/fault"
)

// ServiceMetrics are what the acceptance of mails counts. A nil *ServiceMetrics counts nothing.
type ServiceMetrics struct {
	accepted *prometheus.CounterVec
	refused  *prometheus.CounterVec
}

// NewServiceMetrics registers the metrics with reg. It panics if they are registered already.
func NewServiceMetrics(reg prometheus.Registerer) *ServiceMetrics {
	m := &ServiceMetrics{
		accepted: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tidings_email_accepted_total",
			Help: "Mails accepted, by the operation that was called.",
		}, []string{"operation"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tidings_email_refused_total",
			Help: "Mails refused, by the kind of fault they were refused with.",
		}, []string{"kind"}),
	}
	reg.MustRegister(m.accepted, m.refused)
	return m
}

// sent counts a mail by what became of the request to send it.
func (m *ServiceMetrics) sent(operation string, err error) {
	switch {
	case m == nil:
	case err != nil:
		m.refused.WithLabelValues(fault.From(err).Kind.String()).Inc()
	default:
		m.accepted.WithLabelValues(operation).Inc()
	}
}
