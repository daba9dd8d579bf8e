package emailrest

import (
	"tidings/internal/awsapi"
	"tidings/internal/configset"
	"tidings/internal/event"
)

// eventTypes are the words of MatchingEventTypes.
// Source: Pinpoint Email API Reference and SES API v2 Reference, "EventDestinationDefinition".
var eventTypes = awsapi.Words[event.Type]{One: "an event type", Of: map[string]event.Type{
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
var dimensionSources = awsapi.Words[configset.DimensionSource]{One: "a source of a dimension's value", Of: map[string]configset.DimensionSource{
	"MESSAGE_TAG":  configset.MessageTag,
	"EMAIL_HEADER": configset.EmailHeader,
	"LINK_TAG":     configset.LinkTag,
}}

// tlsPolicies are the words of TlsPolicy: whether TLS is required.
var tlsPolicies = awsapi.Words[bool]{One: "a TLS policy", Of: map[string]bool{"REQUIRE": true, "OPTIONAL": false, "": false}}

// httpsPolicies are the words of HttpsPolicy.
var httpsPolicies = awsapi.Words[string]{One: "an HTTPS policy", Of: map[string]string{
	"REQUIRE": "REQUIRE", "REQUIRE_OPEN_ONLY": "REQUIRE_OPEN_ONLY", "OPTIONAL": "OPTIONAL", "": "",
}}

// features are the words for what is on or off.
var features = awsapi.Words[bool]{One: "a state of a feature", Of: map[string]bool{"ENABLED": true, "DISABLED": false, "": false}}
