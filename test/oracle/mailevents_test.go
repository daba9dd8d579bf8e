package oracle

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	sesclient "github.com/aws/aws-sdk-go-v2/service/ses"
	sestypes "github.com/aws/aws-sdk-go-v2/service/ses/types"
	sesv2client "github.com/aws/aws-sdk-go-v2/service/sesv2"
	sesv2types "github.com/aws/aws-sdk-go-v2/service/sesv2/types"
	"github.com/aws/aws-sdk-go/service/pinpoint"
	"github.com/aws/aws-sdk-go/service/pinpointemail"
	"github.com/google/go-cmp/cmp"
)

// eicar is the test string that every virus scanner takes for a virus. It stands here in two
// parts, so that none takes this file for one.
const eicar = `X5O!P%@AP[4\PZX54(P^)7CC)7}$` + `EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*`

// mailSetup makes, through each API one, event destinations of every kind, and returns the
// app that one of them is.
func mailSetup(t *testing.T, s *server) (app string) {
	t.Helper()
	v1, v2 := sesClient(s.API, testRegion), sesV2Client(s.API, testRegion)
	_, err := v1.CreateConfigurationSet(t.Context(), &sesclient.CreateConfigurationSetInput{ConfigurationSet: &sestypes.ConfigurationSet{Name: new("orders")}})
	must(t, "create the set", err)
	_, err = v1.CreateConfigurationSetEventDestination(t.Context(), &sesclient.CreateConfigurationSetEventDestinationInput{
		ConfigurationSetName: new("orders"), EventDestination: &sestypes.EventDestination{
			Name: new("topic"), Enabled: true, MatchingEventTypes: sestypes.EventType("").Values(),
			SNSDestination: &sestypes.SNSDestination{TopicARN: new("arn:aws:sns:us-east-1:123456789012:mails")},
		},
	})
	must(t, "create the topic's destination", err)
	everything := []sesv2types.EventType{"SEND", "REJECT", "BOUNCE", "COMPLAINT", "DELIVERY", "OPEN", "CLICK", "RENDERING_FAILURE"}
	_, err = v2.CreateConfigurationSetEventDestination(t.Context(), &sesv2client.CreateConfigurationSetEventDestinationInput{
		ConfigurationSetName: new("orders"), EventDestinationName: new("hose"), EventDestination: &sesv2types.EventDestinationDefinition{
			Enabled: true, MatchingEventTypes: everything,
			KinesisFirehoseDestination: &sesv2types.KinesisFirehoseDestination{
				DeliveryStreamArn: new("arn:aws:firehose:us-east-1:123456789012:deliverystream/mails"), IamRoleArn: new("arn:aws:iam::123456789012:role/r"),
			},
		},
	})
	must(t, "create the delivery stream's destination", err)
	_, err = v2.CreateConfigurationSetEventDestination(t.Context(), &sesv2client.CreateConfigurationSetEventDestinationInput{
		ConfigurationSetName: new("orders"), EventDestinationName: new("watch"), EventDestination: &sesv2types.EventDestinationDefinition{
			Enabled: true, MatchingEventTypes: everything, CloudWatchDestination: &sesv2types.CloudWatchDestination{
				DimensionConfigurations: []sesv2types.CloudWatchDimensionConfiguration{
					{DimensionName: new("campaign"), DimensionValueSource: "MESSAGE_TAG", DefaultDimensionValue: new("none")},
					{DimensionName: new("button"), DimensionValueSource: "LINK_TAG", DefaultDimensionValue: new("none")},
				},
			},
		},
	})
	must(t, "create the metrics' destination", err)

	app = createApp(t, s, "shop")
	session := newSession(t, s.API, testRegion)
	_, err = pinpoint.New(session).PutEventStreamWithContext(t.Context(), &pinpoint.PutEventStreamInput{
		ApplicationId: &app, WriteEventStream: &pinpoint.WriteEventStream{
			DestinationStreamArn: new("arn:aws:kinesis:us-east-1:123456789012:stream/mails"), RoleArn: new("arn:aws:iam::123456789012:role/r"),
		},
	})
	must(t, "put the event stream", err)
	types := make([]*string, len(everything))
	for i, word := range everything {
		types[i] = new(string(word))
	}
	_, err = pinpointemail.New(session).CreateConfigurationSetEventDestinationWithContext(t.Context(), &pinpointemail.CreateConfigurationSetEventDestinationInput{
		ConfigurationSetName: new("orders"), EventDestinationName: new("app"), EventDestination: &pinpointemail.EventDestinationDefinition{
			Enabled: new(true), MatchingEventTypes: types,
			PinpointDestination: &pinpointemail.PinpointDestination{ApplicationArn: new("arn:aws:mobiletargeting:us-east-1:123456789012:apps/" + app)},
		},
	})
	must(t, "create the app's destination", err)
	return app
}

