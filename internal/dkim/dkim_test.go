package dkim

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-msgauth/dkim"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tidings/internal/email"
	"tidings/internal/tenant"
)

var owner = tenant.Tenant{Account: "123456789012", Region: "us-east-1"}

// rsaKey is one key for all tests: making it takes long.
var rsaKey = sync.OnceValue(func() []byte {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return pkcs8(key)
})

func edKey(tb testing.TB) []byte {
	tb.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return pkcs8(key)
}

func pkcs8(key any) []byte {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err)
	}
	return der
}

// registry is the identities of the tests.
type registry map[string]*email.Identity

func (r registry) Identity(_ context.Context, t tenant.Tenant, name string) (*email.Identity, bool, error) {
	if name == "broken.example" {
		return nil, false, errors.New("disk on fire")
	}
	id, ok := r[name]
	return id, ok && t == owner, nil
}

const mail = "From: A <a@example.com>\r\nTo: b@example.org\r\nSubject: hello\r\n  world\r\nDate: Thu, 1 Oct 2026 10:00:00 +0000\r\n" +
	"Message-ID: <1@example.com>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\nX-Other: 1\r\n\r\nHello  you \r\n.\r\n\r\n\r\n"

func newSigner(tb testing.TB, s Settings) *Signer {
	tb.Helper()
	one, err := New(s)
	if err != nil {
		tb.Fatal(err)
	}
	return one
}

func sign(tb testing.TB, s *Signer, sender, raw string) string {
	tb.Helper()
	out, err := s.Sign(tb.Context(), owner, sender, []byte(raw))
	if err != nil {
		tb.Fatalf("Sign(%q) = %v", sender, err)
	}
	return string(out)
}

// verify has the mail verified with the published keys, and returns the domains whose signatures are good.
func verify(tb testing.TB, raw string, keys ...Key) (good []string, problems []error) {
	tb.Helper()
	published := map[string]string{}
	for _, k := range keys {
		name, value, err := Record(k)
		if err != nil {
			tb.Fatal(err)
		}
		published[name] = value
	}
	all, err := dkim.VerifyWithOptions(strings.NewReader(raw), &dkim.VerifyOptions{LookupTXT: func(name string) ([]string, error) {
		if value, ok := published[name]; ok {
			return []string{value}, nil
		}
		return nil, fmt.Errorf("no record %s", name)
	}})
	if err != nil {
		tb.Fatal(err)
	}
	for _, v := range all {
		if v.Err != nil {
			problems = append(problems, v.Err)
		} else {
			good = append(good, v.Domain)
		}
	}
	return good, problems
}

func TestSignaturesAreGood(t *testing.T) {
	t.Parallel()
	rsaPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: rsaKey()})
	for name, keys := range map[string][]Key{
		"RSA":     {{"example.com", "one", rsaPEM}},
		"Ed25519": {{"example.com", "two", edKey(t)}},
		"both":    {{"example.com", "one", rsaPEM}, {"example.com", "two", edKey(t)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSigner(t, Settings{Keys: keys})
			out := sign(t, s, "a@example.com", mail)
			if !strings.HasSuffix(out, mail) {
				t.Errorf("the message was changed:\n%s", out)
			}
			good, problems := verify(t, out, keys...)
			if len(good) != len(keys) || len(problems) > 0 {
				t.Errorf("good signatures = %v, problems = %v, want %d good ones\n%s", good, problems, len(keys), out)
			}
			for line := range strings.SplitSeq(out, "\r\n") {
				if len(line) > 998 {
					t.Errorf("a line has %d bytes", len(line))
				}
			}
		})
	}
}

func TestWhatASignatureProtects(t *testing.T) {
	t.Parallel()
	k := Key{"example.com", "one", edKey(t)}
	out := sign(t, newSigner(t, Settings{Keys: []Key{k}}), "a@example.com", mail)
	for name, c := range map[string]struct {
		old, new string
		good     bool
	}{
		"nothing":            {"", "", true},
		"white space":        {"Subject: hello\r\n  world", "subject:   hello world", true},
		"an unsigned field":  {"X-Other: 1", "X-Other: 2", true},
		"a field on the way": {"X-Other: 1", "X-Other: 1\r\nReceived: by x", true},
		"the body":           {"Hello", "Hallo", false},
		"the subject":        {"hello\r\n", "hallo\r\n", false},
		"a second From":      {"X-Other: 1", "From: evil@example.com", false},
		"the type":           {"text/plain", "text/html", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			good, problems := verify(t, strings.Replace(out, c.old, c.new, 1), k)
			if (len(good) == 1) != c.good {
				t.Errorf("good signatures = %v, problems = %v, want good = %v", good, problems, c.good)
			}
		})
	}
}

