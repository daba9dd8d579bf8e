package dkim

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// minRSA is the least length of an RSA key. Source: RFC 8301 3.2; 2048 is what signers should use.
const minRSA = 1024

// Key is a private key of a domain.
type Key struct {
	Domain   string // that signs: "example.com"
	Selector string // under which the public key is published; several, one below the other, are separated by dots
	// Private is an RSA or Ed25519 key as PEM, or as PKCS #8 without that.
	Private []byte
}

// signer is a key, ready to sign.
type signer struct {
	domain, selector string
	key              crypto.Signer
}

// parse checks the key.
func (k Key) parse() (*signer, error) {
	for what, name := range map[string]string{"domain": k.Domain, "selector": k.Selector} {
		if !isName(name) {
			return nil, fmt.Errorf("the %s %q is not a name in DNS", what, name)
		}
	}
	key, err := parsePrivate(k.Private)
	if err != nil {
		return nil, fmt.Errorf("key %s of %s: %w", k.Selector, k.Domain, err)
	}
	return &signer{domain: strings.ToLower(k.Domain), selector: k.Selector, key: key}, nil
}

// isName reports whether s can stand in DNS and in a signature. Source: RFC 6376 3.1 and 3.5.
func isName(s string) bool {
	for label := range strings.SplitSeq(strings.ToLower(s), ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return len(s) <= 253
}

func parsePrivate(text []byte) (crypto.Signer, error) {
	der := text
	block, _ := pem.Decode(text)
	if block != nil {
		der = block.Bytes
	}
	if block != nil && block.Type == "RSA PRIVATE KEY" {
		key, err := x509.ParsePKCS1PrivateKey(der)
		if err != nil {
			return nil, err
		}
		return key, checkRSA(key)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, errors.New("it is neither PEM nor PKCS #8") // the library's words would quote the key's bytes
	}
	switch key := parsed.(type) {
	case *rsa.PrivateKey:
		return key, checkRSA(key)
	case ed25519.PrivateKey:
		return key, nil
	default:
		return nil, fmt.Errorf("a key of the type %T cannot sign mail; RSA and Ed25519 can", parsed)
	}
}

func checkRSA(key *rsa.PrivateKey) error {
	if n := key.N.BitLen(); n < minRSA {
		return fmt.Errorf("it has %d bits, the least is %d", n, minRSA)
	}
	return nil
}

// Record returns the TXT record that publishes the key: its name, and its value as one string. Strings in DNS end at 255 bytes, so
// an RSA key takes several of them there (RFC 6376 3.6.2.2). Sources: RFC 6376 3.6.1, RFC 8463 4.
func Record(k Key) (name, value string, err error) {
	s, err := k.parse()
	if err != nil {
		return "", "", err
	}
	kind, public := "rsa", []byte(nil)
	switch key := s.key.Public().(type) {
	case ed25519.PublicKey:
		kind, public = "ed25519", key
	default:
		if public, err = x509.MarshalPKIXPublicKey(key); err != nil {
			return "", "", fmt.Errorf("public key of %s: %w", k.Domain, err)
		}
	}
	name = s.selector + "._domainkey." + s.domain
	return name, "v=DKIM1; k=" + kind + "; p=" + base64.StdEncoding.EncodeToString(public), nil
}
