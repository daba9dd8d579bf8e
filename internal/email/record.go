package email

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"tidings/internal/configset"
	"tidings/internal/event"
)

// Recorder makes events with their records. It depends on nothing but what it is given: the same message and the same
// happening are the same bytes each time.
type Recorder struct {
	// Host is the name of this mail server, which records name as the one that reports; "" = localhost.
	Host string
}

// happening is what an event tells, whatever form its record takes.
type happening struct {
	id   string // of the event
	kind event.Type
	at   time.Time // UTC, milliseconds
	// recipients are those whom it is about: who was delivered to, who bounced, who complained.
	recipients []string
	reply      *Reply      // of a delivery
	bounce     *bounceNews // of a bounce
	complaint  *Complaint  // of a complaint
	reason     string      // of a reject
	visit      *visitNews  // of an open or a click
}

// bounceNews is what there is to tell of a bounce beside whom it is about.
type bounceNews struct {
	BounceType
	action, status string // RFC 3464, RFC 3463
	diagnostic     string // "smtp; 550 5.1.1 user unknown"
	reporter       string // name of the server that reports the bounce; "" = not known
}

// visitNews is an open or, with a link, a click.
type visitNews struct {
	Visit
	link string
	tags map[string][]string // of the link
}

// Events makes the events for what happened to m: none for a message without a configuration set, else one for each
// happening and a second one for each app that an event destination of the set names, which may be nil.
func (r Recorder) events(m *Message, set *configset.Set, all ...happening) []event.Event {
	if m.Set == "" {
		return nil
	}
	events := make([]event.Event, 0, len(all))
	for i := range all {
		h := &all[i]
		events = append(events, event.Event{
			ID: h.id, Type: h.kind, Time: h.at, Tenant: m.Tenant, Set: m.Set, Message: m.ID, Record: r.record(m, h),
		})
		events = r.appendTwins(events, m, set, h)
	}
	return events
}

// record returns the JSON object that SES would send. Members stand in the order of its samples.
// Source: SES Developer Guide, "Examples of event data that Amazon SES publishes to Amazon SNS".
func (r Recorder) record(m *Message, h *happening) []byte {
	w := &recordWriter{buf: make([]byte, 0, 1536)}
	w.open()
	switch h.kind {
	case event.EmailSend:
		w.text("eventType", "Send")
		w.mail(m, h)
		w.object("send")
		w.close()
	case event.EmailDelivery:
		w.text("eventType", "Delivery")
		w.mail(m, h)
		r.delivery(w, m, h)
	case event.EmailBounce:
		w.text("eventType", "Bounce")
		w.bounce(h)
		w.mail(m, h)
	case event.EmailComplaint:
		w.text("eventType", "Complaint")
		w.complaint(h)
		w.mail(m, h)
	case event.EmailReject:
		w.text("eventType", "Reject")
		w.mail(m, h)
		w.object("reject")
		w.text("reason", h.reason)
		w.close()
	case event.EmailOpen:
		w.text("eventType", "Open")
		w.mail(m, h)
		w.object("open")
		w.visit(h)
		w.close()
	case event.EmailClick:
		w.text("eventType", "Click")
		w.click(h)
		w.mail(m, h)
	default:
		w.text("eventType", "Rendering Failure")
		w.mail(m, h)
		w.object("failure")
		w.text("errorMessage", m.Failure)
		w.text("templateName", m.Template)
		w.close()
	}
	w.close()
	return w.buf
}

// mail writes what is known of the message. That of a rendering failure is reduced: there was no header yet.
func (w *recordWriter) mail(m *Message, h *happening) {
	w.object("mail")
	w.time("timestamp", m.Accepted)
	w.text("source", m.Source)
	w.given("sourceArn", m.SourceARN)
	w.text("sendingAccountId", m.Tenant.Account)
	w.text("messageId", m.ID)
	w.texts("destination", m.Recipients)
	w.boolean("headersTruncated", m.HeadersTruncated)
	if h.kind != event.EmailRenderingFailure {
		w.headers(m.Headers)
		w.object("commonHeaders")
		c := &m.Common
		w.given("returnPath", c.ReturnPath)
		w.givenTexts("from", c.From)
		w.givenTexts("sender", c.Sender)
		w.givenTexts("replyTo", c.ReplyTo)
		w.given("date", c.Date)
		w.givenTexts("to", c.To)
		w.givenTexts("cc", c.Cc)
		w.givenTexts("bcc", c.Bcc)
		w.text("messageId", commonID(m))
		w.given("subject", c.Subject)
		w.close()
	}
	w.lists("tags", tagsAt(m, h))
	w.close()
}

