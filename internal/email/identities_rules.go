package email

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"tidings/internal/arn"
	"tidings/internal/configset"
	"tidings/internal/fault"
	"tidings/internal/mailmsg"
	"tidings/internal/tenant"
)

// The limits of what an identity carries.
// Source: SES API Reference, "PutIdentityPolicy"; SES Developer Guide, "Service quotas in Amazon SES"; SES API v2 Reference, "Tag".
const (
	maxPolicies     = 20
	maxPolicyBytes  = 4 << 10
	maxTags         = 50
	maxTagKey       = 128
	maxTagValue     = 256
	maxSelectorSize = 63 // RFC 1035 section 2.3.4
)

// The ways to go on when the own domain for bounces has no MX.
// Source: SES API v2 Reference, "PutEmailIdentityMailFromAttributes".
const (
	mailFromDefault = "USE_DEFAULT_VALUE"
	mailFromReject  = "REJECT_MESSAGE"
)

// notifications are what an identity can notify topics of. Source: SES API Reference, "SetIdentityNotificationTopic".
var notifications = []string{"Bounce", "Complaint", "Delivery"}

var (
	policyForm   = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	selectorForm = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$`)
)

// identityName returns the name of an identity as it is stored, and what it is.
func identityName(text string) (string, IdentityKind, error) {
	if strings.Contains(text, "@") {
		address, err := bareAddress(text)
		if err != nil {
			return "", 0, fault.New(fault.Invalid, fault.EmailIdentity, "Invalid email address <%s>.", clip(text))
		}
		return strings.ToLower(address), EmailAddress, nil
	}
	domain := mailmsg.DomainASCII(text)
	if !strings.Contains(domain, ".") {
		return "", 0, invalidDomain(text)
	}
	return domain, Domain, nil
}

func invalidDomain(text string) error {
	return fault.New(fault.Invalid, fault.EmailIdentity, "Invalid domain name <%s>.", clip(text))
}

func invalidIdentity(format string, args ...any) error {
	return fault.New(fault.Invalid, fault.EmailIdentity, format, args...)
}

// checkIdentity reports whether an identity may be like this.
func (s *Service) checkIdentity(t tenant.Tenant, one *Identity) error {
	if err := checkMailFrom(one); err != nil {
		return err
	}
	if err := checkKey(one); err != nil {
		return err
	}
	if err := checkPolicies(one.Policies); err != nil {
		return err
	}
	if err := checkNotifications(one); err != nil {
		return err
	}
	if one.Set != "" {
		if _, ok := s.Sets.Get(configset.Key{Tenant: t, Scope: configset.Email, Name: one.Set}); !ok {
			return noSet(one.Set)
		}
	}
	return checkResourceTags(one.Tags)
}

// checkMailFrom holds the domain for bounces to the rules.
// Source: SES Developer Guide, "Using a custom MAIL FROM domain".
func checkMailFrom(one *Identity) error {
	switch one.MailFromOnFailure {
	case "", mailFromDefault, mailFromReject:
	default:
		return invalidIdentity("The behavior on MX failure is %s or %s, not %q.", mailFromDefault, mailFromReject, clip(one.MailFromOnFailure))
	}
	if one.MailFrom == "" {
		return nil
	}
	_, parent, isAddress := strings.Cut(one.Name, "@")
	if !isAddress {
		parent = one.Name
	}
	domain := mailmsg.DomainASCII(one.MailFrom)
	if domain == "" {
		return invalidDomain(one.MailFrom)
	}
	if !strings.HasSuffix(domain, "."+parent) {
		return invalidIdentity("Provided MAIL-FROM domain <%s> is not subdomain of the domain of the identity <%s>.", clip(one.MailFrom), parent)
	}
	one.MailFrom = domain
	return nil
}

// checkKey holds a key for DKIM to the rules: those of a client's own are RSA keys of 1024 to 2048 bits.
// Source: SES Developer Guide, "Bring Your Own DKIM (BYODKIM) in Amazon SES".
func checkKey(one *Identity) error {
	const least, most = 1024, 2048
	if one.Key == nil && one.Selector == "" {
		if one.DKIM && one.Kind() == Domain {
			return invalidIdentity("Domain %s is not verified for DKIM signing.", one.Name)
		}
		return nil
	}
	if len(one.Selector) > maxSelectorSize || !selectorForm.MatchString(one.Selector) {
		return invalidIdentity("The DKIM selector must have 1 to %d letters, digits and hyphens, not %q.", maxSelectorSize, clip(one.Selector))
	}
	if old, err := x509.ParsePKCS1PrivateKey(one.Key); err == nil { // what older tools write
		if one.Key, err = x509.MarshalPKCS8PrivateKey(old); err != nil {
			return fmt.Errorf("write a DKIM key: %w", err)
		}
	}
	key, err := x509.ParsePKCS8PrivateKey(one.Key)
	if err != nil {
		return invalidIdentity("The DKIM private key is no key in the form of PKCS #8.")
	}
	private, ok := key.(*rsa.PrivateKey)
	if !ok || private.N.BitLen() < least || private.N.BitLen() > most {
		return invalidIdentity("The DKIM private key must be an RSA key of %d to %d bits.", least, most)
	}
	return nil
}

func checkPolicies(all map[string]string) error {
	if len(all) > maxPolicies {
		return invalidIdentity("An identity has at most %d policies.", maxPolicies)
	}
	for name, policy := range all {
		var object map[string]json.RawMessage
		switch {
		case !policyForm.MatchString(name):
			return invalidIdentity("The name of a policy must be 1 to 64 letters, digits, hyphens and underscores, not %q.", clip(name))
		case len(policy) > maxPolicyBytes:
			return invalidIdentity("The policy %s has more than %d bytes.", name, maxPolicyBytes)
		case json.Unmarshal([]byte(policy), &object) != nil || object == nil:
			return invalidIdentity("The policy %s is no JSON object.", name)
		}
	}
	return nil
}

func checkNotifications(one *Identity) error {
	for kind, topic := range one.Topics {
		if !slices.Contains(notifications, kind) {
			return invalidIdentity("A notification is one of %s, not %q.", strings.Join(notifications, ", "), clip(kind))
		}
		a, err := arn.Parse(topic)
		if err != nil || a.Service != "sns" || a.Account == "" || !tenant.IsRegion(a.Region) {
			return invalidIdentity("The topic of %s notifications must have the form arn:aws:sns:REGION:ACCOUNT:TOPIC, not %q.", kind, clip(topic))
		}
	}
	for kind := range one.HeadersIn {
		if !slices.Contains(notifications, kind) {
			return invalidIdentity("A notification is one of %s, not %q.", strings.Join(notifications, ", "), clip(kind))
		}
	}
	return nil
}

func checkResourceTags(all map[string]string) error {
	if len(all) > maxTags {
		return invalidIdentity("A resource has at most %d tags.", maxTags)
	}
	for key, value := range all {
		switch {
		case key == "" || len([]rune(key)) > maxTagKey:
			return invalidIdentity("The key of a tag has 1 to %d characters, not %q.", maxTagKey, clip(key))
		case strings.HasPrefix(strings.ToLower(key), "aws:"):
			return invalidIdentity("The key of a tag must not begin with aws:, as %q does.", clip(key))
		case len([]rune(value)) > maxTagValue:
			return invalidIdentity("The value of the tag %q has more than %d characters.", clip(key), maxTagValue)
		}
	}
	return nil
}

// present returns the identity as clients see it, sharing nothing with the stored one: what the operator has named is verified.
func (s *Service) present(stored *Identity) *Identity {
	one := *stored
	one.Verified = one.Verified || slices.Contains(s.Verified, one.Name)
	one.Key = slices.Clone(one.Key)
	one.Topics, one.HeadersIn = maps.Clone(one.Topics), maps.Clone(one.HeadersIn)
	one.Policies, one.Tags = maps.Clone(one.Policies), maps.Clone(one.Tags)
	return &one
}

// creation is held while something is made whose number is limited. Tenants share the locks, which can only make one of them wait.
func (s *Service) creation(t tenant.Tenant) *sync.Mutex {
	h := fnv.New32a()
	_, _ = h.Write([]byte(t.String()))
	return &s.creations[h.Sum32()%uint32(len(s.creations))]
}
