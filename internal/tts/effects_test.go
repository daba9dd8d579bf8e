package tts_test

import (
	"math"
	"testing"
	"time"

	"tidings/internal/tts"
	"tidings/internal/tts/wav"
	"tidings/internal/voice"
)

// The tests below measure what espeak-ng makes of the tags. Tolerances are those of the voice: it
// does not speak in seconds and hertz.

const sonorous = "Mary mowed a meadow, and Leo owned a yellow llama in the morning."

// measured speaks markup and returns the sound.
func measured(tb testing.TB, s *tts.Synthesizer, in string) wav.Sound {
	tb.Helper()
	return load(tb, synthesize(tb, s, markup(in), 0))
}

// near reports whether got is want, give or take a share of it.
func near(got, want, share float64) bool { return math.Abs(got-want) <= share*want }

func TestEffectOfRate(t *testing.T) {
	t.Parallel()
	s := withEspeak(t, t.TempDir())
	normal := measured(t, s, sonorous).Duration().Seconds()
	for rate, want := range map[string]float64{
		"20%": 5, "30%": 1 / 0.3, "x-slow": 2, "50%": 2, "slow": 1 / 0.75, "75%": 1 / 0.75, "medium": 1, "100%": 1,
		"150%": 1 / 1.5, "fast": 1 / 1.5, "x-fast": 0.5, "200%": 0.5,
	} {
		got := measured(t, s, `<prosody rate="`+rate+`">`+sonorous+`</prosody>`).Duration().Seconds() / normal
		if !near(got, want, 0.15) {
			t.Errorf("at the rate %s speech takes %.2f times as long, want %.2f", rate, got, want)
		}
	}
}

func TestEffectOfVolume(t *testing.T) {
	t.Parallel()
	s := withEspeak(t, t.TempDir())
	// The message has a plain part, by which its level is found.
	relative := func(in string) float64 {
		sound := measured(t, s, sonorous+`<break time="1s"/>`+in)
		plain := measured(t, s, sonorous).Duration()
		before := sound.Cut(plain)
		after := wav.New(sound.Rate, sound.Int16()[wav.Samples(plain+time.Second, sound.Rate):])
		return loudness(after) - loudness(before)
	}
	for volume, want := range map[string]float64{
		"x-soft": -12, "soft": -6, "medium": 0, "loud": 6, "default": 0, "-6dB": -6, "+3dB": 3, "-20dB": -20,
	} {
		if got := relative(`<prosody volume="` + volume + `">` + sonorous + `</prosody>`); math.Abs(got-want) > 1.2 {
			t.Errorf("the volume %s is heard at %+.1f dB, want %+.1f", volume, got, want)
		}
	}
	// Peaks are limited, so what is very loud is not heard in full, but it is louder.
	if got := relative(`<prosody volume="x-loud">` + sonorous + `</prosody>`); got < 7.5 || got > 12.5 {
		t.Errorf("the volume x-loud is heard at %+.1f dB, want nearly +12", got)
	}
	if got := relative(`<amazon:effect phonation="soft">` + sonorous + `</amazon:effect>`); got > -3 {
		t.Errorf("soft phonation is heard at %+.1f dB, want less than -3", got)
	}
	silent := measured(t, s, `<prosody volume="silent">`+sonorous+`</prosody>`)
	if plain := measured(t, s, sonorous); silent.Samples() != plain.Samples() || len(frames(silent)) > 0 {
		t.Errorf("a silent text lasts %v and is heard in %d frames, want %v and none", silent.Duration(), len(frames(silent)), plain.Duration())
	}
}

func TestEffectOfPitch(t *testing.T) {
	t.Parallel()
	s := withEspeak(t, t.TempDir())
	normal, voiced := pitch(measured(t, s, sonorous))
	if normal < 150 || normal > 250 || voiced < 0.6 {
		t.Fatalf("Joanna speaks at %.0f Hz, %.0f %% of the time with a pitch, want a woman's voice", normal, 100*voiced)
	}
	for asked, want := range map[string]float64{
		"x-low": 0.7, "low": 0.85, "medium": 1, "high": 1.2, "x-high": 1.4, "+10%": 1.1, "-10%": 0.9, "+50%": 1.5,
		"-50%": 0.65, "+90%": 1.68, // as far as the voice goes
	} {
		hz, _ := pitch(measured(t, s, `<prosody pitch="`+asked+`">`+sonorous+`</prosody>`))
		if !near(hz/normal, want, 0.06) {
			t.Errorf("with the pitch %s Joanna speaks %.2f times as high, want %.2f", asked, hz/normal, want)
		}
	}
}

