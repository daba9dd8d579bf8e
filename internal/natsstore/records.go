package natsstore

import (
	"fmt"
	"reflect"
	"time"

	"github.com/fxamacker/cbor/v2"

	"tidings/internal/configset"
	"tidings/internal/event"
	"tidings/internal/fanout"
	"tidings/internal/tenant"
	"tidings/internal/voice"
)

// The types of this file are what lies on the disk: CBOR maps (RFC 8949) with small
// integers for keys. A number is never given a second meaning. They are apart from the
// types of the features, so that either can change without the other.

type messageRecord struct {
	ID          string `cbor:"1,keyasint"`
	Account     string `cbor:"2,keyasint"`
	Region      string `cbor:"3,keyasint"`
	Accepted    int64  `cbor:"4,keyasint"` // Unix milliseconds
	Destination string `cbor:"5,keyasint"`
	Origination string `cbor:"6,keyasint,omitempty"`
	CallerID    string `cbor:"7,keyasint,omitempty"`
	Country     string `cbor:"8,keyasint,omitempty"`
	Set         string `cbor:"9,keyasint,omitempty"`
	Kind        string `cbor:"10,keyasint"`
	Text        string `cbor:"11,keyasint"`
	Language    string `cbor:"12,keyasint"`
	Voice       string `cbor:"13,keyasint"`
	MaxLength   int64  `cbor:"14,keyasint"` // nanoseconds
}

func recordOfMessage(m *voice.Message) messageRecord {
	return messageRecord{
		ID: m.ID, Account: m.Tenant.Account, Region: m.Tenant.Region, Accepted: m.Accepted.UnixMilli(),
		Destination: string(m.Destination), Origination: string(m.Origination), CallerID: string(m.CallerID),
		Country: m.Country, Set: m.Set, Kind: string(m.Content.Kind), Text: m.Content.Text,
		Language: m.Content.Language, Voice: m.Content.Voice, MaxLength: int64(m.MaxLength),
	}
}

func (r *messageRecord) message() voice.Message {
	return voice.Message{
		ID: r.ID, Tenant: tenant.Tenant{Account: r.Account, Region: r.Region}, Accepted: time.UnixMilli(r.Accepted).UTC(),
		Destination: voice.Phone(r.Destination), Origination: voice.Phone(r.Origination), CallerID: voice.Phone(r.CallerID),
		Country: r.Country, Set: r.Set,
		Content:   voice.Content{Kind: voice.ContentKind(r.Kind), Text: r.Text, Language: r.Language, Voice: r.Voice},
		MaxLength: time.Duration(r.MaxLength),
	}
}

type eventRecord struct {
	ID      string `cbor:"1,keyasint"`
	Type    string `cbor:"2,keyasint"`
	Time    int64  `cbor:"3,keyasint"` // Unix milliseconds
	Account string `cbor:"4,keyasint"`
	Region  string `cbor:"5,keyasint"`
	Set     string `cbor:"6,keyasint,omitempty"`
	Message string `cbor:"7,keyasint"`
	Record  []byte `cbor:"8,keyasint"`
	Key     string `cbor:"9,keyasint,omitempty"`

	Destination string `cbor:"10,keyasint,omitempty"`
}

func recordOfEvent(e *event.Event) eventRecord {
	return eventRecord{
		ID: e.ID, Type: string(e.Type), Time: e.Time.UnixMilli(), Account: e.Tenant.Account, Region: e.Tenant.Region,
		Set: e.Set, Message: e.Message, Record: e.Record, Key: e.Key, Destination: e.Destination,
	}
}

func (r *eventRecord) event() event.Event {
	return event.Event{
		ID: r.ID, Type: event.Type(r.Type), Time: time.UnixMilli(r.Time).UTC(),
		Tenant: tenant.Tenant{Account: r.Account, Region: r.Region}, Set: r.Set, Message: r.Message, Record: r.Record, Key: r.Key, Destination: r.Destination,
	}
}

// eventMark is what the state of a call needs of an eventRecord: its other fields are
// skipped while decoding.
type eventMark struct {
	Type    string `cbor:"2,keyasint"`
	Message string `cbor:"7,keyasint"`
}