func TestFieldsThatAreCovered(t *testing.T) {
	t.Parallel()
	raw := "to: x\r\nTo: y\r\nFrom: a@example.com\r\n Subject: not a field\r\nX: y\r\n\r\nSubject: body\r\n"
	if diff := cmp.Diff([]string{"From", "To", "To", "From"}, cover([]byte(raw))); diff != "" {
		t.Errorf("cover (-want +got):\n%s", diff)
	}
}

// TestWhoseKeySigns goes through the senders of an account.
func TestWhoseKeySigns(t *testing.T) {
	t.Parallel()
	key := edKey(t)
	s := newSigner(t, Settings{
		Keys: []Key{{"Operator.example", "op", key}},
		Identities: registry{
			"domain.example":          {DKIM: true, Selector: "d", Key: key},
			"sub.domain.example":      {DKIM: true},
			"off.domain.example":      {Selector: "o", Key: key},
			"own@domain.example":      {DKIM: true, Selector: "a", Key: key},
			"xn--bcher-kva.example":   {DKIM: true, Selector: "i", Key: key},
			"operator.example":        {DKIM: true, Selector: "never", Key: key},
			"sub.operator.example":    {DKIM: true, Selector: "never", Key: key},
			"example":                 {DKIM: true, Selector: "never", Key: key},
			"nokey@elsewhere.example": {DKIM: true},
		},
	})
	for sender, want := range map[string]string{
		"a@domain.example":        "d=domain.example; s=d",
		"A@DOMAIN.example.":       "d=domain.example; s=d",
		"own@domain.example":      "d=domain.example; s=a",
		"Own@Domain.Example":      "d=domain.example; s=a",
		"a@sub.domain.example":    "d=domain.example; s=d",
		"a@off.domain.example":    "",
		"a@operator.example":      "d=operator.example; s=op",
		"a@sub.operator.example":  "d=operator.example; s=op",
		"a@bücher.example":        "d=xn--bcher-kva.example; s=i",
		"a@nobody.example":        "",
		"nokey@elsewhere.example": "",
		"no address":              "",
		"a@":                      "",
		"a@evil;d=x.example":      "",
		"":                        "",
	} {
		got := ""
		if out := sign(t, s, sender, mail); out != mail {
			head, _, _ := strings.Cut(out, "\r\nFrom:")
			var d, sel string
			for tag := range strings.SplitSeq(head, ";") {
				tag = strings.TrimSpace(tag)
				if strings.HasPrefix(tag, "d=") {
					d = tag
				}
				if strings.HasPrefix(tag, "s=") {
					sel = tag
				}
			}
			got = d + "; " + sel
		}
		if got != want {
			t.Errorf("Sign(%q) signs with %q, want %q", sender, got, want)
		}
	}
	if _, err := s.Sign(t.Context(), owner, "a@broken.example", []byte(mail)); err == nil {
		t.Error("Sign with identities that cannot be read = nil, want an error")
	}
	other := tenant.Tenant{Account: "999999999999", Region: "us-east-1"}
	if out, err := s.Sign(t.Context(), other, "a@domain.example", []byte(mail)); err != nil || string(out) != mail {
		t.Errorf("Sign for another account = %q, %v; want no signature", out, err)
	}
}

// TestASwitchedIdentity counts at once: nothing of the decision is kept.
func TestASwitchedIdentity(t *testing.T) {
	t.Parallel()
	id := &email.Identity{DKIM: true, Selector: "d", Key: edKey(t)}
	s := newSigner(t, Settings{Identities: registry{"domain.example": id}})
	for _, on := range []bool{true, false, true} {
		id.DKIM = on
		if signed := sign(t, s, "a@domain.example", mail) != mail; signed != on {
			t.Errorf("with DKIM %v the mail is signed: %v", on, signed)
		}
	}
	old := Key{"domain.example", "d", id.Key}
	id.Key = edKey(t)
	out := sign(t, s, "a@domain.example", mail)
	if good, _ := verify(t, out, old); len(good) != 0 {
		t.Error("a new key of the identity is not used")
	}
	if good, _ := verify(t, out, Key{"domain.example", "d", id.Key}); len(good) != 1 {
		t.Error("the signature with the new key is not good")
	}
}

