package tts_test

import (
	"errors"
	"fmt"
	"os/exec"
	"testing"
	"time"

	"tidings/internal/fault"
	"tidings/internal/tts"
	"tidings/internal/tts/espeak"
	"tidings/internal/voice"
)

// withEspeak returns a synthesizer with espeak-ng, or skips where that is not installed.
func withEspeak(tb testing.TB, dir string) *tts.Synthesizer {
	tb.Helper()
	e, err := espeak.Find("")
	if errors.Is(err, exec.ErrNotFound) {
		tb.Skip(err)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return open(tb, tts.Options{Engine: e, Dir: dir})
}

const tenWords = "Your appointment is tomorrow at nine thirty in the morning."

func TestEspeak(t *testing.T) {
	t.Parallel()
	s := withEspeak(t, t.TempDir())
	speech := synthesize(t, s, plain(tenWords), 0)
	if speech.Duration < 2*time.Second || speech.Duration > 6*time.Second || speech.Estimated {
		t.Errorf("ten words take %+v, want some seconds", speech)
	}
	load(t, speech)
	paused := synthesize(t, s, markup(tenWords+`<break time="3s"/>`), 0)
	if paused.Duration != speech.Duration+3*time.Second {
		t.Errorf("with a pause of 3 s they take %v, without %v", paused.Duration, speech.Duration)
	}
	cut := synthesize(t, s, plain(tenWords), time.Second)
	if cut.Duration != time.Second {
		t.Errorf("cut at 1s they take %v", cut.Duration)
	}
	load(t, cut)
	hostile := synthesize(t, s, markup(`<sub alias="[[h@'loU]] --version">x</sub>&#x202e;&lt;audio src="/etc/passwd"/&gt;`), 0)
	load(t, hostile)
	kanji := voice.Content{Kind: voice.PlainText, Text: "世界", Voice: "Mizuki", Language: "ja-JP"}
	if _, err := s.Synthesize(t.Context(), kanji, 0); !fault.Is(err, fault.Invalid) {
		t.Errorf("Synthesize of kanji = %v, want fault.Invalid", err)
	}
	if err := s.Check(kanji); !fault.Is(err, fault.Invalid) {
		t.Errorf("Check of kanji = %v, want fault.Invalid", err)
	}
}

func BenchmarkSynthesizeCached(b *testing.B) {
	for name, c := range map[string]voice.Content{
		"plain": plain(tenWords),
		"ssml":  markup("<p>" + tenWords + `</p><break time="1s"/>` + "Goodbye."),
	} {
		b.Run(name, func(b *testing.B) {
			s := open(b, tts.Options{Engine: &fakeEngine{}, Dir: b.TempDir()})
			synthesize(b, s, c, 0)
			b.ReportAllocs()
			for b.Loop() {
				synthesize(b, s, c, 0)
			}
		})
	}
}

func BenchmarkSynthesizeTenWords(b *testing.B) {
	s := withEspeak(b, b.TempDir())
	for i := 0; b.Loop(); i++ {
		synthesize(b, s, plain(fmt.Sprint(tenWords, i)), 0)
	}
}
