package smsvoice

import (
	"context"

	"tidings/internal/configset"
	"tidings/internal/fault"
	"tidings/internal/tenant"
)

func (a *API) createDestination(ctx context.Context, t tenant.Tenant, in *createDestinationInput) (*empty, error) {
	d, err := in.EventDestination.domain(in.EventDestinationName)
	if err != nil {
		return nil, err
	}
	return nil, a.config.Sets.CreateDestination(ctx, t, configset.Voice, in.ConfigurationSetName, d)
}

func (a *API) getDestinations(ctx context.Context, t tenant.Tenant, in *setInput) (*destinationsOutput, error) {
	found, err := a.config.Sets.Destinations(ctx, t, configset.Voice, in.ConfigurationSetName)
	if err != nil {
		return nil, err
	}
	out := &destinationsOutput{EventDestinations: []eventDestination{}}
	for _, d := range found {
		out.EventDestinations = append(out.EventDestinations, wire(d))
	}
	return out, nil
}

func (a *API) updateDestination(ctx context.Context, t tenant.Tenant, in *updateDestinationInput) (*empty, error) {
	d, err := in.EventDestination.domain(in.EventDestinationName)
	if err != nil {
		return nil, err
	}
	return nil, a.config.Sets.UpdateDestination(ctx, t, configset.Voice, in.ConfigurationSetName, d)
}

func (a *API) deleteDestination(ctx context.Context, t tenant.Tenant, in *destinationInput) (*empty, error) {
	return nil, a.config.Sets.DeleteDestination(ctx, t, configset.Voice, in.ConfigurationSetName, in.EventDestinationName)
}

// domain is the definition as an event destination of that name. It fails with
// fault.Invalid if the definition is absent, has no or several destinations, or names an
// event type that does not exist.
func (w *eventDestinationDefinition) domain(name string) (configset.EventDestination, error) {
	d := configset.EventDestination{Name: name}
	if w == nil {
		return d, invalidDestination("EventDestination is missing.")
	}
	d.Enabled = w.Enabled
	for _, word := range w.MatchingEventTypes {
		t, err := EventType(word)
		if err != nil {
			return d, err
		}
		d.Types = append(d.Types, t)
	}
	var given []configset.Destination
	if l := w.CloudWatchLogsDestination; l != nil {
		given = append(given, configset.Destination{Kind: configset.CloudWatchLogs, ARN: l.LogGroupArn, Role: l.IamRoleArn})
	}
	if f := w.KinesisFirehoseDestination; f != nil {
		given = append(given, configset.Destination{Kind: configset.KinesisFirehose, ARN: f.DeliveryStreamArn, Role: f.IamRoleArn})
	}
	if s := w.SnsDestination; s != nil {
		given = append(given, configset.Destination{Kind: configset.SNS, ARN: s.TopicArn})
	}
	if len(given) != 1 {
		return d, invalidDestination("Exactly one destination must be specified.")
	}
	d.Destination = given[0]
	return d, nil
}

// wire is d as the API shows it.
func wire(d configset.EventDestination) eventDestination {
	w := eventDestination{Name: d.Name}
	w.Enabled = d.Enabled
	w.MatchingEventTypes = []string{}
	for _, t := range d.Types {
		w.MatchingEventTypes = append(w.MatchingEventTypes, EventWord(t))
	}
	switch d.Destination.Kind {
	case configset.CloudWatchLogs:
		w.CloudWatchLogsDestination = &cloudWatchLogsDestination{IamRoleArn: d.Destination.Role, LogGroupArn: d.Destination.ARN}
	case configset.KinesisFirehose:
		w.KinesisFirehoseDestination = &kinesisFirehoseDestination{IamRoleArn: d.Destination.Role, DeliveryStreamArn: d.Destination.ARN}
	case configset.SNS:
		w.SnsDestination = &snsDestination{TopicArn: d.Destination.ARN}
	case configset.KinesisStream, configset.CloudWatch, configset.Pinpoint: // sets of this API have none
	}
	return w
}

func invalidDestination(format string, args ...any) error {
	return fault.New(fault.Invalid, fault.EventDestination, format, args...)
}