// headers writes the fields of a header in their order.
func (w *recordWriter) headers(all []Header) {
	w.list("headers")
	for _, f := range all {
		w.open()
		w.text("name", f.Name)
		w.text("value", f.Value)
		w.close()
	}
	w.closeList()
}

func commonID(m *Message) string {
	if m.Common.MessageID != "" {
		return m.Common.MessageID
	}
	return m.ID
}

// The tags that a message gains when it is delivered. Source: SES Developer Guide, "Monitoring email sending using event
// publishing", auto-tags.
const (
	tagOutgoingIP  = "ses:outgoing-ip"
	tagOutgoingTLS = "ses:outgoing-tls-version"
)

func tagsAt(m *Message, h *happening) map[string][]string {
	if h.reply == nil || h.reply.LocalIP == "" && h.reply.TLS == "" {
		return m.Tags
	}
	tags := make(map[string][]string, len(m.Tags)+2)
	for name, values := range m.Tags {
		tags[name] = values
	}
	if h.reply.LocalIP != "" {
		tags[tagOutgoingIP] = []string{h.reply.LocalIP}
	}
	if h.reply.TLS != "" {
		tags[tagOutgoingTLS] = []string{h.reply.TLS}
	}
	return tags
}

func (r Recorder) delivery(w *recordWriter, m *Message, h *happening) {
	w.object("delivery")
	w.time("timestamp", h.at)
	w.integer("processingTimeMillis", h.at.Sub(m.Accepted).Milliseconds())
	w.texts("recipients", h.recipients)
	w.text("smtpResponse", h.reply.Text)
	w.given("remoteMtaIp", h.reply.RemoteIP)
	w.text("reportingMTA", r.host())
	w.close()
}

func (w *recordWriter) bounce(h *happening) {
	b := h.bounce
	w.object("bounce")
	w.text("bounceType", b.Type)
	w.text("bounceSubType", b.SubType)
	w.list("bouncedRecipients")
	for _, address := range h.recipients {
		w.open()
		w.text("emailAddress", address)
		w.given("action", b.action)
		w.given("status", b.status)
		w.given("diagnosticCode", b.diagnostic)
		w.close()
	}
	w.closeList()
	w.time("timestamp", h.at)
	w.text("feedbackId", feedbackID(h))
	if b.reporter != "" {
		w.text("reportingMTA", "dsn; "+b.reporter)
	}
	w.close()
}

func (w *recordWriter) complaint(h *happening) {
	c := h.complaint
	w.object("complaint")
	w.addresses("complainedRecipients", "emailAddress", h.recipients)
	w.time("timestamp", h.at)
	w.text("feedbackId", feedbackID(h))
	if c.SubType == "" {
		w.null("complaintSubType")
	} else {
		w.text("complaintSubType", c.SubType)
	}
	w.given("userAgent", c.UserAgent)
	w.given("complaintFeedbackType", c.Type)
	if !c.Arrived.IsZero() {
		w.time("arrivalDate", c.Arrived)
	}
	w.close()
}

// addresses writes a list of objects with one member each.
func (w *recordWriter) addresses(key, member string, all []string) {
	w.list(key)
	for _, address := range all {
		w.open()
		w.text(member, address)
		w.close()
	}
	w.closeList()
}

func (w *recordWriter) visit(h *happening) {
	w.text("ipAddress", h.visit.IP)
	w.time("timestamp", h.at)
	w.text("userAgent", h.visit.UserAgent)
}

