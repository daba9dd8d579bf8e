package sink_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tidings/internal/configset"
	"tidings/internal/event"
	"tidings/internal/sink"
)

func TestMetricOf(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	record := `{"mail":{"headers":[{"name":"X-Team","value":" red "},{"name":"x-team","value":"blue"}],
		"tags":{"campaign":["autumn","late"],"ünicode":["x"],"odd":["grün"],"long":["` + strings.Repeat("a", 1025) + `"]}},
		"click":{"linkTags":{"place":["footer"]}}}`
	dimension := func(name string, source configset.DimensionSource) configset.Dimension {
		return configset.Dimension{Name: name, Source: source, Default: "none"}
	}
	for _, test := range []struct {
		name      string
		dimension configset.Dimension
		want      string // "" = no metric
	}{
		{"a tag, the first of its values", dimension("campaign", configset.MessageTag), "autumn"},
		{"a tag that is missing", dimension("color", configset.MessageTag), "none"},
		{"a header, the first of its name, in any case", dimension("x-TEAM", configset.EmailHeader), "red"},
		{"a header that is missing", dimension("campaign", configset.EmailHeader), "none"},
		{"a tag of a link", dimension("place", configset.LinkTag), "footer"},
		{"a tag of a message is none of a link", dimension("campaign", configset.LinkTag), "none"},
		{"a value that is no ASCII", dimension("odd", configset.MessageTag), ""},
		{"a value that is too long", dimension("long", configset.MessageTag), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			e := event.Event{Type: event.EmailClick, Time: at, Record: []byte(record)}
			got, err := sink.MetricOf(&e, []configset.Dimension{test.dimension})
			if test.want == "" {
				if !errors.Is(err, sink.ErrNoMetric) {
					t.Fatalf("MetricOf = %v, %v, want ErrNoMetric", got, err)
				}
				return
			}
			want := sink.Metric{Name: "Click", Time: at, Dimensions: []sink.MetricDimension{{Name: test.dimension.Name, Value: test.want}}}
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("MetricOf: %v, (-want +got):\n%s", err, diff)
			}
		})
	}
	for name, e := range map[string]event.Event{
		"an event of a call":    {Type: event.VoiceAnswered, Record: []byte(`{}`)},
		"a record that is none": {Type: event.EmailSend, Record: []byte(`{`)},
	} {
		if _, err := sink.MetricOf(&e, nil); err == nil || errors.Is(err, sink.ErrNoMetric) {
			t.Errorf("%s: MetricOf = %v, want another error", name, err)
		}
	}
}

func TestNotificationOf(t *testing.T) {
	t.Parallel()
	const subject = "Amazon SES Email Event Notification"
	for _, test := range []struct {
		name  string
		event event.Event
		want  sink.Notification
	}{
		{"of a call", event.Event{Type: event.VoiceAnswered, Record: []byte(`{"a":1}`)}, sink.Notification{Message: `{"a":1}`}},
		{"of a mail", event.Event{Type: event.EmailBounce, Record: []byte(`{"a":1}`)}, sink.Notification{Subject: subject, Message: `{"a":1}`}},
		{"in plain words", event.Event{Type: event.EmailValidation, Record: []byte(`"It is \u00fc."`)}, sink.Notification{Message: "It is ü."}},
		{"a string that is none", event.Event{Type: event.EmailSend, Record: []byte(`"open`)}, sink.Notification{Subject: subject, Message: `"open`}},
	} {
		if got := sink.NotificationOf(&test.event); got != test.want {
			t.Errorf("%s: NotificationOf = %+v, want %+v", test.name, got, test.want)
		}
	}
}