// sendMails sends what makes every type of event happen, and returns the IDs by what becomes of each.
func sendMails(t *testing.T, s *server) map[string]string {
	t.Helper()
	v1, v2 := sesClient(s.API, testRegion), sesV2Client(s.API, testRegion)
	ids := map[string]string{}
	for what, to := range map[string]string{
		"read": "zoe@example.org", "bounce": "bounce@simulator.amazonses.com", "complaint": "complaint+1@simulator.amazonses.com",
		"suppressed": "suppressionlist@simulator.amazonses.com",
	} {
		out, err := v1.SendEmail(t.Context(), &sesclient.SendEmailInput{
			Source: new("Shop <shop@example.com>"), ConfigurationSetName: new("orders"), Destination: &sestypes.Destination{ToAddresses: []string{to}},
			Message: &sestypes.Message{
				Subject: &sestypes.Content{Data: new("Grüße & more")},
				Body: &sestypes.Body{
					Text: &sestypes.Content{Data: new("Hello")},
					Html: &sestypes.Content{Data: new(`<p>Hello <a ses:tags="button:buy;" href="https://shop.example/cart?a=1&amp;b=%C3%BC">buy</a> <a ses:no-track href="https://shop.example/off">off</a></p>`)},
				},
			},
			Tags: []sestypes.MessageTag{{Name: new("campaign"), Value: new("spring")}},
		})
		must(t, "send to "+to, err)
		ids[what] = *out.MessageId
	}
	virus, err := v2.SendEmail(t.Context(), &sesv2client.SendEmailInput{
		ConfigurationSetName: new("orders"), EmailTags: []sesv2types.MessageTag{{Name: new("campaign"), Value: new("autumn")}},
		Content: &sesv2types.EmailContent{Raw: &sesv2types.RawMessage{Data: []byte(strings.ReplaceAll(`From: shop@example.com
To: zoe@example.org
Subject: invoice
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b

--b

See the attachment.
--b
Content-Type: application/octet-stream; name=invoice.com
Content-Disposition: attachment; filename=invoice.com

`+eicar+`
--b--
`, "\n", "\r\n"))}},
	})
	must(t, "send a virus", err)
	ids["virus"] = *virus.MessageId
	_, err = v1.CreateTemplate(t.Context(), &sesclient.CreateTemplateInput{Template: &sestypes.Template{TemplateName: new("hello"), SubjectPart: new("Hello {{name}}"), TextPart: new("x")}})
	must(t, "create the template", err)
	failed, err := v1.SendTemplatedEmail(t.Context(), &sesclient.SendTemplatedEmailInput{
		Source: new("shop@example.com"), ConfigurationSetName: new("orders"), Destination: &sestypes.Destination{ToAddresses: []string{"zoe@example.org"}},
		Template: new("hello"), TemplateData: new("{}"),
	})
	must(t, "send what cannot be rendered", err)
	ids["unrendered"] = *failed.MessageId
	return ids
}

// TestMailEvents makes all eight types of events happen, and reads them from every kind of destination.
func TestMailEvents(t *testing.T) {
	t.Parallel()
	s := start(t, options{config: map[string]any{"email": map[string]any{"hello": "mail.example.com"}}})
	app := mailSetup(t, s)
	ids := sendMails(t, s)
	visitMail(t, s, ids["read"])
	values := map[string]string{"APP": app}
	for what, id := range ids {
		values[strings.ToUpper(what)] = id
	}
	want := wantedEvents(t, values)
	for _, place := range []string{"sns", "firehose", "kinesis"} {
		t.Run(place, func(t *testing.T) { checkMailEvents(t, s, place, want[place]) })
	}
	t.Run("cloudwatch", func(t *testing.T) { checkMetrics(t, s) })
}

