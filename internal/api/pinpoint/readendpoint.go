package pinpoint

import (
	"strings"

	"tidings/internal/pinpoint"
)

// readEndpoint reads a PublicEndpoint, which looks like an EndpointRequest; nil = null.
func readEndpoint(r *reader) *pinpoint.EndpointChange {
	if r.null() {
		return nil
	}
	c := &pinpoint.EndpointChange{}
	for name := range r.object() {
		readEndpointMember(r, c, name)
	}
	return c
}

// readEndpoints reads an EndpointBatchRequest.
func readEndpoints(r *reader) []pinpoint.NamedChange {
	var all []pinpoint.NamedChange
	for name := range r.object() {
		if name != "Item" {
			r.skip()
			continue
		}
		all = nil
		if r.null() {
			continue
		}
		for range r.array() {
			all = append(all, readNamed(r))
		}
	}
	return all
}

// readNamed reads an EndpointBatchItem.
func readNamed(r *reader) pinpoint.NamedChange {
	var n pinpoint.NamedChange
	if r.null() {
		return n
	}
	for name := range r.object() {
		if name == "Id" {
			n.ID = strings.Clone(r.string())
		} else {
			readEndpointMember(r, &n.Change, name)
		}
	}
	return n
}

func readEndpointMember(r *reader, c *pinpoint.EndpointChange, name string) {
	switch name {
	case "Address":
		c.Address = r.kept()
	case "Attributes":
		c.Attributes = r.keptLists()
	case "ChannelType":
		c.ChannelType = r.kept()
	case "Demographic":
		c.Demographic = readDemographic(r)
	case "EffectiveDate":
		c.EffectiveDate = r.kept()
	case "EndpointStatus":
		c.EndpointStatus = r.kept()
	case "Location":
		c.Location = readLocation(r)
	case "Metrics":
		c.Metrics = r.keptNumbers()
	case "OptOut":
		c.OptOut = r.kept()
	case "RequestId":
		c.RequestID = r.kept()
	case "User":
		c.User = readUser(r)
	default:
		r.skip()
	}
}

func readDemographic(r *reader) *pinpoint.Demographic {
	if r.null() {
		return nil
	}
	d := &pinpoint.Demographic{}
	for name := range r.object() {
		switch name {
		case "AppVersion":
			d.AppVersion = r.kept()
		case "Locale":
			d.Locale = r.kept()
		case "Make":
			d.Make = r.kept()
		case "Model":
			d.Model = r.kept()
		case "ModelVersion":
			d.ModelVersion = r.kept()
		case "Platform":
			d.Platform = r.kept()
		case "PlatformVersion":
			d.PlatformVersion = r.kept()
		case "Timezone":
			d.Timezone = r.kept()
		default:
			r.skip()
		}
	}
	return d
}

func readLocation(r *reader) *pinpoint.Location {
	if r.null() {
		return nil
	}
	l := &pinpoint.Location{}
	for name := range r.object() {
		switch name {
		case "City":
			l.City = r.kept()
		case "Country":
			l.Country = r.kept()
		case "Latitude":
			l.Latitude = r.keptNumber()
		case "Longitude":
			l.Longitude = r.keptNumber()
		case "PostalCode":
			l.PostalCode = r.kept()
		case "Region":
			l.Region = r.kept()
		default:
			r.skip()
		}
	}
	return l
}

func readUser(r *reader) *pinpoint.User {
	if r.null() {
		return nil
	}
	u := &pinpoint.User{}
	for name := range r.object() {
		switch name {
		case "UserAttributes":
			u.UserAttributes = r.keptLists()
		case "UserId":
			u.UserID = r.kept()
		default:
			r.skip()
		}
	}
	return u
}

// kept reads a string that outlives the request; nil = null.
func (r *reader) kept() *string {
	if r.null() {
		return nil
	}
	return new(strings.Clone(r.string()))
}

func (r *reader) keptNumber() *float64 {
	if r.null() {
		return nil
	}
	return new(r.number())
}

func (r *reader) keptNumbers() map[string]float64 {
	if r.null() {
		return nil
	}
	m := map[string]float64{}
	for key := range r.object() {
		if r.null() {
			delete(m, key)
		} else {
			m[strings.Clone(key)] = r.number()
		}
	}
	return m
}

// keptLists reads a map of lists of strings.
func (r *reader) keptLists() map[string][]string {
	if r.null() {
		return nil
	}
	m := map[string][]string{}
	for key := range r.object() {
		if r.null() {
			delete(m, key)
			continue
		}
		list := []string{}
		for range r.array() {
			list = append(list, strings.Clone(r.string()))
		}
		m[strings.Clone(key)] = list
	}
	return m
}
