package tts_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"tidings/internal/fault"
	"tidings/internal/tts"
	"tidings/internal/tts/wav"
	"tidings/internal/voice"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

func open(tb testing.TB, o tts.Options) *tts.Synthesizer {
	tb.Helper()
	s, err := tts.New(o)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func plain(text string) voice.Content {
	return voice.Content{Kind: voice.PlainText, Text: text, Voice: "Joanna", Language: "en-US"}
}

func markup(text string) voice.Content {
	return voice.Content{Kind: voice.SSML, Text: "<speak>" + text + "</speak>", Voice: "Joanna", Language: "en-US"}
}

func synthesize(tb testing.TB, s *tts.Synthesizer, c voice.Content, limit time.Duration) voice.Speech {
	tb.Helper()
	speech, err := s.Synthesize(tb.Context(), c, limit)
	if err != nil {
		tb.Fatalf("Synthesize(%q): %v", c.Text, err)
	}
	return speech
}

// load reads the file of a speech and checks that it says the truth about its duration.
func load(tb testing.TB, s voice.Speech) wav.Sound {
	tb.Helper()
	sound, err := wav.Load(s.File)
	if err != nil {
		tb.Fatal(err)
	}
	if sound.Duration() != s.Duration {
		tb.Errorf("the file has %v of sound, the speech says %v", sound.Duration(), s.Duration)
	}
	return sound
}

// shape writes a sound as runs of speech and silence.
func shape(s wav.Sound) string {
	var runs []string
	pcm := s.Int16()
	for i := 0; i < len(pcm); {
		j := i
		for j < len(pcm) && (pcm[j] == 0) == (pcm[i] == 0) {
			j++
		}
		kind := "speech"
		if pcm[i] == 0 {
			kind = "silence"
		}
		runs = append(runs, fmt.Sprintf("%s %v", kind, wav.Duration(j-i, s.Rate)))
		i = j
	}
	return strings.Join(runs, ", ")
}

func TestSynthesizeSpeaksATextOnce(t *testing.T) {
	t.Parallel()
	e := &fakeEngine{}
	s := open(t, tts.Options{Engine: e, Dir: t.TempDir()})
	first := synthesize(t, s, plain("Hello there"), time.Minute)
	if want := 11 * perLetter; first.Duration != want || first.Estimated {
		t.Errorf("Synthesize = %+v, want %v, not estimated", first, want)
	}
	load(t, first)
	again := synthesize(t, s, plain("Hello there"), time.Minute)
	if again != first {
		t.Errorf("Synthesize again = %+v, want %+v", again, first)
	}
	if diff := cmp.Diff([]string{"Hello there"}, e.spoken()); diff != "" {
		t.Errorf("texts given to the engine (-want +got):\n%s", diff)
	}
}

func TestSynthesizeKeepsWhatSoundsDifferentApart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	base := plain("Hello")
	other := func(change func(*voice.Content)) voice.Content {
		c := base
		change(&c)
		return c
	}
	seen := map[string]int{}
	for i, tc := range []struct {
		version string
		content voice.Content
	}{
		{"1", base},
		{"2", base},
		{"1", other(func(c *voice.Content) { c.Voice = "Joey" })},
		{"1", other(func(c *voice.Content) { c.Language = "en-GB" })},
		{"1", other(func(c *voice.Content) { c.Text = "Hello!" })},
		{"1", other(func(c *voice.Content) { c.Voice, c.Language = "Joanna"+"en-US", "" })},
		{"1", markup(`Hello<break time="1s"/>`)},
		{"1", markup(`<break time="1s"/>Hello`)},
		{"1", markup(`Hel<break time="1s"/>lo`)},
	} {
		s := open(t, tts.Options{Engine: &fakeEngine{version: tc.version}, Dir: dir})
		file := synthesize(t, s, tc.content, 0).File
		if before, ok := seen[file]; ok {
			t.Errorf("cases %d and %d have the same file", before, i)
		}
		seen[file] = i
	}
	s := open(t, tts.Options{Engine: &fakeEngine{version: "1"}, Dir: dir})
	for _, alike := range []voice.Content{
		markup("Hello"), markup("<w role='amazon:NN'>Hello</w>\n"), other(func(c *voice.Content) { c.Kind = voice.CallInstructions }),
	} {
		if got := synthesize(t, s, alike, 0).File; seen[got] != 0 || got == "" {
			t.Errorf("%q has a file of its own, though it is spoken like %q", alike.Text, base.Text)
		}
	}
}