// wantedEvents are the records that must be in the end, by the kind of destination and by message and type.
func wantedEvents(t *testing.T, values map[string]string) map[string]map[string]any {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "events", "mail.json"))
	must(t, "read the events", err)
	var pairs []string
	for name, value := range values {
		pairs = append(pairs, "{"+name+"}", value)
	}
	read, _ := decode(t, string(text)).(map[string]any)
	parts, _ := fill(read, strings.NewReplacer(pairs...)).(map[string]any)
	want := map[string]map[string]any{"sns": {}, "firehose": {}, "kinesis": {}}
	events, _ := parts["ses"].([]any)
	for _, e := range events {
		e, _ := expand(e, parts).(map[string]any)
		want["sns"][sesKey(e)], want["firehose"][sesKey(e)] = e, e
	}
	want["sns"]["validation"] = "Successfully validated SNS topic for Amazon SES event publishing."
	events, _ = parts["pinpoint"].([]any)
	for _, e := range events {
		e, _ := expand(e, parts).(map[string]any)
		want["kinesis"][pinpointKey(e)] = e
	}
	return want
}

// expand puts the parts in that stand under a name of their own: {"$part": NAME, more members}.
func expand(v any, parts map[string]any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		if name, ok := v["$part"].(string); ok {
			part, _ := expand(parts[name], parts).(map[string]any)
			for k := range part {
				out[k] = part[k]
			}
		}
		for k := range v {
			if k != "$part" {
				out[k] = expand(v[k], parts)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = expand(v[i], parts)
		}
		return out
	}
	return v
}

func sesKey(record any) string {
	e, ok := record.(map[string]any)
	if !ok {
		return "validation"
	}
	mail, _ := e["mail"].(map[string]any)
	return fmt.Sprint(e["eventType"], " of ", mail["messageId"])
}

func pinpointKey(record any) string {
	e, _ := record.(map[string]any)
	inner := e
	for _, name := range []string{"facets", "email_channel", "mail_event", "mail"} {
		inner, _ = inner[name].(map[string]any)
	}
	return fmt.Sprint(e["event_type"], " of ", inner["message_id"])
}

// checkMailEvents waits for the events and compares them, with their members, types and casing.
func checkMailEvents(t *testing.T, s *server, place string, want map[string]any) {
	key := sesKey
	if place == "kinesis" {
		key = pinpointKey
	}
	var lines []string
	await(t, "the events of "+place, func() bool {
		lines = deliveredLines(t, s.data, place, "mails")
		return len(lines) >= len(want)
	}, func() string { return fmt.Sprintf("%d of %d", len(lines), len(want)) })
	if first := decode(t, lines[0]); place == "sns" && first != want["validation"] {
		t.Errorf("the topic first got %v, want the text that validates it", first)
	}
	seen := map[string]bool{}
	for _, line := range lines {
		got := decode(t, line)
		k := key(got)
		if seen[k] || want[k] == nil {
			t.Errorf("%s is there, or is there again: %s", k, line)
			continue
		}
		seen[k] = true
		if problem := match(want[k], got); problem != "" {
			t.Errorf("%s%s\n%s", k, problem, line)
		}
	}
	for k := range want {
		if !seen[k] {
			t.Errorf("%s did not come", k)
		}
	}
}

// checkMetrics reads the metrics of the CloudWatch destination, from their file and where Prometheus reads them.
func checkMetrics(t *testing.T, s *server) {
	want := map[string]int{
		"Send spring none": 4, "Delivery spring none": 2, "Bounce spring none": 2, "Complaint spring none": 1, "Open spring none": 1,
		"Click spring buy": 1, "Reject autumn none": 1, "RenderingFailure none none": 1,
	}
	got, seen := map[string]int{}, 0
	await(t, "the metrics", func() bool {
		clear(got)
		seen = 0
		for _, line := range deliveredLines(t, s.data, "cloudwatch", "metrics") {
			var m struct {
				Namespace, MetricName string
				Dimensions            []struct{ Name, Value string }
			}
			must(t, "read "+line, json.Unmarshal([]byte(line), &m))
			words := []string{m.MetricName}
			for _, d := range m.Dimensions {
				words = append(words, d.Value)
			}
			got[strings.Join(words, " ")]++
			seen++
		}
		return seen >= 13
	}, func() string { return fmt.Sprint(seen, " of 13") })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("metrics by name and dimensions (-want +got):\n%s", diff)
	}
	page := s.admin(t, "/metrics")
	for k, n := range want {
		w := strings.Fields(k)
		series := fmt.Sprintf(`tidings_email_metrics_total{account="123456789012",dimension_button=%q,dimension_campaign=%q,metric=%q,region="us-east-1"} %d`, w[2], w[1], w[0], n)
		if !strings.Contains(page, series+"\n") {
			t.Errorf("/metrics has no line %s", series)
		}
	}
}
