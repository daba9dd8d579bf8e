package emailrest

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tidings/internal/api/apitest"
	"tidings/internal/awsapi/restjson"
	"tidings/internal/configset"
	"tidings/internal/email"
	"tidings/internal/tenant"
)

// notebook takes everything for right and notes it down. Methods it has not are never called
// here.
type notebook struct {
	Sets
	Mail
	sent    []email.Request
	bulks   []email.Bulk
	created []configset.EventDestination
	sets    []configset.Options
}

func (n *notebook) Send(_ context.Context, _ tenant.Tenant, r email.Request) (string, error) {
	n.sent = append(n.sent, r)
	return "id", nil
}

func (n *notebook) SendBulk(_ context.Context, _ tenant.Tenant, b email.Bulk) ([]email.BulkResult, error) {
	n.bulks = append(n.bulks, b)
	return make([]email.BulkResult, len(b.Entries)), nil
}

func (n *notebook) CreateWith(_ context.Context, _ tenant.Tenant, _ configset.Scope, _ string, o configset.Options) error {
	n.sets = append(n.sets, o)
	return nil
}

func (n *notebook) CreateDestination(_ context.Context, _ tenant.Tenant, _ configset.Scope, _ string, d configset.EventDestination) error {
	n.created = append(n.created, d)
	return nil
}

// FuzzSendEmail sends any body. One that is taken must say the same when it is written again in
// its plainest form; and Pinpoint Email must not take what the API v2 refuses, but for what it
// does not read.
func FuzzSendEmail(f *testing.F) {
	for _, seed := range []string{
		`{"FromEmailAddress":"a@example.com","Destination":{"ToAddresses":["b@example.com"]},"Content":{"Simple":{"Subject":{"Data":"\u00fc","Charset":"x"},"Body":{"Text":{"Data":"t"},"Html":{"Data":"h"}},"Headers":[{"Name":"X-A","Value":"b"}],"Attachments":[{"FileName":"f","RawContent":"YQ==","ContentDisposition":"INLINE"}]}},"EmailTags":[{"Name":"a","Value":"b"}]}`,
		`{"Content":{"Raw":{"Data":"YQ\/\/"}},"Destination":{"BccAddresses":[null]}}`,
		`{"Content":{"Template":{"TemplateArn":"arn:aws:ses:us-east-1:123456789012:template/hello","TemplateData":"{}"}},"Destination":{}}`,
		`{"Content":{"Template":{"TemplateContent":{"Text":"t"},"Headers":[{"Name":"a","Value":"b"}]}}}`,
		`{"Content":{"Raw":{"Data":null},"Simple":null}}`, `{"Content":{"Raw":{"Data":"a"}}}`, `{"Content":{"Raw":7}}`, `{"content":{"raw":{"data":""}}}`, `[]`, `null`, ` `,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		n := &notebook{}
		v2, pinpoint := NewV2(Config{Mail: n}), NewPinpointEmail(Config{Mail: n})
		apitest.Takes(t, pinpoint, "/v1/email/outbound-emails", body)
		n.sent = nil
		const path = "/v2/email/outbound-emails"
		if !apitest.Takes(t, v2, path, body) {
			return
		}
		apitest.TakesAgain(t, v2, path, rewrite(n.sent[0]))
		if diff := cmp.Diff(n.sent[0], n.sent[1]); diff != "" {
			t.Errorf("%q written again says something else:\n%s", body, diff)
		}
	})
}

// rewrite is the input that says the same as the request.
func rewrite(r email.Request) v2SendInput {
	in := v2SendInput{FromEmailAddressIdentityArn: r.FromARN, pinpointSendInput: pinpointSendInput{
		ConfigurationSetName: r.Set, FeedbackForwardingEmailAddress: r.ReturnPath, FromEmailAddress: r.From, ReplyToAddresses: r.ReplyTo,
		Destination: &destination{ToAddresses: r.To, CcAddresses: r.Cc, BccAddresses: r.Bcc}, Content: &emailContent{},
	}}
	for _, one := range r.Tags {
		in.EmailTags = append(in.EmailTags, messageTag(one))
	}
	var named []header
	for _, one := range r.Headers {
		named = append(named, header(one))
	}
	switch {
	case r.Raw != nil:
		in.Content.Raw = &raw{Data: r.Raw.Data}
		in.Destination.ToAddresses = r.Raw.Envelope
	case r.Simple != nil:
		s := r.Simple
		in.Content.Simple = &simple{Headers: named, Attachments: files(s.Attachments), Subject: written(&s.Subject), Body: &body{Text: written(s.Text), Html: written(s.HTML)}}
	default:
		m := r.Templated
		in.Content.Template = &template{Headers: named, Attachments: files(m.Attachments), TemplateName: m.Name, TemplateData: m.Data}
		if m.Inline != nil {
			in.Content.Template.TemplateContent = &templateContent{Subject: m.Inline.Subject, Text: m.Inline.Text, Html: m.Inline.HTML}
		}
	}
	return in
}

func written(t *email.Text) *content {
	if t == nil {
		return nil
	}
	return &content{Charset: t.Charset, Data: t.Data}
}

