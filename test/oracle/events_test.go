package oracle

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/pinpointsmsvoice"
	"github.com/google/go-cmp/cmp"
)

// words are the API's names of the types of events, and the message status that goes with
// each, by the names that the simulator's table uses.
var words = map[string]struct{ eventType, status string }{
	"voice.initiated": {"INITIATED_CALL", "INITIATED"},
	"voice.ringing":   {"RINGING", "RINGING"},
	"voice.answered":  {"ANSWERED", "ANSWERED"},
	"voice.completed": {"COMPLETED_CALL", "COMPLETED"},
	"voice.busy":      {"BUSY", "BUSY"},
	"voice.failed":    {"FAILED", "FAILED"},
	"voice.no_answer": {"NO_ANSWER", "NO_ANSWER"},
}

// fast makes a simulated minute pass in about half a second.
var fast = map[string]any{"voice": map[string]any{"simulator": map[string]any{"speed": 100}}}

// phone is a row of the simulator's table.
type phone struct {
	Number   string
	Behavior string
	Events   []string
}

func simulatedPhones(t testing.TB) []phone {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), binary, "simulator", "numbers", "--json").Output()
	if err != nil {
		t.Fatalf("tidings simulator numbers: %v", err)
	}
	var phones []phone
	if err := json.Unmarshal(out, &phones); err != nil || len(phones) < 7 {
		t.Fatalf("tidings simulator numbers printed %v, %v, want at least 7", phones, err)
	}
	return phones
}

// targets are three ways that the events of one call go out, by the kind of destination
// and the name of the target.
var targets = map[string]string{"sns": "alerts", "firehose": "calls", "logs": "audit"}

// createDestinations makes a set whose events go to the three targets.
func createDestinations(t testing.TB, c *pinpointsmsvoice.PinpointSMSVoice, set string) {
	t.Helper()
	if _, err := c.CreateConfigurationSetWithContext(t.Context(), &pinpointsmsvoice.CreateConfigurationSetInput{ConfigurationSetName: &set}); err != nil {
		t.Fatalf("create the set %s: %v", set, err)
	}
	role := new("arn:aws:iam::123456789012:role/tidings")
	for name, d := range map[string]*pinpointsmsvoice.EventDestinationDefinition{
		"sns": {SnsDestination: &pinpointsmsvoice.SnsDestination{TopicArn: new("arn:aws:sns:us-east-1:123456789012:alerts")}},
		"firehose": {KinesisFirehoseDestination: &pinpointsmsvoice.KinesisFirehoseDestination{
			DeliveryStreamArn: new("arn:aws:firehose:us-east-1:123456789012:deliverystream/calls"), IamRoleArn: role,
		}},
		"logs": {CloudWatchLogsDestination: &pinpointsmsvoice.CloudWatchLogsDestination{
			LogGroupArn: new("arn:aws:logs:us-east-1:123456789012:log-group:audit"), IamRoleArn: role,
		}},
	} {
		d.Enabled, d.MatchingEventTypes = new(true), aws.StringSlice(pinpointsmsvoice.EventType_Values())
		_, err := c.CreateConfigurationSetEventDestinationWithContext(t.Context(), &pinpointsmsvoice.CreateConfigurationSetEventDestinationInput{
			ConfigurationSetName: &set, EventDestinationName: &name, EventDestination: d,
		})
		if err != nil {
			t.Fatalf("create the event destination %s: %v", name, err)
		}
	}
}

func sendTo(t testing.TB, c *pinpointsmsvoice.PinpointSMSVoice, set, number string) string {
	t.Helper()
	out, err := c.SendVoiceMessageWithContext(t.Context(), message(set, number))
	if err != nil {
		t.Fatalf("send to %s: %v", number, err)
	}
	return *out.MessageId
}

func message(set, number string) *pinpointsmsvoice.SendVoiceMessageInput {
	return &pinpointsmsvoice.SendVoiceMessageInput{
		ConfigurationSetName: &set, DestinationPhoneNumber: &number, OriginationPhoneNumber: new("+12065550199"),
		Content: &pinpointsmsvoice.VoiceMessageContent{PlainTextMessage: &pinpointsmsvoice.PlainTextMessageType{
			Text: new("Your appointment is tomorrow at nine."), LanguageCode: new("en-US"), VoiceId: new("Joanna"),
		}},
	}
}

// TestEventsOfEveryPhone calls each phone of the simulator and reads the events of the
// call from three destinations.
func TestEventsOfEveryPhone(t *testing.T) {
	t.Parallel()
	s := start(t, options{config: fast})
	c := client(t, s.API, testRegion)
	createDestinations(t, c, "calls")
	called := map[string]phone{} // by message
	for _, p := range simulatedPhones(t) {
		called[sendTo(t, c, "calls", p.Number)] = p
	}
	for service, target := range targets {
		t.Run(service, func(t *testing.T) {
			byMessage := awaitFinals(t, s, service, target, len(called))
			for id, p := range called {
				t.Run(p.Behavior, func(t *testing.T) { checkRecords(t, id, p, byMessage[id]) })
			}
		})
	}
}

// awaitFinals waits until n messages have a final event and returns all records by message.
func awaitFinals(t testing.TB, s *server, service, target string, n int) map[string][]record {
	t.Helper()
	var byMessage map[string][]record
	finals := 0
	await(t, "the final events", func() bool {
		byMessage, finals = map[string][]record{}, 0
		for _, r := range delivered(t, s.data, service, target) {
			byMessage[r.MessageID] = append(byMessage[r.MessageID], r)
			if r.final() {
				finals++
			}
		}
		return finals >= n
	}, func() string { return fmt.Sprintf("%d of %d calls have ended", finals, n) })
	return byMessage
}

