// Package email sends mail and tells what became of it: it checks messages, accepts them durably, lives the life of each until
// every recipient has its outcome, and takes in what comes back later: bounces, complaints, opens and clicks.
//
// It follows the Amazon SES API (versions 2010-12-01 and 2) and the Amazon Pinpoint Email API. It knows nothing of their wire
// shapes, of SMTP, of HTTP, or of how anything is kept.
package email

import (
	"context"
	"time"

	"tidings/internal/event"
	"tidings/internal/tenant"
)

// Message is a mail that was accepted, without its content.
type Message struct {
	ID       string // as SES makes them; see NewID
	Tenant   tenant.Tenant
	Accepted time.Time // when the request was received, UTC, in milliseconds
	// Source is who sends, as the client wrote it: an address, perhaps with a name.
	Source     string
	SourceARN  string   // the identity's ARN
	Sender     string   // the address within Source
	ReturnPath string   // where the client wants copies of bounces and complaints; "" = nowhere
	Recipients []string // addresses in the order To, Cc, Bcc, each once, in the client's spelling
	Set        string   // configuration set; "" = none, no events are published
	// Tags of the message, those of the client and the automatic ones (ses:…), by name.
	Tags map[string][]string
	// Headers are the first fields of the message's header, as events show them; HeadersTruncated says that some are missing.
	Headers          []Header
	HeadersTruncated bool
	Common           CommonHeaders
	Template         string // the template's name; "" = none
	// Failure says why the message could not be made from its template; "" = it could.
	Failure string
	Size    int // of the content in bytes
}

// Header is a field of a message's header, its value unfolded.
type Header struct{ Name, Value string }

// CommonHeaders are fields that events show in a form that is easy to read. Lists hold what the field holds, names included.
type CommonHeaders struct {
	From, Sender, ReplyTo, To, Cc, Bcc []string
	ReturnPath, Date, Subject          string // "" = the message has none
	MessageID                          string
}

// Letter is a message with its content: what is accepted.
type Letter struct {
	Message Message
	Raw     []byte // the message as RFC 5322 has it, CRLF line ends; empty if Message.Failure is set
}

// Verdict is what became of a recipient at one attempt.
type Verdict int

// The verdicts.
const (
	Delivered Verdict = iota + 1 // the recipient's server took the message
	Deferred                     // it may take it later
	Refused                      // it never will
)

// Reply is what became of some recipients at one attempt, and what the far end said.
type Reply struct {
	Recipients []int // indexes into Message.Recipients
	Verdict    Verdict
	Code       int    // of the SMTP reply; 0 = there was none
	Enhanced   string // RFC 3463, such as "5.1.1"; "" = none
	Text       string // the reply as it came, code included: "250 2.0.0 Ok: queued as 4F2"; or why there was none
	Host       string // name of the server that replied; "" = none did
	RemoteIP   string // its address
	LocalIP    string // address that we sent from
	TLS        string // "TLSv1.3"; "" = none
	// Bounce overrides what the status says: the type and subtype of the bounce; zero = by Classify.
	Bounce BounceType
	// Complaint is a complaint that follows the delivery at once, as the mailbox simulator has it; nil = none.
	Complaint *Complaint
}

// BounceType is how SES classes a bounce. It is comparable.
// Source: SES Developer Guide, "Contents of event data", Bounce types.
type BounceType struct{ Type, SubType string }

// Complaint is what a recipient, or the recipient's server, complained of.
type Complaint struct {
	Recipients []string // addresses
	SubType    string   // "OnAccountSuppressionList"; "" = none
	UserAgent  string   // of the report's generator
	Type       string   // feedback type of RFC 5965: "abuse"; "" = not said
	FeedbackID string
	Arrived    time.Time // when the provider got the message; zero = not said
	At         time.Time // when the complaint was sent; zero = now
}

