package awsapi

import (
	"cmp"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// unknown stands in metrics and logs for the operation of a request that names none.
const unknown = "unknown"

// Metrics count requests. Labels never carry what a client wrote, so there is a fixed
// number of series. It is safe for concurrent use.
type Metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
}

// NewMetrics registers the metrics with reg.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tidings_api_requests_total",
			Help: "Requests answered, by family, operation, class of the status, and exception (empty for a success).",
		}, []string{"family", "operation", "status", "exception"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "tidings_api_request_duration_seconds",
			Help:    "Time from the end of the request's header to the end of the answer.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"family", "operation"}),
	}
	reg.MustRegister(m.requests, m.duration)
	return m
}

func (m *Metrics) observe(family, operation string, status int, exception string, took time.Duration) {
	family, operation = cmp.Or(family, unknown), cmp.Or(operation, unknown)
	class := strconv.Itoa(status/100) + "xx"
	m.requests.WithLabelValues(family, operation, class, exception).Inc()
	m.duration.WithLabelValues(family, operation).Observe(took.Seconds())
}
