package faults

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// posted is what is known of the mail with a serial.
type posted struct {
	state  state
	id     string // that the server gave it; "" = not known
	kind   mailKind
	to     []string
	ended  []bool // by recipient: the file has its end
	begun  bool   // the file has something of it
	events map[string]*told
	ends   [][]string // by recipient: the final events in the log, by their IDs
	backs  [][]string // by recipient: the events of what came back
}

// told is an event of the log.
type told struct {
	kind string
	// suppressed says that the mail was not handed over (again) to who has bounced or
	// complained meanwhile: that came back before it was on disk that the mail was taken.
	suppressed bool
	sums       []uint64 // of its records; more than one if it was told anew
	arrivals   int      // in the file
}

// postBooks are what the oracle knows of mails. They are safe for concurrent use.
type postBooks struct {
	retold bool // what comes back may be told anew with another time

	mu      sync.Mutex
	seed    maphash.Seed
	mails   []posted // by serial
	ids     map[string]int
	bySum   map[uint64]*told
	lines   []uint64        // sums of the lines of the file
	delays  []time.Duration // of deliveries in simulated mailboxes
	refused int
	refusal string
	soft    int // refusals that are worth trying again
	lonely  int
	fouls   int
	foul    []string
}

func newPostBooks() *postBooks {
	return &postBooks{seed: maphash.MakeSeed(), ids: map[string]int{}, bySum: map[uint64]*told{}}
}

// ask returns the serial of a new mail. to makes its recipients.
func (b *postBooks) ask(kind mailKind, to func(serial int) []string) (serial int, recipients []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	serial = len(b.mails)
	recipients = to(serial)
	b.mails = append(b.mails, posted{state: asked, kind: kind, to: recipients, ended: make([]bool, len(recipients))})
	return serial, recipients
}

func (b *postBooks) acknowledge(serial int, id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mails[serial].state = acknowledged
	b.name(serial, id)
}

func (b *postBooks) refuse(r *refusal) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refused++
	b.refusal = r.Error()
	if r.status >= 500 {
		b.soft++
	}
}

func (b *postBooks) unanswered() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lonely++
}

// complain notes something that must not be. mu is held.
func (b *postBooks) complain(format string, args ...any) {
	const most = 10
	b.fouls++
	if len(b.foul) < most {
		b.foul = append(b.foul, fmt.Sprintf(format, args...))
	}
}

// name notes the ID of a mail: each has one, and none has that of another. mu is held.
func (b *postBooks) name(serial int, id string) {
	m := &b.mails[serial]
	other, taken := b.ids[id]
	switch {
	case m.id == "" && !taken:
		m.id, b.ids[id] = id, serial
	case taken && other != serial:
		b.complain("mail %s is both number %d and number %d", id, other, serial)
	case m.id != id:
		b.complain("number %d is both mail %s and mail %s", serial, m.id, id)
	}
}

// sum is that of the record's bytes. The admin listener, from which the log is read, writes
// angle brackets as JSON for web pages has them.
func (b *postBooks) sum(record []byte) uint64 {
	var escaped bytes.Buffer
	json.HTMLEscape(&escaped, record)
	return maphash.Bytes(b.seed, escaped.Bytes())
}

// identify reads a record. mu is held.
func (b *postBooks) identify(text []byte) (*mailRecord, bool) {
	r, err := parseMailRecord(text)
	if err != nil {
		b.complain("the record %q: %v", text, err)
		return nil, false
	}
	if r.serial >= len(b.mails) {
		b.complain("an event of a mail that nobody has asked for: %s", text)
		return nil, false
	}
	b.name(r.serial, r.Mail.MessageID)
	return r, true
}

// take notes a line of the file. What is first there of a mail that is sent must be that.
func (b *postBooks) take(line []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines = append(b.lines, b.sum(line))
	r, ok := b.identify(line)
	if !ok {
		return
	}
	m := &b.mails[r.serial]
	if sent := m.kind != infected && m.kind != unrenderable; !m.begun && sent && r.EventType != mailSend {
		b.complain("the first event in the file is not that the mail is sent: %s", line)
	}
	first := !m.begun
	m.begun = true
	for _, address := range r.final() {
		if i := slices.Index(m.to, address); i >= 0 {
			first = !m.ended[i]
			m.ended[i] = true
		} else {
			b.complain("an event for somebody to whom the mail was not sent: %s", line)
		}
	}
	if first && r.EventType == mailDelivery && m.kind == simulated {
		b.delays = append(b.delays, time.Duration(r.Delivery.ProcessingTimeMillis)*time.Millisecond)
	}
}

