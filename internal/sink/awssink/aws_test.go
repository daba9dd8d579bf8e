package awssink

import (
	"strings"
	"testing"

	"tidings/internal/arn"
	"tidings/internal/sink"
)

func TestSettingsThatCannotWork(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		settings Settings
		want     string
	}{
		"no URL":                {Settings{Endpoint: "http://[::1"}, "no URL"},
		"no scheme":             {Settings{Endpoint: "localhost:4566"}, "want http://host:port"},
		"no host":               {Settings{Endpoint: "http:///x"}, "want http://host:port"},
		"another scheme":        {Settings{Endpoint: "ftp://host"}, "want http://host:port"},
		"a password":            {Settings{Endpoint: "https://user:hunter2@host"}, "user or a password"},
		"a query":               {Settings{Endpoint: "https://host/?x=1"}, "neither a query nor a fragment"},
		"short external ID":     {Settings{AssumeRole: true, ExternalID: "x"}, "2 to 1,224"},
		"external ID with &":    {Settings{AssumeRole: true, ExternalID: "x&y"}, "2 to 1,224"},
		"long external ID":      {Settings{AssumeRole: true, ExternalID: strings.Repeat("x", 1225)}, "2 to 1,224"},
		"an ID alone":           {Settings{AccessKeyID: "AKID"}, "give both"},
		"a secret alone":        {Settings{SecretAccessKey: "hunter2"}, "give both"},
		"a token without key":   {Settings{SessionToken: "hunter2"}, "belongs to an access key"},
		"password in a non-URL": {Settings{Endpoint: "http://user:hunter2@[::1"}, "no URL"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := New(tc.settings)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("New = %v, want an error with %q", err, tc.want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("New = %v, which tells a secret", err)
			}
		})
	}
	for name, s := range map[string]Settings{
		"nothing":             {},
		"an emulator":         {Endpoint: "http://127.0.0.1:5000"},
		"behind a path":       {Endpoint: "https://gateway.example/aws"},
		"all":                 {AssumeRole: true, ExternalID: "a+b=c,d.e@f:g/h-i_j", AccessKeyID: "AKID", SecretAccessKey: "s", SessionToken: "t"},
		"IPv6":                {Endpoint: "http://[::1]:5000"},
		"longest external ID": {AssumeRole: true, ExternalID: strings.Repeat("x", 1224)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			newDriver(t, s)
		})
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	with := func(change func(*sink.Target)) sink.Target {
		t := target("firehose", "deliverystream/calls")
		change(&t)
		return t
	}
	shared := target("kinesis", "stream/x")
	shared.Role = "arn:aws:iam::210987654321:role/x"
	d := newDriver(t, Settings{AssumeRole: true})
	for name, tc := range map[string]struct {
		target sink.Target
		want   string // "" = no error
	}{
		"topic":          {target("sns", "alerts"), ""},
		"FIFO topic":     {target("sns", "alerts.fifo"), ""},
		"stream":         {target("firehose", "deliverystream/a.b-c_d"), ""},
		"data stream":    {target("kinesis", "stream/"+strings.Repeat("x", 128)), ""},
		"shared stream":  {shared, ""},
		"group":          {target("logs", "log-group:/voice/calls#1"), ""},
		"group and star": {target("logs", "log-group:/voice/calls:*"), ""},
		"service alone":  {sink.Target{ARN: arn.ARN{Service: "logs"}}, ""},
		"no role":        {with(func(t *sink.Target) { t.Role = "" }), ""},

		"another service":    {target("sqs", "queue"), "the aws driver speaks sns, firehose, kinesis, logs and cloudwatch, not sqs"},
		"SQS alone":          {sink.Target{ARN: arn.ARN{Service: "sqs"}}, "not sqs"},
		"stream's consumer":  {target("kinesis", "stream/x/consumer/y:1"), "has not the form arn:aws:kinesis:REGION:ACCOUNT:stream/NAME"},
		"long stream":        {target("kinesis", "stream/"+strings.Repeat("x", 129)), "has not the form"},
		"subscription":       {target("sns", "alerts:1234"), "has not the form arn:aws:sns:REGION:ACCOUNT:TOPIC"},
		"half a FIFO":        {target("sns", "alerts.fif"), "has not the form"},
		"stream of a region": {with(func(t *sink.Target) { t.ARN.Region = "evil.example/" }), "has not the form"},
		"no region":          {with(func(t *sink.Target) { t.ARN.Region = "" }), "has not the form"},
		"no account":         {with(func(t *sink.Target) { t.ARN.Account = "" }), "has not the form"},
		"log stream":         {target("logs", "log-group:a:log-stream:b"), "has not the form"},
		"role is no ARN":     {with(func(t *sink.Target) { t.Role = "publisher" }), "the role"},
		"role is a user":     {with(func(t *sink.Target) { t.Role = "arn:aws:iam::123456789012:user/x" }), "role/NAME"},
		"role elsewhere":     {with(func(t *sink.Target) { t.Role = "arn:aws:iam::210987654321:role/x" }), "210987654321"},
		"odd tenant":         {with(func(t *sink.Target) { t.Tenant.Account = "a b" }), "external ID"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := d.Check(tc.target)
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("Check(%v) = %v, want %q", tc.target, err, tc.want)
			}
			s, openErr := d.Open(tc.target)
			if openErr == nil {
				_ = s.Close()
			}
			if (openErr == nil) != (err == nil && tc.target.ARN.Resource != "") {
				t.Errorf("Open(%v) = %v, though Check = %v", tc.target, openErr, err)
			}
		})
	}
}

