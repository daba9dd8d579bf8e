package ses

import (
	"context"
	"slices"
	"strings"

	"tidings/internal/configset"
	"tidings/internal/fault"
	"tidings/internal/tenant"
)

const (
	createConfigurationSet = "CreateConfigurationSet"
	listConfigurationSets  = "ListConfigurationSets"
)

// maxSetsPage is how many sets a page has at most, and has if the client does not say.
// Source: SES API Reference, "ListConfigurationSets".
const maxSetsPage = 1000

func (a *API) createSet(ctx context.Context, t tenant.Tenant, in *createSetInput) (*empty, error) {
	if in.ConfigurationSet == nil {
		return nil, missing("configurationSet")
	}
	return nil, a.config.Sets.CreateWith(ctx, t, configset.Email, in.ConfigurationSet.Name, configset.Options{})
}

func (a *API) deleteSet(ctx context.Context, t tenant.Tenant, in *setInput) (*empty, error) {
	return nil, a.config.Sets.Delete(ctx, t, configset.Email, in.ConfigurationSetName)
}

// The words of ConfigurationSetAttributeNames. Source: SES API Reference, "DescribeConfigurationSet".
const (
	eventDestinations = "eventDestinations"
	tracking          = "trackingOptions"
	delivery          = "deliveryOptions"
	reputation        = "reputationOptions"
)

func (a *API) describeSet(ctx context.Context, t tenant.Tenant, in *describeSetInput) (*describeSetOutput, error) {
	for _, word := range in.ConfigurationSetAttributeNames {
		if err := oneOf("configurationSetAttributeNames", word, eventDestinations, tracking, delivery, reputation); err != nil {
			return nil, err
		}
	}
	set, err := a.config.Sets.Set(ctx, t, configset.Email, in.ConfigurationSetName)
	if err != nil {
		return nil, err
	}
	return describe(set, in.ConfigurationSetAttributeNames), nil
}

// describe shows the set's name and those of its attributes.
func describe(set *configset.Set, attributes []string) *describeSetOutput {
	out := &describeSetOutput{ConfigurationSet: configurationSet{Name: set.Name}}
	if slices.Contains(attributes, eventDestinations) {
		out.EventDestinations = []eventDestination{}
		for _, d := range set.Destinations {
			if w, ok := wire(d); ok {
				out.EventDestinations = append(out.EventDestinations, w)
			}
		}
	}
	o := set.Options
	if slices.Contains(attributes, tracking) && o.RedirectDomain != "" {
		out.TrackingOptions = &trackingOptions{CustomRedirectDomain: o.RedirectDomain}
	}
	if slices.Contains(attributes, delivery) && (o.RequireTLS || o.Kept[keptTLSPolicy] != "") {
		out.DeliveryOptions = &deliveryOptions{TlsPolicy: tlsOptional}
		if o.RequireTLS {
			out.DeliveryOptions.TlsPolicy = tlsRequired
		}
	}
	if slices.Contains(attributes, reputation) {
		out.ReputationOptions = &reputationOptions{
			SendingEnabled: !o.SendingPaused, ReputationMetricsEnabled: o.ReputationMetrics, LastFreshStart: o.FreshStart,
		}
	}
	return out
}

func (a *API) listSets(ctx context.Context, t tenant.Tenant, in *listInput) (*listSetsOutput, error) {
	limit, err := pageSize(in.MaxItems, maxSetsPage, maxSetsPage)
	if err != nil {
		return nil, err
	}
	after, err := a.config.Tokens.After(t, listConfigurationSets, in.NextToken)
	if err != nil {
		return nil, err
	}
	names, more, err := a.config.Sets.List(ctx, t, configset.Email, after, limit)
	if err != nil {
		return nil, err
	}
	out := &listSetsOutput{ConfigurationSets: []configurationSet{}}
	for _, name := range names {
		out.ConfigurationSets = append(out.ConfigurationSets, configurationSet{Name: name})
	}
	if more && len(names) > 0 {
		out.NextToken = a.config.Tokens.Seal(t, listConfigurationSets, names[len(names)-1])
	}
	return out, nil
}

func (a *API) createTracking(ctx context.Context, t tenant.Tenant, in *trackingInput) (*empty, error) {
	return a.setTracking(ctx, t, in, func(o *configset.Options) error {
		if o.RedirectDomain != "" {
			return fault.New(fault.Exists, fault.TrackingOptions, "Configuration set <%s> already has tracking options.", in.ConfigurationSetName)
		}
		return nil
	})
}

