package sink

import (
	"fmt"
	"strings"

	"tidings/internal/arn"
)

// Template is a name with places for parts of an ARN: {service}, {region}, {account} and
// {name}. The zero value is the empty name.
type Template struct{ pieces []piece }

// piece is either text or a place.
type piece struct {
	text  string
	place string // "" = text
}

// ParseTemplate reads a name such as "calls.{account}.{name}".
func ParseTemplate(text string) (Template, error) {
	var t Template
	for text != "" {
		before, rest, open := strings.Cut(text, "{")
		if strings.Contains(before, "}") {
			return Template{}, fmt.Errorf("there is a } without {")
		}
		if before != "" {
			t.pieces = append(t.pieces, piece{text: before})
		}
		if !open {
			break
		}
		place, behind, closed := strings.Cut(rest, "}")
		switch place {
		case "service", "region", "account", "name":
		default:
			closed = false
		}
		if !closed {
			return Template{}, fmt.Errorf("{%.20s is no placeholder: there are {service}, {region}, {account} and {name}", place)
		}
		t.pieces = append(t.pieces, piece{place: place})
		text = behind
	}
	return t, nil
}

// Expand puts the parts of an ARN into their places. Each passes through escape, which
// makes of it what may stand there.
func (t Template) Expand(a arn.ARN, escape func(string) string) (string, error) {
	var b strings.Builder
	for _, p := range t.pieces {
		if p.place == "" {
			b.WriteString(p.text)
			continue
		}
		value := map[string]string{"service": a.Service, "region": a.Region, "account": a.Account, "name": ResourceName(a)}[p.place]
		if value == "" {
			return "", fmt.Errorf("the ARN has nothing for {%s}", p.place)
		}
		b.WriteString(escape(value))
	}
	return b.String(), nil
}

// ResourceName is the part of the ARN's resource that tells one destination from another: the
// {name} of templates.
func ResourceName(a arn.ARN) string {
	switch a.Service {
	case "logs":
		return strings.TrimSuffix(strings.TrimPrefix(a.Resource, "log-group:"), ":*")
	case "firehose":
		return strings.TrimPrefix(a.Resource, "deliverystream/")
	case "kinesis":
		return strings.TrimPrefix(a.Resource, "stream/")
	}
	return a.Resource
}
