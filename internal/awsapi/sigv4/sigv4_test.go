package sigv4_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"tidings/internal/awsapi"
)

const path = "/v1/sms-voice/configuration-sets"

// signing is a request and how it is signed. The zero value is one that is accepted.
type signing struct {
	method, target, body string
	key, secret, token   string
	service, region      string
	at                   time.Time
	header               http.Header
	unsigned             http.Header // set after signing
	edit                 func(r *http.Request)
	presign              string // X-Amz-Expires
}

// request makes the request with the signer of the AWS SDK for Go 2.
func (s signing) request(tb testing.TB) (*http.Request, []byte) {
	tb.Helper()
	or := func(v *string, standard string) {
		if *v == "" {
			*v = standard
		}
	}
	or(&s.method, http.MethodPost)
	or(&s.target, path)
	or(&s.key, "AKIDEXAMPLE")
	or(&s.secret, secret)
	or(&s.service, "sms-voice")
	or(&s.region, "us-east-1")
	if s.at.IsZero() {
		s.at = signedAt
	}
	r := httptest.NewRequestWithContext(tb.Context(), s.method, "http://127.0.0.1:4570"+s.target, strings.NewReader(s.body))
	r.RequestURI = s.target
	r.Header.Set("Content-Type", "application/json")
	maps.Copy(r.Header, s.header)
	sum := sha256.Sum256([]byte(s.body))
	hash := hex.EncodeToString(sum[:])
	credentials := aws.Credentials{AccessKeyID: s.key, SecretAccessKey: s.secret, SessionToken: s.token}
	if s.presign != "" {
		s.presigned(tb, r, credentials, hash)
	} else if err := v4.NewSigner().SignHTTP(tb.Context(), credentials, r, hash, s.service, s.region, s.at); err != nil {
		tb.Fatal(err)
	}
	maps.Copy(r.Header, s.unsigned)
	if s.edit != nil {
		s.edit(r)
	}
	return r, []byte(s.body)
}

func (s signing) presigned(tb testing.TB, r *http.Request, credentials aws.Credentials, hash string) {
	tb.Helper()
	q := r.URL.Query()
	q.Set("X-Amz-Expires", s.presign)
	r.URL.RawQuery = q.Encode()
	uri, headers, err := v4.NewSigner().PresignHTTP(tb.Context(), credentials, r, hash, s.service, s.region, s.at)
	if err != nil {
		tb.Fatal(err)
	}
	if r.URL, err = url.Parse(uri); err != nil {
		tb.Fatal(err)
	}
	r.RequestURI = r.URL.RequestURI()
	maps.Copy(r.Header, headers)
}

