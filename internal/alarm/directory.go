package alarm

import (
	"tidings/internal/configset"
	"tidings/internal/event"
	"tidings/internal/fanout"
	"tidings/internal/sink"
)

// subscriber is the one who gets alarms.
var subscriber = fanout.Subscriber{Tenant: owner, Scope: "alarm", Set: "tidings", Name: "operator"}

// Directory adds the operator, who wants alarms and nothing else, to those who want events.
type Directory struct {
	fanout.Directory             // of everybody else
	Target           sink.Target // of alarms; the zero Target = nobody wants them
}

// NewTarget returns the target that an operator names by its ARN.
func NewTarget(arn string) (sink.Target, error) {
	return sink.NewTarget(owner, configset.Destination{ARN: arn})
}

// Match appends those who want e to buf.
func (d Directory) Match(e *event.Event, buf []fanout.Subscriber) []fanout.Subscriber {
	if e.Type != event.AlarmRaised && e.Type != event.AlarmCleared {
		return d.Directory.Match(e, buf)
	}
	if d.Target == (sink.Target{}) {
		return buf
	}
	return append(buf, subscriber)
}

// Find returns what is behind the subscriber.
func (d Directory) Find(s fanout.Subscriber) (t sink.Target, enabled, ok bool) {
	if s != subscriber {
		return d.Directory.Find(s)
	}
	return d.Target, true, d.Target != (sink.Target{})
}
