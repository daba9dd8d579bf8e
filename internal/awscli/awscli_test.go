package awscli_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tidings/internal/awscli"
	"tidings/internal/configset"
)

const account = "111122223333"

// saved reads a file that the AWS CLI has printed.
func saved(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// read reads files and fails the test on an error.
func read(t testing.TB, r *awscli.Reader, names ...string) (awscli.Batch, []string) {
	t.Helper()
	for _, name := range names {
		if err := r.Add(filepath.Join("saved", name), saved(t, name)); err != nil {
			t.Fatalf("Add(%q) = %v, want nil", name, err)
		}
	}
	b, warnings, err := r.Finish()
	if err != nil {
		t.Fatalf("Finish = %v, want nil", err)
	}
	return b, warnings
}

func same(t testing.TB, what string, want, got any, options ...cmp.Option) {
	t.Helper()
	if diff := cmp.Diff(want, got, options...); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestReadPinpoint(t *testing.T) {
	t.Parallel()
	b, warnings := read(t, &awscli.Reader{Service: awscli.Pinpoint}, "get-event-stream.json", "get-apps.json")
	virginia, dublin := awscli.Owner{Account: account, Region: "us-east-1"}, awscli.Owner{Account: account, Region: "eu-west-1"}
	same(t, "batch", awscli.Batch{
		Service: awscli.Pinpoint,
		Apps: []awscli.App{
			{
				Owner: virginia, ID: "810c7aab86d42fb2b56c8c966example", Name: "ExampleCorp",
				Tags: map[string]string{"Year": "2019", "Stack": "Production"}, Created: time.Date(2019, 9, 18, 22, 35, 28, 512e6, time.UTC),
			},
			{Owner: dublin, ID: "42d8c7eb0990a57ba1d5476a3example", Name: "AnyCompany", Tags: map[string]string{}},
			{Owner: virginia, ID: "80f5c382b638ffe5ad12376bbexample", Name: "ExampleCorp_Test"},
		},
		Streams: []awscli.Stream{
			{
				Owner: virginia, App: "810c7aab86d42fb2b56c8c966example", ARN: "arn:aws:firehose:us-east-1:111122223333:deliverystream/clicks",
				Role: "arn:aws:iam::111122223333:role/service-role/pinpoint", Modified: time.Date(2019, 9, 18, 23, 2, 44, 1e6, time.UTC),
				By: "arn:aws:iam::111122223333:user/jane",
			},
			{
				Owner: dublin, App: "42d8c7eb0990a57ba1d5476a3example", ARN: "arn:aws:kinesis:eu-west-1:111122223333:stream/clicks",
				Role: "arn:aws:iam::111122223333:role/pinpoint",
			},
		},
	}, b)
	same(t, "warnings", []string{
		"app 810c7aab86d42fb2b56c8c966example: the tag aws:cloudformation:stack-name is AWS's own and is left out",
		"saved/get-apps.json has a NextToken: it is one page of several; save and import the others as well",
	}, warnings)

	b, warnings = read(t, &awscli.Reader{Service: awscli.Pinpoint, Account: "999999999999", Region: "eu-west-1"}, "get-apps.json", "get-event-stream.json")
	for _, a := range b.Apps {
		same(t, "owner of "+a.Name, awscli.Owner{Account: "999999999999", Region: "eu-west-1"}, a.Owner)
	}
	same(t, "owner of the stream", awscli.Owner{Account: "999999999999", Region: "eu-west-1"}, b.Streams[0].Owner)
	same(t, "warnings", []string{
		"apps of account 111122223333 become those of account 999999999999", "apps of region us-east-1 become those of region eu-west-1",
	}, warnings, cmpopts.IgnoreSliceElements(func(s string) bool { return !strings.Contains(s, "become") }))
}

func wantCalls() []awscli.Destination {
	return []awscli.Destination{
		{
			Name: "log", Enabled: true, Types: []string{"INITIATED_CALL", "RINGING", "ANSWERED", "COMPLETED_CALL", "BUSY", "FAILED", "NO_ANSWER"},
			Kind: configset.CloudWatchLogs, ARN: "arn:aws:logs:us-east-1:111122223333:log-group:/voice/calls:*", Role: "arn:aws:iam::111122223333:role/voice",
		},
		{
			Name: "stream", Types: []string{"COMPLETED_CALL"}, Kind: configset.KinesisFirehose,
			ARN: "arn:aws:firehose:us-east-1:111122223333:deliverystream/calls", Role: "arn:aws:iam::111122223333:role/voice",
		},
		{Name: "alerts", Enabled: true, Types: []string{"FAILED"}, Kind: configset.SNS, ARN: "arn:aws:sns:us-east-1:111122223333:alerts"},
	}
}

func TestReadSMSVoice(t *testing.T) {
	t.Parallel()
	owner := awscli.Owner{Account: account, Region: "us-east-1"}
	reader := func() *awscli.Reader {
		return &awscli.Reader{Service: awscli.SMSVoice, Account: account, Region: "us-east-1"}
	}
	b, warnings := read(t, reader(), "calls.json", "list-configuration-sets.json")
	same(t, "batch", awscli.Batch{Service: awscli.SMSVoice, Sets: []awscli.Set{
		{Owner: owner, Name: "appointments"}, {Owner: owner, Name: "calls", Destinations: wantCalls(), Whole: true}, {Owner: owner, Name: "unused"},
	}}, b)
	same(t, "warnings", []string(nil), warnings)

	b, warnings = read(t, reader(), "calls.json")
	same(t, "sets without a list", []awscli.Set{{Owner: owner, Name: "calls", Destinations: wantCalls(), Whole: true}}, b.Sets)
	if len(warnings) != 1 || !strings.Contains(warnings[0], `taken for the event destinations of configuration set "calls", after the name of the file`) {
		t.Errorf("warnings = %q, want one about the name of the file", warnings)
	}

	r := reader()
	r.Set = "unused"
	b, warnings = read(t, r, "calls.json", "list-configuration-sets.json")
	same(t, "sets with a name", []awscli.Set{
		{Owner: owner, Name: "appointments"}, {Owner: owner, Name: "calls"}, {Owner: owner, Name: "unused", Destinations: wantCalls(), Whole: true},
	}, b.Sets)
	same(t, "warnings with a name", []string(nil), warnings)
}

func TestReadSES(t *testing.T) {
	t.Parallel()
	owner := awscli.Owner{Account: account, Region: "us-east-1"}
	b, warnings := read(t, &awscli.Reader{Service: awscli.SES, Account: account, Region: "us-east-1"}, "ses.json")
	same(t, "batch", awscli.Batch{Service: awscli.SES, Sets: []awscli.Set{
		{Owner: owner, Name: "news", Whole: true, Destinations: []awscli.Destination{
			{
				Name: "metrics", Enabled: true, Types: []string{"send", "renderingFailure"}, Kind: configset.CloudWatch,
				Dimensions: []configset.Dimension{
					{Name: "ses:campaign", Source: configset.MessageTag, Default: "none"},
					{Name: "Subject", Source: configset.EmailHeader, Default: "a@b.c"},
				},
			},
			{Name: "alerts", Enabled: true, Types: []string{"bounce", "complaint"}, Kind: configset.SNS, ARN: "arn:aws:sns:us-east-1:111122223333:alerts"},
			{
				Name: "archive", Types: []string{"delivery"}, Kind: configset.KinesisFirehose,
				ARN: "arn:aws:firehose:us-east-1:111122223333:deliverystream/mail", Role: "arn:aws:iam::111122223333:role/mail",
			},
			{
				Name: "app", Enabled: true, Types: []string{"open"}, Kind: configset.Pinpoint,
				ARN: "arn:aws:mobiletargeting:us-east-1:111122223333:apps/810c7aab86d42fb2b56c8c9661234567",
			},
		}},
		{Owner: owner, Name: "empty"},
	}}, b)
	same(t, "warnings", []string{
		`configuration set "news": its TrackingOptions are not kept`, `configuration set "news": its ReputationOptions are not kept`,
	}, warnings)
}

func TestWhatIsPrintedIsReadAgain(t *testing.T) {
	t.Parallel()
	for service, files := range map[awscli.Service][]string{
		awscli.SMSVoice: {"list-configuration-sets.json", "calls.json"},
		awscli.SES:      {"ses.json"},
	} {
		want, _ := read(t, &awscli.Reader{Service: service, Account: account, Region: "us-east-1"}, files...)
		same(t, string(service), want, again(t, want), cmpopts.IgnoreFields(awscli.Set{}, "Whole"), cmpopts.EquateEmpty())
	}
	apps := awscli.Batch{
		Service: awscli.Pinpoint,
		Apps: []awscli.App{{
			Owner: awscli.Owner{Account: account, Region: "us-east-1"}, ARN: "arn:aws:mobiletargeting:us-east-1:111122223333:apps/a",
			ID: "a", Name: "<ä&b>", Tags: map[string]string{"": ""}, Created: time.Date(2020, 1, 1, 0, 0, 0, 5e6, time.UTC),
		}},
		Streams: []awscli.Stream{{Owner: awscli.Owner{Account: account, Region: "us-east-1"}, App: "a", ARN: "x", Role: "y"}},
	}
	same(t, "pinpoint", apps, again(t, apps), cmpopts.IgnoreFields(awscli.App{}, "ARN"))
}

// again prints a batch and reads what was printed, which must not need a hint.
func again(t testing.TB, b awscli.Batch) awscli.Batch {
	t.Helper()
	var out bytes.Buffer
	if err := awscli.Print(&out, b); err != nil {
		t.Fatalf("Print = %v, want nil", err)
	}
	r := &awscli.Reader{Service: b.Service}
	if b.Service != awscli.Pinpoint || len(b.Apps) == 0 || b.Apps[0].ARN == "" {
		r.Account, r.Region = account, "us-east-1"
	}
	if err := r.Add("-", out.Bytes()); err != nil {
		t.Fatalf("Add of what was printed = %v, want nil\n%s", err, out.String())
	}
	got, _, err := r.Finish()
	if err != nil {
		t.Fatalf("Finish of what was printed = %v, want nil\n%s", err, out.String())
	}
	return got
}

// TestPrint holds the print to the byte: what the AWS CLI has printed comes out again.
func TestPrint(t *testing.T) {
	t.Parallel()
	b, _ := read(t, &awscli.Reader{Service: awscli.SMSVoice, Account: account, Region: "us-east-1"}, "calls.json")
	var out bytes.Buffer
	if err := awscli.Print(&out, b); err != nil {
		t.Fatal(err)
	}
	want := "{\n    \"ConfigurationSets\": [\n        \"calls\"\n    ]\n}\n" +
		strings.Replace(string(saved(t, "calls.json")), "{\n", "{\n    \"ConfigurationSetName\": \"calls\",\n", 1)
	same(t, "sms-voice", want, out.String())

	out.Reset()
	b, _ = read(t, &awscli.Reader{Service: awscli.SES, Account: account, Region: "us-east-1"}, "ses.json")
	b.Sets = b.Sets[:1]
	if err := awscli.Print(&out, b); err != nil {
		t.Fatal(err)
	}
	// All but the options, which are not kept, and the set that was cut off.
	want, _, _ = strings.Cut(string(saved(t, "ses.json")), ",\n    \"TrackingOptions\"")
	want = strings.Replace(want, ",\n        {\n            \"Name\": \"empty\"\n        }", "", 1) + "\n}\n"
	same(t, "ses", want, out.String())

	for service, want := range map[awscli.Service]string{
		awscli.Pinpoint: "{\n    \"ApplicationsResponse\": {\n        \"Item\": []\n    }\n}\n",
		awscli.SMSVoice: "{\n    \"ConfigurationSets\": []\n}\n",
		awscli.SES:      "{\n    \"ConfigurationSets\": []\n}\n",
	} {
		out.Reset()
		if err := awscli.Print(&out, awscli.Batch{Service: service}); err != nil {
			t.Fatal(err)
		}
		same(t, "nothing of "+string(service), want, out.String())
	}
}

// TestForms reads one app in all the forms in which it may have been saved.
func TestForms(t *testing.T) {
	t.Parallel()
	const (
		id    = "810c7aab86d42fb2b56c8c966example"
		arn   = "arn:aws:mobiletargeting:us-east-1:111122223333:apps/" + id
		app   = `{"Arn":"` + arn + `","Id":"` + id + `","Name":"n","tags":{"k":"v"},"CreationDate":"2020-01-02T03:04:05.678Z"}`
		event = `{"ApplicationId":"` + id + `","DestinationStreamArn":"a","RoleArn":"r","LastModifiedDate":"2020-01-02T03:04:05.678Z","LastUpdatedBy":null}`
	)
	at := func(when string) string { return strings.ReplaceAll(app, `"2020-01-02T03:04:05.678Z"`, when) }
	wide := func(order string) string {
		var out []byte
		for _, u := range utf16.Encode([]rune("\ufeff" + app)) {
			if order == "little" {
				out = append(out, byte(u), byte(u>>8))
			} else {
				out = append(out, byte(u>>8), byte(u))
			}
		}
		return string(out)
	}
	created := time.Date(2020, 1, 2, 3, 4, 5, 678e6, time.UTC)
	for name, tc := range map[string]struct {
		text    string
		streams int
		created time.Time
	}{
		"get-apps":              {`{"ApplicationsResponse":{"Item":[` + app + `]}}`, 0, created},
		"get-app":               {`{"ApplicationResponse":` + app + `}`, 0, created},
		"raw get-apps":          {`{"Item":[` + app + `],"NextToken":null}`, 0, created},
		"raw get-app":           {app, 0, created},
		"with its stream":       {`{"ApplicationResponse":` + app + `}{"EventStream":` + event + `}`, 1, created},
		"JSON lines":            {app + "\n" + event + "\n\n" + app + "\n", 1, created},
		"an array of documents": {`[` + event + `,` + app + `]`, 1, created},
		"boto3":                 {`{"ResponseMetadata":{"HTTPStatusCode":200},"ApplicationResponse":` + app + `}`, 0, created},
		"a byte order mark":     {"\xef\xbb\xbf" + app, 0, created},
		"PowerShell":            {wide("little"), 0, created},
		"big endian":            {wide("big"), 0, created},
		"Python's str":          {at(`"2020-01-02 03:04:05.678000+00:00"`), 0, created},
		"Python's other str":    {at(`"2020-01-02 04:04:05.678+01:00"`), 0, created},
		"str without a zone":    {at(`"2020-01-02 03:04:05.678"`), 0, created},
		"no zone":               {at(`"2020-01-02T03:04:05.678"`), 0, created},
		"an offset":             {at(`"2020-01-02T04:04:05.678+0100"`), 0, created},
		"no fraction":           {at(`"2020-01-02 03:04:05+00:00"`), 0, created.Truncate(time.Second)},
		"seconds":               {at(`1577934245.678`), 0, created},
		"milliseconds":          {at(`1577934245678`), 0, created},
		"no time":               {at(`null`), 0, time.Time{}},
	} {
		r := &awscli.Reader{Service: awscli.Pinpoint}
		if err := r.Add(name, []byte(tc.text)); err != nil {
			t.Errorf("Add of %s = %v, want nil", name, err)
			continue
		}
		b, _, err := r.Finish()
		if err != nil || len(b.Apps) != 1 || len(b.Streams) != tc.streams {
			t.Errorf("%s: %+v, %v, want 1 app and %d streams", name, b, err, tc.streams)
			continue
		}
		same(t, name, awscli.App{
			Owner: awscli.Owner{Account: account, Region: "us-east-1"}, ID: id, Name: "n", Tags: map[string]string{"k": "v"}, Created: tc.created,
		}, b.Apps[0])
	}
}
