package smsvoice

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tidings/internal/api/apitest"
	"tidings/internal/configset"
	"tidings/internal/tenant"
	"tidings/internal/voice"
)

// notebook takes everything for right and notes it down. Methods it has not are never
// called here.
type notebook struct {
	Sets
	sent    []voice.Request
	created []configset.EventDestination
}

func (n *notebook) Send(_ context.Context, _ tenant.Tenant, r voice.Request) (string, error) {
	n.sent = append(n.sent, r)
	return "id", nil
}

func (n *notebook) CreateDestination(_ context.Context, _ tenant.Tenant, _ configset.Scope, _ string, d configset.EventDestination) error {
	n.created = append(n.created, d)
	return nil
}

// FuzzSendVoiceMessage sends any body. One that is taken must say the same when it is
// written again in its plainest form.
func FuzzSendVoiceMessage(f *testing.F) {
	for _, seed := range []string{
		`{"CallerId":"+12065550199","ConfigurationSetName":"cs-1","Content":{"PlainTextMessage":{"LanguageCode":"en-US","Text":"a","VoiceId":"Joanna"}},"DestinationPhoneNumber":"+14255550159","OriginationPhoneNumber":"+12065550153"}`,
		`{"Content":{"SSMLMessage":{"Text":"<speak>\u00fc\ud83d\ude00</speak>"}}}`,
		`{"Content":{"CallInstructionsMessage":{"Text":"..."},"PlainTextMessage":null}}`,
		`{"Content":{"PlainTextMessage":{"Text":7}}}`, `{"content":{}}`, `[]`, `null`, ` `, `{"Content":{"PlainTextMessage":{}},"Content":{}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		const path = "/v1/sms-voice/voice/message"
		n := &notebook{}
		api := New(Config{Sets: n, Voice: n})
		if !apitest.Takes(t, api, path, body) {
			return
		}
		r := n.sent[0]
		again := sendMessageInput{
			CallerId: r.CallerID, ConfigurationSetName: r.Set, DestinationPhoneNumber: r.Destination, OriginationPhoneNumber: r.Origination,
			Content: &voiceMessageContent{},
		}
		spoken := &spokenMessage{LanguageCode: r.Content.Language, Text: r.Content.Text, VoiceId: r.Content.Voice}
		switch r.Content.Kind {
		case voice.PlainText:
			again.Content.PlainTextMessage = spoken
		case voice.SSML:
			again.Content.SSMLMessage = spoken
		case voice.CallInstructions:
			again.Content.CallInstructionsMessage = &callInstructionsMessage{Text: r.Content.Text}
		}
		apitest.TakesAgain(t, api, path, again)
		if diff := cmp.Diff(n.sent[0], n.sent[1]); diff != "" {
			t.Errorf("%q written again says something else:\n%s", body, diff)
		}
	})
}

// FuzzCreateEventDestination sends any body, as FuzzSendVoiceMessage does. What is taken
// must also be shown as it was given.
func FuzzCreateEventDestination(f *testing.F) {
	for _, seed := range []string{
		`{"EventDestinationName":"d","EventDestination":{"Enabled":true,"MatchingEventTypes":["BUSY","BUSY"],"SnsDestination":{"TopicArn":"arn:aws:sns:us-east-1:123456789012:t"}}}`,
		`{"EventDestination":{"KinesisFirehoseDestination":{"DeliveryStreamArn":"a","IamRoleArn":"b"},"MatchingEventTypes":["RINGING"]}}`,
		`{"EventDestination":{"CloudWatchLogsDestination":{"LogGroupArn":"\u0000","IamRoleArn":""},"SnsDestination":null}}`,
		`{"EventDestination":{"MatchingEventTypes":[null]}}`, `{"EventDestination":{"Enabled":"true"}}`, `{"EventDestination":[]}`, `{}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		const path = "/v1/sms-voice/configuration-sets/s/event-destinations"
		n := &notebook{}
		api := New(Config{Sets: n, Voice: n})
		if !apitest.Takes(t, api, path, body) {
			return
		}
		shown := wire(n.created[0])
		apitest.TakesAgain(t, api, path, createDestinationInput{EventDestinationName: shown.Name, EventDestination: &shown.eventDestinationDefinition})
		if diff := cmp.Diff(n.created[0], n.created[1]); diff != "" {
			t.Errorf("%q shown and sent again says something else:\n%s", body, diff)
		}
	})
}
