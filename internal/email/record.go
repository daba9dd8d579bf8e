package email

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
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

// events makes the events for what happened to m: none for a message without a configuration set, else one for each
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

// recordForm is how records tell of one type of event.
type recordForm struct {
	name      string // eventType of SES
	newsFirst bool   // the object with the news stands before mail
	news      func(w *recordWriter, r Recorder, m *Message, h *happening)

	pinpoint     string // event_type of Pinpoint behind "_email."; "" = it depends on the news
	feedback     string // attribute of Pinpoint; "" = as event_type, or it depends on the news
	pinpointNews func(w *recordWriter, r Recorder, m *Message, h *happening)
}

// recordForms has each type of event of this channel. Members stand in the order of the samples.
// Source: SES Developer Guide, "Examples of event data that Amazon SES publishes to Amazon SNS"; Amazon Pinpoint Developer Guide,
// "Email events".
var recordForms = map[event.Type]recordForm{
	event.EmailSend:             {"Send", false, sesSend, "send", "received", sesSend},
	event.EmailDelivery:         {"Delivery", false, sesDelivery, "delivered", "", pinpointDelivery},
	event.EmailBounce:           {"Bounce", true, sesBounce, "", "", pinpointBounce},
	event.EmailComplaint:        {"Complaint", true, sesComplaint, "complaint", "", pinpointComplaint},
	event.EmailReject:           {"Reject", false, sesReject, "rejected", "", sesReject},
	event.EmailOpen:             {"Open", false, sesOpen, "open", "opened", pinpointOpen},
	event.EmailClick:            {"Click", true, sesClick, "click", "", pinpointClick},
	event.EmailRenderingFailure: {"Rendering Failure", false, sesFailure, "rendering_failure", "", pinpointFailure},
}

// record returns the JSON object that SES would send.
func (r Recorder) record(m *Message, h *happening) []byte {
	form := recordForms[h.kind]
	w := &recordWriter{buf: make([]byte, 0, 1536)}
	w.open()
	w.text("eventType", form.name)
	if !form.newsFirst {
		w.mail(m, h)
	}
	form.news(w, r, m, h)
	if form.newsFirst {
		w.mail(m, h)
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
	tags := maps.Clone(m.Tags)
	if tags == nil {
		tags = map[string][]string{}
	}
	if h.reply.LocalIP != "" {
		tags[tagOutgoingIP] = []string{h.reply.LocalIP}
	}
	if h.reply.TLS != "" {
		tags[tagOutgoingTLS] = []string{h.reply.TLS}
	}
	return tags
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

// addressesOf returns the recipients with these indexes, in their order.
func addressesOf(m *Message, indexes []int) []string {
	all := make([]string, 0, len(indexes))
	for _, i := range indexes {
		if i >= 0 && i < len(m.Recipients) {
			all = append(all, m.Recipients[i])
		}
	}
	return all
}
