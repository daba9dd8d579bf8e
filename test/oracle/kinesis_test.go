package oracle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go/service/kinesis"
	"github.com/aws/aws-sdk-go/service/pinpoint"
	"github.com/google/go-cmp/cmp"
)

// readStream reads all shards of a data stream from their beginning.
func readStream(t testing.TB, c *kinesis.Kinesis, name string) []*kinesis.Record {
	t.Helper()
	shards, err := c.ListShardsWithContext(t.Context(), &kinesis.ListShardsInput{StreamName: &name})
	must(t, "list the shards", err)
	var all []*kinesis.Record
	for _, shard := range shards.Shards {
		at, err := c.GetShardIteratorWithContext(t.Context(), &kinesis.GetShardIteratorInput{
			StreamName: &name, ShardId: shard.ShardId, ShardIteratorType: new(kinesis.ShardIteratorTypeTrimHorizon),
		})
		must(t, "get a shard iterator", err)
		for next := at.ShardIterator; ; {
			out, err := c.GetRecordsWithContext(t.Context(), &kinesis.GetRecordsInput{ShardIterator: next})
			must(t, "get the records", err)
			if len(out.Records) == 0 {
				break
			}
			all = append(all, out.Records...)
			next = out.NextShardIterator
		}
	}
	return all
}

// sendEvents reports events of several endpoints of an app, and returns how many of which
// type each endpoint has.
func sendEvents(t testing.TB, c *pinpoint.Pinpoint, app string) map[string]int {
	t.Helper()
	sent := map[string]int{}
	for n := range 6 {
		endpoint := fmt.Sprintf("endpoint-%d", n)
		events := map[string]*pinpoint.Event{}
		for i := range n + 1 {
			kind := fmt.Sprintf("purchase.%d", i)
			events[fmt.Sprint(i)] = &pinpoint.Event{EventType: &kind, Timestamp: new("2026-11-21T14:40:00.000Z")}
			sent[endpoint+" "+kind]++
		}
		_, err := c.PutEventsWithContext(t.Context(), &pinpoint.PutEventsInput{
			ApplicationId: &app,
			EventsRequest: &pinpoint.EventsRequest{BatchItem: map[string]*pinpoint.EventsBatch{
				endpoint: {Endpoint: &pinpoint.PublicEndpoint{}, Events: events},
			}},
		})
		must(t, "put events", err)
	}
	return sent
}

// TestEmulatedDataStream reads an app's events where its event stream put them.
func TestEmulatedDataStream(t *testing.T) {
	t.Parallel()
	e := startMoto(t)
	streams := kinesis.New(e.session(t, ""))
	_, err := streams.CreateStreamWithContext(t.Context(), &kinesis.CreateStreamInput{StreamName: new("events"), ShardCount: new(int64(3))})
	must(t, "create the stream", err)
	s := start(t, options{
		config: map[string]any{"destinations": []any{
			map[string]any{"match": "arn:aws:kinesis:*:*:*", "aws": map[string]any{
				"endpoint": e.url, "access_key_id": testKey, "secret_access_key": testSecret, "assume_role": true,
			}},
		}},
	})
	app := createApp(t, s, "shop")
	c := pinpoint.New(newSession(t, s.API, testRegion))
	_, err = c.PutEventStreamWithContext(t.Context(), &pinpoint.PutEventStreamInput{
		ApplicationId: &app,
		WriteEventStream: &pinpoint.WriteEventStream{
			DestinationStreamArn: new("arn:aws:kinesis:" + testRegion + ":" + testAccount + ":stream/events"),
			RoleArn:              new("arn:aws:iam::" + testAccount + ":role/publisher"),
		},
	})
	must(t, "put the event stream", err)
	want := sendEvents(t, c, app)
	want[" _test.event_stream"] = 1
	events := 0
	for _, n := range want {
		events += n
	}
	var records []*kinesis.Record
	await(t, "the events in Kinesis", func() bool {
		records = readStream(t, streams, "events")
		return len(records) >= events
	}, func() string { return fmt.Sprintf("%d of %d", len(records), events) })
	got := map[string]int{}
	for _, r := range records {
		var event struct {
			Type        string `json:"event_type"`
			Application struct {
				ID string `json:"app_id"`
			} `json:"application"`
			Client struct {
				ID string `json:"client_id"`
			} `json:"client"`
		}
		if err := json.Unmarshal(r.Data, &event); err != nil || event.Application.ID != app || bytes.ContainsAny(r.Data, "\r\n") {
			t.Errorf("the stream has %q, %v, want one line of JSON of the app %s", r.Data, err, app)
		}
		if event.Client.ID != "" && *r.PartitionKey != event.Client.ID {
			t.Errorf("an event of %s has the partition key %q", event.Client.ID, *r.PartitionKey)
		}
		got[event.Client.ID+" "+event.Type]++
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events by client and type (-want +got):\n%s", diff)
	}
}
