package rtpaudio

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// tally is what a thread has counted by itself, so that a packet touches no shared memory.
type tally struct {
	sent, sentBytes, failed          uint64
	received, receivedBytes, dropped uint64
}

// metrics are what all streams together have done.
type metrics struct {
	sent                    prometheus.Counter
	sentBytes               prometheus.Counter
	failed                  prometheus.Counter
	received, receivedBytes prometheus.Counter
	dropped                 prometheus.Counter
	lost                    *prometheus.CounterVec
	late                    prometheus.Histogram
	slips                   prometheus.Counter
}

// newMetrics makes metrics and registers them, unless there is nobody to register with.
func newMetrics(r prometheus.Registerer, w *Wheel) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	m := &metrics{
		sent:          counter("tidings_rtp_packets_sent_total", "RTP packets sent."),
		sentBytes:     counter("tidings_rtp_bytes_sent_total", "Bytes of RTP packets sent, without UDP and IP."),
		failed:        counter("tidings_rtp_send_errors_total", "RTP and RTCP packets that the system did not take."),
		received:      counter("tidings_rtp_packets_received_total", "RTP packets received from peers."),
		receivedBytes: counter("tidings_rtp_bytes_received_total", "Bytes of RTP packets received, without UDP and IP."),
		dropped: counter("tidings_rtp_packets_dropped_total",
			"Datagrams that were no valid RTP or RTCP, came from elsewhere, or were not authentic."),
		lost: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tidings_rtp_packets_lost_total",
			Help: "RTP packets lost on the way, counted at the end of each call: in = to us, out = to the peer, as it reports.",
		}, []string{"direction"}),
		slips: counter("tidings_rtp_wheel_slips_total",
			"Times that a thread stood still for so long that all its calls paused, instead of catching up."),
		late: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "tidings_rtp_wheel_late_seconds",
			Help:    "How late the threads that send RTP were at their work, each time.",
			Buckets: []float64{.0001, .0003, .001, .003, .01, .03, .06, .1, 1},
		}),
	}
	if r != nil {
		r.MustRegister(m.sent, m.sentBytes, m.failed, m.received, m.receivedBytes, m.dropped, m.lost, m.late, m.slips, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "tidings_rtp_streams",
			Help: "Calls that have RTP ports.",
		}, func() float64 { return float64(w.streams()) }))
	}
	return m
}

// woke counts how late a thread was.
func (m *metrics) woke(late time.Duration) { m.late.Observe(late.Seconds()) }

// add adds what a thread has counted.
func (m *metrics) add(t *tally) {
	add := func(c prometheus.Counter, n uint64) {
		if n > 0 {
			c.Add(float64(n))
		}
	}
	add(m.sent, t.sent)
	add(m.sentBytes, t.sentBytes)
	add(m.failed, t.failed)
	add(m.received, t.received)
	add(m.receivedBytes, t.receivedBytes)
	add(m.dropped, t.dropped)
}

// ended adds what is known at the end of a call.
func (m *metrics) ended(c *counts) {
	m.lost.WithLabelValues("in").Add(float64(c.lost.Load()))
	m.lost.WithLabelValues("out").Add(float64(c.remoteLost.Load()))
}
