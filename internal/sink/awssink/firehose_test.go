package awssink

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tidings/internal/sink"
)

func TestRecordsEndWithANewline(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	s := openSink(t, newDriver(t, d.settings()), target("firehose", "deliverystream/calls"))
	if err := s.Deliver(t.Context(), batchOf(`{"a": "<&>"}`, "{\n\"b\":\r\n1}", `{"c":"\n"}`)); err != nil {
		t.Fatalf("Deliver = %v", err)
	}
	want := []string{"{\"a\": \"<&>\"}\n", "{\"b\":1}\n", "{\"c\":\"\\n\"}\n"}
	if got := texts(d.received(t)); !slices.Equal(got, want) {
		t.Errorf("received %q, want %q", got, want)
	}
}

func TestSizesOfRecords(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	s := openSink(t, newDriver(t, d.settings()), target("firehose", "deliverystream/calls"))
	largest := strings.Repeat("x", 1_024_000-1)
	if err := s.Deliver(t.Context(), batchOf(largest)); err != nil {
		t.Errorf("Deliver of 1,000 KiB with the newline = %v", err)
	}
	for name, record := range map[string]string{"too long": largest + "x", "empty": "", "no JSON on two lines": "{\n}}"} {
		if err := s.Deliver(t.Context(), batchOf(record)); !errors.Is(err, sink.ErrPermanent) {
			t.Errorf("Deliver of a record that is %s = %v, want a permanent failure", name, err)
		}
	}
	if got := len(d.took()); got != 1 {
		t.Errorf("%d requests, want 1: what cannot be sent is not", got)
	}
}

func TestOnlyFailedRecordsFail(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	s := openSink(t, newDriver(t, d.settings()), target("firehose", "deliverystream/calls"))
	batch := batchOf(`{"n":0}`, ``, `{"n":2}`, `{"n":3}`, `{"n":4}`)
	d.then(saying(http.StatusOK, "application/x-amz-json-1.1", `{"FailedPutCount":3,"Encrypted":false,"RequestResponses":[
		{"RecordId":"r"},
		{"ErrorCode":"ServiceUnavailableException","ErrorMessage":"Slow down."},
		{"ErrorCode":"InternalFailure"},
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
	if err := s.Deliver(t.Context(), []sink.Delivery{batch[2], batch[3]}); err != nil {
		t.Errorf("Deliver of what failed = %v", err)
	}
	if got, want := texts(d.received(t)), []string{"{\"n\":2}\n", "{\"n\":3}\n"}; !slices.Equal(got, want) {
		t.Errorf("sent again %q, want %q", got, want)
	}
}

// TestNonsenseIsAFailureOfAll: nothing of an answer is believed that cannot be right.
func TestNonsenseIsAFailureOfAll(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{
		"too few":              `{"FailedPutCount":0,"RequestResponses":[{"RecordId":"1"}]}`,
		"too many":             `{"FailedPutCount":0,"RequestResponses":[{"RecordId":"1"},{"RecordId":"2"},{"RecordId":"3"}]}`,
		"none":                 `{}`,
		"empty":                ``,
		"neither ID nor error": `{"FailedPutCount":0,"RequestResponses":[{"RecordId":"1"},{}]}`,
		"counted, not told":    `{"FailedPutCount":1,"RequestResponses":[{"RecordId":"1"},{"RecordId":"2"}]}`,
		"told, not counted":    `{"FailedPutCount":0,"RequestResponses":[{"RecordId":"1"},{"ErrorCode":"InternalFailure"}]}`,
		"another type":         `{"FailedPutCount":"x","RequestResponses":7}`,
		"cut off":              `{"FailedPutCount":0,"RequestResponses":[{"RecordId":"1"},{"RecordId":`,
		"HTML":                 `<html><body>Welcome to the hotel</body></html>`,
		"a list":               `[]`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDouble(t)
			s := openSink(t, newDriver(t, d.settings()), target("firehose", "deliverystream/calls"))
			d.then(saying(http.StatusOK, "application/x-amz-json-1.1", answer))
			err := s.Deliver(t.Context(), batchOf(`{}`, `{}`))
			if _, partial := errors.AsType[*sink.PartialError](err); err == nil || partial || errors.Is(err, sink.ErrPermanent) {
				t.Errorf("Deliver = %v, want a failure of all that may pass", err)
			}
			if err := s.Deliver(t.Context(), batchOf(`{}`, `{}`)); err != nil {
				t.Errorf("the next Deliver = %v", err)
			}
		})
	}
}

// TestCountsAreOptional: an emulator may leave the count out.
func TestCountsAreOptional(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	s := openSink(t, newDriver(t, d.settings()), target("firehose", "deliverystream/calls"))
	d.then(saying(http.StatusOK, "application/x-amz-json-1.1", `{"RequestResponses":[{"RecordId":"1"}]}`))
	if err := s.Deliver(t.Context(), batchOf(`{}`)); err != nil {
		t.Errorf("Deliver = %v", err)
	}
}

func TestAFullBatchOfFirehoseIsWithinItsLimits(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	s := openSink(t, newDriver(t, d.settings()), target("firehose", "deliverystream/calls"))
	l := s.Limits()
	records := make([]string, l.Count)
	for i := range records {
		records[i] = fmt.Sprintf("%0*d", l.Bytes/l.Count, i)
	}
	if err := s.Deliver(t.Context(), batchOf(records...)); err != nil {
		t.Errorf("Deliver of %d records of %d bytes = %v", l.Count, l.Bytes/l.Count, err)
	}
}

func TestWhatIsSaidOfRecords(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		code, text string
		want       bool
	}{
		{"InvalidArgumentException", "Records size exceeds 4 MB limit", true},
		{"ValidationException", "1 validation error detected: Value at 'records.1.member.data' failed to satisfy constraint", true},
		{"InvalidArgumentException", "This operation is not permitted on KinesisStreamAsSource delivery stream type.", false},
		{"ValidationException", "Value '' at 'deliveryStreamName' failed to satisfy constraint", false},
		{"ServiceUnavailableException", "Record size exceeds limit", false},
	} {
		if got := badRecord(tc.code, tc.text); got != tc.want {
			t.Errorf("badRecord(%q, %q) = %v, want %v", tc.code, tc.text, got, tc.want)
		}
	}
}
