package ses

import (
	"maps"
	"slices"
	"strings"

	"tidings/internal/event"
)

// eventTypes are the words of MatchingEventTypes.
// Source: SES API Reference, "EventDestination".
var eventTypes = map[string]event.Type{
	"send":             event.EmailSend,
	"reject":           event.EmailReject,
	"bounce":           event.EmailBounce,
	"complaint":        event.EmailComplaint,
	"delivery":         event.EmailDelivery,
	"open":             event.EmailOpen,
	"click":            event.EmailClick,
	"renderingFailure": event.EmailRenderingFailure,
}

// allEventTypes lists the words for error texts.
var allEventTypes = strings.Join(slices.Sorted(maps.Keys(eventTypes)), ", ")

// eventWords are the words by type.
var eventWords = func() map[event.Type]string {
	words := make(map[event.Type]string, len(eventTypes))
	for word, t := range eventTypes {
		words[t] = word
	}
	return words
}()

// EventType is the type that a word of MatchingEventTypes stands for. It fails with
// fault.Invalid if there is none.
func EventType(word string) (event.Type, error) {
	t, ok := eventTypes[word]
	if !ok {
		return "", invalid("%q is not an event type; the event types are %s.", shorten(word), allEventTypes)
	}
	return t, nil
}

// EventWord is the API's word for a type. A type it has no word for, which another API
// may have stored, is shown in our own spelling.
func EventWord(t event.Type) string {
	if word, ok := eventWords[t]; ok {
		return word
	}
	return string(t)
}

// Words of the API for the transport of mails. Source: SES API Reference, "DeliveryOptions".
const (
	tlsRequired = "Require"
	tlsOptional = "Optional"
)

// bounceTypes are the words of BounceType. Source: SES API Reference, "BouncedRecipientInfo".
var bounceTypes = []string{"DoesNotExist", "MessageTooLarge", "ExceededQuota", "ContentRejected", "Undefined", "TemporaryFailure"}

// actions are the words of Action. Source: SES API Reference, "RecipientDsnFields".
var actions = []string{"failed", "delayed", "delivered", "relayed", "expanded"}
