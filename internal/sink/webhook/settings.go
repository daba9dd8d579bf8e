package webhook

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// The length of a secret in bytes.
// Source: Standard Webhooks 1.0.0, "Signature scheme": 192 bits at least, 512 at most.
const (
	minSecret = 24
	maxSecret = 64
)

// userAgentSNS is what Amazon SNS calls itself.
// Source: Amazon SNS Developer Guide, "HTTP/HTTPS headers".
const userAgentSNS = "Amazon Simple Notification Service Agent"

// signers sign a request each, so that a secret can be exchanged while both are valid.
type signers []*standardwebhooks.Webhook

// newSigners checks the secrets. Its errors do not repeat them.
func newSigners(secrets []string) (signers, error) {
	var all signers
	var wrong []error
	for i, secret := range secrets {
		text, ok := strings.CutPrefix(secret, "whsec_")
		if !ok {
			wrong = append(wrong, fmt.Errorf("secrets[%d]: does not begin with whsec_", i))
			continue
		}
		key, err := base64.StdEncoding.Strict().DecodeString(text)
		switch {
		case err != nil:
			wrong = append(wrong, fmt.Errorf("secrets[%d]: what follows whsec_ is no base64", i))
			continue
		case len(key) < minSecret, len(key) > maxSecret:
			wrong = append(wrong, fmt.Errorf("secrets[%d]: has %d bytes; Standard Webhooks wants %d to %d", i, len(key), minSecret, maxSecret))
			continue
		}
		w, err := standardwebhooks.NewWebhookRaw(key)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("secrets[%d]: %w", i, err))
			continue
		}
		all = append(all, w)
	}
	return all, errors.Join(wrong...)
}

// sign returns the value of webhook-signature: a signature per secret, with spaces between.
func (all signers) sign(id string, at time.Time, body []byte) (string, error) {
	parts := make([]string, len(all))
	for i, w := range all {
		var err error
		if parts[i], err = w.Sign(id, at, body); err != nil {
			return "", fmt.Errorf("sign: %w", err)
		}
	}
	return strings.Join(parts, " "), nil
}

// reserved are the headers that say how a request travels or that the format itself sets.
var reserved = map[string]bool{
	"Connection": true, "Content-Encoding": true, "Content-Length": true, "Content-Type": true, "Expect": true,
	"Host": true, "Idempotency-Key": true, "Keep-Alive": true, "Te": true, "Trailer": true,
	"Transfer-Encoding": true, "Upgrade": true, "User-Agent": true, "X-Idempotency-Key": true,
}

// reservedPrefixes are the beginnings of such headers.
var reservedPrefixes = []string{"Proxy-", "Webhook-", "X-Amz-Sns-"}

// newHeader returns the headers that all requests of a binding have in common. Its errors
// name headers, but not what they hold.
func newHeader(s Settings) (http.Header, error) {
	h := http.Header{
		// Not sent: it tells net/http that a request may be repeated on a new connection when
		// the server closed the old one just then, as every delivery may be.
		"Idempotency-Key": nil,
		"User-Agent":      {userAgentSNS},
		"Content-Type":    {"text/plain; charset=UTF-8"},
	}
	if s.Format != FormatSNS {
		h["User-Agent"] = []string{"Tidings"}
		if s.Version != "" {
			h["User-Agent"] = []string{"Tidings/" + s.Version}
		}
		h["Content-Type"] = []string{"application/json"}
	}
	var wrong []error
	given := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(s.Headers)) {
		key := http.CanonicalHeaderKey(name)
		switch {
		case !isHeaderName(name):
			wrong = append(wrong, fmt.Errorf("headers: %q is no name of a header", name))
		case reserved[key], slices.ContainsFunc(reservedPrefixes, func(p string) bool { return strings.HasPrefix(key, p) }):
			wrong = append(wrong, fmt.Errorf("headers: %s is not yours to set", key))
		case given[key]:
			wrong = append(wrong, fmt.Errorf("headers: %s is there twice", key))
		case !isHeaderValue(s.Headers[name]):
			wrong = append(wrong, fmt.Errorf("headers: the value of %s holds line breaks or control characters, or begins or ends with white space", key))
		}
		given[key] = true
		h[key] = []string{s.Headers[name]}
	}
	return h, errors.Join(wrong...)
}

// isHeaderName reports whether s is a token. Source: RFC 9110 section 5.6.2.
func isHeaderName(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}

// isHeaderValue reports whether s can be sent as it is. Source: RFC 9110 section 5.5.
func isHeaderValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return strings.Trim(s, " \t") == s
}
