package fanout_test

import (
	"slices"
	"strings"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"tidings/internal/configset"
	"tidings/internal/fanout"
)

// parked counts what is in the Lot.
func (m *machine) parked() map[owed]int {
	parked := map[owed]int{}
	for name, set := range m.set {
		for _, id := range m.rig.lot.events(subscriber(set, name)) {
			parked[owed{id, name}]++
		}
	}
	return parked
}

// places says where an obligation is: how often delivered or buried, and how often the disk
// still has it.
func (m *machine) places() (done, kept map[owed]int) {
	done, kept = map[owed]int{}, m.parked()
	for name := range m.set {
		for _, id := range m.rig.far.arrived(name) {
			done[owed{id, name}]++
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
				kept[owed{e.ID, name}]++
			}
		}
	}
	return done, kept
}

// check looks for what is wrong at any moment: something lost, settled twice, counted
// wrongly, out of order, or too much of it.
func (m *machine) check(t *rapid.T) {
	synctest.Wait()
	done, kept := m.places()
	for o, n := range m.owes {
		if done[o]+kept[o] < n {
			t.Fatalf("%v is lost: owed %d times, delivered or buried %d times, on disk %d times", o, n, done[o], kept[o])
		}
		if m.crashes == 0 && done[o] > n && (o.name != "c" || !m.removed) {
			t.Fatalf("%v was delivered or buried %d times instead of %d, and nothing has crashed", o, done[o], n)
		}
	}
	if err := m.rig.courier.Audit(); err != nil {
		t.Fatal(err)
	}
	m.checkOrder(t)
	pending := 0
	for _, s := range m.rig.courier.Status() {
		pending += s.Pending
		if s.Width > m.rig.set.Concurrency {
			t.Fatalf("%d batches may be in the air at once, want at most %d", s.Width, m.rig.set.Concurrency)
		}
	}
	perFlight := 8 * m.rig.set.Concurrency * m.rig.far.limits.Count
	if most := m.rig.set.TotalCount + 3*perFlight + 3*m.rig.set.ParkCount; pending > most {
		t.Fatalf("%d deliveries in memory, want at most %d", pending, most)
	}
}

// checkOrder wants the events of a message first attempted in the order in which they
// happened.
func (m *machine) checkOrder(t *rapid.T) {
	for name := range m.set {
		seen := map[string]bool{}
		last := map[string]string{}
		for _, a := range m.rig.far.tried(name) {
			for _, id := range a.ids {
				if seen[id] || m.late[owed{id, name}] {
					continue
				}
				seen[id] = true
				message, _, _ := strings.Cut(id, "/")
				if last[message] > id {
					t.Fatalf("%s was first attempted at %s after %s", id, name, last[message])
				}
				last[message] = id
			}
		}
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
	after(70 * time.Minute) // a far end may have asked for an hour
	m.check(t)
	done, _ := m.places()
	for o, n := range m.owes {
		if done[o] < n {
			t.Fatalf("%v was delivered or buried %d times instead of %d, though all is well", o, done[o], n)
		}
	}
	if n := m.rig.courier.InFlight(); n != 0 {
		t.Fatalf("%d bytes are held by flights that have landed", n)
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
