package kafka

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tidings/internal/arn"
	"tidings/internal/sink"
)

func TestSettingsThatCannotWork(t *testing.T) {
	t.Parallel()
	good := Settings{Brokers: []string{"kafka.example:9092"}, Topic: "calls"}
	with := func(change func(*Settings)) Settings {
		s := good
		change(&s)
		return s
	}
	for name, tc := range map[string]struct {
		settings Settings
		want     []string
	}{
		"nothing":          {Settings{}, []string{"brokers: name at least one", "topic: \"\" cannot be"}},
		"no port":          {with(func(s *Settings) { s.Brokers = []string{"a:1", "kafka.example"} }), []string{`brokers[1] "kafka.example": write it as host:port`}},
		"port 0":           {with(func(s *Settings) { s.Brokers = []string{"a:0"} }), []string{"brokers[0]"}},
		"no host":          {with(func(s *Settings) { s.Brokers = []string{":9092"} }), []string{"brokers[0]"}},
		"a URL":            {with(func(s *Settings) { s.Brokers = []string{"kafka://a:9092"} }), []string{"brokers[0]"}},
		"topic of spaces":  {with(func(s *Settings) { s.Topic = "a b" }), []string{`"a b" cannot be the name of a topic`}},
		"two dots":         {with(func(s *Settings) { s.Topic = ".." }), []string{"cannot be the name of a topic"}},
		"long topic":       {with(func(s *Settings) { s.Topic = strings.Repeat("x", 250) }), []string{"1 to 249"}},
		"unknown place":    {with(func(s *Settings) { s.Topic = "{set}" }), []string{"topic: {set is no placeholder"}},
		"compression":      {with(func(s *Settings) { s.Compression = "zip" }), []string{`compression "zip": want none, gzip, snappy, lz4, zstd`}},
		"mechanism":        {with(func(s *Settings) { s.SASL = &SASL{"gssapi", "u", "hunter2"} }), []string{`sasl.mechanism "gssapi": want plain,`}},
		"nobody":           {with(func(s *Settings) { s.SASL = &SASL{"plain", "", "hunter2"} }), []string{"both a username and a password"}},
		"several problems": {Settings{Topic: "{", Compression: "zip"}, []string{"topic:", "brokers:", "compression"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := New(tc.settings)
			for _, want := range tc.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("New = %v, want an error with %q", err, want)
				}
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("New = %v, which tells a secret", err)
			}
		})
	}
	for _, codec := range append(Compressions, "") {
		newDriver(t, with(func(s *Settings) { s.Compression = codec }))
	}
}

func TestNamesOfTopics(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ template, arn, want string }{
		{"calls", "arn:aws:sns:us-east-1:123456789012:alerts", "calls"},
		{"{service}.{region}.{account}.{name}", "arn:aws:sns:us-east-1:123456789012:alerts", "sns.us-east-1.123456789012.alerts"},
		{"{name}", "arn:aws:kinesis:us-east-1:123456789012:stream/my.events_1", "my.events_1"},
		{"calls{name}", "arn:aws:logs:us-east-1:123456789012:log-group:/voice/calls#1:*", "calls_voice_calls_1"},
		{"{name}", "arn:aws:sns:us-east-1:123456789012:..", ""},
		{"{name}", "arn:aws:sns:us-east-1:123456789012:" + strings.Repeat("x", 250), ""},
	} {
		a, err := arn.Parse(tc.arn)
		if err != nil {
			t.Fatal(err)
		}
		d := newDriver(t, Settings{Brokers: []string{"a:1"}, Topic: tc.template})
		checked := d.Check(sink.Target{ARN: a})
		s, err := d.Open(sink.Target{ARN: a})
		if (checked == nil) != (err == nil) || (err == nil) != (tc.want != "") {
			t.Errorf("%s for %s: Check = %v, Open = %v, want the topic %q", tc.template, tc.arn, checked, err, tc.want)
		}
		if err != nil {
			continue
		}
		if got := s.(*topic).name; got != tc.want {
			t.Errorf("%s for %s is %q, want %q", tc.template, tc.arn, got, tc.want)
		}
		if err := s.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
	}
}

