package oracle

import (
	"fmt"
	"strings"
	"testing"
	"time"

	sesv2client "github.com/aws/aws-sdk-go-v2/service/sesv2"
	sesv2types "github.com/aws/aws-sdk-go-v2/service/sesv2/types"
	"github.com/aws/aws-sdk-go/service/cloudwatch"
	"github.com/google/go-cmp/cmp"
)

// TestEmulatorGetsMailEvents delivers the events of mails to SNS, Firehose and CloudWatch of the emulator.
func TestEmulatorGetsMailEvents(t *testing.T) {
	t.Parallel()
	e := startMoto(t)
	p := e.prepare(t, testAccount)
	s := start(t, options{
		config: map[string]any{"destinations": []any{
			map[string]any{"match": "arn:aws:sns:*:*:copy", "file": map[string]any{}},
			map[string]any{"match": "arn:aws:*:*:*:*", "aws": map[string]any{"endpoint": e.url, "access_key_id": testKey, "secret_access_key": testSecret}},
		}},
	})
	c := sesV2Client(s.API, testRegion)
	_, err := c.CreateConfigurationSet(t.Context(), &sesv2client.CreateConfigurationSetInput{ConfigurationSetName: new("orders")})
	must(t, "create the set", err)
	for name, d := range map[string]sesv2types.EventDestinationDefinition{
		"file":  {SnsDestination: &sesv2types.SnsDestination{TopicArn: new("arn:aws:sns:" + testRegion + ":" + testAccount + ":copy")}},
		"topic": {SnsDestination: &sesv2types.SnsDestination{TopicArn: &p.topicARN}},
		"hose":  {KinesisFirehoseDestination: &sesv2types.KinesisFirehoseDestination{DeliveryStreamArn: &p.hoseARN, IamRoleArn: &p.role}},
		"watch": {CloudWatchDestination: &sesv2types.CloudWatchDestination{DimensionConfigurations: []sesv2types.CloudWatchDimensionConfiguration{
			{DimensionName: new("campaign"), DimensionValueSource: "MESSAGE_TAG", DefaultDimensionValue: new("none")},
			{DimensionName: new("ses:from-domain"), DimensionValueSource: "MESSAGE_TAG", DefaultDimensionValue: new("none")},
		}}},
	} {
		d.Enabled, d.MatchingEventTypes = true, []sesv2types.EventType{"SEND", "DELIVERY", "BOUNCE", "COMPLAINT"}
		_, err := c.CreateConfigurationSetEventDestination(t.Context(), &sesv2client.CreateConfigurationSetEventDestinationInput{
			ConfigurationSetName: new("orders"), EventDestinationName: &name, EventDestination: &d,
		})
		must(t, "create the event destination "+name, err)
	}
	const times = 5
	for i := range times {
		for _, to := range []string{"success", "bounce", "complaint"} {
			_, err := c.SendEmail(t.Context(), &sesv2client.SendEmailInput{
				FromEmailAddress: new("shop@example.com"), ConfigurationSetName: new("orders"),
				Destination: &sesv2types.Destination{ToAddresses: []string{fmt.Sprintf("%s+%d@simulator.amazonses.com", to, i)}},
				Content: &sesv2types.EmailContent{Simple: &sesv2types.Message{
					Subject: &sesv2types.Content{Data: new("Grüße")}, Body: &sesv2types.Body{Text: &sesv2types.Content{Data: new("x")}},
				}},
				EmailTags: []sesv2types.MessageTag{{Name: new("campaign"), Value: new("spring")}},
			})
			must(t, "send", err)
		}
	}
	events := map[string]int{"Send": 3 * times, "Delivery": 2 * times, "Bounce": times, "Complaint": times}
	p.compareMail(t, s, 7*times)
	for metric, n := range events {
		e.awaitMetric(t, metric, float64(n))
	}
}

// compareMail waits until the topic and the delivery stream have all events, and holds them to the file's lines.
func (p *place) compareMail(t *testing.T, s *server, events int) {
	t.Helper()
	var want []string
	await(t, "the events in the file", func() bool {
		want = deliveredLines(t, s.data, "sns", "copy")
		return len(want) > events // and the validation
	}, func() string { return fmt.Sprintf("%d of %d", len(want), events+1) })
	for i, line := range want {
		if strings.HasPrefix(line, `"`) { // the validation, which is no object
			want[i] = fmt.Sprint(decode(t, line))
		}
	}
	var queued []envelope
	await(t, "the events in SQS", func() bool {
		queued = append(queued, p.readEnvelopes(t)...)
		return len(queued) > events
	}, func() string { return fmt.Sprintf("%d of %d", len(queued), events+1) })
	var messages []string
	for _, e := range queued {
		messages = append(messages, e.Message)
		validates := !strings.HasPrefix(e.Message, "{")
		if !validates && (e.Subject == nil || *e.Subject != "Amazon SES Email Event Notification") || validates && e.Subject != nil {
			t.Errorf("the message %q has the subject %v", e.Message, e.Subject)
		}
	}
	if diff := cmp.Diff(count(want), count(messages)); diff != "" {
		t.Errorf("SQS has other messages than the file (-file +SQS):\n%s", diff)
	}
	var stored []string
	await(t, "the events in S3", func() bool {
		stored = p.readBucket(t)
		return len(stored) >= events
	}, func() string { return fmt.Sprintf("%d of %d", len(stored), events) })
	records := count(want)
	delete(records, "Successfully validated SNS topic for Amazon SES event publishing.")
	if diff := cmp.Diff(records, count(stored)); diff != "" {
		t.Errorf("S3 has other records than the file (-file +S3):\n%s", diff)
	}
}

// awaitMetric waits until the metric has counted n events.
func (e *emulator) awaitMetric(t *testing.T, metric string, n float64) {
	t.Helper()
	c, sum := cloudwatch.New(e.session(t, "")), 0.0
	await(t, "the metric "+metric, func() bool {
		out, err := c.GetMetricStatisticsWithContext(t.Context(), &cloudwatch.GetMetricStatisticsInput{
			Namespace: new("SelfHosted/SES"), MetricName: &metric, Period: new(int64(3600)), Statistics: []*string{new("Sum")},
			StartTime: new(time.Now().Add(-time.Hour)), EndTime: new(time.Now().Add(time.Hour)),
			Dimensions: []*cloudwatch.Dimension{{Name: new("campaign"), Value: new("spring")}, {Name: new("ses:from-domain"), Value: new("example.com")}},
		})
		must(t, "get the statistics of "+metric, err)
		sum = 0
		for _, p := range out.Datapoints {
			sum += *p.Sum
		}
		return sum >= n
	}, func() string { return fmt.Sprint(sum, " of ", n) })
	if sum != n {
		t.Errorf("the metric %s adds up to %v, want %v", metric, sum, n)
	}
}
