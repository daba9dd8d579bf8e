package sigv4

import (
	"net/http"
	"net/textproto"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"tidings/internal/awsapi"
)

// sign returns the signature that the request must have if secret signed what the claim
// says.
func (c *claim) sign(r *http.Request, secret, hash string) (string, *awsapi.RefusedError) {
	signed, refused := c.signed(r)
	if refused != nil {
		return "", refused
	}
	credentials := aws.Credentials{AccessKeyID: c.key, SecretAccessKey: secret}
	// A signer keeps every region it has seen, so a shared one could be made to grow
	// without end by whoever sends requests. Deriving the key anew costs 4 hashes.
	signer := v4.NewSigner()
	if c.presigned {
		uri, _, err := signer.PresignHTTP(r.Context(), credentials, signed, hash, c.service, c.region, c.time, func(o *v4.SignerOptions) {
			o.DisableHeaderHoisting = true // what is a header here was one when it was signed
		})
		if err != nil {
			return "", &awsapi.RefusedError{Reason: awsapi.WrongSignature, Msg: "The signature cannot be verified.", Err: err}
		}
		return behind(uri, "&X-Amz-Signature="), nil
	}
	if err := signer.SignHTTP(r.Context(), credentials, signed, hash, c.service, c.region, c.time); err != nil {
		return "", &awsapi.RefusedError{Reason: awsapi.WrongSignature, Msg: "The signature cannot be verified.", Err: err}
	}
	return behind(signed.Header.Get("Authorization"), "Signature="), nil
}

// signed returns a request that has of r exactly what the claim says was signed.
//
// The signer leaves out headers such as User-Agent, which some clients do sign, but knows
// them only by their canonical spelling: so all names are in lower case here.
func (c *claim) signed(r *http.Request) (*http.Request, *awsapi.RefusedError) {
	s := &http.Request{
		Method: r.Method,
		// The signer takes the path from Opaque as it stands, behind the host.
		URL:    &url.URL{Opaque: "//host" + awsapi.RawPath(r), RawQuery: c.query},
		Host:   r.Host,
		Header: make(http.Header, len(c.headers)+1),
	}
	for _, name := range c.headers {
		switch name {
		case "host": // always added by the signer
			continue
		case "content-length": // added by the signer for a request that has one
			s.ContentLength = r.ContentLength
			if r.ContentLength > 0 {
				continue
			}
		case "x-amz-date":
			if !c.presigned { // added by the signer
				continue
			}
		}
		values := r.Header[textproto.CanonicalMIMEHeaderKey(name)]
		if len(values) == 0 || name == "content-length" {
			return nil, refuse(awsapi.WrongSignature, "The signature covers the header %s, which did not arrive, or arrived empty: a proxy between the client and this server may have removed it.", quote(name))
		}
		s.Header[name] = values
	}
	return s, nil
}

// behind returns what follows the last mark in s.
func behind(s, mark string) string { return s[strings.LastIndex(s, mark)+len(mark):] }
