// Package feedback reads what comes back for mail that was sent: bounce messages (RFC 3464, in the form of RFC 6522; and a few
// that only people are meant to read), and complaints (RFC 5965). It is strict about what is a report, and forgiving about how it
// is written, since many servers write it in their own way.
//
// It trusts nothing that it reads, takes time in proportion to the length of a message, and knows nothing of who the message came
// from: everybody can write a report.
package feedback

import (
	"errors"
	"net/mail"
	"strings"
	"time"
)

var (
	// ErrNotReport is returned for a message that is no report of the kind that was asked for.
	ErrNotReport = errors.New("the message is no report")
	// ErrAutomatic is returned for a message that a program has written, but not because of a delivery that failed: somebody
	// is out of office, or has read the message.
	ErrAutomatic = errors.New("the message is an automatic reply")
)

// Sent returns when a message says that it was sent; false = it does not say.
// Source: RFC 5322 section 3.6.1.
func Sent(raw []byte) (at time.Time, ok bool) {
	at, err := mail.ParseDate(read(raw).fields.Get("Date"))
	return at, err == nil
}

// Field is a field of a header, its value unfolded.
type Field struct{ Name, Value string }

// Fields are the fields of a header, in their order.
type Fields []Field

// Get returns the value of the first field of the name, in any case; "" = there is none.
func (f Fields) Get(name string) string {
	for _, one := range f {
		if strings.EqualFold(one.Name, name) {
			return one.Value
		}
	}
	return ""
}

// all returns the values of all fields of the name.
func (f Fields) all(name string) (values []string) {
	for _, one := range f {
		if strings.EqualFold(one.Name, name) {
			values = append(values, one.Value)
		}
	}
	return values
}

// The bounds of what is taken from a report. What is beyond them is left out.
const (
	maxRecipients = 1000
	maxFields     = 1000
	maxText       = 2000 // octets of a value for people, such as a diagnostic
)

// clean returns a text as one line of valid UTF-8, not longer than maxText.
func clean(s string) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "\uFFFD")), " ")
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "")
	}
	return s
}

// address takes the brackets and what else stands around an address away.
func address(s string) string {
	if open := strings.IndexByte(s, '<'); open >= 0 {
		if end := strings.IndexByte(s[open:], '>'); end > 0 {
			s = s[open+1 : open+end]
		}
	}
	s = clean(s)
	if strings.ContainsRune(s, ' ') && !strings.HasPrefix(s, `"`) {
		s, _, _ = strings.Cut(s, " ") // a comment behind it
	}
	return s
}

// typed takes the type away from a value such as "rfc822; a@example.com" (RFC 3464 2.3.1), which some servers leave out.
func typed(s string) string {
	if kind, value, ok := strings.Cut(s, ";"); ok && !strings.ContainsAny(strings.TrimSpace(kind), " @<\"") {
		return strings.TrimSpace(value)
	}
	return strings.TrimSpace(s)
}

// identity returns a Message-ID without its brackets.
func identity(s string) string { return address(s) }
