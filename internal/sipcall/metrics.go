package sipcall

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are what the carrier counts.
type metrics struct {
	calls      *prometheus.CounterVec
	setUp      prometheus.Histogram
	inProgress prometheus.Gauge
	strangers  prometheus.Counter
}

// newMetrics registers the metrics, unless reg is nil. It panics if they are registered
// already.
func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tidings_sip_calls_total",
			Help: "Calls sent to trunks, by trunk and by the final SIP response; none = there was none.",
		}, []string{"trunk", "code"}),
		setUp: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "tidings_sip_setup_seconds",
			Help:    "From the INVITE until the phone rings or is answered.",
			Buckets: []float64{.001, .005, .01, .05, .1, .25, .5, 1, 2, 4, 8, 16},
		}),
		inProgress: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tidings_sip_calls_in_progress",
			Help: "Calls from their INVITE until their line is free again.",
		}),
		strangers: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tidings_sip_strangers_total",
			Help: "Datagrams and connections dropped because no trunk sent them.",
		}),
	}
	if reg != nil {
		reg.MustRegister(m.calls, m.setUp, m.inProgress, m.strangers)
	}
	return m
}

// ended counts a call by its final response; 0 = there was none.
func (m *metrics) ended(trunk string, status int) {
	code := "none"
	switch {
	case status >= 200 && status <= 699:
		code = strconv.Itoa(status)
	case status != 0:
		code = "other"
	}
	m.calls.WithLabelValues(trunk, code).Inc()
}

func (m *metrics) rang(after time.Duration) { m.setUp.Observe(after.Seconds()) }
