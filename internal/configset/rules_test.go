package configset_test

import (
	"strings"
	"testing"

	"tidings/internal/configset"
	"tidings/internal/event"
	"tidings/internal/fault"
)

func TestDestinationRules(t *testing.T) {
	t.Parallel()
	s, _ := newService(t)
	mustCreate(t, s, here, "a")
	sns := func(arn string) configset.Destination { return configset.Destination{Kind: configset.SNS, ARN: arn} }
	hose := func(arn, role string) configset.Destination {
		return configset.Destination{Kind: configset.KinesisFirehose, ARN: arn, Role: role}
	}
	logs := func(arn, role string) configset.Destination {
		return configset.Destination{Kind: configset.CloudWatchLogs, ARN: arn, Role: role}
	}
	const clicks = "arn:aws:kinesis:us-east-1:123456789012:stream/clicks"
	for _, tc := range []struct {
		d    configset.Destination
		want string // a part of the error text; "" = accepted
	}{
		{sns(topic), ""},
		{sns("arn:aws-cn:sns:cn-north-1:123456789012:a_B-9"), ""},
		{hose(stream, role), ""},
		{logs(group, role), ""},
		{logs(group+":*", role), ""},
		{logs(group, "arn:aws:iam::123456789012:role/plain"), ""},
		{configset.Destination{}, "Exactly one destination must be specified."},
		{configset.Destination{Kind: "Pigeon", ARN: topic}, "Exactly one destination must be specified."},
		{sns(""), "The topic ARN is missing."},
		{sns("alerts"), "an ARN has 20 to 2048 characters"},
		{sns("arn:aws:sns:us-east-1:123456789012:" + strings.Repeat("x", 257)), "must have the form"},
		{sns(topic + ".fifo"), "FIFO"},
		{sns(stream), "must have the form arn:aws:sns:REGION:ACCOUNT:TOPIC"},
		{sns("arn:aws:sns::123456789012:alerts"), "must have the form"},
		{sns("arn:aws:sns:us-east-1::alerts-of-everybody"), "must have the form"},
		{sns(topic + ":2f1c9b3e-5c1a-4b66-9a53-1d0a6b6f2c11"), "must have the form"}, // a subscription
		{configset.Destination{Kind: configset.SNS, ARN: topic, Role: role}, "takes no IAM role"},
		{hose(stream, ""), "The IAM role ARN is missing."},
		{configset.Destination{Kind: configset.KinesisStream, ARN: clicks, Role: role}, ""},
		{configset.Destination{Kind: configset.KinesisStream, ARN: "arn:aws:kinesis:us-east-1:123456789012:clicks", Role: role}, "must have the form arn:aws:kinesis:REGION:ACCOUNT:stream/NAME"},
		{configset.Destination{Kind: configset.KinesisStream, ARN: clicks}, "IAM role"},
		{hose(topic, role), "must have the form arn:aws:firehose:REGION:ACCOUNT:deliverystream/NAME"},
		{hose("arn:aws:firehose:us-east-1:123456789012:calls", role), "must have the form"},
		{hose("arn:aws:firehose:us-east-1:123456789012:deliverystream/a/b", role), "must have the form"},
		{hose(stream, "arn:aws:iam::123456789012:user/eve"), "must have the form arn:aws:iam::ACCOUNT:role/NAME"},
		{hose(stream, "arn:aws:iam:us-east-1:123456789012:role/r"), "must have the form"},
		{hose(stream, "arn:aws:iam:::role/nobody"), "must have the form"},
		{hose(stream, "arn:aws:iam::123456789012:role/"), "must have the form"},
		{logs(group, "role"), "an ARN has"},
		{logs("arn:aws:logs:us-east-1:123456789012:log-group:", role), "must have the form"},
		{logs(group+":log-stream:x", role), "must have the form arn:aws:logs:REGION:ACCOUNT:log-group:NAME"},
		{logs("arn:aws:logs:US East:123456789012:log-group:x", role), "white space"},
		{logs("arn:aws:logs:../etc:123456789012:log-group:x", role), "must have the form"},
	} {
		d := destination("d")
		d.Destination = tc.d
		err := s.CreateDestination(t.Context(), here, configset.Voice, "a", d)
		if tc.want == "" {
			if err != nil {
				t.Errorf("CreateDestination(%+v) = %v, want nil", tc.d, err)
				continue
			}
			if err := s.DeleteDestination(t.Context(), here, configset.Voice, "a", "d"); err != nil {
				t.Fatalf("DeleteDestination = %v", err)
			}
			continue
		}
		wantFault(t, "CreateDestination", err, fault.Invalid, fault.EventDestination, tc.want)
	}
	if ds, err := s.Destinations(t.Context(), here, configset.Voice, "a"); err != nil || len(ds) != 0 {
		t.Errorf("Destinations = %v, %v, want none: a refused create leaves nothing", ds, err)
	}
}

func TestTypesAndNamesOfDestinations(t *testing.T) {
	t.Parallel()
	s, _ := newService(t)
	mustCreate(t, s, here, "a")
	for _, tc := range []struct {
		name  string
		types []event.Type
		want  string
	}{
		{"d", nil, "At least one matching event type must be specified."},
		{"d", []event.Type{"email.send"}, `"email.send" is no event type of the voice channel.`},
		{"", []event.Type{event.VoiceBusy}, "The name of the event destination is missing."},
		{"d d", []event.Type{event.VoiceBusy}, "1 to 64 letters"},
	} {
		d := destination(tc.name)
		d.Types = tc.types
		wantFault(t, "CreateDestination", s.CreateDestination(t.Context(), here, configset.Voice, "a", d),
			fault.Invalid, fault.EventDestination, tc.want)
		wantFault(t, "UpdateDestination", s.UpdateDestination(t.Context(), here, configset.Voice, "a", d),
			fault.Invalid, fault.EventDestination, tc.want)
	}
	wantFault(t, "DeleteDestination", s.DeleteDestination(t.Context(), here, configset.Voice, "a", ""),
		fault.Invalid, fault.EventDestination, "missing")
}