// log notes an event of the event log.
func (b *postBooks) log(id string, text []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	sum := b.sum(text)
	r, ok := b.identify(text)
	if !ok {
		return
	}
	m := &b.mails[r.serial]
	if m.events == nil {
		m.events, m.ends, m.backs = map[string]*told{}, make([][]string, len(m.to)), make([][]string, len(m.to))
	}
	e := m.events[id]
	if e == nil {
		e = &told{kind: r.EventType, suppressed: b.retold && r.Bounce.BounceSubType == "OnAccountSuppressionList"}
		m.events[id] = e
	}
	if !slices.Contains(e.sums, sum) {
		if len(e.sums) > 0 && (!b.retold || !cameBack(id)) {
			b.complain("event %s was logged with other bytes before: %s", id, text)
		}
		e.sums = append(e.sums, sum)
	}
	if other := b.bySum[sum]; other != nil && other != e {
		b.complain("two events have the same bytes: %s", text)
	}
	b.bySum[sum] = e
	if cameBack(id) {
		note(m, m.backs, id, slices.Concat(addresses(r.Bounce.BouncedRecipients), addresses(r.Complaint.ComplainedRecipients)))
		return
	}
	note(m, m.ends, id, r.final())
	for _, address := range r.final() {
		if e.suppressed {
			continue
		}
		if want := wantedEnd(m.kind, fateOf(address)); want != r.EventType {
			b.complain("%s has the event %s, want %s: %s", address, r.EventType, want, text)
		}
	}
}

// note adds an event to those of recipients, each once.
func note(m *posted, list [][]string, id string, recipients []string) {
	for _, address := range recipients {
		if i := slices.Index(m.to, address); i >= 0 && !slices.Contains(list[i], id) {
			list[i] = append(list[i], id)
		}
	}
}

// cameBack reports whether an event is of something that came back.
func cameBack(id string) bool {
	return strings.Contains(id, "/bounce/dsn/") || strings.Contains(id, "/complaint/")
}

func fateOf(address string) string {
	fate, _, _, _ := parseAddress(address)
	return fate
}

// waiting returns how many recipients of acknowledged mails have no end in the file yet;
// only those of some kinds, if any are given.
func (b *postBooks) waiting(kinds ...mailKind) (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range b.mails {
		m := &b.mails[i]
		if m.state != acknowledged || len(kinds) > 0 && !slices.Contains(kinds, m.kind) {
			continue
		}
		for _, ended := range m.ended {
			if !ended {
				n++
			}
		}
	}
	return n
}

// promises counts acknowledged mails.
func (b *postBooks) promises() (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range b.mails {
		if b.mails[i].state == acknowledged {
			n++
		}
	}
	return n
}

func (b *postBooks) refusals() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.refused
}

// delay describes how long mail to simulated mailboxes took since it was asked last.
func (b *postBooks) delay() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer func() { b.delays = nil }()
	return quantiles(b.delays)
}

// quantiles describes durations.
func quantiles(all []time.Duration) string {
	if len(all) == 0 {
		return "none"
	}
	slices.Sort(all)
	at := func(q float64) time.Duration { return all[int(q*float64(len(all)-1))].Round(time.Millisecond) }
	return fmt.Sprintf("%d: %v (half), %v (99 %%), %v (all)", len(all), at(0.5), at(0.99), at(1))
}

// forget forgets what the file had, before it is read once more, and the log.
func (b *postBooks) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines, b.bySum = nil, map[uint64]*told{}
	for i := range b.mails {
		m := &b.mails[i]
		m.begun, m.events, m.ends, m.backs = false, nil, nil, nil
		clear(m.ended)
	}
}

// wantClean fails if anything was complained of.
func (b *postBooks) wantClean(t testing.TB) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fouls > 0 {
		t.Errorf("%d things that must not be, such as:\n%s", b.fouls, strings.Join(b.foul, "\n"))
	}
}
