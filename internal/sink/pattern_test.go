package sink_test

import (
	"testing"

	"tidings/internal/arn"
	"tidings/internal/sink"
)

func TestPattern(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		pattern, arn string
		want         bool
	}{
		{"*", "arn:aws:sns:us-east-1:123456789012:alerts", true},
		{"arn:aws:*:*:*:*", "arn:aws:sns:us-east-1:123456789012:alerts", true},
		{"arn:aws:*:*:*:*", "arn:aws-cn:sns:cn-north-1:123456789012:alerts", false},
		{"arn:aws*:*:*:*:*", "arn:aws-cn:sns:cn-north-1:123456789012:alerts", true},
		{"arn:aws:sns:*:*:alerts", "arn:aws:sns:us-east-1:123456789012:alerts", true},
		{"arn:aws:sns:*:*:alerts", "arn:aws:sns:us-east-1:123456789012:alerts2", false},
		{"arn:aws:sns:*:*:alerts", "arn:aws:sns:us-east-1:123456789012:Alerts", false},
		{"arn:aws:sns:us-*:*:*-prod", "arn:aws:sns:us-east-1:123456789012:alerts-prod", true},
		{"arn:aws:sns:us-*:*:*-prod", "arn:aws:sns:eu-west-1:123456789012:alerts-prod", false},
		{"arn:aws:sns:*:12345678901*:a*b*c", "arn:aws:sns:us-east-1:123456789012:aXbYbZc", true},
		{"arn:aws:sns:*:*:a*b*c", "arn:aws:sns:us-east-1:123456789012:acb", false},
		{"arn:aws:sns:*:*:ab*ba", "arn:aws:sns:us-east-1:123456789012:aba", false},
		{"arn:aws:sns:*:*:ab*ba", "arn:aws:sns:us-east-1:123456789012:abba", true},
		{"arn:aws:sns:*:*:**", "arn:aws:sns:us-east-1:123456789012:x", true},
		{"arn:aws:firehose:*:*:deliverystream/calls", "arn:aws:firehose:us-east-1:123456789012:deliverystream/calls", true},
		{"arn:aws:logs:*:*:log-group:calls", "arn:aws:logs:us-east-1:123456789012:log-group:calls:*", false},
		{"arn:aws:logs:*:*:log-group:calls:*", "arn:aws:logs:us-east-1:123456789012:log-group:calls", true},
		{"arn:aws:logs:*:*:log-group:calls", "arn:aws:logs:us-east-1:123456789012:log-group:calls", true},
		{"arn:aws:logs:*:*:log-group:*", "arn:aws:logs:us-east-1:123456789012:log-group:/a/b", true},
		{"arn:aws:sns:*:*:calls:*", "arn:aws:sns:us-east-1:123456789012:calls", false},
	} {
		p, err := sink.ParsePattern(tc.pattern)
		if err != nil {
			t.Errorf("ParsePattern(%q) = %v", tc.pattern, err)
			continue
		}
		a, err := arn.Parse(tc.arn)
		if err != nil {
			t.Fatalf("Parse(%q) = %v", tc.arn, err)
		}
		if got := p.Match(a); got != tc.want {
			t.Errorf("%s matches %s: %v, want %v", p, tc.arn, got, tc.want)
		}
	}
	for _, s := range []string{"", "**", "arn", "alerts", "arn:aws:sns", "arn:aws:sns:us-east-1:123456789012", "arn:aws::*:*:*", "urn:aws:sns:*:*:*", "arn:aws:sns:*:*:"} {
		if p, err := sink.ParsePattern(s); err == nil {
			t.Errorf("ParsePattern(%q) = %v, want an error", s, p)
		}
	}
}

// FuzzPattern compares the matcher with the plain definition of what a star means.
func FuzzPattern(f *testing.F) {
	f.Add("a*b*c", "aXbYc")
	f.Add("*", "")
	f.Add("ab*ba", "aba")
	f.Add("deliverystream/*", "deliverystream/a:b")
	f.Fuzz(func(t *testing.T, resource, s string) {
		if len(resource) > 24 || len(s) > 24 || resource == "" {
			return
		}
		p, err := sink.ParsePattern("arn:aws:sns:*:*:" + resource)
		if err != nil {
			t.Fatalf("ParsePattern(%q) = %v", resource, err)
		}
		got := p.Match(arn.ARN{Partition: "aws", Service: "sns", Region: "r", Account: "a", Resource: s})
		if want := matches(resource, s); got != want {
			t.Fatalf("%q matches %q: %v, want %v", resource, s, got, want)
		}
	})
}

// matches says what a star means, by trying everything.
func matches(pattern, s string) bool {
	if pattern == "" {
		return s == ""
	}
	if pattern[0] != '*' {
		return s != "" && s[0] == pattern[0] && matches(pattern[1:], s[1:])
	}
	for i := range len(s) + 1 {
		if matches(pattern[1:], s[i:]) {
			return true
		}
	}
	return false
}

func TestCovers(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		p, q string
		want bool
	}{
		{"*", "arn:aws:sns:*:*:*", true},
		{"*", "*", true},
		{"arn:*:*:*:*:*", "*", false}, // what is no ARN at all does not occur, but nobody writes this
		{"arn:aws:*:*:*:*", "arn:aws:sns:*:*:alerts", true},
		{"arn:aws:sns:*:*:*", "arn:aws:*:*:*:*", false},
		{"arn:aws:sns:*:*:a*", "arn:aws:sns:*:*:alerts", true},
		{"arn:aws:sns:*:*:a*", "arn:aws:sns:*:*:a*s", true},
		{"arn:aws:sns:*:*:a*s", "arn:aws:sns:*:*:a*", false},
		{"arn:aws:sns:*:*:alerts", "arn:aws:sns:*:*:alerts", true},
		{"arn:aws:sns:us-east-1:*:*", "arn:aws:sns:*:*:alerts", false},
	} {
		p, err := sink.ParsePattern(tc.p)
		if err != nil {
			t.Fatal(err)
		}
		q, err := sink.ParsePattern(tc.q)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Covers(q); got != tc.want {
			t.Errorf("%q.Covers(%q) = %v, want %v", tc.p, tc.q, got, tc.want)
		}
	}
}

func TestPatternService(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]string{"*": "", "arn:aws:*:*:*:x": "", "arn:aws:s*:*:*:x": "", "arn:aws:sns:*:*:x": "sns"} {
		p, err := sink.ParsePattern(pattern)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := p.Service(); got != want || ok != (want != "") {
			t.Errorf("Service of %q = %q, %v, want %q", pattern, got, ok, want)
		}
	}
}
