package rtpaudio

// keypad is the keys by their event codes (RFC 4733 section 3.2).
const keypad = "0123456789*#ABCD"

// segment is how much longer a key is held when its event goes on under a new timestamp
// (RFC 4733 section 2.5.1.3).
const segment = 0xffff

// digits are the keys that were pressed.
type digits struct {
	begun     bool
	timestamp uint32 // of the last event
	event     byte
	ended     bool // its end was heard
	pressed   []byte
}

// hear takes a telephone-event. It reports true when it is a key that was not heard
// before. A key counts from its first packet that arrives: all packets of an event carry
// one timestamp, so repeated ends add nothing, and lost ends take nothing away.
func (d *digits) hear(timestamp uint32, payload []byte) bool {
	if len(payload) < 4 || int(payload[0]) >= len(keypad) {
		return false
	}
	event, end := payload[0], payload[1]&0x80 != 0
	ahead := int32(timestamp - d.timestamp)
	switch {
	case d.begun && ahead < 0: // an old one, late
		return false
	case d.begun && ahead == 0:
		d.ended = d.ended || end
		return false
	case d.begun && ahead == segment && event == d.event && !d.ended:
		d.timestamp, d.ended = timestamp, end
		return false
	}
	*d = digits{begun: true, timestamp: timestamp, event: event, ended: end, pressed: d.pressed}
	if len(d.pressed) >= MaxDigits {
		return false
	}
	d.pressed = append(d.pressed, keypad[event])
	return true
}
