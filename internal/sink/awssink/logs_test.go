package awssink

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"tidings/internal/sink"
)

const theGroup = "/voice/calls"

func openLogs(tb testing.TB, d *double, s Settings) sink.Sink {
	tb.Helper()
	return openSink(tb, newDriver(tb, s), target("logs", "log-group:"+theGroup))
}

// TestStreamsAreMadeOnce delivers to a stream that is missing, then to the same.
func TestStreamsAreMadeOnce(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	s := openLogs(t, d, d.settings())
	for range 2 {
		if err := s.Deliver(t.Context(), batchOf(`{}`)); err != nil {
			t.Fatalf("Deliver = %v", err)
		}
	}
	want := []string{"logs.PutLogEvents", "logs.CreateLogStream", "logs.PutLogEvents", "logs.PutLogEvents"}
	if got := d.took(); !slices.Equal(got, want) {
		t.Errorf("calls = %q, want %q", got, want)
	}
	day := time.Now().UTC().Format("2006/01/02")
	if got := d.groups[theGroup]["set/d/"+day]; len(got) != 2 {
		t.Errorf("the group has %v, want two events in set/d/%s", d.groups[theGroup], day)
	}
}

// TestSomebodyElseMakesTheStream: that it exists already is as good.
func TestSomebodyElseMakesTheStream(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	s := openLogs(t, d, d.settings())
	if err := s.Deliver(t.Context(), batchOf(`{}`)); err != nil {
		t.Fatalf("Deliver = %v", err)
	}
	d.took()
	d.then(failing(http.StatusBadRequest, "ResourceNotFoundException", "The specified log stream does not exist."))
	if err := s.Deliver(t.Context(), batchOf(`{}`)); err != nil {
		t.Errorf("Deliver = %v, want nil: the stream exists by now", err)
	}
	want := []string{"logs.PutLogEvents", "logs.CreateLogStream", "logs.PutLogEvents"}
	if got := d.took(); !slices.Equal(got, want) {
		t.Errorf("calls = %q, want %q", got, want)
	}
}

func TestAMissingGroupMayComeBack(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	s := openSink(t, newDriver(t, d.settings()), target("logs", "log-group:missing"))
	err := s.Deliver(t.Context(), batchOf(`{}`))
	if err == nil || errors.Is(err, sink.ErrPermanent) {
		t.Errorf("Deliver = %v, want a failure that may pass", err)
	}
	if want := "logs CreateLogStream: ResourceNotFoundException: The specified log group does not exist. (HTTP 400)"; err.Error() != want {
		t.Errorf("Deliver = %q, want %q", err, want)
	}
	if got := len(d.took()); got != 2 {
		t.Errorf("%d calls, want 2: one attempt, one stream", got)
	}
	d.mu.Lock()
	d.groups["missing"] = map[string][]logged{}
	d.mu.Unlock()
	if err := s.Deliver(t.Context(), batchOf(`{}`)); err != nil {
		t.Errorf("Deliver after the group was made = %v", err)
	}
}

