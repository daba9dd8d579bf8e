package kafka

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"tidings/internal/arn"
	"tidings/internal/event"
	"tidings/internal/sink"
	"tidings/internal/tenant"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	theTopic = "calls.alerts"
	parts    = 4
	// attemptTime bounds an attempt that may fail either way: by itself or by this.
	attemptTime = 5 * time.Second
)

// cluster is a Kafka of two brokers that speaks the real protocol.
type cluster struct {
	*kfake.Cluster
	contacts atomic.Int64
	reader   []kgo.Opt // how to get in
}

// newCluster starts a cluster that has the topic. It ends with the test.
func newCluster(tb testing.TB, options ...kfake.Opt) *cluster {
	tb.Helper()
	c := &cluster{}
	listen := func(network, address string) (net.Listener, error) {
		ln, err := net.Listen(network, address)
		return &counting{ln, &c.contacts}, err
	}
	inner, err := kfake.NewCluster(append([]kfake.Opt{
		kfake.NumBrokers(2), kfake.SeedTopics(parts, theTopic), kfake.ListenFn(listen),
	}, options...)...)
	if err != nil {
		tb.Fatalf("NewCluster = %v", err)
	}
	tb.Cleanup(inner.Close)
	c.Cluster = inner
	return c
}

// counting is a listener that counts who comes.
type counting struct {
	net.Listener
	n *atomic.Int64
}

func (l *counting) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		l.n.Add(1)
	}
	return c, err
}

// records reads all that the topic has.
func (c *cluster) records(tb testing.TB, topic string) []*kgo.Record {
	tb.Helper()
	want := 0
	for _, p := range c.PartitionInfos(topic) {
		want += int(p.HighWatermark - p.LogStartOffset)
	}
	if want == 0 {
		return nil
	}
	reader, err := kgo.NewClient(append(c.reader, kgo.SeedBrokers(c.ListenAddrs()...), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableClientMetrics())...)
	if err != nil {
		tb.Fatalf("NewClient = %v", err)
	}
	defer reader.Close()
	var all []*kgo.Record
	for len(all) < want {
		fetches := reader.PollFetches(tb.Context())
		if err := fetches.Err0(); err != nil {
			tb.Fatalf("PollFetches = %v", err)
		}
		all = append(all, fetches.Records()...)
	}
	return all
}

func (c *cluster) received(tb testing.TB) [][]byte {
	tb.Helper()
	var values [][]byte
	for _, r := range c.records(tb, theTopic) {
		values = append(values, r.Value)
	}
	return values
}

// hang lets no produce request be answered until release is called.
func (c *cluster) hang(testing.TB) (<-chan struct{}, func()) {
	reached, hold := make(chan struct{}), make(chan struct{})
	c.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		close(reached)
		<-hold
		return nil, nil, false
	})
	return reached, func() { close(hold) }
}

// holds reports whether a produce request has this text in one of its batches, as it is
// when nothing is compressed.
func holds(text string) func(kmsg.Request) bool {
	return func(r kmsg.Request) bool {
		p, ok := r.(*kmsg.ProduceRequest)
		if !ok {
			return false
		}
		for _, t := range p.Topics {
			for _, part := range t.Partitions {
				if bytes.Contains(part.Records, []byte(text)) {
					return true
				}
			}
		}
		return false
	}
}

func (c *cluster) settings() Settings {
	return Settings{Brokers: c.ListenAddrs(), Topic: "calls.{name}"}
}

func newDriver(tb testing.TB, s Settings) *Driver {
	tb.Helper()
	d, err := New(s)
	if err != nil {
		tb.Fatalf("New = %v", err)
	}
	// As often as ever, but with shorter pauses.
	d.options = append(d.options, kgo.MetadataMinAge(10*time.Millisecond),
		kgo.RetryBackoffFn(func(int) time.Duration { return 10 * time.Millisecond }))
	tb.Cleanup(func() {
		if err := d.Close(); err != nil {
			tb.Errorf("Close = %v", err)
		}
	})
	return d
}

func openSink(tb testing.TB, d *Driver, name string) sink.Sink {
	tb.Helper()
	s, err := d.Open(target(name))
	if err != nil {
		tb.Fatalf("Open(%q) = %v", name, err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Errorf("Close = %v", err)
		}
	})
	return s
}

func target(name string) sink.Target {
	return sink.Target{
		Tenant: tenant.Tenant{Account: "123456789012", Region: "us-east-1"},
		ARN:    arn.ARN{Partition: "aws", Service: "sns", Region: "us-east-1", Account: "123456789012", Resource: name},
	}
}

// batchOf makes deliveries of records, with a key each.
func batchOf(records ...string) []sink.Delivery {
	batch := make([]sink.Delivery, len(records))
	for i, r := range records {
		message := fmt.Sprintf("message-%d", i)
		batch[i] = sink.Delivery{
			ID: message + "/answered/d", Set: "set", Destination: "d",
			Event: event.Event{
				ID: message + "/answered", Type: event.VoiceAnswered, Time: time.Now().UTC(),
				Tenant: tenant.Tenant{Account: "123456789012", Region: "us-east-1"},
				Set:    "set", Message: message, Record: []byte(r),
			},
		}
	}
	return batch
}

// soon bounds a delivery in tests that would hang otherwise.
func soon(tb testing.TB) context.Context {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), time.Minute)
	tb.Cleanup(cancel)
	return ctx
}
