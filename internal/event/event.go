// Package event holds what every room knows of an event: its identity, its type and its
// record as bytes. Who wants an event and how it travels is not known here.
package event

import (
	"strings"
	"time"

	"tidings/internal/tenant"
)

// Type is what happened, in our own spelling: channel, dot, word. Each API family has one
// table from its own spelling ("ANSWERED", "send", "SEND") to these.
type Type string

// The types of the voice channel.
const (
	VoiceInitiated Type = "voice.initiated" // the call is about to be placed
	VoiceRinging   Type = "voice.ringing"   // the phone rings
	VoiceAnswered  Type = "voice.answered"  // somebody, or a machine, has answered
	VoiceCompleted Type = "voice.completed" // the message was spoken to whoever answered
	VoiceBusy      Type = "voice.busy"      // the line was busy
	VoiceFailed    Type = "voice.failed"    // the call could not be placed or broke down
	VoiceNoAnswer  Type = "voice.no_answer" // nobody answered
)

// The types of the e-mail channel.
const (
	EmailSend             Type = "email.send"              // the message was accepted and will be delivered
	EmailReject           Type = "email.reject"            // the message was accepted and then not sent, for what it contains
	EmailBounce           Type = "email.bounce"            // the recipient's server refused the message for good
	EmailComplaint        Type = "email.complaint"         // the recipient called the message spam
	EmailDelivery         Type = "email.delivery"          // the recipient's server took the message
	EmailOpen             Type = "email.open"              // the recipient opened the message
	EmailClick            Type = "email.click"             // the recipient followed a link of the message
	EmailRenderingFailure Type = "email.rendering_failure" // the message could not be made from its template
)

// EmailValidation tells a topic, once, that events of e-mail will come: SES sends it when a topic becomes a destination.
// No event destination names this type; the event has a Destination instead.
const EmailValidation Type = "email.validation"

// The type of what an app's clients report. What it is to the app stands in the record.
const AppEvent Type = "app.event"

// The types of alarms, which go to the operator.
const (
	AlarmRaised  Type = "alarm.raised"
	AlarmCleared Type = "alarm.cleared"
)

// Channel is the part of the type before the dot: "voice", "email", "app".
func (t Type) Channel() string {
	channel, _, _ := strings.Cut(string(t), ".")
	return channel
}

// Event is one thing that happened to a message, or in an app. An event is never changed after it was
// made: a retry sends the same ID and the same bytes.
type Event struct {
	ID      string        // unique and stable: message ID, slash, word; a duplicate has the same
	Type    Type          // what happened
	Time    time.Time     // when, UTC, in milliseconds
	Tenant  tenant.Tenant // whose event it is
	Set     string        // the configuration set the message named; "" = none, so nobody receives the event
	Message string        // ID of the message, or of the request that brought the event
	Key     string        // events with the same key belong in one partition, in order; "" = Message is the key
	Record  []byte        // the JSON value that AWS would send, made once, at the source
	// Destination is the name of the only event destination of Set that receives the event, whatever types it wants;
	// "" = all that want its Type.
	Destination string
}

// Partition returns what partitioned logs, such as Kinesis and Kafka, keep the event's order by.
func (e *Event) Partition() string {
	if e.Key != "" {
		return e.Key
	}
	return e.Message
}
