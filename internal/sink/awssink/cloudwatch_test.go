package awssink

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tidings/internal/configset"
	"tidings/internal/event"
	"tidings/internal/sink"
	"tidings/internal/tenant"
)

// metricsTarget is the target of metrics with one dimension, campaign.
func metricsTarget(tb testing.TB) sink.Target {
	tb.Helper()
	t, err := sink.NewTarget(tenant.Tenant{Account: theAccount, Region: theRegion}, configset.Destination{Kind: configset.CloudWatch},
		configset.Dimension{Name: "campaign", Source: configset.MessageTag, Default: "none"})
	if err != nil {
		tb.Fatalf("NewTarget = %v", err)
	}
	return t
}

// mail makes a delivery of an event about a mail of a campaign; "" = of none.
func mail(id string, what event.Type, at time.Time, campaign string) sink.Delivery {
	record := `{"mail":{"tags":{}}}`
	if campaign != "" {
		record = fmt.Sprintf(`{"mail":{"tags":{"campaign":[%q]}}}`, campaign)
	}
	return sink.Delivery{ID: id, Event: event.Event{ID: id, Type: what, Time: at, Record: []byte(record)}}
}

func TestMetricsAreAddedUp(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	settings := d.settings()
	settings.Namespace = "Acme/Mail"
	s := openSink(t, newDriver(t, settings), metricsTarget(t))
	at := time.Now().UTC().Truncate(time.Minute)
	batch := []sink.Delivery{
		mail("1", event.EmailSend, at, "autumn"),
		mail("2", event.EmailDelivery, at, "autumn"),
		mail("3", event.EmailSend, at.Add(59*time.Second), "autumn"),
		mail("4", event.EmailSend, at, ""),
		mail("5", event.EmailSend, at.Add(-time.Minute), "autumn"),
		mail("6", event.EmailSend, at, "grün"), // goes out, and is not counted
	}
	if err := s.Deliver(t.Context(), batch); err != nil {
		t.Fatalf("Deliver = %v", err)
	}
	now, before := at.Format(time.RFC3339), at.Add(-time.Minute).Format(time.RFC3339)
	want := []metricSeen{
		{"Send", "campaign=autumn;", now, "1", "2"},
		{"Delivery", "campaign=autumn;", now, "1", "1"},
		{"Send", "campaign=none;", now, "1", "1"},
		{"Send", "campaign=autumn;", before, "1", "1"},
	}
	if diff := cmp.Diff(want, d.metrics); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"Acme/Mail"}, d.namespaces); diff != "" {
		t.Errorf("namespaces (-want +got):\n%s", diff)
	}
}

// TestMetricsThatCannotBe delivers what CloudWatch would never take beside what it takes.
func TestMetricsThatCannotBe(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	s := openSink(t, newDriver(t, d.settings()), metricsTarget(t))
	now := time.Now()
	partial, ok := errors.AsType[*sink.PartialError](s.Deliver(t.Context(), []sink.Delivery{
		mail("old", event.EmailSend, now.Add(-15*24*time.Hour), ""),
		mail("good", event.EmailSend, now, ""),
		mail("new", event.EmailSend, now.Add(3*time.Hour), ""),
		mail("call", event.VoiceAnswered, now, ""),
	}))
	if !ok {
		t.Fatal("Deliver is no partial failure")
	}
	for _, i := range []int{0, 2, 3} {
		if !errors.Is(partial.Failed[i], sink.ErrPermanent) {
			t.Errorf("Failed[%d] = %v, want a failure for good", i, partial.Failed[i])
		}
	}
	if _, failed := partial.Failed[1]; failed || len(d.metrics) != 1 {
		t.Errorf("Failed[1] = %v, %d metrics have come, want 1", partial.Failed[1], len(d.metrics))
	}
	if d.namespaces[0] != sink.MetricNamespace {
		t.Errorf("namespace = %q, want %q", d.namespaces[0], sink.MetricNamespace)
	}
}

func TestMetricsAreRefusedAsAWhole(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	s := openSink(t, newDriver(t, d.settings()), metricsTarget(t))
	d.then(func(w http.ResponseWriter, r *request) bool {
		r.fail(w, http.StatusInternalServerError, "InternalFailure", "later")
		return true
	})
	batch := []sink.Delivery{mail("1", event.EmailSend, time.Now(), ""), mail("2", event.EmailOpen, time.Now(), "")}
	err := s.Deliver(t.Context(), batch)
	if want := "cloudwatch PutMetricData: InternalFailure: later (HTTP 500)"; err == nil || err.Error() != want || errors.Is(err, sink.ErrPermanent) {
		t.Errorf("Deliver = %v, want %q, not for good", err, want)
	}
	if err := s.Deliver(t.Context(), batch); err != nil || len(d.metrics) != 2 {
		t.Errorf("Deliver once more = %v, %d metrics have come, want 2", err, len(d.metrics))
	}
}

func TestNamespaces(t *testing.T) {
	t.Parallel()
	for namespace, want := range map[string]bool{"": true, "Acme/Mail": true, "AWS/SES": true, ":x": false, "a b": false} {
		if _, err := New(Settings{Namespace: namespace}); (err == nil) != want {
			t.Errorf("New with namespace %q = %v, want it to work: %v", namespace, err, want)
		}
	}
}

// TestNotificationsOfMail publishes with the subject of SES, alone and in a batch.
func TestNotificationsOfMail(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	s := openSink(t, newDriver(t, d.settings()), target("sns", "alerts"))
	hello := sink.Delivery{ID: "v", Event: event.Event{ID: "v", Type: event.EmailValidation, Record: []byte(`"Hello."`)}}
	sent := mail("s", event.EmailSend, time.Now(), "")
	for _, batch := range [][]sink.Delivery{{hello}, {sent}, {hello, sent}} {
		if err := s.Deliver(t.Context(), batch); err != nil {
			t.Fatalf("Deliver = %v", err)
		}
	}
	type seen struct{ Subject, Message string }
	const in = "PublishBatchRequestEntries.member."
	got := []seen{
		{d.forms[0].Get("Subject"), d.forms[0].Get("Message")},
		{d.forms[1].Get("Subject"), d.forms[1].Get("Message")},
		{d.forms[2].Get(in + "1.Subject"), d.forms[2].Get(in + "1.Message")},
		{d.forms[2].Get(in + "2.Subject"), d.forms[2].Get(in + "2.Message")},
	}
	record, subject := string(sent.Event.Record), "Amazon SES Email Event Notification"
	want := []seen{{"", "Hello."}, {subject, record}, {"", "Hello."}, {subject, record}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("notifications (-want +got):\n%s", diff)
	}
}
