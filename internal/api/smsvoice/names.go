package smsvoice

import (
	"tidings/internal/awsapi"
	"tidings/internal/event"
	"tidings/internal/fault"
)

// eventTypes are the words of MatchingEventTypes.
// Source: SMS and Voice API Reference, "Configuration Set Event Destinations", EventType.
var eventTypes = awsapi.Words[event.Type]{One: "an event type", All: "the event types", Of: map[string]event.Type{
	"INITIATED_CALL": event.VoiceInitiated,
	"RINGING":        event.VoiceRinging,
	"ANSWERED":       event.VoiceAnswered,
	"COMPLETED_CALL": event.VoiceCompleted,
	"BUSY":           event.VoiceBusy,
	"FAILED":         event.VoiceFailed,
	"NO_ANSWER":      event.VoiceNoAnswer,
}}

// EventType is the type that a word of MatchingEventTypes stands for. It fails with
// fault.Invalid if there is none.
func EventType(word string) (event.Type, error) { return eventTypes.Read(fault.EventDestination, word) }

// EventWord is the API's word for a type. A type it has no word for, which a later version
// may have stored, is shown in our own spelling.
func EventWord(t event.Type) string { return eventTypes.Word(t, string(t)) }
