// Package awscli reads and prints what the AWS CLI prints of apps, event streams,
// configuration sets and event destinations: the form in which people have saved them, and
// in which they can be taken elsewhere.
//
// It knows the forms and none of the rules: what it has read may still be refused by the
// features that it is for.
package awscli

import (
	"time"

	"tidings/internal/configset"
)

// Service is what is saved together.
type Service string

// The services.
const (
	Pinpoint Service = "pinpoint"  // apps and event streams, of aws pinpoint
	SMSVoice Service = "sms-voice" // configuration sets and event destinations, of aws pinpoint-sms-voice
	SES      Service = "ses"       // configuration sets and event destinations, of aws ses
)

// Batch is what a service has. Its JSON is ours and not that of the AWS CLI, which Print
// writes.
type Batch struct {
	Service Service  `json:"service"`
	Apps    []App    `json:"apps,omitempty"`
	Streams []Stream `json:"streams,omitempty"`
	Sets    []Set    `json:"sets,omitempty"`
}

// Owner is an account in a region.
type Owner struct {
	Account string `json:"account"`
	Region  string `json:"region"`
}

// App is an app of Pinpoint.
type App struct {
	Owner

	ARN     string            `json:"arn,omitempty"` // for printing; reading turns it into the Owner
	ID      string            `json:"id"`
	Name    string            `json:"name"`
	Tags    map[string]string `json:"tags,omitzero"`    // nil = it was not said
	Created time.Time         `json:"created,omitzero"` // zero = it was not said
}

// Stream is the event stream of an app.
type Stream struct {
	Owner // of the app

	App      string    `json:"app"` // its ID
	ARN      string    `json:"arn"`
	Role     string    `json:"role"`
	Modified time.Time `json:"modified,omitzero"` // zero = it was not said
	By       string    `json:"by,omitempty"`      // "" = it was not said
}

// Set is a configuration set.
type Set struct {
	Owner

	Name         string        `json:"name"`
	Destinations []Destination `json:"destinations,omitempty"`
	Whole        bool          `json:"whole,omitempty"` // Destinations are all that it has
}

// Destination is an event destination.
type Destination struct {
	Name       string                `json:"name"`
	Enabled    bool                  `json:"enabled"`
	Types      []string              `json:"types"`          // in the words of the service
	Kind       configset.Kind        `json:"kind,omitempty"` // "" = none, or several at once
	ARN        string                `json:"arn,omitempty"`
	Role       string                `json:"role,omitempty"`
	Dimensions []configset.Dimension `json:"dimensions,omitempty"`
}
