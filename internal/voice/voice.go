// Package voice sends voice messages: it checks them, accepts them durably, and lives the
// life of each call until exactly one final event tells how it ended.
//
// It follows the Amazon Pinpoint SMS and Voice API, version 2018-09-05. It knows nothing
// of SIP, of audio, or of that API's wire shapes.
package voice

import (
	"context"
	"time"

	"tidings/internal/event"
	"tidings/internal/tenant"
)

// Message is a voice message that was accepted.
type Message struct {
	ID          string // UUID, the MessageId of the API
	Tenant      tenant.Tenant
	Accepted    time.Time     // when the request was received, UTC, in milliseconds
	Destination Phone         // who is called
	Origination Phone         // the account's number the call is placed from
	CallerID    Phone         // shown to the callee instead of Origination; "" = Origination
	Country     string        // of Destination, ISO 3166 alpha-2; "" = not known
	Set         string        // configuration set; "" = none, no events are published
	Content     Content       // what is spoken
	MaxLength   time.Duration // speech beyond it is cut off
}

// ContentKind is the form a message's text has.
type ContentKind string

// The kinds of content.
const (
	PlainText        ContentKind = "plain"
	SSML             ContentKind = "ssml"
	CallInstructions ContentKind = "call_instructions"
)

// Content is what is spoken. Once accepted, Language and Voice are never empty and belong
// together.
type Content struct {
	Kind     ContentKind
	Text     string
	Language string // language code as in Voices, such as "en-US"
	Voice    string // voice ID as in Voices, such as "Joanna"
}

// Speech is a message turned into sound.
type Speech struct {
	File      string        // path of a WAV file; "" when Estimated
	Duration  time.Duration // how long it takes to speak, after cutting
	Estimated bool          // no speech engine is installed: Duration is a guess by word count
}

// Synthesizer turns content into speech of at most limit. It is safe for concurrent use.
type Synthesizer interface {
	Synthesize(ctx context.Context, c Content, limit time.Duration) (Speech, error)
}

// Call is what a Dialer needs to place a call.
type Call struct {
	Message Message
	Speech  Speech
}

// Outcome is how a call ended. A busy line is an outcome, not an error.
type Outcome struct {
	Type   event.Type    // VoiceCompleted, VoiceBusy, VoiceNoAnswer or VoiceFailed
	Talk   time.Duration // from answer to hang-up; 0 if nobody answered
	Reason string        // for people: why it ended so; "" for a plain completion
}

// Dialer places calls. It is safe for concurrent use.
type Dialer interface {
	// Dial places the call, speaks, and returns when the call is over. It calls progress
	// with VoiceRinging and VoiceAnswered as they happen; when progress fails, Dial hangs
	// up and returns that error. When ctx ends, Dial hangs up and returns the outcome so
	// far. An error means that the call's end is not known; the caller reports it as
	// VoiceFailed.
	Dial(ctx context.Context, c Call, progress func(event.Type) error) (Outcome, error)
}

// Queue keeps accepted messages on disk until their calls have ended.
type Queue interface {
	// Put stores the message. When it returns nil, the message survives any crash.
	Put(ctx context.Context, m Message) error
	// Next waits for a message whose call has not ended. After a crash it hands out again
	// every message that was not Done.
	Next(ctx context.Context) (Job, error)
}

// Job is one message to be called.
type Job struct {
	Message Message
	// Begun are the types of the events that an earlier life of this process has put
	// into the event log for this message. With any there, the phone may have rung:
	// the call must not be placed again.
	Begun []event.Type
	// Done forgets the message. Call it once the final event is on disk.
	Done func()
	// Release hands the message back, to be given out again. Call it at shutdown for a
	// call that was not begun.
	Release func()
}

// Publisher appends events to the event log.
type Publisher interface {
	// Publish returns nil once the events are on disk. An event published twice under
	// one ID may be delivered twice.
	Publish(ctx context.Context, events ...event.Event) error
}
