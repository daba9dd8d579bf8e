package webhook

import (
	"net/url"
	"strings"
	"testing"

	"tidings/internal/arn"
)

func mustParseARN(tb testing.TB, s string) arn.ARN {
	tb.Helper()
	a, err := arn.Parse(s)
	if err != nil {
		tb.Fatalf("Parse(%q) = %v", s, err)
	}
	return a
}

func TestExpand(t *testing.T) {
	t.Parallel()
	const all = "https://hooks.example/{service}/{region}/{account}/{name}?n={name}"
	for _, tc := range []struct{ url, arn, want string }{
		{"https://hooks.example/x", "arn:aws:sns:us-east-1:123456789012:alerts", "https://hooks.example/x"},
		{all, "arn:aws:sns:us-east-1:123456789012:alerts", "https://hooks.example/sns/us-east-1/123456789012/alerts?n=alerts"},
		{all, "arn:aws:firehose:us-east-1:123456789012:deliverystream/calls", "https://hooks.example/firehose/us-east-1/123456789012/calls?n=calls"},
		{all, "arn:aws:logs:us-east-1:123456789012:log-group:/aws/x:*", "https://hooks.example/logs/us-east-1/123456789012/%2Faws%2Fx?n=%2Faws%2Fx"},
		{"https://h.example/a-{name}-b", "arn:aws:sns:us-east-1:123456789012:x?y=1#z&%2e", "https://h.example/a-x%3Fy%3D1%23z%26%252e-b"},
		{"https://h.example/{name}{name}", "arn:aws:sns:us-east-1:123456789012:ü@:\\", "https://h.example/%C3%BC%40%3A%5C%C3%BC%40%3A%5C"},
		{"https://h.example/{name}", "arn:aws:sns:us-east-1:123456789012:...", "https://h.example/..."},
		{"https://h.example?{name}", "arn:aws:sns:us-east-1:123456789012:a+b", "https://h.example?a%2Bb"},
		{"https://h.example/x y/ü|{name}?q=ü {name}", "arn:aws:logs:us-east-1:123456789012:log-group:/a", "https://h.example/x%20y/%C3%BC%7C%2Fa?q=%C3%BC%20%2Fa"},
		{"https://h.example/x%20y/%2Fü/{name}", "arn:aws:logs:us-east-1:123456789012:log-group:/a", "https://h.example/x%20y/%2F%C3%BC/%2Fa"},
		// What would climb out of the path, or leave a gap in it, is refused.
		{"https://h.example/x/{name}", "arn:aws:sns:us-east-1:123456789012:..", ""},
		{"https://h.example/x/{name}{name}", "arn:aws:sns:us-east-1:123456789012:.", ""},
		{"https://h.example/x/.{name}", "arn:aws:sns:us-east-1:123456789012:.", ""},
		{"https://h.example/x/{name}", "arn:aws:sns:us-east-1:123456789012:../y", ""},
		{"https://h.example/x/{name}", "arn:aws:sns:us-east-1:123456789012:a\\..\\y", ""},
		{"https://h.example/x/{account}", "arn:aws:sns:us-east-1::alerts-and-more", ""},
		{"https://h.example/x/{name}", "arn:aws:firehose:us-east-1:123456789012:deliverystream/", ""},
	} {
		e, err := parseEndpoint(tc.url)
		if err != nil {
			t.Errorf("parseEndpoint(%q) = %v", tc.url, err)
			continue
		}
		u, err := e.expand(mustParseARN(t, tc.arn))
		got := ""
		if err == nil {
			got = u.String()
		}
		if got != tc.want {
			t.Errorf("expand(%q, %q) = %q, %v, want %q", tc.url, tc.arn, got, err, tc.want)
		}
		d := newDriver(t, Settings{URL: tc.url})
		tt := target()
		tt.ARN = mustParseARN(t, tc.arn)
		s, openErr := d.Open(tt)
		if openErr == nil {
			s.Close()
		}
		if checkErr := d.Check(tt); (checkErr == nil) != (tc.want != "") || (openErr == nil) != (checkErr == nil) {
			t.Errorf("Check(%q) = %v and Open = %v with %q", tc.arn, checkErr, openErr, tc.url)
		}
	}
}

// FuzzExpand shows that no ARN can lead out of the URL that the operator wrote.
func FuzzExpand(f *testing.F) {
	f.Add("/{service}/{name}?a={region}", "sns", "us-east-1", "alerts")
	f.Add("/x/{name}", "sns", "..", "..%2f..")
	f.Add("/{region}{name}", "logs", ".", ".")
	f.Add("?{name}", "sns", "@evil.example", "//evil.example/\\")
	f.Fuzz(func(t *testing.T, path, service, region, name string) {
		e, err := parseEndpoint("https://hooks.example:8443" + path)
		if err != nil {
			return
		}
		plain, err := e.expand(arn.ARN{Partition: "aws", Service: "x", Region: "x", Account: "123456789012", Resource: "x"})
		if err != nil {
			t.Fatalf("%q parses, and a plain ARN does not fit: %v", path, err)
		}
		u, err := e.expand(arn.ARN{Partition: "aws", Service: service, Region: region, Account: "123456789012", Resource: name})
		if err != nil {
			return
		}
		again, err := url.Parse(u.String())
		if err != nil {
			t.Fatalf("%q cannot be parsed again: %v", u, err)
		}
		for _, u := range []*url.URL{u, again} {
			if u.Scheme != plain.Scheme || u.Host != plain.Host || u.User != nil || u.Fragment != "" || u.Opaque != "" {
				t.Fatalf("%q with %q %q %q is %q", path, service, region, name, u)
			}
			if got, want := strings.Count(u.EscapedPath(), "/"), strings.Count(plain.EscapedPath(), "/"); got != want {
				t.Fatalf("%q with %q %q %q has %d slashes, want %d: %q", path, service, region, name, got, want, u)
			}
			if got, want := strings.Count(u.RawQuery, "&"), strings.Count(plain.RawQuery, "&"); got != want {
				t.Fatalf("%q with %q %q %q has %d ampersands, want %d: %q", path, service, region, name, got, want, u)
			}
		}
		if host := plain.JoinPath().Host; !strings.HasPrefix(u.ResolveReference(&url.URL{}).String(), "https://"+host) {
			t.Fatalf("%q resolves to another host", u)
		}
	})
}