func TestSignedByTheSDK(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]signing{
		"plain":                          {},
		"a body":                         {body: `{"ConfigurationSetName":"a"}`},
		"a query":                        {method: http.MethodGet, target: path + "?PageSize=10&NextToken=a%20b%3D%3D"},
		"an encoded slash":               {method: http.MethodDelete, target: path + "/my%20set%2F%C3%BC%2Ba.b"},
		"a star and an apostrophe":       {method: http.MethodDelete, target: path + "/a*b'c(d)!$&,;=:@"},
		"15 minutes ago":                 {at: signedAt.Add(-15 * time.Minute)},
		"15 minutes ahead":               {at: signedAt.Add(15 * time.Minute)},
		"another region":                 {region: "eu-central-1"},
		"a session token":                {key: "AKIDSESSION", token: token},
		"a session token, unsigned":      {key: "AKIDSESSION", unsigned: http.Header{"X-Amz-Security-Token": {token}}},
		"any session token":              {key: "test", secret: "test", token: "made up"},
		"no session token":               {key: "test", secret: "test"},
		"the hash of the body":           {body: "{}", header: http.Header{"X-Amz-Content-Sha256": {hashOf("{}")}}},
		"an unsigned header":             {unsigned: http.Header{"X-Forwarded-For": {"192.0.2.1"}}},
		"a header of several values":     {header: http.Header{"X-Custom": {"one", " two  three "}}},
		"presigned":                      {method: http.MethodGet, presign: "300"},
		"presigned long ago":             {method: http.MethodGet, presign: "604800", at: signedAt.AddDate(0, 0, -7)},
		"presigned with a token":         {method: http.MethodGet, presign: "1", key: "AKIDSESSION", token: token},
		"presigned with a body":          {presign: "300", body: "{}"},
		"no spaces behind the commas":    {edit: editAuthorization(", ", ",")},
		"a line's spaces round commas":   {edit: editAuthorization(", ", " ,  ")},
		"the list in another order":      {edit: reorder},
		"the target in absolute form":    {edit: func(r *http.Request) { r.RequestURI = "http://127.0.0.1:4570" + path }},
		"a plus that stands for a space": {method: http.MethodGet, target: path + "?NextToken=a+b"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, body := s.request(t)
			p, err := verifierAt(signedAt).Verify(r, "sms-voice", body)
			if err != nil {
				t.Fatalf("Verify = %v, want nil", err)
			}
			want := s.region
			if want == "" {
				want = "us-east-1"
			}
			if p.Tenant().Account != owner.ID || p.Region != want {
				t.Errorf("Verify = %v, want %s/%s", p.Tenant(), owner.ID, want)
			}
		})
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	header := func(name string, values ...string) http.Header { return http.Header{name: values} }
	for name, c := range map[string]struct {
		signing

		reason awsapi.Reason
		text   string
	}{
		"no signature":        {signing{edit: func(r *http.Request) { r.Header.Del("Authorization") }}, awsapi.NotSigned, "Missing Authentication Token"},
		"basic":               {signing{edit: setAuthorization("Basic dGVzdDp0ZXN0")}, awsapi.IncompleteSignature, `"Basic"`},
		"empty":               {signing{edit: setAuthorization("")}, awsapi.IncompleteSignature, "AWS4-HMAC-SHA256"},
		"version 4a":          {signing{edit: editAuthorization("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256")}, awsapi.IncompleteSignature, "only signing algorithm"},
		"only the algorithm":  {signing{edit: setAuthorization("AWS4-HMAC-SHA256")}, awsapi.IncompleteSignature, "must have the form"},
		"no credential":       {signing{edit: setAuthorization("AWS4-HMAC-SHA256 SignedHeaders=host, Signature=a")}, awsapi.IncompleteSignature, `lacks the "Credential"`},
		"no signed headers":   {signing{edit: editAuthorization("SignedHeaders=content-type;host;x-amz-date", "SignedHeaders=")}, awsapi.IncompleteSignature, `lacks the "SignedHeaders"`},
		"signature twice":     {signing{edit: editAuthorization("Signature=", "Signature=x, Signature=")}, awsapi.IncompleteSignature, `"Signature" parameter twice`},
		"unknown parameter":   {signing{edit: editAuthorization("Signature=", "Extra=1, Signature=")}, awsapi.IncompleteSignature, "must have the form"},
		"short scope":         {signing{edit: editAuthorization("/aws4_request", "")}, awsapi.IncompleteSignature, "ACCESS-KEY-ID/YYYYMMDD"},
		"long scope":          {signing{edit: editAuthorization("/aws4_request", "/aws4_request/x")}, awsapi.IncompleteSignature, "ACCESS-KEY-ID/YYYYMMDD"},
		"other end of scope":  {signing{edit: editAuthorization("/aws4_request", "/aws5_request")}, awsapi.IncompleteSignature, "ACCESS-KEY-ID/YYYYMMDD"},
		"no key":              {signing{edit: editAuthorization("AKIDEXAMPLE", "")}, awsapi.IncompleteSignature, "ACCESS-KEY-ID/YYYYMMDD"},
		"signature too short": {signing{edit: setSignature("abc")}, awsapi.IncompleteSignature, "64 hexadecimal digits"},
		"signature in capitals": {
			signing{edit: setSignature(strings.Repeat("A", 64))}, awsapi.IncompleteSignature, "64 hexadecimal digits",
		},
		"header names in capitals": {signing{edit: editAuthorization(";host;", ";Host;")}, awsapi.IncompleteSignature, "lower case"},
		"headers out of order":     {signing{edit: editAuthorization("content-type;host", "host;content-type")}, awsapi.IncompleteSignature, "in order"},
		"host not signed":          {signing{edit: editAuthorization("content-type;host;", "content-type;")}, awsapi.IncompleteSignature, "Host header must be among"},
		"date not signed":          {signing{edit: editAuthorization(";x-amz-date", "")}, awsapi.IncompleteSignature, "X-Amz-Date"},
		"no date":                  {signing{edit: func(r *http.Request) { r.Header.Del("X-Amz-Date") }}, awsapi.IncompleteSignature, "X-Amz-Date"},
		"two dates":                {signing{edit: func(r *http.Request) { r.Header.Add("X-Amz-Date", "20261121T103000Z") }}, awsapi.IncompleteSignature, "X-Amz-Date"},
		"a date in words":          {signing{unsigned: header("X-Amz-Date", "Sat, 21 Nov 2026 10:30:00 GMT")}, awsapi.IncompleteSignature, "YYYYMMDD'T'HHMMSS'Z'"},
		"fractions of a second":    {signing{unsigned: header("X-Amz-Date", "20261121T103000.5Z")}, awsapi.IncompleteSignature, "YYYYMMDD'T'HHMMSS'Z'"},
		"two signatures":           {signing{edit: func(r *http.Request) { r.Header.Add("Authorization", r.Header.Get("Authorization")) }}, awsapi.IncompleteSignature, "2 Authorization headers"},
		"header and query":         {signing{edit: func(r *http.Request) { r.URL.RawQuery = "X-Amz-Signature=x" }}, awsapi.IncompleteSignature, "one of them"},
		"two tokens":               {signing{key: "AKIDSESSION", token: token, edit: func(r *http.Request) { r.Header.Add("X-Amz-Security-Token", token) }}, awsapi.IncompleteSignature, "2 security tokens"},
		"a broken query":           {signing{edit: func(r *http.Request) { r.URL.RawQuery = "a=%zz" }}, awsapi.BadRequest, "query"},
		"a semicolon in the query": {signing{edit: func(r *http.Request) { r.URL.RawQuery = "a=1;b=2" }}, awsapi.BadRequest, "query"},

		"another service":       {signing{service: "ses"}, awsapi.WrongSignature, `names the service "ses", but requests to this API are signed for the service "sms-voice"`},
		"region with a dot":     {signing{region: "us.east.1"}, awsapi.IncompleteSignature, `"us.east.1"`},
		"region too long":       {signing{region: strings.Repeat("r", 90)}, awsapi.IncompleteSignature, `r..."`},
		"scope of another day":  {signing{edit: editAuthorization("/20261121/", "/20261120/")}, awsapi.WrongSignature, `for the day "20261120", but the request is dated 20261121T103000Z`},
		"too old":               {signing{at: signedAt.Add(-15*time.Minute - time.Second)}, awsapi.WrongTime, "Signature expired: the request is dated 20261121T101459Z, but this server's clock says 20261121T103000Z"},
		"too early":             {signing{at: signedAt.Add(15*time.Minute + time.Second)}, awsapi.WrongTime, "Signature not yet current: the request is dated 20261121T104501Z, but this server's clock says 20261121T103000Z"},
		"wrong secret":          {signing{secret: "another"}, awsapi.WrongSignature, "Check the secret access key"},
		"wrong signature":       {signing{edit: setSignature(strings.Repeat("0", 64))}, awsapi.WrongSignature, "does not match"},
		"unknown key":           {signing{key: "AKIDUNKNOWN"}, awsapi.UnknownKey, "not known here"},
		"unknown key, unsigned": {signing{key: "AKIDUNKNOWN", edit: setSignature(strings.Repeat("0", 64))}, awsapi.UnknownKey, "not known here"},
		"another region's":      {signing{edit: editAuthorization("us-east-1", "eu-west-1")}, awsapi.WrongSignature, "does not match"},
		"another body's hash":   {signing{body: "{}", header: header("X-Amz-Content-Sha256", hashOf("[]"))}, awsapi.WrongSignature, "SHA-256 of the request body"},
		"unsigned payload":      {signing{body: "{}", header: header("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")}, awsapi.WrongSignature, "not accepted"},
		"streamed payload":      {signing{body: "{}", header: header("X-Amz-Content-Sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")}, awsapi.WrongSignature, "not accepted"},
		"a header removed":      {signing{header: header("X-Custom", "1"), edit: func(r *http.Request) { r.Header.Del("X-Custom") }}, awsapi.WrongSignature, `"x-custom", which did not arrive`},
		"a length removed":      {signing{body: "{}", edit: func(r *http.Request) { r.ContentLength = -1 }}, awsapi.WrongSignature, `"content-length", which did not arrive`},
		"a header added to":     {signing{header: header("X-Custom", "1"), edit: func(r *http.Request) { r.Header.Add("X-Custom", "2") }}, awsapi.WrongSignature, "does not match"},

		"token of a lasting key": {signing{token: token}, awsapi.UnknownKey, "without a session token"},
		"missing token":          {signing{key: "AKIDSESSION"}, awsapi.UnknownKey, "security token is missing"},
		"wrong token":            {signing{key: "AKIDSESSION", token: "x"}, awsapi.UnknownKey, "security token included in the request is invalid"},
		"ended key":              {signing{key: "AKIDENDED", token: token}, awsapi.ExpiredKey, "2026-11-21T10:30:00Z"},
		"ended key, wrong token": {signing{key: "AKIDENDED", token: "x"}, awsapi.UnknownKey, "invalid"},
		"ended key, wrong signature": {
			signing{key: "AKIDENDED", token: token, secret: "x"}, awsapi.WrongSignature, "does not match",
		},

		"presigned, over":           {signing{presign: "60", at: signedAt.Add(-61 * time.Second)}, awsapi.WrongTime, "signed at 20261121T102859Z to be good for 60 seconds"},
		"presigned, too early":      {signing{presign: "60", at: signedAt.Add(16 * time.Minute)}, awsapi.WrongTime, "not yet current"},
		"presigned for 0 seconds":   {signing{presign: "0"}, awsapi.IncompleteSignature, "from 1 to 604800"},
		"presigned for too long":    {signing{presign: "604801"}, awsapi.IncompleteSignature, "from 1 to 604800"},
		"presigned for a word":      {signing{presign: "hour"}, awsapi.IncompleteSignature, "from 1 to 604800"},
		"presigned for ages":        {signing{presign: "9223372036854775807"}, awsapi.IncompleteSignature, "from 1 to 604800"},
		"presigned, more in query":  {signing{presign: "60", edit: func(r *http.Request) { r.URL.RawQuery += "&PageSize=1" }}, awsapi.WrongSignature, "does not match"},
		"presigned, longer":         {signing{presign: "60", edit: editQuery("Expires=60", "Expires=600")}, awsapi.WrongSignature, "does not match"},
		"presigned, two signatures": {signing{presign: "60", edit: func(r *http.Request) { r.URL.RawQuery += "&X-Amz-Signature=x" }}, awsapi.IncompleteSignature, "twice"},
		"presigned, no signature":   {signing{presign: "60", edit: editQuery("X-Amz-Signature", "Signature")}, awsapi.IncompleteSignature, `lacks the parameter "X-Amz-Signature"`},
		"presigned, no algorithm":   {signing{presign: "60", edit: editQuery("X-Amz-Algorithm", "Algorithm")}, awsapi.IncompleteSignature, `lacks the parameter "X-Amz-Algorithm"`},
		"presigned, another algorithm": {
			signing{presign: "60", edit: editQuery("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1")}, awsapi.IncompleteSignature, "only signing algorithm",
		},
		"presigned, token removed": {
			signing{presign: "60", key: "AKIDSESSION", token: token, edit: editQuery("X-Amz-Security-Token", "Token")}, awsapi.WrongSignature, "does not match",
		},
		"presigned, odd date": {signing{presign: "60", edit: editQuery("20261121T", "20261121t")}, awsapi.IncompleteSignature, "X-Amz-Date"},
		"presigned, unknown":  {signing{presign: "60", key: "AKIDUNKNOWN"}, awsapi.UnknownKey, "not known here"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, body := c.request(t)
			p, err := verifierAt(signedAt).Verify(r, "sms-voice", body)
			refused, ok := errors.AsType[*awsapi.RefusedError](err)
			if !ok {
				t.Fatalf("Verify = %+v, %v, want a RefusedError", p, err)
			}
			if refused.Reason != c.reason || !strings.Contains(refused.Msg, c.text) {
				t.Errorf("Verify = reason %d %q, want reason %d with %q", refused.Reason, refused.Msg, c.reason, c.text)
			}
			if p.Key != nil {
				t.Errorf("Verify = principal %+v beside an error", p)
			}
		})
	}
}

