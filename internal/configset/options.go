package configset

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"tidings/internal/fault"
	"tidings/internal/tenant"
)

// Options are what a set of scope Email says beside its event destinations. The zero value is
// what a new set has.
type Options struct {
	RedirectDomain    string        // host of open and click links; "" = the server's own
	HTTPSLinks        string        // HttpsPolicy of SES v2: REQUIRE, REQUIRE_OPEN_ONLY or OPTIONAL; "" = OPTIONAL
	RequireTLS        bool          // mail that cannot be handed over with TLS is not handed over
	Pool              string        // name of the pool of sending addresses; kept, without effect
	MaxDelivery       time.Duration // how long delivery is tried; 0 = as long as the server does
	SendingPaused     bool          // nothing can be sent with this set
	ReputationMetrics bool          // kept; the server's own metrics are always there
	FreshStart        time.Time     // when sending with this set last began anew; zero = never
	// Suppression says which reasons of the suppression list keep mail of this set from being sent: BOUNCE,
	// COMPLAINT. nil = those of the account; empty = none.
	Suppression []string
	Tags        map[string]string
	// Kept is what clients have said that changes nothing here, by the API's word for it. It is shown to them again.
	Kept map[string]string
}

// Clone returns a copy that shares nothing with o.
func (o Options) Clone() Options {
	o.Tags, o.Kept = maps.Clone(o.Tags), maps.Clone(o.Kept)
	o.Suppression = slices.Clone(o.Suppression)
	return o
}

// domainForm is the form of a host name. Source: RFC 1123 section 2.1.
var domainForm = regexp.MustCompile(`^([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$`)

// check reports whether a set may have these options.
func (o *Options) check() error {
	if o.RedirectDomain != "" && (len(o.RedirectDomain) > 253 || !domainForm.MatchString(o.RedirectDomain)) {
		return fault.New(fault.Invalid, fault.TrackingOptions, "Custom redirect domain %q is no domain name.", shorten(o.RedirectDomain))
	}
	for _, reason := range o.Suppression {
		if reason != "BOUNCE" && reason != "COMPLAINT" {
			return fault.New(fault.Invalid, fault.ConfigurationSet, "A reason for suppression is BOUNCE or COMPLAINT, not %q.", shorten(reason))
		}
	}
	// Source: SES API v2 Reference, "DeliveryOptions", MaxDeliverySeconds.
	const least, most = 300 * time.Second, 50400 * time.Second
	if o.MaxDelivery != 0 && (o.MaxDelivery < least || o.MaxDelivery > most) {
		return fault.New(fault.Invalid, fault.DeliveryOptions, "MaxDeliverySeconds must be from %.0f to %.0f.", least.Seconds(), most.Seconds())
	}
	return checkTags(o.Tags)
}

// checkTags reports whether a set may have these tags.
// Source: SES API v2 Reference, "Tag"; AWS General Reference, "Tagging AWS resources", 50 tags.
func checkTags(tags map[string]string) error {
	const mostTags, longestKey, longestValue = 50, 128, 256
	if len(tags) > mostTags {
		return fault.New(fault.Invalid, fault.ConfigurationSet, "A configuration set has at most %d tags.", mostTags)
	}
	for key, value := range tags {
		switch {
		case key == "" || len([]rune(key)) > longestKey:
			return fault.New(fault.Invalid, fault.ConfigurationSet, "The key of a tag has 1 to %d characters, not %q.", longestKey, shorten(key))
		case strings.HasPrefix(strings.ToLower(key), "aws:"):
			return fault.New(fault.Invalid, fault.ConfigurationSet, "The key of a tag must not begin with aws:, as %q does.", shorten(key))
		case len([]rune(value)) > longestValue:
			return fault.New(fault.Invalid, fault.ConfigurationSet, "The value of the tag %q has more than %d characters.", shorten(key), longestValue)
		}
	}
	return nil
}

// CreateWith makes an empty set with options. Only sets of scope Email have any.
func (s *Service) CreateWith(ctx context.Context, t tenant.Tenant, scope Scope, name string, o Options) error {
	if err := checkName(fault.ConfigurationSet, "configuration set", name); err != nil {
		return err
	}
	if err := o.check(); err != nil {
		return err
	}
	key := Key{Tenant: t, Scope: scope, Name: name}
	if _, ok := s.Store.Get(key); ok {
		return setExists(name, nil)
	}
	done, err := s.room(t, scope)
	if err != nil {
		return err
	}
	defer done()
	err = s.Store.Create(ctx, key, &Set{Name: name, Created: s.now(), Options: o.Clone()})
	if fault.Is(err, fault.Exists) { // somebody else was faster
		return setExists(name, err)
	}
	if err != nil {
		return fmt.Errorf("create configuration set %q: %w", name, err)
	}
	return nil
}

// Set returns the set. It is the caller's own.
func (s *Service) Set(_ context.Context, t tenant.Tenant, scope Scope, name string) (*Set, error) {
	found, err := s.get(t, scope, name)
	if err != nil {
		return nil, err
	}
	return found.Clone(), nil
}

// ChangeOptions applies edit to the set's options. What edit returns is returned, and then
// nothing is changed. edit may be called more than once.
func (s *Service) ChangeOptions(ctx context.Context, t tenant.Tenant, scope Scope, name string, edit func(*Options) error) error {
	return s.change(ctx, Key{Tenant: t, Scope: scope, Name: name}, func(c *Set) error {
		if err := edit(&c.Options); err != nil {
			return err
		}
		return c.Options.check()
	})
}
