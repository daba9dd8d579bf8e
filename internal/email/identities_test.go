package email

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tidings/internal/fault"
	"tidings/internal/quota"
)

func TestCreateIdentity(t *testing.T) {
	t.Parallel()
	h := newSvcHouse(t)
	one, err := h.CreateIdentity(t.Context(), svcOwner, Identity{Name: "Me@Example.COM", Tags: map[string]string{"a": "b"}, Set: "news"})
	if err != nil || one.Name != "me@example.com" || !one.Verified || !one.Forwarding || one.Kind() != EmailAddress || one.Tokens() != nil || one.DKIM ||
		one.Set != "news" || one.Tags["a"] != "b" || !one.Created.Equal(svcNoon) {
		t.Errorf("CreateIdentity = %+v, %v", one, err)
	}
	_, err = h.CreateIdentity(t.Context(), svcOwner, Identity{Name: "me@example.com"})
	wantFault(t, "CreateIdentity again", err, fault.Exists, fault.EmailIdentity, "Email identity me@example.com already exists.")

	domain, err := h.CreateIdentity(t.Context(), svcOwner, Identity{Name: "Bücher.example"})
	if err != nil || domain.Name != "xn--bcher-kva.example" || domain.Kind() != Domain || !domain.DKIM || domain.Token == "" {
		t.Fatalf("CreateIdentity = %+v, %v", domain, err)
	}
	key, err := x509.ParsePKCS8PrivateKey(domain.Key)
	if private, ok := key.(*rsa.PrivateKey); err != nil || !ok || private.N.BitLen() != 2048 {
		t.Errorf("key = %T, %v, want RSA of 2048 bits", key, err)
	}
	tokens := domain.Tokens()
	if len(tokens) != 3 || tokens[0] != domain.Selector || !slices.Equal(tokens, domain.Tokens()) {
		t.Errorf("Tokens = %q, want three, the selector %q first", tokens, domain.Selector)
	}
	form := regexp.MustCompile(`^[a-z2-7]{26}$`)
	for i, token := range tokens {
		if !form.MatchString(token) || slices.Contains(tokens[:i], token) {
			t.Errorf("token %d of %q is not fresh and 26 letters", i, tokens)
		}
	}
	if got := domain.ARN(svcOwner); got != "arn:aws:ses:us-east-1:123456789012:identity/xn--bcher-kva.example" {
		t.Errorf("ARN = %s", got)
	}
}

func TestCreateIdentityWithAKeyOfItsOwn(t *testing.T) {
	t.Parallel()
	h := newSvcHouse(t)
	private, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatalf("GenerateKey = %v", err)
	}
	want, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatalf("MarshalPKCS8PrivateKey = %v", err)
	}
	for name, der := range map[string][]byte{"eight.example": want, "one.example": x509.MarshalPKCS1PrivateKey(private)} {
		one, err := h.CreateIdentity(t.Context(), svcOwner, Identity{Name: name, Selector: "s1", Key: der})
		if err != nil || !slices.Equal(one.Key, want) || one.Tokens()[0] != "s1" || !one.DKIM {
			t.Errorf("CreateIdentity(%s) = %+v, %v, want the client's key in PKCS #8", name, one, err)
		}
	}
}

func TestIdentityNames(t *testing.T) {
	t.Parallel()
	h := newSvcHouse(t)
	for name, want := range map[string]string{
		"":                   "Invalid domain name <>.",
		"example":            "Invalid domain name <example>.",
		"exa mple.com":       "Invalid domain name <exa mple.com>.",
		".com":               "Invalid domain name <.com>.",
		"-a.com":             "Invalid domain name <-a.com>.",
		"@example.com":       "Invalid email address <@example.com>.",
		"a@":                 "Invalid email address <a@>.",
		"A <a@example.com>":  "Invalid email address <A <a@example.com>>.",
		"<a@example.com>":    "Invalid email address <<a@example.com>>.",
		"ä@example.com":      "Invalid email address <ä@example.com>.",
		"a@example.com, b@c": "Invalid email address <a@example.com, b@c>.",
	} {
		_, err := h.VerifyIdentity(t.Context(), svcOwner, name)
		wantFault(t, fmt.Sprintf("VerifyIdentity(%q)", name), err, fault.Invalid, fault.EmailIdentity, want)
		_, err = h.CreateIdentity(t.Context(), svcOwner, Identity{Name: name})
		wantFault(t, fmt.Sprintf("CreateIdentity(%q)", name), err, fault.Invalid, fault.EmailIdentity, want)
	}
	_, err := h.VerifyDKIM(t.Context(), svcOwner, "a@example.com")
	wantFault(t, "VerifyDKIM", err, fault.Invalid, fault.EmailIdentity, "Invalid domain name <a@example.com>.")
}

