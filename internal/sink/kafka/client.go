package kafka

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// How hard the client tries by itself. It rides over the election of a leader and a lost
// connection, since then its repeats store nothing twice. What takes longer is the
// courier's business: a broker that is away is told within some seconds.
const (
	retries      = 4
	firstBackoff = 50 * time.Millisecond
	mostBackoff  = time.Second
	// unknownRetries is how often a topic that nobody knows is asked for again: it may have
	// been made just now.
	unknownRetries = 1
	metadataAge    = 250 * time.Millisecond
	dialTimeout    = 5 * time.Second
	requestTimeout = 10 * time.Second
)

const (
	// maxBatch bounds what is sent to a partition at once, and so a record.
	// Source: Apache Kafka documentation, "Broker Configs", message.max.bytes, less overhead.
	maxBatch = 1 << 20
	// maxBuffered bounds the records that the client holds, all topics together. The courier
	// holds them as well, so this is a stop and not the bound of memory.
	maxBuffered = 1 << 20
)

// options are how the clients of a driver are made.
func (s *Settings) options() []kgo.Opt {
	all := []kgo.Opt{
		kgo.SeedBrokers(s.Brokers...), kgo.ClientID("tidings"), kgo.DisableClientMetrics(),
		kgo.RequiredAcks(kgo.AllISRAcks()), // with the idempotent producer, which is the default
		kgo.AllowIdempotentProduceCancellation(),
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)), // by murmur2 of the key, as Kafka's own producer
		kgo.ProducerBatchMaxBytes(maxBatch), kgo.ProducerLinger(0),
		kgo.MaxBufferedRecords(maxBuffered),
		kgo.RecordRetries(retries), kgo.RequestRetries(retries), kgo.UnknownTopicRetries(unknownRetries),
		kgo.RetryTimeout(requestTimeout), kgo.RetryBackoffFn(backoff),
		kgo.MetadataMinAge(metadataAge),
		kgo.DialTimeout(dialTimeout), kgo.ProduceRequestTimeout(requestTimeout), kgo.RequestTimeoutOverhead(requestTimeout),
	}
	codecs := map[string]kgo.CompressionCodec{
		"gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	if codec, ok := codecs[s.Compression]; ok {
		all = append(all, kgo.ProducerBatchCompression(codec))
	} else {
		all = append(all, kgo.ProducerBatchCompression(kgo.NoCompression()))
	}
	if s.TLS != nil {
		all = append(all, kgo.DialTLSConfig(s.TLS))
	}
	if s.SASL != nil {
		all = append(all, kgo.SASL(s.SASL.mechanism()))
	}
	return all
}

func (a *SASL) mechanism() sasl.Mechanism {
	switch a.Mechanism {
	case "scram-sha-256":
		return scram.Auth{User: a.Username, Pass: a.Password}.AsSha256Mechanism()
	case "scram-sha-512":
		return scram.Auth{User: a.Username, Pass: a.Password}.AsSha512Mechanism()
	}
	return plain.Auth{User: a.Username, Pass: a.Password}.AsMechanism()
}

func backoff(failures int) time.Duration {
	return min(mostBackoff, firstBackoff<<min(10, max(0, failures-1)))
}

// client is the client that the topics of a driver share.
type client struct {
	*kgo.Client
	trouble atomic.Pointer[string] // why a broker could not be reached last
}

// OnBrokerConnect notes why a broker cannot be reached. See kgo.HookBrokerConnect.
func (c *client) OnBrokerConnect(meta kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error) {
	if err == nil {
		c.trouble.Store(nil)
		return
	}
	c.trouble.Store(new(fmt.Sprintf("broker %s:%d: %v", meta.Host, meta.Port, err)))
}

// use returns the client, and makes it if there is none. That touches no network.
func (d *Driver) use() (*client, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.client == nil {
		if d.closed && d.open == 0 {
			return nil, errClosed
		}
		made := &client{}
		inner, err := kgo.NewClient(append(d.options, kgo.WithHooks(made))...)
		if err != nil {
			return nil, fmt.Errorf("make a client: %w", err)
		}
		made.Client = inner
		d.client = made
	}
	return d.client, nil
}

// forget lets the next delivery begin with a new client in place of c.
func (d *Driver) forget(c *client) {
	d.mu.Lock()
	current := d.client == c
	if current {
		d.client = nil
	}
	d.mu.Unlock()
	if current {
		c.close()
	}
}

func (c *client) close() {
	if c != nil {
		c.Close()
	}
}

// isSpent reports whether the client cannot recover from err. One that was refused a
// producer ID, for want of the permission to write idempotently, never asks again. One
// that knew a topic which was deleted and made anew goes on to ask for the old one.
func isSpent(err error) bool {
	return errors.Is(err, kerr.ClusterAuthorizationFailed) || errors.Is(err, kerr.UnknownTopicID) ||
		errors.Is(err, kerr.InvalidProducerEpoch) || errors.Is(err, kerr.ProducerFenced)
}

// isDropped reports whether err says that a context has ended, of the record itself or of
// another one in the same partition. A connection that takes too long says so as well.
func isDropped(err error) bool {
	_, network := errors.AsType[*net.OpError](err)
	return !network && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded))
}

// explain puts the failure of a record into few words. ctx is that of its own delivery.
func (c *client) explain(ctx context.Context, topic string, err error) error {
	const most = 300
	text := err.Error()
	switch {
	case isDropped(err) && ctx.Err() != nil:
		if why := c.trouble.Load(); why != nil {
			return fmt.Errorf("kafka topic %s: %w, %s", topic, ctx.Err(), *why)
		}
		return fmt.Errorf("kafka topic %s: %w", topic, ctx.Err())
	case isDropped(err):
		text = "another delivery to the same partition was given up"
	}
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return &failure{fmt.Sprintf("kafka topic %s: %s", topic, text), err}
}

// failure is an error with a text of its own.
type failure struct {
	text string
	err  error
}

func (f *failure) Error() string { return f.text }
func (f *failure) Unwrap() error { return f.err }