type deliveryRecord struct {
	Event       eventRecord `cbor:"1,keyasint"`
	Attempts    int         `cbor:"2,keyasint,omitempty"`
	FirstFailed int64       `cbor:"3,keyasint,omitempty"` // Unix milliseconds; 0 = never
	LastError   string      `cbor:"4,keyasint,omitempty"`
}

func recordOfDelivery(d *fanout.Delivery) deliveryRecord {
	r := deliveryRecord{Event: recordOfEvent(&d.Event), Attempts: d.Attempts, LastError: d.LastError}
	if !d.FirstFailed.IsZero() {
		r.FirstFailed = d.FirstFailed.UnixMilli()
	}
	return r
}

func (r *deliveryRecord) delivery() fanout.Delivery {
	d := fanout.Delivery{Event: r.Event.event(), Attempts: r.Attempts, LastError: r.LastError}
	if r.FirstFailed != 0 {
		d.FirstFailed = time.UnixMilli(r.FirstFailed).UTC()
	}
	return d
}

type letterRecord struct {
	Account  string         `cbor:"1,keyasint"`
	Region   string         `cbor:"2,keyasint"`
	Scope    string         `cbor:"3,keyasint"`
	Set      string         `cbor:"4,keyasint"`
	Name     string         `cbor:"5,keyasint"`
	Delivery deliveryRecord `cbor:"6,keyasint"`
	Reason   string         `cbor:"7,keyasint,omitempty"`
	Died     int64          `cbor:"8,keyasint"` // Unix milliseconds
}

func recordOfLetter(l *fanout.DeadLetter) letterRecord {
	s := l.Subscriber
	return letterRecord{
		Account: s.Tenant.Account, Region: s.Tenant.Region, Scope: string(s.Scope), Set: s.Set, Name: s.Name,
		Delivery: recordOfDelivery(&l.Delivery), Reason: l.Reason, Died: l.Died.UnixMilli(),
	}
}

func (r *letterRecord) letter(id string) fanout.DeadLetter {
	return fanout.DeadLetter{
		ID: id,
		Subscriber: fanout.Subscriber{
			Tenant: tenant.Tenant{Account: r.Account, Region: r.Region}, Scope: configset.Scope(r.Scope), Set: r.Set, Name: r.Name,
		},
		Delivery: r.Delivery.delivery(), Reason: r.Reason, Died: time.UnixMilli(r.Died).UTC(),
	}
}

// setVersion is the version of setRecord. A set of a later version is refused, so that an
// older program never writes back a set of which it has understood only a part.
const setVersion = 1

type setRecord struct {
	Version      int                 `cbor:"0,keyasint"`
	Created      int64               `cbor:"1,keyasint"` // Unix milliseconds
	Destinations []destinationRecord `cbor:"2,keyasint,omitempty"`
	Options      *optionsRecord      `cbor:"3,keyasint,omitempty"` // nil = the zero value
}

type optionsRecord struct {
	RedirectDomain    string            `cbor:"1,keyasint,omitempty"`
	HTTPSLinks        string            `cbor:"2,keyasint,omitempty"`
	RequireTLS        bool              `cbor:"3,keyasint,omitempty"`
	Pool              string            `cbor:"4,keyasint,omitempty"`
	MaxDelivery       int64             `cbor:"5,keyasint,omitempty"` // nanoseconds
	SendingPaused     bool              `cbor:"6,keyasint,omitempty"`
	ReputationMetrics bool              `cbor:"7,keyasint,omitempty"`
	FreshStart        int64             `cbor:"8,keyasint,omitempty"` // Unix milliseconds; 0 = never
	Suppression       []string          `cbor:"9,keyasint,omitempty"`
	NoSuppression     bool              `cbor:"10,keyasint,omitempty"` // Suppression is there, and empty
	Tags              map[string]string `cbor:"11,keyasint,omitempty"`
	Kept              map[string]string `cbor:"12,keyasint,omitempty"`
}