func TestVerifyIdentity(t *testing.T) {
	t.Parallel()
	h := newSvcHouse(t)
	h.VerifyAtOnce, h.Verified = false, []string{"listed.example"}
	first, err := h.VerifyIdentity(t.Context(), svcOwner, "example.com")
	if err != nil || first.Verified || first.Token == "" || first.Key != nil {
		t.Fatalf("VerifyIdentity = %+v, %v, want a token, and no key yet", first, err)
	}
	again, err := h.VerifyIdentity(t.Context(), svcOwner, "example.com")
	if err != nil || again.Token != first.Token {
		t.Errorf("VerifyIdentity again = %+v, %v, want the same token", again, err)
	}
	signed, err := h.VerifyDKIM(t.Context(), svcOwner, "example.com")
	if err != nil || signed.Key == nil || signed.Token != first.Token || !signed.DKIM {
		t.Fatalf("VerifyDKIM = %+v, %v, want a key", signed, err)
	}
	same, err := h.VerifyDKIM(t.Context(), svcOwner, "example.com")
	if err != nil || same.Selector != signed.Selector {
		t.Errorf("VerifyDKIM again = %+v, %v, want the same key", same, err)
	}
	if made, err := h.VerifyDKIM(t.Context(), svcOwner, "listed.example"); err != nil || !made.Verified || made.Key == nil {
		t.Errorf("VerifyDKIM of a new domain that the operator lists = %+v, %v, want it made and verified", made, err)
	}
	if h.registry.identities[svcKey(svcOwner, "listed.example")].Verified {
		t.Error("the registry holds what the configuration says")
	}
}

func TestIdentities(t *testing.T) {
	t.Parallel()
	h := newSvcHouse(t)
	for _, name := range []string{"a@x.example", "b.example", "c@x.example", "d.example", "e@x.example"} {
		if _, err := h.VerifyIdentity(t.Context(), svcOwner, name); err != nil {
			t.Fatalf("VerifyIdentity(%q) = %v", name, err)
		}
	}
	for _, tt := range []struct {
		kind  IdentityKind
		after string
		limit int
		want  string
		more  bool
	}{
		{AnyIdentity, "", 10, "a@x.example b.example c@x.example d.example e@x.example", false},
		{AnyIdentity, "", 2, "a@x.example b.example", true},
		{EmailAddress, "", 2, "a@x.example c@x.example", true},
		{EmailAddress, "c@x.example", 2, "e@x.example", false},
		{Domain, "", 1, "b.example", true},
		{Domain, "", 2, "b.example d.example", false},
		{Domain, "d.example", 2, "", false},
	} {
		all, more, err := h.Identities(t.Context(), svcOwner, tt.kind, tt.after, tt.limit)
		var names []string
		for _, one := range all {
			names = append(names, one.Name)
		}
		if got := strings.Join(names, " "); err != nil || got != tt.want || more != tt.more {
			t.Errorf("Identities(%d, %q, %d) = %q, %v, %v, want %q, %v", tt.kind, tt.after, tt.limit, got, more, err, tt.want, tt.more)
		}
	}
	_, _, err := h.Identities(t.Context(), svcOwner, AnyIdentity, "", 0)
	wantFault(t, "Identities", err, fault.Invalid, fault.PaginationToken, "A page has at least 1 entry, not 0.")

	for _, want := range []bool{true, false} {
		if had, err := h.DeleteIdentity(t.Context(), svcOwner, "B.example"); err != nil || had != want {
			t.Errorf("DeleteIdentity = %v, %v, want %v", had, err, want)
		}
	}
	_, err = h.Identity(t.Context(), svcOwner, "b.example")
	wantFault(t, "Identity", err, fault.NotFound, fault.EmailIdentity, "Email identity b.example does not exist.")
}

func TestIdentityLimit(t *testing.T) {
	t.Parallel()
	h := newSvcHouse(t)
	h.limit(quota.Production, map[quota.Name]int64{quota.EmailIdentities: 2})
	for _, name := range []string{"a.example", "b.example", "a.example"} {
		if _, err := h.VerifyIdentity(t.Context(), svcOwner, name); err != nil {
			t.Fatalf("VerifyIdentity(%q) = %v", name, err)
		}
	}
	_, err := h.VerifyIdentity(t.Context(), svcOwner, "c.example")
	wantFault(t, "VerifyIdentity", err, fault.LimitExceeded, fault.EmailIdentity, "An account has at most 2 identities.")
}