func (w *recordWriter) click(h *happening) {
	w.object("click")
	w.text("ipAddress", h.visit.IP)
	w.text("link", h.visit.link)
	if len(h.visit.tags) == 0 {
		w.null("linkTags")
	} else {
		w.lists("linkTags", h.visit.tags)
	}
	w.time("timestamp", h.at)
	w.text("userAgent", h.visit.UserAgent)
	w.close()
}

func (r Recorder) host() string {
	if r.Host == "" {
		return "localhost"
	}
	return r.Host
}

// feedbackID returns the ID that SES gives a bounce or a complaint beside the message's: of the form of a message's ID, the
// time first. It is made from the event, so that the event has the same bytes each time.
func feedbackID(h *happening) string {
	if h.complaint != nil && h.complaint.FeedbackID != "" {
		return h.complaint.FeedbackID
	}
	return fmt.Sprintf("0100%012x-%s-000000", h.at.UnixMilli()&(1<<48-1), uuidFrom(h.id))
}

// uuidFrom returns a UUID that is always the same for the same name. It has the form of version 5, which readers know, though it is
// made with SHA-256. Source: RFC 9562 section 5.5.
func uuidFrom(name string) string {
	sum := sha256.Sum256([]byte(name))
	sum[6] = sum[6]&0x0f | 0x50
	sum[8] = sum[8]&0x3f | 0x80
	var text [36]byte
	for i, part := range [][2]int{{0, 4}, {4, 6}, {6, 8}, {8, 10}, {10, 16}} {
		hex.Encode(text[part[0]*2+i:], sum[part[0]:part[1]])
		if i > 0 {
			text[part[0]*2+i-1] = '-'
		}
	}
	return string(text[:])
}

// wordOf returns the part of a type behind the dot: "delivery".
func wordOf(t event.Type) string {
	_, word, _ := strings.Cut(string(t), ".")
	return word
}

// sending is that a message was accepted and will be delivered.
func sending(m *Message) happening {
	return happening{id: m.ID + "/" + wordOf(event.EmailSend), kind: event.EmailSend, at: m.Accepted}
}

// unrendered is that a message could not be made from its template.
func unrendered(m *Message) happening {
	return happening{id: m.ID + "/" + wordOf(event.EmailRenderingFailure), kind: event.EmailRenderingFailure, at: m.Accepted}
}

// happeningsOf is what an outcome is to those who want to be told: one event, or two if a complaint followed at once.
func (r Recorder) happeningsOf(m *Message, o *Outcome) []happening {
	h := happening{id: m.ID + "/" + wordOf(o.Type), kind: o.Type, at: o.At, recipients: addressesOf(m, o.Reply.Recipients)}
	if o.Type == event.EmailReject {
		h.reason = o.Reason
		return []happening{h}
	}
	serial := "/" + strconv.Itoa(o.Serial)
	h.id += serial
	if o.Type == event.EmailBounce {
		h.bounce = r.bounceOf(&o.Reply)
		return []happening{h}
	}
	h.reply = &o.Reply
	if o.Reply.Complaint == nil {
		return []happening{h}
	}
	return []happening{h, {
		id: m.ID + "/" + wordOf(event.EmailComplaint) + serial, kind: event.EmailComplaint, at: o.At,
		recipients: h.recipients, complaint: o.Reply.Complaint,
	}}
}

func (r Recorder) bounceOf(reply *Reply) *bounceNews {
	diagnostic := reply.Text
	if reply.Code != 0 {
		diagnostic = "smtp; " + diagnostic
	}
	return &bounceNews{
		BounceType: bounceTypeOf(reply), action: "failed", status: statusOf(reply),
		diagnostic: diagnostic, reporter: r.host(),
	}
}

// addressesOf returns the recipients with these indexes.
func addressesOf(m *Message, indexes []int) []string {
	all := make([]string, 0, len(indexes))
	for _, i := range slices.Sorted(slices.Values(indexes)) {
		if i >= 0 && i < len(m.Recipients) {
			all = append(all, m.Recipients[i])
		}
	}
	return all
}
