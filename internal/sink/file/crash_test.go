package file

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

const (
	alerts = "sns/us-east-1/123456789012/alerts/"
	ten    = alerts + "2026/11/05/10.ndjson" // long over at 14:30
)

func (r *rig) keeper() *keeper {
	return &keeper{Driver: r.driver, clock: watch{wall: wall(r.clock.now()), elapsed: time.Now()}}
}

// sweepAll does what Run does at its start.
func (r *rig) sweepAll(tb testing.TB) {
	tb.Helper()
	k := r.keeper()
	k.sweep(tb.Context(), true)
	if k.failed > 0 && k.first != nil && !errors.Is(k.first, errDead) {
		tb.Errorf("the sweep failed %d times, first: %v", k.failed, k.first)
	}
}

// TestPackingOutlivesACrashAtAnyPoint cuts the power before each operation of a sweep, and
// lets the next process find what that left behind.
func TestPackingOutlivesACrashAtAnyPoint(t *testing.T) {
	t.Parallel()
	const one, two, three = "{\"n\":1}\n{\"n\":2}\n", "{\"n\":3}\n", "{\"n\":4}\n{\"n\":5}\n"
	first := packed(t, one)
	for name, tc := range map[string]struct {
		files map[string]string
		want  string
	}{
		"an hour":                         {map[string]string{"": one}, one},
		"an hour of many blocks":          {map[string]string{"": strings.Repeat(one, 100_000)}, strings.Repeat(one, 100_000)},
		"a torn hour":                     {map[string]string{"": one + "{\"n\":"}, one},
		"nothing but a torn line":         {map[string]string{"": "{\"n\":"}, ""},
		"an hour that came again":         {map[string]string{"": two, ".gz": first}, one + two},
		"the same lines again":            {map[string]string{"": one, ".gz": first}, one + one},
		"left when sealed":                {map[string]string{".closing-0": one}, one},
		"left when sealed and torn":       {map[string]string{".closing-0": one + "{"}, one},
		"left while packing":              {map[string]string{".closing-0": one, ".gz.tmp": "\x1f\x8b"}, one},
		"left when packed":                {map[string]string{".closing-0": one, ".gz": first}, one},
		"left when packed and came again": {map[string]string{"": one, ".closing-0": one, ".gz": first}, one + one},
		"came again, left when sealed":    {map[string]string{fmt.Sprintf(".closing-%d", len(first)): two, ".gz": first}, one + two},
		"came again, left when packed": {map[string]string{
			"": three, fmt.Sprintf(".closing-%d", len(first)): two, ".gz": packed(t, one, two),
		}, one + two + three},
		"packed file taken away": {map[string]string{fmt.Sprintf(".closing-%d", len(first)): two}, two},
	} {
		for how, word := range map[remains]string{killed: "killed", cut: "power cut", ahead: "power cut, names kept", hasty: "power cut, removals kept"} {
			t.Run(name+", "+word, func(t *testing.T) {
				t.Parallel()
				for n := 1; ; n++ {
					dir := t.TempDir()
					for end, text := range tc.files {
						put(t, dir, ten+end, text)
					}
					if crashed := sweepUntil(t, dir, n, how); !crashed {
						n = 0
					}
					newRigWith(t, dir, Settings{Gzip: true}).sweepAll(t)
					checkPacked(t, dir, n, tc.want)
					if n == 0 {
						return
					}
				}
			})
		}
	}
}

// sweepUntil sweeps on a disk that dies after n operations, and reports whether it did.
func sweepUntil(t *testing.T, dir string, n int, how remains) bool {
	t.Helper()
	r := newRigWith(t, dir, Settings{Gzip: true})
	p := newPower(t, dir, n)
	p.drive(r.driver.disk)
	r.sweepAll(t)
	if !p.dead() {
		return false
	}
	if err := r.driver.Close(); err != nil {
		t.Errorf("Close = %v", err)
	}
	p.leave(t, dir, how)
	return true
}

