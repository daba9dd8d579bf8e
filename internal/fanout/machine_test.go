package fanout_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"tidings/internal/configset"
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
	owes    map[owed]bool
	wants   map[string]bool // destinations that are there and enabled
	gone    map[string]bool // destinations that are deleted
	set     map[string]string
	crashes int
	offset  time.Duration // of the wall clock
}

var machineSets = map[string][]string{"s": {"a", "b"}, "t": {"c"}}

func newMachine(tb testing.TB) *machine {
	m := &machine{tb: tb, rig: newRig(), owes: map[owed]bool{}, wants: map[string]bool{}, gone: map[string]bool{}, set: map[string]string{}}
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
		BackoffMax: time.Minute, GiveUp: 2 * time.Hour,
		QueueCount: 5, TotalCount: 20, ParkCount: 4, ParkBytes: 5_000,
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
	for _, id := range m.rig.publish(set, rapid.IntRange(1, 12).Draw(t, "n")) {
		for _, name := range machineSets[set] {
			if m.wants[name] {
				m.owes[owed{id, name}] = true
			}
		}
	}
	m.routed()
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
	seed := rapid.Uint64().Draw(t, "seed")
	random := rand.New(rand.NewPCG(seed, seed))
	m.rig.far.script(name, map[string]script{
		"ok":   nil,
		"down": down,
		"hang": hang,
		"slow": func(ctx context.Context, _ []sink.Delivery) error {
			select {
			case <-time.After(time.Duration(random.IntN(20)) * time.Second):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		},
		"flaky": func(context.Context, []sink.Delivery) error {
			if random.IntN(2) == 0 {
				return errDown
			}
			return nil
		},
		"partial": func(_ context.Context, batch []sink.Delivery) error {
			failed := map[int]error{}
			for i := range batch {
				switch random.IntN(4) {
				case 0:
					failed[i] = errDown
				case 1:
					failed[i] = sink.Permanent(errors.New("malformed"))
				}
			}
			if len(failed) == 0 {
				return nil
			}
			return &sink.PartialError{Failed: failed}
		},
		"poison": func(_ context.Context, batch []sink.Delivery) error {
			for i := range batch {
				if id := batch[i].Event.ID; id[5]%3 == 0 {
					return errDown
				}
			}
			return nil
		},
		"picky": func(_ context.Context, batch []sink.Delivery) error {
			for i := range batch {
				if id := batch[i].Event.ID; id[5]%3 == 1 {
					return sink.Permanent(errors.New("malformed"))
				}
			}
			return nil
		},
	}[rapid.SampledFrom([]string{"ok", "down", "hang", "slow", "flaky", "partial", "poison", "picky"}).Draw(t, "script")])
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
	for o := range m.owes { // what is not on its way yet is matched anew, with what is wanted now
		parked := slices.Contains(m.rig.lot.events(subscriber(m.set[o.name], o.name)), o.event)
		if !m.wants[o.name] && !parked && done[o] == 0 {
			delete(m.owes, o)
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
	synctest.Wait()
}

// places says where an obligation is: how often delivered or buried, and whether the disk
// still has it.
func (m *machine) places() (done map[owed]int, kept map[owed]bool) {
	done, kept = map[owed]int{}, map[owed]bool{}
	for _, name := range []string{"a", "b", "c"} {
		for _, id := range m.rig.far.arrived(name) {
			done[owed{id, name}]++
		}
		for _, id := range m.rig.lot.events(subscriber(m.set[name], name)) {
			kept[owed{id, name}] = true
		}
	}
	for _, letter := range m.rig.morgue.all() {
		done[owed{letter.Delivery.Event.ID, letter.Subscriber.Name}]++
	}
	m.rig.log.mu.Lock()
	defer m.rig.log.mu.Unlock()
	for _, events := range m.rig.log.open {
		for _, e := range events {
			for _, name := range machineSets[e.Set] {
				kept[owed{e.ID, name}] = true
			}
		}
	}
	return done, kept
}

// check looks for what is lost at any moment.
func (m *machine) check(t *rapid.T) {
	synctest.Wait()
	done, kept := m.places()
	for o := range m.owes {
		if done[o] == 0 && !kept[o] {
			t.Fatalf("%v is lost: neither delivered nor buried nor on disk", o)
		}
		if m.crashes == 0 && done[o] > 1 {
			t.Fatalf("%v was delivered or buried %d times, and nothing has crashed", o, done[o])
		}
	}
	pending := 0
	for _, s := range m.rig.courier.Status() {
		pending += s.Pending
	}
	if most := m.rig.set.TotalCount + 3*m.rig.far.limits.Count + 3*4; pending > most {
		t.Fatalf("%d deliveries in memory", pending)
	}
}

// finish mends everything and wants every obligation met.
func (m *machine) finish(t *rapid.T) {
	m.full(false, false)
	for name, set := range m.set {
		m.rig.far.script(name, nil)
		if !m.gone[name] {
			m.rig.sets.change(set, name, func(d *configset.EventDestination) { d.Enabled = true })
		}
	}
	after(30 * time.Minute)
	m.check(t)
	done, _ := m.places()
	for o := range m.owes {
		if done[o] == 0 {
			t.Fatalf("%v was neither delivered nor buried, though all is well", o)
		}
	}
	if n := m.rig.log.unacknowledged(); n != 0 {
		t.Fatalf("%d packs are not acknowledged", n)
	}
	for _, name := range []string{"a", "b", "c"} {
		if left := m.rig.lot.events(subscriber(m.set[name], name)); len(left) > 0 {
			t.Fatalf("still parked for %s: %v", name, slices.Compact(left))
		}
	}
	for _, s := range m.rig.courier.Status() {
		if s.Pending != 0 || s.Parked != 0 || s.State != fanout.OK {
			t.Fatalf("Status = %+v, want nothing owed", s)
		}
	}
}

// inBubbles checks a property of a machine, each time in simulated time of its own. What
// rapid throws to end a try is carried out of the bubble.
func inBubbles(t *testing.T, property func(t *rapid.T, m *machine)) {
	t.Helper()
	rapid.Check(t, func(rt *rapid.T) {
		var thrown any
		synctest.Test(t, func(t *testing.T) {
			defer func() { thrown = recover() }()
			m := newMachine(t)
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
			"full":     m.fill,
			"":         m.check,
		})
	})
}