func checkRecords(t *testing.T, id string, p phone, records []record) {
	var want, got []string
	for _, e := range p.Events {
		want = append(want, words[e].eventType)
	}
	for i, r := range records {
		got = append(got, r.EventType)
		last := i == len(records)-1
		if r.final() != last {
			t.Errorf("%s: isFinal = %v, want %v", r.EventType, r.IsFinal, last)
		}
		checkRecord(t, id, p, r)
		if i > 0 && r.EventTimestamp < records[i-1].EventTimestamp {
			t.Errorf("%s at %d comes before %s at %d", r.EventType, r.EventTimestamp, records[i-1].EventType, records[i-1].EventTimestamp)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("types of the events of a call to %s (-want +got):\n%s", p.Number, diff)
	}
}

func checkRecord(t *testing.T, id string, p phone, r record) {
	t.Helper()
	i := slices.IndexFunc(p.Events, func(e string) bool { return words[e].eventType == r.EventType })
	if i < 0 {
		t.Errorf("an event %s, which the simulator's table does not announce: %s", r.EventType, r.line)
		return
	}
	for field, values := range map[string][2]any{
		"eventVersion":           {r.EventVersion, "1.0"},
		"messageId":              {r.MessageID, id},
		"messageStatus":          {r.MessageStatus, words[p.Events[i]].status},
		"originationPhoneNumber": {r.OriginationPhoneNumber, "+12065550199"},
		"destinationPhoneNumber": {r.DestinationPhoneNumber, p.Number},
	} {
		if values[0] != values[1] {
			t.Errorf("%s: %s = %v, want %v", r.EventType, field, values[0], values[1])
		}
	}
	if strings.HasPrefix(p.Number, "+1206") && r.ISOCountryCode != "US" {
		t.Errorf("%s: isoCountryCode = %q, want US", r.EventType, r.ISOCountryCode)
	}
	if r.MessageRequestTimestamp == 0 || r.EventTimestamp < r.MessageRequestTimestamp {
		t.Errorf("%s: eventTimestamp = %d, messageRequestTimestamp = %d, want the event after the request", r.EventType, r.EventTimestamp, r.MessageRequestTimestamp)
	}
	if hasLength := r.CallDurationInSeconds != nil && r.TotalDurationInMinutes != nil; hasLength != r.final() {
		t.Errorf("%s: has the length of the call: %v, want %v: %s", r.EventType, hasLength, r.final(), r.line)
	}
	if r.EventType == "COMPLETED_CALL" && (*r.CallDurationInSeconds < 1 || *r.TotalDurationInMinutes != 1 || r.TotalMessagePrice == nil) {
		t.Errorf("the length and price of a completed call are missing or wrong: %s", r.line)
	}
	if r.EventType == "FAILED" && r.StatusDescription == "" {
		t.Errorf("a failed call does not say why: %s", r.line)
	}
}

// TestOnlyWhatWasAskedFor sends with a destination that wants one type, one that is not
// enabled, and without a set; then the completed call must be all that arrived.
func TestOnlyWhatWasAskedFor(t *testing.T) {
	t.Parallel()
	s := start(t, options{config: fast})
	c := client(t, s.API, testRegion)
	createDestinations(t, c, "calls")
	for name, d := range map[string]*pinpointsmsvoice.EventDestinationDefinition{
		"sns":  {Enabled: new(true), MatchingEventTypes: aws.StringSlice([]string{"COMPLETED_CALL"})},
		"logs": {Enabled: new(false), MatchingEventTypes: aws.StringSlice(pinpointsmsvoice.EventType_Values())},
	} {
		d.SnsDestination = &pinpointsmsvoice.SnsDestination{TopicArn: new("arn:aws:sns:us-east-1:123456789012:" + name)}
		_, err := c.UpdateConfigurationSetEventDestinationWithContext(t.Context(), &pinpointsmsvoice.UpdateConfigurationSetEventDestinationInput{
			ConfigurationSetName: new("calls"), EventDestinationName: &name, EventDestination: d,
		})
		if err != nil {
			t.Fatalf("update the event destination %s: %v", name, err)
		}
	}
	const completes = "+12065550100"
	without := message("", completes)
	without.ConfigurationSetName = nil
	if _, err := c.SendVoiceMessageWithContext(t.Context(), without); err != nil {
		t.Fatalf("send without a set: %v", err)
	}
	id := sendTo(t, c, "calls", completes)
	awaitFinals(t, s, "firehose", "calls", 1)
	awaitFinals(t, s, "sns", "sns", 1)
	s.stop(t) // waits for whatever else is on its way

	all := delivered(t, s.data, "sns", "sns")
	if len(all) != 1 || all[0].EventType != "COMPLETED_CALL" || all[0].MessageID != id {
		t.Errorf("the destination for completed calls received %+v, want that of %s alone", all, id)
	}
	if all := delivered(t, s.data, "sns", "logs"); len(all) != 0 {
		t.Errorf("the destination that is not enabled received %+v", all)
	}
	for _, r := range delivered(t, s.data, "firehose", "calls") {
		if r.MessageID != id {
			t.Errorf("an event of a message without a set arrived: %s", r.line)
		}
	}
}
