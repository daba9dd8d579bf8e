package app

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/twmb/franz-go/pkg/kfake"

	"tidings/internal/configset"
	"tidings/internal/sink/kafka"
	natssink "tidings/internal/sink/nats"
)

// BenchmarkEventsToStreams measures events from Publish to the answer of a partitioned log
// or a subject: doubles of Kinesis Data Streams and of a Kafka cluster, which keep nothing,
// and a NATS server with a stream in memory, all in this very process.
func BenchmarkEventsToStreams(b *testing.B) {
	for _, bench := range []struct {
		name  string
		place func(*testing.B) place
	}{{"kinesis", newStream}, {"kafka", newKafka}, {"nats", newNATS}} {
		b.Run(bench.name, func(b *testing.B) { benchmarkEvents(b, bench.place(b), 1024, 0) })
	}
}

const benchStream = "arn:aws:kinesis:us-east-1:123456789012:stream/bench"

func newStream(b *testing.B) place {
	b.Helper()
	d := newDouble(b, func(w http.ResponseWriter, r *http.Request) {
		var in struct{ Records []json.RawMessage }
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		var out bytes.Buffer
		out.WriteString(`{"FailedRecordCount":0,"Records":[`)
		for i := range in.Records {
			if i > 0 {
				out.WriteByte(',')
			}
			fmt.Fprintf(&out, `{"SequenceNumber":"%d","ShardId":"shardId-000000000000"}`, i)
		}
		out.WriteString("]}")
		_, _ = w.Write(out.Bytes())
	})
	return place{d, configset.KinesisStream, benchStream}
}

func newKafka(b *testing.B) place {
	b.Helper()
	const partitions = 4
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(partitions, "bench"), kfake.BlackholeProduce())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(cluster.Close)
	d, err := kafka.New(kafka.Settings{Brokers: cluster.ListenAddrs(), Topic: "{name}"})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = d.Close() })
	return place{d, configset.KinesisStream, benchStream}
}

func newNATS(b *testing.B) place {
	b.Helper()
	far, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, NoLog: true, NoSigs: true, JetStream: true, StoreDir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	far.Start()
	b.Cleanup(func() { far.Shutdown(); far.WaitForShutdown() })
	if !far.ReadyForConnections(time.Minute) {
		b.Fatal("the NATS server is not ready")
	}
	c, err := nats.Connect(far.ClientURL())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(c.Close)
	js, err := jetstream.New(c)
	if err != nil {
		b.Fatal(err)
	}
	_, err = js.CreateStream(b.Context(), jetstream.StreamConfig{Name: "EVENTS", Subjects: []string{"events.>"}, Storage: jetstream.MemoryStorage, MaxMsgs: 10_000})
	if err != nil {
		b.Fatal(err)
	}
	d, err := natssink.New(natssink.Settings{URL: far.ClientURL(), Subject: "events.{name}"})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = d.Close() })
	return place{d, configset.KinesisStream, benchStream}
}
