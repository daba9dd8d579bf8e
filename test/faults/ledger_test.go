package faults

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"slices"
	"strconv"
	"strings"
	"time"
)

// record is the JSON object of a voice event.
type record struct {
	EventType               string   `json:"eventType"`
	EventVersion            string   `json:"eventVersion"`
	EventTimestamp          int64    `json:"eventTimestamp"`
	IsFinal                 *bool    `json:"isFinal"`
	OriginationPhoneNumber  string   `json:"originationPhoneNumber"`
	DestinationPhoneNumber  string   `json:"destinationPhoneNumber"`
	ISOCountryCode          string   `json:"isoCountryCode"`
	MessageID               string   `json:"messageId"`
	MessageRequestTimestamp int64    `json:"messageRequestTimestamp"`
	MessageStatus           string   `json:"messageStatus"`
	StatusDescription       string   `json:"messageStatusDescription"`
	CallDurationInSeconds   *int     `json:"callDurationInSeconds"`
	TotalDurationInMinutes  *int     `json:"totalDurationInMinutes"`
	TotalMessagePrice       *float64 `json:"totalMessagePrice"`

	serial int // of the origination number
	kind   int // index into kinds
}

// parseRecord reads a record strictly.
func parseRecord(text []byte) (*record, error) {
	var r record
	if err := strictly(text, &r); err != nil {
		return nil, err
	}
	if r.kind = slices.Index(kinds, r.EventType); r.kind < 0 {
		return nil, fmt.Errorf("there is no event type %q", r.EventType)
	}
	if r.IsFinal == nil || *r.IsFinal != final(r.kind) || r.MessageID == "" || r.EventTimestamp == 0 {
		return nil, fmt.Errorf("isFinal, messageId or eventTimestamp is missing or wrong")
	}
	number, err := strconv.Atoi(strings.TrimPrefix(r.OriginationPhoneNumber, "+"))
	if err != nil {
		return nil, err
	}
	r.serial = number - numberBase
	return &r, nil
}

func strictly(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if d.More() {
		return fmt.Errorf("something follows the object")
	}
	return nil
}

// envelope is what a webhook gets around a record.
type envelope struct {
	ID               string          `json:"id"`
	Type             string          `json:"type"`
	Timestamp        time.Time       `json:"timestamp"`
	Account          string          `json:"account"`
	Region           string          `json:"region"`
	ConfigurationSet string          `json:"configurationSet"`
	EventDestination string          `json:"eventDestination"`
	Target           string          `json:"target"`
	Data             json.RawMessage `json:"data"`
}

// ledger is what arrived at one event destination. It is guarded by books.mu.
type ledger struct {
	books  *books
	name   string
	seen   map[uint64]occurrence // by the sum of all bytes that came for it
	ids    map[uint64]bool       // sums of the IDs of deliveries: none stands for two events
	boxes  [][kindCount]box      // by serial
	total  int                   // arrivals, repeats included
	recent map[int64]int         // arrivals by second
	delays []time.Duration       // from event to arrival
	timed  bool                  // delays are collected
}

// box is what came for one event.
type box struct {
	shown    bool  // its bytes were seen, taken or not
	arrivals uint8 // how often it was taken
}

// parcel is one event in a request.
type parcel struct {
	occurrence
	id string
	at time.Time // when the event happened
}

// take notes a line of a file.
func (l *ledger) take(line []byte) {
	l.books.mu.Lock()
	defer l.books.mu.Unlock()
	sum := maphash.Bytes(l.books.seed, line)
	o, known := l.seen[sum]
	if !known {
		var ok bool
		if o, ok = l.books.identify(line); !ok {
			return
		}
		l.first(o, sum, line)
	}
	l.count(o)
}

