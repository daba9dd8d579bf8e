package espeak_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tidings/internal/fault"
	"tidings/internal/tts"
	"tidings/internal/tts/espeak"
	"tidings/internal/voice"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// find returns the engine, or skips where no espeak-ng is installed.
func find(tb testing.TB) *espeak.Engine {
	tb.Helper()
	e, err := espeak.Find("")
	if errors.Is(err, exec.ErrNotFound) {
		tb.Skip(err)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

func TestFind(t *testing.T) {
	t.Parallel()
	e := find(t)
	if e.Name() != "espeak-ng" || !strings.Contains(e.Version(), ".") || !strings.HasSuffix(e.Version(), "-r2") {
		t.Errorf("the engine is %q version %q, want espeak-ng and a version with a revision", e.Name(), e.Version())
	}
}

func TestFindSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	missing := t.TempDir() + "/espeak-ng"
	if _, err := espeak.Find(missing); err == nil || !strings.Contains(err.Error(), missing) {
		t.Errorf("Find(%q) = %v, want an error that names it", missing, err)
	}
	other, err := exec.LookPath("echo")
	if err != nil {
		t.Skip("there is no other program to try")
	}
	if _, err := espeak.Find(other); err == nil || !strings.Contains(err.Error(), "is not espeak-ng") {
		t.Errorf("Find(%q) = %v, want an error that says it is not espeak-ng", other, err)
	}
}

func TestSpeakEveryVoiceInEveryLanguage(t *testing.T) {
	t.Parallel()
	e := find(t)
	words := map[string]string{
		"arb": "مرحبا", "ar-AE": "مرحبا", "cmn-CN": "您好", "hi-IN": "नमस्ते", "ja-JP": "こんにちは",
		"ko-KR": "안녕하세요", "ru-RU": "Здравствуйте", "yue-CN": "你好",
	}
	sounds := map[string]string{} // language and hash of the sound: who has it
	for _, v := range voice.Voices() {
		for _, language := range v.Languages() {
			text, ok := words[language]
			if !ok {
				text = "Hello 2 you"
			}
			sound, err := e.Speak(t.Context(), tts.Phrase{Text: text, Voice: v.ID, Language: language})
			if err != nil {
				t.Errorf("Speak with %s in %s: %v", v.ID, language, err)
				continue
			}
			if d := sound.Duration(); d < 300*time.Millisecond || d > 5*time.Second || sound.Rate != 22050 {
				t.Errorf("Speak with %s in %s = %v at %d Hz, want a greeting", v.ID, language, d, sound.Rate)
			}
			hash := sha256.Sum256(sound.PCM)
			key := language + string(hash[:])
			if other, taken := sounds[key]; taken {
				t.Errorf("%s and %s sound the same in %s", v.ID, other, language)
			}
			sounds[key] = v.ID
		}
	}
}

// What these texts do to espeak-ng 1.51 when they reach it as they are stands beside them.
func TestSpeakWithstandsHostileTexts(t *testing.T) {
	t.Parallel()
	e := find(t)
	for name, tc := range map[string]struct {
		text     string
		language string
	}{
		"phonemes and 5,000 letters": {"[[" + strings.Repeat("a", 5000), "en-US"}, // segmentation fault
		"phonemes":                   {"[[h@'loU]]", "en-US"},
		"brackets in a row":          {strings.Repeat("[", 6000), "en-US"},
		"brackets apart":             {"[\u200b[\x00[\u202e[" + strings.Repeat("a", 5000), "en-US"},
		"command":                    {"\x0150S fast \x01+30P high \x01m", "en-US"}, // changes the speed
		"leading dash":               {"--version -w out.wav -f /etc/passwd", "en-US"},
		"long word":                  {strings.Repeat("a", 6000), "en-US"},
		"long number":                {strings.Repeat("9", 6000), "en-US"},
		"long number in Cantonese":   {strings.Repeat("9", 13), "yue-CN"},       // buffer overflow
		"fractions in Hindi":         {strings.Repeat("=.99999 ", 50), "hi-IN"}, // stack smashed, mostly
		"full stop in a long word":   {"é." + strings.Repeat("안", 80), "arb"},   // stack smashed
		"emoji":                      {strings.Repeat("😀", 6000), "en-US"},
		"combining marks":            {"a" + strings.Repeat("\u0301", 5999), "en-US"},
		"markup":                     {`<speak><audio src="/etc/passwd"/></speak>`, "en-US"}, // opens the file
		"6,000 characters":           {strings.Repeat("Hello there, dear. ", 316)[:6000], "en-US"},
		"6,000 Han characters":       {strings.Repeat("您好世界", 1500), "cmn-CN"},
		"invalid UTF-8":              {strings.Repeat("a\xff\xc0\xaf", 1000), "en-US"},
		"nothing but controls":       {"\x01\x02\u202e\ue000\ufffe", "en-US"},
		"white space":                {" \n\t ", "en-US"},
		"nothing":                    {"", "en-US"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, language, err := voice.ResolveVoice("", tc.language)
			if err != nil {
				t.Fatal(err)
			}
			sound, err := e.Speak(t.Context(), tts.Phrase{Text: tc.text, Voice: v, Language: language})
			if err != nil {
				t.Fatalf("Speak: %v", err)
			}
			if d := sound.Duration(); d > espeak.MaxSpeech || sound.Rate != 22050 {
				t.Errorf("Speak = %v at %d Hz, want at most %v", d, sound.Rate, espeak.MaxSpeech)
			}
		})
	}
}

