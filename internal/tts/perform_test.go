package tts_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tidings/internal/tts"
	"tidings/internal/tts/wav"
	"tidings/internal/voice"
)

// TestPhrases checks what an engine is told of the tags.
func TestPhrases(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		in   string
		want tts.Phrase // Voice is Joanna; Language is en-US, Rate and Pitch 1 where not given
	}{
		{`a`, tts.Phrase{}},
		{`<prosody rate="50%" pitch="+20%">a</prosody>`, tts.Phrase{Rate: 0.5, Pitch: 1.2}},
		{`<amazon:effect name="whispered">a</amazon:effect>`, tts.Phrase{Whisper: true}},
		{`<phoneme alphabet="x-sampa" ph="{">a</phoneme>`, tts.Phrase{Phonemes: "æ"}},
		{`<lang xml:lang="fr-FR">a</lang>`, tts.Phrase{Language: "fr-FR"}},
		{`<lang xml:lang="fr-ca">a</lang>`, tts.Phrase{Language: "fr-CA"}},
		{`<lang xml:lang="fr-LU">a</lang>`, tts.Phrase{Language: "fr-FR"}},
		{`<lang xml:lang="de">a</lang>`, tts.Phrase{Language: "de-DE"}},
		{`<lang xml:lang="en">a</lang>`, tts.Phrase{Language: "en-US"}},
		{`<lang xml:lang="zh-CN">a</lang>`, tts.Phrase{Language: "cmn-CN"}},
		{`<lang xml:lang="ar">a</lang>`, tts.Phrase{Language: "arb"}},
		{`<lang xml:lang="no-NO">a</lang>`, tts.Phrase{Language: "nb-NO"}},
		{`<lang xml:lang="sv">a</lang>`, tts.Phrase{Language: "sv-SE"}},
		{`<lang xml:lang="cy">a</lang>`, tts.Phrase{Language: "cy-GB"}},
		{`<lang xml:lang="tlh">a</lang>`, tts.Phrase{}},
		// A longer vocal tract is made by playing slower what is spoken faster and higher.
		{`<amazon:effect vocal-tract-length="+25%"><prosody rate="50%">a</prosody></amazon:effect>`, tts.Phrase{Rate: 0.625, Pitch: 1.25}},
		// What only the sound needs, the engine does not hear of.
		{`<prosody volume="loud"><amazon:effect name="drc" phonation="soft">a</amazon:effect></prosody>`, tts.Phrase{}},
	} {
		want := tc.want
		want.Text, want.Voice = "a", "Joanna"
		if want.Language == "" {
			want.Language = "en-US"
		}
		if want.Rate == 0 {
			want.Rate = 1
		}
		if want.Pitch == 0 {
			want.Pitch = 1
		}
		e := &fakeEngine{}
		s := open(t, tts.Options{Engine: e})
		synthesize(t, s, markup(tc.in), 0)
		if diff := cmp.Diff([]tts.Phrase{want}, e.given()); diff != "" {
			t.Errorf("%q: phrases given to the engine (-want +got):\n%s", tc.in, diff)
		}
	}
}

// TestMaxDuration: the fake takes 100 ms for every letter.
func TestMaxDuration(t *testing.T) {
	t.Parallel()
	const ten = "abcdefghij"
	for _, tc := range []struct {
		in          string
		steady      bool
		least, most time.Duration // of the whole
		asked       int           // phrases given to the engine
	}{
		{`<prosody amazon:max-duration="2s">` + ten + `</prosody>`, false, time.Second, time.Second, 1},
		{`<prosody amazon:max-duration="600ms">` + ten + `</prosody>`, false, 550 * time.Millisecond, 600 * time.Millisecond, 2},
		{`<prosody amazon:max-duration="600ms">` + ten + `</prosody> ` + ten, false, 1550 * time.Millisecond, 1600 * time.Millisecond, 3},
		// The pause keeps its length; the two texts share what is left.
		{`<prosody amazon:max-duration="1500ms">` + ten + `<break time="1s"/>` + ten + `</prosody>`, false, 1450 * time.Millisecond, 1500 * time.Millisecond, 4},
		// No more than five times as fast.
		{`<prosody amazon:max-duration="1ms">` + ten + `</prosody>`, false, 200 * time.Millisecond, 200 * time.Millisecond, 2},
		{`<prosody amazon:max-duration="500ms">` + ten + `<break time="1s"/></prosody>`, false, 1200 * time.Millisecond, 1200 * time.Millisecond, 2},
		// An engine that has but one rate is not asked again and again.
		{`<prosody amazon:max-duration="600ms">` + ten + `</prosody>`, true, time.Second, time.Second, 2},
		// Two groups do not share their time.
		{`<prosody amazon:max-duration="1s">` + ten + `</prosody> <prosody amazon:max-duration="500ms">` + ten + `</prosody>`, false, 1450 * time.Millisecond, 1500 * time.Millisecond, 3},
	} {
		e := &fakeEngine{steady: tc.steady}
		s := open(t, tts.Options{Engine: e, Concurrency: 1})
		got := synthesize(t, s, markup(tc.in), 0).Duration
		if got < tc.least || got > tc.most {
			t.Errorf("%q lasts %v, want %v to %v", tc.in, got, tc.least, tc.most)
		}
		if n := len(e.given()); n != tc.asked {
			t.Errorf("%q: the engine was given %d phrases, want %d", tc.in, n, tc.asked)
		}
	}
}

