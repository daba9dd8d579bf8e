package fanout_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"tidings/internal/configset"
	"tidings/internal/event"
	"tidings/internal/fanout"
	"tidings/internal/sink"
)

// owed is one event that one event destination must get.
type owed struct {
	event string
	name  string // of the destination, and of its target
}

// machine is a Courier under random trouble, and what it owes to whom.
type machine struct {
	tb      testing.TB
	rig     *rig
	owes    map[owed]int    // how often
	late    map[owed]bool   // was sent again by hand, perhaps without a first attempt
	events  []event.Event   // all that were published
	wants   map[string]bool // destinations that are there and enabled
	gone    map[string]bool // destinations that are deleted
	removed bool            // c was deleted at least once
	set     map[string]string
	crashes int
	offset  time.Duration // of the wall clock
}

var machineSets = map[string][]string{"s": {"a", "b"}, "t": {"c"}}

func newMachine(tb testing.TB, concurrency, queue int) *machine {
	m := &machine{
		tb: tb, rig: newRig(), owes: map[owed]int{}, late: map[owed]bool{},
		wants: map[string]bool{}, gone: map[string]bool{}, set: map[string]string{},
	}
	for set, names := range machineSets {
		m.rig.sets.put(set, names...)
		for _, name := range names {
			m.wants[name], m.set[name] = true, set
		}
	}
	m.rig.far.limits = sink.Limits{Count: 3, Bytes: 1_000}
	m.rig.inHand = 6
	m.rig.now = func() time.Time { return time.Now().Add(m.offset) }
	m.rig.set = fanout.Settings{
		BackoffMax: time.Minute, GiveUp: 2 * time.Hour, Concurrency: concurrency,
		QueueCount: queue, TotalCount: 4 * queue, ParkCount: 4, ParkBytes: 5_000,
	}
	m.rig.start(tb)
	synctest.Wait()
	return m
}

func (m *machine) destination(t *rapid.T) string {
	return rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "destination")
}

func (m *machine) publish(t *rapid.T) {
	set := rapid.SampledFrom([]string{"s", "t"}).Draw(t, "set")
	events := m.rig.publishCalls(set, rapid.IntRange(1, 6).Draw(t, "messages"), rapid.IntRange(1, 4).Draw(t, "events"))
	m.events = append(m.events, events...)
	for _, e := range events {
		for _, name := range machineSets[set] {
			if m.wants[name] {
				m.owes[owed{e.ID, name}]++
			}
		}
	}
	m.routed()
}

// replay sends some of the events again.
func (m *machine) replay(t *rapid.T) {
	if len(m.events) == 0 || m.rig.lot.full {
		t.Skip("nothing to replay")
	}
	from := rapid.IntRange(0, len(m.events)-1).Draw(t, "from")
	part := m.events[from:min(len(m.events), from+rapid.IntRange(1, 9).Draw(t, "n"))]
	only := m.destination(t)
	want := 0
	done, _ := m.places()
	for _, e := range part {
		if o := (owed{e.ID, only}); m.wants[only] && m.set[only] == e.Set {
			want++
			m.owes[o] = max(m.owes[o], done[o]) + 1
			m.late[o] = true
		}
	}
	n, err := m.rig.courier.Replay(m.tb.Context(), part, func(s fanout.Subscriber) bool { return s.Name == only })
	if n != want || err != nil {
		t.Fatalf("Replay = %d, %v, want %d", n, err, want)
	}
	synctest.Wait()
}

func (m *machine) wake(*rapid.T) {
	m.rig.courier.Wake()
	synctest.Wait()
}

// widen has a destination look as if it had proved that it takes several batches at once.
func (m *machine) widen(t *rapid.T) {
	name := m.destination(t)
	if m.gone[name] {
		t.Skip("it is deleted")
	}
	m.rig.courier.Widen(subscriber(m.set[name], name), rapid.IntRange(1, 8).Draw(t, "width"))
}

// routed waits until everything published has been matched with who wants it now, so that
// the model and the Router agree about it.
func (m *machine) routed() {
	for {
		synctest.Wait()
		m.rig.log.mu.Lock()
		waiting := len(m.rig.log.queue)
		m.rig.log.mu.Unlock()
		if waiting == 0 {
			return
		}
		if m.rig.lot.full { // memory is full, and nothing can leave it
			m.full(false, false)
		}
		time.Sleep(time.Second)
	}
}

func (m *machine) script(t *rapid.T) {
	name := m.destination(t)
	d := newDice(rapid.Uint64().Draw(t, "seed"))
	m.rig.far.script(name, map[string]script{
		"ok":      nil,
		"down":    down,
		"hang":    hang,
		"far":     d.late(func(*sink.Delivery) time.Duration { return 20 * time.Millisecond }),
		"slow":    d.late(func(e *sink.Delivery) time.Duration { return time.Duration(d.roll(e, 20)) * time.Second }),
		"stalls":  d.late(func(e *sink.Delivery) time.Duration { return time.Duration(d.roll(e, 6)/5) * time.Hour }),
		"flaky":   d.flaky,
		"partial": d.partial,
		"busy":    d.busy,
		"poison":  d.poison(errDown),
		"picky":   d.poison(sink.Permanent(errors.New("malformed"))),
	}[rapid.SampledFrom([]string{
		"ok", "down", "hang", "far", "far", "slow", "stalls", "flaky", "partial", "busy", "poison", "picky",
	}).Draw(t, "script")])
}

