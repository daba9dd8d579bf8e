package quota

import (
	"errors"
	"slices"
	"sort"
	"strconv"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tidings/internal/fault"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func take(t testing.TB, w *Windows, now time.Time, uses ...Use) func() {
	t.Helper()
	undo, err := w.Take(now, uses...)
	if err != nil {
		t.Fatalf("Take(%v, %v) = %v, want it to pass", now, uses, err)
	}
	return undo
}

func refuse(t testing.TB, w *Windows, now time.Time, uses ...Use) *fault.Error {
	t.Helper()
	_, err := w.Take(now, uses...)
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Kind != fault.Throttled {
		t.Fatalf("Take(%v, %v) = %v, want fault.Throttled", now, uses, err)
	}
	return f
}

func TestTakeUpToTheLimit(t *testing.T) {
	t.Parallel()
	w := NewWindows()
	use := Use{Name: VoicePerRecipient, Key: "1/+15550100", Limit: 2}
	take(t, w, noon, use)
	take(t, w, noon.Add(time.Hour), use)

	f := refuse(t, w, noon.Add(2*time.Hour), use)
	if want := 22 * time.Hour; f.RetryAfter != want {
		t.Errorf("RetryAfter = %v, want %v", f.RetryAfter, want)
	}
	const want = "Rate exceeded. The limit voice_messages_per_recipient_per_day is 2 in 24 hours; the next one passes in 22 hours."
	if f.Msg != want {
		t.Errorf("message = %q, want %q", f.Msg, want)
	}
	take(t, w, noon, Use{Name: VoicePerRecipient, Key: "1/+15550101", Limit: 2}) // another key is not concerned

	refuse(t, w, noon.Add(24*time.Hour-1), use)
	take(t, w, noon.Add(24*time.Hour), use)
	refuse(t, w, noon.Add(24*time.Hour), use)
}

func TestTakeAllOrNothing(t *testing.T) {
	t.Parallel()
	w := NewWindows()
	minute, second := Use{Name: VoicePerMinute, Key: "t", Limit: 3}, Use{Name: VoicePerOrigination, Key: "t/1", Limit: 1}
	take(t, w, noon, minute, second)
	for range 10 {
		refuse(t, w, noon, minute, second)
	}
	take(t, w, noon.Add(time.Second), minute, second)
	take(t, w, noon.Add(2*time.Second), minute, second)
	f := refuse(t, w, noon.Add(2500*time.Millisecond), second, minute)
	if want := 57500 * time.Millisecond; f.RetryAfter != want {
		t.Errorf("with two limits reached, RetryAfter = %v, want the longer one %v", f.RetryAfter, want)
	}
}

func TestUndo(t *testing.T) {
	t.Parallel()
	w := NewWindows()
	use := Use{Name: VoicePerMinute, Key: "t", Limit: 1}
	undo := take(t, w, noon, use, Use{Name: VoicePerDay, Key: "t", Limit: Unlimited})
	undo()
	undo = take(t, w, noon.Add(time.Second), use)
	refuse(t, w, noon.Add(time.Minute), use)
	undo()
	take(t, w, noon.Add(time.Minute), use)
	take(t, w, noon.Add(time.Hour), use)
	undo() // of a use that is long forgotten: takes nothing from anybody
	refuse(t, w, noon.Add(time.Hour), use)
}

func TestUnlimitedIsNotCounted(t *testing.T) {
	t.Parallel()
	w := NewWindows()
	for range 1000 {
		take(t, w, noon, Use{Name: VoicePerDay, Key: "t", Limit: Unlimited})
	}
	if n := len(w.limits[VoicePerDay].young); n != 0 {
		t.Errorf("an unlimited use left %d keys, want 0", n)
	}
}

func TestSizeIsNoRate(t *testing.T) {
	t.Parallel()
	w := NewWindows()
	if _, err := w.Take(noon, Use{Name: VoiceBillable, Key: "t", Limit: 1}); err == nil || fault.Is(err, fault.Throttled) {
		t.Errorf("Take of a size = %v, want an error that is no throttling", err)
	}
	if err := w.Record(noon, Use{Name: "nonsense", Key: "t", Limit: 1}); err == nil {
		t.Error("Record of an unknown limit = nil, want an error")
	}
}

