package awsapi_test

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"tidings/internal/awsapi"
	"tidings/internal/fault"
	"tidings/internal/tenant"
)

var here = tenant.Tenant{Account: "123456789012", Region: "us-east-1"}

func tokens(tb testing.TB, secret byte) *awsapi.PageTokens {
	tb.Helper()
	p, err := awsapi.NewPageTokens(bytes.Repeat([]byte{secret}, awsapi.PageTokenSecret))
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func TestPageTokenSurvivesARestart(t *testing.T) {
	t.Parallel()
	for _, position := range []string{"", "a", strings.Repeat("x", 64), "ü/\x00"} {
		token := tokens(t, 1).Seal(here, "List", position)
		got, err := tokens(t, 1).Open(here, "List", token)
		if err != nil || got != position {
			t.Errorf("Open(Seal(%q)) = %q, %v, want it back", position, got, err)
		}
	}
}

func TestPageTokenIsGoodForNothingElse(t *testing.T) {
	t.Parallel()
	token := tokens(t, 1).Seal(here, "List", "position")
	for name, open := range map[string]func() (string, error){
		"another account": func() (string, error) {
			return tokens(t, 1).Open(tenant.Tenant{Account: "210987654321", Region: "us-east-1"}, "List", token)
		},
		"another region": func() (string, error) {
			return tokens(t, 1).Open(tenant.Tenant{Account: here.Account, Region: "us-west-1"}, "List", token)
		},
		"another operation": func() (string, error) { return tokens(t, 1).Open(here, "Get", token) },
		"another secret":    func() (string, error) { return tokens(t, 2).Open(here, "List", token) },
		"nothing":           func() (string, error) { return tokens(t, 1).Open(here, "List", "") },
		"not base64":        func() (string, error) { return tokens(t, 1).Open(here, "List", "!"+token) },
		"cut off":           func() (string, error) { return tokens(t, 1).Open(here, "List", token[:len(token)-4]) },
		"longer":            func() (string, error) { return tokens(t, 1).Open(here, "List", token+"AAAA") },
	} {
		got, err := open()
		if !fault.Is(err, fault.Invalid) || fault.From(err).Resource != fault.PaginationToken {
			t.Errorf("%s: Open = %q, %v, want fault.Invalid about the token", name, got, err)
		}
	}
}

// TestEveryBitOfAPageTokenCounts flips each bit of a token.
func TestEveryBitOfAPageTokenCounts(t *testing.T) {
	t.Parallel()
	p := tokens(t, 1)
	sealed, err := base64.RawURLEncoding.DecodeString(p.Seal(here, "List", "position"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range len(sealed) * 8 {
		tampered := bytes.Clone(sealed)
		tampered[i/8] ^= 1 << (i % 8)
		if got, err := p.Open(here, "List", base64.RawURLEncoding.EncodeToString(tampered)); err == nil {
			t.Errorf("Open = %q with bit %d flipped, want an error", got, i)
		}
	}
}

func TestPageTokenHidesThePosition(t *testing.T) {
	t.Parallel()
	p := tokens(t, 1)
	token := p.Seal(here, "List", "secret-name")
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || bytes.Contains(raw, []byte("secret-name")) {
		t.Errorf("the token %q shows what it holds", token)
	}
	if token == p.Seal(here, "List", "secret-name") {
		t.Error("two tokens are alike: the nonce is not random")
	}
}

func TestPageTokenSecretHas32Bytes(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 16, 31, 33} {
		if _, err := awsapi.NewPageTokens(make([]byte, n)); err == nil {
			t.Errorf("NewPageTokens(%d bytes) = nil, want an error", n)
		}
	}
}

// TestAPageTokenHasOneSpelling changes the last letter, some of whose bits base64 may not
// need.
func TestAPageTokenHasOneSpelling(t *testing.T) {
	t.Parallel()
	p := tokens(t, 1)
	for _, position := range []string{"a", "ab", "abc"} {
		token := p.Seal(here, "List", position)
		cut, last := token[:len(token)-1], token[len(token)-1:]
		for letter := range strings.SplitSeq("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", "") {
			if got, err := p.Open(here, "List", cut+letter); (err == nil) != (letter == last) {
				t.Errorf("Open(%q) = %q, %v; the token is %q", cut+letter, got, err, token)
			}
		}
	}
}

func TestAfterATokenOrNone(t *testing.T) {
	t.Parallel()
	p := tokens(t, 1)
	for token, want := range map[string]string{"": "", p.Seal(here, "List", "position"): "position"} {
		if got, err := p.After(here, "List", token); got != want || err != nil {
			t.Errorf("After(%q) = %q, %v, want %q", token, got, err, want)
		}
	}
	if got, err := p.After(here, "List", "no token"); !fault.Is(err, fault.Invalid) {
		t.Errorf("After = %q, %v, want fault.Invalid", got, err)
	}
}