// Parcel is what a Transport needs to hand a message over.
type Parcel struct {
	ID         string
	Tenant     tenant.Tenant
	From       string // envelope sender
	Recipients []string
	Indexes    []int // of Recipients in Message.Recipients: what replies name
	Data       []byte
	RequireTLS bool
}

// Transport hands messages over to the servers of their recipients. It is safe for concurrent use.
type Transport interface {
	// Deliver makes one attempt and returns what became of each recipient, each in exactly one reply, grouped as the far
	// end replied. When ctx ends, what is left is Deferred.
	Deliver(ctx context.Context, p Parcel) []Reply
}

// State is where the life of a message stands. It is kept on disk beside the message.
type State struct {
	Open     []int     // recipients without an outcome, as indexes
	Attempts int       // made so far
	Due      time.Time // when the next attempt is; zero = now
	Serial   int       // how many outcomes there have been: the number of the next
	// Outcomes are on disk, but maybe not yet in the event log. They are published, again if need be, before anything else.
	Outcomes []Outcome
	Last     Reply // the last deferral: what a bounce says when time is up
}

// Outcome is the end of a message for some of its recipients.
type Outcome struct {
	Serial int
	Type   event.Type // EmailDelivery, EmailBounce or EmailReject
	At     time.Time  // UTC, milliseconds
	Reply  Reply
	Reason string // of a reject
}

// Spool keeps accepted messages on disk until each recipient has its outcome; and their heads, for a while, so that what comes
// back later can be told of. It is safe for concurrent use.
type Spool interface {
	// Put stores messages, all or none. When it returns nil, they survive any crash. It fails with fault.Unavailable when
	// there is no room.
	Put(ctx context.Context, all ...Letter) error
	// Next waits for a message whose time has come. After a crash it hands out again every message that was not Done.
	Next(ctx context.Context) (Job, error)
	// Find returns a message that was accepted, and is remembered still.
	Find(ctx context.Context, id string) (m Message, ok bool, err error)
}

// Job is one message to be worked on. Exactly one of Done, Wait and Release ends it.
type Job struct {
	Message Message
	State   State
	// Content reads the message as it was accepted.
	Content func(ctx context.Context) ([]byte, error)
	// Save stores the state. When it returns nil, the state survives any crash.
	Save func(ctx context.Context, s State) error
	// Done forgets the content. It does not wait for the disk.
	Done func()
	// Wait stores the state, and hands the message out again when s.Due has come. It does not wait for the disk.
	Wait func(s State)
	// Release hands the message back, to be given out again. Call it at shutdown.
	Release func()
}

// Publisher appends events to the event log.
type Publisher interface {
	// Publish returns nil once the events are on disk. An event published twice under one ID may be delivered twice.
	Publish(ctx context.Context, events ...event.Event) error
}

// Scanner looks for what must not be sent. It is safe for concurrent use.
type Scanner interface {
	// Scan returns what is wrong with the message; "" = nothing. An error means that it could not be found out.
	Scan(ctx context.Context, raw []byte) (threat string, err error)
}

// Tracker puts what reports opens and clicks into a message. It is safe for concurrent use.
type Tracker interface {
	// Track returns the message with links rewritten and a pixel added, as far as asked for; attributes that only concern
	// tracking are taken out in any case. host is the set's own domain for links; "" = the server's.
	Track(raw []byte, id, host string, opens, clicks bool) ([]byte, error)
}

// Signer signs messages with DKIM. It is safe for concurrent use.
type Signer interface {
	// Sign returns the message with a signature for the sender's domain, or as it is if there is no key for that.
	Sign(ctx context.Context, t tenant.Tenant, sender string, raw []byte) ([]byte, error)
}

// ReturnPaths make the envelope senders that bounces come back to. They are safe for concurrent use.
type ReturnPaths interface {
	// For returns the envelope sender for a message; "" = there is no domain for it, and the sender itself is taken.
	For(id string) string
}
