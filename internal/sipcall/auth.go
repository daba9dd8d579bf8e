package sipcall

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"

	"tidings/internal/siptrunk"
)

// maxChallenges bounds how often one request is repeated with credentials: once for the
// proxy, once for the server behind it, and once for each if a nonce went stale meanwhile.
const maxChallenges = 4

// errRefused says that credentials were asked for and that there are none, or wrong ones.
var errRefused = errors.New("the trunk does not accept the credentials")

// credentials answer challenges (RFC 3261 section 22, RFC 8760) for one request and its
// repetitions. The zero value has answered none.
type credentials struct {
	headers []sip.Header      // to be sent along
	nonces  map[string]string // the last nonce that was answered, by header
	count   int
}

// answer takes up the challenge of a 401 or 407 to the request. It fails with errRefused
// if there is nothing new to say.
func (k *credentials) answer(c siptrunk.Config, r *sip.Request, res *sip.Response) error {
	challenge, name := "WWW-Authenticate", "Authorization"
	if res.StatusCode == sip.StatusProxyAuthRequired {
		challenge, name = "Proxy-Authenticate", "Proxy-Authorization"
	}
	k.count++
	if c.Username == "" || k.count > maxChallenges {
		return errRefused
	}
	ch := choose(res.GetHeaders(challenge), c.Realm)
	if ch == nil {
		return errRefused
	}
	// RFC 3261 section 22.2: the same credentials are not offered twice, unless the nonce
	// was too old.
	if last, ok := k.nonces[name]; ok && (!ch.Stale || last == ch.Nonce) {
		return errRefused
	}
	answer, err := digest.Digest(ch, digest.Options{
		Method:   string(r.Method),
		URI:      r.Recipient.String(), // exactly as in the request line
		GetBody:  func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(r.Body())), nil },
		Username: c.Username,
		Password: c.Password,
	})
	if err != nil {
		return fmt.Errorf("answer the challenge: %w", err)
	}
	if k.nonces == nil {
		k.nonces = make(map[string]string)
	}
	k.nonces[name] = ch.Nonce
	for i, h := range k.headers {
		if h.Name() == name {
			k.headers = append(k.headers[:i:i], k.headers[i+1:]...)
			break
		}
	}
	k.headers = append(k.headers, sip.NewHeader(name, answer.String()))
	return nil
}

// choose returns the first challenge that can be answered: the far side lists them in the
// order of its preference (RFC 8760 section 2.3). nil = none.
func choose(headers []sip.Header, realm string) *digest.Challenge {
	for _, h := range headers {
		ch, err := digest.ParseChallenge(h.Value())
		if err != nil || realm != "" && ch.Realm != realm {
			continue
		}
		ch.Algorithm = strings.ToUpper(ch.Algorithm) // "md5" is common, and meant
		for i := range ch.QOP {
			ch.QOP[i] = strings.TrimSpace(ch.QOP[i])
		}
		if ch.Nonce != "" && digest.CanDigest(ch) {
			return ch
		}
	}
	return nil
}

// apply puts the credentials into the request, in place of those it has.
func (k *credentials) apply(r *sip.Request) {
	for _, h := range k.headers {
		r.RemoveHeader(h.Name())
		r.AppendHeader(h)
	}
}

// challenged reports whether the response asks for credentials.
func challenged(res *sip.Response) bool {
	return res.StatusCode == sip.StatusUnauthorized || res.StatusCode == sip.StatusProxyAuthRequired
}
