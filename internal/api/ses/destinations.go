package ses

import (
	"context"

	"tidings/internal/configset"
	"tidings/internal/fault"
	"tidings/internal/tenant"
)

const (
	createDestination = "CreateConfigurationSetEventDestination"
	updateDestination = "UpdateConfigurationSetEventDestination"
)

func (a *API) createDestination(ctx context.Context, t tenant.Tenant, in *destinationInput) (*empty, error) {
	d, err := in.EventDestination.domain()
	if err != nil {
		return nil, err
	}
	return nil, a.config.Sets.CreateDestination(ctx, t, configset.Email, in.ConfigurationSetName, d)
}

func (a *API) updateDestination(ctx context.Context, t tenant.Tenant, in *destinationInput) (*empty, error) {
	d, err := in.EventDestination.domain()
	if err != nil {
		return nil, err
	}
	return nil, a.config.Sets.UpdateDestination(ctx, t, configset.Email, in.ConfigurationSetName, d)
}

func (a *API) deleteDestination(ctx context.Context, t tenant.Tenant, in *deleteDestinationInput) (*empty, error) {
	if in.EventDestinationName == "" {
		return nil, missing("eventDestinationName")
	}
	return nil, a.config.Sets.DeleteDestination(ctx, t, configset.Email, in.ConfigurationSetName, in.EventDestinationName)
}

// domain is what the client wrote as an event destination. It fails with fault.Invalid if a member is missing, if it has no or
// several destinations, or names an event type that does not exist.
func (w *eventDestination) domain() (configset.EventDestination, error) {
	var d configset.EventDestination
	if w == nil {
		return d, missing("eventDestination")
	}
	if err := demand(
		member{"eventDestination.name", w.Name != ""}, member{"eventDestination.matchingEventTypes", len(w.MatchingEventTypes) > 0},
	); err != nil {
		return d, err
	}
	d.Name, d.Enabled = w.Name, w.Enabled
	for _, word := range w.MatchingEventTypes {
		t, err := EventType(word)
		if err != nil {
			return d, err
		}
		d.Types = append(d.Types, t)
	}
	given := w.destinations()
	if len(given) != 1 {
		return d, invalid("An event destination has exactly one of CloudWatchDestination, KinesisFirehoseDestination and SNSDestination, not %d.", len(given))
	}
	d.Destination = given[0]
	if c := w.CloudWatchDestination; c != nil {
		for _, one := range c.DimensionConfigurations {
			d.Dimensions = append(d.Dimensions, configset.Dimension{
				Name: one.DimensionName, Source: configset.DimensionSource(one.DimensionValueSource), Default: one.DefaultDimensionValue,
			})
		}
	}
	return d, nil
}

// destinations are those that the client gave.
func (w *eventDestination) destinations() []configset.Destination {
	var given []configset.Destination
	if w.CloudWatchDestination != nil {
		given = append(given, configset.Destination{Kind: configset.CloudWatch})
	}
	if f := w.KinesisFirehoseDestination; f != nil {
		given = append(given, configset.Destination{Kind: configset.KinesisFirehose, ARN: f.DeliveryStreamARN, Role: f.IAMRoleARN})
	}
	if s := w.SNSDestination; s != nil {
		given = append(given, configset.Destination{Kind: configset.SNS, ARN: s.TopicARN})
	}
	return given
}

// invalidDestination is the exception for a destination of the kind that the client gave.
// Source: SES API Reference, "CreateConfigurationSetEventDestination", Errors.
func (w *eventDestination) invalidDestination() (code string, ok bool) {
	if w == nil {
		return "", false
	}
	given := w.destinations()
	if len(given) != 1 {
		return "", false
	}
	switch given[0].Kind {
	case configset.CloudWatch:
		return "InvalidCloudWatchDestination", true
	case configset.KinesisFirehose:
		return "InvalidFirehoseDestination", true
	case configset.SNS:
		return "InvalidSNSDestination", true
	case configset.CloudWatchLogs, configset.KinesisStream, configset.Pinpoint: // requests of this API have none
	}
	return "", false
}

// wire is d as the API shows it, if it can. A destination of a kind that this API does not have, which another API has made, is not
// shown.
func wire(d configset.EventDestination) (w eventDestination, ok bool) {
	w = eventDestination{Name: d.Name, Enabled: d.Enabled, MatchingEventTypes: []string{}}
	for _, t := range d.Types {
		w.MatchingEventTypes = append(w.MatchingEventTypes, EventWord(t))
	}
	switch d.Destination.Kind {
	case configset.CloudWatch:
		w.CloudWatchDestination = &cloudWatchDestination{DimensionConfigurations: []dimension{}}
		for _, one := range d.Dimensions {
			w.CloudWatchDestination.DimensionConfigurations = append(w.CloudWatchDestination.DimensionConfigurations, dimension{
				DimensionName: one.Name, DimensionValueSource: string(one.Source), DefaultDimensionValue: one.Default,
			})
		}
	case configset.KinesisFirehose:
		w.KinesisFirehoseDestination = &kinesisFirehoseDestination{IAMRoleARN: d.Destination.Role, DeliveryStreamARN: d.Destination.ARN}
	case configset.SNS:
		w.SNSDestination = &snsDestination{TopicARN: d.Destination.ARN}
	case configset.CloudWatchLogs, configset.KinesisStream, configset.Pinpoint:
		return w, false
	}
	return w, true
}

// noDestination is the text for an event destination that does not exist. It names the set, as the service itself does.
func noDestination(set string) string { return "No EventDestination found for " + fault.Shorten(set) }
