package emailrest_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"tidings/internal/account"
	"tidings/internal/api/emailrest"
	"tidings/internal/awsapi"
	"tidings/internal/awsapi/sigv4"
	"tidings/internal/configset"
	"tidings/internal/fault"
	"tidings/internal/quota"
	"tidings/internal/tenant"
)

// memory is a configset.Store in memory. If broken is set, writes fail with it.
type memory struct {
	mu     sync.Mutex
	sets   map[configset.Key]*configset.Set
	broken error
}

func (m *memory) Get(key configset.Key) (*configset.Set, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.sets[key]
	return s, ok
}

func (m *memory) List(t tenant.Tenant, scope configset.Scope, after string, limit int) ([]string, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var names []string
	for key := range m.sets {
		if key.Tenant == t && key.Scope == scope && key.Name > after {
			names = append(names, key.Name)
		}
	}
	slices.Sort(names)
	return names[:min(limit, len(names))], len(names) > limit
}

func (m *memory) Count(t tenant.Tenant, scope configset.Scope) int {
	names, _ := m.List(t, scope, "", 1<<30)
	return len(names)
}

func (m *memory) Create(_ context.Context, key configset.Key, s *configset.Set) error {
	return m.put(key, s)
}

func (m *memory) Update(_ context.Context, key configset.Key, s *configset.Set) error {
	return m.put(key, s)
}

func (m *memory) put(key configset.Key, s *configset.Set) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broken == nil {
		m.sets[key] = s
	}
	return m.broken
}

func (m *memory) Delete(_ context.Context, key configset.Key) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.sets, key)
	return m.broken
}

// rig is the whole way of a request: the handler with signatures, both APIs, the rules of
// configuration sets, and something in the place of the store and of mail.
type rig struct {
	store   *memory
	mail    *mail
	limits  map[quota.Name]int64
	rates   bool
	now     time.Time
	handler http.Handler
}

func newRig() *rig {
	now := time.Date(2026, 11, 21, 10, 30, 0, 0, time.UTC)
	return &rig{store: &memory{sets: map[configset.Key]*configset.Set{}}, mail: newMail(now), now: now}
}

const secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

// start makes the handler. What the rig holds must be set before.
func (g *rig) start(tb testing.TB) {
	tb.Helper()
	tokens, err := awsapi.NewPageTokens(bytes.Repeat([]byte{7}, awsapi.PageTokenSecret))
	if err != nil {
		tb.Fatal(err)
	}
	clock := func() time.Time { return g.now }
	mine, other := &account.Account{ID: "123456789012"}, &account.Account{ID: "210987654321"}
	keys := account.NewDirectory(
		&account.Key{ID: "AKIDEXAMPLE", Secret: secret, Account: mine},
		&account.Key{ID: "AKIDREADER", Secret: secret, Account: mine, Allow: []string{"ses:Get*", "ses:List*"}},
		&account.Key{ID: "AKIDOTHER", Secret: secret, Account: other},
		&account.Key{ID: "test", Secret: "test", Account: mine, AnyToken: true},
	)
	config := emailrest.Config{
		Sets: &configset.Service{
			Store: g.store, Now: clock,
			Limits: func(string) quota.Limits { return quota.For(quota.Production, g.limits) },
		},
		Mail: g.mail, Tokens: tokens, Rates: g.rates, Now: clock,
	}
	g.handler = awsapi.NewHandler(awsapi.Options{
		Families: []awsapi.Family{emailrest.NewPinpointEmail(config), emailrest.NewV2(config)}, Verifier: sigv4.New(keys, clock), Now: clock,
	})
}

// do sends a request, signed with the key at the given time; an empty key does not sign.
func (g *rig) do(tb testing.TB, method, target, body, key string, at time.Time) *httptest.ResponseRecorder {
	tb.Helper()
	r := request(tb, method, target, body, key, at)
	w := httptest.NewRecorder()
	g.handler.ServeHTTP(w, r)
	return w
}

func request(tb testing.TB, method, target, body, key string, at time.Time) *http.Request {
	tb.Helper()
	u, err := url.ParseRequestURI(target)
	if err != nil {
		tb.Fatal(err)
	}
	r := httptest.NewRequestWithContext(tb.Context(), method, "http://127.0.0.1:4570/", strings.NewReader(body))
	r.RequestURI, r.URL.Path, r.URL.RawPath, r.URL.RawQuery = target, u.Path, u.RawPath, u.RawQuery
	if key == "" {
		return r
	}
	sum := sha256.Sum256([]byte(body))
	credentials := aws.Credentials{AccessKeyID: key, SecretAccessKey: secret}
	if err := v4.NewSigner().SignHTTP(tb.Context(), credentials, r, hex.EncodeToString(sum[:]), emailrest.Service, "us-east-1", at); err != nil {
		tb.Fatal(err)
	}
	r.URL.RawQuery = u.RawQuery // as a client sends it, not as it was signed
	return r
}

// kinds are the faults that a scenario can make sending fail with.
var kinds = []fault.Kind{
	fault.Internal, fault.Invalid, fault.NotFound, fault.Exists, fault.LimitExceeded, fault.Throttled, fault.Denied, fault.Unavailable,
}

var errDisk = errors.New("write pack 17: no space left on device")
