package pinpoint

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// The limits of one endpoint, lengths in characters.
// Source: Amazon Pinpoint Developer Guide, "Amazon Pinpoint quotas", Endpoint quotas.
const (
	maxEndpointBytes   = 15 << 10 // of its JSON
	maxEndpointKeys    = 250      // attributes, metrics and user attributes together
	maxEndpointKey     = 50       // the name of one
	maxEndpointValue   = 100      // a value of an attribute
	maxEndpointValues  = 50       // values of one attribute
	maxEndpointsInCall = 100      // endpoints in a batch
)

// maxEndpointIDLength bounds the ID of an endpoint in bytes. It is ours: an ID is a partition
// key of Kinesis, which has up to 256 characters, and part of keys of the store.
const maxEndpointIDLength = 256

// checkEndpointID returns what is wrong with the ID as a sentence for the client, or "".
// Source: Amazon Pinpoint API Reference, "Endpoint": the ID cannot contain $, { or }.
func checkEndpointID(id string) string {
	switch {
	case id == "":
		return "The endpoint ID is missing."
	case len(id) > maxEndpointIDLength:
		return say("An endpoint ID has at most %d bytes, this one has %d.", maxEndpointIDLength, len(id))
	case strings.ContainsAny(id, "${}"):
		return say("The endpoint ID %q contains one of $, { and }, which are not allowed.", shorten(id))
	case !utf8.ValidString(id):
		return "The endpoint ID is not valid UTF-8."
	}
	return ""
}

// check returns what is wrong with the change as a sentence for the client, or "". What can
// only be told of the endpoint as a whole, checkWhole tells.
func (c *EndpointChange) check() string {
	if c.ChannelType != nil && !slices.Contains(Channels, *c.ChannelType) {
		return say("ChannelType must be one of %s, not %q.", strings.Join(Channels, ", "), shorten(*c.ChannelType))
	}
	if v := c.EndpointStatus; v != nil && *v != StatusActive && *v != StatusInactive {
		return say("EndpointStatus must be %s or %s, not %q.", StatusActive, StatusInactive, shorten(*v))
	}
	if v := c.OptOut; v != nil && *v != OptOutAll && *v != OptOutNone {
		return say("OptOut must be %s or %s, not %q.", OptOutAll, OptOutNone, shorten(*v))
	}
	if c.EffectiveDate != nil && *c.EffectiveDate != "" {
		if _, ok := parseTime(*c.EffectiveDate); !ok {
			return say("EffectiveDate must be a date and time of ISO 8601, such as 2026-01-01T00:00:00.000Z, not %q.", shorten(*c.EffectiveDate))
		}
	}
	if text := checkLists("Attributes", c.Attributes); text != "" {
		return text
	}
	if c.User != nil {
		if text := checkLists("UserAttributes", c.User.UserAttributes); text != "" {
			return text
		}
		if id := c.User.UserID; id != nil && len(*id) > maxUserIDLength {
			return say("UserId has at most %d bytes, this one has %d.", maxUserIDLength, len(*id))
		}
	}
	for key, value := range c.Metrics {
		if n := utf8.RuneCountInString(key); n < 1 || n > maxEndpointKey {
			return say("The name of a metric of an endpoint has 1 to %d characters, not %d.", maxEndpointKey, n)
		}
		if !isNumber(value) {
			return say("The metric %q of the endpoint is no number.", shorten(key))
		}
	}
	if c.Address != nil && len(*c.Address) > maxAddressLength {
		return say("Address has at most %d bytes, this one has %d.", maxAddressLength, len(*c.Address))
	}
	if l := c.Location; l != nil && (l.Latitude != nil && !isNumber(*l.Latitude) || l.Longitude != nil && !isNumber(*l.Longitude)) {
		return "Latitude and Longitude must be numbers."
	}
	return ""
}

// maxUserIDLength and maxAddressLength bound keys of the store in bytes. They are ours.
const (
	maxUserIDLength  = 1024
	maxAddressLength = 8 << 10
)

func checkLists(member string, lists map[string][]string) string {
	for name, values := range lists {
		if n := utf8.RuneCountInString(name); n < 1 || n > maxEndpointKey {
			return say("A name within %s has 1 to %d characters, not %d.", member, maxEndpointKey, n)
		}
		if len(values) > maxEndpointValues {
			return say("%q of %s has %d values. At most %d are allowed.", shorten(name), member, len(values), maxEndpointValues)
		}
		for _, v := range values {
			if n := utf8.RuneCountInString(v); n > maxEndpointValue {
				return say("A value of %q of %s has %d characters. At most %d are allowed.", shorten(name), member, n, maxEndpointValue)
			}
		}
	}
	return ""
}

// empty reports whether nothing is said.
func (c *EndpointChange) empty() bool {
	return c.Address == nil && c.Attributes == nil && c.ChannelType == nil && c.Demographic == nil && c.EffectiveDate == nil &&
		c.EndpointStatus == nil && c.Location == nil && c.Metrics == nil && c.OptOut == nil && c.RequestID == nil && c.User == nil
}

// checkWhole returns what is wrong with the endpoint as a whole, or "".
func (e *Endpoint) checkWhole() string {
	if n := len(e.Attributes) + len(e.Metrics) + len(e.UserAttributes); n > maxEndpointKeys {
		return say("The endpoint would have %d attributes, metrics and user attributes together. At most %d are allowed.", n, maxEndpointKeys)
	}
	if n := len(e.fragments().endpoint); n > maxEndpointBytes {
		return say("The endpoint would have %d bytes. At most %d are allowed.", n, maxEndpointBytes)
	}
	return ""
}