// TestEventsGoByTime mixes times, days, sets and destinations.
func TestEventsGoByTime(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	s := openLogs(t, d, d.settings())
	at := func(hours float64) time.Time {
		return time.Date(2026, 11, 5, 0, 0, 0, 0, time.UTC).Add(time.Duration(hours * float64(time.Hour)))
	}
	batch := batchOf("0", "1", "2", "3", "4", "5", "6", "7")
	for i, when := range []time.Time{at(23.9), at(3), at(24), at(3), at(-30), at(1), at(24), at(3)} {
		batch[i].Event.Time = when
	}
	batch[3].Set, batch[3].Destination = "a:b*", "ü "
	batch[5].Set, batch[5].Destination = "", strings.Repeat("x", 600)
	if err := s.Deliver(t.Context(), batch); err != nil {
		t.Fatalf("Deliver = %v", err)
	}
	got := map[string][]string{}
	for stream, events := range d.groups[theGroup] {
		for _, e := range events {
			got[stream] = append(got[stream], e.Text)
		}
	}
	want := map[string][]string{
		"set/d/2026/11/05":   {"1", "7", "0"},
		"set/d/2026/11/06":   {"2", "6"},
		"set/d/2026/11/03":   {"4"},
		"a_b_/__/2026/11/05": {"3"},
		"-/" + strings.Repeat("x", 200) + "/2026/11/05": {"5"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("streams (-want +got):\n%s", diff)
	}
	if events := d.groups[theGroup]["set/d/2026/11/06"]; events[0].Time != at(24).UnixMilli() {
		t.Errorf("timestamp = %d, want that of the event, %d", events[0].Time, at(24).UnixMilli())
	}
}

// TestOddTimes: CloudWatch Logs knows no time before 1970, and would refuse the whole call.
func TestOddTimes(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	s := openLogs(t, d, d.settings())
	batch := batchOf("zero", "before", "epoch")
	batch[0].Event.Time = time.Time{}
	batch[1].Event.Time = time.Unix(-1, 0)
	batch[2].Event.Time = time.Unix(0, 0)
	if err := s.Deliver(t.Context(), batch); err != nil {
		t.Fatalf("Deliver = %v", err)
	}
	for stream, text := range map[string]string{"set/d/0001/01/01": "zero", "set/d/1969/12/31": "before", "set/d/1970/01/01": "epoch"} {
		if got := d.groups[theGroup][stream]; len(got) != 1 || got[0] != (logged{0, text}) {
			t.Errorf("stream %s has %v, want %s at 0", stream, got, text)
		}
	}
}

// TestManySmallEventsTakeSeveralCalls: 26 bytes are counted beside each.
func TestManySmallEventsTakeSeveralCalls(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	s := openLogs(t, d, d.settings())
	l := s.Limits()
	for name, tc := range map[string]struct{ count, size, calls int }{
		"10,000 of 79 bytes":   {10_000, 79, 2}, // 1,050,000 counted
		"10,000 of 78 bytes":   {10_000, 78, 1}, // 1,040,000 counted
		"as many as may":       {l.Count, l.Bytes / l.Count, 2},
		"2,500 of a full call": {2_500, l.Bytes / 2_500, 1},
	} {
		t.Run(name, func(t *testing.T) {
			d.took()
			records := make([]string, tc.count)
			for i := range records {
				records[i] = fmt.Sprintf("%0*d", tc.size, i)
			}
			batch := batchOf(records...)
			for i := range batch {
				batch[i].Destination = strings.ReplaceAll(name, " ", "-")
			}
			if err := s.Deliver(t.Context(), batch); err != nil {
				t.Fatalf("Deliver = %v", err)
			}
			if got := len(d.took()) - 2; got != tc.calls {
				t.Errorf("%d calls, want %d", got, tc.calls)
			}
		})
	}
	if err := s.Deliver(t.Context(), batchOf(strings.Repeat("x", 1<<20-26))); err != nil {
		t.Errorf("Deliver of the longest event = %v", err)
	}
	if err := s.Deliver(t.Context(), batchOf(strings.Repeat("x", 1<<20-25))); !errors.Is(err, sink.ErrPermanent) {
		t.Errorf("Deliver of a longer event = %v, want a permanent failure", err)
	}
}

// TestRejectedEventsAreLostForGood checks that each becomes a permanent failure of the
// delivery it was, in whatever order the batch came.
func TestRejectedEventsAreLostForGood(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	settings := d.settings()
	registry := prometheus.NewRegistry()
	settings.Metrics = NewMetrics(registry)
	s := openLogs(t, d, settings)
	batch := batchOf("0", "1", "2", "3", "4", "5")
	slices.Reverse(batch) // now 5 is the first, and the latest
	d.then(saying(http.StatusOK, "application/x-amz-json-1.1",
		`{"nextSequenceToken":"1","rejectedLogEventsInfo":{"expiredLogEventEndIndex":1,"tooOldLogEventEndIndex":2,"tooNewLogEventStartIndex":4}}`))
	partial, ok := errors.AsType[*sink.PartialError](s.Deliver(t.Context(), batch))
	if !ok {
		t.Fatal("Deliver is no partial failure")
	}
	got := map[int]string{}
	for i, err := range partial.Failed {
		if !errors.Is(err, sink.ErrPermanent) {
			t.Errorf("failure %d = %v, want a permanent one", i, err)
		}
		got[i] = strings.TrimPrefix(err.Error(), "permanent: logs PutLogEvents: the event was rejected, ")
	}
	want := map[int]string{
		5: "it is older than the log group's retention", 4: "it is older than 14 days",
		0: "its time is more than 2 hours ahead", 1: "its time is more than 2 hours ahead",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rejected (-want +got):\n%s", diff)
	}
	for reason, want := range map[string]float64{"too_new": 2, "too_old": 1, "expired": 1} {
		if got := testutil.ToFloat64(settings.Metrics.rejected.WithLabelValues(reason)); got != want {
			t.Errorf("rejected with reason %s: %v, want %v", reason, got, want)
		}
	}
}

func TestRejectionsOutOfRange(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		info string
		want int // of 3 events
	}{
		{`{}`, 0},
		{`{"tooNewLogEventStartIndex":3}`, 0},
		{`{"tooNewLogEventStartIndex":-1}`, 3},
		{`{"tooNewLogEventStartIndex":2147483647}`, 0},
		{`{"tooOldLogEventEndIndex":0}`, 1},
		{`{"tooOldLogEventEndIndex":-5}`, 1},
		{`{"expiredLogEventEndIndex":99}`, 3},
		{`{"expiredLogEventEndIndex":1,"tooOldLogEventEndIndex":2,"tooNewLogEventStartIndex":2}`, 3},
	} {
		d := newDouble(t)
		s := openLogs(t, d, d.settings())
		d.then(saying(http.StatusOK, "application/x-amz-json-1.1", `{"rejectedLogEventsInfo":`+tc.info+`}`))
		failed := 0
		if partial, ok := errors.AsType[*sink.PartialError](s.Deliver(t.Context(), batchOf("0", "1", "2"))); ok {
			failed = len(partial.Failed)
		}
		if failed != tc.want {
			t.Errorf("%s rejects %d of 3 events, want %d", tc.info, failed, tc.want)
		}
	}
}

