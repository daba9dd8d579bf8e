package faults

import (
	"fmt"
	"hash/maphash"
	"strings"
	"sync"
	"testing"
)

// kinds are the types of events, as records and the API spell them.
var kinds = []string{"INITIATED_CALL", "RINGING", "ANSWERED", "COMPLETED_CALL", "BUSY", "NO_ANSWER", "FAILED"}

const (
	initiated = iota
	ringing
	answered
	completed
	kindCount = 7
)

func final(kind int) bool { return kind >= completed }

// occurrence is one event: something that happened to the message with the serial.
type occurrence struct {
	serial int
	kind   int
}

// state is what the client knows of a message.
type state uint8

const (
	never        state = iota // was not asked for
	asked                     // no answer, or an error: it may have been accepted or not
	acknowledged              // a promise
)

// call is what is known of the message with a serial.
type call struct {
	state  state
	id     string            // that the server gave it; "" = not known
	sums   [kindCount]uint64 // of its records; 0 = none was seen
	logged [kindCount]bool   // which of them the event log holds
}

// books are what the oracle knows: what was asked for, what was promised, and what came.
// They are safe for concurrent use.
type books struct {
	seed    maphash.Seed
	mu      sync.Mutex
	calls   []call // by serial; never shrinks
	ids     map[string]int
	ledgers []*ledger
	refused int // answers that are no success
	refusal string
	lonely  int // requests without an answer
	fouls   int // what must not be
	foul    []string
}

// newBooks opens books with a ledger per event destination.
func newBooks(topics ...string) *books {
	b := &books{seed: maphash.MakeSeed(), ids: map[string]int{}}
	for _, name := range append(topics, fileTarget) {
		b.ledgers = append(b.ledgers, &ledger{books: b, name: name, seen: map[uint64]occurrence{}, ids: map[uint64]bool{}})
	}
	return b
}

func (b *books) ledger(name string) *ledger {
	for _, l := range b.ledgers {
		if l.name == name {
			return l
		}
	}
	return nil
}

// ask returns the serial of a new message.
func (b *books) ask() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls = append(b.calls, call{state: asked})
	return len(b.calls) - 1
}

func (b *books) acknowledge(serial int, id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls[serial].state = acknowledged
	b.name(serial, id)
}

func (b *books) refuse(_ int, r *refusal) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refused++
	b.refusal = r.Error()
}

func (b *books) unanswered(int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lonely++
}

// complain notes something that must not be. mu is held.
func (b *books) complain(format string, args ...any) {
	const most = 10
	b.fouls++
	if len(b.foul) < most {
		b.foul = append(b.foul, fmt.Sprintf(format, args...))
	}
}

func (b *books) complainf(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.complain(format, args...)
}

// name notes the ID of a message: each has one, and none has that of another. mu is held.
func (b *books) name(serial int, id string) {
	c := &b.calls[serial]
	other, taken := b.ids[id]
	switch {
	case c.id == "" && !taken:
		c.id, b.ids[id] = id, serial
	case taken && other != serial:
		b.complain("message %s is both number %d and number %d", id, other, serial)
	case c.id != id:
		b.complain("number %d is both message %s and message %s", serial, c.id, id)
	}
}

// numberBase is a number of the North American Numbering Plan to which serials are added.
const numberBase = 12_062_000_000

// numberOf is the origination number that carries the serial.
func numberOf(serial int) string { return fmt.Sprintf("+%d", numberBase+serial) }

// identify tells which event a record is of. It complains of one that is not as it must be
// or as it was before, and then returns false. mu is held.
func (b *books) identify(text []byte) (occurrence, bool) {
	r, err := parseRecord(text)
	if err != nil {
		b.complain("the record %q: %v", text, err)
		return occurrence{}, false
	}
	if r.serial < 0 || r.serial >= len(b.calls) {
		b.complain("an event of a message that nobody has asked for: %s", text)
		return occurrence{}, false
	}
	b.name(r.serial, r.MessageID)
	c, sum := &b.calls[r.serial], maphash.Bytes(b.seed, text)
	if c.sums[r.kind] == 0 {
		c.sums[r.kind] = sum
	}
	if c.sums[r.kind] != sum {
		b.complain("a record came with other bytes before: %s", text)
		return occurrence{}, false
	}
	return occurrence{r.serial, r.kind}, true
}

// log notes an event of the event log.
func (b *books) log(text []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if o, ok := b.identify(text); ok {
		b.calls[o.serial].logged[o.kind] = true
	}
}

// totals of the books.
type totals struct {
	acknowledged int
	logged       int // events in the log
	open         int // acknowledged messages, and others of which there are events, without a final event in the log
	owed         int // deliveries: logged events, once per destination
	arrived      int // of them
	lost         int // of them: what is owed and did not arrive
	duplicates   int // deliveries that repeat an earlier one
}

// close compares what was promised and logged with what arrived. It complains of calls
// that no phone can have had, and of arrivals that the log does not know.
func (b *books) close() totals {
	b.mu.Lock()
	defer b.mu.Unlock()
	var sum totals
	for serial := range b.calls {
		c := &b.calls[serial]
		if c.state == acknowledged {
			sum.acknowledged++
		}
		ended, events := b.audit(serial, c)
		sum.logged += events
		sum.owed += events * len(b.ledgers)
		if !ended && (c.state == acknowledged || events > 0) {
			sum.open++
		}
	}
	for _, l := range b.ledgers {
		arrived, missing, repeats := l.compare()
		sum.arrived += arrived
		sum.lost += missing
		sum.duplicates += repeats
	}
	return sum
}

// audit looks whether the logged events of one call are a way through a call: initiated,
// then perhaps ringing, then perhaps answered, then one end. mu is held.
func (b *books) audit(serial int, c *call) (ended bool, events int) {
	finals := 0
	for kind, there := range c.logged {
		if !there {
			continue
		}
		events++
		if final(kind) {
			finals++
		}
	}
	if events > 0 && (!c.logged[initiated] || c.logged[completed] && !c.logged[answered]) {
		b.complain("the log has an impossible call, number %d: %s", serial, c.story())
	}
	if finals > 1 {
		b.complain("the log has a call with %d ends, number %d: %s", finals, serial, c.story())
	}
	return finals > 0, events
}

// story lists the logged events of the call.
func (c *call) story() string {
	var all []string
	for kind, there := range c.logged {
		if there {
			all = append(all, kinds[kind])
		}
	}
	return c.id + " " + strings.Join(all, " ")
}

// waiting returns how many acknowledged messages have no final event at some destination
// yet. It costs much less than reading the log.
func (b *books) waiting() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for serial := range b.calls {
		if b.calls[serial].state != acknowledged {
			continue
		}
		for _, l := range b.ledgers {
			if !l.hasFinal(serial) {
				n++
				break
			}
		}
	}
	return n
}

// arrivals counts what arrived everywhere, repeats included.
func (b *books) arrivals() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for _, l := range b.ledgers {
		n += l.total
	}
	return n
}

// wantClean fails if anything was complained of.
func (b *books) wantClean(t testing.TB) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fouls > 0 {
		t.Errorf("%d things that must not be, such as:\n%s", b.fouls, strings.Join(b.foul, "\n"))
	}
}
