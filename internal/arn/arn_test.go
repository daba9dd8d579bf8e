package arn_test

import (
	"testing"

	"tidings/internal/arn"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		in   string
		want arn.ARN
	}{
		{"arn:aws:sns:us-east-1:123456789012:alerts", arn.ARN{"aws", "sns", "us-east-1", "123456789012", "alerts"}},
		{"arn:aws:logs:eu-west-1:123456789012:log-group:calls:*", arn.ARN{"aws", "logs", "eu-west-1", "123456789012", "log-group:calls:*"}},
		{"arn:aws:firehose:us-east-1:123456789012:deliverystream/calls", arn.ARN{"aws", "firehose", "us-east-1", "123456789012", "deliverystream/calls"}},
		{"arn:aws-cn:iam::123456789012:role/r", arn.ARN{"aws-cn", "iam", "", "123456789012", "role/r"}},
	} {
		got, err := arn.Parse(tc.in)
		if err != nil || got != tc.want {
			t.Errorf("Parse(%q) = %+v, %v, want %+v", tc.in, got, err, tc.want)
		}
		if got.String() != tc.in {
			t.Errorf("Parse(%q).String() = %q", tc.in, got)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		"", "arn", "not an arn at all, but long", "arn:aws:sns:us-east-1:123456789012",
		"arn:aws:sns:us-east-1:123456789012:", "arn:aws:sns:us-east-1:12345:a-long-topic-name",
		"arn:aws:sns:us-east-1:12345678901x:topic", "arn:gcp:sns:us-east-1:123456789012:topic",
		"arn:aws::us-east-1:123456789012:topic", "arn:aws:sns:us-east-1:123456789012:to pic",
		"arn:aws:sns:us-east-1:123456789012:to\x00pic",
	} {
		if got, err := arn.Parse(in); err == nil {
			t.Errorf("Parse(%q) = %+v, want an error", in, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("arn:aws:sns:us-east-1:123456789012:alerts")
	f.Add("arn:aws:logs:us-east-1:123456789012:log-group:calls:*")
	f.Add("arn:::::")
	f.Fuzz(func(t *testing.T, s string) {
		a, err := arn.Parse(s)
		if err != nil {
			return
		}
		if a.String() != s {
			t.Fatalf("Parse(%q).String() = %q", s, a)
		}
	})
}