func TestChangeIdentity(t *testing.T) {
	t.Parallel()
	policies := func(n int) map[string]string {
		all := map[string]string{}
		for i := range n {
			all[fmt.Sprintf("p%d", i)] = `{}`
		}
		return all
	}
	for _, tt := range []struct {
		name   string
		change func(*Identity)
		kind   fault.Kind
		text   string // "" = accepted
	}{
		{"nothing", func(*Identity) {}, 0, ""},
		{"MAIL FROM", func(i *Identity) { i.MailFrom, i.MailFromOnFailure = "Bounce.Example.com", "REJECT_MESSAGE" }, 0, ""},
		{
			"MAIL FROM elsewhere", func(i *Identity) { i.MailFrom = "bounce.example.org" }, fault.Invalid,
			"Provided MAIL-FROM domain <bounce.example.org> is not subdomain of the domain of the identity <example.com>.",
		},
		{
			"MAIL FROM itself", func(i *Identity) { i.MailFrom = "example.com" }, fault.Invalid,
			"Provided MAIL-FROM domain <example.com> is not subdomain of the domain of the identity <example.com>.",
		},
		{
			"MAIL FROM suffix", func(i *Identity) { i.MailFrom = "badexample.com" }, fault.Invalid,
			"Provided MAIL-FROM domain <badexample.com> is not subdomain of the domain of the identity <example.com>.",
		},
		{"MAIL FROM malformed", func(i *Identity) { i.MailFrom = "a b.example.com" }, fault.Invalid, "Invalid domain name <a b.example.com>."},
		{
			"MAIL FROM behaviour", func(i *Identity) { i.MailFromOnFailure = "Panic" }, fault.Invalid,
			`The behavior on MX failure is USE_DEFAULT_VALUE or REJECT_MESSAGE, not "Panic".`,
		},
		{"20 policies", func(i *Identity) { i.Policies = policies(20) }, 0, ""},
		{"21 policies", func(i *Identity) { i.Policies = policies(21) }, fault.Invalid, "An identity has at most 20 policies."},
		{
			"policy name", func(i *Identity) { i.Policies = map[string]string{"a b": "{}"} }, fault.Invalid,
			`The name of a policy must be 1 to 64 letters, digits, hyphens and underscores, not "a b".`,
		},
		{"policy text", func(i *Identity) { i.Policies = map[string]string{"a": "[]"} }, fault.Invalid, "The policy a is no JSON object."},
		{"policy null", func(i *Identity) { i.Policies = map[string]string{"a": "null"} }, fault.Invalid, "The policy a is no JSON object."},
		{"policy size", func(i *Identity) { i.Policies = map[string]string{"a": `{"a":"` + strings.Repeat("x", 4096) + `"}`} }, fault.Invalid, "The policy a has more than 4096 bytes."},
		{"topic", func(i *Identity) { i.Topics = map[string]string{"Bounce": "arn:aws:sns:us-east-1:123456789012:t"} }, 0, ""},
		{
			"topic kind", func(i *Identity) { i.Topics = map[string]string{"Open": "arn:aws:sns:us-east-1:123456789012:t"} }, fault.Invalid,
			`A notification is one of Bounce, Complaint, Delivery, not "Open".`,
		},
		{
			"topic ARN", func(i *Identity) { i.Topics = map[string]string{"Bounce": "t"} }, fault.Invalid,
			`The topic of Bounce notifications must have the form arn:aws:sns:REGION:ACCOUNT:TOPIC, not "t".`,
		},
		{
			"headers", func(i *Identity) { i.HeadersIn = map[string]bool{"Open": true} }, fault.Invalid,
			`A notification is one of Bounce, Complaint, Delivery, not "Open".`,
		},
		{"set", func(i *Identity) { i.Set = "news" }, 0, ""},
		{"unknown set", func(i *Identity) { i.Set = "gone" }, fault.NotFound, "Configuration set <gone> does not exist."},
		{"tag", func(i *Identity) { i.Tags = map[string]string{"aws:x": "y"} }, fault.Invalid, `The key of a tag must not begin with aws:, as "aws:x" does.`},
		{"empty tag", func(i *Identity) { i.Tags = map[string]string{"": "y"} }, fault.Invalid, `The key of a tag has 1 to 128 characters, not "".`},
		{"DKIM without a key", func(i *Identity) { i.DKIM = true }, fault.Invalid, "Domain example.com is not verified for DKIM signing."},
		{"no key", func(i *Identity) { i.Selector, i.Key = "s", []byte("x") }, fault.Invalid, "The DKIM private key is no key in the form of PKCS #8."},
		{
			"bad selector", func(i *Identity) { i.Selector, i.Key = "s.t", []byte("x") }, fault.Invalid,
			`The DKIM selector must have 1 to 63 letters, digits and hyphens, not "s.t".`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newSvcHouse(t)
			before, err := h.VerifyIdentity(t.Context(), svcOwner, "example.com")
			if err != nil {
				t.Fatalf("VerifyIdentity = %v", err)
			}
			err = h.ChangeIdentity(t.Context(), svcOwner, "EXAMPLE.com", func(i *Identity) error {
				i.Name, i.Verified, i.Token = "x", false, "x" // not the client's to change
				tt.change(i)
				return nil
			})
			after, errAfter := h.Identity(t.Context(), svcOwner, "example.com")
			if errAfter != nil || after.Name != before.Name || after.Token != before.Token || !after.Verified {
				t.Errorf("Identity = %+v, %v, want name, token and verification as before", after, errAfter)
			}
			if tt.text == "" {
				if err != nil {
					t.Errorf("ChangeIdentity = %v, want it to pass", err)
				}
				return
			}
			resource := fault.EmailIdentity
			if tt.kind == fault.NotFound {
				resource = fault.ConfigurationSet
			}
			wantFault(t, "ChangeIdentity", err, tt.kind, resource, tt.text)
		})
	}
	h := newSvcHouse(t)
	err := h.ChangeIdentity(t.Context(), svcOwner, "example.com", func(*Identity) error { return nil })
	wantFault(t, "ChangeIdentity", err, fault.NotFound, fault.EmailIdentity, "Email identity example.com does not exist.")
}
