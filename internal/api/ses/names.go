package ses

import (
	"tidings/internal/awsapi"
	"tidings/internal/event"
)

// eventTypes are the words of MatchingEventTypes.
// Source: SES API Reference, "EventDestination".
var eventTypes = awsapi.Words[event.Type]{One: "an event type", All: "the event types", Of: map[string]event.Type{
	"send":             event.EmailSend,
	"reject":           event.EmailReject,
	"bounce":           event.EmailBounce,
	"complaint":        event.EmailComplaint,
	"delivery":         event.EmailDelivery,
	"open":             event.EmailOpen,
	"click":            event.EmailClick,
	"renderingFailure": event.EmailRenderingFailure,
}}

// EventType is the type that a word of MatchingEventTypes stands for. It fails with
// fault.Invalid if there is none.
func EventType(word string) (event.Type, error) { return eventTypes.Read("", word) }

// EventWord is the API's word for a type. A type it has no word for, which another API
// may have stored, is shown in our own spelling.
func EventWord(t event.Type) string { return eventTypes.Word(t, string(t)) }

// Words of the API for the transport of mails. Source: SES API Reference, "DeliveryOptions".
const (
	tlsRequired = "Require"
	tlsOptional = "Optional"
)

// bounceTypes are the words of BounceType. Source: SES API Reference, "BouncedRecipientInfo".
var bounceTypes = []string{"DoesNotExist", "MessageTooLarge", "ExceededQuota", "ContentRejected", "Undefined", "TemporaryFailure"}

// actions are the words of Action. Source: SES API Reference, "RecipientDsnFields".
var actions = []string{"failed", "delayed", "delivered", "relayed", "expanded"}
