package sink

import (
	"encoding/json"
	"unicode/utf8"

	"tidings/internal/event"
)

// emailSubject is the subject of notifications about mail.
// Source: notifications recorded from Amazon SES; the SES Developer Guide prints none.
const emailSubject = "Amazon SES Email Event Notification"

// Notification is an event as a topic's subscribers read it.
type Notification struct {
	Subject string // "" = none
	Message string
}

// NotificationOf returns the event as the service that it comes from notifies of it: the record is
// the message. A record that is a JSON string is a message in plain words, and stands without quotes.
func NotificationOf(e *event.Event) Notification {
	n := Notification{Message: string(e.Record)}
	if e.Type.Channel() != event.EmailSend.Channel() {
		return n
	}
	if len(e.Record) > 0 && e.Record[0] == '"' {
		var text string
		if utf8.Valid(e.Record) && json.Unmarshal(e.Record, &text) == nil {
			return Notification{Message: text}
		}
	}
	n.Subject = emailSubject
	return n
}
