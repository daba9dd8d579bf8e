package email

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base32"
	"encoding/base64"
	"fmt"
	"maps"
	"strings"

	"tidings/internal/fault"
	"tidings/internal/quota"
	"tidings/internal/tenant"
)

// IdentityKind tells addresses from domains.
type IdentityKind int

// The kinds.
const (
	AnyIdentity IdentityKind = iota
	EmailAddress
	Domain
)

// Kind is what the identity is.
func (i *Identity) Kind() IdentityKind {
	if strings.Contains(i.Name, "@") {
		return EmailAddress
	}
	return Domain
}

// Tokens are the three names, below _domainkey and the domain, that a client is told to publish for DKIM. The first is the selector of the
// key, the others only fill the form of SES. They are nil as long as there is no key.
func (i *Identity) Tokens() []string {
	if i.Selector == "" {
		return nil
	}
	all := []string{i.Selector}
	for _, more := range []string{"/2", "/3"} {
		sum := sha256.Sum256([]byte(i.Selector + more))
		all = append(all, strings.ToLower(base32.StdEncoding.EncodeToString(sum[:])[:26]))
	}
	return all
}

// ARN is the ARN of the identity.
func (i *Identity) ARN(t tenant.Tenant) string { return identityARN(t, i.Name) }

func identityARN(t tenant.Tenant, name string) string {
	return "arn:aws:ses:" + t.Region + ":" + t.Account + ":identity/" + name
}

// CreateIdentity makes an identity of what the client says: Name, Set, Tags, and for a domain a DKIM key of its own (Selector and Key); without
// one, a domain gets a new key. It fails with fault.Exists if there is one of the name.
func (s *Service) CreateIdentity(ctx context.Context, t tenant.Tenant, one Identity) (*Identity, error) {
	name, kind, err := identityName(one.Name)
	if err != nil {
		return nil, err
	}
	fresh := s.newIdentity(name, kind)
	fresh.Set, fresh.Tags = one.Set, maps.Clone(one.Tags)
	if kind == Domain {
		fresh.Selector, fresh.Key = one.Selector, one.Key
	}
	if err := s.checkIdentity(t, fresh); err != nil { // before a key is made: that takes long
		return nil, err
	}
	if kind == Domain && fresh.Key == nil {
		if fresh.Selector, fresh.Key, err = newKey(); err != nil {
			return nil, err
		}
	}
	fresh.DKIM = fresh.Key != nil
	made, err := s.makeIdentity(ctx, t, name, func(now *Identity) (*Identity, error) {
		if now != nil {
			return nil, fault.New(fault.Exists, fault.EmailIdentity, "Email identity %s already exists.", name)
		}
		return fresh, nil
	})
	if err == nil && one.Key == nil {
		s.tellKey(t, made)
	}
	return made, err
}

// VerifyIdentity returns the identity of a name, and makes it if there is none.
func (s *Service) VerifyIdentity(ctx context.Context, t tenant.Tenant, name string) (*Identity, error) {
	name, kind, err := identityName(name)
	if err != nil {
		return nil, err
	}
	return s.makeIdentity(ctx, t, name, func(now *Identity) (*Identity, error) {
		if now != nil {
			if kind == Domain && now.Token == "" {
				now.Token = newToken()
			}
			return now, nil
		}
		return s.newIdentity(name, kind), nil
	})
}

// VerifyDKIM returns the identity of a domain with a key for DKIM. It makes the one and the other if there is none.
func (s *Service) VerifyDKIM(ctx context.Context, t tenant.Tenant, domain string) (*Identity, error) {
	name, kind, err := identityName(domain)
	if err != nil {
		return nil, err
	}
	if kind != Domain {
		return nil, invalidDomain(domain)
	}
	found, ok, err := s.Registry.Identity(ctx, t, name)
	if err != nil {
		return nil, fmt.Errorf("look an identity up: %w", err)
	}
	if ok && found.Key != nil {
		return s.present(found), nil
	}
	selector, key, err := newKey()
	if err != nil {
		return nil, err
	}
	made, err := s.makeIdentity(ctx, t, name, func(now *Identity) (*Identity, error) {
		if now == nil {
			now = s.newIdentity(name, kind)
		}
		if now.Key == nil { // else somebody was faster
			now.DKIM, now.Selector, now.Key = true, selector, key
		}
		return now, nil
	})
	if err == nil {
		s.tellKey(t, made)
	}
	return made, err
}

// tellKey tells the operator, who looks after the DNS, of a new key.
func (s *Service) tellKey(t tenant.Tenant, made *Identity) {
	if made.Selector != "" {
		s.logger().Info("a DKIM key was made; receivers need its TXT record in the DNS", "domain", made.Name, "selector", made.Selector,
			"account", t.Account, "region", t.Region)
	}
}

// makeIdentity applies edit, if there is room for one more identity, and returns what was stored.
func (s *Service) makeIdentity(ctx context.Context, t tenant.Tenant, name string, edit func(*Identity) (*Identity, error)) (*Identity, error) {
	acc, err := s.account(t)
	if err != nil {
		return nil, err
	}
	lock := s.creation(t)
	lock.Lock()
	defer lock.Unlock()
	if err := s.roomForIdentity(ctx, t, acc.Limits.Of(quota.EmailIdentities), name); err != nil {
		return nil, err
	}
	var stored *Identity
	err = s.Registry.ChangeIdentity(ctx, t, name, func(now *Identity) (*Identity, error) {
		var err error
		stored, err = edit(now)
		return stored, err
	})
	if err != nil {
		return nil, fmt.Errorf("make an identity: %w", err)
	}
	return s.present(stored), nil
}

