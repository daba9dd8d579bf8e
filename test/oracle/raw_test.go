package oracle

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

const setsPath = "/v1/sms-voice/configuration-sets"

// request is one that no SDK can be made to send. Its zero value is a good request for
// the list of configuration sets.
type request struct {
	method, path string // "" = GET, setsPath
	body         string
	sentBody     string                // sent in the place of the body that was signed
	age          time.Duration         // how long ago it was signed
	service      string                // of the credential scope; "" = sms-voice
	unsigned     bool                  // without any signature
	change       func(r *http.Request) // after signing
}

// answer is what came back.
type answer struct {
	status  int
	header  http.Header
	body    string
	code    string // x-amzn-ErrorType
	message string // the member Message
}

// send signs the request with the SDK's signer and sends it.
func (q request) send(t testing.TB, s *server) answer {
	t.Helper()
	if q.method == "" {
		q.method = http.MethodGet
	}
	if q.path == "" {
		q.path = setsPath
	}
	if q.service == "" {
		q.service = "sms-voice"
	}
	r, err := http.NewRequestWithContext(t.Context(), q.method, s.API+q.path, strings.NewReader(q.body))
	if err != nil {
		t.Fatalf("make the request: %v", err)
	}
	r.Header.Set("Content-Type", "application/json")
	if !q.unsigned {
		sum := sha256.Sum256([]byte(q.body))
		creds := aws.Credentials{AccessKeyID: testKey, SecretAccessKey: testSecret}
		if err := v4.NewSigner().SignHTTP(t.Context(), creds, r, hex.EncodeToString(sum[:]), q.service, testRegion, time.Now().Add(-q.age)); err != nil {
			t.Fatalf("sign the request: %v", err)
		}
	}
	if q.sentBody != "" {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(q.sentBody)), int64(len(q.sentBody))
	}
	if q.change != nil {
		q.change(r)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", q.method, q.path, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", q.method, q.path, err)
	}
	a := answer{status: resp.StatusCode, header: resp.Header, body: string(text), code: resp.Header.Get("X-Amzn-ErrorType")}
	var body map[string]any
	if json.Unmarshal(text, &body) == nil {
		// Exactly "Message": botocore fills the modelled member from no other spelling.
		a.message, _ = body["Message"].(string)
	}
	return a
}

