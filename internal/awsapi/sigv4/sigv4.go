// Package sigv4 verifies that a request was signed, whole and lately, with the secret of an
// access key: AWS Signature Version 4, in the Authorization header or in a presigned query.
//
// The signature is recomputed by the signer of the AWS SDK for Go, from a request that has
// exactly the headers which the client says it signed; so nothing here makes a canonical
// request by hand. Two forms that this signer cannot produce are refused: a signature
// that is dated by the Date header alone, and one over a content-length of 0.
//
// Source: IAM User Guide, "AWS Signature Version 4 for API requests".
package sigv4

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"net/http"
	"time"

	"tidings/internal/account"
	"tidings/internal/awsapi"
	"tidings/internal/tenant"
)

// window is how far the clocks of client and server may differ, either way.
// Source: SES API Reference, "Common Errors", RequestExpired.
const window = 15 * time.Minute

// timeFormat and dateFormat are how a signature writes times.
// Source: IAM User Guide, "Elements of an AWS API request signature".
const (
	timeFormat = "20060102T150405Z"
	dateFormat = "20060102"
)

// Verifier verifies signatures with the keys of a directory. It is safe for concurrent use.
type Verifier struct {
	keys  *account.Directory
	now   func() time.Time
	decoy string // stands for the secret of keys that do not exist
}

// New makes a Verifier. A nil now is time.Now.
func New(keys *account.Directory, now func() time.Time) *Verifier {
	if now == nil {
		now = time.Now
	}
	return &Verifier{keys: keys, now: now, decoy: rand.Text()}
}

// Verify returns who signed the request to service and for which region, or an
// *awsapi.RefusedError that says what to change. body is the whole body of r, which is
// not read here. Verify changes nothing of r.
func (v *Verifier) Verify(r *http.Request, service string, body []byte) (account.Principal, error) {
	c, err := read(r)
	if err == nil {
		err = v.check(r, c, service, body)
	}
	if err != nil {
		err.Key = c.key
		return account.Principal{}, err
	}
	k, _ := v.keys.Key(c.key)
	return account.Principal{Key: k, Region: c.region}, nil
}

// check does all that does not depend on the key first, and then the same work for a key
// that exists as for one that does not: the time it takes does not tell which.
func (v *Verifier) check(r *http.Request, c claim, service string, body []byte) *awsapi.RefusedError {
	now := v.now().UTC()
	if err := c.checkScope(service); err != nil {
		return err
	}
	if err := c.checkTime(now); err != nil {
		return err
	}
	hash, err := hashOf(r, body)
	if err != nil {
		return err
	}
	key, known := v.keys.Key(c.key)
	secret := v.decoy
	if known {
		secret = key.Secret
	}
	want, err := c.sign(r, secret, hash)
	if err != nil {
		return err
	}
	same := subtle.ConstantTimeCompare([]byte(want), []byte(c.signature)) == 1
	if !known {
		return refuse(awsapi.UnknownKey, "The access key ID in the request is not known here: check which endpoint the credentials are for.")
	}
	if !same {
		return refuse(awsapi.WrongSignature, "The signature does not match the request. Check the secret access key; if it is right, something between the client and this server has changed the path, the query, the body, the Host header or a signed header.")
	}
	return checkKey(key, c.token, now)
}

// checkScope checks what the credential scope names.
func (c *claim) checkScope(service string) *awsapi.RefusedError {
	if !tenant.IsRegion(c.region) {
		return refuse(awsapi.IncompleteSignature, "The credential scope names %s as the region, which has not the form of a region: lower-case letters, digits and hyphens, such as us-east-1.", quote(c.region))
	}
	if c.service != service {
		return refuse(awsapi.WrongSignature, "The credential scope names the service %s, but requests to this API are signed for the service %q.", quote(c.service), service)
	}
	if day := c.time.Format(dateFormat); c.date != day {
		return refuse(awsapi.WrongSignature, "The credential scope is for the day %s, but the request is dated %s: both must be of one day (UTC).", quote(c.date), c.time.Format(timeFormat))
	}
	return nil
}

// checkTime checks that the signature is good now.
func (c *claim) checkTime(now time.Time) *awsapi.RefusedError {
	signed, clock := c.time.Format(timeFormat), now.Format(timeFormat)
	if c.time.After(now.Add(window)) {
		return refuse(awsapi.WrongTime, "Signature not yet current: the request is dated %s, but this server's clock says %s. They may differ by 15 minutes: set the client's clock.", signed, clock)
	}
	if c.presigned && now.After(c.time.Add(c.expires)) {
		return refuse(awsapi.WrongTime, "Signature expired: the request was signed at %s to be good for %.0f seconds, but this server's clock says %s. Sign it again.", signed, c.expires.Seconds(), clock)
	}
	if !c.presigned && c.time.Before(now.Add(-window)) {
		return refuse(awsapi.WrongTime, "Signature expired: the request is dated %s, but this server's clock says %s. They may differ by 15 minutes: set the client's clock, or sign again.", signed, clock)
	}
	return nil
}

// hashOf returns the hash of the body, after comparing it with what the client says it is.
func hashOf(r *http.Request, body []byte) (string, *awsapi.RefusedError) {
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	for _, said := range r.Header["X-Amz-Content-Sha256"] {
		if said != hash {
			return "", refuse(awsapi.WrongSignature, "The X-Amz-Content-Sha256 header is not the SHA-256 of the request body in lower-case hexadecimal. Unsigned and streamed payloads are not accepted here.")
		}
	}
	return hash, nil
}

// checkKey checks what is left once the signature is right: the session token, and that a
// temporary key has not ended.
func checkKey(k *account.Key, token string, now time.Time) *awsapi.RefusedError {
	switch {
	case k.AnyToken:
	case k.SessionToken == "" && token != "":
		return refuse(awsapi.UnknownKey, "The security token included in the request is invalid: this access key is used without a session token.")
	case k.SessionToken != "" && token == "":
		return refuse(awsapi.UnknownKey, "The security token is missing: this access key is a temporary one, and its session token must come with every request.")
	case subtle.ConstantTimeCompare([]byte(k.SessionToken), []byte(token)) != 1:
		return refuse(awsapi.UnknownKey, "The security token included in the request is invalid: it is not the session token of this access key.")
	}
	if !k.Expires.IsZero() && !now.Before(k.Expires) {
		return refuse(awsapi.ExpiredKey, "The security token included in the request is expired: this access key was good until %s.", k.Expires.UTC().Format(time.RFC3339))
	}
	return nil
}

func refuse(reason awsapi.Reason, format string, args ...any) *awsapi.RefusedError {
	return &awsapi.RefusedError{Reason: reason, Msg: fmt.Sprintf(format, args...)}
}

// quote shows a client its own words, as far as they are short.
func quote(s string) string {
	const limit = 64
	if len(s) > limit {
		s = s[:limit] + "..."
	}
	return fmt.Sprintf("%q", s)
}
