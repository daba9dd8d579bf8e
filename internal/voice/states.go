package voice

import (
	"slices"

	"tidings/internal/event"
)

// follows is the life of a call: which events may come after which. A type without a row
// is final. An answer need not be preceded by ringing.
var follows = map[event.Type][]event.Type{
	"":                   {event.VoiceInitiated},
	event.VoiceInitiated: {event.VoiceRinging, event.VoiceAnswered, event.VoiceBusy, event.VoiceNoAnswer, event.VoiceFailed},
	event.VoiceRinging:   {event.VoiceAnswered, event.VoiceBusy, event.VoiceNoAnswer, event.VoiceFailed},
	event.VoiceAnswered:  {event.VoiceCompleted, event.VoiceFailed},
}

// legal reports whether an event of type t may follow one of type after.
func legal(after, t event.Type) bool { return slices.Contains(follows[after], t) }

// isFinal reports whether an event of type t ends a call.
func isFinal(t event.Type) bool {
	_, known := spellings[t]
	return known && len(follows[t]) == 0
}