func TestOddRequests(t *testing.T) {
	t.Parallel()
	s := start(t, options{})
	const send = "/v1/sms-voice/voice/message"
	tests := []struct {
		name    string
		request request
		status  int
		code    string // "" = a success
		message string // a part of it
	}{
		{"a good one", request{}, 200, "", ""},
		{"signed 14 minutes ago", request{age: 14 * time.Minute}, 200, "", ""},
		{"signed 14 minutes ahead", request{age: -14 * time.Minute}, 200, "", ""},
		{"signed 16 minutes ago", request{age: 16 * time.Minute}, 403, "InvalidSignatureException", "15 min"},
		{"signed 16 minutes ahead", request{age: -16 * time.Minute}, 403, "InvalidSignatureException", "15 min"},
		{"not signed", request{unsigned: true}, 403, "MissingAuthenticationTokenException", "uthentication"},
		{"signed for another service", request{service: "ses"}, 403, "InvalidSignatureException", "sms-voice"},
		{"another body than the signed one", request{method: "POST", body: `{"ConfigurationSetName":"a"}`, sentBody: `{"ConfigurationSetName":"b"}`}, 403, "InvalidSignatureException", "signature"},
		{"another path than the signed one", request{change: func(r *http.Request) { r.URL.Path += "/x/event-destinations" }}, 403, "InvalidSignatureException", "signature"},
		{"another query than the signed one", request{change: func(r *http.Request) { r.URL.RawQuery = "PageSize=1" }}, 403, "InvalidSignatureException", "signature"},
		{"half an authorization", request{change: func(r *http.Request) { r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=test") }}, 403, "IncompleteSignatureException", "SignedHeaders"},
		{"basic authorization", request{change: func(r *http.Request) { r.SetBasicAuth("test", "test") }}, 403, "IncompleteSignatureException", "AWS4-HMAC-SHA256"},

		{"no such path", request{path: "/v1/sms-voice/nothing"}, 404, "UnknownOperationException", "path"},
		{"no such method", request{method: "PATCH"}, 405, "MethodNotAllowedException", "GET, OPTIONS, POST"},
		{"no JSON", request{method: "POST", body: `{"ConfigurationSetName":`}, 400, "BadRequestException", "JSON"},
		{"JSON of the wrong type", request{method: "POST", body: `{"ConfigurationSetName":7}`}, 400, "BadRequestException", "ConfigurationSetName"},
		{"an array", request{method: "POST", body: `[]`}, 400, "BadRequestException", ""},
		{"two documents", request{method: "POST", body: `{"ConfigurationSetName":"a"}{}`}, 400, "BadRequestException", ""},
		{"no UTF-8", request{method: "POST", body: "{\"ConfigurationSetName\":\"\xff\"}"}, 400, "BadRequestException", ""},
		{"an empty body", request{method: "POST"}, 400, "BadRequestException", "name"},
		{"members nobody knows", request{method: "POST", body: `{"ConfigurationSetName":"odd","Colour":"red"}`}, 200, "", ""},
		{"a body of 16 MiB", request{method: "POST", path: send, body: strings.Repeat(" ", 16<<20)}, 413, "RequestEntityTooLargeException", "at most"},
		{"a slash in a name", request{path: setsPath + "/a%2Fb/event-destinations"}, 404, "NotFoundException", "Configuration set <a/b> does not exist."},
		{"a plus in a name", request{path: setsPath + "/a+b/event-destinations"}, 404, "NotFoundException", "Configuration set <a+b> does not exist."},
		{"dots for a name", request{path: setsPath + "/%2E%2E/event-destinations"}, 404, "NotFoundException", "Configuration set <..> does not exist."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := tt.request.send(t, s)
			if got.status != tt.status || tt.code != "" && got.code != tt.code || !strings.Contains(got.message, tt.message) {
				t.Errorf("answer = %d %s %q, want %d %s with %q\n%s", got.status, got.code, got.message, tt.status, tt.code, tt.message, got.body)
			}
			if got.header.Get("X-Amzn-RequestId") == "" {
				t.Errorf("the answer has no X-Amzn-RequestId: %v", got.header)
			}
			if got.status == http.StatusOK {
				return
			}
			if got.code == "" || got.message == "" || !strings.HasPrefix(got.header.Get("Content-Type"), "application/json") {
				t.Errorf("the error is not one that every SDK can read: %v %s", got.header, got.body)
			}
		})
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	s := start(t, options{config: map[string]any{"cors_origin": "https://console.example"}})
	for path, allowed := range map[string][]string{
		setsPath:                                     {"GET", "POST"},
		setsPath + "/set":                            {"DELETE"},
		setsPath + "/set/event-destinations":         {"GET", "POST"},
		setsPath + "/set/event-destinations/calls":   {"DELETE", "PUT"},
		"/v1/sms-voice/voice/message":                {"POST"},
		setsPath + "/a%2Fb/event-destinations/c%20d": {"DELETE", "PUT"},
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			got := request{method: http.MethodOptions, path: path, unsigned: true}.send(t, s)
			if got.status != http.StatusOK || got.body != "" {
				t.Errorf("answer = %d %q, want 200 and no body", got.status, got.body)
			}
			for _, header := range []string{"Allow", "Access-Control-Allow-Methods"} {
				for _, method := range allowed {
					if !strings.Contains(got.header.Get(header), method) {
						t.Errorf("%s = %q, want it to name %s", header, got.header.Get(header), method)
					}
				}
			}
			if origin := got.header.Get("Access-Control-Allow-Origin"); origin != "https://console.example" {
				t.Errorf("Access-Control-Allow-Origin = %q, want the configured one", origin)
			}
			if headers := got.header.Get("Access-Control-Allow-Headers"); !strings.Contains(headers, "authorization") {
				t.Errorf("Access-Control-Allow-Headers = %q, want authorization among them", headers)
			}
		})
	}
}
