package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/twmb/franz-go/pkg/kfake"

	"tidings/internal/arn"
	"tidings/internal/config"
	"tidings/internal/event"
	"tidings/internal/sink"
	"tidings/internal/sink/webhook"
)

func TestCheckDestinationsNamesWhatCannotWork(t *testing.T) {
	t.Parallel()
	text := filepath.Join(t.TempDir(), "no.pem")
	if err := os.WriteFile(text, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	kafka := func(topic string, t config.ClientTLS) config.Destination {
		return config.Destination{Match: "arn:aws:sns:*:*:*", Kafka: &config.KafkaDestination{Brokers: []string{"a:9092"}, Topic: topic, TLS: t}}
	}
	nats := func(subject string, t config.ClientTLS) config.Destination {
		return config.Destination{Match: "arn:aws:kinesis:*:*:*", NATS: &config.NATSDestination{URL: "nats://a:4222", Subject: subject, TLS: t}}
	}
	broken := config.ClientTLS{On: true, CA: text}
	check := func(list ...config.Destination) error {
		cfg := config.Default()
		cfg.Destinations = list
		return CheckDestinations(cfg)
	}
	if err := check(kafka("calls.{name}", config.ClientTLS{On: true}), nats("events.{account}", config.ClientTLS{})); err != nil {
		t.Errorf("CheckDestinations = %v, want nil", err)
	}
	err := check(kafka("{set}", config.ClientTLS{}), nats("events.>", config.ClientTLS{}))
	for _, want := range []string{"destinations[0]: kafka: topic: {set is no placeholder", `destinations[1]: nats: subject: "events.>"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("CheckDestinations = %v, want it to say %q", err, want)
		}
	}
	err = check(kafka("calls", broken), nats("events", broken))
	for _, want := range []string{"destinations[0]: kafka: tls.ca:", "destinations[1]: nats: tls.ca:"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("CheckDestinations = %v, want it to say %q", err, want)
		}
	}
}

// TestBoundBrokersAreReached with the credentials that the list names.
func TestBoundBrokersAreReached(t *testing.T) {
	t.Parallel()
	broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "calls.alerts"), kfake.EnableSASL(), kfake.Superuser("PLAIN", "tidings", "secret"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	ns, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, NoLog: true, NoSigs: true, Username: "tidings", Password: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	ns.Start()
	t.Cleanup(func() {
		ns.Shutdown()
		ns.WaitForShutdown()
	})
	made, err := bind([]config.Destination{
		{Match: "arn:aws:sns:*:*:*", Kafka: &config.KafkaDestination{
			Brokers: broker.ListenAddrs(), Topic: "calls.{name}", Compression: "zstd",
			SASL: &config.SASL{Mechanism: "plain", Username: "tidings", Password: "secret"},
		}},
		{Match: "arn:aws:kinesis:*:*:*", NATS: &config.NATSDestination{
			URL: ns.ClientURL(), Subject: "events.{name}", Stream: new(false), User: "tidings", Password: "secret",
		}},
	}, parts{topics: &webhook.Topics{}})
	if err != nil {
		t.Fatalf("bind = %v", err)
	}
	t.Cleanup(func() {
		if err := made.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
	})
	for i, resource := range []string{"arn:aws:sns:us-east-1:123456789012:alerts", "arn:aws:kinesis:us-east-1:123456789012:stream/events"} {
		a, err := arn.Parse(resource)
		if err != nil {
			t.Fatal(err)
		}
		b := made.bindings[i]
		s, err := b.Driver.Open(sink.Target{ARN: a})
		if err != nil {
			t.Fatalf("Open(%s) by %s = %v", resource, b.Name, err)
		}
		d := sink.Delivery{ID: "d", Event: event.Event{ID: "e", Type: event.AppEvent, Time: time.Now(), Message: "m", Record: []byte(`{}`)}}
		if err := s.Deliver(t.Context(), []sink.Delivery{d}); err != nil {
			t.Errorf("Deliver by %s = %v", b.Name, err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
	}
	if n := broker.PartitionInfo("calls.alerts", 0).HighWatermark; n != 1 {
		t.Errorf("the topic has %d records, want 1", n)
	}
}
