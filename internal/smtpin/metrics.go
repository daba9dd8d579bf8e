package smtpin

import "github.com/prometheus/client_golang/prometheus"

// Metrics counts what listeners do. One serves all of them. A nil *Metrics counts nothing.
type Metrics struct {
	connections  *prometheus.CounterVec
	refused      *prometheus.CounterVec
	messages     *prometheus.CounterVec
	authFailures prometheus.Counter
}

// NewMetrics makes Metrics and registers them.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		connections: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tidings_smtpin_connections_total",
			Help: "SMTP connections that were accepted, by listener: feedback, submission.",
		}, []string{"listener"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tidings_smtpin_connections_refused_total",
			Help: "SMTP connections that were refused because there were too many, by listener.",
		}, []string{"listener"}),
		messages: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tidings_smtpin_messages_total",
			Help: "Messages that came in over SMTP, by listener and by what became of them: accepted, bounce, complaint, ignored (automatic replies, or nothing failed), unknown (about no message that can be found), refused, failed (to be sent again).",
		}, []string{"listener", "result"}),
		authFailures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tidings_smtpin_auth_failures_total",
			Help: "SMTP authentications with wrong credentials.",
		}),
	}
	r.MustRegister(m.connections, m.refused, m.messages, m.authFailures)
	return m
}

func (m *Metrics) connected(listener string) {
	if m != nil {
		m.connections.WithLabelValues(listener).Inc()
	}
}

func (m *Metrics) turnedAway(listener string) {
	if m != nil {
		m.refused.WithLabelValues(listener).Inc()
	}
}

func (m *Metrics) message(listener, result string) {
	if m != nil {
		m.messages.WithLabelValues(listener, result).Inc()
	}
}

func (m *Metrics) authFailed() {
	if m != nil {
		m.authFailures.Inc()
	}
}

// What became of a message, for metrics.
const (
	accepted  = "accepted"  // a submission
	bounced   = "bounce"    // told to Intake
	complaint = "complaint" // told to Intake
	ignored   = "ignored"   // an automatic reply, or a report that nothing failed
	unknown   = "unknown"   // about no message that can be found
	refused   = "refused"   // the client must not try again
	failed    = "failed"    // the client may try again
)
