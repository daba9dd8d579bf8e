package pinpoint

import (
	"context"
	"maps"
	"strings"
	"unicode/utf8"

	"tidings/internal/arn"
	"tidings/internal/fault"
	"tidings/internal/tenant"
)

// The limits of tags, the lengths in characters.
// Source: Amazon Pinpoint Developer Guide, "Tag restrictions".
const (
	maxTags           = 50
	maxTagKeyLength   = 128
	maxTagValueLength = 256
	reservedTagPrefix = "aws:" // in any case of letters
)

// Tag gives the app with this ARN the tags, in place of those of the same keys.
func (s *Service) Tag(ctx context.Context, t tenant.Tenant, appARN string, tags map[string]string) error {
	id, err := s.tagged(t, appARN)
	if err != nil {
		return err
	}
	return s.changeApp(ctx, t, id, func(a *App) error {
		if a.Tags == nil {
			a.Tags = make(map[string]string, len(tags))
		}
		maps.Copy(a.Tags, tags)
		return checkTags(a.Tags)
	})
}

// Untag takes the tags of these keys from the app with this ARN. Keys that it does not have
// are passed over.
func (s *Service) Untag(ctx context.Context, t tenant.Tenant, appARN string, keys []string) error {
	id, err := s.tagged(t, appARN)
	if err != nil {
		return err
	}
	return s.changeApp(ctx, t, id, func(a *App) error {
		for _, key := range keys {
			delete(a.Tags, key)
		}
		return nil
	})
}

// Tags returns the tags of the app with this ARN. They are the caller's own, and never nil.
func (s *Service) Tags(_ context.Context, t tenant.Tenant, appARN string) (map[string]string, error) {
	id, err := s.tagged(t, appARN)
	if err != nil {
		return nil, err
	}
	a, err := s.app(t, id)
	if err != nil {
		return nil, err
	}
	tags := make(map[string]string, len(a.Tags))
	maps.Copy(tags, a.Tags)
	return tags, nil
}

// tagged returns the ID of the app that the ARN names. Campaigns, segments and templates,
// which AWS tags as well, do not exist here.
func (s *Service) tagged(t tenant.Tenant, appARN string) (id string, err error) {
	a, err := arn.Parse(appARN)
	if err != nil {
		return "", fault.New(fault.Invalid, fault.App, "The ARN %q is wrong: %v.", shorten(appARN), err)
	}
	id, ok := strings.CutPrefix(a.Resource, appPrefix)
	if a.Account != t.Account {
		return "", fault.New(fault.Denied, fault.App, "The resource belongs to account %q.", shorten(a.Account))
	}
	if !ok || a.Service != service || a.Region != t.Region {
		return "", notFound(fault.App)
	}
	return id, nil
}

func checkTags(tags map[string]string) error {
	if len(tags) > maxTags {
		return fault.New(fault.Invalid, fault.App, "An app has at most %d tags, not %d.", maxTags, len(tags))
	}
	for key, value := range tags {
		switch n, v := utf8.RuneCountInString(key), utf8.RuneCountInString(value); {
		case n < 1 || n > maxTagKeyLength:
			return fault.New(fault.Invalid, fault.App, "The key of a tag has 1 to %d characters, not %d.", maxTagKeyLength, n)
		case len(key) >= len(reservedTagPrefix) && strings.EqualFold(key[:len(reservedTagPrefix)], reservedTagPrefix):
			return fault.New(fault.Invalid, fault.App, "The key of the tag %q begins with %s, which is reserved.", shorten(key), reservedTagPrefix)
		case v > maxTagValueLength:
			return fault.New(fault.Invalid, fault.App, "The value of the tag %q has %d characters. At most %d are allowed.", shorten(key), v, maxTagValueLength)
		}
	}
	return nil
}
