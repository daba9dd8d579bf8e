package sigv4

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"tidings/internal/account"
	"tidings/internal/awsapi"
)

// nobody is a directory with one key, whose secret no fuzzer knows.
func nobody() *Verifier {
	d := account.NewDirectory(&account.Key{ID: "AKIDEXAMPLE", Secret: "never guessed", Account: &account.Account{ID: "123456789012"}})
	return New(d, func() time.Time { return time.Date(2026, 11, 21, 10, 30, 0, 0, time.UTC) })
}

// FuzzAuthorization reads whatever comes as an Authorization header. What can be read must
// be readable again in its plainest form, and mean the same; none of it may be accepted.
func FuzzAuthorization(f *testing.F) {
	scope := "Credential=AKIDEXAMPLE/20261121/us-east-1/sms-voice/aws4_request"
	signature := "Signature=" + strings.Repeat("0a", 32)
	f.Add(algorithm+" "+scope+", SignedHeaders=host;x-amz-date, "+signature, "20261121T103000Z")
	f.Add(algorithm+" "+signature+","+scope+",SignedHeaders=content-length;content-type;host;x-amz-date;x-amz-security-token", "20261121T103000Z")
	f.Add(algorithm+" "+scope+", "+scope+", SignedHeaders=, "+signature, "20261121T103000.5Z")
	f.Add("Bearer x", "")
	f.Add(algorithm, "Sat, 21 Nov 2026 10:30:00 GMT")
	f.Fuzz(func(t *testing.T, header, date string) {
		r := &http.Request{
			Method: http.MethodGet, Host: "example", URL: &url.URL{Path: "/"}, RequestURI: "/",
			Header: http.Header{"Authorization": {header}, "X-Amz-Date": {date}},
		}
		refusedAlways(t, r)
		c, refused := read(r)
		if refused != nil {
			return
		}
		r.Header["Authorization"] = []string{algorithm + " Credential=" + strings.Join([]string{c.key, c.date, c.region, c.service, "aws4_request"}, "/") +
			", SignedHeaders=" + strings.Join(c.headers, ";") + ", Signature=" + c.signature}
		again, refused := read(r)
		if refused != nil || again.key != c.key || again.date != c.date || again.region != c.region || again.service != c.service ||
			again.signature != c.signature || strings.Join(again.headers, ";") != strings.Join(c.headers, ";") || !again.time.Equal(c.time) {
			t.Errorf("read(%q) = %+v, %v; want as before: %+v", r.Header["Authorization"], again, refused, c)
		}
	})
}

// FuzzPresigned reads whatever comes as the query of a presigned request.
func FuzzPresigned(f *testing.F) {
	const good = "PageSize=5&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20261121%2Fus-east-1%2Fsms-voice%2Faws4_request" +
		"&X-Amz-Date=20261121T103000Z&X-Amz-Expires=3600&X-Amz-SignedHeaders=host&X-Amz-Signature="
	f.Add(good + strings.Repeat("0a", 32))
	f.Add(good + strings.Repeat("0a", 32) + "&X-Amz-Security-Token=a%2Fb")
	f.Add(strings.Replace(good, "3600", "-1", 1) + strings.Repeat("0a", 32))
	f.Add("X-Amz-Signature=&X-Amz-Signature=%zz;")
	f.Fuzz(func(t *testing.T, query string) {
		r := &http.Request{Method: http.MethodGet, Host: "example", URL: &url.URL{Path: "/", RawQuery: query}, RequestURI: "/", Header: http.Header{}}
		refusedAlways(t, r)
		c, refused := read(r)
		if refused != nil {
			return
		}
		if !c.presigned || c.expires < time.Second || c.expires > maxExpires {
			t.Errorf("read(%q) = presigned %v for %v, want a presigned request for 1 s to 7 days", query, c.presigned, c.expires)
		}
		q, err := url.ParseQuery(c.query)
		if err != nil || q.Has("X-Amz-Signature") || q.Has("X-Amz-Credential") {
			t.Errorf("read(%q) signs the query %q, %v; want one without the signature", query, c.query, err)
		}
	})
}

func refusedAlways(t *testing.T, r *http.Request) {
	t.Helper()
	p, err := nobody().Verify(r.WithContext(t.Context()), "sms-voice", nil)
	if _, ok := errors.AsType[*awsapi.RefusedError](err); !ok || p.Key != nil {
		t.Errorf("Verify = %+v, %v, want a RefusedError", p, err)
	}
}