func recordOfOptions(o *configset.Options) *optionsRecord {
	r := &optionsRecord{
		RedirectDomain: o.RedirectDomain, HTTPSLinks: o.HTTPSLinks, RequireTLS: o.RequireTLS, Pool: o.Pool,
		MaxDelivery: int64(o.MaxDelivery), SendingPaused: o.SendingPaused, ReputationMetrics: o.ReputationMetrics,
		Suppression: o.Suppression, NoSuppression: o.Suppression != nil && len(o.Suppression) == 0, Tags: o.Tags, Kept: o.Kept,
	}
	if !o.FreshStart.IsZero() {
		r.FreshStart = o.FreshStart.UnixMilli()
	}
	return r
}

func (r *optionsRecord) options() configset.Options {
	if r == nil {
		return configset.Options{}
	}
	o := configset.Options{
		RedirectDomain: r.RedirectDomain, HTTPSLinks: r.HTTPSLinks, RequireTLS: r.RequireTLS, Pool: r.Pool,
		MaxDelivery: time.Duration(r.MaxDelivery), SendingPaused: r.SendingPaused, ReputationMetrics: r.ReputationMetrics,
		Suppression: r.Suppression, Tags: r.Tags, Kept: r.Kept,
	}
	if r.NoSuppression {
		o.Suppression = []string{}
	}
	if r.FreshStart != 0 {
		o.FreshStart = time.UnixMilli(r.FreshStart).UTC()
	}
	return o
}

type destinationRecord struct {
	Name    string   `cbor:"1,keyasint"`
	Enabled bool     `cbor:"2,keyasint"`
	Types   []string `cbor:"3,keyasint,omitempty"`
	Kind    string   `cbor:"4,keyasint"`
	ARN     string   `cbor:"5,keyasint"`
	Role    string   `cbor:"6,keyasint,omitempty"`

	Dimensions []dimensionRecord `cbor:"7,keyasint,omitempty"`
}

type dimensionRecord struct {
	Name    string `cbor:"1,keyasint"`
	Source  string `cbor:"2,keyasint"`
	Default string `cbor:"3,keyasint"`
}

func encodeSet(s *configset.Set) ([]byte, error) {
	r := setRecord{Version: setVersion, Created: s.Created.UnixMilli()}
	for i := range s.Destinations {
		d := &s.Destinations[i]
		dr := destinationRecord{
			Name: d.Name, Enabled: d.Enabled,
			Kind: string(d.Destination.Kind), ARN: d.Destination.ARN, Role: d.Destination.Role,
		}
		for _, t := range d.Types {
			dr.Types = append(dr.Types, string(t))
		}
		for _, dim := range d.Dimensions {
			dr.Dimensions = append(dr.Dimensions, dimensionRecord{Name: dim.Name, Source: string(dim.Source), Default: dim.Default})
		}
		r.Destinations = append(r.Destinations, dr)
	}
	if !reflect.ValueOf(s.Options).IsZero() {
		r.Options = recordOfOptions(&s.Options)
	}
	b, err := cbor.Marshal(&r)
	if err != nil {
		return nil, fmt.Errorf("encode configuration set: %w", err)
	}
	return b, nil
}

func decodeSet(name string, revision uint64, value []byte) (*configset.Set, error) {
	var r setRecord
	if err := cbor.Unmarshal(value, &r); err != nil {
		return nil, fmt.Errorf("decode configuration set %q: %w", name, err)
	}
	if r.Version != setVersion {
		return nil, fmt.Errorf("decode configuration set %q: its record has version %d, this program knows %d", name, r.Version, setVersion)
	}
	s := &configset.Set{Name: name, Created: time.UnixMilli(r.Created).UTC(), Options: r.Options.options(), Revision: revision}
	for _, dr := range r.Destinations {
		d := configset.EventDestination{
			Name: dr.Name, Enabled: dr.Enabled,
			Destination: configset.Destination{Kind: configset.Kind(dr.Kind), ARN: dr.ARN, Role: dr.Role},
		}
		for _, t := range dr.Types {
			d.Types = append(d.Types, event.Type(t))
		}
		for _, dim := range dr.Dimensions {
			d.Dimensions = append(d.Dimensions, configset.Dimension{Name: dim.Name, Source: configset.DimensionSource(dim.Source), Default: dim.Default})
		}
		s.Destinations = append(s.Destinations, d)
	}
	return s, nil
}
