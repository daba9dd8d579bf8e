package quota

import (
	"fmt"
	"sync"
	"time"

	"tidings/internal/fault"
)

// slots is how many steps a window is counted in when its limit is larger than this: a day
// in minutes, an hour in 2.5 s. Below, every use is counted by itself.
const slots = 1440

// skew is how far apart the clock readings of two concurrent callers may be. Only a larger
// step backward is taken for a clock that was set.
const skew = time.Second

// Use is one use of a limit that is a rate.
type Use struct {
	Name  Name   // a row of Table that has a Window
	Key   string // whose use, such as a tenant, or a tenant and a phone number
	Limit int64  // uses allowed within the window; Unlimited or less = not counted
	N     int64  // how many uses at once, such as the recipients of a mail; 0 = 1
}

// n is how many uses u is.
func (u Use) n() int64 { return max(u.N, 1) }

// Windows counts uses in sliding windows: at no moment have more than Limit uses passed
// within the window that ends there.
//
// A limit up to 1,440 is counted exactly. A larger one is counted in 1,440 steps of its
// window: never too many pass, but a use is remembered for up to one step too long. So a
// key costs at most 1,441 pairs of numbers, whatever its limit. Keys that have not been
// used for a window are forgotten within the next one.
//
// Time comes from the callers. When the clock is set back, uses that now lie in the future
// count as made at the present, so nothing waits longer than one window (and a second);
// when it is set forward, uses are forgotten early.
//
// Windows is safe for concurrent use and must not be copied.
type Windows struct {
	mu     sync.Mutex
	limits map[Name]*keys
}

// NewWindows returns Windows without any use.
func NewWindows() *Windows {
	w := &Windows{limits: map[Name]*keys{}}
	for _, row := range Table {
		if row.Window > 0 {
			w.limits[row.Name] = &keys{window: row.Window, young: map[string]*count{}}
		}
	}
	return w
}

// Take counts all of the uses, or none if one of them is beyond its limit: then it fails
// with fault.Throttled, and RetryAfter says when all of them can pass. More uses at once than
// the limit never pass, and then RetryAfter is 0. A pair of Name and
// Key may stand in uses once. undo takes the uses back, for work that was not done after
// all; it may be called once or never.
func (w *Windows) Take(now time.Time, uses ...Use) (undo func(), err error) {
	at := now.UnixNano()
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.known(uses); err != nil {
		return nil, err
	}
	if refused := w.refused(at, uses); refused != nil {
		return nil, refused
	}
	for _, u := range uses {
		if u.Limit > Unlimited {
			k := w.limits[u.Name]
			k.get(u.Key).add(at, u.n(), u.Limit, k.window)
		}
	}
	return func() { w.undo(at, uses) }, nil
}

// Record counts uses made at a time in the past, without asking whether they pass: for
// recounting, after a restart, what is known from elsewhere. It fails only if a Name is
// no row of Table that has a Window.
func (w *Windows) Record(at time.Time, uses ...Use) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.known(uses); err != nil {
		return err
	}
	for _, u := range uses {
		if u.Limit > Unlimited {
			k := w.limits[u.Name]
			k.get(u.Key).add(at.UnixNano(), u.n(), u.Limit, k.window)
		}
	}
	return nil
}

// Count returns how many uses of the key lie within the window that ends now. Of more than limit, which must be that of
// the uses, at least limit are known.
func (w *Windows) Count(now time.Time, name Name, key string, limit int64) (int64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.known([]Use{{Name: name}}); err != nil {
		return 0, err
	}
	k := w.limits[name]
	k.turn(now.UnixNano())
	c := k.find(key)
	if c == nil {
		return 0, nil
	}
	c.expire(now.UnixNano(), limit, k.window)
	return c.total, nil
}

func (w *Windows) undo(at int64, uses []Use) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, u := range uses {
		if u.Limit <= Unlimited {
			continue
		}
		if c := w.limits[u.Name].find(u.Key); c != nil {
			c.remove(at, u.n(), step(u.Limit, w.limits[u.Name].window))
		}
	}
}

func (w *Windows) known(uses []Use) error {
	for _, u := range uses {
		if w.limits[u.Name] == nil {
			return fmt.Errorf("quota %q is not a rate", u.Name)
		}
	}
	return nil
}

// refused returns the refusal that lasts longest, or nil if all uses may pass.
func (w *Windows) refused(at int64, uses []Use) error {
	var worst Use
	var longest time.Duration
	for _, u := range uses {
		k := w.limits[u.Name]
		k.turn(at)
		if u.Limit <= Unlimited {
			continue
		}
		if u.n() > u.Limit {
			return fault.New(fault.Throttled, "", "Rate exceeded. The limit %s is %d in %s; these are %d at once.",
				u.Name, u.Limit, inWords(k.window), u.n())
		}
		c := k.find(u.Key)
		if c == nil {
			continue
		}
		if wait := c.wait(at, u.n(), u.Limit, k.window); wait > longest {
			worst, longest = u, wait
		}
	}
	if longest == 0 {
		return nil
	}
	f := fault.New(fault.Throttled, "", "Rate exceeded. The limit %s is %d in %s; the next one passes in %s.",
		worst.Name, worst.Limit, inWords(w.limits[worst.Name].window), inWords(longest))
	f.RetryAfter = longest
	return f
}

