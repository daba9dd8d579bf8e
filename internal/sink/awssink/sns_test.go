package awssink

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tidings/internal/sink"
)

func TestOneIsPublishedAloneAndMoreInABatch(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	s := openSink(t, newDriver(t, d.settings()), target("sns", "alerts"))
	for _, records := range [][]string{{`{"n":1}`}, {`{"n":2}`, `{"n":3}`}, {``, `{"n":4}`}} {
		err := s.Deliver(t.Context(), batchOf(records...))
		if _, partial := errors.AsType[*sink.PartialError](err); err != nil && !partial {
			t.Errorf("Deliver(%q) = %v", records, err)
		}
	}
	if got, want := d.took(), []string{"sns.Publish", "sns.PublishBatch", "sns.Publish"}; !slices.Equal(got, want) {
		t.Errorf("calls = %q, want %q", got, want)
	}
	if got, want := texts(d.received(t)), []string{`{"n":1}`, `{"n":2}`, `{"n":3}`, `{"n":4}`}; !slices.Equal(got, want) {
		t.Errorf("received %q, want %q", got, want)
	}
	form := d.forms[0]
	for name, want := range map[string]string{"TopicArn": "arn:aws:sns:eu-central-1:123456789012:alerts", "Message": `{"n":1}`} {
		if form.Get(name) != want {
			t.Errorf("%s = %q, want %q", name, form.Get(name), want)
		}
	}
	for _, name := range []string{"Subject", "MessageStructure", "MessageGroupId"} {
		if form.Has(name) {
			t.Errorf("%s = %q, want none", name, form.Get(name))
		}
	}
}

// TestOnlyFailedEntriesFail sends a batch of five, of which the far end takes two, and
// then sends again what has failed.
func TestOnlyFailedEntriesFail(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	s := openSink(t, newDriver(t, d.settings()), target("sns", "alerts"))
	batch := batchOf(`{"n":0}`, `{"n":1}`, `{"n":2}`, `{"n":3}`, `{"n":4}`)
	d.then(func(w http.ResponseWriter, r *request) bool {
		e := r.entries()
		writeBatchResult(w, ok(e[0].ID)+ok(e[2].ID)+ok(e[2].ID)+ok("nobody"),
			member(e[1].ID, "InternalError", "later", false)+
				member(e[2].ID, "Throttled", "said both", false)+
				member(e[3].ID, "InvalidParameter", "Invalid parameter: Message too long", true)+
				member("nobody", "InvalidParameter", "?", true)) // e[4] is not mentioned
		return true
	})
	partial, ok := errors.AsType[*sink.PartialError](s.Deliver(t.Context(), batch))
	if !ok {
		t.Fatal("Deliver is no partial failure")
	}
	got := map[int]bool{}
	for i, err := range partial.Failed {
		got[i] = errors.Is(err, sink.ErrPermanent)
	}
	if diff := cmp.Diff(map[int]bool{1: false, 2: false, 3: true, 4: false}, got); diff != "" {
		t.Errorf("failed, by whether for good (-want +got):\n%s", diff)
	}
	if want := "sns PublishBatch: InternalError: later"; partial.Failed[1].Error() != want {
		t.Errorf("the first failure is %q, want %q", partial.Failed[1], want)
	}
	if err := s.Deliver(t.Context(), []sink.Delivery{batch[1], batch[2], batch[4]}); err != nil {
		t.Errorf("Deliver of what failed = %v", err)
	}
	if got, want := texts(d.received(t)), []string{`{"n":1}`, `{"n":2}`, `{"n":4}`}; !slices.Equal(got, want) {
		t.Errorf("sent again %q, want %q", got, want)
	}
}

func ok(id string) string { return "<member><Id>" + id + "</Id><MessageId>m</MessageId></member>" }

func TestSizesOfMessages(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	s := openSink(t, newDriver(t, d.settings()), target("sns", "alerts"))
	largest := strings.Repeat("ä", 131_072)
	if err := s.Deliver(t.Context(), batchOf(largest)); err != nil {
		t.Errorf("Deliver of 262,144 bytes = %v", err)
	}
	for name, record := range map[string]string{"too long": largest + "x", "empty": "", "blank": "\n", "no UTF-8": "\xc3("} {
		if err := s.Deliver(t.Context(), batchOf(record)); !errors.Is(err, sink.ErrPermanent) {
			t.Errorf("Deliver of a record that is %s = %v, want a permanent failure", name, err)
		}
	}
	if got := len(d.took()); got != 1 {
		t.Errorf("%d requests, want 1: what cannot be sent is not", got)
	}
}

