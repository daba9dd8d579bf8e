package emailrest

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"regexp"

	"tidings/internal/email"
	"tidings/internal/fault"
	"tidings/internal/tenant"
)

// The words for where a key for DKIM comes from.
// Source: SES API v2 Reference, "PutEmailIdentityDkimSigningAttributes", SigningAttributesOrigin.
const (
	originService = "AWS_SES"  // made here
	originClient  = "EXTERNAL" // the client's own
)

func (a *API) putDKIM(ctx context.Context, t tenant.Tenant, in *putDKIMInput) (*empty, error) {
	return a.changeIdentity(ctx, t, in.EmailIdentity, func(one *email.Identity) error {
		one.DKIM = in.SigningEnabled
		return nil
	})
}

func (a *API) putDKIMSigning(ctx context.Context, t tenant.Tenant, in *putDKIMSigningInput) (*putDKIMSigningOutput, error) {
	selector, key, err := in.SigningAttributes.key()
	if err != nil {
		return nil, err
	}
	switch {
	case in.SigningAttributesOrigin == originClient && key == nil:
		return nil, invalidDKIM("A key of your own needs a DomainSigningSelector and a DomainSigningPrivateKey.")
	case in.SigningAttributesOrigin == originService && key != nil:
		return nil, invalidDKIM("A key of your own needs the SigningAttributesOrigin %s.", originClient)
	case in.SigningAttributesOrigin != originClient && in.SigningAttributesOrigin != originService:
		return nil, invalidDKIM("SigningAttributesOrigin must be %s or %s, not %q: this server takes no keys from other regions.", originService, originClient, fault.Shorten(in.SigningAttributesOrigin))
	}
	err = a.config.Mail.ChangeIdentity(ctx, t, in.EmailIdentity, func(one *email.Identity) error {
		if one.Kind() != email.Domain {
			return invalidDKIM("Only a domain has a key for DKIM; mail of an address is signed with that of its domain.")
		}
		if key != nil || !madeHere(one) { // a key that was made here already stays
			one.Selector, one.Key = selector, key
		}
		one.DKIM = one.Key != nil // else it is switched on with the key that is made below
		return nil
	})
	if err != nil {
		return nil, err
	}
	one, err := a.config.Mail.VerifyDKIM(ctx, t, in.EmailIdentity) // makes a key if there is none now
	if err != nil {
		return nil, err
	}
	shown := a.wireDKIM(one)
	return &putDKIMSigningOutput{DkimStatus: shown.Status, DkimTokens: shown.Tokens}, nil
}

// key is the client's own key, PKCS #8, and its selector; nil = it gives none. The length of a
// key that is made here is not the client's to choose.
// Source: SES Developer Guide, "Provide your own DKIM authentication token (BYODKIM)".
func (w *dkimSigning) key() (selector string, der []byte, err error) {
	if w == nil || w.DomainSigningSelector == "" && len(w.DomainSigningPrivateKey) == 0 {
		return "", nil, nil
	}
	if w.DomainSigningSelector == "" || len(w.DomainSigningPrivateKey) == 0 {
		return "", nil, invalidDKIM("DomainSigningSelector and DomainSigningPrivateKey belong together.")
	}
	der = w.DomainSigningPrivateKey
	if old, err := x509.ParsePKCS1PrivateKey(der); err == nil { // as "openssl genrsa" of old writes it
		if der, err = x509.MarshalPKCS8PrivateKey(old); err != nil {
			return "", nil, invalidDKIM("DomainSigningPrivateKey is not a key of RSA in base64.")
		}
	}
	return w.DomainSigningSelector, der, nil
}

// selectorHere is the form of the selectors of keys that are made here.
var selectorHere = regexp.MustCompile(`^[a-z2-7]{26}$`)

// madeHere reports whether the identity has a key that was made here, as its selector tells.
func madeHere(one *email.Identity) bool { return selectorHere.MatchString(one.Selector) }

func (a *API) wireDKIM(one *email.Identity) dkimAttributes {
	w := dkimAttributes{SigningEnabled: one.DKIM, Status: statusNotStarted, Tokens: one.Tokens()}
	own := one.Selector != "" && !madeHere(one)
	if own {
		w.Tokens = []string{one.Selector}
	}
	if one.Selector != "" {
		w.Status = verification(one)
	}
	if !a.v2 {
		return w
	}
	w.SigningAttributesOrigin = originService
	if own {
		w.SigningAttributesOrigin = originClient
	}
	w.CurrentSigningKeyLength = keyLength(one.Key)
	w.NextSigningKeyLength = w.CurrentSigningKeyLength
	return w
}

// keyLength is the word for the length of a key; "" = there is none.
func keyLength(der []byte) string {
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return ""
	}
	private, ok := key.(*rsa.PrivateKey)
	switch {
	case !ok:
		return ""
	case private.N.BitLen() <= 1024:
		return "RSA_1024_BIT"
	default:
		return "RSA_2048_BIT"
	}
}

func invalidDKIM(format string, args ...any) error {
	return fault.New(fault.Invalid, fault.EmailIdentity, format, args...)
}