// TestJoinProperty: nothing is lost or added where pieces meet, whatever rates they have.
func TestJoinProperty(t *testing.T) {
	t.Parallel()
	rates := []int{8000, 11025, 16000, 22050, 24000, 48000}
	rapid.Check(t, func(r *rapid.T) {
		var in strings.Builder
		first, samples, texts := 0, 0, map[string]int{}
		rest := time.Duration(0) // of pauses and tones before the first text
		quiet := 0
		for i := range rapid.IntRange(0, 8).Draw(r, "pieces") {
			switch rapid.SampledFrom([]string{"text", "pause", "tone"}).Draw(r, "kind") {
			case "text":
				text := string(rune('a'+i)) + strings.Repeat("x", rapid.IntRange(0, 9).Draw(r, "letters"))
				rate := rapid.SampledFrom(rates).Draw(r, "rate")
				texts[text] = rate
				if first == 0 {
					first = rate
				}
				n := wav.Samples(time.Duration(len(text))*perLetter, rate)
				if rate != first {
					n = (n*first + rate/2) / rate
				}
				samples += n
				// A pause of 1 ms keeps texts apart that would become one.
				in.WriteString(text + `<break time="1ms"/>`)
				quiet++
			case "pause":
				ms := rapid.IntRange(1, 3000).Draw(r, "ms")
				in.WriteString(`<break time="` + time.Duration(ms*int(time.Millisecond)).String() + `"/>`)
				rest += time.Duration(ms) * time.Millisecond
			case "tone":
				in.WriteString(`<say-as interpret-as="expletive">x</say-as>`)
				rest += 500 * time.Millisecond
			}
		}
		e := &fakeEngine{rate: func(p tts.Phrase) int { return texts[p.Text] }}
		s, err := tts.New(tts.Options{Engine: e, Concurrency: rapid.IntRange(1, 4).Draw(r, "concurrency")})
		if err != nil {
			r.Fatal(err)
		}
		speech, err := s.Synthesize(t.Context(), markup(in.String()), 0)
		if err != nil {
			r.Fatal(err)
		}
		if first == 0 {
			first = 8000
		}
		rest += time.Duration(quiet) * time.Millisecond
		want := wav.Duration(samples, first) + rest
		// Every pause is cut to whole samples.
		slack := wav.Duration(17, first) + 17
		if speech.Duration > want+slack || speech.Duration < want-slack {
			r.Errorf("%s lasts %v, want %v", in.String(), speech.Duration, want)
		}
	})
}

