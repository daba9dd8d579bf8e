package voice

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"tidings/internal/event"
)

// run runs r on a new life of d until everything has come to rest and settled reports
// true, or 10 minutes have passed, then stops it.
func run(t testing.TB, d *disk, r *Runner, settled func() bool) {
	t.Helper()
	l := d.crash()
	r.Queue, r.Publisher = l, l
	ctx, stop := context.WithCancel(t.Context())
	returned := make(chan error, 1)
	go func() { returned <- r.Run(ctx) }()
	synctest.Wait()
	for range 600 {
		if settled() {
			break
		}
		time.Sleep(time.Second)
		synctest.Wait()
	}
	stop()
	if err := <-returned; !errors.Is(err, context.Canceled) {
		t.Errorf("Run = %v, want %v", err, context.Canceled)
	}
}

func TestCallsAreLivedToTheirEnd(t *testing.T) {
	t.Parallel()
	ring := func(o Outcome, err error) dialer {
		return func(_ context.Context, _ Call, progress func(event.Type) error) (Outcome, error) {
			return o, errors.Join(err, progress(event.VoiceRinging))
		}
	}
	i, ri, an, co, bu, no, fa := event.VoiceInitiated, event.VoiceRinging, event.VoiceAnswered,
		event.VoiceCompleted, event.VoiceBusy, event.VoiceNoAnswer, event.VoiceFailed
	for _, tt := range []struct {
		name   string
		speak  speaker
		dial   dialer
		want   []event.Type
		reason string
	}{
		{"completed", nil, answers, []event.Type{i, ri, an, co}, ""},
		{"busy", nil, func(context.Context, Call, func(event.Type) error) (Outcome, error) {
			return Outcome{Type: bu, Reason: "SIP 486"}, nil
		}, []event.Type{i, bu}, "SIP 486"},
		{"no answer", nil, ring(Outcome{Type: no, Reason: "rang for 45 s"}, nil), []event.Type{i, ri, no}, "rang for 45 s"},
		{"no speech", func(context.Context, Content, time.Duration) (Speech, error) {
			return Speech{}, errors.New("no engine")
		}, nil, []event.Type{i, fa}, reasonNoSpeech},
		{"the speaker panics", func(context.Context, Content, time.Duration) (Speech, error) { panic("oops") }, nil, []event.Type{i, fa}, reasonNoSpeech},
		{"the dialer fails", nil, ring(Outcome{}, errors.New("trunk 10.0.0.1 on fire")), []event.Type{i, ri, fa}, reasonBrokenDown},
		{"the dialer panics", nil, func(context.Context, Call, func(event.Type) error) (Outcome, error) { panic("oops") }, []event.Type{i, fa}, reasonBrokenDown},
		{"completed without an answer", nil, ring(Outcome{Type: co}, nil), []event.Type{i, ri, fa}, reasonBrokenDown},
		{"no outcome", nil, ring(Outcome{}, nil), []event.Type{i, ri, fa}, reasonBrokenDown},
		{"an outcome that is none", nil, ring(Outcome{Type: an}, nil), []event.Type{i, ri, fa}, reasonBrokenDown},
		{"busy after an answer", nil, func(_ context.Context, _ Call, p func(event.Type) error) (Outcome, error) {
			return Outcome{Type: bu}, p(an)
		}, []event.Type{i, an, fa}, reasonBrokenDown},
		{"reported twice and too late", nil, func(_ context.Context, _ Call, p func(event.Type) error) (Outcome, error) {
			return Outcome{Type: co}, errors.Join(p(ri), p(ri), p(an), p(ri), p(an))
		}, []event.Type{i, ri, an, co}, ""},
		{"a final event as progress", nil, func(_ context.Context, _ Call, p func(event.Type) error) (Outcome, error) {
			return Outcome{Type: bu}, p(bu)
		}, []event.Type{i, fa}, reasonBrokenDown},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := newDisk(message("m"))
				reg := prometheus.NewRegistry()
				run(t, d, &Runner{Synthesizer: tt.speak, Dialer: tt.dial, Metrics: NewMetrics(reg), Drain: time.Minute}, d.allDone)
				if diff := cmp.Diff(tt.want, d.types("m")); diff != "" {
					t.Errorf("events differ (-want +got):\n%s", diff)
				}
				if !d.allDone() {
					t.Error("the message is not done")
				}
				var rec record
				if err := json.Unmarshal(d.last(t).Record, &rec); err != nil {
					t.Fatalf("Unmarshal(record) = %v", err)
				}
				if rec.MessageStatusDescription != tt.reason {
					t.Errorf("messageStatusDescription = %q, want %q", rec.MessageStatusDescription, tt.reason)
				}
				last := tt.want[len(tt.want)-1]
				if n := sample(t, reg, "tidings_voice_calls_total", word(last)); n != 1 {
					t.Errorf("tidings_voice_calls_total{outcome=%q} = %v, want 1", word(last), n)
				}
				if n := sample(t, reg, "tidings_voice_calls_in_progress", ""); n != 0 {
					t.Errorf("tidings_voice_calls_in_progress = %v, want 0", n)
				}
			})
		})
	}
}

func TestEventTimesAreThoseOfTheCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(message("m"))
		begun := time.Now().UTC()
		run(t, d, &Runner{Synthesizer: speaker(nil), Dialer: dialer(answers), Drain: time.Minute}, d.allDone)
		var got []time.Duration
		for _, e := range d.log {
			got = append(got, e.Time.Sub(begun))
		}
		if want := []time.Duration{0, 0, 2 * time.Second, 8 * time.Second}; !slices.Equal(got, want) {
			t.Errorf("events at %v, want %v", got, want)
		}
	})
}

func TestDialsOnlyOnceInitiatedIsOnDisk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(message("m"))
		full := true
		d.publish = func([]event.Event) (bool, error) {
			if full {
				return false, errors.New("disk full")
			}
			return true, nil
		}
		dialled := false
		r := &Runner{Synthesizer: speaker(nil), Dialer: dialer(func(context.Context, Call, func(event.Type) error) (Outcome, error) {
			dialled = true
			return Outcome{Type: event.VoiceBusy}, nil
		})}
		go func() {
			time.Sleep(5 * time.Minute)
			if dialled {
				t.Error("dialled although nothing is on disk")
			}
			d.mu.Lock()
			full = false
			d.mu.Unlock()
		}()
		run(t, d, r, d.allDone)
		if want := []event.Type{event.VoiceInitiated, event.VoiceBusy}; !slices.Equal(d.types("m"), want) {
			t.Errorf("events = %v, want %v", d.types("m"), want)
		}
	})
}

func TestACallDoesNotWaitForTheDisk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(message("m"))
		begun := time.Now()
		d.publish = func(events []event.Event) (bool, error) {
			if events[0].Type != event.VoiceInitiated && time.Since(begun) < 3*time.Minute {
				return false, errors.New("disk full")
			}
			return true, nil
		}
		var over time.Duration
		r := &Runner{Synthesizer: speaker(nil), Dialer: dialer(func(ctx context.Context, c Call, p func(event.Type) error) (Outcome, error) {
			o, err := answers(ctx, c, p)
			over = time.Since(begun)
			return o, err
		})}
		run(t, d, r, d.allDone)
		if over != 8*time.Second {
			t.Errorf("the call took %v, want 8s", over)
		}
		want := []event.Type{event.VoiceInitiated, event.VoiceRinging, event.VoiceAnswered, event.VoiceCompleted}
		if !slices.Equal(d.types("m"), want) {
			t.Errorf("events = %v, want %v", d.types("m"), want)
		}
		if at := d.last(t).Time.Sub(begun); at != 8*time.Second {
			t.Errorf("the final event is of %v, want the end of the call at 8s", at)
		}
	})
}

func TestRecovery(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ begun, want []event.Type }{
		{[]event.Type{event.VoiceInitiated}, []event.Type{event.VoiceInitiated, event.VoiceFailed}},
		{[]event.Type{event.VoiceInitiated, event.VoiceAnswered}, []event.Type{event.VoiceInitiated, event.VoiceAnswered, event.VoiceFailed}},
		{[]event.Type{event.VoiceInitiated, event.VoiceBusy}, []event.Type{event.VoiceInitiated, event.VoiceBusy}},
	} {
		synctest.Test(t, func(t *testing.T) {
			m := message("m")
			d := newDisk(m)
			for _, e := range tt.begun {
				d.log = append(d.log, Recorder{}.Event(&m, e, noon, Outcome{}))
			}
			run(t, d, &Runner{Synthesizer: speaker(nil)}, d.allDone) // without a Dialer: dialling would panic
			if got := d.types("m"); !slices.Equal(got, tt.want) {
				t.Errorf("begun %v: events = %v, want %v", tt.begun, got, tt.want)
			}
			if rec := string(d.last(t).Record); slices.Contains(tt.want, event.VoiceFailed) && !strings.Contains(rec, `"messageStatusDescription":"service restarted during the call"`) {
				t.Errorf("record = %s, want the reason of the failure", rec)
			}
			if !d.allDone() {
				t.Error("the message is not done")
			}
		})
	}
}

