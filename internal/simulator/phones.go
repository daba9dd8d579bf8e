package simulator

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"tidings/internal/event"
)

// Phone is what a simulated phone does when it is called.
type Phone struct {
	Behavior    string // its name, for the configuration: "busy"
	Description string
	Events      []event.Type // what a call of it produces

	ring   time.Duration // how long it rings; 0 = it does not ring, or answers before it could
	end    event.Type    // how the call ends
	reason string        // why, if it does not end well
	heard  float64       // how much of the message is heard, 0 to 1, where it is answered
}

// Answers reports whether somebody, or a machine, picks up.
func (p *Phone) Answers() bool { return slices.Contains(p.Events, event.VoiceAnswered) }

// Ring is how long the phone rings before it is picked up or the call ends otherwise; 0 =
// it does not ring.
func (p *Phone) Ring() time.Duration { return p.ring }

// phones are the simulated phones. The index is the last two digits of the number: 00 is
// +1 NPA 555 0100 in every area code NPA. The numbers 555-0100 to 555-0199 are reserved
// for fiction in the North American Numbering Plan, so nobody's phone can ring.
var phones = []Phone{
	{
		Behavior: "answers", Description: "rings 2 s, is answered, hears the whole message",
		Events: []event.Type{event.VoiceInitiated, event.VoiceRinging, event.VoiceAnswered, event.VoiceCompleted},
		ring:   2 * time.Second, end: event.VoiceCompleted, heard: 1,
	},
	{
		Behavior: "busy", Description: "is busy",
		Events: []event.Type{event.VoiceInitiated, event.VoiceBusy},
		end:    event.VoiceBusy, reason: "SIP 486 Busy Here",
	},
	{
		Behavior: "no-answer", Description: "rings 45 s, nobody answers",
		Events: []event.Type{event.VoiceInitiated, event.VoiceRinging, event.VoiceNoAnswer},
		ring:   45 * time.Second, end: event.VoiceNoAnswer, reason: "SIP 487 Request Terminated after 45 s of ringing",
	},
	{
		Behavior: "declines", Description: "rings 3 s, the call is declined",
		Events: []event.Type{event.VoiceInitiated, event.VoiceRinging, event.VoiceFailed},
		ring:   3 * time.Second, end: event.VoiceFailed, reason: "SIP 603 Decline",
	},
	{
		Behavior: "unreachable", Description: "is a number that nobody has",
		Events: []event.Type{event.VoiceInitiated, event.VoiceFailed},
		end:    event.VoiceFailed, reason: "SIP 404 Not Found",
	},
	{
		Behavior: "trunk-error", Description: "cannot be called: the carrier is out of order",
		Events: []event.Type{event.VoiceInitiated, event.VoiceFailed},
		end:    event.VoiceFailed, reason: "SIP 503 Service Unavailable",
	},
	{
		Behavior: "answers-slowly", Description: "rings 20 s, is answered, hears the whole message",
		Events: []event.Type{event.VoiceInitiated, event.VoiceRinging, event.VoiceAnswered, event.VoiceCompleted},
		ring:   20 * time.Second, end: event.VoiceCompleted, heard: 1,
	},
	{
		Behavior: "hangs-up", Description: "rings 2 s, is answered, hangs up in the middle of the message",
		Events: []event.Type{event.VoiceInitiated, event.VoiceRinging, event.VoiceAnswered, event.VoiceCompleted},
		ring:   2 * time.Second, end: event.VoiceCompleted, heard: 0.5, reason: "the callee hung up in the middle of the message",
	},
	{
		Behavior: "machine", Description: "rings 15 s, an answering machine takes the message",
		Events: []event.Type{event.VoiceInitiated, event.VoiceRinging, event.VoiceAnswered, event.VoiceCompleted},
		ring:   15 * time.Second, end: event.VoiceCompleted, heard: 1, reason: "an answering machine answered",
	},
	{
		Behavior: "hangs-up-at-once", Description: "rings 2 s, is answered, hangs up before the first word",
		Events: []event.Type{event.VoiceInitiated, event.VoiceRinging, event.VoiceAnswered, event.VoiceFailed},
		ring:   2 * time.Second, end: event.VoiceFailed, heard: 0, reason: "the callee hung up before the first word",
	},
	{
		Behavior: "answers-at-once", Description: "is answered before it could ring, hears the whole message",
		Events: []event.Type{event.VoiceInitiated, event.VoiceAnswered, event.VoiceCompleted},
		end:    event.VoiceCompleted, heard: 1,
	},
}

// Number is a simulated phone with its number.
type Number struct {
	Number string // E.164
	*Phone
}

// Numbers lists the simulated phones by their numbers in the area code 206. Any other area
// code of the North American Numbering Plan has the same. A number that is not listed
// behaves as the first.
func Numbers() []Number {
	all := make([]Number, len(phones))
	for i := range phones {
		all[i] = Number{fmt.Sprintf("+1206555%04d", 100+i), &phones[i]}
	}
	return all
}

// Behaviors lists the names that the configuration may give to further numbers.
func Behaviors() []string {
	names := make([]string, len(phones))
	for i := range phones {
		names[i] = phones[i].Behavior
	}
	return names
}

// byBehavior returns the phone of that behavior.
func byBehavior(name string) (*Phone, bool) {
	i := slices.IndexFunc(phones, func(p Phone) bool { return p.Behavior == name })
	if i < 0 {
		return nil, false
	}
	return &phones[i], true
}

// find returns the phone that has the number (with or without plus).
func (d *Dialer) find(number string) *Phone {
	if p, ok := d.extra[strings.TrimPrefix(number, "+")]; ok {
		return p
	}
	return Lookup(number)
}

// Lookup returns the phone that has the number, with or without plus: one of Numbers in any
// area code, and the first of them for every other number.
func Lookup(number string) *Phone {
	digits := strings.TrimPrefix(number, "+")
	// 1, area code, 555, 01, two digits.
	if len(digits) == 11 && digits[0] == '1' && digits[4:9] == "55501" {
		if i := int(digits[9]-'0')*10 + int(digits[10]-'0'); i < len(phones) {
			return &phones[i]
		}
	}
	return &phones[0]
}

// file files the numbers that the configuration adds.
func (d *Dialer) file(extra map[string]string) error {
	d.extra = make(map[string]*Phone, len(extra))
	for number, behavior := range extra {
		p, ok := byBehavior(behavior)
		if !ok {
			return fmt.Errorf("simulated number %s: there is no behavior %q, only %s", number, behavior, strings.Join(Behaviors(), ", "))
		}
		digits := strings.TrimPrefix(number, "+")
		if digits == "" || strings.Trim(digits, "0123456789") != "" {
			return fmt.Errorf("simulated number %q: write digits, with a plus or without", number)
		}
		d.extra[digits] = p
	}
	return nil
}