func TestLineEndsAreThoseThatAreSent(t *testing.T) {
	t.Parallel()
	k := Key{"example.com", "one", edKey(t)}
	s := newSigner(t, Settings{Keys: []Key{k}})
	out := sign(t, s, "a@example.com", "From: a@example.com\n\none\r\r\ntwo\rthree\n")
	if !strings.HasSuffix(out, "From: a@example.com\r\n\r\none\r\n\r\ntwo\r\nthree\r\n") {
		t.Errorf("Sign = %q, want CRLF everywhere", out)
	}
	if good, problems := verify(t, out, k); len(good) != 1 {
		t.Errorf("the signature is not good: %v", problems)
	}
	rapid.Check(t, func(t *rapid.T) {
		raw := []byte(rapid.StringOf(rapid.SampledFrom([]rune("\r\na"))).Draw(t, "raw"))
		got := withCRLF(raw)
		rest := bytes.ReplaceAll(got, []byte("\r\n"), nil)
		if bytes.ContainsAny(rest, "\r\n") || !bytes.Equal(withCRLF(got), got) {
			t.Fatalf("withCRLF(%q) = %q", raw, got)
		}
	})
}

func TestKeysThatAreNone(t *testing.T) {
	t.Parallel()
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pkcs1 := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(small)})
	for name, c := range map[string]struct {
		key  Key
		good bool
	}{
		"PKCS #1":      {Key{"example.com", "s", pkcs1}, true},
		"PKCS #8":      {Key{"example.com", "s", rsaKey()}, true},
		"parts":        {Key{"example.com", "a.b_c", rsaKey()}, true},
		"ECDSA":        {Key{"example.com", "s", pkcs8(curve)}, false},
		"nothing":      {Key{"example.com", "s", nil}, false},
		"no domain":    {Key{"", "s", rsaKey()}, false},
		"no selector":  {Key{"example.com", "", rsaKey()}, false},
		"evil":         {Key{"example.com", "s;d=x", rsaKey()}, false},
		"broken PKCS1": {Key{"example.com", "s", pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: []byte("x")})}, false},
	} {
		if _, err := New(Settings{Keys: []Key{c.key}}); (err == nil) != c.good {
			t.Errorf("%s: New = %v, want good = %v", name, err, c.good)
		}
	}
	twice := Key{"example.com", "s", rsaKey()}
	if _, err := New(Settings{Keys: []Key{twice, twice}}); err == nil {
		t.Error("New with the same key twice = nil, want an error")
	}
}

func TestShortRSAKeys(t *testing.T) {
	t.Parallel()
	for bits, good := range map[int]bool{512: false, 1023: false, 1024: true} {
		key := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), uint(bits-1))}}
		if err := checkRSA(key); (err == nil) != good {
			t.Errorf("an RSA key of %d bits: %v, want good = %v", bits, err, good)
		}
	}
}

func TestRecord(t *testing.T) {
	t.Parallel()
	// The public key of the zero seed, as RFC 8032 makes it.
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	name, value, err := Record(Key{"Example.com", "sel", pkcs8(key)})
	if err != nil {
		t.Fatal(err)
	}
	if want := "sel._domainkey.example.com"; name != want {
		t.Errorf("Record name = %q, want %q", name, want)
	}
	if want := "v=DKIM1; k=ed25519; p=O2onvM62pC1io6jQKm8Nc2UyFXcd4kOmOsBIoYtZ2ik="; value != want {
		t.Errorf("Record value = %q, want %q", value, want)
	}
	if _, _, err := Record(Key{}); err == nil {
		t.Error("Record of nothing = nil, want an error")
	}
}

func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	k := Key{"domain.example", "d", edKey(t)}
	s := newSigner(t, Settings{Identities: registry{"domain.example": {DKIM: true, Selector: "d", Key: k.Private}}})
	var wg sync.WaitGroup
	results := make([]string, 16)
	for i := range results {
		wg.Go(func() { results[i] = sign(t, s, "a@domain.example", mail) })
	}
	wg.Wait()
	if slices.ContainsFunc(results, func(r string) bool { good, _ := verify(t, r, k); return len(good) != 1 }) {
		t.Error("one of the signatures is not good")
	}
}

func BenchmarkSign(b *testing.B) {
	body := strings.Repeat("The quick brown fox jumps over the lazy dog, again and again.\r\n", 320) // 20 KB
	for name, key := range map[string][]byte{"RSA2048": rsaKey(), "Ed25519": edKey(b)} {
		s := newSigner(b, Settings{Identities: registry{"example.com": {DKIM: true, Selector: "s", Key: key}}})
		raw := []byte(mail + body)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Sign(b.Context(), owner, "a@example.com", raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