// TestRefusalTellsNoSecret looks for what an attacker would like to read.
func TestRefusalTellsNoSecret(t *testing.T) {
	t.Parallel()
	right, _ := signing{}.request(t)
	_, want, _ := strings.Cut(right.Header.Get("Authorization"), "Signature=")
	r, body := signing{edit: setSignature(strings.Repeat("0", 64))}.request(t)
	_, err := verifierAt(signedAt).Verify(r, "sms-voice", body)
	if err == nil || strings.Contains(err.Error(), want) || strings.Contains(err.Error(), secret) {
		t.Errorf("Verify = %v, which tells the signature, or is nil", err)
	}
}

// TestVerifyLeavesTheRequestAlone compares the request before and after.
func TestVerifyLeavesTheRequestAlone(t *testing.T) {
	t.Parallel()
	for _, s := range []signing{{body: "{}"}, {presign: "60"}} {
		r, body := s.request(t)
		url, headers := r.URL.String(), len(r.Header)
		if _, err := verifierAt(signedAt).Verify(r, "sms-voice", body); err != nil {
			t.Fatalf("Verify = %v, want nil", err)
		}
		if r.URL.String() != url || len(r.Header) != headers {
			t.Errorf("after Verify: %s with %d headers, want %s with %d", r.URL, len(r.Header), url, headers)
		}
	}
}

func hashOf(body string) string {
	sum := sha256.Sum256([]byte(body))
	return hex.EncodeToString(sum[:])
}

func setAuthorization(value string) func(*http.Request) {
	return func(r *http.Request) { r.Header["Authorization"] = []string{value} }
}

func editAuthorization(old, with string) func(*http.Request) {
	return func(r *http.Request) {
		r.Header.Set("Authorization", strings.ReplaceAll(r.Header.Get("Authorization"), old, with))
	}
}

func setSignature(signature string) func(*http.Request) {
	return func(r *http.Request) {
		before, _, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
		r.Header.Set("Authorization", before+"Signature="+signature)
	}
}

func editQuery(old, with string) func(*http.Request) {
	return func(r *http.Request) { r.URL.RawQuery = strings.ReplaceAll(r.URL.RawQuery, old, with) }
}

// reorder puts the parameters of the Authorization header into another order.
func reorder(r *http.Request) {
	algorithm, rest, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	parts := strings.Split(rest, ", ")
	r.Header.Set("Authorization", algorithm+" "+parts[2]+", "+parts[0]+", "+parts[1])
}
