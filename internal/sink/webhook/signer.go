package webhook

import (
	"bytes"
	"context"
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"time"
)

// The signing key and its certificate.
const (
	keyBits      = 2_048                     // what SNS uses
	validity     = 10 * 365 * 24 * time.Hour // of a certificate
	renewBefore  = 90 * 24 * time.Hour       // its end
	backdate     = 24 * time.Hour            // for verifiers whose clock is behind
	keptFormer   = 2                         // certificates of former keys that are still served
	secretLength = 32                        // bytes
)

// The blocks of the note that keeps a signer.
const (
	keyBlock         = "PRIVATE KEY"
	certificateBlock = "CERTIFICATE" // of the key first, then of former keys
	secretBlock      = "TIDINGS UNSUBSCRIBE SECRET"
)

// signer signs SNS messages. It never changes.
type signer struct {
	key          *rsa.PrivateKey
	certificate  *x509.Certificate
	certificates [][]byte // DER, the key's own first
	secret       []byte   // makes the tokens of UnsubscribeURLs
}

var errDamagedKey = errors.New("the key that signs SNS messages is damaged")

// newSigner makes a key with a certificate. What a former signer, if there is one, has
// signed can still be verified, and its UnsubscribeURLs still work.
func newSigner(now time.Time, former *signer) (*signer, error) {
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, fmt.Errorf("make a serial number: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "Tidings notifications"},
		NotBefore:    now.Add(-backdate),
		NotAfter:     now.Add(validity),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	s := &signer{key: key, certificates: [][]byte{der}, secret: make([]byte, secretLength)}
	if s.certificate, err = x509.ParseCertificate(der); err != nil {
		return nil, fmt.Errorf("read the certificate: %w", err)
	}
	_, _ = rand.Read(s.secret) // never fails
	if former != nil {
		s.secret = former.secret
		s.certificates = append(s.certificates, former.certificates[:min(keptFormer, len(former.certificates))]...)
	}
	return s, nil
}

// encode returns what is noted of s.
func (s *signer) encode() ([]byte, error) {
	key, err := x509.MarshalPKCS8PrivateKey(s.key)
	if err != nil {
		return nil, fmt.Errorf("write the key: %w", err)
	}
	var b bytes.Buffer
	blocks := []*pem.Block{{Type: keyBlock, Bytes: key}, {Type: secretBlock, Bytes: s.secret}}
	for _, der := range s.certificates {
		blocks = append(blocks, &pem.Block{Type: certificateBlock, Bytes: der})
	}
	for _, block := range blocks {
		if err := pem.Encode(&b, block); err != nil {
			return nil, fmt.Errorf("write the key: %w", err)
		}
	}
	return b.Bytes(), nil
}

// decodeSigner reads what encode wrote.
func decodeSigner(note []byte) (*signer, error) {
	s := &signer{}
	for {
		var block *pem.Block
		if block, note = pem.Decode(note); block == nil {
			break
		}
		switch block.Type {
		case keyBlock:
			key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
			if err != nil {
				return nil, fmt.Errorf("%w: %w", errDamagedKey, err)
			}
			s.key, _ = key.(*rsa.PrivateKey)
		case secretBlock:
			s.secret = block.Bytes
		case certificateBlock:
			s.certificates = append(s.certificates, block.Bytes)
		}
	}
	if s.key == nil || len(s.secret) != secretLength || len(s.certificates) == 0 {
		return nil, errDamagedKey
	}
	var err error
	if s.certificate, err = x509.ParseCertificate(s.certificates[0]); err != nil {
		return nil, fmt.Errorf("%w: %w", errDamagedKey, err)
	}
	if !s.key.PublicKey.Equal(s.certificate.PublicKey) {
		return nil, fmt.Errorf("%w: its certificate is of another key", errDamagedKey)
	}
	return s, nil
}

// sign returns the signature in base64: SHA1withRSA, which is SignatureVersion 1. Topics
// of SNS have it unless told otherwise, and every verifier knows it.
// Source: Amazon SNS Developer Guide, "Verifying the signatures of Amazon SNS messages".
func (s *signer) sign(canonical []byte) (string, error) {
	sum := sha1.Sum(canonical)
	signature, err := rsa.SignPKCS1v15(nil, s.key, crypto.SHA1, sum[:])
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	return base64.StdEncoding.EncodeToString(signature), nil
}

// files returns the certificates by the name they are served under.
func (s *signer) files() map[string][]byte {
	all := make(map[string][]byte, len(s.certificates))
	for _, der := range s.certificates {
		all[certificateFile(der)] = pem.EncodeToMemory(&pem.Block{Type: certificateBlock, Bytes: der})
	}
	return all
}

// certificateFile is the name of a certificate's file, in the form that SNS uses.
func certificateFile(der []byte) string {
	sum := sha256.Sum256(der)
	return "SimpleNotificationService-" + hex.EncodeToString(sum[:16]) + ".pem"
}

// unsubscribeToken is the token of a subscription's UnsubscribeURL. It is good as long as
// the secret.
func (s *signer) unsubscribeToken(subscription string) string {
	mac := hmac.New(sha256.New, s.secret)
	_, _ = mac.Write([]byte(subscription)) // never fails
	return hex.EncodeToString(mac.Sum(nil))
}

// signer returns the signer, making the first one or the next one if it is time.
func (t *Topics) signer(ctx context.Context) (*signer, error) {
	if s := t.signing.Load(); s != nil && t.now().Before(s.certificate.NotAfter.Add(-renewBefore)) {
		return s, nil
	}
	select {
	case t.making <- struct{}{}:
		defer func() { <-t.making }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	former := t.signing.Load()
	if former != nil && t.now().Before(former.certificate.NotAfter.Add(-renewBefore)) {
		return former, nil
	}
	s, err := newSigner(t.now(), former)
	if err != nil {
		return nil, err
	}
	note, err := s.encode()
	if err != nil {
		return nil, err
	}
	if err := t.notes.SetNote(ctx, signerNote, note); err != nil {
		return nil, fmt.Errorf("keep the key that signs SNS messages: %w", err)
	}
	t.signing.Store(s)
	t.log.Info("made a key that signs SNS messages", "certificate", certificateFile(s.certificates[0]), "until", s.certificate.NotAfter)
	return s, nil
}
