package smsvoice

import (
	"maps"
	"slices"
	"strings"

	"tidings/internal/event"
)

// eventTypes are the words of MatchingEventTypes.
// Source: SMS and Voice API Reference, "Configuration Set Event Destinations", EventType.
var eventTypes = map[string]event.Type{
	"INITIATED_CALL": event.VoiceInitiated,
	"RINGING":        event.VoiceRinging,
	"ANSWERED":       event.VoiceAnswered,
	"COMPLETED_CALL": event.VoiceCompleted,
	"BUSY":           event.VoiceBusy,
	"FAILED":         event.VoiceFailed,
	"NO_ANSWER":      event.VoiceNoAnswer,
}

// allEventTypes lists the words for error texts.
var allEventTypes = strings.Join(slices.Sorted(maps.Keys(eventTypes)), ", ")

// eventWords are the words by type.
var eventWords = func() map[event.Type]string {
	words := make(map[event.Type]string, len(eventTypes))
	for word, t := range eventTypes {
		words[t] = word
	}
	return words
}()

// EventType is the type that a word of MatchingEventTypes stands for. It fails with
// fault.Invalid if there is none.
func EventType(word string) (event.Type, error) {
	t, ok := eventTypes[word]
	if !ok {
		return "", invalidDestination("%q is not an event type; the event types are %s.", shorten(word), allEventTypes)
	}
	return t, nil
}

// EventWord is the API's word for a type. A type it has no word for, which a later version
// may have stored, is shown in our own spelling.
func EventWord(t event.Type) string {
	if word, ok := eventWords[t]; ok {
		return word
	}
	return string(t)
}