func (a *API) updateTracking(ctx context.Context, t tenant.Tenant, in *trackingInput) (*empty, error) {
	return a.setTracking(ctx, t, in, hasTracking(in.ConfigurationSetName))
}

// hasTracking fails for options of a set that are not about tracking.
func hasTracking(set string) func(*configset.Options) error {
	return func(o *configset.Options) error {
		if o.RedirectDomain == "" {
			return fault.New(fault.NotFound, fault.TrackingOptions, "Configuration set <%s> has no tracking options.", set)
		}
		return nil
	}
}

// setTracking sets the domain of links, if check has nothing against it.
func (a *API) setTracking(ctx context.Context, t tenant.Tenant, in *trackingInput, check func(*configset.Options) error) (*empty, error) {
	if in.TrackingOptions == nil || in.TrackingOptions.CustomRedirectDomain == "" {
		return nil, fault.New(fault.Invalid, fault.TrackingOptions, "The custom redirect domain is missing.")
	}
	return nil, a.changeSet(ctx, t, in.ConfigurationSetName, func(o *configset.Options) error {
		if err := check(o); err != nil {
			return err
		}
		o.RedirectDomain = in.TrackingOptions.CustomRedirectDomain
		return nil
	})
}

func (a *API) deleteTracking(ctx context.Context, t tenant.Tenant, in *setInput) (*empty, error) {
	return nil, a.changeSet(ctx, t, in.ConfigurationSetName, func(o *configset.Options) error {
		if err := hasTracking(in.ConfigurationSetName)(o); err != nil {
			return err
		}
		o.RedirectDomain = ""
		return nil
	})
}

func (a *API) putDelivery(ctx context.Context, t tenant.Tenant, in *deliveryInput) (*empty, error) {
	policy, kept := tlsOptional, "" // what is left out falls back to its default
	if in.DeliveryOptions != nil && in.DeliveryOptions.TlsPolicy != "" {
		policy = in.DeliveryOptions.TlsPolicy
		kept = strings.ToUpper(policy) // as the API v2 has it
	}
	if policy != tlsRequired && policy != tlsOptional {
		return nil, fault.New(fault.Invalid, fault.DeliveryOptions, "TlsPolicy must be %s or %s, not %q.", tlsRequired, tlsOptional, fault.Shorten(policy))
	}
	return nil, a.changeSet(ctx, t, in.ConfigurationSetName, func(o *configset.Options) error {
		o.RequireTLS = policy == tlsRequired
		if kept == "" {
			delete(o.Kept, keptTLSPolicy)
			return nil
		}
		if o.Kept == nil {
			o.Kept = map[string]string{}
		}
		o.Kept[keptTLSPolicy] = kept
		return nil
	})
}

// keptTLSPolicy is where a set keeps, for this API and for the API v2, that a client has said the word that is the default. A set that
// was never told has no delivery options.
// Source: acceptance tests of Terraform's AWS provider for aws_ses_configuration_set, which run against AWS.
const keptTLSPolicy = "TlsPolicy"

func (a *API) enableSetSending(ctx context.Context, t tenant.Tenant, in *enableInput) (*noResult, error) {
	if in.Enabled == nil {
		return nil, missing("enabled")
	}
	now := a.config.Now().UTC()
	return nil, a.changeSet(ctx, t, in.ConfigurationSetName, func(o *configset.Options) error {
		// Source: SES API Reference, "ReputationOptions", LastFreshStart.
		if *in.Enabled && o.SendingPaused {
			o.FreshStart = now
		}
		o.SendingPaused = !*in.Enabled
		return nil
	})
}

func (a *API) enableReputationMetrics(ctx context.Context, t tenant.Tenant, in *enableInput) (*noResult, error) {
	if in.Enabled == nil {
		return nil, missing("enabled")
	}
	return nil, a.changeSet(ctx, t, in.ConfigurationSetName, func(o *configset.Options) error {
		o.ReputationMetrics = *in.Enabled
		return nil
	})
}

func (a *API) changeSet(ctx context.Context, t tenant.Tenant, name string, edit func(*configset.Options) error) error {
	return a.config.Sets.ChangeOptions(ctx, t, configset.Email, name, edit)
}
