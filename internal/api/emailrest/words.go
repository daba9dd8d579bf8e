package emailrest

import (
	"maps"
	"slices"
	"strings"

	"tidings/internal/configset"
	"tidings/internal/event"
	"tidings/internal/fault"
)

// words is a list of words of the API and what each stands for.
type words[T comparable] struct {
	what string // how error texts call such a word: "an event type"
	of   map[string]T
}

// read is what a word stands for. It fails with fault.Invalid if there is no such word.
func (w words[T]) read(resource, word string) (T, error) {
	v, ok := w.of[word]
	if ok {
		return v, nil
	}
	all := slices.DeleteFunc(slices.Sorted(maps.Keys(w.of)), func(word string) bool { return word == "" }) // "" is like none
	return v, fault.New(fault.Invalid, resource, "%q is not %s; the words are %s.", shorten(word), w.what, strings.Join(all, ", "))
}

// word is the word for v, or other if the API has none.
func (w words[T]) word(v T, other string) string {
	for word, stands := range w.of {
		if stands == v {
			return word
		}
	}
	return other
}

// eventTypes are the words of MatchingEventTypes.
// Source: Pinpoint Email API Reference and SES API v2 Reference, "EventDestinationDefinition".
var eventTypes = words[event.Type]{"an event type", map[string]event.Type{
	"SEND":              event.EmailSend,
	"REJECT":            event.EmailReject,
	"BOUNCE":            event.EmailBounce,
	"COMPLAINT":         event.EmailComplaint,
	"DELIVERY":          event.EmailDelivery,
	"OPEN":              event.EmailOpen,
	"CLICK":             event.EmailClick,
	"RENDERING_FAILURE": event.EmailRenderingFailure,
}}

// neverHappens are event types of the API v2 that this server has no events of.
var neverHappens = []string{"DELIVERY_DELAY", "SUBSCRIPTION"}

// dimensionSources are the words of DimensionValueSource.
var dimensionSources = words[configset.DimensionSource]{"a source of a dimension's value", map[string]configset.DimensionSource{
	"MESSAGE_TAG":  configset.MessageTag,
	"EMAIL_HEADER": configset.EmailHeader,
	"LINK_TAG":     configset.LinkTag,
}}

// tlsPolicies are the words of TlsPolicy: whether TLS is required.
var tlsPolicies = words[bool]{"a TLS policy", map[string]bool{"REQUIRE": true, "OPTIONAL": false, "": false}}

// httpsPolicies are the words of HttpsPolicy.
var httpsPolicies = words[string]{"an HTTPS policy", map[string]string{
	"REQUIRE": "REQUIRE", "REQUIRE_OPEN_ONLY": "REQUIRE_OPEN_ONLY", "OPTIONAL": "OPTIONAL", "": "",
}}

// features are the words for what is on or off.
var features = words[bool]{"a state of a feature", map[string]bool{"ENABLED": true, "DISABLED": false, "": false}}

// shorten keeps what a client sent from filling an error text.
func shorten(s string) string {
	const limit = 64
	runes := []rune(s)
	if len(runes) <= limit {
		return s
	}
	return string(runes[:limit]) + "…"
}