func TestRecordCountsWithoutAsking(t *testing.T) {
	t.Parallel()
	w := NewWindows()
	use := Use{Name: VoicePerRecipient, Key: "k", Limit: 2}
	for _, hour := range []time.Duration{5, 1, 3} { // beyond the limit, and not in order
		if err := w.Record(noon.Add(hour*time.Hour), use); err != nil {
			t.Fatalf("Record = %v, want nil", err)
		}
	}
	if n := len(w.limits[VoicePerRecipient].young["k"].marks); n != 2 {
		t.Errorf("a key with a limit of 2 holds %d marks, want 2", n)
	}
	f := refuse(t, w, noon.Add(6*time.Hour), use)
	if want := 21 * time.Hour; f.RetryAfter != want { // the use of hour 3 must expire
		t.Errorf("RetryAfter = %v, want %v", f.RetryAfter, want)
	}
}

func TestClockSetBack(t *testing.T) {
	t.Parallel()
	w := NewWindows()
	use := Use{Name: VoicePerMinute, Key: "k", Limit: 2}
	take(t, w, noon.Add(1000*time.Hour), use)
	take(t, w, noon.Add(1000*time.Hour+time.Second), use)
	f := refuse(t, w, noon, use)
	if f.RetryAfter != time.Minute {
		t.Errorf("after the clock was set back, RetryAfter = %v, want one window", f.RetryAfter)
	}
	take(t, w, noon.Add(time.Minute), use)
}

func TestLargeLimitIsBounded(t *testing.T) {
	t.Parallel()
	const limit = 100_000
	w := NewWindows()
	use := Use{Name: VoicePerMinute, Key: "k", Limit: limit}
	for i := range limit {
		take(t, w, noon.Add(time.Duration(i)*time.Minute/limit), use)
	}
	refuse(t, w, noon.Add(time.Minute-1), use)
	if n := len(w.limits[VoicePerMinute].young["k"].marks); n > slots+1 {
		t.Errorf("a key holds %d marks, want at most %d", n, slots+1)
	}
	take(t, w, noon.Add(time.Minute+time.Minute/slots), use)
}

func TestIdleKeysAreForgotten(t *testing.T) {
	t.Parallel()
	w := NewWindows()
	for i := range 1000 {
		take(t, w, noon, Use{Name: VoicePerMinute, Key: strconv.Itoa(i), Limit: 5})
	}
	k := w.limits[VoicePerMinute]
	for i := range 4 {
		take(t, w, noon.Add(time.Duration(i)*65*time.Second), Use{Name: VoicePerMinute, Key: "busy", Limit: 5})
	}
	if n := len(k.young) + len(k.old); n != 1 {
		t.Errorf("%d keys are kept, want only the one in use", n)
	}
}

func TestInWords(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		24 * time.Hour:            "24 hours",
		time.Minute:               "1 minute",
		time.Second:               "1 second",
		1:                         "1ms",
		999500 * time.Microsecond: "1 second",
		1500 * time.Millisecond:   "2 seconds",
		86_399 * time.Second:      "23h59m59s",
		59*time.Minute + 1:        "59m1s",
		90 * time.Minute:          "1h30m0s",
	} {
		if got := inWords(d); got != want {
			t.Errorf("inWords(%d) = %q, want %q", d, got, want)
		}
	}
}

// one is a use as the model files it.
func one(u Use) Use {
	u.N = 0
	return u
}

// TestWindowsModel compares with the plainest implementation: a list of all uses.
func TestWindowsModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := NewWindows()
		limits := map[string]int64{"a": 1, "b": 2, "c": 7}
		model := map[Use][]time.Time{}
		var undos []func()
		now := noon
		t.Repeat(map[string]func(*rapid.T){
			"wait": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.SampledFrom([]int{1, 999_999_999, 1e9, 7e9, 59e9, 60e9, 125e9}).Draw(t, "ns")))
			},
			"take": func(t *rapid.T) {
				var uses []Use
				for _, n := range []Name{VoicePerMinute, VoicePerOrigination} {
					if key := rapid.SampledFrom([]string{"", "a", "b", "c"}).Draw(t, string(n)); key != "" {
						uses = append(uses, Use{Name: n, Key: key, Limit: limits[key], N: rapid.Int64Range(0, 4).Draw(t, "n")})
					}
				}
				var longest time.Duration
				never := false
				for _, u := range uses {
					if u.N > u.Limit {
						never = true
					} else {
						longest = max(longest, modelWait(model[one(u)], now, u))
					}
				}
				if never {
					_, err := w.Take(now, uses...)
					if f := fault.From(err); err == nil || f.RetryAfter != 0 {
						t.Fatalf("Take(%v) = %v, want it to be refused for good", uses, err)
					}
					return
				}
				undo, err := w.Take(now, uses...)
				if (err == nil) != (longest == 0) {
					t.Fatalf("Take(%v) = %v, want it to wait %v", uses, err, longest)
				}
				if err != nil {
					if f := fault.From(err); f.RetryAfter != longest {
						t.Fatalf("Take(%v): RetryAfter = %v, want %v", uses, f.RetryAfter, longest)
					}
					return
				}
				at := now
				for _, u := range uses {
					for range max(u.N, 1) {
						model[one(u)] = append(model[one(u)], at)
					}
				}
				undos = append(undos, func() {
					undo()
					for _, u := range uses {
						for range max(u.N, 1) {
							model[one(u)] = without(model[one(u)], at)
						}
					}
				})
			},
			"undo": func(t *rapid.T) {
				if len(undos) == 0 {
					t.Skip("nothing to undo")
				}
				undos[len(undos)-1]()
				undos = undos[:len(undos)-1]
			},
		})
	})
}

