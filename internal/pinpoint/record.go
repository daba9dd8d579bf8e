package pinpoint

import (
	"strconv"
	"strings"
	"time"

	"tidings/internal/event"
)

// The record of an event: what is known of it from the guide, from the API's types, and from
// a record that AWS has written, which testdata/README.md names member by member.
// Source: Amazon Pinpoint Developer Guide, "App events".

// recordVersion is what current records of AWS have, though the guide's sample of an app
// event says 3.0.
const recordVersion = "3.1"

// timeForm is how AWS writes times within records and replies.
const timeForm = "2006-01-02T15:04:05.000Z"

// happening is one event that was checked.
type happening struct {
	*Event
	at          time.Time
	start, stop int64 // of the session, Unix milliseconds
	stopped     bool
	item, place int // where its result stands
}

// scene is what the events of one item share.
type scene struct {
	app      *App
	endpoint *Endpoint
	arrived  time.Time
}

// appendRecord appends the record of h.
func (s *scene) appendRecord(buf []byte, h *happening) []byte {
	of := s.endpoint.fragments()
	o := object{buf: buf}
	o.open()
	o.text("event_type", h.Type)
	o.integer("event_timestamp", h.at.UnixMilli())
	o.integer("arrival_timestamp", s.arrived.UnixMilli())
	o.text("event_version", recordVersion)
	s.application(&o, h)
	o.key("client")
	o.open()
	o.text("client_id", s.endpoint.ID)
	o.close()
	o.raw("device", of.device)
	o.key("session")
	o.open()
	if h.Session != nil {
		o.text("session_id", h.Session.ID)
		o.integer("start_timestamp", h.start)
		if h.stopped {
			o.integer("stop_timestamp", h.stop)
		}
	}
	o.close()
	o.texts("attributes", h.Attributes)
	o.numbers("metrics", h.Metrics)
	o.raw("endpoint", of.endpoint)
	o.text("awsAccountId", s.app.Tenant.Account)
	o.close()
	return o.buf
}

func (s *scene) application(o *object, h *happening) {
	o.key("application")
	o.open()
	o.text("app_id", s.app.ID)
	o.given("package_name", h.AppPackageName)
	o.key("sdk")
	o.open()
	o.given("name", h.SDKName)
	o.given("version", h.ClientSDKVersion)
	o.close()
	o.given("title", h.AppTitle)
	o.given("version_name", s.endpoint.AppVersion)
	o.given("version_code", h.AppVersionCode)
	o.close()
}

// fragments is the JSON that all records of an endpoint have in common.
type fragments struct {
	device   []byte
	endpoint []byte
}

func (f *fragments) size() int { return len(f.device) + len(f.endpoint) }

// fragments returns the endpoint's JSON.
func (e *Endpoint) fragments() *fragments {
	if f := e.made.Load(); f != nil {
		return f
	}
	o := object{buf: make([]byte, 0, 1024)}
	e.appendDevice(&o)
	device := len(o.buf)
	o.some = false
	e.appendEndpoint(&o)
	f := &fragments{device: o.buf[:device:device], endpoint: o.buf[device:]}
	e.made.Store(f)
	return f
}

func (e *Endpoint) appendDevice(o *object) {
	o.open()
	if e.Locale != nil {
		o.key("locale")
		o.open()
		o.text("code", *e.Locale)
		language, country, _ := strings.Cut(strings.ReplaceAll(*e.Locale, "-", "_"), "_")
		if country != "" {
			o.text("country", strings.ToUpper(country))
		}
		if language != "" {
			o.text("language", strings.ToLower(language))
		}
		o.close()
	}
	o.given("make", e.Make)
	o.given("model", e.Model)
	o.key("platform")
	o.open()
	o.given("name", e.Platform)
	o.given("version", e.PlatformVersion)
	o.close()
	o.close()
}

func (e *Endpoint) appendEndpoint(o *object) {
	o.open()
	o.given("ChannelType", e.Channel)
	o.given("Address", e.Address)
	o.text("EndpointStatus", e.Status)
	o.text("OptOut", e.OptOut)
	o.text("RequestId", e.Request)
	if e.Location != (Location{}) {
		o.key("Location")
		o.open()
		o.given("City", e.City)
		o.given("Country", e.Country)
		o.number("Latitude", e.Latitude)
		o.number("Longitude", e.Longitude)
		o.given("PostalCode", e.PostalCode)
		o.given("Region", e.Region)
		o.close()
	}
	e.appendDemographic(o)
	o.text("EffectiveDate", e.Effective.Format(timeForm))
	if len(e.Attributes) > 0 {
		o.lists("Attributes", e.Attributes)
	}
	if len(e.Metrics) > 0 {
		o.numbers("Metrics", e.Metrics)
	}
	if e.UserID != nil || len(e.UserAttributes) > 0 {
		o.key("User")
		o.open()
		o.given("UserId", e.UserID)
		if len(e.UserAttributes) > 0 {
			o.lists("UserAttributes", e.UserAttributes)
		}
		o.close()
	}
	o.text("ApplicationId", e.App)
	o.text("Id", e.ID)
	o.text("CohortId", strconv.Itoa(e.Cohort()))
	o.text("CreationDate", e.Created.Format(timeForm))
	o.close()
}

func (e *Endpoint) appendDemographic(o *object) {
	if e.Demographic == (Demographic{}) {
		return
	}
	o.key("Demographic")
	o.open()
	o.given("Make", e.Make)
	o.given("Model", e.Model)
	o.given("ModelVersion", e.ModelVersion)
	o.given("Timezone", e.Timezone)
	o.given("Locale", e.Locale)
	o.given("AppVersion", e.AppVersion)
	o.given("Platform", e.Platform)
	o.given("PlatformVersion", e.PlatformVersion)
	o.close()
}

// testEventType is the type of the event that a new event stream gets first. AWS writes one,
// and consumers filter it by this name; what else is in it is not known.
const testEventType = "_test.event_stream"

// testEvent makes the first event of the app's new event stream.
func testEvent(a *App, request string, at time.Time) event.Event {
	o := object{buf: make([]byte, 0, 256)}
	o.open()
	o.text("event_type", testEventType)
	o.integer("event_timestamp", at.UnixMilli())
	o.integer("arrival_timestamp", at.UnixMilli())
	o.text("event_version", recordVersion)
	o.key("application")
	o.open()
	o.text("app_id", a.ID)
	o.raw("sdk", []byte("{}"))
	o.close()
	o.raw("client", []byte("{}"))
	o.raw("device", []byte(`{"platform":{}}`))
	o.raw("session", []byte("{}"))
	o.raw("attributes", []byte("{}"))
	o.raw("metrics", []byte("{}"))
	o.text("awsAccountId", a.Tenant.Account)
	o.close()
	return event.Event{
		ID: request + "/" + testEventType, Type: event.AppEvent, Time: at,
		Tenant: a.Tenant, Set: a.ID, Message: request, Record: o.buf,
	}
}
