package pinpoint

import (
	"maps"
	"slices"
	"time"
)

// update is a change of one endpoint that was asked for.
type update struct {
	app     string
	id      string
	change  *EndpointChange
	request string // ID of the request, if the client gives none
	now     time.Time
}

// changes reports whether the change would make another endpoint of e, which is nil if it
// does not exist. A change that only repeats what is known changes nothing, whatever request
// it comes with: most requests do no more, and none of those touches the disk.
func (u *update) changes(e *Endpoint) bool {
	c := u.change
	if e == nil {
		return true
	}
	if c.empty() {
		return false
	}
	if c.EffectiveDate != nil {
		if at, ok := parseTime(*c.EffectiveDate); ok && !at.Equal(e.Effective) {
			return true
		}
	}
	return differs(c.Address, e.Address) || differs(c.ChannelType, e.Channel) ||
		valueOr(c.EndpointStatus, StatusActive) != e.Status || valueOr(c.OptOut, e.OptOut) != e.OptOut ||
		c.Demographic.differs(&e.Demographic) || c.Location.differs(&e.Location) || c.User.differs(&e.User) ||
		listsDiffer(c.Attributes, e.Attributes) || metricsDiffer(c.Metrics, e.Metrics)
}

// apply returns what e becomes, which shares nothing with e that could be changed. e may be
// nil.
func (u *update) apply(e *Endpoint) *Endpoint {
	c := u.change
	var n *Endpoint
	if e == nil {
		n = &Endpoint{App: u.app, ID: u.id, Created: u.now, OptOut: OptOutNone}
	} else {
		n = e.Clone()
	}
	n.Effective, n.Status = u.now, valueOr(c.EndpointStatus, StatusActive)
	if c.EffectiveDate != nil {
		if at, ok := parseTime(*c.EffectiveDate); ok {
			n.Effective = at
		}
	}
	n.Request = u.request
	if c.RequestID != nil && *c.RequestID != "" {
		n.Request = *c.RequestID
	}
	n.OptOut = valueOr(c.OptOut, n.OptOut)
	take(&n.Address, c.Address)
	take(&n.Channel, c.ChannelType)
	c.Demographic.into(&n.Demographic)
	c.Location.into(&n.Location)
	if c.User != nil {
		take(&n.UserID, c.User.UserID)
		n.UserAttributes = lay(c.User.UserAttributes, n.UserAttributes)
	}
	n.Attributes = lay(c.Attributes, n.Attributes)
	if len(c.Metrics) > 0 {
		if n.Metrics == nil {
			n.Metrics = make(map[string]float64, len(c.Metrics))
		}
		maps.Copy(n.Metrics, c.Metrics)
	}
	return n
}

func (d *Demographic) differs(from *Demographic) bool {
	return d != nil && (differs(d.AppVersion, from.AppVersion) || differs(d.Locale, from.Locale) ||
		differs(d.Make, from.Make) || differs(d.Model, from.Model) || differs(d.ModelVersion, from.ModelVersion) ||
		differs(d.Platform, from.Platform) || differs(d.PlatformVersion, from.PlatformVersion) || differs(d.Timezone, from.Timezone))
}

func (d *Demographic) into(to *Demographic) {
	if d == nil {
		return
	}
	take(&to.AppVersion, d.AppVersion)
	take(&to.Locale, d.Locale)
	take(&to.Make, d.Make)
	take(&to.Model, d.Model)
	take(&to.ModelVersion, d.ModelVersion)
	take(&to.Platform, d.Platform)
	take(&to.PlatformVersion, d.PlatformVersion)
	take(&to.Timezone, d.Timezone)
}

func (l *Location) differs(from *Location) bool {
	return l != nil && (differs(l.City, from.City) || differs(l.Country, from.Country) || differs(l.Latitude, from.Latitude) ||
		differs(l.Longitude, from.Longitude) || differs(l.PostalCode, from.PostalCode) || differs(l.Region, from.Region))
}

func (l *Location) into(to *Location) {
	if l == nil {
		return
	}
	take(&to.City, l.City)
	take(&to.Country, l.Country)
	take(&to.Latitude, l.Latitude)
	take(&to.Longitude, l.Longitude)
	take(&to.PostalCode, l.PostalCode)
	take(&to.Region, l.Region)
}

func (u *User) differs(from *User) bool {
	return u != nil && (differs(u.UserID, from.UserID) || listsDiffer(u.UserAttributes, from.UserAttributes))
}

// differs reports whether a value was given that is not the one there is.
func differs[T comparable](given, have *T) bool {
	return given != nil && (have == nil || *given != *have)
}

// take puts a value that was given in place of the one there is.
func take[T any](have **T, given *T) {
	if given != nil {
		*have = given
	}
}

func valueOr(given *string, otherwise string) string {
	if given == nil {
		return otherwise
	}
	return *given
}

// listsDiffer reports whether laying given over have changes it.
func listsDiffer(given, have map[string][]string) bool {
	for name, values := range given {
		if !slices.Equal(values, have[name]) {
			return true
		}
	}
	return false
}

func metricsDiffer(given, have map[string]float64) bool {
	for name, value := range given {
		if had, ok := have[name]; !ok || had != value {
			return true
		}
	}
	return false
}

// lay returns have with the lists that were given in place of those of the same names. An
// empty list leaves nothing of the name. have is changed.
// Source: Amazon Pinpoint API Reference, "Endpoint": values of a custom attribute that an
// update includes replace the existing values.
func lay(given, have map[string][]string) map[string][]string {
	if have == nil && len(given) > 0 {
		have = make(map[string][]string, len(given))
	}
	for name, values := range given {
		if len(values) == 0 {
			delete(have, name)
		} else {
			have[name] = slices.Clone(values)
		}
	}
	return have
}