func TestVoicesOfWomenMenAndChildren(t *testing.T) {
	t.Parallel()
	s := withEspeak(t, t.TempDir())
	for _, v := range voice.Voices() {
		if v.Language != "en-US" {
			continue
		}
		c := plain(sonorous)
		c.Voice = v.ID
		hz, voiced := pitch(load(t, synthesize(t, s, c, 0)))
		least, most := 80.0, 135.0
		switch {
		case v.Child && v.Gender == voice.Male:
			least, most = 120, 160
		case v.Child:
			least, most = 220, 280
		case v.Gender == voice.Female:
			least, most = 140, 240
		}
		if hz < least || hz > most || voiced < 0.5 {
			t.Errorf("%s (%s, child %v) speaks at %.0f Hz, %.0f %% of the time with a pitch, want %.0f to %.0f Hz", v.ID, v.Gender, v.Child, hz, 100*voiced, least, most)
		}
	}
}

func TestEffectOfWhispering(t *testing.T) {
	t.Parallel()
	s := withEspeak(t, t.TempDir())
	for _, id := range []string{"Joanna", "Matthew"} {
		c := markup(`<amazon:effect name="whispered">` + sonorous + `</amazon:effect>`)
		c.Voice = id
		sound := load(t, synthesize(t, s, c, 0))
		if _, voiced := pitch(sound); voiced > 0.1 || len(frames(sound)) < 20 {
			t.Errorf("%s whispers with a pitch in %.0f %% of %d frames, want hardly any", id, 100*voiced, len(frames(sound)))
		}
	}
}

func TestEffectOfMaxDuration(t *testing.T) {
	t.Parallel()
	s := withEspeak(t, t.TempDir())
	normal := measured(t, s, sonorous).Duration()
	for _, share := range []float64{0.9, 0.7, 0.5, 0.3} {
		most := time.Duration(share * float64(normal)).Round(time.Millisecond)
		got := measured(t, s, `<prosody amazon:max-duration="`+most.String()+`">`+sonorous+`</prosody>`).Duration()
		if got > most || got < most*3/4 {
			t.Errorf("with at most %v speech takes %v, want a little less than that", most, got)
		}
	}
	hurried := measured(t, s, `<prosody amazon:max-duration="1ms">`+sonorous+`</prosody>`).Duration()
	if hurried < normal/7 || hurried > normal/4 {
		t.Errorf("without time speech takes %v, want about a fifth of %v", hurried, normal)
	}
	if got := measured(t, s, `<prosody amazon:max-duration="60s">`+sonorous+`</prosody>`).Duration(); got != normal {
		t.Errorf("with time to spare speech takes %v, want %v", got, normal)
	}
}

// crossings is how often a second the sound crosses zero: more for brighter sounds.
func crossings(s wav.Sound) float64 {
	n, all := 0, 0
	for _, f := range frames(s) {
		for i := range f[1:] {
			if (f[i] < 0) != (f[i+1] < 0) {
				n++
			}
		}
		all += len(f)
	}
	return float64(n) * float64(s.Rate) / float64(all)
}

func TestEffectOfVocalTract(t *testing.T) {
	t.Parallel()
	s := withEspeak(t, t.TempDir())
	normal := measured(t, s, sonorous)
	hz, _ := pitch(normal)
	for tract, longer := range map[string]bool{"+20%": true, "-15%": false} {
		got := measured(t, s, `<amazon:effect vocal-tract-length="`+tract+`">`+sonorous+`</amazon:effect>`)
		if !near(got.Duration().Seconds(), normal.Duration().Seconds(), 0.1) {
			t.Errorf("a vocal tract of %s takes %v, want about %v", tract, got.Duration(), normal.Duration())
		}
		if f, _ := pitch(got); !near(f, hz, 0.08) {
			t.Errorf("a vocal tract of %s speaks at %.0f Hz, want about %.0f", tract, f, hz)
		}
		if darker := crossings(got) < 0.96*crossings(normal); darker != longer {
			t.Errorf("a vocal tract of %s crosses zero %.0f times a second, the normal one %.0f", tract, crossings(got), crossings(normal))
		}
	}
}