// keys are the counts of one limit, in two generations: a key that is used moves to the
// young one. Once per window and a bit the old generation, in which by then every use has
// expired, is dropped as a whole, so that nothing ever has to be searched for idle keys.
type keys struct {
	window     time.Duration
	turned     int64 // when the generations last changed places; 0 = never
	young, old map[string]*count
}

func (k *keys) turn(now int64) {
	period := int64(k.window + k.window/slots + 2*skew)
	if k.turned == 0 || now < k.turned-int64(skew) { // the first use, or the clock was set back
		k.turned = now
	}
	if now-k.turned < period {
		return
	}
	k.old, k.young = k.young, map[string]*count{}
	if now-k.turned >= 2*period {
		k.old = nil
	}
	k.turned = now
}

func (k *keys) find(key string) *count {
	if c := k.young[key]; c != nil {
		return c
	}
	c := k.old[key]
	if c != nil {
		delete(k.old, key)
		k.young[key] = c
	}
	return c
}

func (k *keys) get(key string) *count {
	c := k.find(key)
	if c == nil {
		c = &count{}
		k.young[key] = c
	}
	return c
}

// count is the uses of one key, by time.
type count struct {
	marks []mark // ascending
	total int64
}

// mark is n uses at a moment, in nanoseconds since 1970.
type mark struct{ at, n int64 }

// step is how finely a limit is counted; 0 = exactly.
func step(limit int64, window time.Duration) int64 {
	if limit <= slots {
		return 0
	}
	return int64(window) / slots
}

// roundUp moves at to the end of its step, so that no use is forgotten too early.
func roundUp(at, step int64) int64 {
	if step == 0 {
		return at
	}
	return (at/step + 1) * step
}

// expire forgets uses that have left the window.
func (c *count) expire(now, limit int64, window time.Duration) {
	c.clamp(roundUp(now, step(limit, window)))
	gone := 0
	for gone < len(c.marks) && c.marks[gone].at+int64(window) <= now {
		c.total -= c.marks[gone].n
		gone++
	}
	c.marks = c.marks[gone:]
}

// wait forgets what has expired and returns how long to wait until n more uses pass, which are no more than limit.
func (c *count) wait(now, n, limit int64, window time.Duration) time.Duration {
	c.expire(now, limit, window)
	if c.total <= limit-n {
		return 0
	}
	left := c.total
	for _, m := range c.marks {
		if left -= m.n; left <= limit-n {
			return time.Duration(m.at + int64(window) - now)
		}
	}
	return 0 // not reached: with no marks left, left is 0
}

// clamp pulls uses that lie in the future to the present: the clock was set back. A
// difference within the skew is that of concurrent callers and is left as it is.
func (c *count) clamp(now int64) {
	if len(c.marks) == 0 || c.marks[len(c.marks)-1].at-now <= int64(skew) {
		return
	}
	i := len(c.marks)
	var n int64
	for i > 0 && c.marks[i-1].at > now {
		i--
		n += c.marks[i].n
	}
	c.marks = append(c.marks[:i], mark{now, n})
}

// add counts n uses. Callers come nearly in order, so their place is at the end or near it.
func (c *count) add(at, n, limit int64, window time.Duration) {
	at = roundUp(at, step(limit, window))
	i := len(c.marks)
	for i > 0 && c.marks[i-1].at > at {
		i--
	}
	c.total += n
	if i > 0 && c.marks[i-1].at == at {
		c.marks[i-1].n += n
	} else {
		c.marks = append(c.marks, mark{})
		copy(c.marks[i+1:], c.marks[i:])
		c.marks[i] = mark{at, n}
	}
	// Only the latest uses decide whether another one passes. More of them than the limit
	// come from Record alone.
	for c.total-c.marks[0].n >= limit {
		c.total -= c.marks[0].n
		c.marks = c.marks[1:]
	}
}

// remove takes back n uses made at the time, or the latest before it if the clock was set
// meanwhile.
func (c *count) remove(at, n, step int64) {
	at = roundUp(at, step)
	for i := len(c.marks) - 1; i >= 0 && n > 0; i-- {
		if c.marks[i].at > at {
			continue
		}
		back := min(n, c.marks[i].n)
		n -= back
		c.total -= back
		if c.marks[i].n -= back; c.marks[i].n == 0 {
			c.marks = append(c.marks[:i], c.marks[i+1:]...)
		}
	}
}

// inWords prints a duration for people: "24 hours", "1 second", "3h12m5s", "480ms". What
// is left of a unit is rounded up, so that whoever waits that long is not refused again.
func inWords(d time.Duration) string {
	round := time.Second
	if d < time.Second {
		round = time.Millisecond
	}
	d = (d + round - 1) / round * round
	for _, unit := range []struct {
		name string
		d    time.Duration
		most time.Duration // of the unit, before the next one is used
	}{{"hour", time.Hour, 100}, {"minute", time.Minute, 60}, {"second", time.Second, 60}} {
		switch n := d / unit.d; {
		case d%unit.d != 0 || n == 0 || n >= unit.most:
			continue
		case n == 1:
			return "1 " + unit.name
		default:
			return fmt.Sprintf("%d %ss", n, unit.name)
		}
	}
	return d.String()
}