// roomForIdentity fails if there is no identity of the name, and there may be no more.
func (s *Service) roomForIdentity(ctx context.Context, t tenant.Tenant, limit int64, name string) error {
	if limit <= quota.Unlimited {
		return nil
	}
	_, had, err := s.Registry.Identity(ctx, t, name)
	if err != nil || had {
		return err
	}
	after, count := "", int64(0)
	for more := true; more; {
		var page []*Identity
		if page, more, err = s.Registry.Identities(ctx, t, after, 1_000); err != nil {
			return fmt.Errorf("count identities: %w", err)
		}
		if count += int64(len(page)); count >= limit {
			return fault.New(fault.LimitExceeded, fault.EmailIdentity, "An account has at most %d identities.", limit)
		}
		if len(page) > 0 {
			after = page[len(page)-1].Name
		}
	}
	return nil
}

// Identity returns the identity of a name. It is the caller's own.
func (s *Service) Identity(ctx context.Context, t tenant.Tenant, name string) (*Identity, error) {
	name, _, err := identityName(name)
	if err != nil {
		return nil, err
	}
	found, ok, err := s.Registry.Identity(ctx, t, name)
	if err != nil {
		return nil, fmt.Errorf("look an identity up: %w", err)
	}
	if !ok {
		return nil, noIdentity(name)
	}
	return s.present(found), nil
}

// Identities returns up to limit identities of a kind in the order of names, beginning behind after, and whether more follow.
func (s *Service) Identities(ctx context.Context, t tenant.Tenant, kind IdentityKind, after string, limit int) ([]*Identity, bool, error) {
	if err := checkPage(limit); err != nil {
		return nil, false, err
	}
	var all []*Identity
	for more := true; more; {
		page, follow, err := s.Registry.Identities(ctx, t, after, limit+1)
		if err != nil {
			return nil, false, fmt.Errorf("list identities: %w", err)
		}
		for _, one := range page {
			after = one.Name
			if kind != AnyIdentity && one.Kind() != kind {
				continue
			}
			if len(all) == limit {
				return all, true, nil
			}
			all = append(all, s.present(one))
		}
		more = follow && len(page) > 0
	}
	return all, false, nil
}

// DeleteIdentity removes an identity, and reports whether there was one.
func (s *Service) DeleteIdentity(ctx context.Context, t tenant.Tenant, name string) (had bool, err error) {
	name, _, err = identityName(name)
	if err != nil {
		return false, err
	}
	err = s.Registry.ChangeIdentity(ctx, t, name, func(now *Identity) (*Identity, error) {
		had = now != nil
		return nil, nil
	})
	if err != nil {
		return false, fmt.Errorf("delete an identity: %w", err)
	}
	return had, nil
}

// ChangeIdentity applies edit to what the client has set of an identity; its name, when it was made, its token, and whether it is verified
// stay as they are. What edit returns is returned, and then nothing is changed. edit may be called more than once.
func (s *Service) ChangeIdentity(ctx context.Context, t tenant.Tenant, name string, edit func(*Identity) error) error {
	name, _, err := identityName(name)
	if err != nil {
		return err
	}
	err = s.Registry.ChangeIdentity(ctx, t, name, func(now *Identity) (*Identity, error) {
		if now == nil {
			return nil, noIdentity(name)
		}
		one := s.present(now)
		if err := edit(one); err != nil {
			return nil, err
		}
		one.Name, one.Created, one.Token, one.Verified = now.Name, now.Created, now.Token, now.Verified
		if err := s.checkIdentity(t, one); err != nil {
			return nil, err
		}
		return one, nil
	})
	if err != nil {
		return fmt.Errorf("change an identity: %w", err)
	}
	return nil
}

func (s *Service) newIdentity(name string, kind IdentityKind) *Identity {
	one := &Identity{Name: name, Created: s.now(), Verified: s.VerifyAtOnce, Forwarding: true}
	if kind == Domain {
		one.Token = newToken()
	}
	return one
}

// newToken returns what proves that a domain is the client's.
func newToken() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails: it ends the program instead
	return base64.StdEncoding.EncodeToString(b[:])
}

// newKey makes a key for DKIM. Its size is that of SES's own keys, which fits into a TXT record of two strings.
// Source: RFC 8301 section 3.2; SES Developer Guide, "Easy DKIM in Amazon SES".
func newKey() (selector string, der []byte, err error) {
	const bits = 2048
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return "", nil, fmt.Errorf("make a DKIM key: %w", err)
	}
	if der, err = x509.MarshalPKCS8PrivateKey(key); err != nil {
		return "", nil, fmt.Errorf("make a DKIM key: %w", err)
	}
	return strings.ToLower(rand.Text()), der, nil
}

// noIdentity is in the words of SES.
func noIdentity(name string) error {
	return fault.New(fault.NotFound, fault.EmailIdentity, "Email identity %s does not exist.", clip(name))
}
