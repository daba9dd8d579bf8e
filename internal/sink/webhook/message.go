package webhook

import (
	"crypto/rand"
	"crypto/sha1"
	"fmt"
	"maps"
	"net/http"
	"time"
)

// The types of SNS messages.
// Source: Amazon SNS Developer Guide, "HTTP/HTTPS headers".
const (
	typeNotification = "Notification"
	typeConfirmation = "SubscriptionConfirmation"
	typeUnsubscribed = "UnsubscribeConfirmation"
)

// message is what SNS posts to an endpoint.
type message struct {
	kind         string // one of the types
	id           string // a UUID, the same when it is sent again
	topic        string // ARN
	subscription string // ARN
	subject      string // "" = none
	text         string
	at           time.Time
	token        string // not of notifications
	subscribe    string // URL; not of notifications
	unsubscribe  string // URL; only of notifications
}

// canonical returns what is signed: names and values, each on a line, in byte order of the
// names.
// Source: Amazon SNS Developer Guide, "Verifying the signatures of Amazon SNS messages".
func (m *message) canonical() []byte {
	at := m.at.UTC().Format(timeForm)
	pairs := []string{
		"Message", m.text, "MessageId", m.id, "Subject", m.subject, "SubscribeURL", m.subscribe, "Timestamp", at,
		"Token", m.token, "TopicArn", m.topic, "Type", m.kind,
	}
	b := make([]byte, 0, len(m.text)+512)
	for i := 0; i < len(pairs); i += 2 {
		if m.kind == typeNotification && (pairs[i] == "SubscribeURL" || pairs[i] == "Token") || pairs[i] == "Subject" && m.subject == "" {
			continue
		}
		b = append(append(b, pairs[i]...), '\n')
		b = append(append(b, pairs[i+1]...), '\n')
	}
	return b
}

// encode returns the body, laid out as SNS does it.
// Source: Amazon SNS Developer Guide, "Parsing Amazon SNS message formats", the samples.
func (m *message) encode(signature, certificate string) []byte {
	b := make([]byte, 0, len(m.text)+len(m.text)/4+1_600)
	b = append(b, '{')
	member := func(name, value string) {
		if b[len(b)-1] != '{' {
			b = append(b, ',')
		}
		b = append(b, "\n  \""...)
		b = append(b, name...)
		b = append(b, "\" : "...)
		b = appendString(b, value)
	}
	member("Type", m.kind)
	member("MessageId", m.id)
	if m.token != "" {
		member("Token", m.token)
	}
	member("TopicArn", m.topic)
	if m.subject != "" {
		member("Subject", m.subject)
	}
	member("Message", m.text)
	if m.subscribe != "" {
		member("SubscribeURL", m.subscribe)
	}
	member("Timestamp", m.at.UTC().Format(timeForm))
	member("SignatureVersion", "1")
	member("Signature", signature)
	member("SigningCertURL", certificate)
	if m.unsubscribe != "" {
		member("UnsubscribeURL", m.unsubscribe)
	}
	return append(b, "\n}"...)
}

// header adds the message's own headers to those of the binding. A SubscriptionConfirmation
// has no subscription yet.
// Source: Amazon SNS Developer Guide, "HTTP/HTTPS headers".
func (m *message) header(binding http.Header) http.Header {
	h := make(http.Header, len(binding)+4)
	maps.Copy(h, binding)
	h["X-Amz-Sns-Message-Type"] = []string{m.kind}
	h["X-Amz-Sns-Message-Id"] = []string{m.id}
	h["X-Amz-Sns-Topic-Arn"] = []string{m.topic}
	if m.kind != typeConfirmation {
		h["X-Amz-Sns-Subscription-Arn"] = []string{m.subscription}
	}
	return h
}

// nameSpace is the name space of our UUIDs, drawn at random once.
var nameSpace = [16]byte{0x4f, 0x0b, 0x6a, 0x51, 0x0e, 0x1d, 0x4c, 0x93, 0x9b, 0x3e, 0x52, 0xd5, 0x7c, 0x68, 0xe4, 0x1f}

// nameUUID makes a UUID of a name, the same at every time: version 5 of RFC 9562 section 5.5.
// It is an identifier and no secret.
func nameUUID(name string) [16]byte {
	h := sha1.New()
	_, _ = h.Write(nameSpace[:]) // never fails
	_, _ = h.Write([]byte(name))
	u := [16]byte(h.Sum(nil)[:16])
	u[6] = u[6]&0x0f | 0x50
	u[8] = u[8]&0x3f | 0x80
	return u
}

// formatUUID prints a UUID. Source: RFC 9562 section 4.
func formatUUID(u [16]byte) string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}

// requestID makes the ID of an answer of SNS: a random UUID, version 4 of RFC 9562.
func requestID() string {
	var u [16]byte
	_, _ = rand.Read(u[:]) // never fails
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	return formatUUID(u)
}