func TestFIFOTopics(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	s := openSink(t, newDriver(t, d.settings()), target("sns", "alerts.fifo"))
	batch := batchOf(`{"n":0}`, `{"n":1}`, `{"n":2}`)
	batch[1].Event.Message = strings.Repeat("long", 33)
	batch[2].Event.Message = "with space"
	for range 2 {
		if err := s.Deliver(t.Context(), batch); err != nil {
			t.Fatalf("Deliver = %v", err)
		}
	}
	if err := s.Deliver(t.Context(), batch[:1]); err != nil {
		t.Fatalf("Deliver = %v", err)
	}
	first, second := (&request{form: d.forms[0]}).entries(), (&request{form: d.forms[1]}).entries()
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("a repeat differs (-first +second):\n%s", diff)
	}
	if first[0].Group != "message-0" || len(first[1].Group) != 64 || len(first[2].Group) != 64 {
		t.Errorf("groups = %q, %q, %q, want the message's ID, or a hash of it", first[0].Group, first[1].Group, first[2].Group)
	}
	if got := first[0].Deduplication; len(got) != 64 || got == first[1].Deduplication {
		t.Errorf("deduplication IDs = %q and %q, want hashes of the deliveries' IDs", got, first[1].Deduplication)
	}
	if got := d.forms[2]; got.Get("MessageGroupId") != "message-0" || got.Get("MessageDeduplicationId") != first[0].Deduplication {
		t.Errorf("one alone has group %q and deduplication ID %q, want those it has in a batch", got.Get("MessageGroupId"), got.Get("MessageDeduplicationId"))
	}
}

// TestWhatIsSaidOfMessages tells texts about the message from those about the topic. The
// texts were seen at AWS and at emulators.
func TestWhatIsSaidOfMessages(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		code, text string
		want       bool
	}{
		{"InvalidParameter", "Invalid parameter: Message too long", true},
		{"InvalidParameter", "Invalid parameter: Empty message", true},
		{"InvalidParameter", "Invalid parameter: Message Reason: unparseable", true},
		{"ValidationError", "The message is too long", true},
		{"BatchRequestTooLong", "The length of all the messages put together is more than the limit.", true},
		{"TooManyEntriesInBatchRequest", "The batch request contains more entries than permissible.", true},
		{"InvalidParameter", "Invalid parameter: TopicArn", false},
		{"InvalidParameter", "Invalid parameter: TopicArn Reason: no such region", false},
		{"InvalidParameter", "Invalid parameter: The MessageGroupId parameter is required for FIFO topics", false},
		{"InvalidParameter", "Invalid parameter: MessageGroupId", false},
		{"AuthorizationError", "Message too long", false},
		{"NotFound", "Topic does not exist", false},
		{"InternalError", "Empty message", false},
	} {
		if got := badMessage(tc.code, tc.text); got != tc.want {
			t.Errorf("badMessage(%q, %q) = %v, want %v", tc.code, tc.text, got, tc.want)
		}
	}
}

// TestABatchTooLongIsLeftToTheCourier: refused as a whole, it is delivered one by one.
func TestABatchTooLongIsLeftToTheCourier(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	s := openSink(t, newDriver(t, d.settings()), target("sns", "alerts"))
	d.then(failing(http.StatusBadRequest, "BatchRequestTooLong", "too long"), failing(http.StatusBadRequest, "BatchRequestTooLong", "too long"))
	err := s.Deliver(t.Context(), batchOf(`{}`, `{}`))
	if _, partial := errors.AsType[*sink.PartialError](err); partial || !errors.Is(err, sink.ErrPermanent) {
		t.Errorf("Deliver = %v, want a permanent failure of the whole batch", err)
	}
	// With a third that is bad in itself, nobody knows which of the two is to blame.
	partial, _ := errors.AsType[*sink.PartialError](s.Deliver(t.Context(), batchOf(`{}`, "", `{}`)))
	if partial == nil || len(partial.Failed) != 3 {
		t.Fatalf("Deliver = %v, want three failures", partial)
	}
	for i, want := range []bool{false, true, false} {
		if got := errors.Is(partial.Failed[i], sink.ErrPermanent); got != want {
			t.Errorf("failure %d = %v, permanent = %v, want %v", i, partial.Failed[i], got, want)
		}
	}
}