// TestSpeakRunsNothing gives the program what its own SSML would hand to a shell: the name of a
// sound file with a command in it. That file must exist for version 1.51 to try.
func TestSpeakRunsNothing(t *testing.T) {
	t.Parallel()
	e := find(t)
	dir := t.TempDir()
	made := filepath.Join(dir, "made")
	trap := filepath.Join(dir, "a$(touch $(printf '"+strings.ReplaceAll(made, "/", `\057`)+"'))")
	if err := os.WriteFile(trap, []byte("RIFF"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		`<speak><audio src="` + trap + `"/></speak>`,
		`<audio src="` + trap + `">`,
		`<?xml version="1.0"?><!DOCTYPE speak SYSTEM "file:///etc/passwd"><speak>&x;</speak>`,
	} {
		for _, p := range []tts.Phrase{
			{Text: text, Voice: "Joanna", Language: "en-US"},
			{Text: "x", Phonemes: text, Voice: "Joanna", Language: "en-US"},
		} {
			if _, err := e.Speak(t.Context(), p); err != nil {
				t.Errorf("Speak(%+v): %v", p, err)
			}
		}
	}
	if _, err := os.Stat(made); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a command in a text was run: %v", err)
	}
}

// TestSpeakReadsCommandsAsText compares texts that differ only in what must have no effect.
func TestSpeakReadsCommandsAsText(t *testing.T) {
	t.Parallel()
	e := find(t)
	for _, tc := range []struct{ hostile, harmless string }{
		{"\x0150Shello there", "50Shello there"},
		{"hel\u202elo th\ue001ere\x9b", "hello there"},
		{"hello\r\n\u2028there", "hello   there"},
		{"[[hello]]", "[ [hello]]"},
	} {
		a, err := e.Speak(t.Context(), tts.Phrase{Text: tc.hostile, Voice: "Joanna", Language: "en-US"})
		if err != nil {
			t.Fatal(err)
		}
		b, err := e.Speak(t.Context(), tts.Phrase{Text: tc.harmless, Voice: "Joanna", Language: "en-US"})
		if err != nil {
			t.Fatal(err)
		}
		if string(a.PCM) != string(b.PCM) {
			t.Errorf("%q sounds other than %q: %v and %v", tc.hostile, tc.harmless, a.Duration(), b.Duration())
		}
	}
}

func TestSpeakRefusesKanji(t *testing.T) {
	t.Parallel()
	e := find(t)
	_, err := e.Speak(t.Context(), tts.Phrase{Text: "こんにちは世界", Voice: "Mizuki", Language: "ja-JP"})
	if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "espeak-ng") || !strings.Contains(err.Error(), "'世'") {
		t.Errorf("Speak of kanji = %v, want fault.Invalid that names the engine and the character", err)
	}
	if err := e.Check("您好世界", "cmn-CN"); err != nil {
		t.Errorf("Check of Chinese = %v", err)
	}
	if err := e.Check("こんにちは、Tidings です。", "ja-JP"); err != nil {
		t.Errorf("Check of kana = %v", err)
	}
}

func TestSpeakRefusesVoicesThatAreNotInTheTable(t *testing.T) {
	t.Parallel()
	e := find(t)
	for _, tc := range []struct{ voice, language string }{
		{"", "en-US"},
		{"Joanna", ""},
		{"Joanna", "xx-XX"},
		{"en-us", "en-US"},
		{"../../etc/passwd", "en-US"},
		{"-w/tmp/x", "en-US"},
		{"Joanna", "-w/tmp/x"},
	} {
		if sound, err := e.Speak(t.Context(), tts.Phrase{Text: "Hello", Voice: tc.voice, Language: tc.language}); err == nil {
			t.Errorf("Speak with %q in %q = %v, want an error", tc.voice, tc.language, sound.Duration())
		}
	}
}

func TestSpeakStopsWithItsContext(t *testing.T) {
	t.Parallel()
	e := find(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.Speak(ctx, tts.Phrase{Text: "Hello", Voice: "Joanna", Language: "en-US"}); !errors.Is(err, context.Canceled) {
		t.Errorf("Speak with a cancelled context = %v, want context.Canceled", err)
	}
}

func BenchmarkSpeakTenWords(b *testing.B) {
	e := find(b)
	for b.Loop() {
		if _, err := e.Speak(b.Context(), tts.Phrase{Text: "Your appointment is tomorrow at nine thirty in the morning.", Voice: "Joanna", Language: "en-US"}); err != nil {
			b.Fatal(err)
		}
	}
}
