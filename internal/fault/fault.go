// Package fault says what a client may be told when a request fails.
//
// A feature returns a fault; the API family that received the request turns the fault's
// Kind and Resource into the exception of its dialect. Whatever is not a fault becomes
// Internal, so a cause that nobody classified can never leak to a client.
package fault

import (
	"errors"
	"fmt"
	"time"
)

// Kind is the class of a fault, by what the client can do about it.
type Kind int

const (
	Internal      Kind = iota // ours to mend; the client may try again
	Invalid                   // the request is wrong and will stay wrong
	NotFound                  // the named resource does not exist
	Exists                    // the named resource exists already
	LimitExceeded             // too many resources; delete some
	Throttled                 // too many requests; wait
	Denied                    // the caller may not do this
	Unavailable               // cannot be served now (no disk space, shutting down); the client should try again
)

var kindNames = [...]string{"internal", "invalid", "not found", "exists", "limit exceeded", "throttled", "denied", "unavailable"}

// String names the kind in lower case, for logs and metrics.
func (k Kind) String() string {
	if k < 0 || int(k) >= len(kindNames) {
		return fmt.Sprintf("kind %d", int(k))
	}
	return kindNames[k]
}

// Resources that a fault can be about. Families whose exceptions differ per resource
// (SES) look at them; others do not.
const (
	ConfigurationSet  = "ConfigurationSet"
	EventDestination  = "EventDestination"
	VoiceMessage      = "VoiceMessage"
	PaginationToken   = "PaginationToken"
	OriginationNumber = "OriginationNumber"
	App               = "App"
	EventStream       = "EventStream"
	Endpoint          = "Endpoint"
	PhoneNumber       = "PhoneNumber"
	EmailMessage      = "EmailMessage"      // its content or its addresses, where the message is refused as a whole
	EmailParameter    = "EmailParameter"    // a parameter of a request to send, such as a tag
	EmailIdentity     = "EmailIdentity"     // an address or a domain that mail is sent from
	EmailTemplate     = "EmailTemplate"     // a template, or its syntax
	RenderingData     = "RenderingData"     // what a template is filled with is no JSON object
	RenderingTag      = "RenderingTag"      // the data lacks something that the template names
	TrackingOptions   = "TrackingOptions"   // of a configuration set
	DeliveryOptions   = "DeliveryOptions"   // of a configuration set
	SetSending        = "SetSending"        // a configuration set that was paused
	AccountSending    = "AccountSending"    // an account that was paused
	SendingRate       = "SendingRate"       // mails per second
	SendingQuota      = "SendingQuota"      // mails per day
	SuppressedAddress = "SuppressedAddress" // an entry of the suppression list
)

// Error is a fault.
type Error struct {
	Kind       Kind
	Resource   string        // which thing the fault is about: one of the constants above, or ""
	Msg        string        // a sentence for the client, about the client's input
	RetryAfter time.Duration // when trying again can succeed; 0 = not known
	Err        error         // the cause: logged, never shown
}

// Error prints the message for the client and, behind it, the cause.
func (e *Error) Error() string {
	if e.Err != nil {
		return e.Msg + ": " + e.Err.Error()
	}
	return e.Msg
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// New makes a fault about resource with a formatted message for the client.
func New(kind Kind, resource, format string, args ...any) *Error {
	return &Error{Kind: kind, Resource: resource, Msg: fmt.Sprintf(format, args...)}
}

// internalMsg is all that a client learns of a fault nobody classified.
const internalMsg = "The service met an internal error. Try again; if it stays, the operator's log has the request ID."

// From returns the fault in err's chain. An err without one becomes Internal, with a
// fixed message and err as its cause. From(nil) is nil.
func From(err error) *Error {
	if err == nil {
		return nil
	}
	if f, ok := errors.AsType[*Error](err); ok {
		return f
	}
	return &Error{Kind: Internal, Msg: internalMsg, Err: err}
}

// Is reports whether err carries a fault of this kind.
func Is(err error, kind Kind) bool {
	f, ok := errors.AsType[*Error](err)
	return ok && f.Kind == kind
}

// shortened is how many characters Shorten leaves.
const shortened = 64

// Shorten keeps what a client sent from filling a message: what is longer than 64 characters is
// cut, and ends in an ellipsis.
func Shorten(s string) string {
	if len(s) <= shortened {
		return s
	}
	runes := []rune(s)
	if len(runes) <= shortened {
		return s
	}
	return string(runes[:shortened]) + "…"
}
