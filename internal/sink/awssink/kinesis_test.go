package awssink

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tidings/internal/event"
	"tidings/internal/sink"
)

func openEvents(t *testing.T, d *double) sink.Sink {
	t.Helper()
	return openSink(t, newDriver(t, d.settings()), target("kinesis", "stream/events"))
}

func TestRecordsOfKinesisAreAsTheyWereMade(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	want := []string{`{"a": "<&>"}`, "{\n\"b\":\r\n1}", `{"c":"\n"}`}
	if err := openEvents(t, d).Deliver(t.Context(), batchOf(want...)); err != nil {
		t.Fatalf("Deliver = %v", err)
	}
	if got := texts(d.received(t)); !slices.Equal(got, want) {
		t.Errorf("received %q, want %q", got, want)
	}
}

func TestPartitionKeys(t *testing.T) {
	t.Parallel()
	longest := strings.Repeat("é", 256)
	d := newDouble(t)
	s := openEvents(t, d)
	batch := batchOf(`{"n":0}`, `{"n":1}`, `{"n":2}`, `{"n":3}`, `{"n":4}`, `{"n":5}`)
	batch[0].Event.Key = "endpoint-7"
	batch[2].Event.Message = ""
	batch[3].Event.Key = longest
	batch[4].Event.Key = longest + "x"
	batch[5].Event.Key = "\xff"
	if err := s.Deliver(t.Context(), batch); err != nil {
		t.Fatalf("Deliver = %v", err)
	}
	want := []string{
		"endpoint-7", "message-1", "message-2/answered", longest,
		partitionKey(&event.Event{Key: longest + "x"}), partitionKey(&event.Event{Key: "\xff"}),
	}
	if diff := cmp.Diff(want, d.partitions); diff != "" {
		t.Errorf("partition keys (-want +got):\n%s", diff)
	}
	for _, hashed := range d.partitions[4:] {
		if len(hashed) != 64 || strings.Trim(hashed, "0123456789abcdef") != "" {
			t.Errorf("the partition key %q is no hash", hashed)
		}
	}
	if a, b := d.partitions[4], partitionKey(&event.Event{Key: longest + "y"}); a == b {
		t.Errorf("two long keys have the same hash %q", a)
	}
}

func TestSizesOfRecordsOfKinesis(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	s := openEvents(t, d)
	largest := strings.Repeat("x", 10<<20-len("message-0"))
	if err := s.Deliver(t.Context(), batchOf(largest)); err != nil {
		t.Errorf("Deliver of 10 MiB with the key = %v", err)
	}
	for name, record := range map[string]string{"too long": largest + "x", "empty": "", "blank": " \n"} {
		if err := s.Deliver(t.Context(), batchOf(record)); !errors.Is(err, sink.ErrPermanent) {
			t.Errorf("Deliver of a record that is %s = %v, want a permanent failure", name, err)
		}
	}
	if got := len(d.took()); got != 1 {
		t.Errorf("%d requests, want 1: what cannot be sent is not", got)
	}
}

func TestAFullBatchOfKinesisIsWithinItsLimits(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	s := openEvents(t, d)
	l := s.Limits()
	records := make([]string, l.Count)
	for i := range records {
		records[i] = strings.Repeat("x", l.Bytes/l.Count)
	}
	batch := batchOf(records...)
	for i := range batch {
		batch[i].Event.Key = strings.Repeat("𝄞", 256) // as long as keys can be
	}
	if err := s.Deliver(t.Context(), batch); err != nil {
		t.Errorf("Deliver of %d records of %d bytes = %v", l.Count, l.Bytes/l.Count, err)
	}
}

