// Package dkim signs mail (RFC 6376, and RFC 8463 for Ed25519) with the key of the sender's domain, from the configuration or from
// the identities of the account. It implements email.Signer. It verifies nothing.
package dkim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/emersion/go-msgauth/dkim"
	"golang.org/x/net/idna"

	"tidings/internal/email"
	"tidings/internal/tenant"
)

// maxKeys bounds how many keys of identities are kept ready.
const maxKeys = 10_000

// signed are the header fields that a signature covers, if they are there. Source: RFC 6376 5.4.1, and what
// one click to unsubscribe asks for (RFC 8058 4). Fields that servers on the way add or change are not among them.
var signed = []string{
	"From", "Reply-To", "Subject", "Date", "To", "Cc", "Sender", "Message-ID", "In-Reply-To", "References",
	"MIME-Version", "Content-Type", "Content-Transfer-Encoding", "Content-ID", "Content-Description",
	"Resent-Date", "Resent-From", "Resent-To", "Resent-Cc", "Resent-Message-ID",
	"List-Id", "List-Help", "List-Unsubscribe", "List-Unsubscribe-Post", "List-Subscribe", "List-Post", "List-Owner", "List-Archive",
	"Feedback-ID",
}

// Identities know the keys of an account. An email.Registry is one.
type Identities interface {
	Identity(ctx context.Context, t tenant.Tenant, name string) (*email.Identity, bool, error)
}

// Settings are what a Signer works with. The zero value signs nothing.
type Settings struct {
	// Keys sign the mail of everybody who sends from their domains and from those below, before any identity. Several of one
	// domain sign side by side, as RFC 8463 3 has it for the time of change to Ed25519.
	Keys       []Key
	Identities Identities // nil = none
}

// Signer signs messages. It is safe for concurrent use.
type Signer struct {
	keys       map[string][]*signer // of the configuration, by domain
	identities Identities

	mu    sync.Mutex
	ready map[known]*signer // keys of identities, parsed
}

// known is a key of an identity as it is stored.
type known struct{ domain, selector, key string }

var _ email.Signer = (*Signer)(nil)

// New makes a Signer. Its error names every key that is not one.
func New(settings Settings) (*Signer, error) {
	s := &Signer{keys: map[string][]*signer{}, identities: settings.Identities, ready: map[known]*signer{}}
	var problems []error
	for _, k := range settings.Keys {
		one, err := k.parse()
		if err != nil {
			problems = append(problems, err)
			continue
		}
		if slices.ContainsFunc(s.keys[one.domain], func(o *signer) bool { return o.selector == one.selector }) {
			problems = append(problems, fmt.Errorf("there are two keys %s of %s", one.selector, one.domain))
		}
		s.keys[one.domain] = append(s.keys[one.domain], one)
	}
	return s, errors.Join(problems...)
}

// Sign returns the message with a signature in front, or as it is if there is no key for the sender's domain. It implements
// email.Signer. The lines of a message that is signed end with CRLF: others would not arrive as they were signed.
func (s *Signer) Sign(ctx context.Context, t tenant.Tenant, sender string, raw []byte) ([]byte, error) {
	keys, err := s.find(ctx, t, sender)
	if err != nil || len(keys) == 0 {
		return raw, err
	}
	raw = withCRLF(raw)
	names := cover(raw)
	var out bytes.Buffer
	for _, k := range keys {
		field, err := k.sign(raw, names)
		if err != nil {
			return nil, fmt.Errorf("sign for %s: %w", k.domain, err)
		}
		out.Grow(len(field) + len(raw))
		out.WriteString(field)
	}
	out.Write(raw)
	return out.Bytes(), nil
}

