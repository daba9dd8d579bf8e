package simulator_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tidings/internal/event"
	"tidings/internal/simulator"
	"tidings/internal/tenant"
	"tidings/internal/voice"
)

func call(number string, speech voice.Speech) voice.Call {
	return voice.Call{Speech: speech, Message: voice.Message{
		ID: "m1", Destination: voice.Phone(number), Tenant: tenant.Tenant{Account: "123456789012", Region: "us-east-1"},
	}}
}

func dialer(t *testing.T, opts simulator.Options) *simulator.Dialer {
	t.Helper()
	d, err := simulator.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// dial returns the events of a call, with the initiation that the runner publishes.
func dial(t *testing.T, d *simulator.Dialer, c voice.Call) ([]event.Type, voice.Outcome) {
	t.Helper()
	got := []event.Type{event.VoiceInitiated}
	out, err := d.Dial(t.Context(), c, func(e event.Type) error { got = append(got, e); return nil })
	if err != nil {
		t.Fatalf("Dial(%s) = %v", c.Message.Destination, err)
	}
	return append(got, out.Type), out
}

func TestEveryPhoneDoesWhatItsEntrySays(t *testing.T) {
	t.Parallel()
	for _, n := range simulator.Numbers() {
		synctest.Test(t, func(t *testing.T) {
			got, out := dial(t, dialer(t, simulator.Options{}), call(n.Number, voice.Speech{Duration: 6 * time.Second}))
			if !slices.Equal(got, n.Events) {
				t.Errorf("%s %s: events %v, want %v", n.Number, n.Behavior, got, n.Events)
			}
			if out.Type != event.VoiceCompleted && out.Reason == "" {
				t.Errorf("%s %s ends %s without a reason", n.Number, n.Behavior, out.Type)
			}
		})
	}
}

func TestTimePassesAtTheSpeedGiven(t *testing.T) {
	t.Parallel()
	for speed, want := range map[float64]time.Duration{0: 8 * time.Second, 4: 2 * time.Second, 1e9: 0} {
		synctest.Test(t, func(t *testing.T) {
			begun := time.Now()
			_, out := dial(t, dialer(t, simulator.Options{Speed: speed}), call("+12065550100", voice.Speech{Duration: 6 * time.Second}))
			if got := time.Since(begun); got != want {
				t.Errorf("at speed %v the call took %v, want %v", speed, got, want)
			}
			if out.Talk != 6*time.Second {
				t.Errorf("at speed %v Talk = %v, want the uncompressed 6s", speed, out.Talk)
			}
		})
	}
}

func TestEveryAreaCodeAndOwnNumbers(t *testing.T) {
	t.Parallel()
	d := dialer(t, simulator.Options{Speed: 1e9, Numbers: map[string]string{"+4930123456": "busy"}})
	for number, want := range map[string]event.Type{
		"+14255550101": event.VoiceBusy, "14255550101": event.VoiceBusy, "+4930123456": event.VoiceBusy,
		"+12065550199": event.VoiceCompleted, "+442079460000": event.VoiceCompleted,
	} {
		if _, out := dial(t, d, call(number, voice.Speech{Duration: time.Second})); out.Type != want {
			t.Errorf("Dial(%s) ends %s, want %s", number, out.Type, want)
		}
	}
	for number, behavior := range map[string]string{"+1": "sings", "one": "busy", "": "busy"} {
		if _, err := simulator.New(simulator.Options{Numbers: map[string]string{number: behavior}}); err == nil {
			t.Errorf("New with %q = %q: want an error", number, behavior)
		}
	}
}

func TestHangsUpWhenToldTo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := dialer(t, simulator.Options{})
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		out, err := d.Dial(ctx, call("+12065550100", voice.Speech{Duration: time.Minute}), func(event.Type) error { return nil })
		if err != nil || out.Type != event.VoiceFailed || out.Talk != 3*time.Second {
			t.Errorf("Dial = %+v, %v, want failed after 3s of talk", out, err)
		}
		broken := errors.New("disk full")
		if _, err := d.Dial(t.Context(), call("+12065550100", voice.Speech{}), func(event.Type) error { return broken }); !errors.Is(err, broken) {
			t.Errorf("Dial = %v, want the failure of progress", err)
		}
	})
}

func TestRecordings(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	speech := voice.Speech{File: filepath.Join(dir, "speech.wav"), Duration: 6 * time.Second}
	if err := os.WriteFile(speech.File, []byte("sound"), 0o600); err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 21, 10, 30, 0, 0, time.UTC)
	var cuts []string
	d := dialer(t, simulator.Options{
		Speed: 1e9, Recordings: filepath.Join(dir, "recordings"), Keep: time.Hour, Now: func() time.Time { return now },
		Cut: func(dst, _ string, d time.Duration) error { cuts = append(cuts, dst+" "+d.String()); return nil },
	})
	dial(t, d, call("+12065550100", speech))
	whole := filepath.Join(dir, "recordings/123456789012/us-east-1/2026/11/21/10/m1.wav")
	if text, err := os.ReadFile(whole); err != nil || string(text) != "sound" {
		t.Errorf("the recording is %q, %v", text, err)
	}
	dial(t, d, call("+12065550107", speech))
	if len(cuts) != 1 || !strings.HasSuffix(cuts[0], "m1.wav 3s") {
		t.Errorf("cuts = %v, want one of 3s", cuts)
	}
	dial(t, d, call("+12065550101", speech)) // busy: nobody heard anything
	if len(cuts) != 1 {
		t.Error("a busy phone has recorded something")
	}

	now = now.Add(2*time.Hour + time.Minute)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Run = %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "recordings/*/*/*")); err != nil || len(left) != 0 {
		t.Errorf("still there after they were due: %v, %v", left, err)
	}
}
