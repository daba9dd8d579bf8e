package voice

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"tidings/internal/event"
)

// Words says in which spelling records name the type of an event.
type Words string

// The spellings.
const (
	WordsV1 Words = "v1" // COMPLETED_CALL, as the event types of API version 1; "" means this
	WordsV2 Words = "v2" // VOICE_COMPLETED, as version 2 writes them
)

// spelling is how records spell a type.
type spelling struct{ v1, v2, status string }

// spellings has each type of event of this channel.
// Source: SMS and Voice API Reference (version 2018-09-05), "EventDestination",
// MatchingEventTypes, for v1; AWS End User Messaging SMS User Guide, "Event types" and
// "Event message format", for v2 and the status.
var spellings = map[event.Type]spelling{
	event.VoiceInitiated: {"INITIATED_CALL", "VOICE_INITIATED", "INITIATED"},
	event.VoiceRinging:   {"RINGING", "VOICE_RINGING", "RINGING"},
	event.VoiceAnswered:  {"ANSWERED", "VOICE_ANSWERED", "ANSWERED"},
	event.VoiceCompleted: {"COMPLETED_CALL", "VOICE_COMPLETED", "COMPLETED"},
	event.VoiceBusy:      {"BUSY", "VOICE_BUSY", "BUSY"},
	event.VoiceNoAnswer:  {"NO_ANSWER", "VOICE_NO_ANSWER", "NO_ANSWER"},
	event.VoiceFailed:    {"FAILED", "VOICE_FAILED", "FAILED"},
}

// Recorder makes events with their records. The zero value writes WordsV1 and no prices.
type Recorder struct {
	Words Words
	// PricePerMinute is what a begun minute of an answered call costs, in US dollars.
	PricePerMinute float64
}

// record is the JSON object of a voice event, version 1.0. AWS has not published the one
// that API version 1 sends; this is its successor's, which differs in the words alone.
// Source: AWS End User Messaging SMS User Guide, "Event message format", voice events.
// Members stand in the order of the sample there.
type record struct {
	EventType                string   `json:"eventType"`
	EventVersion             string   `json:"eventVersion"`
	EventTimestamp           int64    `json:"eventTimestamp"` // ms since 1970
	IsFinal                  bool     `json:"isFinal"`
	OriginationPhoneNumber   string   `json:"originationPhoneNumber"`
	DestinationPhoneNumber   string   `json:"destinationPhoneNumber"`
	ISOCountryCode           string   `json:"isoCountryCode"` // "" = not known
	MessageID                string   `json:"messageId"`
	MessageRequestTimestamp  int64    `json:"messageRequestTimestamp"` // ms since 1970
	MessageStatus            string   `json:"messageStatus"`
	MessageStatusDescription string   `json:"messageStatusDescription,omitempty"` // only where the call did not complete
	CallDurationInSeconds    *int64   `json:"callDurationInSeconds,omitempty"`    // only on final events
	TotalDurationInMinutes   *int64   `json:"totalDurationInMinutes,omitempty"`   // only on final events
	TotalMessagePrice        *float64 `json:"totalMessagePrice,omitempty"`        // only on completed calls
}

const recordVersion = "1.0"

// Event makes the event that t happened to m at that time. For a final type, o tells the
// rest; its Type is not looked at.
//
// A begun second counts as a second and a begun minute as a minute, so the two durations
// never contradict each other: AWS's sample has 60 s as 1 minute and does not say how it
// rounds.
func (r Recorder) Event(m *Message, t event.Type, at time.Time, o Outcome) event.Event {
	at = at.UTC().Truncate(time.Millisecond)
	rec := record{
		EventType:               r.word(t),
		EventVersion:            recordVersion,
		EventTimestamp:          at.UnixMilli(),
		IsFinal:                 isFinal(t),
		OriginationPhoneNumber:  m.Origination.E164(),
		DestinationPhoneNumber:  m.Destination.E164(),
		ISOCountryCode:          m.Country,
		MessageID:               m.ID,
		MessageRequestTimestamp: m.Accepted.UnixMilli(),
		MessageStatus:           spellings[t].status,
	}
	if isFinal(t) {
		seconds := int64((o.Talk + time.Second - 1) / time.Second)
		minutes := (seconds + 59) / 60
		rec.CallDurationInSeconds, rec.TotalDurationInMinutes = &seconds, &minutes
		if t == event.VoiceCompleted {
			rec.TotalMessagePrice = new(r.price(minutes))
		} else {
			rec.MessageStatusDescription = short(o.Reason)
		}
	}
	return event.Event{
		ID: m.ID + "/" + word(t), Type: t, Time: at,
		Tenant: m.Tenant, Set: m.Set, Message: m.ID, Record: encode(&rec),
	}
}

func (r Recorder) word(t event.Type) string {
	if r.Words == WordsV2 {
		return spellings[t].v2
	}
	return spellings[t].v1
}

// price is what so many minutes cost, without the dust of binary fractions.
func (r Recorder) price(minutes int64) float64 {
	const digits = 1e6
	p := math.Round(float64(minutes)*r.PricePerMinute*digits) / digits
	if math.IsNaN(p) || math.IsInf(p, 0) { // JSON has no such number
		return 0
	}
	return p
}

// word is the part of the type behind the dot: "completed".
func word(t event.Type) string {
	_, w, _ := strings.Cut(string(t), ".")
	return w
}

// short cuts a reason that a carrier was too talkative about.
func short(reason string) string {
	const most = 256
	if len(reason) <= most {
		return reason
	}
	cut := most
	for cut > 0 && !utf8.RuneStart(reason[cut]) {
		cut--
	}
	return reason[:cut]
}

// encode writes compact JSON, with <, > and & as they are: the record is no HTML.
func encode(rec *record) []byte {
	var b bytes.Buffer
	b.Grow(512)
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(rec) // cannot fail: strings and finite numbers
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
