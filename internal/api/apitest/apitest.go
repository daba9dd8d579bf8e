// Package apitest is what the tests of the families in internal/api share: the whole way of a
// signed request, scenarios in golden files, and checks that hold for every family.
package apitest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"tidings/internal/account"
	"tidings/internal/awsapi"
	"tidings/internal/awsapi/sigv4"
	"tidings/internal/configset"
	"tidings/internal/quota"
)

// Secret is the secret of all keys but "test", whose secret is its ID.
const Secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

// bodyLimit is how many bytes a request of a family without a limit of its own may have.
const bodyLimit = 4 << 10

// Rig is the whole way of a request: the handler with signatures, and the rules of
// configuration sets over a store in memory. A family and what stands behind it are put in by
// Serve; until then the fields may be changed. It is not safe for concurrent use.
//
// There are the keys AKIDEXAMPLE, who may do everything; AKIDREADER, who may read only;
// AKIDSESSION, whose session token is "token"; AKIDENDED, which has expired; AKIDOTHER, of
// another account; and "test", which takes any session token.
type Rig struct {
	Service     string // what requests are signed for
	ContentType string // of POST requests; "" = they say none
	Store       *Store
	Limits      map[quota.Name]int64 // those that differ from the usual ones
	Rates       bool                 // whether the family is to enforce the documented request rates
	Origin      string               // which origin browsers may come from; "" = none
	Now         time.Time

	handler http.Handler
}

// NewRig makes a Rig for a family whose signatures name the service.
func NewRig(service string) *Rig {
	return &Rig{Service: service, Store: NewStore(), Now: time.Date(2026, 11, 21, 10, 30, 0, 0, time.UTC)}
}

// Clock returns the time of the rig.
func (g *Rig) Clock() time.Time { return g.Now }

// Sets are the configuration sets of the rig.
func (g *Rig) Sets() *configset.Service {
	return &configset.Service{
		Store: g.Store, Now: g.Clock,
		Limits: func(string) quota.Limits { return quota.For(quota.Production, g.Limits) },
	}
}

// Tokens makes the tokens of lists.
func (g *Rig) Tokens(tb testing.TB) *awsapi.PageTokens {
	tb.Helper()
	tokens, err := awsapi.NewPageTokens(bytes.Repeat([]byte{7}, awsapi.PageTokenSecret))
	if err != nil {
		tb.Fatal(err)
	}
	return tokens
}

// Serve makes the handler, over these families.
func (g *Rig) Serve(families ...awsapi.Family) {
	mine, other := &account.Account{ID: "123456789012"}, &account.Account{ID: "210987654321"}
	keys := account.NewDirectory(
		&account.Key{ID: "AKIDEXAMPLE", Secret: Secret, Account: mine},
		&account.Key{ID: "AKIDREADER", Secret: Secret, Account: mine, Allow: []string{g.Service + ":Get*", g.Service + ":List*"}},
		&account.Key{ID: "AKIDSESSION", Secret: Secret, Account: mine, SessionToken: "token"},
		&account.Key{ID: "AKIDENDED", Secret: Secret, Account: mine, Expires: g.Now.Add(-time.Hour)},
		&account.Key{ID: "AKIDOTHER", Secret: Secret, Account: other},
		&account.Key{ID: "test", Secret: "test", Account: mine, AnyToken: true},
	)
	g.handler = awsapi.NewHandler(awsapi.Options{
		Families: families, Verifier: sigv4.New(keys, g.Clock), Now: g.Clock, CORSOrigin: g.Origin, BodyLimit: bodyLimit,
	})
}

// Do sends a request, signed with the key of that ID; an empty ID does not sign.
func (g *Rig) Do(tb testing.TB, method, target, body, key string) *httptest.ResponseRecorder {
	tb.Helper()
	w := httptest.NewRecorder()
	g.handler.ServeHTTP(w, g.request(tb, method, target, body, key))
	return w
}

func (g *Rig) request(tb testing.TB, method, target, body, key string) *http.Request {
	tb.Helper()
	u, err := url.ParseRequestURI(target)
	if err != nil {
		tb.Fatal(err)
	}
	r := httptest.NewRequestWithContext(tb.Context(), method, "http://127.0.0.1:4570/", strings.NewReader(body))
	r.RequestURI, r.URL.Path, r.URL.RawPath, r.URL.RawQuery = target, u.Path, u.RawPath, u.RawQuery
	if method == http.MethodPost && g.ContentType != "" {
		r.Header.Set("Content-Type", g.ContentType)
	}
	if key == "" {
		return r
	}
	sum := sha256.Sum256([]byte(body))
	credentials := aws.Credentials{AccessKeyID: key, SecretAccessKey: Secret}
	if err := v4.NewSigner().SignHTTP(tb.Context(), credentials, r, hex.EncodeToString(sum[:]), g.Service, "us-east-1", g.Now); err != nil {
		tb.Fatal(err)
	}
	r.URL.RawQuery = u.RawQuery // as a client sends it, not as it was signed
	return r
}

// Bench sends one signed request again and again, which must succeed. forget is called before
// each, for what stands behind the family to forget the last one.
func (g *Rig) Bench(b *testing.B, method, target, body string, forget func()) {
	b.Helper()
	r := g.request(b, method, target, body, "AKIDEXAMPLE")
	b.ReportAllocs()
	for b.Loop() {
		forget()
		r.Body = io.NopCloser(strings.NewReader(body))
		w := httptest.NewRecorder()
		g.handler.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			b.Fatalf("reply = %d %s, want 200", w.Code, w.Body)
		}
	}
}

// tokenMember is a token in JSON or in XML.
var tokenMember = regexp.MustCompile(`(?:"NextToken":"|<NextToken>)([^"<]+)["<]`)

// NextToken is the token that goes on with the list in a reply; "" = there is none.
func NextToken(w *httptest.ResponseRecorder) string {
	if m := tokenMember.FindStringSubmatch(w.Body.String()); m != nil {
		return m[1]
	}
	return ""
}
