package pinpoint

import (
	"context"
	"fmt"
	"strings"
	"time"

	"tidings/internal/configset"
	"tidings/internal/event"
	"tidings/internal/fault"
	"tidings/internal/tenant"
)

// streamName is the name of the one event destination that an app's set has.
const streamName = "event-stream"

// PutStream makes the app's event stream, or replaces it: the events of the app go to the
// Kinesis stream or Firehose delivery stream of that ARN. by is who asks for it, as the
// client will see it.
//
// Unless NoTestEvent is set, an event _test.event_stream is published to the new stream.
func (s *Service) PutStream(ctx context.Context, t tenant.Tenant, app, streamARN, role, by string) (*Stream, error) {
	gate := s.gate(app)
	gate.Lock()
	defer gate.Unlock()
	stream := Stream{ARN: streamARN, Role: role, Modified: s.now(), By: by}
	a, err := s.putStream(ctx, t, app, stream)
	if err != nil {
		return nil, err
	}
	if !s.NoTestEvent {
		if err := s.Publisher.Publish(ctx, testEvent(a, newID(), stream.Modified)); err != nil {
			return nil, fmt.Errorf("publish the test event of app %s: %w", app, err)
		}
	}
	return &stream, nil
}

// putStream stores the stream and returns its app as it was before. The caller has the gate.
func (s *Service) putStream(ctx context.Context, t tenant.Tenant, app string, stream Stream) (*App, error) {
	a, err := s.app(t, app)
	if err != nil {
		return nil, err
	}
	kind, err := kindOf(stream.ARN)
	if err != nil {
		return nil, err
	}
	if err := s.room(); err != nil {
		return nil, err
	}
	d := configset.EventDestination{
		Name: streamName, Enabled: true, Types: []event.Type{event.AppEvent},
		Destination: configset.Destination{Kind: kind, ARN: stream.ARN, Role: stream.Role},
	}
	if err := s.putDestination(ctx, t, app, d); err != nil {
		return nil, fmt.Errorf("put the event stream of app %s: %w", app, err)
	}
	return a, s.edit(ctx, a, func(a *App) error {
		a.StreamModified, a.StreamBy = stream.Modified, stream.By
		return nil
	})
}

// putDestination makes d the app's only event destination. The caller has the gate.
func (s *Service) putDestination(ctx context.Context, t tenant.Tenant, app string, d configset.EventDestination) error {
	err := s.streams.UpdateDestination(ctx, t, configset.App, app, d)
	if !fault.Is(err, fault.NotFound) {
		return err
	}
	if err := s.streams.Create(ctx, t, configset.App, app); err != nil && !fault.Is(err, fault.Exists) {
		return err
	}
	return s.streams.CreateDestination(ctx, t, configset.App, app, d)
}

// Stream returns the app's event stream.
func (s *Service) Stream(ctx context.Context, t tenant.Tenant, app string) (*Stream, error) {
	s.prepare()
	a, err := s.app(t, app)
	if err != nil {
		return nil, err
	}
	destinations, err := s.streams.Destinations(ctx, t, configset.App, app)
	if fault.Is(err, fault.NotFound) || err == nil && len(destinations) == 0 {
		return nil, notFound(fault.EventStream)
	}
	if err != nil {
		return nil, err
	}
	d := destinations[0].Destination
	return &Stream{ARN: d.ARN, Role: d.Role, Modified: a.streamModified(), By: a.StreamBy}, nil
}

// streamModified is when the event stream was put. After a crash between the stream and
// the note of its time, the app's own time stands in.
func (a *App) streamModified() time.Time {
	if a.StreamModified.IsZero() {
		return a.Created
	}
	return a.StreamModified
}

// DeleteStream removes the app's event stream and returns what it was. What is still on its
// way to it is dropped.
func (s *Service) DeleteStream(ctx context.Context, t tenant.Tenant, app string) (*Stream, error) {
	gate := s.gate(app)
	gate.Lock()
	defer gate.Unlock()
	stream, err := s.Stream(ctx, t, app)
	if err != nil {
		return nil, err
	}
	if err := s.streams.Delete(ctx, t, configset.App, app); err != nil {
		return nil, fmt.Errorf("delete the event stream of app %s: %w", app, err)
	}
	return stream, nil
}

// kindOf finds out what sort of stream the ARN names. Whether it is well-formed, the rules
// of event destinations say.
// Source: Amazon Pinpoint API Reference, "Event Stream", DestinationStreamArn.
func kindOf(streamARN string) (configset.Kind, error) {
	parts := strings.SplitN(streamARN, ":", 4)
	switch {
	case streamARN == "":
		return "", fault.New(fault.Invalid, fault.EventStream, "DestinationStreamArn is missing.")
	case len(parts) == 4 && parts[2] == "kinesis":
		return configset.KinesisStream, nil
	case len(parts) == 4 && parts[2] == "firehose":
		return configset.KinesisFirehose, nil
	}
	return "", fault.New(fault.Invalid, fault.EventStream,
		"DestinationStreamArn must have the form arn:aws:kinesis:REGION:ACCOUNT:stream/NAME or arn:aws:firehose:REGION:ACCOUNT:deliverystream/NAME, not %q.", shorten(streamARN))
}