func TestLevels(t *testing.T) {
	t.Parallel()
	for _, sample := range []int16{300, 3000, 30000} {
		e := &fakeEngine{sample: func(tts.Phrase) int16 { return sample }}
		s := open(t, tts.Options{Engine: e, Dir: t.TempDir()})
		sound := load(t, synthesize(t, s, markup(`aaaa<break time="1s"/><prosody volume="-6dB">bbbb</prosody> <prosody volume="+6dB">cccc</prosody> `+
			`<prosody volume="silent">dddd</prosody>`), 0))
		at := func(d time.Duration) float64 { return float64(sound.Int16()[wav.Samples(d, sound.Rate)]) }
		plain := at(200 * time.Millisecond)
		if dB := 20*math.Log10(plain/(32768/math.Sqrt2)) + 3.14; math.Abs(dB+18) > 0.1 {
			t.Errorf("of samples of %d the words come out at %.2f dBm0, want -18", sample, dB)
		}
		for name, tc := range map[string]struct {
			at   time.Duration
			want float64
		}{
			"softer": {1600 * time.Millisecond, plain / 1.995},
			"louder": {2000 * time.Millisecond, plain * 1.995},
			"silent": {2400 * time.Millisecond, 0},
			"pause":  {time.Second, 0},
		} {
			if got := at(tc.at); math.Abs(got-tc.want) > 3 {
				t.Errorf("of samples of %d, the %s stretch has %v, want %v", sample, name, got, tc.want)
			}
		}
	}
}

func TestSynthesizeTriesAgainWithoutPhonemes(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	e := &fakeEngine{before: func(_ context.Context, p tts.Phrase) error {
		if p.Phonemes != "" {
			return errors.New("segmentation fault")
		}
		return nil
	}}
	s := open(t, tts.Options{Engine: e, Log: slog.New(slog.NewTextHandler(&log, nil))})
	got := synthesize(t, s, markup(`<phoneme alphabet="ipa" ph="pɪˈkɑːn">pecan</phoneme>`), 0)
	if want := 5 * perLetter; got.Duration != want {
		t.Errorf("Synthesize lasts %v, want %v: the word from its letters", got.Duration, want)
	}
	if n := len(e.given()); n != 2 {
		t.Errorf("the engine was asked %d times, want 2", n)
	}
	if !strings.Contains(log.String(), "segmentation fault") || strings.Contains(log.String(), "pecan") {
		t.Errorf("the log says %q, want the failure and nothing of the text", log.String())
	}
}

func TestSynthesizeSurvivesAPanic(t *testing.T) {
	t.Parallel()
	e := &fakeEngine{before: func(context.Context, tts.Phrase) error { panic("index out of range") }}
	s := open(t, tts.Options{Engine: e})
	if _, err := s.Synthesize(t.Context(), plain("Hello"), 0); err == nil || !strings.Contains(err.Error(), "fake: panic: index out of range") {
		t.Errorf("Synthesize = %v, want the panic as an error", err)
	}
}

func TestSynthesizeRefusesSoundWithoutARate(t *testing.T) {
	t.Parallel()
	for _, rate := range []int{0, -1, wav.MaxRate + 1} {
		e := &fakeEngine{rate: func(tts.Phrase) int { return rate }}
		s := open(t, tts.Options{Engine: e})
		if got, err := s.Synthesize(t.Context(), plain("H"), 0); err == nil {
			t.Errorf("Synthesize at %d samples a second = %+v, want an error", rate, got)
		}
	}
}

// slow is an engine that takes a second for every phrase.
func slow() *fakeEngine {
	return &fakeEngine{before: func(ctx context.Context, _ tts.Phrase) error {
		select {
		case <-time.After(time.Second):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}}
}

const threeTexts = `<p>a</p><p>b</p><p>c</p>`

func TestTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t, tts.Options{Engine: slow(), Timeout: 2500 * time.Millisecond, Concurrency: 1})
		start := time.Now()
		_, err := s.Synthesize(t.Context(), markup(threeTexts), 0)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "takes more than 2.5s") {
			t.Errorf("Synthesize = %v, want context.DeadlineExceeded after 2.5s", err)
		}
		if took := time.Since(start); took != 2500*time.Millisecond {
			t.Errorf("Synthesize gave up after %v, want 2.5s", took)
		}
		// Waiting for a turn does not count: together these take five seconds of one slot.
		failed := make(chan error, 2)
		for _, text := range []string{"x", "y"} {
			go func() {
				_, err := s.Synthesize(t.Context(), markup(text+`<break/>`+text), 0)
				failed <- err
			}()
		}
		for range 2 {
			if err := <-failed; err != nil {
				t.Errorf("Synthesize of two texts of a second each = %v", err)
			}
		}
	})
}

