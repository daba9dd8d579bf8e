package email

import (
	"slices"
	"strings"

	"tidings/internal/arn"
	"tidings/internal/configset"
	"tidings/internal/event"
	"tidings/internal/tenant"
)

// pinpointVersion is the event_version of current records.
const pinpointVersion = "3.1"

// appendTwins appends the events for the apps whose event destinations want h.
func (r Recorder) appendTwins(events []event.Event, m *Message, set *configset.Set, h *happening) []event.Event {
	if set == nil {
		return events
	}
	var told []string // an app that two event destinations name is told once
	for i := range set.Destinations {
		d := &set.Destinations[i]
		if d.Destination.Kind != configset.Pinpoint || !d.Matches(h.kind) || pinpointWord(h) == "" {
			continue
		}
		app, ok := appOf(m.Tenant, d.Destination.ARN)
		if !ok || slices.Contains(told, d.Destination.ARN) {
			continue
		}
		told = append(told, d.Destination.ARN)
		client := uuidFrom(m.ID)
		events = append(events, event.Event{
			ID: h.id + "/app/" + app.id, Type: event.AppEvent, Time: h.at, Tenant: app.owner,
			Set: app.id, Message: m.ID, Key: client, Record: r.pinpointRecord(m, h, app.id, client),
		})
	}
	return events
}

// ownedApp is an app and whose it is.
type ownedApp struct {
	id    string
	owner tenant.Tenant
}

// appOf returns the app that an ARN names. It is one of the sender's own account: nobody writes into the stream of another.
// Source: Amazon Pinpoint Developer Guide, ARNs: arn:aws:mobiletargeting:REGION:ACCOUNT:apps/ID.
func appOf(t tenant.Tenant, text string) (ownedApp, bool) {
	a, err := arn.Parse(text)
	if err != nil || a.Account != t.Account {
		return ownedApp{}, false
	}
	id, ok := strings.CutPrefix(a.Resource, "apps/")
	if !ok || id == "" || strings.Contains(id, "/") {
		return ownedApp{}, false
	}
	return ownedApp{id: id, owner: tenant.Tenant{Account: a.Account, Region: a.Region}}, true
}

// pinpointWord returns what the record of h calls it behind "_email."; "" = there is no such record.
func pinpointWord(h *happening) string {
	switch {
	case h.bounce == nil:
		return recordForms[h.kind].pinpoint
	case h.bounce.Type == permanent:
		return "hardbounce"
	case h.bounce.Type == transient:
		return "softbounce"
	default:
		return "" // nobody knows which of the two it is
	}
}

// pinpointFeedback returns the attribute feedback of the record.
func pinpointFeedback(h *happening) string {
	if h.visit != nil && h.visit.link != "" {
		return h.visit.link
	}
	if word := recordForms[h.kind].feedback; word != "" {
		return word
	}
	return pinpointWord(h)
}

// pinpointRecord returns the JSON object that Pinpoint would write into the app's event stream. event_timestamp is when the
// message was sent, in all events of a message; arrival_timestamp tells them apart.
// Source: Amazon Pinpoint Developer Guide, "Email events".
func (r Recorder) pinpointRecord(m *Message, h *happening, app, client string) []byte {
	w := &recordWriter{buf: make([]byte, 0, 1536)}
	w.open()
	w.text("event_type", "_email."+pinpointWord(h))
	w.integer("event_timestamp", m.Accepted.UnixMilli())
	w.integer("arrival_timestamp", h.at.UnixMilli())
	w.text("event_version", pinpointVersion)
	w.object("application")
	w.text("app_id", app)
	w.object("sdk")
	w.close()
	w.close()
	w.object("client")
	w.text("client_id", client)
	w.close()
	w.object("device")
	w.object("platform")
	w.close()
	w.close()
	w.object("session")
	w.close()
	w.object("attributes")
	w.text("feedback", pinpointFeedback(h))
	w.close()
	w.text("awsAccountId", m.Tenant.Account)
	w.object("facets")
	w.object("email_channel")
	w.object("mail_event")
	w.pinpointMail(m)
	recordForms[h.kind].pinpointNews(w, r, m, h)
	w.close()
	w.close()
	w.close()
	w.close()
	return w.buf
}

func (w *recordWriter) pinpointMail(m *Message) {
	w.object("mail")
	w.text("message_id", m.ID)
	w.integer("message_send_timestamp", m.Accepted.UnixMilli())
	w.text("from_address", m.Sender)
	w.texts("destination", m.Recipients)
	w.boolean("headers_truncated", m.HeadersTruncated)
	w.headers(m.Headers)
	w.object("common_headers")
	w.given("from", strings.Join(m.Common.From, ", ")) // a text here, a list in the records of SES
	w.givenTexts("to", m.Common.To)
	w.given("subject", m.Common.Subject)
	w.close()
	w.close()
}

// The objects that stand beside mail in the records of Pinpoint.
// Source: Amazon Pinpoint Developer Guide, "Email events".

func pinpointDelivery(w *recordWriter, r Recorder, m *Message, h *happening) {
	w.object("delivery")
	w.text("smtp_response", h.reply.Text)
	w.text("reporting_mta", r.host())
	w.texts("recipients", h.recipients)
	w.integer("processing_time_millis", h.at.Sub(m.Accepted).Milliseconds())
	w.close()
}

func pinpointBounce(w *recordWriter, _ Recorder, _ *Message, h *happening) {
	b := h.bounce
	w.object("bounce")
	w.text("bounce_type", b.Type)
	w.text("bounce_sub_type", b.SubType)
	w.list("bounced_recipients")
	for _, address := range h.recipients {
		w.open()
		w.text("email_address", address)
		w.given("action", b.action)
		w.given("status", b.status)
		w.given("diagnostic_code", b.diagnostic)
		w.close()
	}
	w.closeList()
	w.text("feedback_id", feedbackID(h))
	w.given("reporting_mta", b.reporter)
	w.close()
}

func pinpointComplaint(w *recordWriter, _ Recorder, _ *Message, h *happening) {
	w.object("complaint")
	w.addresses("complained_recipients", "email_address", h.recipients)
	w.text("feedback_id", feedbackID(h))
	w.given("user_agent", h.complaint.UserAgent)
	w.given("complaint_feedback_type", h.complaint.Type)
	w.close()
}

func pinpointOpen(w *recordWriter, _ Recorder, _ *Message, h *happening) {
	w.object("open")
	w.text("ip_address", h.visit.IP)
	w.text("user_agent", h.visit.UserAgent)
	w.close()
}

func pinpointClick(w *recordWriter, _ Recorder, _ *Message, h *happening) {
	w.object("click")
	w.text("ip_address", h.visit.IP)
	w.text("user_agent", h.visit.UserAgent)
	w.text("link", h.visit.link)
	w.lists("link_tags", h.visit.tags)
	w.close()
}

func pinpointFailure(w *recordWriter, _ Recorder, m *Message, _ *happening) {
	w.object("rendering_failure")
	w.text("error_message", m.Failure)
	w.text("template_name", m.Template)
	w.close()
}