// sign returns the field with the signature.
func (k *signer) sign(raw []byte, names []string) (string, error) {
	s, err := dkim.NewSigner(&dkim.SignOptions{
		Domain: k.domain, Selector: k.selector, Signer: k.key,
		HeaderCanonicalization: dkim.CanonicalizationRelaxed,
		BodyCanonicalization:   dkim.CanonicalizationRelaxed,
		HeaderKeys:             names,
	})
	if err != nil {
		return "", err
	}
	_, err = s.Write(raw)
	if end := s.Close(); err == nil {
		err = end
	}
	if err != nil {
		return "", err
	}
	return s.Signature(), nil
}

// cover returns the names of the fields to sign: each as often as it is there, so that none of them can be exchanged, and From once
// more, so that none can be added (RFC 6376 8.15).
func cover(raw []byte) []string {
	count := map[string]int{}
	for line := range bytes.SplitSeq(raw, []byte("\r\n")) {
		if len(line) == 0 {
			break // the end of the header
		}
		if name, _, ok := bytes.Cut(line, []byte{':'}); ok && line[0] != ' ' && line[0] != '\t' {
			count[strings.ToLower(string(bytes.TrimSpace(name)))]++
		}
	}
	var names []string
	for _, name := range signed {
		names = append(names, slices.Repeat([]string{name}, count[strings.ToLower(name)])...)
	}
	return append(names, "From")
}

// find returns the keys for a sender: those of the configuration for its domain or one above, else that of an identity.
func (s *Signer) find(ctx context.Context, t tenant.Tenant, sender string) ([]*signer, error) {
	sender = strings.ToLower(sender)
	at := strings.LastIndexByte(sender, '@')
	domain, err := idna.Lookup.ToASCII(strings.TrimSuffix(sender[at+1:], "."))
	if at < 0 || err != nil || !isName(domain) {
		return nil, nil //nolint:nilerr // what is no domain has no key
	}
	for _, d := range upward(domain) {
		if keys := s.keys[d]; keys != nil {
			return keys, nil
		}
	}
	if s.identities == nil {
		return nil, nil
	}
	for _, name := range append([]string{sender}, upward(domain)...) {
		id, ok, err := s.identities.Identity(ctx, t, name)
		if err != nil {
			return nil, fmt.Errorf("identity %q: %w", name, err)
		}
		if !ok || len(id.Key) == 0 {
			continue // no key was ever made: a domain above may have one
		}
		if !id.DKIM {
			return nil, nil // switched off
		}
		key, err := s.prepare(Key{Domain: name[strings.LastIndexByte(name, '@')+1:], Selector: id.Selector, Private: id.Key})
		if err != nil {
			return nil, err
		}
		return []*signer{key}, nil
	}
	return nil, nil
}

// upward returns the domain and those above it that have a dot.
func upward(domain string) []string {
	var all []string
	for strings.Contains(domain, ".") {
		all = append(all, domain)
		_, domain, _ = strings.Cut(domain, ".")
	}
	return all
}

// prepare parses the key of an identity, once: it takes as long as to sign with it.
func (s *Signer) prepare(k Key) (*signer, error) {
	name := known{k.Domain, k.Selector, string(k.Private)}
	s.mu.Lock()
	one := s.ready[name]
	s.mu.Unlock()
	if one != nil {
		return one, nil
	}
	one, err := k.parse()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.ready) >= maxKeys {
		clear(s.ready)
	}
	s.ready[name] = one
	return one, nil
}

// withCRLF returns the message with CRLF at the end of every line, the same if it has them already.
func withCRLF(raw []byte) []byte {
	bare := func(i int, b byte) bool {
		return b == '\n' && (i == 0 || raw[i-1] != '\r') || b == '\r' && (i+1 == len(raw) || raw[i+1] != '\n')
	}
	if n := bytes.Count(raw, []byte("\r\n")); n == bytes.Count(raw, []byte{'\n'}) && n == bytes.Count(raw, []byte{'\r'}) {
		return raw
	}
	out := make([]byte, 0, len(raw)+len(raw)/32)
	for i, b := range raw {
		if bare(i, b) {
			out = append(out, '\r', '\n')
		} else {
			out = append(out, b)
		}
	}
	return out
}
