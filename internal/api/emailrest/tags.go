package emailrest

import (
	"context"
	"strings"

	"tidings/internal/arn"
	"tidings/internal/configset"
	"tidings/internal/email"
	"tidings/internal/fault"
	"tidings/internal/tenant"
)

func (a *API) tag(ctx context.Context, t tenant.Tenant, in *tagInput) (*empty, error) {
	return a.changeTags(ctx, t, in.ResourceArn, func(tags map[string]string) {
		for _, one := range in.Tags {
			tags[one.Key] = one.Value
		}
	})
}

func (a *API) untag(ctx context.Context, t tenant.Tenant, in *untagInput) (*empty, error) {
	return a.changeTags(ctx, t, in.ResourceArn, func(tags map[string]string) {
		for _, key := range in.TagKeys {
			delete(tags, key)
		}
	})
}

func (a *API) listTags(ctx context.Context, t tenant.Tenant, in *listTagsInput) (*listTagsOutput, error) {
	r, err := a.resource(t, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	var tags map[string]string
	switch r.kind {
	case taggedSet:
		set, err := a.config.Sets.Set(ctx, t, configset.Email, r.name)
		if err != nil {
			return nil, err
		}
		tags = set.Options.Tags
	case taggedIdentity:
		one, err := a.config.Mail.Identity(ctx, t, r.name)
		if err != nil {
			return nil, err
		}
		tags = one.Tags
	case taggedTemplate:
		one, err := a.config.Mail.Template(ctx, t, r.name)
		if err != nil {
			return nil, err
		}
		tags = one.Tags
	}
	return &listTagsOutput{Tags: tagList(tags)}, nil
}

// changeTags applies edit to the tags of a resource, which edit gets as a map that is never nil.
func (a *API) changeTags(ctx context.Context, t tenant.Tenant, resource string, edit func(map[string]string)) (*empty, error) {
	r, err := a.resource(t, resource)
	if err != nil {
		return nil, err
	}
	change := func(tags *map[string]string) {
		if *tags == nil {
			*tags = map[string]string{}
		}
		edit(*tags)
	}
	switch r.kind {
	case taggedSet:
		return a.changeSet(ctx, t, r.name, func(o *configset.Options) error { change(&o.Tags); return nil })
	case taggedIdentity:
		return a.changeIdentity(ctx, t, r.name, func(one *email.Identity) error { change(&one.Tags); return nil })
	default:
		return nil, fault.New(fault.Invalid, "", "The tags of a template are those that it was created with.")
	}
}

// The kinds of resources that have tags, as their ARNs call them.
const (
	taggedSet      = "configuration-set"
	taggedIdentity = "identity"
	taggedTemplate = "template" // API v2
)

// tagged is a resource that has tags.
type tagged struct{ kind, name string }

// resource is what an ARN names. An ARN without an account, as Terraform makes them if it was
// not told to ask for it, is the caller's own.
// Source: Service Authorization Reference, "Actions, resources, and condition keys for Amazon
// SES", and that for Pinpoint Email.
func (a *API) resource(t tenant.Tenant, s string) (tagged, error) {
	parsed, err := arn.Parse(s)
	if err != nil {
		return tagged{}, fault.New(fault.Invalid, "", "The resource ARN %q is wrong: %v.", fault.Shorten(s), err)
	}
	kind, name, _ := strings.Cut(parsed.Resource, "/")
	known := kind == taggedSet || kind == taggedIdentity || kind == taggedTemplate && a.v2
	if parsed.Service != Service || name == "" || !known {
		return tagged{}, fault.New(fault.Invalid, "", "The resource ARN must have the form arn:aws:ses:REGION:ACCOUNT:configuration-set/NAME or arn:aws:ses:REGION:ACCOUNT:identity/NAME, not %q.", fault.Shorten(s))
	}
	if parsed.Region != t.Region || parsed.Account != "" && parsed.Account != t.Account {
		return tagged{}, fault.New(fault.NotFound, "", "There is no resource %s in this account and region.", fault.Shorten(s))
	}
	return tagged{kind: kind, name: name}, nil
}
