package interop

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tidings/internal/audio"
	"tidings/internal/event"
	"tidings/internal/sipcall"
	"tidings/internal/siptrunk"
	"tidings/internal/tts/wav"
	"tidings/internal/voice"
)

var loopback = netip.MustParseAddr("127.0.0.1")

// trunk is a trunk to a port of this machine, which serves numbers that begin so. It sends
// no OPTIONS, which the callees of most tests do not expect.
func trunk(prefix string, port int) siptrunk.Config {
	return siptrunk.Config{
		Name: "to" + prefix, Server: fmt.Sprintf("127.0.0.1:%d", port), Prefixes: []string{prefix},
		Plus: true, Options: -1, Domain: "tidings.example",
	}
}

// dialer runs a Dialer with the trunks for the test.
func dialer(tb testing.TB, opts sipcall.Options, trunks ...siptrunk.Config) *sipcall.Dialer {
	tb.Helper()
	log := slog.New(slog.NewTextHandler(&testLog{tb: tb}, &slog.HandlerOptions{Level: slog.LevelInfo}))
	pool, err := siptrunk.New(trunks, siptrunk.Options{Log: log})
	if err != nil {
		tb.Fatal(err)
	}
	opts.Listen, opts.Trunks, opts.Media, opts.Log = "127.0.0.1:0", pool, wheel, log
	d, err := sipcall.New(opts)
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := d.Run(ctx); !errors.Is(err, context.Canceled) {
			tb.Errorf("Dialer.Run = %v", err)
		}
	})
	tb.Cleanup(func() {
		cancel()
		running.Wait()
	})
	return d
}

// testLog shows the log of a test that has failed.
type testLog struct {
	tb   testing.TB
	once sync.Once
	mu   sync.Mutex
	all  strings.Builder
}

func (l *testLog) Write(b []byte) (int, error) {
	l.once.Do(func() {
		l.tb.Cleanup(func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			if l.tb.Failed() {
				l.tb.Logf("the log:\n%s", l.all.String())
			}
		})
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(b)
}

// message is speech for the tests: tones that glide through the band of a telephone, as
// loud and as soft as words, so that it is like itself at one place only.
func message(tb testing.TB, d time.Duration) (voice.Speech, []int16) {
	tb.Helper()
	const rate = 8000
	var pcm []int16
	for i := 0; len(pcm) < int(d.Seconds()*rate); i++ {
		hz := 300 + float64(i*i*37%2900)
		pcm = append(pcm, audio.Tone(hz, -16-float64(i%5), 60*time.Millisecond, rate)...)
	}
	pcm = pcm[:int(d.Seconds()*rate)]
	file := filepath.Join(tb.TempDir(), "message.wav")
	if err := wav.New(rate, pcm).Save(file); err != nil {
		tb.Fatal(err)
	}
	return voice.Speech{File: file, Duration: d}, pcm
}

// history is what became of a call.
type history struct {
	events  []event.Type // progress, and the outcome's
	outcome voice.Outcome
	took    time.Duration
}

// call places a call and waits for its end.
func call(tb testing.TB, d *sipcall.Dialer, number string, speech voice.Speech) history {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	var mu sync.Mutex
	var h history
	c := voice.Call{Speech: speech, Message: voice.Message{
		ID: "message-" + number, Destination: voice.Phone(number), Origination: "+12065550199", MaxLength: 30 * time.Second,
	}}
	begun := time.Now()
	outcome, err := d.Dial(ctx, c, func(t event.Type) error {
		mu.Lock()
		defer mu.Unlock()
		h.events = append(h.events, t)
		return nil
	})
	if err != nil {
		tb.Errorf("Dial(%s) = %v", number, err)
	}
	mu.Lock()
	defer mu.Unlock()
	h.outcome, h.took = outcome, time.Since(begun)
	h.events = append(h.events, outcome.Type)
	return h
}

// want compares the events with those that are expected, as letters: R ringing, A answered,
// C completed, B busy, N no answer, F failed.
func (h history) want(tb testing.TB, letters string) {
	tb.Helper()
	words := map[rune]event.Type{
		'R': event.VoiceRinging, 'A': event.VoiceAnswered, 'C': event.VoiceCompleted,
		'B': event.VoiceBusy, 'N': event.VoiceNoAnswer, 'F': event.VoiceFailed,
	}
	var all []event.Type
	for _, l := range letters {
		all = append(all, words[l])
	}
	if diff := cmp.Diff(all, h.events); diff != "" {
		tb.Errorf("events (-want +got), outcome %+v:\n%s", h.outcome, diff)
	}
}

// sounds checks that the message is in what was heard, whole and unharmed. The level may
// differ: speech is brought to that of telephones. On a machine that has no time the sound
// pauses between two packets, so it is looked for packet by packet.
func sounds(tb testing.TB, heard, message []int16) {
	tb.Helper()
	const packet = 160
	at, first, missing := 0, -1, 0
	for i := 0; i+packet <= len(message); i += packet {
		lag := find(heard[at:], message[i:i+packet])
		if lag < 0 {
			missing++
			continue
		}
		if first < 0 {
			first = at + lag - i
		}
		at += lag + packet
	}
	if missing > 0 {
		tb.Errorf("%d of %d packets of the message are not in what was heard, %d samples", missing, len(message)/packet, len(heard))
	}
	if span := at - first; span < len(message)-packet {
		tb.Errorf("the message was heard for %d samples, want %d", span, len(message))
	}
}

// find returns where the piece is, with a correlation of at least 0.99, or -1.
func find(sound, piece []int16) int {
	for lag := range max(0, len(sound)-len(piece)+1) {
		if correlation(piece, sound[lag:lag+len(piece)]) >= 0.99 {
			return lag
		}
	}
	return -1
}

// correlation says how alike two sounds of the same length are, whatever their levels: 1 =
// the same.
func correlation(a, b []int16) float64 {
	var ab, aa, bb float64
	for i := range a {
		x, y := float64(a[i]), float64(b[i])
		ab, aa, bb = ab+x*y, aa+x*x, bb+y*y
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return ab / math.Sqrt(aa*bb)
}
