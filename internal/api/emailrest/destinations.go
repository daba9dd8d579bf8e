package emailrest

import (
	"context"
	"regexp"
	"slices"

	"tidings/internal/configset"
	"tidings/internal/fault"
	"tidings/internal/tenant"
)

func (a *API) createDestination(ctx context.Context, t tenant.Tenant, in *createDestinationInput) (*empty, error) {
	d, err := a.destination(in.EventDestinationName, in.EventDestination)
	if err != nil {
		return nil, err
	}
	return nil, a.config.Sets.CreateDestination(ctx, t, configset.Email, in.ConfigurationSetName, d)
}

func (a *API) getDestinations(ctx context.Context, t tenant.Tenant, in *setInput) (*destinationsOutput, error) {
	found, err := a.config.Sets.Destinations(ctx, t, configset.Email, in.ConfigurationSetName)
	if err != nil {
		return nil, err
	}
	out := &destinationsOutput{EventDestinations: []eventDestination{}}
	for _, d := range found {
		out.EventDestinations = append(out.EventDestinations, wireDestination(d))
	}
	return out, nil
}

func (a *API) updateDestination(ctx context.Context, t tenant.Tenant, in *updateDestinationInput) (*empty, error) {
	d, err := a.destination(in.EventDestinationName, in.EventDestination)
	if err != nil {
		return nil, err
	}
	return nil, a.config.Sets.UpdateDestination(ctx, t, configset.Email, in.ConfigurationSetName, d)
}

func (a *API) deleteDestination(ctx context.Context, t tenant.Tenant, in *destinationInput) (*empty, error) {
	return nil, a.config.Sets.DeleteDestination(ctx, t, configset.Email, in.ConfigurationSetName, in.EventDestinationName)
}

// destination is a definition as an event destination of that name. It fails with
// fault.Invalid if the definition is absent, has no or several destinations, or uses a word
// that does not exist.
func (a *API) destination(name string, w *eventDestinationDefinition) (configset.EventDestination, error) {
	d := configset.EventDestination{Name: name}
	if w == nil {
		return d, invalidDestination("EventDestination is missing.")
	}
	if w.EventBridgeDestination != nil && a.v2 {
		return d, invalidDestination("This server publishes no events to EventBridge: give an SnsDestination, a KinesisFirehoseDestination, a CloudWatchDestination or a PinpointDestination.")
	}
	d.Enabled = w.Enabled
	for _, word := range w.MatchingEventTypes {
		if a.v2 && slices.Contains(neverHappens, word) {
			return d, invalidDestination("This server has no events of the type %s: leave it out of MatchingEventTypes.", word)
		}
		t, err := eventTypes.Read(fault.EventDestination, word)
		if err != nil {
			return d, err
		}
		d.Types = append(d.Types, t)
	}
	given := w.given()
	if len(given) != 1 {
		return d, invalidDestination("Exactly one destination must be specified.")
	}
	d.Destination = given[0]
	if d.Destination.Kind != configset.CloudWatch {
		return d, nil
	}
	var err error
	d.Dimensions, err = a.dimensions(w.CloudWatchDestination.DimensionConfigurations)
	return d, err
}

// given are the destinations that a definition has.
func (w *eventDestinationDefinition) given() []configset.Destination {
	var given []configset.Destination
	if w.CloudWatchDestination != nil {
		given = append(given, configset.Destination{Kind: configset.CloudWatch})
	}
	if f := w.KinesisFirehoseDestination; f != nil {
		given = append(given, configset.Destination{Kind: configset.KinesisFirehose, ARN: f.DeliveryStreamArn, Role: f.IamRoleArn})
	}
	if p := w.PinpointDestination; p != nil {
		given = append(given, configset.Destination{Kind: configset.Pinpoint, ARN: p.ApplicationArn})
	}
	if s := w.SnsDestination; s != nil {
		given = append(given, configset.Destination{Kind: configset.SNS, ARN: s.TopicArn})
	}
	return given
}

// pinpointDimension is what Pinpoint Email allows for names and default values of dimensions,
// which is less than SES does.
// Source: Pinpoint Email API Reference, "CloudWatchDimensionConfiguration".
var pinpointDimension = regexp.MustCompile(`^[A-Za-z0-9_-]{1,256}$`)

func (a *API) dimensions(all []dimension) ([]configset.Dimension, error) {
	dimensions := make([]configset.Dimension, 0, len(all))
	for _, w := range all {
		source, err := dimensionSources.Read(fault.EventDestination, w.DimensionValueSource)
		if err != nil {
			return nil, err
		}
		if !a.v2 && (!pinpointDimension.MatchString(w.DimensionName) || !pinpointDimension.MatchString(w.DefaultDimensionValue)) {
			return nil, invalidDestination("The name and the default value of a dimension must be 1 to 256 letters, digits, hyphens and underscores, not %q and %q.",
				fault.Shorten(w.DimensionName), fault.Shorten(w.DefaultDimensionValue))
		}
		dimensions = append(dimensions, configset.Dimension{Name: w.DimensionName, Source: source, Default: w.DefaultDimensionValue})
	}
	return dimensions, nil
}

// wireDestination is d as the APIs show it. What another API has stored, and these have no
// word for, is shown as it is.
func wireDestination(d configset.EventDestination) eventDestination {
	w := eventDestination{Name: d.Name}
	w.Enabled = d.Enabled
	w.MatchingEventTypes = []string{}
	for _, t := range d.Types {
		w.MatchingEventTypes = append(w.MatchingEventTypes, eventTypes.Word(t, string(t)))
	}
	switch d.Destination.Kind {
	case configset.CloudWatch:
		w.CloudWatchDestination = &cloudWatchDestination{DimensionConfigurations: []dimension{}}
		for _, one := range d.Dimensions {
			w.CloudWatchDestination.DimensionConfigurations = append(w.CloudWatchDestination.DimensionConfigurations, dimension{
				DimensionName: one.Name, DimensionValueSource: dimensionSources.Word(one.Source, string(one.Source)), DefaultDimensionValue: one.Default,
			})
		}
	case configset.KinesisFirehose:
		w.KinesisFirehoseDestination = &kinesisFirehoseDestination{IamRoleArn: d.Destination.Role, DeliveryStreamArn: d.Destination.ARN}
	case configset.Pinpoint:
		w.PinpointDestination = &pinpointDestination{ApplicationArn: d.Destination.ARN}
	case configset.SNS:
		w.SnsDestination = &snsDestination{TopicArn: d.Destination.ARN}
	case configset.CloudWatchLogs, configset.KinesisStream: // sets of e-mail have none
	}
	return w
}

func invalidDestination(format string, args ...any) error {
	return fault.New(fault.Invalid, fault.EventDestination, format, args...)
}
