package simulator

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"tidings/internal/event"
	"tidings/internal/tenant"
	"tidings/internal/voice"
)

// record records n whole calls of one speech and returns what is in the files.
func record(t *testing.T, tp *tape, n int) []string {
	t.Helper()
	src := filepath.Join(t.TempDir(), "speech.wav")
	if err := os.WriteFile(src, []byte("sound"), 0o600); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		tp.record(voice.Call{
			Speech:  voice.Speech{File: src, Duration: time.Second},
			Message: voice.Message{ID: fmt.Sprint("m", i), Tenant: tenant.Tenant{Account: "123456789012", Region: "us-east-1"}},
		}, time.Second)
	}
	var sounds []string
	files, err := filepath.Glob(filepath.Join(tp.dir, "123456789012/us-east-1/*/*/*/*/*.wav"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		sound, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		sounds = append(sounds, string(sound))
	}
	return sounds
}

func TestCopiesWhereNoMoreLinksAreAllowed(t *testing.T) {
	t.Parallel()
	tp := newTape(Options{Recordings: t.TempDir()})
	links := map[string]int{}
	tp.link = func(old, name string) error {
		if links[old]++; links[old] > 3 {
			return &os.LinkError{Op: "link", Old: old, New: name, Err: syscall.EMLINK}
		}
		return os.Link(old, name)
	}
	sounds := record(t, tp, 10)
	if len(sounds) != 10 || strings.Join(sounds, "") != strings.Repeat("sound", 10) {
		t.Errorf("recordings = %q, want 10 with the sound", sounds)
	}
	// 3 links and a copy, 3 links to that and a copy, 2 links to that.
	if len(links) != 3 {
		t.Errorf("linked to %d files, want 3: %v", len(links), links)
	}
}

func TestAnHourKeepsSoMany(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	now := time.Date(2026, 11, 21, 10, 30, 0, 0, time.UTC)
	tp := newTape(Options{Recordings: t.TempDir(), Log: slog.New(slog.NewTextHandler(&out, nil)), Now: func() time.Time { return now }})
	tp.hour, tp.count, tp.made, tp.twins = now.Format(hourForm), maxPerHour-2, map[string]bool{}, map[string]string{}
	if got := len(record(t, tp, 5)); got != 2 {
		t.Errorf("%d recordings kept, want the 2 that were left", got)
	}
	if n := strings.Count(out.String(), "no more recordings"); n != 1 {
		t.Errorf("%d warnings, want 1:\n%s", n, &out)
	}
}

// BenchmarkDial is a call without waiting. Recording one is a link.
func BenchmarkDial(b *testing.B) {
	for _, keep := range []bool{false, true} {
		b.Run(fmt.Sprintf("recordings=%v", keep), func(b *testing.B) {
			src := filepath.Join(b.TempDir(), "speech.wav")
			if err := os.WriteFile(src, []byte("sound"), 0o600); err != nil {
				b.Fatal(err)
			}
			opts := Options{Speed: 1e9}
			if keep {
				opts.Recordings = b.TempDir()
			}
			d, err := New(opts)
			if err != nil {
				b.Fatal(err)
			}
			none := func(event.Type) error { return nil }
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				m := voice.Message{ID: fmt.Sprint("m", i), Destination: "+12065550100", Tenant: tenant.Tenant{Account: "123456789012", Region: "us-east-1"}}
				if keep {
					d.tape.count = 0 // so that none is left out
				}
				if _, err := d.Dial(b.Context(), voice.Call{Message: m, Speech: voice.Speech{File: src, Duration: time.Second}}, none); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
