package awssink

import (
	"cmp"
	"slices"

	"tidings/internal/sink"
)

// The bounds of a request. Source: CloudWatch Logs API Reference, "PutLogEvents".
const (
	callCount     = 10_000
	callBytes     = 1 << 20
	eventOverhead = 26 // bytes counted for each event beside its text
)

// logEvent is a delivery as CloudWatch Logs wants it.
type logEvent struct {
	index  int // in the batch
	stream string
	time   int64 // ms since 1970
	text   string
}

// call is what one request carries: events of one stream, by time.
type call []logEvent

func (c call) indices() []int {
	all := make([]int, len(c))
	for i := range c {
		all[i] = c[i].index
	}
	return all
}

// arrange sorts the batch by stream and time; what is of one time stays in order. Records
// that no request can carry are refused.
func arrange(batch []sink.Delivery, result *tally) []logEvent {
	events := make([]logEvent, 0, len(batch))
	var last *sink.Delivery
	for i := range batch {
		d := &batch[i]
		if err := checkText(d.Event.Record, callBytes-eventOverhead); err != nil {
			result.refuse(i, d, err)
			continue
		}
		e := logEvent{index: i, time: max(0, d.Event.Time.UnixMilli()), text: string(d.Event.Record)}
		if last != nil && sameStream(last, d) {
			e.stream = events[len(events)-1].stream
		} else {
			e.stream = streamName(d)
		}
		events, last = append(events, e), d
	}
	slices.SortStableFunc(events, func(a, b logEvent) int {
		return cmp.Or(cmp.Compare(a.stream, b.stream), cmp.Compare(a.time, b.time))
	})
	return events
}

// sameStream spares making the same name again and again.
func sameStream(a, b *sink.Delivery) bool {
	const day = 24 * 60 * 60
	return a.Set == b.Set && a.Destination == b.Destination &&
		min(a.Event.Time.Unix(), b.Event.Time.Unix()) >= 0 && a.Event.Time.Unix()/day == b.Event.Time.Unix()/day
}

// cut divides arranged events into calls.
func cut(events []logEvent) []call {
	var calls []call
	from, bytes := 0, 0
	for i := range events {
		size := len(events[i].text) + eventOverhead
		if i > from && (i-from == callCount || bytes+size > callBytes || events[i].stream != events[from].stream) {
			calls = append(calls, events[from:i])
			from, bytes = i, 0
		}
		bytes += size
	}
	if from < len(events) {
		calls = append(calls, events[from:])
	}
	return calls
}
