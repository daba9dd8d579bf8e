package fanout

import (
	"bytes"
	"slices"
	"sync"
	"time"

	"tidings/internal/event"
)

// backlog is what a lane has in the Lot, and how much of it is loaded. Guarded by lane.mu,
// except for packs and after, which belong to the worker.
type backlog struct {
	backlogged   bool      // there may be something; false = there is not
	generation   uint64    // counts what may have added to it
	parked       int       // deliveries, as far as known
	parkedOldest time.Time // when the event of the first of them happened, roughly
	insuring     *flight   // being parked while under way
	// passed counts, by event ID, deliveries that are in the Lot though they are done: a
	// slow attempt was insured and has succeeded after all. They are recognised when they
	// are loaded.
	passed map[string]int

	packs []*loaded // first the one to deliver from
	after uint64    // sequence of the last of them

	removals removals
}

// loaded is a parked pack in memory. Its deliveries are taken from first to last.
type loaded struct {
	seq   uint64
	tally *tally
	size  int          // deliveries in the pack
	items []item       // the next of them
	whole bool         // items holds all that are left; if not, the pack can be read again
	next  int          // the first place behind those that were taken
	done  map[int]bool // places behind next that are settled all the same
	read  bool         // it was examined for what was passed over
}

// removals collects packs that are done, so that several are removed together.
type removals struct {
	mu   sync.Mutex
	seqs []uint64
}

func (r *removals) add(seqs ...uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seqs = append(r.seqs, seqs...)
}

func (r *removals) take() []uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	seqs := r.seqs
	r.seqs = nil
	return seqs
}

func (r *removals) pending() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.seqs) > 0
}

// The bounds of what is loaded: bytes while deliveries are under way, and deliveries while
// the lane rests.
const (
	maxLoadedBytes = 4 << 20
	keptLoaded     = 8
)

// restore begins with what was parked before the process began.
func (l *lane) restore(b Backlog) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list()
	l.backlogged = true
	l.parked, l.parkedOldest = b.Deliveries, b.Oldest
	l.window = 1 // it was in trouble
	l.wake()
}

// passOver notes deliveries that are done but still in the Lot, in packs not loaded yet.
// mu is held.
func (l *lane) passOver(items []item) {
	if l.passed == nil {
		l.passed = map[string]int{}
	}
	for i := range items {
		l.passed[items[i].event.ID]++
	}
}

// pass notes that a delivery is settled, or waits elsewhere to be parked again.
func (p *loaded) pass(place int) {
	if place != p.next {
		if p.done == nil {
			p.done = map[int]bool{}
		}
		p.done[place] = true
		return
	}
	for p.next++; p.done[p.next]; p.next++ {
		delete(p.done, p.next)
	}
}

// load reads parked packs until so many deliveries or bytes of memory are at hand, or the
// Lot has no more. Only the worker calls it.
func (l *lane) load(count, bytes int) error {
	for {
		after, more := l.wanted(count, min(bytes, maxLoadedBytes))
		if !more {
			return nil
		}
		l.mu.Lock()
		generation := l.generation
		l.mu.Unlock()
		p, err := l.courier.read(l.sub, after)
		if err != nil {
			return err
		}
		if p == nil {
			l.drained(generation)
			return nil
		}
		l.admit(p)
	}
}

// wanted says behind which sequence to read on, if less than that is loaded.
func (l *lane) wanted(most, mostBytes int) (after uint64, more bool) {
	count, bytes := 0, 0
	for _, p := range l.packs {
		count += len(p.items)
		for i := range p.items {
			bytes += p.items[i].size()
		}
		if !p.whole {
			return p.seq - 1, count < most // read it again
		}
	}
	return l.after, count < most && bytes < mostBytes
}

// drained notes that the Lot has no more behind what is loaded.
func (l *lane) drained(generation uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, p := range l.packs {
		if !p.whole { // the Lot does not have it any more: all of it was settled
			l.packs = l.packs[:i]
			break
		}
	}
	if generation == l.generation && len(l.packs) == 0 {
		l.backlogged, l.parked, l.passed, l.tour = false, 0, nil, 0
	}
}

// admit loads a pack: a new one, or one that was let go.
func (l *lane) admit(p *ParkedPack) {
	to := l.slot(p)
	to.items, to.whole = nil, true
	l.mu.Lock()
	defer l.mu.Unlock()
	for place := to.next; place < to.size; place++ {
		d := &p.Deliveries[place]
		switch {
		case place < to.next || to.done[place]:
		case !to.read && l.passed[d.Event.ID] > 0:
			l.passed[d.Event.ID]--
			l.parked = max(0, l.parked-1)
			to.pass(place)
			to.tally.settle(1)
		default:
			to.items = append(to.items, itemOf(d, to.tally, place))
		}
	}
	to.read = true
	l.dropEmpty()
	l.noteOldest()
}

// slot returns where the pack belongs among those that are loaded.
func (l *lane) slot(p *ParkedPack) *loaded {
	// A pack that should have been read again but was not found is gone: all of it was
	// settled.
	l.packs = slices.DeleteFunc(l.packs, func(old *loaded) bool { return !old.whole && old.seq < p.Seq })
	for _, old := range l.packs {
		if old.seq == p.Seq {
			return old
		}
	}
	seq := p.Seq
	to := &loaded{seq: seq, tally: &tally{done: func() { l.removals.add(seq) }}, size: len(p.Deliveries)}
	to.tally.left.Store(int64(to.size))
	l.packs = append(l.packs, to)
	l.after = seq
	return to
}

