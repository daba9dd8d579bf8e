//go:build !race

// The race detector of Go 1.26 crashes in one or two of a hundred runs of this test, in its own
// code, while timers fire in a bubble of testing/synctest. "make check" runs it without the detector.

package siptrunk_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"tidings/internal/siptrunk"
)

// caller is one call: when it wants a trunk, for how long it is ready to wait, and for how
// long it talks.
type caller struct {
	At, Patience, Talk time.Duration
	Number             string
}

// trouble is a trunk that fails or recovers.
type trouble struct {
	At    time.Duration
	Trunk int
	Rest  time.Duration // negative = it answers again
}

func drawTrunks(t *rapid.T) []siptrunk.Config {
	n := rapid.IntRange(1, 3).Draw(t, "trunks")
	all := make([]siptrunk.Config, n)
	for i := range all {
		all[i] = trunk(fmt.Sprint("t", i), rapid.SampledFrom([]string{"+", "+1", "+12"}).Draw(t, "prefix"))
		all[i].Priority = rapid.IntRange(0, 1).Draw(t, "priority")
		all[i].MaxCalls = rapid.IntRange(0, 3).Draw(t, "max calls")
		all[i].CallsPerSecond = rapid.SampledFrom([]float64{0, 0.5, 1, 2.5, 10}).Draw(t, "rate")
		all[i].Options = -1
	}
	return all
}

func drawTime(t *rapid.T, label string, most int) time.Duration {
	return time.Duration(rapid.IntRange(0, most).Draw(t, label)) * time.Millisecond
}

// enough patience is rewarded: within it, all calls can be served.
const enough = time.Hour

// book is what really happened.
type book struct {
	mu       sync.Mutex
	begun    map[*siptrunk.Trunk][]time.Time
	now      map[*siptrunk.Trunk]int
	problems []string
}

func (b *book) wrong(format string, args ...any) {
	b.problems = append(b.problems, fmt.Sprintf(format, args...))
}

// call is one caller's life.
func (b *book) call(ctx context.Context, p *siptrunk.Pool, c caller) {
	<-time.After(c.At)
	wants := time.Now()
	ctx, cancel := context.WithTimeout(ctx, c.Patience)
	defer cancel()
	l, err := p.Lease(ctx, c.Number, nil)
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil {
		if !errors.Is(err, siptrunk.ErrNoRoute) && (time.Since(wants) < c.Patience || c.Patience >= enough) {
			b.wrong("%+v gave up after %v: %v", c, time.Since(wants), err)
		}
		return
	}
	b.now[l.Trunk]++
	if most := l.Trunk.Config().MaxCalls; most > 0 && b.now[l.Trunk] > most {
		b.wrong("%v has %d calls, the most is %d", l.Trunk, b.now[l.Trunk], most)
	}
	b.begun[l.Trunk] = append(b.begun[l.Trunk], time.Now())
	b.mu.Unlock()
	<-time.After(c.Talk)
	b.mu.Lock()
	b.now[l.Trunk]--
	l.Release()
}

// audit looks at what happened.
func (b *book) audit(p *siptrunk.Pool) []string {
	for _, s := range p.Status() {
		if s.Calls != 0 || s.Waiting != 0 {
			b.wrong("when all is over %s has %d calls and %d waiting", s.Name, s.Calls, s.Waiting)
		}
	}
	for t, begun := range b.begun {
		rate := t.Config().CallsPerSecond
		if rate == 0 {
			continue
		}
		n := int(math.Ceil(rate))
		window := time.Duration(float64(n) * float64(time.Second) / rate)
		for i := n; i < len(begun); i++ {
			if span := begun[i].Sub(begun[i-n]); span < window {
				b.wrong("%v began %d calls within %v, though the rate is %v a second", t, n+1, span, rate)
			}
		}
	}
	return b.problems
}

func TestLimitsHoldAndEverybodyIsServed(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		configs := drawTrunks(rt)
		callers := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) caller {
			return caller{
				At: drawTime(t, "at", 3000), Talk: drawTime(t, "talk", 2000), Patience: drawTime(t, "patience", 4000) + time.Millisecond,
				Number: rapid.SampledFrom([]string{"+1", "+12", "+49"}).Draw(t, "number"),
			}
		}), 1, 30).Draw(rt, "callers")
		if rapid.Bool().Draw(rt, "patient") {
			for i := range callers {
				callers[i].Patience = enough
			}
		}
		troubles := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) trouble {
			return trouble{At: drawTime(t, "at", 4000), Trunk: rapid.IntRange(0, len(configs)-1).Draw(t, "trunk"), Rest: drawTime(t, "rest", 2000) - time.Second}
		}), 0, 5).Draw(rt, "troubles")
		var problems []string
		synctest.Test(t, func(t *testing.T) { problems = play(t, configs, callers, troubles) })
		for _, text := range problems {
			rt.Error(text)
		}
	})
}

func play(t *testing.T, configs []siptrunk.Config, callers []caller, troubles []trouble) []string {
	p := pool(t, configs...)
	b := &book{begun: map[*siptrunk.Trunk][]time.Time{}, now: map[*siptrunk.Trunk]int{}}
	var all sync.WaitGroup
	for _, c := range callers {
		all.Go(func() { b.call(t.Context(), p, c) })
	}
	for _, x := range troubles {
		all.Go(func() {
			<-time.After(x.At)
			if failing := p.Trunks()[x.Trunk]; x.Rest < 0 {
				failing.Answered()
			} else {
				failing.Failed("trouble", x.Rest)
			}
		})
	}
	all.Wait()
	for _, begun := range b.begun {
		slices.SortFunc(begun, time.Time.Compare)
	}
	return b.audit(p)
}
