package smtpout

import "github.com/prometheus/client_golang/prometheus"

// metrics are what a Transport counts.
type metrics struct {
	connections *prometheus.CounterVec
	open        prometheus.Gauge
	transaction prometheus.Histogram
	unknown     prometheus.Counter
}

// newMetrics registers the metrics, unless reg is nil. It panics if they are registered already.
func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		connections: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tidings_smtp_connections_total",
			Help: "Connections to mail servers, by result: open, refused (by the greeting, EHLO, TLS or AUTH), unreachable.",
		}, []string{"result"}),
		open: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tidings_smtp_open_connections",
			Help: "Connections to mail servers that are open, idle ones included.",
		}),
		transaction: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "tidings_smtp_transaction_seconds",
			Help:    "How long handing a mail to a server took, from MAIL to the last reply.",
			Buckets: []float64{.001, .005, .01, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300},
		}),
		unknown: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tidings_smtp_unknown_total",
			Help: "Mails whose content a server had when the connection ended without its reply. They are sent again, and may arrive twice.",
		}),
	}
	if reg != nil {
		reg.MustRegister(m.connections, m.open, m.transaction, m.unknown)
	}
	return m
}

func (m *metrics) connected(result string) { m.connections.WithLabelValues(result).Inc() }