// dropEmpty lets go of packs all of which was taken.
func (l *lane) dropEmpty() {
	for len(l.packs) > 0 && l.packs[0].whole && len(l.packs[0].items) == 0 {
		l.packs = l.packs[1:]
	}
}

// available returns up to n loaded deliveries. They stay loaded.
func (l *lane) available(n int) []item {
	var all []item
	for _, p := range l.packs {
		part := p.items[:min(len(p.items), n-len(all))]
		if len(all) == 0 {
			all = slices.Clip(part)
		} else {
			all = append(all, part...)
		}
		if len(all) == n || !p.whole {
			break
		}
	}
	return all
}

// moveOn takes the first loaded deliveries off, except for those that stay. They are the
// items, which were available. mu is held.
func (l *lane) moveOn(items []item, stays func(i int) bool) {
	from := 0
	for _, p := range l.packs {
		to := from
		for to < len(items) && items[to].tally == p.tally {
			to++
		}
		var left []item
		for i := from; i < to; i++ {
			if stays(i) {
				left = append(left, items[i])
				continue
			}
			p.pass(items[i].place)
			l.parked = max(0, l.parked-1)
		}
		rest := p.items[to-from:]
		if len(left) > 0 {
			rest = append(left, rest...)
		}
		p.items, from = rest, to
	}
	l.dropEmpty()
	l.noteOldest()
}

func nothingStays(int) bool { return false }

// loadedWithin returns how many of the loaded deliveries fit into so many bytes, how many
// there are, and how many bytes all of them hold.
func (l *lane) loadedWithin(bytes int) (fits, count, size int) {
	for _, p := range l.packs {
		count += len(p.items)
		for i := range p.items {
			if size += p.items[i].size(); size <= bytes {
				fits++
			}
		}
	}
	return fits, count, size
}

// noteOldest remembers the first delivery that is loaded. mu is held.
func (l *lane) noteOldest() {
	if len(l.packs) > 0 && len(l.packs[0].items) > 0 {
		l.parkedOldest = l.packs[0].items[0].event.Time
	}
}

// unload lets go of what is loaded but for the next few deliveries: a lane that rests must
// not hold much memory, and can read it again. mu is held, and the worker calls.
func (l *lane) unload(keep int) {
	l.dropEmpty()
	last := 0 // the last pack that is kept: it has some of the few, or the Lot does not know all of it
	few := 0
	for i, p := range l.packs {
		if few < keep || p.next > 0 || len(p.done) > 0 {
			last = i
		}
		few += len(p.items)
	}
	l.packs = l.packs[:min(last+1, len(l.packs))]
	for _, p := range l.packs {
		l.after = p.seq
		if keep >= p.size && len(p.items) == p.size {
			keep -= p.size
			continue
		}
		kept := make([]item, min(len(p.items), keep))
		for i := range kept {
			kept[i] = p.items[i]
			kept[i].event = cloneEvent(p.items[i].event)
		}
		p.whole = p.whole && len(kept) == len(p.items)
		p.items = kept
		keep -= len(kept)
	}
}

// cloneEvent copies an event out of whatever buffer it was decoded in.
func cloneEvent(e *event.Event) *event.Event {
	c := *e
	c.Record = bytes.Clone(e.Record)
	return &c
}

// sweep removes the packs that are done from the Lot.
func (l *lane) sweep() {
	seqs := l.removals.take()
	if len(seqs) == 0 {
		return
	}
	if err := l.courier.Lot.Remove(l.courier.life, seqs...); err != nil {
		l.removals.add(seqs...) // with the next; until then a crash would repeat them
		l.mu.Lock()
		l.list() // or there is no next
		l.mu.Unlock()
		if l.courier.life.Err() == nil {
			l.courier.Logger.Error("delivered packs cannot be removed from the parking lot", "destination", l.sub, "packs", len(seqs), "error", err)
		}
	}
}

// drop forgets everything that is owed to a subscriber that was deleted. It reports
// whether the worker may go on.
func (l *lane) drop() bool {
	l.mu.Lock()
	items := append(l.queue.drain(), l.spill...)
	l.spill, l.spillBytes = nil, 0
	backlogged, generation := l.backlogged, l.generation
	l.packs, l.after = nil, 0
	l.mu.Unlock()
	n := len(items)
	l.courier.settle(items)
	for backlogged {
		p, err := l.courier.read(l.sub, 0)
		if err == nil && p != nil {
			err = l.courier.Lot.Remove(l.courier.life, p.Seq)
		}
		if err != nil {
			l.fail(failure{err: err})
			return true
		}
		if p == nil {
			break
		}
		n += len(p.Deliveries)
	}
	l.drained(generation)
	l.mu.Lock()
	l.healed()
	l.window = 0
	l.mu.Unlock()
	if n > 0 {
		l.courier.Metrics.wasDropped(n)
		l.courier.Logger.Info("deliveries for a deleted event destination were dropped", "destination", l.sub, "deliveries", n)
	}
	return true
}