func TestEffectOfSoftPhonation(t *testing.T) {
	t.Parallel()
	s := withEspeak(t, t.TempDir())
	normal, soft := measured(t, s, sonorous), measured(t, s, `<amazon:effect phonation="soft">`+sonorous+`</amazon:effect>`)
	if crossings(soft) > 0.9*crossings(normal) {
		t.Errorf("soft speech crosses zero %.0f times a second, normal speech %.0f, want clearly less", crossings(soft), crossings(normal))
	}
}

func TestEffectOfCompression(t *testing.T) {
	t.Parallel()
	s := withEspeak(t, t.TempDir())
	spread := func(sound wav.Sound) float64 {
		var sum, squares float64
		all := frames(sound)
		for _, f := range all {
			dB := 20 * math.Log10(level(f))
			sum += dB
			squares += dB * dB
		}
		mean := sum / float64(len(all))
		return math.Sqrt(squares/float64(len(all)) - mean*mean)
	}
	normal, compressed := spread(measured(t, s, sonorous)), spread(measured(t, s, `<amazon:effect name="drc">`+sonorous+`</amazon:effect>`))
	if compressed > 0.9*normal {
		t.Errorf("the level of compressed speech spreads by %.1f dB, that of normal speech by %.1f, want clearly less", compressed, normal)
	}
}

func TestEffectOfEmphasis(t *testing.T) {
	t.Parallel()
	s := withEspeak(t, t.TempDir())
	normal := measured(t, s, sonorous).Duration().Seconds()
	for level, want := range map[string]float64{"strong": 1 / 0.8, "moderate": 1 / 0.9, "reduced": 1 / 1.1} {
		got := measured(t, s, `<emphasis level="`+level+`">`+sonorous+`</emphasis>`).Duration().Seconds() / normal
		if !near(got, want, 0.06) {
			t.Errorf("%s emphasis takes %.2f times as long, want %.2f", level, got, want)
		}
	}
}

// TestEffectOfLanguageAndPhonemes compares sounds that must be alike, and some that must not.
func TestEffectOfLanguageAndPhonemes(t *testing.T) {
	t.Parallel()
	s := withEspeak(t, t.TempDir())
	same := func(a, b string) bool { return string(measured(t, s, a).PCM) == string(measured(t, s, b).PCM) }
	for _, tc := range []struct {
		a, b string
		want bool
	}{
		{`<lang xml:lang="fr-FR">chat</lang>`, `chat`, false},
		{`<lang xml:lang="fr-LU">chat</lang>`, `<lang xml:lang="fr">chat</lang>`, true},
		{`<lang xml:lang="xx">chat</lang>`, `chat`, true},
		{`<phoneme alphabet="ipa" ph="ˈpiːkæn">pecan</phoneme>`, `pecan`, false},
		{`<phoneme alphabet="ipa" ph="ˈpiːkæn">pecan</phoneme>`, `<phoneme alphabet="x-sampa" ph='"pi:k{n'>other</phoneme>`, true},
		{`<phoneme alphabet="ipa" ph="ǃ">pecan</phoneme>`, `pecan`, true},
		{`<phoneme alphabet="ipa" ph="]]pecan[[">pecan</phoneme>`, `pecan`, true},
		{`<say-as interpret-as="ordinal">3</say-as>`, `third`, true},
		{`<w role="amazon:VBD">read</w><mark name="x"/>`, `read`, true},
	} {
		if got := same(tc.a, tc.b); got != tc.want {
			t.Errorf("%s sounds like %s: %v, want %v", tc.a, tc.b, got, tc.want)
		}
	}
	c := voice.Content{Kind: voice.SSML, Voice: "Zhiyu", Language: "cmn-CN"}
	var sounds []string
	for _, in := range []string{`<phoneme alphabet="x-amazon-pinyin" ph="bo2">薄</phoneme>`, `<phoneme alphabet="x-amazon-pinyin" ph="bao4">薄</phoneme>`} {
		c.Text = "<speak>" + in + "</speak>"
		sounds = append(sounds, string(load(t, synthesize(t, s, c, 0)).PCM))
	}
	if sounds[0] == sounds[1] {
		t.Error("two ways to pronounce 薄 sound the same")
	}
}

func TestEffectOfExpletive(t *testing.T) {
	t.Parallel()
	s := withEspeak(t, t.TempDir())
	tone := measured(t, s, `<say-as interpret-as="expletive">x</say-as>`)
	hz := crossings(tone) / 2
	if tone.Duration() != 500*time.Millisecond || !near(hz, 1000, 0.02) {
		t.Errorf("an expletive is a tone of %v at %.0f Hz, want 500ms at 1000", tone.Duration(), hz)
	}
}
