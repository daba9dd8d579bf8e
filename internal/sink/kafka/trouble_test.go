package kafka

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tidings/internal/sink"
)

// passing checks that err is a failure of everything, for now, that says these words.
func passing(t *testing.T, what string, err error, words ...string) {
	t.Helper()
	if _, partial := errors.AsType[*sink.PartialError](err); err == nil || partial || errors.Is(err, sink.ErrPermanent) {
		t.Fatalf("Deliver, %s = %v, want a failure of all that may pass", what, err)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("Deliver, %s = %q, want it to say %q", what, err, word)
		}
	}
	if text := err.Error(); len(text) > 500 || strings.Contains(text, "\n") {
		t.Errorf("Deliver, %s = %q, want one short line", what, text)
	}
}

// freePort returns a port on which nobody listens.
func freePort(t *testing.T) int {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port
}

// TestTheBrokerComesLater: nobody is there when the sink is opened, and not for a while.
func TestTheBrokerComesLater(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	d := newDriver(t, Settings{Brokers: []string{fmt.Sprintf("127.0.0.1:%d", port)}, Topic: theTopic})
	s := openSink(t, d, "alerts")
	for range 2 {
		passing(t, "nobody listening", s.Deliver(soon(t), batchOf(`{}`, `{}`)), "kafka topic calls.alerts", "connection refused")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	passing(t, "cancelled before", s.Deliver(ctx, batchOf(`{}`)))
	c := newCluster(t, kfake.NumBrokers(1), kfake.Ports(port))
	if err := s.Deliver(soon(t), batchOf(`{"n":1}`, `{"n":2}`)); err != nil {
		t.Errorf("Deliver with the broker there = %v", err)
	}
	if got := len(c.received(t)); got != 2 {
		t.Errorf("%d records arrived, want 2: none of what was given up", got)
	}
}

// TestTheBrokerRestarts on the same port, between deliveries.
func TestTheBrokerRestarts(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	options := []kfake.Opt{kfake.NumBrokers(1), kfake.Ports(port)}
	first := newCluster(t, options...)
	s := openSink(t, newDriver(t, first.settings()), "alerts")
	if err := s.Deliver(soon(t), batchOf(`{"n":1}`)); err != nil {
		t.Fatalf("Deliver = %v", err)
	}
	first.Close()
	passing(t, "broker gone", s.Deliver(soon(t), batchOf(`{"n":2}`)))
	second := newCluster(t, options...)
	deliverToNew(t, s, `{"n":3}`)
	if got := second.received(t); len(got) != 1 || string(got[0]) != `{"n":3}` {
		t.Errorf("after the restart %q arrived, want the last alone", got)
	}
}

// deliverToNew delivers to a topic that was made anew. One attempt may be needed to learn
// that it is not the former one.
func deliverToNew(t *testing.T, s sink.Sink, record string) {
	t.Helper()
	err := s.Deliver(soon(t), batchOf(record))
	if err != nil {
		passing(t, "the topic is new", err)
		err = s.Deliver(soon(t), batchOf(record))
	}
	if err != nil {
		t.Fatalf("Deliver to the new topic = %v", err)
	}
}

func TestTheTopicComesLater(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	s := openSink(t, newDriver(t, c.settings()), "new")
	passing(t, "no such topic", s.Deliver(soon(t), batchOf(`{}`)), "calls.new", "UNKNOWN_TOPIC_OR_PARTITION")
	for round := range 2 { // made, deleted, made anew
		if err := c.CreateTopic("calls.new", 1, nil); err != nil {
			t.Fatal(err)
		}
		deliverToNew(t, s, fmt.Sprint(round))
		if got := len(c.records(t, "calls.new")); got != 1 {
			t.Errorf("%d records arrived, want 1", got)
		}
		if err := c.DeleteTopic("calls.new"); err != nil {
			t.Fatal(err)
		}
		passing(t, "topic deleted", s.Deliver(soon(t), batchOf(`{}`)))
	}
}

// TestWhatAnOperatorCanMend is never given up, and works once it is mended.
func TestWhatAnOperatorCanMend(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]kfake.Fault{
		"may not write":       {Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.TopicAuthorizationFailed},
		"may not see":         {Keys: []kmsg.Key{kmsg.Metadata}, Topic: theTopic, Err: kerr.TopicAuthorizationFailed},
		"may not be sure":     {Keys: []kmsg.Key{kmsg.InitProducerID}, TopLevel: true, Err: kerr.ClusterAuthorizationFailed},
		"no producer ID":      {Keys: []kmsg.Key{kmsg.InitProducerID}, TopLevel: true, Err: kerr.CoordinatorLoadInProgress},
		"policy":              {Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.PolicyViolation},
		"too few replicas":    {Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicas},
		"no leader":           {Keys: []kmsg.Key{kmsg.Metadata}, Topic: theTopic, Err: kerr.LeaderNotAvailable},
		"another leader":      {Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotLeaderForPartition},
		"disk":                {Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.KafkaStorageError},
		"out of order":        {Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.OutOfOrderSequenceNumber},
		"producer is fenced":  {Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.InvalidProducerEpoch},
		"corrupt on the way":  {Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.CorruptMessage},
		"nobody knows":        {Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.UnknownServerError},
		"clocks differ":       {Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.InvalidTimestamp},
		"unknown topic's ID":  {Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.UnknownTopicID},
		"throttled for quota": {Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.ThrottlingQuotaExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			s := openSink(t, newDriver(t, c.settings()), "alerts")
			fault.Count = -1
			trouble := c.Fault(fault)
			for range 2 {
				ctx, cancel := context.WithTimeout(t.Context(), attemptTime)
				passing(t, name, s.Deliver(ctx, batchOf(`{}`, `{}`)))
				cancel()
			}
			trouble.Remove()
			if err := s.Deliver(soon(t), batchOf(`{"n":1}`)); err != nil {
				t.Errorf("Deliver after it was mended = %v", err)
			}
		})
	}
}