// TestOneCallFailsAndTheOthersDoNot sends three days, of which the middle one is throttled.
func TestOneCallFailsAndTheOthersDoNot(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	s := openLogs(t, d, d.settings())
	batch := batchOf("0", "1", "2")
	for i := range batch {
		batch[i].Event.Time = time.Date(2026, 11, 5+i, 12, 0, 0, 0, time.UTC)
	}
	if err := s.Deliver(t.Context(), batch); err != nil {
		t.Fatalf("Deliver = %v", err)
	}
	none := func(http.ResponseWriter, *request) bool { return false }
	d.then(none, failing(http.StatusBadRequest, "ThrottlingException", "Rate exceeded"))
	err := s.Deliver(t.Context(), batch)
	partial, ok := errors.AsType[*sink.PartialError](err)
	if !ok || len(partial.Failed) != 1 || partial.Failed[1] == nil || errors.Is(partial.Failed[1], sink.ErrPermanent) {
		t.Errorf("Deliver = %v, want a failure of the second that may pass", err)
	}
	if got, want := texts(d.received(t)[3:]), []string{"0", "2"}; !slices.Equal(got, want) {
		t.Errorf("received %q, want %q", got, want)
	}
}

func TestAnEmptyAnswerIsNoSuccess(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	s := openLogs(t, d, d.settings())
	for _, body := range []string{"", "<html></html>", "null?", `{"rejectedLogEventsInfo":7}`} {
		d.then(saying(http.StatusOK, "text/html", body))
		if err := s.Deliver(t.Context(), batchOf("{}")); err == nil || errors.Is(err, sink.ErrPermanent) {
			t.Errorf("Deliver, answered with %q = %v, want a failure that may pass", body, err)
		}
	}
}

func TestWhatIsSaidOfEvents(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		code, text string
		want       bool
	}{
		{"InvalidParameterException", "Log event too large: 262188 bytes exceeds limit of 262144", true},
		{"InvalidParameterException", "Upload too large: 1048600 bytes exceeds limit of 1048576", true},
		{"InvalidParameterException", "1 validation error detected: Value '' at 'logEvents.1.member.message' failed to satisfy constraint", true},
		{"InvalidParameterException", "Log events in a single PutLogEvents request must be in chronological order.", false},
		{"InvalidParameterException", "1 validation error detected: Value 'x:y' at 'logStreamName' failed to satisfy constraint", false},
		{"ThrottlingException", "Upload too large", false},
	} {
		if got := badLogEvent(tc.code, tc.text); got != tc.want {
			t.Errorf("badLogEvent(%q, %q) = %v, want %v", tc.code, tc.text, got, tc.want)
		}
	}
}
