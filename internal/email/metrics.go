package email

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tidings/internal/event"
)

// Metrics are what the life of mails and what comes back count. A nil *Metrics counts nothing.
type Metrics struct {
	attempts   *prometheus.CounterVec
	outcomes   *prometheus.CounterVec
	inProgress prometheus.Gauge
	seconds    prometheus.Histogram
	feedback   *prometheus.CounterVec
}

// NewMetrics registers the metrics with reg. It panics if they are registered already.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tidings_email_attempts_total",
			Help: "Attempts to hand a mail over, one for each recipient, by verdict: delivered, deferred, refused.",
		}, []string{"verdict"}),
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tidings_email_outcomes_total",
			Help: "Recipients of mails that have their outcome, by type: delivery, bounce, reject, rendering_failure.",
		}, []string{"type"}),
		inProgress: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tidings_email_in_progress",
			Help: "Mails that are being worked on: not those that wait for their next attempt.",
		}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "tidings_email_seconds",
			Help:    "From the acceptance of a mail to the outcome of a recipient.",
			Buckets: []float64{.01, .05, .1, .5, 1, 5, 30, 60, 300, 1800, 7200, 43200},
		}),
		feedback: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tidings_email_feedback_total",
			Help: "What came back for mails, by kind (bounce, complaint, open, click) and result: published, unwanted, unknown (the mail is not remembered), failed (the storage takes nothing).",
		}, []string{"kind", "result"}),
	}
	reg.MustRegister(m.attempts, m.outcomes, m.inProgress, m.seconds, m.feedback)
	return m
}

// inHand counts messages that are taken up (1) or put down (-1).
func (m *Metrics) inHand(delta float64) {
	if m != nil {
		m.inProgress.Add(delta)
	}
}

// attempted counts the verdict on so many recipients.
func (m *Metrics) attempted(v Verdict, recipients int) {
	if m != nil {
		m.attempts.WithLabelValues(v.String()).Add(float64(recipients))
	}
}

// ended counts recipients whose outcome is on disk.
func (m *Metrics) ended(t event.Type, recipients int, took time.Duration) {
	if m == nil {
		return
	}
	m.outcomes.WithLabelValues(wordOf(t)).Add(float64(recipients))
	for range recipients {
		m.seconds.Observe(took.Seconds())
	}
}

// cameBack counts something that came back for a message, by what was done with it.
func (m *Metrics) cameBack(kind, result string) {
	if m != nil {
		m.feedback.WithLabelValues(kind, result).Inc()
	}
}