// TestOnlyFailedPartitionsFail: the others have their records for good.
func TestOnlyFailedPartitionsFail(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	s := openSink(t, newDriver(t, c.settings()), "alerts")
	batch := batchOf(slices.Repeat([]string{`{}`}, 32)...)
	if err := s.Deliver(t.Context(), batch); err != nil {
		t.Fatalf("Deliver = %v", err)
	}
	want := map[int]bool{}
	for _, r := range c.records(t, theTopic) {
		if r.Partition == 2 {
			i := slices.IndexFunc(batch, func(d sink.Delivery) bool { return d.Event.Message == string(r.Key) })
			want[i] = false
		}
	}
	fault := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Partitions: []int32{2}, Err: kerr.NotEnoughReplicas, Count: -1})
	err := s.Deliver(soon(t), batch)
	partial, ok := errors.AsType[*sink.PartialError](err)
	if !ok {
		t.Fatalf("Deliver = %v, want a partial failure", err)
	}
	got := map[int]bool{}
	for i, err := range partial.Failed {
		got[i] = errors.Is(err, sink.ErrPermanent)
	}
	if diff := cmp.Diff(want, got); diff != "" || len(want) == 0 {
		t.Errorf("failed, by whether for good (-want +got):\n%s", diff)
	}
	fault.Remove()
	var again []sink.Delivery
	for i := range want {
		again = append(again, batch[i])
	}
	if err := s.Deliver(soon(t), again); err != nil {
		t.Errorf("Deliver of what failed = %v", err)
	}
}

// TestPoisonDoesNotTakeItsNeighboursWithIt: a broker refuses batches, not records.
func TestPoisonDoesNotTakeItsNeighboursWithIt(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		poison string
		fault  *kerr.Error
		config map[string]*string
	}{
		"invalid":           {`{"n":"poison"}`, kerr.InvalidRecord, nil},
		"too long a record": {strings.Repeat("x", 20_000), nil, map[string]*string{"max.message.bytes": new("10000")}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			if err := c.CreateTopic("calls.small", 2, deref(tc.config)); err != nil {
				t.Fatal(err)
			}
			if tc.fault != nil {
				c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: tc.fault, Count: -1, When: holds("poison")})
			}
			s := openSink(t, newDriver(t, c.settings()), "small")
			records := make([]string, 100)
			for i := range records {
				records[i] = fmt.Sprintf(`{"n":%d,"text":"%0400d"}`, i, 0) // together more than is taken at once
			}
			records[17], records[70] = tc.poison, tc.poison
			err := s.Deliver(soon(t), batchOf(records...))
			partial, ok := errors.AsType[*sink.PartialError](err)
			if !ok {
				t.Fatalf("Deliver = %v, want a partial failure", err)
			}
			got := map[int]bool{}
			for i, err := range partial.Failed {
				got[i] = errors.Is(err, sink.ErrPermanent)
			}
			if diff := cmp.Diff(map[int]bool{17: true, 70: true}, got); diff != "" {
				t.Errorf("failed, by whether for good (-want +got):\n%s", diff)
			}
			if got := len(c.records(t, "calls.small")); got != 98 {
				t.Errorf("%d records arrived, want 98", got)
			}
		})
	}
}