func TestRecords(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	s := openSink(t, newDriver(t, c.settings()), "alerts")
	batch := batchOf(`{"n":0}`, `{"n":1}`, `{"n":2}`)
	batch[0].Event.Key = "endpoint-7"
	batch[2].Event.Message = ""
	batch[2].ID = "line\r\nbreak"
	if err := s.Deliver(t.Context(), batch); err != nil {
		t.Fatalf("Deliver = %v", err)
	}
	type record struct{ Key, Value, ID, Type, Account, Region string }
	want := []record{
		{"endpoint-7", `{"n":0}`, "message-0/answered/d", "voice.answered", "123456789012", "us-east-1"},
		{"message-1", `{"n":1}`, "message-1/answered/d", "voice.answered", "123456789012", "us-east-1"},
		{"message-2/answered", `{"n":2}`, "line\r\nbreak", "voice.answered", "123456789012", "us-east-1"},
	}
	var got []record
	for _, r := range c.records(t, theTopic) {
		headers := map[string]string{}
		for _, h := range r.Headers {
			headers[h.Key] = string(h.Value)
		}
		got = append(got, record{
			string(r.Key), string(r.Value), headers["tidings-id"], headers["tidings-type"], headers["tidings-account"], headers["tidings-region"],
		})
	}
	slices.SortFunc(got, func(a, b record) int { return strings.Compare(a.Value, b.Value) })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}

// TestOneKeyOnePartitionInOrder delivers events of several keys, batch after batch.
func TestOneKeyOnePartitionInOrder(t *testing.T) {
	t.Parallel()
	const keys, rounds = 16, 10
	for _, codec := range Compressions {
		t.Run(codec, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			settings := c.settings()
			settings.Compression = codec
			s := openSink(t, newDriver(t, settings), "alerts")
			for round := range rounds {
				batch := batchOf(slices.Repeat([]string{fmt.Sprint(round)}, keys)...)
				for i := range batch {
					batch[i].Event.Key = fmt.Sprintf("endpoint-%d", i)
				}
				if err := s.Deliver(t.Context(), batch); err != nil {
					t.Fatalf("Deliver = %v", err)
				}
			}
			partitions, values := map[string]map[int32]bool{}, map[string][]string{}
			used := map[int32]bool{}
			for _, r := range c.records(t, theTopic) {
				key := string(r.Key)
				if partitions[key] == nil {
					partitions[key] = map[int32]bool{}
				}
				partitions[key][r.Partition] = true
				used[r.Partition] = true
				values[key] = append(values[key], string(r.Value))
			}
			for i := range keys {
				key := fmt.Sprintf("endpoint-%d", i)
				if len(partitions[key]) != 1 || !slices.IsSorted(values[key]) || len(values[key]) != rounds {
					t.Errorf("%s is in the partitions %v with %v, want one and all rounds in order", key, partitions[key], values[key])
				}
			}
			if len(used) < 2 {
				t.Errorf("%d keys went to %d partitions", keys, len(used))
			}
		})
	}
}

// TestTopicsShareAClient and the client lives as long as anybody needs it.
func TestTopicsShareAClient(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	if err := c.CreateTopic("calls.other", 1, nil); err != nil {
		t.Fatal(err)
	}
	d := newDriver(t, c.settings())
	alerts, other := openSink(t, d, "alerts"), openSink(t, d, "other")
	deliver := func(when string) {
		t.Helper()
		for name, s := range map[string]sink.Sink{"alerts": alerts, "other": other} {
			if err := s.Deliver(t.Context(), batchOf(`{}`)); err != nil {
				t.Errorf("Deliver to %s, %s = %v", name, when, err)
			}
		}
	}
	deliver("first")
	one := d.client
	deliver("again")
	for range 2 {
		if err := d.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
	}
	if _, err := d.Open(target("alerts")); err == nil {
		t.Error("Open on a closed driver worked")
	}
	deliver("with the driver closed")
	if d.client != one || one == nil {
		t.Error("the client was changed meanwhile")
	}
	for range 2 {
		if err := alerts.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
	}
	if err := other.Deliver(t.Context(), batchOf(`{}`)); err != nil {
		t.Errorf("Deliver after another topic was closed = %v", err)
	}
	if err := other.Close(); err != nil {
		t.Errorf("Close = %v", err)
	}
	if d.client != nil {
		t.Error("the client is there, though nobody can need it")
	}
	if err := other.Deliver(t.Context(), batchOf(`{}`)); err == nil {
		t.Error("Deliver after everything was closed worked")
	}
}