// open notes an envelope, and returns what is in it. It counts nothing: the sink may not
// want it.
func (l *ledger) open(text []byte) (p parcel, ok bool) {
	b := l.books
	var e envelope
	if err := strictly(text, &e); err != nil {
		b.complainf("%s: the envelope %q: %v", l.name, text, err)
		return parcel{}, false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	sum := maphash.Bytes(b.seed, text)
	if o, known := l.seen[sum]; known {
		return parcel{o, e.ID, e.Timestamp}, true
	}
	o, ok := b.identify(e.Data)
	if !ok {
		return parcel{}, false
	}
	if e.ID == "" || e.Account != testAccount || e.Region != testRegion || e.ConfigurationSet != set ||
		e.EventDestination != l.name || e.Target != topicARN(l.name) {
		b.complain("%s: the envelope is not for this destination: %s", l.name, text)
	}
	l.first(o, sum, text)
	if s := maphash.String(b.seed, e.ID); l.ids[s] {
		b.complain("%s: the ID %s stands for two events", l.name, e.ID)
	} else {
		l.ids[s] = true
	}
	return parcel{o, e.ID, e.Timestamp}, true
}

// first notes bytes that came for the first time. mu is held.
func (l *ledger) first(o occurrence, sum uint64, text []byte) {
	l.grow(o.serial)
	b := &l.boxes[o.serial][o.kind]
	if b.shown {
		l.books.complain("%s: a repeated delivery has other bytes: %s", l.name, text)
	}
	b.shown = true
	l.seen[sum] = o
}

func (l *ledger) grow(serial int) {
	if missing := serial + 1 - len(l.boxes); missing > 0 {
		l.boxes = append(l.boxes, make([][kindCount]box, missing)...)
	}
}

// received counts deliveries that the sink takes.
func (l *ledger) received(all []parcel) {
	l.books.mu.Lock()
	defer l.books.mu.Unlock()
	for _, p := range all {
		l.count(p.occurrence)
		if l.timed {
			l.delays = append(l.delays, time.Since(p.at))
		}
	}
}

// count counts an arrival. mu is held.
func (l *ledger) count(o occurrence) {
	l.grow(o.serial)
	if n := &l.boxes[o.serial][o.kind].arrivals; *n < 255 {
		*n++
	}
	l.total++
	if l.recent != nil {
		l.recent[time.Now().Unix()]++
	}
}

func (l *ledger) hasFinal(serial int) bool {
	if serial >= len(l.boxes) {
		return false
	}
	for kind := completed; kind < kindCount; kind++ {
		if l.boxes[serial][kind].arrivals > 0 {
			return true
		}
	}
	return false
}

// compare compares what arrived with what the log holds. mu is held.
func (l *ledger) compare() (arrived, missing, repeats int) {
	l.grow(len(l.books.calls) - 1)
	for serial := range l.books.calls {
		c := &l.books.calls[serial]
		for kind, logged := range c.logged {
			n := int(l.boxes[serial][kind].arrivals)
			switch {
			case logged && n == 0:
				missing++
			case !logged && n > 0:
				l.books.complain("%s: an event arrived that is not in the log: %s of %s", l.name, kinds[kind], c.id)
			}
			if n > 0 {
				arrived++
				repeats += n - 1
			}
		}
	}
	return arrived, missing, repeats
}

// arrivedLately counts what arrived in the last seconds.
func (l *ledger) arrivedLately(seconds int64) int {
	l.books.mu.Lock()
	defer l.books.mu.Unlock()
	n, now := 0, time.Now().Unix()
	for at, k := range l.recent {
		if now-at <= seconds {
			n += k
		}
	}
	return n
}

// arrived counts arrivals, repeats included.
func (l *ledger) arrived() int {
	l.books.mu.Lock()
	defer l.books.mu.Unlock()
	return l.total
}

// time begins to collect how long events take to the ledger.
func (l *ledger) time() {
	l.books.mu.Lock()
	defer l.books.mu.Unlock()
	l.timed = true
}

// clear forgets all arrivals.
func (l *ledger) clear() {
	l.books.mu.Lock()
	defer l.books.mu.Unlock()
	l.seen, l.boxes, l.total = map[uint64]occurrence{}, nil, 0
}