func TestSynthesizeJoinsTextsAndPauses(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		in    string
		texts []string
		shape string
	}{
		{"ab", []string{"ab"}, "speech 200ms"},
		{`ab<break time="1s"/>cde`, []string{"ab", "cde"}, "speech 200ms, silence 1s, speech 300ms"},
		{`<break time="2s"/>a<break time="10ms"/>`, []string{"a"}, "silence 2s, speech 100ms, silence 10ms"},
		{`a<break time="1s"/><break time="2s"/>b`, []string{"a", "b"}, "speech 100ms, silence 3s, speech 100ms"},
		{`<p>ab</p><p>c</p>`, []string{"ab", "c"}, "speech 200ms, silence 700ms, speech 100ms"},
		{`<sub alias="abc">x</sub> &lt;y&gt;`, []string{"abc <y>"}, "speech 700ms"},
		{`<break time="3s"/>`, nil, "silence 3s"},
		{``, nil, ""},
	} {
		e := &fakeEngine{}
		s := open(t, tts.Options{Engine: e, Dir: t.TempDir(), Concurrency: 1})
		sound := load(t, synthesize(t, s, markup(tc.in), 0))
		if got := shape(sound); got != tc.shape {
			t.Errorf("%q sounds like %q, want %q", tc.in, got, tc.shape)
		}
		if diff := cmp.Diff(tc.texts, e.spoken()); diff != "" {
			t.Errorf("%q: texts given to the engine (-want +got):\n%s", tc.in, diff)
		}
	}
}

func TestSynthesizeReadsMarkupInPlainTextAloud(t *testing.T) {
	t.Parallel()
	e := &fakeEngine{}
	s := open(t, tts.Options{Engine: e})
	const text = "<speak>1 < 2 &amp; [[x]]"
	for _, kind := range []voice.ContentKind{voice.PlainText, voice.CallInstructions} {
		c := plain(text + string(kind))
		c.Kind = kind
		synthesize(t, s, c, 0)
	}
	want := []string{text + string(voice.PlainText), text + string(voice.CallInstructions)}
	if diff := cmp.Diff(want, e.spoken()); diff != "" {
		t.Errorf("texts given to the engine (-want +got):\n%s", diff)
	}
}

func TestSynthesizeCutsAtTheLimit(t *testing.T) {
	t.Parallel()
	for name, dir := range map[string]string{"files": t.TempDir(), "no files": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := &fakeEngine{}
			s := open(t, tts.Options{Engine: e, Dir: dir})
			c := plain(strings.Repeat("x", 25)) // 2.5 s
			files := map[time.Duration]string{}
			for _, tc := range []struct{ limit, want time.Duration }{
				{time.Second, time.Second},
				{2 * time.Second, 2 * time.Second},
				{time.Second, time.Second},
				{2500 * time.Millisecond, 2500 * time.Millisecond},
				{time.Minute, 2500 * time.Millisecond},
				{0, 2500 * time.Millisecond},
				{-time.Second, 2500 * time.Millisecond},
			} {
				speech := synthesize(t, s, c, tc.limit)
				if speech.Duration != tc.want {
					t.Errorf("Synthesize with a limit of %v lasts %v, want %v", tc.limit, speech.Duration, tc.want)
				}
				if before, ok := files[tc.want]; ok && before != speech.File {
					t.Errorf("Synthesize with a limit of %v = %q, before it was %q", tc.limit, speech.File, before)
				}
				files[tc.want] = speech.File
				if dir == "" && speech.File != "" {
					t.Errorf("there is a file %q, though there is no directory", speech.File)
				}
				if dir != "" {
					load(t, speech)
				}
			}
			if n := len(e.spoken()); n != 1 {
				t.Errorf("the engine was asked %d times, want once", n)
			}
		})
	}
}

func TestSynthesizeBoundsEveryMessage(t *testing.T) {
	t.Parallel()
	e := &fakeEngine{}
	s := open(t, tts.Options{Engine: e, Dir: t.TempDir(), Concurrency: 1})
	pauses := synthesize(t, s, markup(`a`+strings.Repeat(`<break time="10s"/>`, 300)), 0)
	load(t, pauses)
	long := strings.Repeat("x", 1000) // 100 s
	texts := synthesize(t, s, markup(strings.Repeat(long+`<break time="5s"/>`, 20)), time.Hour)
	load(t, texts)
	if pauses.Duration != tts.MaxSpeech || texts.Duration != tts.MaxSpeech {
		t.Errorf("messages without an end last %v and %v, want %v", pauses.Duration, texts.Duration, tts.MaxSpeech)
	}
	if n := len(e.spoken()); n != 1+4 {
		t.Errorf("the engine was asked for %d texts, want 5: the rest cannot be heard", n)
	}
}

