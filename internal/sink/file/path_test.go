package file

import (
	"path"
	"strings"
	"testing"
	"time"

	"tidings/internal/arn"
	"tidings/internal/sink"
)

func TestFolder(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		service, region, account, resource string
		want                               string
	}{
		{"sns", "us-east-1", "123456789012", "alerts", "sns/us-east-1/123456789012/alerts"},
		{"firehose", "us-east-1", "123456789012", "deliverystream/a.b", "firehose/us-east-1/123456789012/a.b"},
		{"kinesis", "us-east-1", "123456789012", "stream/calls", "kinesis/us-east-1/123456789012/calls"},
		{"logs", "us-east-1", "123456789012", "log-group:calls:*", "logs/us-east-1/123456789012/calls"},
		{"logs", "us-east-1", "123456789012", "log-group:/aws/calls", "logs/us-east-1/123456789012/%2Faws%2Fcalls"},
		{"logs", "..", "", "log-group:..", "logs/%2E./~/%2E."},
		{"sns", "a/../..", "123456789012", "../../etc/passwd", "sns/a%2F..%2F../123456789012/%2E.%2F..%2Fetc%2Fpasswd"},
		{"sns", "r", "123456789012", ".hidden\x00é", "sns/r/123456789012/%2Ehidden%00%C3%A9"},
		{"sns", "r", "123456789012", "a%2Fb", "sns/r/123456789012/a%252Fb"},
	} {
		a := arn.ARN{Partition: "aws", Service: tc.service, Region: tc.region, Account: tc.account, Resource: tc.resource}
		if got := Folder(sink.Target{ARN: a}); got != tc.want {
			t.Errorf("Folder(%q) = %q, want %q", a, got, tc.want)
		}
	}
}

func TestLongNamesDiffer(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x/", 400)
	one, two := element(long+"a"), element(long+"b")
	if len(one) != maxElement || one == two {
		t.Errorf("element of long names: %q and %q", one, two)
	}
}

func TestHourIsInUTC(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 5, 0, 30, 0, 0, time.FixedZone("east", 3600))
	if got := hourAt("f", at).plain(); got != "f/2026/11/04/23.ndjson" {
		t.Errorf("hour = %q", got)
	}
}

func FuzzFolder(f *testing.F) {
	f.Add("logs", "us-east-1", "123456789012", "log-group:../..")
	f.Add("", "", "", "")
	f.Add("sns", "\x00", "~", strings.Repeat("é", 300))
	f.Fuzz(func(t *testing.T, service, region, account, resource string) {
		folder := Folder(sink.Target{ARN: arn.ARN{Service: service, Region: region, Account: account, Resource: resource}})
		parts := strings.Split(folder, "/")
		if len(parts) != 4 || path.Clean(folder) != folder {
			t.Fatalf("Folder = %q, want four clean elements", folder)
		}
		for _, part := range parts {
			if part == "" || part[0] == '.' || len(part) > maxElement || strings.ContainsAny(part, "\\:\x00\n ") {
				t.Fatalf("Folder = %q has the element %q", folder, part)
			}
		}
	})
}