func files(all []email.Attachment) []attachment {
	var list []attachment
	for _, one := range all {
		w := attachment{ContentDescription: one.Description, ContentId: one.ID, ContentType: one.Type, FileName: one.Name, RawContent: restjson.Blob(one.Data)}
		if one.Inline {
			w.ContentDisposition = "INLINE"
		}
		w.ContentTransferEncoding = encodings.Word(one.Encoding, "")
		list = append(list, w)
	}
	return list
}

// FuzzCreateEventDestination sends any body. What is taken must be shown as it was given.
func FuzzCreateEventDestination(f *testing.F) {
	for _, seed := range []string{
		`{"EventDestinationName":"d","EventDestination":{"Enabled":true,"MatchingEventTypes":["SEND","SEND"],"SnsDestination":{"TopicArn":"arn:aws:sns:us-east-1:123456789012:t"}}}`,
		`{"EventDestination":{"KinesisFirehoseDestination":{"DeliveryStreamArn":"a","IamRoleArn":"b"},"MatchingEventTypes":["OPEN"]}}`,
		`{"EventDestination":{"CloudWatchDestination":{"DimensionConfigurations":[{"DimensionName":"a:b","DimensionValueSource":"LINK_TAG","DefaultDimensionValue":"c"}]},"PinpointDestination":null}}`,
		`{"EventDestination":{"PinpointDestination":{}}}`, `{"EventDestination":{"EventBridgeDestination":{}}}`, `{"EventDestination":{"MatchingEventTypes":[null]}}`, `{"EventDestination":[]}`, `{}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for path, make := range map[string]func(Config) *API{"/v1/email/": NewPinpointEmail, "/v2/email/": NewV2} {
			path += "configuration-sets/s/event-destinations"
			n := &notebook{}
			api := make(Config{Sets: n})
			if !apitest.Takes(t, api, path, body) {
				continue
			}
			shown := wireDestination(n.created[0])
			apitest.TakesAgain(t, api, path, createDestinationInput{EventDestinationName: shown.Name, EventDestination: &shown.eventDestinationDefinition})
			if diff := cmp.Diff(n.created[0], n.created[1]); diff != "" {
				t.Errorf("%q shown and sent again says something else:\n%s", body, diff)
			}
		}
	})
}

// FuzzCreateConfigurationSet sends any body. What is taken must be shown so that it can be sent
// again and says the same.
func FuzzCreateConfigurationSet(f *testing.F) {
	for _, seed := range []string{
		`{"ConfigurationSetName":"s","TrackingOptions":{"CustomRedirectDomain":"a.example.com","HttpsPolicy":"REQUIRE"},"DeliveryOptions":{"TlsPolicy":"OPTIONAL","SendingPoolName":"p","MaxDeliverySeconds":600},"ReputationOptions":{"ReputationMetricsEnabled":true,"LastFreshStart":1795257000.123},"SendingOptions":{},"SuppressionOptions":{"SuppressedReasons":[]},"Tags":[{"Key":"a","Value":"b"}],"VdmOptions":{"GuardianOptions":{"OptimizedSharedDelivery":"ENABLED"}}}`,
		`{"ReputationOptions":{"LastFreshStart":-1e300}}`, `{"DeliveryOptions":{"MaxDeliverySeconds":-1}}`, `{"SuppressionOptions":{}}`, `{"Tags":[{"Key":"a"},{"Key":"a","Value":"b"}]}`, `{}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for path, make := range map[string]func(Config) *API{"/v1/email/": NewPinpointEmail, "/v2/email/": NewV2} {
			path += "configuration-sets"
			n := &notebook{}
			api := make(Config{Sets: n})
			if !apitest.Takes(t, api, path, body) {
				continue
			}
			apitest.TakesAgain(t, api, path, createSetInput{setOptions: api.wireOptions(n.sets[0])})
			if diff := cmp.Diff(api.wireOptions(n.sets[0]), api.wireOptions(n.sets[1]), cmp.AllowUnexported(setOptions{})); diff != "" {
				t.Errorf("%q shown and sent again says something else:\n%s", body, diff)
			}
		}
	})
}

// FuzzSendBulkEmail sends any body; see serve.
func FuzzSendBulkEmail(f *testing.F) {
	for _, seed := range []string{
		`{"DefaultContent":{"Template":{"TemplateName":"a","TemplateData":"{}"}},"BulkEmailEntries":[{"Destination":{"ToAddresses":["a@example.com"]},"ReplacementEmailContent":{"ReplacementTemplate":{"ReplacementTemplateData":"{}"}},"ReplacementTags":[{"Name":"a","Value":"b"}],"ReplacementHeaders":[{"Name":"a","Value":"b"}]}]}`,
		`{"DefaultContent":{"Template":{"TemplateName":"a"}},"BulkEmailEntries":[null,{}]}`, `{"BulkEmailEntries":{}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		n := &notebook{}
		if apitest.Takes(t, NewV2(Config{Mail: n}), "/v2/email/outbound-bulk-emails", body) && len(n.bulks) != 1 {
			t.Errorf("%q became %d requests, want one", body, len(n.bulks))
		}
	})
}

// TestWithoutACaller calls each operation past the handler, which knows the caller.
func TestWithoutACaller(t *testing.T) {
	t.Parallel()
	// What operations look at before they ask for the caller.
	const body = `{"Destination":{},"MailType":"MARKETING","WebsiteURL":"x"}`
	for _, b := range both(t) {
		for _, route := range b.routes {
			apitest.CheckNeedsCaller(t, b.api, route.Method, route.Path, body)
		}
	}
}