func TestSynthesizeFails(t *testing.T) {
	t.Parallel()
	s := open(t, tts.Options{Engine: &fakeEngine{}})
	_, err := s.Synthesize(t.Context(), voice.Content{Kind: voice.SSML, Text: "<speak><audio/></speak>"}, 0)
	if !fault.Is(err, fault.Invalid) || fault.From(err).Msg == "" {
		t.Errorf("Synthesize of bad markup = %v, want fault.Invalid", err)
	}
	broken := errors.New("the engine broke down")
	e := &fakeEngine{before: func(context.Context, tts.Phrase) error { return broken }}
	s = open(t, tts.Options{Engine: e, Dir: t.TempDir()})
	for range 2 {
		if _, err := s.Synthesize(t.Context(), plain("Hello"), 0); !errors.Is(err, broken) {
			t.Errorf("Synthesize = %v, want the engine's error", err)
		}
	}
	if n := len(e.spoken()); n != 2 {
		t.Errorf("the engine was asked %d times, want 2: a failure is not kept", n)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	refuses := fault.New(fault.Invalid, fault.VoiceMessage, "Not in this language.")
	for _, tc := range []struct {
		engine  tts.Engine
		content voice.Content
		want    string
	}{
		{&fakeEngine{}, plain("<p>"), ""},
		{&fakeEngine{}, markup("Hello"), ""},
		{&fakeEngine{}, markup("<p>"), "The SSML is not valid at line 1, column 11: <speak> is closed here"},
		{&fakeEngine{check: refuses}, markup("Hello"), "Not in this language."},
		{&fakeEngine{check: refuses}, plain("Hello"), "Not in this language."},
		{nil, markup("Hello"), ""},
		{nil, markup("<p>"), "The SSML is not valid"},
	} {
		err := open(t, tts.Options{Engine: tc.engine}).Check(tc.content)
		if tc.want == "" {
			if err != nil {
				t.Errorf("Check(%q) = %v, want nil", tc.content.Text, err)
			}
			continue
		}
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("Check(%q) = %v, want fault.Invalid with %q", tc.content.Text, err, tc.want)
		}
	}
}

func TestEstimate(t *testing.T) {
	t.Parallel()
	s := open(t, tts.Options{Dir: t.TempDir()})
	const word = time.Minute / 165
	for _, tc := range []struct {
		content voice.Content
		limit   time.Duration
		want    time.Duration
	}{
		{plain(""), 0, 0},
		{plain("one two three"), 0, 3 * word},
		{plain("It's nine-thirty."), 0, 3 * word},
		{plain(strings.Repeat("word ", 165)), 0, 165 * word},
		{plain("Donaudampfschifffahrt"), 0, 2 * word},
		{plain("世界こんにちは"), 0, 7 * 220 * time.Millisecond},
		{markup(`one<break time="2s"/>two`), 0, 2*word + 2*time.Second},
		{markup(`<sub alias="one two three">x</sub>`), 0, 3 * word},
		{markup(`<prosody rate="50%">one</prosody> two`), 0, 3 * word},
		{markup(`<prosody rate="200%">one two</prosody>`), 0, word},
		{markup(`<say-as interpret-as="expletive">one</say-as>`), 0, 500 * time.Millisecond},
		{markup(`<prosody amazon:max-duration="1s">one two</prosody>`), 0, 2 * word},
		{markup(`<prosody amazon:max-duration="400ms">one two</prosody> three`), 0, 400*time.Millisecond + word},
		{markup(`<prosody amazon:max-duration="500ms">one<break time="300ms"/>two</prosody>`), 0, 500 * time.Millisecond},
		{markup(`<prosody amazon:max-duration="1ms">one two three four five</prosody>`), 0, word},
		{markup(`<prosody amazon:max-duration="1s">one<break time="2s"/></prosody>`), 0, word/5 + 2*time.Second},
		{markup(strings.Repeat(`<break time="10s"/>`, 300)), 0, tts.MaxSpeech},
		{plain(strings.Repeat("word ", 165)), 30 * time.Second, 30 * time.Second},
	} {
		want := voice.Speech{Duration: tc.want, Estimated: true}
		if got := synthesize(t, s, tc.content, tc.limit); got != want {
			t.Errorf("Synthesize(%.40q) without an engine = %+v, want %+v", tc.content.Text, got, want)
		}
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	r := prometheus.NewRegistry()
	s := open(t, tts.Options{Engine: &fakeEngine{}, Dir: t.TempDir(), Registerer: r})
	synthesize(t, s, plain("Hello"), 0)
	synthesize(t, s, plain("Hello"), 0)
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			got[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	want := map[string]float64{
		"tidings_speech_total cached": 1, "tidings_speech_total spoken": 1,
		"tidings_speech_total estimated": 0, "tidings_speech_total failed": 0,
		"tidings_speech_seconds":             1,
		"tidings_speech_cache_bytes":         44 + 2*4000,
		"tidings_speech_cache_entries":       1,
		"tidings_speech_cache_evicted_total": 0,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}
