package sigv4_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tidings/internal/account"
	"tidings/internal/awsapi/sigv4"
)

const (
	secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" // the one of AWS's own examples
	token  = "FwoGZXIvYXdzEBYaD+Example/Session=Token"
)

// signedAt is when all captured requests were signed.
var signedAt = time.Date(2026, 11, 21, 10, 30, 0, 0, time.UTC)

var owner = &account.Account{ID: "123456789012"}

func directory() *account.Directory {
	return account.NewDirectory(
		&account.Key{ID: "AKIDEXAMPLE", Secret: secret, Account: owner},
		&account.Key{ID: "AKIDSESSION", Secret: secret, Account: owner, SessionToken: token},
		&account.Key{ID: "AKIDENDED", Secret: secret, Account: owner, SessionToken: token, Expires: signedAt},
		&account.Key{ID: "test", Secret: "test", Account: owner, AnyToken: true},
	)
}

func verifierAt(now time.Time) *sigv4.Verifier {
	return sigv4.New(directory(), func() time.Time { return now })
}

// parse reads a request as a server does.
func parse(tb testing.TB, wire string) (*http.Request, []byte) {
	tb.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(wire)))
	if err != nil {
		tb.Fatalf("ReadRequest: %v\n%s", err, wire)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		tb.Fatalf("read the body: %v", err)
	}
	return r.WithContext(tb.Context()), body
}

type fixture struct {
	Name    string `json:"name"`
	Time    string `json:"time"`
	Request string `json:"request"`
}

func fixtures(tb testing.TB, client string) []fixture {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", client+".json"))
	if err != nil {
		tb.Fatal(err)
	}
	var found []fixture
	if err := json.Unmarshal(data, &found); err != nil {
		tb.Fatal(err)
	}
	if len(found) < 5 {
		tb.Fatalf("%s.json has %d requests, want at least 5", client, len(found))
	}
	return found
}

// TestRequestsOfRealClients verifies what the clients named here have really signed; the
// programs that made the captures stand beside them.
func TestRequestsOfRealClients(t *testing.T) {
	t.Parallel()
	for _, client := range []string{"boto3", "gov1", "javascript"} {
		for _, f := range fixtures(t, client) {
			t.Run(client+"/"+f.Name, func(t *testing.T) {
				t.Parallel()
				r, body := parse(t, f.Request)
				p, err := verifierAt(signedAt).Verify(r, "sms-voice", body)
				if err != nil {
					t.Fatalf("Verify = %v, want nil", err)
				}
				if p.Region != "us-east-1" || p.Key.Account != owner {
					t.Errorf("Verify = %+v, want us-east-1 of %s", p, owner.ID)
				}
			})
		}
	}
}

// TestEveryPartOfARequestIsCovered changes each captured request in all the ways that
// must break its signature.
func TestEveryPartOfARequestIsCovered(t *testing.T) {
	t.Parallel()
	change := map[string]func(string) string{
		"the path":          func(s string) string { return strings.Replace(s, "/v1/sms-voice", "/v1/sms%2Dvoice", 1) },
		"the method":        func(s string) string { m, rest, _ := strings.Cut(s, " "); return "X" + m + " " + rest },
		"the query":         addParameter,
		"the host":          func(s string) string { return replaceFold(s, "host: 127.0.0.1:4570", "host: 127.0.0.1:4571") },
		"the content type":  func(s string) string { return replaceFold(s, "t-type: application/json", "t-type: application/jsun") },
		"the date":          func(s string) string { return replaceFold(s, "date: 20261121t103000z", "date: 20261121T103001Z") },
		"the session token": func(s string) string { return replaceFold(s, "token: fwo", "token: Xwo") },
		"the body": func(s string) string {
			return strings.Replace(s, `"ConfigurationSetName"`, `"configurationSetName"`, 1)
		},
		"the region": func(s string) string { return strings.Replace(s, "us-east-1", "us-west-1", 1) },
		"the key":    func(s string) string { return strings.Replace(s, "AKIDEXAMPLE", "AKIDSESSION", 1) },
		"the expiry": func(s string) string { return strings.Replace(s, "X-Amz-Expires=3600", "X-Amz-Expires=3601", 1) },
	}
	for what, edit := range change {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			changed := 0
			for _, client := range []string{"boto3", "gov1", "javascript"} {
				for _, f := range fixtures(t, client) {
					wire := edit(f.Request)
					if wire == f.Request {
						continue
					}
					changed++
					r, body := parse(t, wire)
					if p, err := verifierAt(signedAt).Verify(r, "sms-voice", body); err == nil {
						t.Errorf("%s: %s: Verify = %+v after %s was changed, want an error", client, f.Name, p, what)
					}
				}
			}
			if changed == 0 {
				t.Error("no request was changed")
			}
		})
	}
}

func addParameter(s string) string {
	target, rest, _ := strings.Cut(s, " HTTP/1.1")
	if strings.Contains(target, "?") {
		return target + "&PageSize=7 HTTP/1.1" + rest
	}
	return target + "?PageSize=7 HTTP/1.1" + rest
}

// replaceFold replaces the first old in s, whatever the case.
func replaceFold(s, old, with string) string {
	i := bytes.Index(bytes.ToLower([]byte(s)), []byte(old))
	if i < 0 {
		return s
	}
	return s[:i] + with + s[i+len(old):]
}