// checkPacked wants the lines in the packed file, and no other file.
func checkPacked(t *testing.T, dir string, n int, want string) {
	t.Helper()
	files := tree(t, dir)
	got := ""
	if want != "" {
		got = unpack(t, files[ten+".gz"])
		delete(files, ten+".gz")
	}
	if got != want {
		t.Errorf("after a crash at operation %d the packed file has %d bytes, want %d", n, len(got), len(want))
	}
	if len(files) > 0 {
		t.Errorf("after a crash at operation %d there are also %d files: %q", n, len(files), keys(files))
	}
}

func keys(files map[string]string) []string {
	var names []string
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// TestNothingIsLostOrRepeated lets events be delivered, the clock be set, hours be swept and
// the disk die in any order. In the end every line that was reported as delivered is there
// once, and no other line more than once.
func TestNothingIsLostOrRepeated(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		m := &machine{T: t, rt: rt, dir: t.TempDir(), delivered: map[string]bool{}}
		m.start(m.now(0))
		rt.Repeat(map[string]func(*rapid.T){
			"deliver": m.deliver,
			"clock": func(rt *rapid.T) {
				m.rig.clock.set(m.rig.clock.now().Add(time.Duration(rapid.IntRange(-180, 240).Draw(rt, "minutes")) * time.Minute))
			},
			"sweep": func(*rapid.T) { m.rig.sweepAll(t); m.revive() },
			"doom": func(rt *rapid.T) {
				m.power.mu.Lock()
				defer m.power.mu.Unlock()
				m.power.left = rapid.IntRange(1, 40).Draw(rt, "operations")
			},
		})
		m.end()
	})
}

// machine is a driver whose process starts again after each crash.
type machine struct {
	*testing.T
	rt        *rapid.T
	dir       string
	rig       *rig
	power     *power
	n         int
	delivered map[string]bool // by line: whether it was reported as delivered
}

func (m *machine) now(hours int) time.Time {
	return time.Date(2026, 11, 5, 14+hours, 30, 0, 0, time.UTC)
}

func (m *machine) start(now time.Time) {
	m.rig = newRigWith(m.T, m.dir, Settings{Gzip: true})
	m.rig.clock.set(now)
	m.power = newPower(m.T, m.dir, -1)
	m.power.drive(m.rig.driver.disk)
}

// revive starts again if the disk has died.
func (m *machine) revive() {
	if !m.power.dead() {
		return
	}
	if err := m.rig.driver.Close(); err != nil {
		m.Errorf("Close = %v", err)
	}
	m.power.leave(m.T, m.dir, rapid.SampledFrom([]remains{killed, cut, ahead, hasty}).Draw(m.rt, "remains"))
	m.start(m.rig.clock.now())
	if rapid.Bool().Draw(m.rt, "sweep at the start") {
		m.rig.sweepAll(m.T)
	}
}

func (m *machine) deliver(rt *rapid.T) {
	var records []string
	for range rapid.IntRange(1, 3).Draw(rt, "records") {
		m.n++
		records = append(records, fmt.Sprintf(`{"n":%d}`, m.n))
	}
	s, err := m.rig.driver.Open(topic(rapid.SampledFrom([]string{"alerts", "calls"}).Draw(rt, "topic")))
	if err != nil {
		m.Fatalf("Open = %v", err)
	}
	err = s.Deliver(m.Context(), batchOf(records...))
	for _, record := range records {
		m.delivered[record] = err == nil
	}
	if err != nil && !m.power.dead() {
		m.Errorf("Deliver = %v", err)
	}
	m.revive()
}

func (m *machine) end() {
	if err := m.rig.driver.Close(); err != nil {
		m.Errorf("Close = %v", err)
	}
	m.start(m.now(1_000))
	m.rig.sweepAll(m.T)
	count := map[string]int{}
	for name, text := range tree(m.T, m.dir) {
		if !strings.HasSuffix(name, ".ndjson.gz") {
			m.rt.Errorf("after the last sweep there is %s", name)
			continue
		}
		for line := range strings.Lines(unpack(m.T, text)) {
			count[strings.TrimSuffix(line, "\n")]++
		}
	}
	for line, n := range count {
		delivered, known := m.delivered[line]
		if !known || n > 1 {
			m.rt.Errorf("%q is there %d times; delivered: %v", line, n, delivered)
		}
	}
	for line, delivered := range m.delivered {
		if delivered && count[line] == 0 {
			m.rt.Errorf("%q is lost", line)
		}
	}
}