func modelWait(uses []time.Time, now time.Time, u Use) time.Duration {
	row, _ := Row(u.Name)
	var live []time.Time
	for _, at := range uses {
		if now.Sub(at) < row.Window {
			live = append(live, at)
		}
	}
	over := int64(len(live)) + max(u.N, 1) - u.Limit
	if over <= 0 {
		return 0
	}
	return live[over-1].Add(row.Window).Sub(now)
}

func without(times []time.Time, at time.Time) []time.Time {
	for i, other := range slices.Backward(times) {
		if other.Equal(at) {
			return append(times[:i:i], times[i+1:]...)
		}
	}
	return times
}

// TestLargeLimitModel holds the promise about limits that are counted in steps: never too
// many within a window, and a refusal only if the window and one step are full.
func TestLargeLimitModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := NewWindows()
		use := Use{Name: VoicePerMinute, Key: "k", Limit: slots + 60}
		var passed []time.Time
		now := noon
		for _, group := range rapid.SliceOfN(rapid.IntRange(1, 30_000), 4, 12).Draw(t, "ms between groups") {
			now = now.Add(time.Duration(group) * time.Millisecond)
			for range 500 {
				_, err := w.Take(now, use)
				within := func(d time.Duration) int64 {
					first := sort.Search(len(passed), func(i int) bool { return now.Sub(passed[i]) < d })
					return int64(len(passed) - first)
				}
				if n := within(time.Minute); err == nil && n >= use.Limit {
					t.Fatalf("use %d within a minute passed, the limit is %d", n+1, use.Limit)
				}
				if n := within(time.Minute + time.Minute/slots + 1); err != nil && n < use.Limit {
					t.Fatalf("a use was refused after only %d of %d: %v", n, use.Limit, err)
				}
				if err != nil {
					break
				}
				passed = append(passed, now)
			}
		}
	})
}

func TestTakeIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	w := NewWindows()
	var wg sync.WaitGroup
	passed := make(chan int, 8)
	for i := range 8 {
		wg.Go(func() {
			n := 0
			for range 100 {
				if _, err := w.Take(noon.Add(time.Duration(i)), Use{Name: VoicePerDay, Key: "t", Limit: 250}, Use{Name: VoicePerMinute, Key: "t", Limit: 300}); err == nil {
					n++
				}
			}
			passed <- n
		})
	}
	wg.Wait()
	close(passed)
	total := 0
	for n := range passed {
		total += n
	}
	if total != 250 {
		t.Errorf("%d concurrent uses passed, want 250", total)
	}
}

func TestForChoosesTheColumn(t *testing.T) {
	t.Parallel()
	over := map[Name]int64{VoicePerMinute: 60}
	for _, tt := range []struct {
		mode Mode
		over map[Name]int64
		name Name
		want int64
	}{
		{Production, nil, VoicePerMinute, 20},
		{Sandbox, nil, VoicePerMinute, 5},
		{Sandbox, nil, VoiceSandboxCountries, 1},
		{Off, nil, VoicePerRecipient, Unlimited},
		{Production, over, VoicePerMinute, 60},
		{Off, over, VoicePerMinute, 60},
		{Off, over, VoicePerRecipient, Unlimited},
	} {
		if got := For(tt.mode, tt.over).Of(tt.name); got != tt.want {
			t.Errorf("For(%q, %v).Of(%q) = %d, want %d", tt.mode, tt.over, tt.name, got, tt.want)
		}
	}
}

func TestTableHasEachLimitOnce(t *testing.T) {
	t.Parallel()
	seen := map[Name]bool{}
	for _, row := range Table {
		if seen[row.Name] || row.Name == "" || row.Source == "" {
			t.Errorf("row %+v: want a name that is not taken, and a source", row)
		}
		seen[row.Name] = true
		if got, ok := Row(row.Name); !ok || got != row {
			t.Errorf("Row(%q) = %v, %v, want %v", row.Name, got, ok, row)
		}
	}
}
