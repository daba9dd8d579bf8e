package sipcall

import "time"

// Opening decides when the message begins, for each call that is answered. It is the place
// for detecting answering machines, which want the message after their tone. It must be
// safe for concurrent use.
type Opening interface {
	// Answered is called when a phone was answered, before the first packet is sent.
	Answered() Cue
}

// Cue says when the message of one call begins.
type Cue struct {
	// Silence is sent before the message.
	Silence time.Duration
	// Hear is called with what the callee says, G.711 of the payload type; see
	// rtpaudio.Stream.Listen for what it may do. nil = nobody listens.
	Hear func(payload uint8, data []byte)
	// Begin is closed when the silence, and then the message, may begin; until then
	// nothing is sent. nil = at once. It is waited for as long as the call may last.
	Begin <-chan struct{}
}

// Delay is the Opening that begins after so much silence, whoever has answered.
type Delay time.Duration

// Answered implements Opening.
func (d Delay) Answered() Cue { return Cue{Silence: time.Duration(d)} }
