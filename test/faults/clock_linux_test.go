package faults

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// clockEnv names the file from which a server built by buildShifted reads by how many
// seconds its clock is wrong.
const clockEnv = "CLOCK_SHIFT_FILE"

// shiftSource is added to the package time of the server under test. What is shifted is
// the clock on the wall; the monotonic clock goes on, as it does when a machine's time is
// set.
const shiftSource = `package time

import (
	"sync/atomic"
	"syscall"
	"unsafe"
)

var shift = openShift()

func openShift() *int64 {
	name, found := syscall.Getenv("` + clockEnv + `")
	if !found {
		return new(int64)
	}
	fd, err := syscall.Open(name, syscall.O_RDONLY, 0)
	if err != nil {
		panic("open " + name + ": " + err.Error())
	}
	page, err := syscall.Mmap(fd, 0, 8, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		panic("map " + name + ": " + err.Error())
	}
	return (*int64)(unsafe.Pointer(&page[0]))
}

func shiftedNow() (sec int64, nsec int32, mono int64) {
	sec, nsec, mono = runtimeNow()
	return sec + atomic.LoadInt64(shift), nsec, mono
}
`

// buildShifted builds the program with a package time of which Now can be shifted. Only
// the whole process may see another time: a clock that is handed in would leave out what
// libraries do.
func buildShifted(t testing.TB) string {
	t.Helper()
	root, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatalf("go env GOROOT: %v", err)
	}
	folder := filepath.Join(strings.TrimSpace(string(root)), "src", "time")
	original := filepath.Join(folder, "time.go")
	source, err := os.ReadFile(original)
	if err != nil {
		t.Skipf("the source of the package time is needed: %v", err)
	}
	const call, shifted = "sec, nsec, mono := runtimeNow()", "sec, nsec, mono := shiftedNow()"
	if n := bytes.Count(source, []byte(call)); n != 1 {
		t.Skipf("this Go reads the clock in another way: %q stands %d times in %s, want once", call, n, original)
	}
	dir := t.TempDir()
	write := func(name string, text []byte) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatalf("write the overlay: %v", err)
		}
		return file
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {
		original:                           write("time.go", bytes.Replace(source, []byte(call), []byte(shifted), 1)),
		filepath.Join(folder, "zshift.go"): write("zshift.go", []byte(shiftSource)),
	}})
	if err != nil {
		t.Fatalf("write the overlay: %v", err)
	}
	file := filepath.Join(dir, "tidings")
	if err := build(file, "-overlay", write("overlay.json", overlay)); err != nil {
		t.Fatal(err)
	}
	return file
}

// wrongClock is the server's clock, which the test sets.
type wrongClock struct {
	file    string
	page    *int64       // seconds, shared with the server
	former  atomic.Int64 // the shift before the last step
	stepped atomic.Int64 // when that was, by this machine's clock
}

func newWrongClock(t testing.TB) *wrongClock {
	t.Helper()
	c := &wrongClock{file: filepath.Join(t.TempDir(), "shift")}
	f, err := os.Create(c.file)
	if err == nil {
		err = f.Truncate(8)
	}
	if err != nil {
		t.Fatalf("make the clock's file: %v", err)
	}
	defer f.Close()
	page, err := syscall.Mmap(int(f.Fd()), 0, 8, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		t.Fatalf("map the clock's file: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Munmap(page) })
	c.page = (*int64)(unsafe.Pointer(&page[0]))
	return c
}

func (c *wrongClock) step(d time.Duration) {
	c.former.Store(atomic.LoadInt64(c.page))
	c.stepped.Store(time.Now().UnixNano())
	atomic.AddInt64(c.page, int64(d/time.Second))
}

func (c *wrongClock) now() time.Time {
	return time.Now().Add(time.Duration(atomic.LoadInt64(c.page)) * time.Second)
}

// before is what the clock would show without its last step.
func (c *wrongClock) before() time.Time {
	return time.Now().Add(time.Duration(c.former.Load()) * time.Second)
}

// dates are those that a request which was signed just now may have: around a step, two.
func (c *wrongClock) dates() []time.Time {
	const underWay = 5 * time.Second
	if time.Since(time.Unix(0, c.stepped.Load())) > underWay {
		return []time.Time{c.now()}
	}
	return []time.Time{c.now(), c.before()}
}

// TestClockJumps sets the server's clock forward and back by an hour, under load, while
// one destination fails now and then and another takes nothing.
func TestClockJumps(t *testing.T) {
	t.Parallel()
	program, clock := buildShifted(t), newWrongClock(t)
	keys := impatient()
	delivery, ok := keys["delivery"].(map[string]any)
	if !ok {
		delivery = map[string]any{}
	}
	// No delivery may be given up: the clock is never more than an hour ahead of what it
	// was when one failed first.
	keys["delivery"] = with(with(delivery, "give_up", "90m"), "backoff_max", "2s")
	r := newRig(t, setup{
		keys: keys, binary: program, env: []string{clockEnv + "=" + clock.file}, now: clock.now, dates: clock.dates,
	})
	r.troubled.behave(func(w http.ResponseWriter, _ *http.Request, l *ledger, parcels []parcel) {
		if l.name == troubleTopics[1] || rand.IntN(5) == 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		l.received(parcels)
	})
	steps := []time.Duration{time.Hour, -time.Hour, -time.Hour, time.Hour}
	var notes []string
	r.load.during(t, func() {
		for _, step := range steps {
			pause(t, length(200*time.Millisecond, 10*time.Second))
			notes = append(notes, r.jump(t, clock, step))
		}
	})
	r.troubled.behave(obliging)
	r.finish(t, inTheAir, notes...)
	if most := r.load.writers * len(steps); r.books.refusals() > most {
		t.Errorf("%d requests were refused, want at most the %d that were under way when the clock was set; the last with %s", r.books.refusals(), most, r.books.refusal)
	}
}

// jump sets the clock and looks that all goes on.
func (r *rig) jump(t testing.TB, clock *wrongClock, step time.Duration) string {
	t.Helper()
	clock.step(step)
	attempts, accepted, delivered := r.troubled.asked.Load(), r.books.promises(), r.books.ledger(wellTopics[0]).arrived()
	if !r.load.one(t.Context()) {
		t.Errorf("a request with the server's date is not accepted after a step of %v", step)
	}
	old := *r.client
	old.now = clock.before
	_, err := old.send(t.Context(), 0, r.load.phones[0])
	if refused, ok := errors.AsType[*refusal](err); !ok || refused.status != http.StatusForbidden {
		t.Errorf("a request with the date from before a step of %v: %v, want 403: the clock was not set", step, err)
	}
	pause(t, length(800*time.Millisecond, 30*time.Second))
	attempts, accepted = r.troubled.asked.Load()-attempts, r.books.promises()-accepted
	delivered = r.books.ledger(wellTopics[0]).arrived() - delivered
	if attempts == 0 || accepted == 0 || delivered == 0 {
		t.Errorf("after a step of %v: %d requests to the sinks in trouble, %d messages accepted, %d deliveries to the healthy one; want some of each", step, attempts, accepted, delivered)
	}
	if dead := r.deadLetters(t); len(dead) > 0 {
		t.Errorf("after a step of %v there are %d dead letters, want 0: %s", step, len(dead), dead[0].Reason)
	}
	return fmt.Sprintf("%+.0f h: %d messages accepted, %d attempts to the sinks in trouble", step.Hours(), accepted, attempts)
}