// TestARoleIsNotLookedAtUnlessAssumed: what cannot be assumed does no harm then.
func TestARoleIsNotLookedAtUnlessAssumed(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	odd := target("sns", "alerts")
	odd.Role = "no ARN"
	if err := openSink(t, newDriver(t, d.settings()), odd).Deliver(t.Context(), batchOf(`{}`)); err != nil {
		t.Errorf("Deliver = %v, want nil with the server's own credentials", err)
	}
}

func TestOpenSinksOutliveTheirDriver(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	driver := newDriver(t, d.settings())
	s := openSink(t, driver, target("sns", "alerts"))
	for range 2 {
		if err := s.Deliver(t.Context(), batchOf(`{}`)); err != nil {
			t.Fatalf("Deliver = %v", err)
		}
	}
	if got := d.contacts(t); got != 1 {
		t.Errorf("%d connections for two deliveries, want 1", got)
	}
	for range 2 {
		if err := driver.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
	}
	if _, err := driver.Open(target("sns", "alerts")); err == nil {
		t.Error("Open on a closed driver worked")
	}
	for range 2 {
		if err := s.Deliver(t.Context(), batchOf(`{}`)); err != nil {
			t.Fatalf("Deliver after the driver was closed = %v", err)
		}
	}
	if got := d.contacts(t); got != 3 {
		t.Errorf("%d connections, want 3: those after Close are not kept", got)
	}
}

func TestEndpointsOfAWS(t *testing.T) {
	t.Parallel()
	for service, want := range map[string]string{
		"sns": "sns.eu-central-1.amazonaws.com", "firehose": "firehose.eu-central-1.amazonaws.com",
		"kinesis": "123456789012.data-kinesis.eu-central-1.amazonaws.com", "logs": "logs.eu-central-1.amazonaws.com",
	} {
		t.Run(service, func(t *testing.T) {
			t.Parallel()
			hosts := &recorder{}
			driver := newDriver(t, Settings{AccessKeyID: ownKey, SecretAccessKey: ownSecret})
			driver.http.Transport = hosts
			if err := openSink(t, driver, targets()[service]).Deliver(t.Context(), batchOf(`{}`)); err == nil {
				t.Error("Deliver to nobody = nil")
			}
			if hosts.last != "https://"+want {
				t.Errorf("the request goes to %q, want %q", hosts.last, "https://"+want)
			}
		})
	}
}
