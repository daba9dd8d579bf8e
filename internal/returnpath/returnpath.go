// Package returnpath makes the envelope senders that bounces come back to, and reads them. Each names one message and is signed
// (VERP, variable envelope return path), so that a bounce says by its recipient alone what it is about, and nobody can invent
// one. It knows nothing of SMTP, nor of what bounces say.
package returnpath

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"slices"
	"strings"

	"tidings/internal/email"
)

// An address is prefix, the base32 of the ID's 24 bytes and of the signature's 6, and the domain: 55 octets before the at sign.
// RFC 5321 4.5.3.1.1 allows 64; and forwarders that write their own return path around ours (SRS) need some of them.
const (
	prefix     = "bounce-"
	idBytes    = 24 // 8 of the time, 16 of the UUID
	signature  = 6  // 48 bits: at 100,000 guesses a second, one is right in 90 years
	idSuffix   = "-000000"
	idLength   = 16 + 1 + 36 + len(idSuffix)
	codeLength = (idBytes + signature) * 8 / 5 // without a remainder, so that each address has one spelling
)

// code is in lower case. Some servers change the case of local parts (though RFC 5321 2.4 forbids it), so it is read in any.
var code = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// Paths makes and reads return paths of one domain. It is safe for concurrent use.
type Paths struct {
	secret []byte
	domain string
}

var _ email.ReturnPaths = (*Paths)(nil)

// New returns the paths of a domain whose mail comes to us. The secret signs them: whoever knows it can invent bounces, and with
// another one no bounce of what was sent before is known any more. An empty domain makes no paths.
func New(secret []byte, domain string) *Paths {
	return &Paths{secret: slices.Clone(secret), domain: domain}
}

// Domain is the domain of all paths.
func (p *Paths) Domain() string { return p.domain }

// For returns the envelope sender for the message of this ID; "" if there is no domain, or the ID has not the form that SES's
// have.
func (p *Paths) For(id string) string {
	packed, ok := pack(id)
	if !ok || p.domain == "" {
		return ""
	}
	return prefix + code.EncodeToString(append(packed, p.sign(packed)...)) + "@" + p.domain
}

// Parse returns the message's ID that an address of ours stands for; ok is false if it is none, or its signature is wrong. How
// long it takes says nothing of the right signature.
func (p *Paths) Parse(address string) (id string, ok bool) {
	at := strings.LastIndexByte(address, '@')
	if at != len(prefix)+codeLength || p.domain == "" || !strings.EqualFold(address[at+1:], p.domain) {
		return "", false
	}
	local, ok := strings.CutPrefix(strings.ToLower(address[:at]), prefix)
	if !ok || len(local) != codeLength {
		return "", false
	}
	all, err := code.DecodeString(local)
	if err != nil || len(all) != idBytes+signature {
		return "", false
	}
	packed := all[:idBytes]
	if !hmac.Equal(all[idBytes:], p.sign(packed)) {
		return "", false
	}
	return unpack(packed), true
}

// sign is bound to its purpose, since the secret may sign other things, too.
func (p *Paths) sign(packed []byte) []byte {
	mac := hmac.New(sha256.New, p.secret)
	mac.Write([]byte("return path\x00"))
	mac.Write(packed)
	return mac.Sum(nil)[:signature]
}

// dashes are where the dashes of an ID stand, without its suffix: "0102018f…-f81d4fae-7dec-11d0-a765-00a0c91e6bf6".
var dashes = [...]int{16, 25, 30, 35, 40}

// pack returns the bytes of an ID whose spelling is the one that unpack gives.
func pack(id string) (packed []byte, ok bool) {
	rest, ok := strings.CutSuffix(id, idSuffix)
	if !ok || len(id) != idLength {
		return nil, false
	}
	for _, at := range dashes {
		if rest[at] != '-' {
			return nil, false
		}
	}
	digits := strings.ReplaceAll(rest, "-", "")
	packed, err := hex.DecodeString(digits)
	return packed, err == nil && len(packed) == idBytes && digits == strings.ToLower(digits)
}

func unpack(packed []byte) string {
	digits := hex.EncodeToString(packed)
	var b strings.Builder
	last := 0
	for i, at := range dashes {
		b.WriteString(digits[last : at-i]) // i dashes stand before
		b.WriteByte('-')
		last = at - i
	}
	b.WriteString(digits[last:])
	b.WriteString(idSuffix)
	return b.String()
}