func TestShutdown(t *testing.T) {
	t.Parallel()
	stopAfter := func(d time.Duration) func() bool {
		end := time.Now().Add(d)
		return func() bool { return !time.Now().Before(end) }
	}
	t.Run("calls in progress may end", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			d := newDisk(message("m"))
			run(t, d, &Runner{Synthesizer: speaker(nil), Dialer: dialer(answers), Drain: 30 * time.Second}, stopAfter(time.Second))
			if got := d.last(t).Type; got != event.VoiceCompleted || !d.allDone() {
				t.Errorf("the call ended %v, done %v, want completed and done", got, d.allDone())
			}
		})
	})
	t.Run("calls that last too long are hung up", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			d := newDisk(message("m"))
			begun := time.Now()
			run(t, d, &Runner{Synthesizer: speaker(nil), Dialer: dialer(answers), Drain: 3 * time.Second}, stopAfter(time.Second))
			e := d.last(t)
			if e.Type != event.VoiceFailed || !strings.Contains(string(e.Record), reasonStopped) || !d.allDone() {
				t.Errorf("the call ended with %s, done %v, want failed for the stop, and done", e.Record, d.allDone())
			}
			if took := time.Since(begun); took != 4*time.Second {
				t.Errorf("Run returned after %v, want 4s", took)
			}
		})
	})
	t.Run("calls that were not begun are handed back", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			d := newDisk(message("slow"), message("waits"))
			never := speaker(func(ctx context.Context, _ Content, _ time.Duration) (Speech, error) {
				<-ctx.Done()
				return Speech{}, ctx.Err()
			})
			run(t, d, &Runner{Synthesizer: never, Lines: 1, Drain: time.Minute}, stopAfter(time.Second))
			if d.released != 1 || len(d.log) != 0 || len(d.done) != 0 {
				t.Errorf("released %d, log %v, done %v, want one released and nothing else", d.released, d.log, d.done)
			}
		})
	})
	t.Run("a store that takes nothing does not hold up the stop", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			d := newDisk(message("m"))
			d.publish = func(events []event.Event) (bool, error) {
				if events[0].Type != event.VoiceInitiated {
					return false, errors.New("disk full")
				}
				return true, nil
			}
			begun := time.Now()
			run(t, d, &Runner{Synthesizer: speaker(nil), Dialer: dialer(answers), Drain: time.Second}, stopAfter(time.Second))
			if took := time.Since(begun); took > time.Second+time.Second+lastWords {
				t.Errorf("Run returned after %v", took)
			}
			if len(d.done) != 0 || d.released != 0 {
				t.Errorf("done %v, released %d, want neither: the next life tells the end", d.done, d.released)
			}
			d.publish = nil
			run(t, d, &Runner{Synthesizer: speaker(nil)}, d.allDone)
			if got := d.types("m"); !slices.Equal(got, []event.Type{event.VoiceInitiated, event.VoiceFailed}) {
				t.Errorf("after the next start: events = %v, want initiated and failed", got)
			}
		})
	})
}

func TestLinesBoundTheCallsInProgress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(message("a"), message("b"), message("c"), message("d"), message("e"))
		now, most := make(chan struct{}, 10), 0
		r := &Runner{Lines: 2, Synthesizer: speaker(nil), Dialer: dialer(func(ctx context.Context, c Call, p func(event.Type) error) (Outcome, error) {
			now <- struct{}{}
			defer func() { <-now }()
			d.mu.Lock()
			most = max(most, len(now))
			d.mu.Unlock()
			return answers(ctx, c, p)
		})}
		run(t, d, r, d.allDone)
		if most != 2 || !d.allDone() {
			t.Errorf("at most %d calls at once, done %v, want 2 and all", most, d.allDone())
		}
	})
}

func TestOneLinePerCallWithoutPersonalData(t *testing.T) {
	t.Parallel()
	for _, personal := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var out bytes.Buffer
			d := newDisk(message("m"))
			run(t, d, &Runner{
				Synthesizer: speaker(nil), Dialer: dialer(answers), Personal: personal,
				Log: slog.New(slog.NewJSONHandler(&out, nil)),
			}, d.allDone)
			if n := strings.Count(out.String(), "\n"); n != 1 {
				t.Errorf("the call left %d lines in the log, want 1:\n%s", n, &out)
			}
			for _, part := range []string{"secret words", "4255550159", "2065550153"} {
				if got := strings.Contains(out.String(), part); got != personal {
					t.Errorf("personal %v: the log holds %q: %v\n%s", personal, part, got, &out)
				}
			}
			for _, part := range []string{`"message":"m"`, `"outcome":"completed"`, `"country":"US"`, `"account":"123456789012"`} {
				if !strings.Contains(out.String(), part) {
					t.Errorf("the log does not hold %s:\n%s", part, &out)
				}
			}
		})
	}
}

func TestProgressAfterTheEndIsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(message("m"))
		var late func(event.Type) error
		r := &Runner{Synthesizer: speaker(nil), Dialer: dialer(func(_ context.Context, _ Call, p func(event.Type) error) (Outcome, error) {
			late = p
			return Outcome{Type: event.VoiceBusy}, nil
		})}
		run(t, d, r, d.allDone)
		if err := late(event.VoiceRinging); !errors.Is(err, errOver) {
			t.Errorf("progress after the end = %v, want %v", err, errOver)
		}
	})
}
