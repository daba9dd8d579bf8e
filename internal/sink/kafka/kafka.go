// Package kafka delivers events to topics of Apache Kafka, and of all that speaks its
// protocol.
//
// Each event is one record: the key is the event's partition key, the value its JSON
// object. The producer is idempotent and waits for all replicas in sync, so what is
// delivered stays, and a request that the client itself repeats stores nothing twice.
// A delivery that is tried again after a failure may.
//
// The client under it gathers records of all topics before it sends them, and goes on
// trying by itself. What that means for a Deliver that ends early: records that were not
// sent are dropped; one that was put together with records of others, who still wait, may
// be sent with them; requests under way are not repeated. So nothing of it is sent after
// those that were under way beside it have ended as well.
package kafka

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"tidings/internal/arn"
	"tidings/internal/sink"
)

// Settings are the choices of a Driver. Brokers and Topic must be set.
type Settings struct {
	// Brokers are host:port of those to ask first; they know the others.
	Brokers []string
	// Topic is where the records go. {service}, {region}, {account} and {name} stand for those
	// of the ARN; what a topic's name cannot hold becomes _.
	Topic string
	// TLS is how to speak TLS; nil = not at all. The server's name is that of each broker
	// unless it is set.
	TLS *tls.Config
	// SASL is who we are; nil = nobody.
	SASL *SASL
	// Compression of batches: "none", "gzip", "snappy", "lz4" or "zstd"; "" = none.
	Compression string
}

// SASL is a name and a password, and how they are told.
type SASL struct {
	Mechanism string // "plain", "scram-sha-256" or "scram-sha-512"
	Username  string
	Password  string
}

// Mechanisms and Compressions are what SASL and Settings may name.
var (
	Mechanisms   = []string{"plain", "scram-sha-256", "scram-sha-512"}
	Compressions = []string{"none", "gzip", "snappy", "lz4", "zstd"}
)

// Driver opens topics of one cluster, which share one client. It is safe for concurrent use.
type Driver struct {
	topic   sink.Template
	options []kgo.Opt
	lonely  chan struct{} // held by who sends a record by itself

	mu     sync.Mutex
	closed bool
	open   int     // sinks
	client *client // nil = not needed yet
}

var errClosed = errors.New("closed")

// New makes a Driver. Its error has everything that cannot work about the settings. It
// touches neither the network nor the disk.
func New(s Settings) (*Driver, error) {
	topic, err := sink.ParseTemplate(s.Topic)
	if err == nil {
		_, err = expand(topic, arn.ARN{Service: "x", Region: "x", Account: "x", Resource: "x"})
	}
	if err != nil {
		err = fmt.Errorf("topic: %w", err)
	}
	if err := errors.Join(err, s.check()); err != nil {
		return nil, err
	}
	return &Driver{topic: topic, options: s.options(), lonely: make(chan struct{}, 1)}, nil
}

func (s *Settings) check() error {
	var all []error
	wrong := func(format string, args ...any) { all = append(all, fmt.Errorf(format, args...)) }
	if len(s.Brokers) == 0 {
		wrong("brokers: name at least one")
	}
	for i, b := range s.Brokers {
		if host, port, err := net.SplitHostPort(b); err != nil || host == "" || !isPort(port) {
			wrong("brokers[%d] %q: write it as host:port", i, b)
		}
	}
	if s.Compression != "" && !slices.Contains(Compressions, s.Compression) {
		wrong("compression %q: want %s", s.Compression, strings.Join(Compressions, ", "))
	}
	if a := s.SASL; a != nil {
		if !slices.Contains(Mechanisms, a.Mechanism) {
			wrong("sasl.mechanism %q: want %s", a.Mechanism, strings.Join(Mechanisms, ", "))
		}
		if a.Username == "" || a.Password == "" {
			wrong("sasl: give both a username and a password")
		}
	}
	return errors.Join(all...)
}

func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0
}

// topicForm is what Kafka allows of a topic's name, but for "." and "..".
// Source: Apache Kafka, org.apache.kafka.common.internals.Topic, LEGAL_CHARS and MAX_NAME_LENGTH.
var topicForm = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)

// foreign matches what cannot stand in a topic's name.
var foreign = regexp.MustCompile(`[^a-zA-Z0-9._-]`)

func expand(t sink.Template, a arn.ARN) (string, error) {
	name, err := t.Expand(a, func(s string) string { return foreign.ReplaceAllString(s, "_") })
	if err != nil {
		return "", err
	}
	if !topicForm.MatchString(name) || name == "." || name == ".." {
		return "", fmt.Errorf("%q cannot be the name of a topic, which has 1 to 249 letters, digits and characters of ._-", name)
	}
	return name, nil
}

// Check reports whether the ARN makes the name of a topic.
func (d *Driver) Check(t sink.Target) error {
	_, err := expand(d.topic, t.ARN)
	return err
}

// Open returns a sink of the target. It touches no network.
func (d *Driver) Open(t sink.Target) (sink.Sink, error) {
	name, err := expand(d.topic, t.ARN)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, errClosed
	}
	d.open++
	return &topic{driver: d, name: name}, nil
}

// leave is called once by each sink that is closed.
func (d *Driver) leave() {
	d.mu.Lock()
	d.open--
	last := d.takeUnused()
	d.mu.Unlock()
	last.close()
}

// Close closes the connections as soon as no sink is open any more. Those that are work on.
func (d *Driver) Close() error {
	d.mu.Lock()
	d.closed = true
	last := d.takeUnused()
	d.mu.Unlock()
	last.close()
	return nil
}

// takeUnused returns the client if nobody can need it any more. d.mu is held.
func (d *Driver) takeUnused() *client {
	if !d.closed || d.open > 0 {
		return nil
	}
	c := d.client
	d.client = nil
	return c
}