func TestPhrasesOfOneMessageAreSpokenTogether(t *testing.T) {
	t.Parallel()
	for concurrency, want := range map[int]time.Duration{1: 3 * time.Second, 2: 2 * time.Second, 5: time.Second} {
		synctest.Test(t, func(t *testing.T) {
			s := open(t, tts.Options{Engine: slow(), Concurrency: concurrency})
			start := time.Now()
			synthesize(t, s, markup(threeTexts), 0)
			if took := time.Since(start); took != want {
				t.Errorf("with %d at once, three texts of a second take %v, want %v", concurrency, took, want)
			}
		})
	}
}

func TestOneFailureEndsAllPhrases(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("broken")
		e := slow()
		wait := e.before
		e.before = func(ctx context.Context, p tts.Phrase) error {
			if p.Text == "a" {
				return broken
			}
			return wait(ctx, p)
		}
		s := open(t, tts.Options{Engine: e, Concurrency: 3})
		start := time.Now()
		if _, err := s.Synthesize(t.Context(), markup(threeTexts), 0); !errors.Is(err, broken) {
			t.Errorf("Synthesize = %v, want the engine's error", err)
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("Synthesize waited %v for phrases that nobody needs", took)
		}
	})
}

// fakeDocumentEngine takes SSML whole.
type fakeDocumentEngine struct {
	fakeEngine
	documents []string
}

func (e *fakeDocumentEngine) SpeakDocument(_ context.Context, document, voiceID, language string) (wav.Sound, error) {
	e.documents = append(e.documents, voiceID+" "+language+" "+document)
	return wav.New(16000, make([]int16, 16000)), nil
}

func TestDocumentEngine(t *testing.T) {
	t.Parallel()
	e := &fakeDocumentEngine{}
	s := open(t, tts.Options{Engine: e, Dir: t.TempDir()})
	const document = `<prosody rate="50%">Hello</prosody>`
	sound := load(t, synthesize(t, s, markup(document), 0))
	if sound.Rate != 16000 || sound.Duration() != time.Second {
		t.Errorf("the document sounds %v at %d Hz, want 1s at 16000", sound.Duration(), sound.Rate)
	}
	synthesize(t, s, markup(document), 0)
	synthesize(t, s, markup("Hello"), 0)
	synthesize(t, s, plain("Hello"), 0)
	want := []string{"Joanna en-US <speak>" + document + "</speak>", "Joanna en-US <speak>Hello</speak>"}
	if diff := cmp.Diff(want, e.documents); diff != "" {
		t.Errorf("documents given to the engine (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"Hello"}, e.spoken()); diff != "" {
		t.Errorf("texts given to the engine (-want +got):\n%s", diff)
	}
	if _, err := s.Synthesize(t.Context(), voice.Content{Kind: voice.SSML, Text: "<speak><audio/></speak>", Voice: "Joanna", Language: "en-US"}, 0); err == nil {
		t.Error("an invalid document was spoken")
	}
}

// TestKeyTellsStylesApart: every style has its own place in the cache.
func TestKeyTellsStylesApart(t *testing.T) {
	t.Parallel()
	s := open(t, tts.Options{Engine: &fakeEngine{}, Dir: t.TempDir()})
	seen := map[string]string{}
	for _, in := range []string{
		`a`, `<prosody rate="50%">a</prosody>`, `<prosody pitch="+50%">a</prosody>`, `<prosody volume="+5dB">a</prosody>`,
		`<prosody volume="silent">a</prosody>`, `<lang xml:lang="fr-FR">a</lang>`, `<emphasis>a</emphasis>`,
		`<amazon:effect name="whispered">a</amazon:effect>`, `<amazon:effect name="drc">a</amazon:effect>`,
		`<amazon:effect phonation="soft">a</amazon:effect>`, `<amazon:effect vocal-tract-length="110%">a</amazon:effect>`,
		`<prosody amazon:max-duration="2s">a</prosody>`, `<prosody amazon:max-duration="3s">a</prosody>`,
		`<phoneme alphabet="ipa" ph="a">a</phoneme>`, `<phoneme alphabet="ipa" ph="b">a</phoneme>`,
		`<say-as interpret-as="expletive">a</say-as>`, `<break time="500ms"/>`,
	} {
		file := synthesize(t, s, markup(in), 0).File
		if other, taken := seen[file]; taken {
			t.Errorf("%q and %q share a file", in, other)
		}
		seen[file] = in
	}
}