func (m *machine) pass(t *rapid.T) {
	after(rapid.SampledFrom([]time.Duration{
		10 * time.Millisecond, 300 * time.Millisecond, time.Second, 2 * time.Second, 15 * time.Second, 40 * time.Second,
		3 * time.Minute, 50 * time.Minute,
	}).Draw(t, "time"))
}

func (m *machine) crash(*rapid.T) {
	m.crashes++
	m.rig.stopped()
	done, _ := m.places()
	parked := m.parked()
	for o := range m.owes { // what is not on its way yet is matched anew, with what is wanted now
		if !m.wants[o.name] {
			m.owes[o] = min(m.owes[o], done[o]+parked[o])
		}
	}
	m.rig.log.replay()
	m.rig.start(m.tb)
	m.routed()
}

func (m *machine) stepClock(t *rapid.T) {
	m.offset += time.Duration(rapid.IntRange(-90, 90).Draw(t, "minutes")) * time.Minute
}

func (m *machine) full(lot, morgue bool) {
	m.rig.lot.set(func(l *memoryLot) { l.full = lot })
	m.rig.morgue.mu.Lock()
	defer m.rig.morgue.mu.Unlock()
	m.rig.morgue.full = morgue
}

func (m *machine) fill(t *rapid.T) {
	m.full(rapid.Bool().Draw(t, "lot"), rapid.Bool().Draw(t, "morgue"))
}

func (m *machine) enable(t *rapid.T) {
	name := m.destination(t)
	if m.gone[name] {
		t.Skip("it is deleted")
	}
	m.wants[name] = rapid.Bool().Draw(t, "enabled")
	m.rig.sets.change(m.set[name], name, func(d *configset.EventDestination) { d.Enabled = m.wants[name] })
}

// remove deletes c, the only destination of its set, or makes it anew. What was owed to it
// may still arrive, but is owed no more.
func (m *machine) remove(*rapid.T) {
	if m.gone["c"] {
		m.rig.sets.put("t", "c")
	} else {
		m.rig.sets.remove("t")
	}
	m.removed = true
	m.gone["c"] = !m.gone["c"]
	m.wants["c"] = !m.gone["c"]
	for o := range m.owes {
		if o.name == "c" {
			delete(m.owes, o)
		}
	}
	synctest.Wait()
}

func (m *machine) retry(t *rapid.T) {
	letters := m.rig.morgue.all()
	if len(letters) == 0 || m.rig.lot.full {
		t.Skip("nothing to retry")
	}
	letter := rapid.SampledFrom(letters).Draw(t, "letter")
	if m.gone[letter.Subscriber.Name] {
		t.Skip("its destination is gone")
	}
	if err := m.rig.courier.Retry(m.tb.Context(), letter.ID); err != nil {
		t.Fatalf("Retry = %v", err)
	}
	m.late[owed{letter.Delivery.Event.ID, letter.Subscriber.Name}] = true
	synctest.Wait()
}

// inBubbles checks a property of a machine, each time in simulated time of its own. What
// rapid throws to end a try is carried out of the bubble.
func inBubbles(t *testing.T, property func(t *rapid.T, m *machine)) {
	t.Helper()
	rapid.Check(t, func(rt *rapid.T) {
		var thrown any
		concurrency := rapid.SampledFrom([]int{1, 2, 8}).Draw(rt, "concurrency")
		queue := rapid.SampledFrom([]int{5, 60}).Draw(rt, "queue")
		synctest.Test(t, func(t *testing.T) {
			defer func() { thrown = recover() }()
			m := newMachine(t, concurrency, queue)
			defer func() { m.rig.stopped() }()
			property(rt, m)
			m.finish(rt)
		})
		if thrown != nil {
			panic(thrown)
		}
	})
}

func TestNothingIsLostInAnyTrouble(t *testing.T) {
	t.Parallel()
	inBubbles(t, func(t *rapid.T, m *machine) {
		t.Repeat(map[string]func(*rapid.T){
			"publish":   m.publish,
			"publish2":  m.publish,
			"script":    m.script,
			"script2":   m.script,
			"pass":      m.pass,
			"pass2":     m.pass,
			"pass3":     m.pass,
			"crash":     m.crash,
			"stepClock": m.stepClock,
			"full":      m.fill,
			"enable":    m.enable,
			"remove":    m.remove,
			"retry":     m.retry,
			"replay":    m.replay,
			"wake":      m.wake,
			"widen":     m.widen,
			"":          m.check,
		})
	})
}

func TestNothingIsRepeatedWithoutACrash(t *testing.T) {
	t.Parallel()
	inBubbles(t, func(t *rapid.T, m *machine) {
		t.Repeat(map[string]func(*rapid.T){
			"publish":  m.publish,
			"publish2": m.publish,
			"script":   m.script,
			"script2":  m.script,
			"pass":     m.pass,
			"pass2":    m.pass,
			"enable":   m.enable,
			"retry":    m.retry,
			"replay":   m.replay,
			"wake":     m.wake,
			"widen":    m.widen,
			"full":     m.fill,
			"":         m.check,
		})
	})
}
