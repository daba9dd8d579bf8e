package awscli_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp/cmpopts"

	"tidings/internal/awscli"
	"tidings/internal/configset"
)

const (
	app      = "810c7aab86d42fb2b56c8c966example"
	goodARN  = `"Arn":"arn:aws:mobiletargeting:us-east-1:111122223333:apps/` + app + `"`
	goodApp  = `{` + goodARN + `,"Id":"` + app + `","Name":"n"}`
	topic    = `"SnsDestination":{"TopicArn":"arn:aws:sns:us-east-1:111122223333:alerts"}`
	oneVoice = `{"EventDestinations":[{"Name":"d","MatchingEventTypes":["BUSY"],` + topic + `}]}`
)

func TestBadInput(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		service awscli.Service
		text    string
		want    string // a part of the error
	}{
		{awscli.Pinpoint, "{\n\"Item\": [\n}", "f.json, line 3: this is not JSON: invalid character '}'"},
		{awscli.Pinpoint, `{"Item":[`, "f.json: the JSON ends before it is complete"},
		{awscli.Pinpoint, goodApp + "\nItem: 1", "f.json, line 2: this is not JSON"},
		{awscli.Pinpoint, "<GetApps/>", "f.json: this is XML"},
		{awscli.Pinpoint, "\nAn error occurred (NotFoundException) when calling the GetEventStream operation: Resource not found\n", "f.json: this is an error of the AWS CLI and not its output: An error occurred (NotFoundException)"},
		{awscli.Pinpoint, "\xff\xfea", "ends in the middle of a character"},
		{awscli.Pinpoint, "{\"\xff\":1}", "not text in UTF-8"},
		{awscli.Pinpoint, `7`, "f.json: this is a number, and no object"},
		{awscli.Pinpoint, goodApp + `[[]]`, "f.json, document 2 of 2: this is an array, and no object"},
		{awscli.Pinpoint, `{}`, "f.json: this is not what aws pinpoint get-apps and aws pinpoint get-event-stream print"},
		{awscli.Pinpoint, `{"message":"Forbidden"}`, "f.json: this is an error that AWS has answered"},
		{awscli.Pinpoint, `{"ApplicationsResponse":[]}`, "f.json: ApplicationsResponse must be an object, not an array"},
		{awscli.Pinpoint, `{"ApplicationsResponse":{"Item":{}}}`, "ApplicationsResponse.Item must be an array, not an object"},
		{awscli.Pinpoint, `{"ApplicationsResponse":{"Item":[` + goodApp + `,7]}}`, "ApplicationsResponse.Item[1] must be an object, not a number"},
		{awscli.Pinpoint, `{"ApplicationsResponse":{"Item":[],"Items":[]}}`, "ApplicationsResponse.Items is no member that is known"},
		{awscli.Pinpoint, `{"ApplicationsResponse":{"Item":[]},"Other":true}`, "f.json: Other is no member that is known"},
		{awscli.Pinpoint, `{"Item":[{"Id":"a","Name":"n","State":"COMPLETED","Arn":"x"}]}`, "Item[0].State is no member that is known"},
		{awscli.Pinpoint, `{` + goodARN + `,"Id":"","Name":"n"}`, "f.json: Id is missing"},
		{awscli.Pinpoint, `{` + goodARN + `,"Id":7,"Name":"n"}`, "Id must be a string, not a number"},
		{awscli.Pinpoint, `{` + goodARN + `,"Id":"` + app + `","Name":["n"]}`, "Name must be a string, not an array"},
		{awscli.Pinpoint, `{` + goodARN + `,"Id":"` + app + `","tags":{"k":1}}`, "tags.k must be a string, not a number"},
		{awscli.Pinpoint, `{` + goodARN + `,"Id":"` + app + `","tags":"k=v"}`, "tags must be an object, not a string"},
		{awscli.Pinpoint, `{` + goodARN + `,"Id":"` + app + `","CreationDate":"yesterday"}`, `CreationDate must be a date and time of ISO 8601, such as 2020-01-01T00:00:00.000Z, not "yesterday"`},
		{awscli.Pinpoint, `{` + goodARN + `,"Id":"` + app + `","CreationDate":1e99}`, "not 1e99"},
		{awscli.Pinpoint, `{` + goodARN + `,"Id":"` + app + `","CreationDate":-1}`, "not -1"},
		{awscli.Pinpoint, `{` + goodARN + `,"Id":"` + app + `","CreationDate":"0001-01-01T00:00:00Z"}`, "CreationDate must be"},
		{awscli.Pinpoint, `{` + goodARN + `,"Id":"` + app + `","CreationDate":true}`, "not a boolean"},
		{awscli.Pinpoint, `{` + goodARN + `,"Id":"other"}`, "Arn must have the form arn:aws:mobiletargeting:REGION:ACCOUNT:apps/other, not"},
		{awscli.Pinpoint, `{"Arn":"arn:aws:ses:us-east-1:111122223333:apps/a","Id":"a"}`, "Arn must have the form"},
		{awscli.Pinpoint, `{"Arn":"short","Id":"a"}`, "Arn: an ARN has 20 to 2048 characters"},
		{awscli.Pinpoint, `{"Name":"n","Id":"a"}`, "Arn is missing, which would tell account and region"},
		{awscli.Pinpoint, goodApp + strings.Replace(goodApp, `"n"`, `"m"`, 1), "f.json, document 2 of 2: Id differs from what f.json, document 1 of 2 says of app"},
		{awscli.Pinpoint, `{"EventStream":{"ApplicationId":"","RoleArn":null}}`, "EventStream.ApplicationId is missing"},
		{awscli.Pinpoint, `{"EventStream":{"ApplicationId":"a","RoleARN":"r"}}`, "EventStream.RoleARN is no member that is known"},
		{awscli.Pinpoint, `{"EventStream":{"ApplicationId":"a"}}`, "nothing says whose the app a is"},
		{awscli.Pinpoint, `{"EventStream":{"ApplicationId":"a","RoleArn":"r"}}{"EventStream":{"ApplicationId":"a","RoleArn":"s"}}`, "document 2 of 2: the event stream differs from that of app a in f.json, document 1 of 2"},
		{awscli.Pinpoint, goodApp + strings.ReplaceAll(goodApp, "us-east-1", "eu-west-1") + `{"EventStream":{"ApplicationId":"` + app + `"}}`, "there are 2 apps with the ID " + app},
		{awscli.Pinpoint, `{"ConfigurationSets":["a"]}`, "this is what aws pinpoint-sms-voice list-configuration-sets prints; use tidings import sms-voice"},
		{awscli.Pinpoint, oneVoice, "use tidings import sms-voice"},

		{awscli.SMSVoice, `{"ApplicationsResponse":{}}`, "this is what aws pinpoint prints; use tidings import pinpoint"},
		{awscli.SMSVoice, `{"ConfigurationSets":[{"Name":"a"}]}`, "this is what aws ses list-configuration-sets prints; use tidings import ses"},
		{awscli.SMSVoice, `{"ConfigurationSets":[{"ConfigurationSetName":"a"}]}`, "this is what aws pinpoint-sms-voice-v2 prints"},
		{awscli.SMSVoice, `{"ConfigurationSet":{"Name":"a"},"EventDestinations":[]}`, "this is what aws ses describe-configuration-set prints; use tidings import ses"},
		{awscli.SMSVoice, `{"ConfigurationSets":"a"}`, "ConfigurationSets must be an array, not a string"},
		{awscli.SMSVoice, `{"ConfigurationSets":["a",7,""]}`, "ConfigurationSets[1] must be a string, not a number"},
		{awscli.SMSVoice, `{"ConfigurationSets":[""]}`, "a configuration set has no name"},
		{awscli.SMSVoice, `{"EventDestinations":[{"Name":"d","Enable":true}]}`, "EventDestinations[0].Enable is no member that is known"},
		{awscli.SMSVoice, `{"EventDestinations":[{"Name":"d","Enabled":"true"}]}`, "EventDestinations[0].Enabled must be true or false, not a string"},
		{awscli.SMSVoice, `{"EventDestinations":[{"Name":"d","MatchingEventTypes":"BUSY"}]}`, "EventDestinations[0].MatchingEventTypes must be an array, not a string"},
		{awscli.SMSVoice, `{"EventDestinations":[{"SNSDestination":{"TopicARN":"a"}}]}`, "EventDestinations[0].SNSDestination is no member that is known"},
		{awscli.SMSVoice, `{"EventDestinations":[{"SnsDestination":{"TopicARN":"a"}}]}`, "EventDestinations[0].SnsDestination.TopicARN is no member that is known"},
		{awscli.SMSVoice, `{"EventDestinations":[],"ConfigurationSetName":"a"}{"ConfigurationSetName":"a",` + oneVoice[1:], `document 2 of 2: the event destinations of configuration set "a" differ from those in f.json, document 1 of 2`},
		{awscli.SMSVoice, oneVoice + oneVoice, "the file has 2 documents that do not say of which configuration set"},
		{awscli.SMSVoice, `{"ConfigurationSets":["a"]}` + oneVoice, `no listed set is named "f" as the file is`},

		{awscli.SES, `{"ConfigurationSets":["a"]}`, "use tidings import sms-voice"},
		{awscli.SES, oneVoice, "the document does not name its configuration set"},
		{awscli.SES, `{"ConfigurationSet":"a"}`, "ConfigurationSet must be an object, not a string"},
		{awscli.SES, `{"ConfigurationSet":{}}`, "ConfigurationSet.Name is missing"},
		{awscli.SES, `{"ConfigurationSets":[{"Name":"a"},"b"]}`, "ConfigurationSets[1] must be an object, not a string"},
		{awscli.SES, `{"ConfigurationSets":[{"Name":"a","Arn":"b"}]}`, "ConfigurationSets[0].Arn is no member that is known"},
		{awscli.SES, `{"ConfigurationSet":{"Name":"a"},"EventDestinations":[{` + topic + `}]}`, "EventDestinations[0].SnsDestination is no member that is known"},
		{awscli.SES, `{"ConfigurationSet":{"Name":"a"},"EventDestinations":[{"CloudWatchDestination":{"DimensionConfigurations":[{"Name":"x"}]}}]}`, "CloudWatchDestination.DimensionConfigurations[0].Name is no member that is known"},
	} {
		r := &awscli.Reader{Service: tc.service}
		if tc.service != awscli.Pinpoint {
			r.Account, r.Region = account, "us-east-1"
		}
		err := r.Add("f.json", []byte(tc.text))
		if err == nil {
			_, _, err = r.Finish()
		}
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("reading %s of %s = %v, want %q", tc.text, tc.service, err, tc.want)
		}
	}
}

