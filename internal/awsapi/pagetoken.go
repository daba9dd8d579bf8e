package awsapi

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"tidings/internal/fault"
	"tidings/internal/tenant"
)

// PageTokenSecret is how many bytes the secret of PageTokens has.
const PageTokenSecret = 32

// PageTokens makes the tokens that continue a list. A token is opaque to clients and good
// only for the tenant and the operation it was made for. Tokens stay good as long as the
// secret is the same, also on another node. It is safe for concurrent use.
type PageTokens struct {
	seal cipher.AEAD
}

// NewPageTokens returns PageTokens that are sealed (AES-256-GCM) with the secret of
// PageTokenSecret bytes.
func NewPageTokens(secret []byte) (*PageTokens, error) {
	if len(secret) != PageTokenSecret {
		return nil, fmt.Errorf("the secret of page tokens has %d bytes, this one has %d", PageTokenSecret, len(secret))
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		return nil, fmt.Errorf("page tokens: %w", err)
	}
	seal, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("page tokens: %w", err)
	}
	return &PageTokens{seal: seal}, nil
}

// Seal returns the token for going on behind position in a list.
func (p *PageTokens) Seal(t tenant.Tenant, operation, position string) string {
	return base64.RawURLEncoding.EncodeToString(p.seal.Seal(nil, nil, []byte(position), binding(t, operation)))
}

// Open returns the position that was sealed into the token. It fails with fault.Invalid
// if the token was not made here for this tenant and operation.
func (p *PageTokens) Open(t tenant.Tenant, operation, token string) (string, error) {
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil {
		return "", invalidToken(err)
	}
	position, err := p.seal.Open(nil, nil, sealed, binding(t, operation))
	if err != nil {
		return "", invalidToken(err)
	}
	return string(position), nil
}

// After returns the position behind which a list goes on: that of the token, as Open does, or "",
// the beginning, if there is no token.
func (p *PageTokens) After(t tenant.Tenant, operation, token string) (string, error) {
	if token == "" {
		return "", nil
	}
	return p.Open(t, operation, token)
}

func binding(t tenant.Tenant, operation string) []byte {
	return []byte(t.String() + "/" + operation)
}

func invalidToken(cause error) error {
	f := fault.New(fault.Invalid, fault.PaginationToken,
		"NextToken is not one that this operation returned for this account and region. Leave it out to begin again.")
	f.Err = cause
	return f
}

// PageSize reads how many entries of a list a client wants at a time, from the parameter of that
// name; "" is most. It fails with fault.Invalid for all but whole numbers from 1 to most.
func PageSize(parameter, s string, most int) (int, error) {
	if s == "" {
		return most, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || strings.HasPrefix(s, "+") || n < 1 || n > most {
		return 0, fault.New(fault.Invalid, "", "%s must be a whole number from 1 to %d.", parameter, most)
	}
	return n, nil
}
