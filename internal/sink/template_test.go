package sink_test

import (
	"strings"
	"testing"

	"tidings/internal/arn"
	"tidings/internal/sink"
)

func TestTemplate(t *testing.T) {
	t.Parallel()
	quote := func(s string) string { return "<" + s + ">" }
	for _, tc := range []struct{ template, arn, want string }{
		{"", "arn:aws:sns:us-east-1:123456789012:alerts", ""},
		{"calls", "arn:aws:sns:us-east-1:123456789012:alerts", "calls"},
		{"a.{name}.b", "arn:aws:sns:us-east-1:123456789012:alerts", "a.<alerts>.b"},
		{"{service}{region}/{account}", "arn:aws:sns:us-east-1:123456789012:alerts", "<sns><us-east-1>/<123456789012>"},
		{"{name}", "arn:aws:kinesis:us-east-1:123456789012:stream/events", "<events>"},
		{"{name}", "arn:aws:firehose:us-east-1:123456789012:deliverystream/calls", "<calls>"},
		{"{name}", "arn:aws:logs:us-east-1:123456789012:log-group:/voice/calls:*", "</voice/calls>"},
	} {
		a, err := arn.Parse(tc.arn)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := sink.ParseTemplate(tc.template)
		if err != nil {
			t.Errorf("ParseTemplate(%q) = %v", tc.template, err)
			continue
		}
		if got, err := parsed.Expand(a, quote); got != tc.want || err != nil {
			t.Errorf("%q expands to %q, %v, want %q", tc.template, got, err, tc.want)
		}
	}
	for _, s := range []string{"{", "}", "{name", "{nam}", "{}", "a}b", "{name}}", "{{name}}", "{Name}"} {
		if _, err := sink.ParseTemplate(s); err == nil {
			t.Errorf("ParseTemplate(%q) = nil, want an error", s)
		}
	}
	parsed, err := sink.ParseTemplate("{region}")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parsed.Expand(arn.ARN{Service: "iam"}, quote); err == nil || !strings.Contains(err.Error(), "{region}") {
		t.Errorf("Expand without a region = %v, want it to say {region}", err)
	}
}
