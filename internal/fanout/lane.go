package fanout

import (
	"sync"
	"time"

	"tidings/internal/sink"
)

// lane is the way to one subscriber.
//
// What is owed moves along it: offered items enter the queue, from where the worker takes
// batches. Whenever the lane is held (it is resting after a failure, its attempt is slow,
// its queue ran over, or older deliveries are parked), items go to the spill instead, from
// where the parker takes them to the Lot. What is in the Lot is delivered before what
// comes after it. Worker and parker are goroutines that exist only while they have work.
//
// One flight is under way at a time, of several batches. What depends on there being one
// is the order in which parked packs are taken (loaded).
type lane struct {
	courier *Courier
	sub     Subscriber

	mu      sync.Mutex
	retired bool // out of the Courier's map: takes nothing
	listed  bool // among the Courier's busy lanes

	queue      fifo
	spill      []item
	spillBytes int

	working bool
	flight  *flight // under way
	slow    bool    // it takes so long that what it carries must not stay in memory alone
	width   width
	parking bool
	backlog

	health
	stats

	slowTimer, parkTimer, restTimer *time.Timer
	parkDue                         bool // parkTimer runs
	parkFailures                    int  // in a row
}

// health is what the lane has learned of its destination. Guarded by lane.mu.
type health struct {
	resting  bool      // until restEnd, no attempt is made ...
	retries  bool      // ... of what has failed before; what is new may go
	restEnd  time.Time // by the monotonic clock
	disabled bool      // the rest is due to that
	seen     sighting  // when the last attempt was prepared
	window   int       // largest flight after a failure; 0 = the sink's limits alone
	trouble  float64   // the share of what was tried of late that failed, 0 to 1; 1 before anything was
	failures int       // attempts in a row
	culprit  string    // event ID that the first failed attempt of the row began with
	dead     bool      // attempts failed whatever they began with
	tour     int       // deliveries in a row that failed alone, with nothing new parked since
	logged   bool      // the row of failures stands in the log
}

// stats is what Status shows. Guarded by lane.mu.
type stats struct {
	driver       string
	delivered    uint64
	lastErr      string
	lastFailed   time.Time
	failingSince time.Time // zero = the last attempt succeeded
}

// sighting is what the Directory says of a subscriber.
type sighting struct {
	target      sink.Target
	enabled, ok bool
}

func newLane(c *Courier, s Subscriber) *lane {
	return &lane{courier: c, sub: s, health: health{trouble: 1}} // nothing is known of it yet
}

// offer takes an item in. It fails once the lane is retired.
func (l *lane) offer(it item) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.retired {
		return false
	}
	l.list()
	if l.held() {
		l.spillOver(it)
		return true
	}
	l.queue.push(it)
	if l.queue.len() > l.courier.set.QueueCount || l.queue.bytes > l.courier.set.QueueBytes {
		l.hold()
	}
	l.wake()
	return true
}

// held reports whether what comes must not overtake what is elsewhere. mu is held.
func (l *lane) held() bool {
	if l.resting && l.retries {
		return false
	}
	return l.resting || l.slow || l.backlogged || l.parking || len(l.spill) > 0
}

// hold moves the whole queue to the spill, so that the lane is held until that is
// delivered. mu is held.
func (l *lane) hold() {
	if l.resting && l.retries { // new deliveries now stand behind those that rest
		l.resting, l.retries = false, false
	}
	l.spillOver(l.queue.drain()...)
}

// spillOver appends to the spill, to be parked soon. mu is held.
func (l *lane) spillOver(items ...item) {
	if len(items) == 0 {
		return
	}
	l.spill = append(l.spill, items...)
	for i := range items {
		l.spillBytes += items[i].size()
	}
	l.parkSoon()
}

// wake starts the worker if there is something it could do. mu is held.
func (l *lane) wake() {
	if l.working || !l.runnable() {
		return
	}
	l.working = l.courier.spawn(l.work)
}

// runnable reports whether an attempt may be made and there is something to attempt. mu
// is held.
func (l *lane) runnable() bool {
	if l.resting && !l.retries {
		return false
	}
	if l.queue.len() > 0 {
		return true
	}
	return !l.resting && (l.backlogged || len(l.spill) > 0 && !l.parking)
}

// idle reports whether nothing is owed. mu is held.
func (l *lane) idle() bool {
	return !l.working && !l.parking && !l.backlogged && l.queue.len() == 0 && len(l.spill) == 0
}

// waits reports whether the lane is resting.
func (l *lane) waits() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.resting
}

// work makes attempts until there is nothing to do.
func (l *lane) work() {
	for l.goOn() && l.step() {
	}
}

// goOn ends the worker when there is nothing to do.
func (l *lane) goOn() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.working = l.runnable() && !l.courier.stopped.Load()
	l.calm()
	return l.working
}

// calm forgets failures once nothing is owed: what has failed was given up or dropped. mu
// is held.
func (l *lane) calm() {
	if l.idle() && !l.resting {
		l.healed()
	}
}

// rest makes no attempt for d. With retries, that is only for what has failed before. mu
// is held.
func (l *lane) rest(d time.Duration, retries bool) {
	l.resting, l.retries = true, retries
	l.restEnd = time.Now().Add(d)
	if l.restTimer == nil {
		l.restTimer = time.AfterFunc(d, l.rested)
		return
	}
	l.restTimer.Reset(d)
}

// rested ends the rest, unless a longer one was begun meanwhile.
func (l *lane) rested() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.resting {
		return
	}
	if left := time.Until(l.restEnd); left > 0 {
		l.restTimer.Reset(left)
		return
	}
	l.endRest()
}

// endRest lets the next attempt be made now. mu is held.
func (l *lane) endRest() {
	l.resting, l.retries, l.disabled = false, false, false
	if l.held() {
		l.hold() // what came meanwhile and did not leave now stands behind what rested
	}
	l.wake()
	l.calm()
}

func (l *lane) stopTimers() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range []*time.Timer{l.slowTimer, l.parkTimer, l.restTimer} {
		if t != nil {
			t.Stop()
		}
	}
}