func TestOnlyFailedRecordsOfKinesisFail(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	s := openEvents(t, d)
	batch := batchOf(`{"n":0}`, ``, `{"n":2}`, `{"n":3}`, `{"n":4}`)
	d.then(saying(http.StatusOK, "application/x-amz-json-1.1", `{"FailedRecordCount":3,"Records":[
		{"SequenceNumber":"49543463076548007577105092703039560359975228518395019266","ShardId":"shardId-000000000000"},
		{"ErrorCode":"ProvisionedThroughputExceededException","ErrorMessage":"Rate exceeded for shard shardId-000000000001 in stream events under account 123456789012."},
		{"ErrorCode":"InternalFailure","ErrorMessage":"Internal service failure."},
		{"ErrorCode":"InvalidArgumentException","ErrorMessage":"Record size exceeds limit"}]}`))
	err := s.Deliver(t.Context(), batch)
	partial, ok := errors.AsType[*sink.PartialError](err)
	if !ok {
		t.Fatalf("Deliver = %v, want a partial failure", err)
	}
	got := map[int]bool{}
	for i, err := range partial.Failed {
		got[i] = errors.Is(err, sink.ErrPermanent)
	}
	if diff := cmp.Diff(map[int]bool{1: true, 2: false, 3: false, 4: true}, got); diff != "" {
		t.Errorf("failed, by whether for good (-want +got):\n%s", diff)
	}
	if text := partial.Failed[2].Error(); !strings.Contains(text, "shardId-000000000001") {
		t.Errorf("the failure is %q, want it to name the shard", text)
	}
	if err := s.Deliver(t.Context(), []sink.Delivery{batch[2], batch[3]}); err != nil {
		t.Errorf("Deliver of what failed = %v", err)
	}
	if got, want := texts(d.received(t)), []string{`{"n":2}`, `{"n":3}`}; !slices.Equal(got, want) {
		t.Errorf("sent again %q, want %q", got, want)
	}
}

// TestNonsenseOfKinesisIsAFailureOfAll: nothing of an answer is believed that cannot be right.
func TestNonsenseOfKinesisIsAFailureOfAll(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{
		"too few":                  `{"FailedRecordCount":0,"Records":[{"SequenceNumber":"1","ShardId":"s"}]}`,
		"too many":                 `{"FailedRecordCount":0,"Records":[{"SequenceNumber":"1"},{"SequenceNumber":"2"},{"SequenceNumber":"3"}]}`,
		"none":                     `{}`,
		"empty":                    ``,
		"neither number nor error": `{"FailedRecordCount":0,"Records":[{"SequenceNumber":"1"},{"ShardId":"s"}]}`,
		"counted, not told":        `{"FailedRecordCount":1,"Records":[{"SequenceNumber":"1"},{"SequenceNumber":"2"}]}`,
		"told, not counted":        `{"FailedRecordCount":0,"Records":[{"SequenceNumber":"1"},{"ErrorCode":"InternalFailure"}]}`,
		"another type":             `{"FailedRecordCount":"x","Records":7}`,
		"cut off":                  `{"FailedRecordCount":0,"Records":[{"SequenceNumber":"1"},{"SequenceNumber":`,
		"another service's":        `{"FailedPutCount":0,"RequestResponses":[{"RecordId":"1"},{"RecordId":"2"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDouble(t)
			s := openEvents(t, d)
			d.then(saying(http.StatusOK, "application/x-amz-json-1.1", answer))
			passing(t, name, s.Deliver(t.Context(), batchOf(`{}`, `{}`)))
			if err := s.Deliver(t.Context(), batchOf(`{}`, `{}`)); err != nil {
				t.Errorf("the next Deliver = %v", err)
			}
		})
	}
}

// TestWhatIsSaidOfAStreamOfKinesis: what its owner can mend passes.
func TestWhatIsSaidOfAStreamOfKinesis(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		code, text string
		permanent  bool
	}{
		{"ResourceNotFoundException", "Stream events under account 123456789012 not found.", false},
		{"AccessDeniedException", "User is not authorized to perform: kinesis:PutRecords", false},
		{"ProvisionedThroughputExceededException", "Rate exceeded", false},
		{"KMSThrottlingException", "Rate exceeded", false},
		{"KMSDisabledException", "The key is disabled", false},
		{"ValidationException", "1 validation error detected: Value at 'streamARN' failed to satisfy constraint", false},
		{"ValidationException", "1 validation error detected: Value at 'records.1.member.data' failed to satisfy constraint: Member must have length less than or equal to 1048576", true},
		{"InvalidArgumentException", "Records size exceeds 5 MB limit", true},
	} {
		t.Run(tc.code, func(t *testing.T) {
			t.Parallel()
			d := newDouble(t)
			d.then(failing(http.StatusBadRequest, tc.code, tc.text))
			if err := openEvents(t, d).Deliver(t.Context(), batchOf(`{}`, `{}`)); err == nil || errors.Is(err, sink.ErrPermanent) != tc.permanent {
				t.Errorf("Deliver, answered with %q = %v, want permanent: %v", tc.text, err, tc.permanent)
			}
		})
	}
}