func TestEveryProblemIsTold(t *testing.T) {
	t.Parallel()
	r := &awscli.Reader{Service: awscli.Pinpoint}
	err := r.Add("100%d.json", []byte(`{"Item":[{"Id":7,"Name":8,`+goodARN+`},{"New":1}]}{"Other":1}`))
	for _, want := range []string{
		"100%d.json, document 1 of 2: Item[0].Id must be a string", "Item[0].Name must be a string", "Item[1].New is no member", "document 2 of 2: this is not what",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Add = %v, want %q in it", err, want)
		}
	}
	err = r.Add("many.json", []byte(`{"Item":[`+strings.Repeat(`7,`, 99)+`7]}`))
	if err == nil || strings.Count(err.Error(), "\n") > 20 || !strings.Contains(err.Error(), "more") {
		t.Errorf("Add of 100 problems = %v, want some of them and a count", err)
	}
}

func TestTheNamelessSet(t *testing.T) {
	t.Parallel()
	voice := func() *awscli.Reader {
		return &awscli.Reader{Service: awscli.SMSVoice, Account: account, Region: "us-east-1"}
	}
	r := voice()
	if err := r.Add("-", []byte(oneVoice)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.Finish(); err == nil || !strings.Contains(err.Error(), "-: the document does not say of which configuration set") {
		t.Errorf("Finish = %v, want it to ask for the set", err)
	}
	for n := range 3 {
		r := voice()
		r.Set = "calls"
		for i := range n {
			if err := r.Add(fmt.Sprint(i), []byte(oneVoice)); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, err := r.Finish(); (err == nil) != (n == 1) {
			t.Errorf("Finish with a name for %d documents = %v, want an error unless there is 1", n, err)
		}
	}
	r = voice()
	r.Region = ""
	if _, _, err := r.Finish(); err == nil || !strings.Contains(err.Error(), "use --account and --region") {
		t.Errorf("Finish without an owner = %v, want it to ask for one", err)
	}
	r = voice()
	if err := r.Add("empty.json", []byte("\n")); err != nil {
		t.Errorf("Add of an empty file = %v, want nil", err)
	}
	if b, warnings, err := r.Finish(); err != nil || len(b.Sets) != 0 || len(warnings) != 1 || !strings.Contains(warnings[0], "empty.json is empty") {
		t.Errorf("Finish of an empty file = %+v, %q, %v, want a warning", b, warnings, err)
	}
}

// TestNotExactlyOnePlace leaves the judgement to the rules.
func TestNotExactlyOnePlace(t *testing.T) {
	t.Parallel()
	r := &awscli.Reader{Service: awscli.SMSVoice, Account: account, Region: "us-east-1"}
	text := `{"ConfigurationSetName":"a","EventDestinations":[{"Name":"none","MatchingEventTypes":["BUSY"]},
		{"Name":"two","MatchingEventTypes":["BUSY"],"KinesisFirehoseDestination":{"IamRoleArn":"r"},` + topic + `}]}`
	if err := r.Add("f", []byte(text)); err != nil {
		t.Fatalf("Add = %v, want nil", err)
	}
	b, _, err := r.Finish()
	if err != nil {
		t.Fatalf("Finish = %v, want nil", err)
	}
	same(t, "destinations", []awscli.Destination{{Name: "none", Types: []string{"BUSY"}}, {Name: "two", Types: []string{"BUSY"}}}, b.Sets[0].Destinations)
}

func TestDifferences(t *testing.T) {
	t.Parallel()
	old := wantCalls()[1]
	changed := old
	changed.Enabled, changed.Types = true, []string{"BUSY", "COMPLETED_CALL", "BUSY"}
	changed.Kind, changed.ARN, changed.Role = configset.SNS, "arn:aws:sns:us-east-1:111122223333:x", ""
	same(t, "another destination", []awscli.Difference{
		{Member: "Enabled", Old: "false", New: "true"},
		{Member: "KinesisFirehoseDestination.DeliveryStreamArn", Old: old.ARN},
		{Member: "KinesisFirehoseDestination.IamRoleArn", Old: old.Role},
		{Member: "MatchingEventTypes", Old: "COMPLETED_CALL", New: "BUSY, COMPLETED_CALL"},
		{Member: "SnsDestination.TopicArn", New: changed.ARN},
	}, changed.DiffersFrom(old, awscli.SMSVoice))
	turned := wantCalls()[0]
	turned.Types = []string{"NO_ANSWER", "FAILED", "BUSY", "COMPLETED_CALL", "ANSWERED", "RINGING", "INITIATED_CALL"}
	same(t, "another order", []awscli.Difference(nil), turned.DiffersFrom(wantCalls()[0], awscli.SMSVoice))

	b, _ := read(t, &awscli.Reader{Service: awscli.SES, Account: account, Region: "us-east-1"}, "ses.json")
	metrics := b.Sets[0].Destinations[0]
	fewer := metrics
	fewer.Dimensions = []configset.Dimension{{Name: "ses:campaign", Source: configset.MessageTag, Default: "some"}}
	same(t, "dimensions", []awscli.Difference{
		{Member: "CloudWatchDestination.DimensionConfigurations[0].DefaultDimensionValue", Old: "none", New: "some"},
		{Member: "CloudWatchDestination.DimensionConfigurations[1].DefaultDimensionValue", Old: "a@b.c"},
		{Member: "CloudWatchDestination.DimensionConfigurations[1].DimensionName", Old: "Subject"},
		{Member: "CloudWatchDestination.DimensionConfigurations[1].DimensionValueSource", Old: "emailHeader"},
	}, fewer.DiffersFrom(metrics, awscli.SES))

	b, _ = read(t, &awscli.Reader{Service: awscli.Pinpoint}, "get-apps.json", "get-event-stream.json")
	full, bare := b.Apps[0], awscli.App{ID: b.Apps[0].ID, Name: "ExampleCorp"}
	same(t, "what is not said", []awscli.Difference(nil), bare.DiffersFrom(full))
	same(t, "all of it", []awscli.Difference{
		{Member: "CreationDate", New: "2019-09-18T22:35:28.512Z"},
		{Member: "Name", Old: "Example", New: "ExampleCorp"},
		{Member: "tags.Stack", New: "Production"},
		{Member: "tags.Year", New: "2019"},
	}, full.DiffersFrom(awscli.App{ID: full.ID, Name: "Example"}))
	stream := b.Streams[0]
	same(t, "a stream", []awscli.Difference{{Member: "LastUpdatedBy", Old: "eve", New: stream.By}, {Member: "RoleArn", Old: "x", New: stream.Role}},
		stream.DiffersFrom(awscli.Stream{App: stream.App, ARN: stream.ARN, Role: "x", Modified: stream.Modified, By: "eve"}))
	same(t, "a stream of which less is said", []awscli.Difference(nil),
		awscli.Stream{App: stream.App, ARN: stream.ARN, Role: stream.Role}.DiffersFrom(stream))
}

// FuzzRead holds the reader to never failing but with an error, and to reading what it has
// printed of whatever it has read.
func FuzzRead(f *testing.F) {
	for _, name := range []string{"get-apps.json", "get-event-stream.json", "calls.json", "list-configuration-sets.json", "ses.json"} {
		f.Add(0, string(saved(f, name)))
		f.Add(1, string(saved(f, name)))
		f.Add(2, string(saved(f, name)))
	}
	f.Add(1, `{"ConfigurationSetName":"a","EventDestinations":[{}]}`)
	f.Add(0, "\xff\xfe{\x00}\x00")
	f.Fuzz(func(t *testing.T, which int, text string) {
		services := []awscli.Service{awscli.Pinpoint, awscli.SMSVoice, awscli.SES}
		r := &awscli.Reader{Service: services[uint(which)%3], Account: account, Region: "us-east-1"}
		if r.Add("set.json", []byte(text)) != nil {
			return
		}
		b, _, err := r.Finish()
		if err != nil {
			return
		}
		for _, s := range b.Sets {
			for _, d := range s.Destinations {
				if d.Kind == "" {
					return // what the rules refuse
				}
			}
		}
		same(t, "printed and read", b, again(t, b), cmpopts.IgnoreFields(awscli.Set{}, "Whole"), cmpopts.EquateEmpty())
	})
}
