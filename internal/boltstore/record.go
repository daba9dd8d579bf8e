package boltstore

import (
	"fmt"
	"time"

	"github.com/fxamacker/cbor/v2"

	"tidings/internal/pinpoint"
)

// endpointRecord is what lies on the disk: a CBOR map (RFC 8949) with small integers for keys.
// A number is never given a second meaning.
type endpointRecord struct {
	Version    int                 `cbor:"0,keyasint"`
	Created    int64               `cbor:"1,keyasint"` // Unix milliseconds
	Effective  int64               `cbor:"2,keyasint"` // Unix milliseconds
	Request    string              `cbor:"3,keyasint"`
	Address    *string             `cbor:"4,keyasint,omitempty"`
	Channel    *string             `cbor:"5,keyasint,omitempty"`
	Status     string              `cbor:"6,keyasint"`
	OptOut     string              `cbor:"7,keyasint"`
	Attributes map[string][]string `cbor:"8,keyasint,omitempty"`
	Metrics    map[string]float64  `cbor:"9,keyasint,omitempty"`

	AppVersion      *string `cbor:"20,keyasint,omitempty"`
	Locale          *string `cbor:"21,keyasint,omitempty"`
	Make            *string `cbor:"22,keyasint,omitempty"`
	Model           *string `cbor:"23,keyasint,omitempty"`
	ModelVersion    *string `cbor:"24,keyasint,omitempty"`
	Platform        *string `cbor:"25,keyasint,omitempty"`
	PlatformVersion *string `cbor:"26,keyasint,omitempty"`
	Timezone        *string `cbor:"27,keyasint,omitempty"`

	City       *string  `cbor:"40,keyasint,omitempty"`
	Country    *string  `cbor:"41,keyasint,omitempty"`
	Latitude   *float64 `cbor:"42,keyasint,omitempty"`
	Longitude  *float64 `cbor:"43,keyasint,omitempty"`
	PostalCode *string  `cbor:"44,keyasint,omitempty"`
	Region     *string  `cbor:"45,keyasint,omitempty"`

	User           *string             `cbor:"60,keyasint,omitempty"`
	UserAttributes map[string][]string `cbor:"61,keyasint,omitempty"`
}

// recordVersion is the version of endpointRecord. A later one is refused, so that an older
// program never writes back an endpoint of which it has understood only a part.
const recordVersion = 1

func encodeEndpoint(e *pinpoint.Endpoint) ([]byte, error) {
	r := endpointRecord{
		Version: recordVersion, Created: e.Created.UnixMilli(), Effective: e.Effective.UnixMilli(), Request: e.Request,
		Address: e.Address, Channel: e.Channel, Status: e.Status, OptOut: e.OptOut, Attributes: e.Attributes, Metrics: e.Metrics,
		AppVersion: e.AppVersion, Locale: e.Locale, Make: e.Make, Model: e.Model, ModelVersion: e.ModelVersion,
		Platform: e.Platform, PlatformVersion: e.PlatformVersion, Timezone: e.Timezone,
		City: e.City, Country: e.Country, Latitude: e.Latitude, Longitude: e.Longitude, PostalCode: e.PostalCode, Region: e.Region,
		User: e.UserID, UserAttributes: e.UserAttributes,
	}
	b, err := cbor.Marshal(&r)
	if err != nil {
		return nil, fmt.Errorf("encode endpoint: %w", err)
	}
	return b, nil
}

// decodeEndpoint reads an endpoint; nil for no value. Nothing of it lies in value afterwards,
// which is a part of the file and becomes another with the next change.
func decodeEndpoint(app, id string, value []byte) (*pinpoint.Endpoint, error) {
	if value == nil {
		return nil, nil
	}
	var r endpointRecord
	if err := cbor.Unmarshal(value, &r); err != nil {
		return nil, fmt.Errorf("decode endpoint of app %s: %w", app, err)
	}
	if r.Version != recordVersion {
		return nil, fmt.Errorf("decode endpoint of app %s: its record has version %d, this program knows %d", app, r.Version, recordVersion)
	}
	return &pinpoint.Endpoint{
		App: app, ID: id, Created: time.UnixMilli(r.Created).UTC(), Effective: time.UnixMilli(r.Effective).UTC(), Request: r.Request,
		Address: r.Address, Channel: r.Channel, Status: r.Status, OptOut: r.OptOut, Attributes: r.Attributes, Metrics: r.Metrics,
		Demographic: pinpoint.Demographic{
			AppVersion: r.AppVersion, Locale: r.Locale, Make: r.Make, Model: r.Model, ModelVersion: r.ModelVersion,
			Platform: r.Platform, PlatformVersion: r.PlatformVersion, Timezone: r.Timezone,
		},
		Location: pinpoint.Location{
			City: r.City, Country: r.Country, Latitude: r.Latitude, Longitude: r.Longitude, PostalCode: r.PostalCode, Region: r.Region,
		},
		User: pinpoint.User{UserID: r.User, UserAttributes: r.UserAttributes},
	}, nil
}
