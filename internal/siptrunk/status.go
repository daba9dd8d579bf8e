package siptrunk

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Status is how a trunk is doing, for people.
type Status struct {
	Name       string        `json:"name"`
	Server     string        `json:"server"`
	Transport  Transport     `json:"transport"`
	State      State         `json:"state"`
	Since      time.Time     `json:"since"`               // of the state
	Calls      int           `json:"calls"`               // in progress
	MaxCalls   int           `json:"maxCalls,omitempty"`  // 0 = no limit
	Waiting    int           `json:"waiting"`             // calls that would go here first and wait for room
	Registered time.Time     `json:"registered,omitzero"` // until when; zero = it is not
	LastError  string        `json:"lastError,omitempty"` // the last one, also when it is over
	RoundTrip  time.Duration `json:"roundTrip,omitempty"` // of the last OPTIONS that was answered, in nanoseconds
}

// Status lists all trunks in the order of the configuration.
func (p *Pool) Status() []Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	waiting := map[*Trunk]int{}
	for place := p.waiting.Front(); place != nil; place = place.Next() {
		waiting[place.Value.(*waiter).routes[0].trunk]++
	}
	all := make([]Status, len(p.trunks))
	for i, t := range p.trunks {
		if s := t.state(now); s != t.known {
			t.known, t.since = s, now // time alone has changed it
		}
		all[i] = Status{
			Name: t.config.Name, Server: t.config.Server, Transport: t.config.Network(),
			State: t.known, Since: t.since, Calls: t.calls, MaxCalls: t.config.MaxCalls,
			Waiting: waiting[t], LastError: t.lastErr, RoundTrip: t.trip,
		}
		if now.Before(t.registered) {
			all[i].Registered = t.registered
		}
	}
	return all
}

// Network is how signalling travels to the trunk: Transport, or UDP where that is empty.
func (c Config) Network() Transport {
	if c.Transport == "" {
		return UDP
	}
	return c.Transport
}

// collector reads the metrics off the pool when somebody asks for them.
type collector struct {
	pool               *Pool
	up, calls, waiting *prometheus.Desc
}

func newCollector(p *Pool) *collector {
	labels := []string{"trunk"}
	return &collector{
		pool:    p,
		up:      prometheus.NewDesc("tidings_trunk_up", "1 unless the trunk is down: it does not answer, refuses the registration, or has turned calls away.", labels, nil),
		calls:   prometheus.NewDesc("tidings_trunk_calls", "Calls in progress on the trunk.", labels, nil),
		waiting: prometheus.NewDesc("tidings_trunk_waiting", "Calls that would go to this trunk first and wait for a line or for the calls per second.", labels, nil),
	}
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(descs chan<- *prometheus.Desc) {
	descs <- c.up
	descs <- c.calls
	descs <- c.waiting
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(metrics chan<- prometheus.Metric) {
	for _, s := range c.pool.Status() {
		up := 1.0
		if s.State == Down {
			up = 0
		}
		metrics <- prometheus.MustNewConstMetric(c.up, prometheus.GaugeValue, up, s.Name)
		metrics <- prometheus.MustNewConstMetric(c.calls, prometheus.GaugeValue, float64(s.Calls), s.Name)
		metrics <- prometheus.MustNewConstMetric(c.waiting, prometheus.GaugeValue, float64(s.Waiting), s.Name)
	}
}
