package fanout

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts what the Router and the Courier do. A nil *Metrics counts nothing.
type Metrics struct {
	events   *prometheus.CounterVec
	outcomes *prometheus.CounterVec
	attempts *prometheus.HistogramVec
	parked   prometheus.Counter
	buried   prometheus.Counter
	dropped  prometheus.Counter
}

// NewMetrics makes Metrics and registers them.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tidings_events_routed_total",
			Help: "Events read from the log, by whether any event destination wanted them.",
		}, []string{"wanted"}),
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tidings_deliveries_total",
			Help: "Attempts to deliver one event to one destination, by driver and outcome: delivered, failed (tried again), refused (never tried again).",
		}, []string{"driver", "outcome"}),
		attempts: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "tidings_delivery_attempt_seconds",
			Help:    "How long handing one batch over took.",
			Buckets: []float64{.001, .003, .01, .03, .1, .3, 1, 3, 10, 30},
		}, []string{"driver"}),
		parked: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tidings_deliveries_parked_total",
			Help: "Deliveries that were parked on disk because their destination was failing or slow.",
		}),
		buried: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tidings_deliveries_buried_total",
			Help: "Deliveries that were given up and became dead letters.",
		}),
		dropped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tidings_deliveries_dropped_total",
			Help: "Deliveries that were dropped because their event destination was deleted.",
		}),
	}
	r.MustRegister(m.events, m.outcomes, m.attempts, m.parked, m.buried, m.dropped)
	return m
}

func (m *Metrics) routed(wanted, unwanted int) {
	if m == nil {
		return
	}
	if wanted > 0 {
		m.events.WithLabelValues("true").Add(float64(wanted))
	}
	if unwanted > 0 {
		m.events.WithLabelValues("false").Add(float64(unwanted))
	}
}

// timer observes how long the driver's batches take. nil = nobody wants to know.
func (m *Metrics) timer(driver string) prometheus.Observer {
	if m == nil {
		return nil
	}
	return m.attempts.WithLabelValues(driver)
}

func (m *Metrics) attempted(driver string, d *verdict) {
	if m == nil {
		return
	}
	m.outcome(driver, "delivered", d.count(arrived))
	m.outcome(driver, "failed", d.count(failed, lone, split))
	m.outcome(driver, "refused", d.count(refused))
}

func (m *Metrics) outcome(driver, outcome string, n int) {
	if n > 0 {
		m.outcomes.WithLabelValues(driver, outcome).Add(float64(n))
	}
}

func (m *Metrics) wasParked(n int) {
	if m != nil {
		m.parked.Add(float64(n))
	}
}

func (m *Metrics) wasBuried(n int) {
	if m != nil {
		m.buried.Add(float64(n))
	}
}

func (m *Metrics) wasDropped(n int) {
	if m != nil {
		m.dropped.Add(float64(n))
	}
}

// The state of the Courier, as Prometheus sees it.
var (
	descPending  = prometheus.NewDesc("tidings_deliveries_pending", "Deliveries that wait in memory, over all destinations.", nil, nil)
	descParked   = prometheus.NewDesc("tidings_deliveries_parked", "Deliveries that are parked on disk, over all destinations.", nil, nil)
	descFailing  = prometheus.NewDesc("tidings_destinations_failing", "Event destinations that are failing or disabled.", nil, nil)
	descOldest   = prometheus.NewDesc("tidings_delivery_lag_max_seconds", "Age of the oldest event not yet delivered, over all destinations.", nil, nil)
	descLag      = prometheus.NewDesc("tidings_delivery_lag_seconds", "Age of the oldest event not yet delivered, of the destinations that lag most.", []string{"destination"}, nil)
	descFailures = prometheus.NewDesc("tidings_destination_failures", "Attempts that failed in a row, of the destinations with most of them.", []string{"destination"}, nil)
	descLetters  = prometheus.NewDesc("tidings_dead_letters", "Dead letters that wait for an operator.", nil, nil)
)

// maxWorst bounds how many destinations have a metric of their own at a time.
const maxWorst = 100

// lettersWait bounds how long a scrape waits for the count of dead letters.
const lettersWait = 2 * time.Second

// Describe makes the Courier a prometheus.Collector.
func (c *Courier) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descPending, descParked, descFailing, descOldest, descLag, descFailures, descLetters} {
		ch <- d
	}
}

// Collect makes the Courier a prometheus.Collector. Only destinations that lag or fail have
// a metric of their own, and of these only the worst.
func (c *Courier) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	var pending, parked, failing int
	var lagging, troubled []SubscriberStatus
	now := c.now()
	for _, l := range c.busy.all() {
		s := l.status(now)
		pending += s.Pending
		parked += s.Parked
		if s.State == Failing || s.State == Disabled {
			failing++
		}
		if !s.Oldest.IsZero() {
			lagging = append(lagging, s)
		}
		if s.Failures > 0 {
			troubled = append(troubled, s)
		}
	}
	slices.SortFunc(lagging, func(a, b SubscriberStatus) int { return cmp.Compare(b.Lag, a.Lag) })
	slices.SortFunc(troubled, func(a, b SubscriberStatus) int { return cmp.Compare(b.Failures, a.Failures) })
	gauge(descPending, float64(pending))
	gauge(descParked, float64(parked))
	gauge(descFailing, float64(failing))
	worst := 0.0
	if len(lagging) > 0 {
		worst = lagging[0].Lag
	}
	gauge(descOldest, worst)
	for _, s := range lagging[:min(len(lagging), maxWorst)] {
		gauge(descLag, s.Lag, s.Destination)
	}
	for _, s := range troubled[:min(len(troubled), maxWorst)] {
		gauge(descFailures, float64(s.Failures), s.Destination)
	}
	ctx, cancel := context.WithTimeout(context.Background(), lettersWait)
	defer cancel()
	if n, err := c.Morgue.Count(ctx); err == nil {
		gauge(descLetters, float64(n))
	}
}