func deref(m map[string]*string) map[string]string {
	out := map[string]string{}
	for k, v := range m {
		out[k] = *v
	}
	return out
}

// TestTheClientsOwnRepeatsStoreNothingTwice: the broker takes the records, and its answer
// is that it does not know.
func TestTheClientsOwnRepeatsStoreNothingTwice(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	s := openSink(t, newDriver(t, c.settings()), "alerts")
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.RequestTimedOut, Count: 2})
	batch := batchOf(`{"n":0}`, `{"n":1}`, `{"n":2}`)
	if err := s.Deliver(soon(t), batch); err != nil {
		t.Fatalf("Deliver = %v", err)
	}
	if got := len(c.received(t)); got != len(batch) {
		t.Errorf("%d records are stored, want %d", got, len(batch))
	}
}

// TestNothingIsSentAfterDeliverGaveUp: not while the topic is looked up, and not while the
// client waits to try again.
func TestNothingIsSentAfterDeliverGaveUp(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]kfake.Fault{
		"looking the topic up": {Keys: []kmsg.Key{kmsg.Metadata}, Topic: theTopic, Err: kerr.LeaderNotAvailable},
		"asking for an ID":     {Keys: []kmsg.Key{kmsg.InitProducerID}, TopLevel: true, Err: kerr.CoordinatorLoadInProgress},
		"trying again":         {Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicas},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			s := openSink(t, newDriver(t, c.settings()), "alerts")
			fault.Count = -1
			trouble := c.Fault(fault)
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- s.Deliver(ctx, batchOf(`{"n":"given up"}`)) }()
			if err := trouble.Wait(soon(t), 1); err != nil {
				t.Fatal(err)
			}
			cancel()
			passing(t, "given up", <-done)
			trouble.Remove()
			for n := range 5 {
				if err := s.Deliver(soon(t), batchOf(fmt.Sprint(n))); err != nil {
					t.Errorf("Deliver = %v", err)
				}
			}
			for _, r := range c.received(t) {
				if strings.Contains(string(r), "given up") {
					t.Errorf("%s was sent after Deliver gave it up", r)
				}
			}
		})
	}
}

// TestWhatIsReportedArrivedHas: with deliveries given up at any moment beside each other.
func TestWhatIsReportedArrivedHas(t *testing.T) {
	t.Parallel()
	const workers, rounds = 8, 40
	c := newCluster(t)
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicas, Count: 20})
	s := openSink(t, newDriver(t, c.settings()), "alerts")
	var mu sync.Mutex
	arrived := map[string]bool{}
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for r := range rounds {
				ctx, cancel := context.WithCancel(t.Context())
				stop := make(chan struct{})
				if r%3 == 0 {
					go func() { defer close(stop); cancel() }() // at any moment
				} else {
					close(stop)
				}
				batch := batchOf(fmt.Sprintf("%d/%d/a", w, r), fmt.Sprintf("%d/%d/b", w, r))
				err := s.Deliver(ctx, batch)
				partial, isPartial := errors.AsType[*sink.PartialError](err)
				mu.Lock()
				for i := range batch {
					if err == nil || isPartial && partial.Failed[i] == nil {
						arrived[string(batch[i].Event.Record)] = true
					}
				}
				mu.Unlock()
				<-stop
				cancel()
				if errors.Is(err, sink.ErrPermanent) {
					t.Errorf("Deliver = %v, want nothing permanent", err)
				}
			}
		})
	}
	wg.Wait()
	stored := map[string]bool{}
	for _, r := range c.received(t) {
		stored[string(r)] = true
	}
	for r := range arrived {
		if !stored[r] {
			t.Errorf("%s counts as delivered and is not there", r)
		}
	}
	if len(arrived) < workers*rounds {
		t.Errorf("%d of %d records arrived", len(arrived), 2*workers*rounds)
	}
}
