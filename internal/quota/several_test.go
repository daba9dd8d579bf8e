package quota

import (
	"testing"
	"time"
)

func TestTakeSeveralAtOnce(t *testing.T) {
	t.Parallel()
	w := NewWindows()
	use := func(n int64) Use { return Use{Name: VoicePerMinute, Key: "t", Limit: 10, N: n} }
	count := func(at time.Time) int64 {
		t.Helper()
		n, err := w.Count(at, VoicePerMinute, "t", 10)
		if err != nil {
			t.Fatalf("Count = %v", err)
		}
		return n
	}
	take(t, w, noon, use(4))
	undo := take(t, w, noon.Add(10*time.Second), use(5))
	f := refuse(t, w, noon.Add(20*time.Second), use(2))
	if want := 40 * time.Second; f.RetryAfter != want {
		t.Errorf("RetryAfter = %v, want %v", f.RetryAfter, want)
	}
	if f = refuse(t, w, noon.Add(20*time.Second), use(6)); f.RetryAfter != 50*time.Second {
		t.Errorf("RetryAfter = %v, want 50 s, until both are gone", f.RetryAfter)
	}
	take(t, w, noon.Add(20*time.Second), use(0))
	if got := count(noon.Add(20 * time.Second)); got != 10 {
		t.Errorf("Count = %d, want 10", got)
	}
	undo()
	if got := count(noon.Add(20 * time.Second)); got != 5 {
		t.Errorf("Count after undo = %d, want 5", got)
	}
	if got := count(noon.Add(time.Minute)); got != 1 {
		t.Errorf("Count a minute later = %d, want 1", got)
	}
	f = refuse(t, w, noon, use(11))
	const want = "Rate exceeded. The limit voice_calls_per_minute is 10 in 1 minute; these are 11 at once."
	if f.Msg != want || f.RetryAfter != 0 {
		t.Errorf("message = %q, RetryAfter = %v, want %q and none", f.Msg, f.RetryAfter, want)
	}
	if n, err := w.Count(noon, VoicePerMinute, "nobody", 10); err != nil || n != 0 {
		t.Errorf("Count of nobody = %d, %v, want 0", n, err)
	}
	if _, err := w.Count(noon, VoiceSeconds, "t", 10); err == nil {
		t.Error("Count of a size = nil, want an error")
	}
}
