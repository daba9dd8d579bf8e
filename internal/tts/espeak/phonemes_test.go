package espeak

import (
	"context"
	"errors"
	"maps"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tidings/internal/tts"
)

func TestPhonetic(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		text, phonemes, language string
		want                     string // "" = the text is spoken
	}{
		{"pecan", "pɪˈkɑːn", "en-US", "[[pI'kA:n]]"},
		{"pecan.", "pɪˈkɑːn", "en-GB", "[[pI'kA:n]]."},
		{"pecan?)", "ˈpi.kæn", "en-US", "[['pi:kan]]?"},
		{"pecan, ", "pɪˈk\u0361ɑːn", "en-US", "[[pI'kA:n]],"},
		{"hello world", "həˈloʊ ˈwɜːld", "en-US", "[[h@'loU 'w3:ld]]"},
		{"bird", "ˈbɝd", "en-US", "[['b3:d]]"},
		{"Bär", "bɛːʁ", "de-AT", "[[bE:r]]"},
		{"vin", "vɛ\u0303", "fr-CA", "[[vE~]]"},
		{"perro", "ˈpero", "es-MX", "[['peR2o]]"},
		{"gnomo", "ˈɲɔmo", "it-IT", "[['n^Omo]]"},
		{"薄", "bo2", "cmn-CN", "bo2 "},
		{"你好。", "ni3hao3", "cmn-CN", "ni3 hao3 ."},

		{"x", "a", "ja-JP", ""},
		{"x", "bo2", "en-US", ""},
		{"x", "你", "cmn-CN", ""},
		{"x", "]]", "en-US", ""},
		{"x", "[[", "en-US", ""},
		{"x", "a\x01b", "en-US", ""},
		{"x", "_:", "en-US", ""},
		{"x", "ǃ", "en-US", ""},
		{"x", "", "en-US", ""},
		{"x", " ˈ.", "en-US", ""},
		{"x", "\xff", "en-US", ""},
		{"x", strings.Repeat("a", 5000), "en-US", ""},
		{"x", strings.Repeat("bo2", 2000), "cmn-CN", ""},
	} {
		got, ok := phonetic(tc.text, tc.phonemes, tc.language)
		if got != tc.want || ok != (tc.want != "") {
			t.Errorf("phonetic(%q, %.40q, %q) = %q, %v, want %q", tc.text, tc.phonemes, tc.language, got, ok, tc.want)
		}
	}
}

var safe = regexp.MustCompile(`^(\[\[[A-Za-z0-9@:~#*?^',-]+( +[A-Za-z0-9@:~#*?^',-]*)*\]\]|([a-zü]{1,6}[0-5] )+)[.,?!]?$`)

func TestMnemonicsAreSafe(t *testing.T) {
	t.Parallel()
	for language, table := range alphabets {
		for _, signs := range []map[string]string{table, everywhere} {
			for sign, mnemonic := range signs {
				if input := "[[a" + mnemonic + "]]"; !safe.MatchString(input) {
					t.Errorf("%s: %q becomes %q, which could be more than a phoneme", language, sign, mnemonic)
				}
			}
		}
	}
}

func FuzzPhonetic(f *testing.F) {
	f.Add("pecan.", "pɪˈkɑːn", "en-US")
	f.Add("x]]", "a]]b[[c", "de-DE")
	f.Add("薄", "bo2lü4", "cmn-CN")
	f.Fuzz(func(t *testing.T, text, phonemes, language string) {
		input, ok := phonetic(text, phonemes, language)
		if ok && (!safe.MatchString(input) || len(input) > 2*maxMnemonics+5) {
			t.Errorf("phonetic(%q, %q, %q) = %q", text, phonemes, language, input)
		}
	})
}

// pronounced is how espeak-ng itself writes down what it would say for each input.
func pronounced(tb testing.TB, voice string, inputs []string) []string {
	tb.Helper()
	cmd := exec.CommandContext(tb.Context(), "espeak-ng", "-b", "1", "-v", voice, "-q", "--ipa", "--stdin")
	cmd.Stdin = strings.NewReader(strings.Join(inputs, ".\n") + ".\n")
	out, err := cmd.Output()
	if errors.Is(err, exec.ErrNotFound) {
		tb.Skip(err)
	}
	lines := strings.Split(strings.TrimRight(string(out), "\n"), "\n")
	if err != nil || len(lines) != len(inputs) {
		tb.Fatalf("espeak-ng --ipa gives %d lines for %d inputs, %v", len(lines), len(inputs), err)
	}
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return lines
}

// TestPhonemesRoundTrip takes words to IPA and back: espeak-ng writes down how it reads a word; said
// by these phonemes, the word must be the same.
func TestPhonemesRoundTrip(t *testing.T) {
	t.Parallel()
	for language, list := range map[string]string{
		"en-US": "pecan bird about little button thing this judge church measure now go boy time day see food law father " +
			"cat bed sit book cup hot near hair cure car north fire hour yes queen nurse roses mother yellow",
		"en-GB": "pecan bird about butter little thing judge measure now go boy day see food law father cat bed sit book " +
			"cup hot near hair cure car north fire yes queen nurse",
		"de-DE": "schön über Hütte Mädchen ich ach Zeit jung neu Haus mein Vater lesen singen Ende Löffel fünf Chef " +
			"bitte Quelle Hunde Tod du sie See Pfanne Bonbon",
		"es-ES": "perro pero año calle llamar jamón zapato cena gato agua vaca cabo dedo hada yo queso huevo ciudad aire rey " +
			"guerra chico hijo mano sangre",
		"es-MX": "perro zapato cena gracias chico",
		"fr-FR": "bonjour vin un blanc bon peu peur rue deux oui huit yeux rouge chat gagner été mère monde temps fille " +
			"pâte lune nuit travail jour",
		"it-IT": "gnomo figlio zio zaino ciao gelo scena casa pesca notte uomo sbaglio anche vino pala cielo",
	} {
		args, err := arguments(tts.Phrase{Voice: "Matthew", Language: language})
		if err != nil {
			t.Fatal(err)
		}
		words := strings.Fields(list)
		want := pronounced(t, args[3], words)
		inputs := make([]string, len(words))
		for i, word := range words {
			var ok bool
			if inputs[i], ok = phonetic(word, want[i], language); !ok {
				t.Errorf("%s: %q is pronounced %q, which cannot be said by phonemes", language, word, want[i])
				inputs[i] = "x"
			}
		}
		for i, got := range pronounced(t, args[3], inputs) {
			if got != want[i] {
				t.Errorf("%s: %q is pronounced %q, but %s is %q", language, words[i], want[i], inputs[i], got)
			}
		}
	}
}

// TestMnemonicsAreKnown asks espeak-ng for every mnemonic. It stops at one that it does not know.
func TestMnemonicsAreKnown(t *testing.T) {
	t.Parallel()
	for language, voice := range map[string]string{"en": "en-us", "de": "de", "es": "es", "fr": "fr", "it": "it"} {
		inputs := []string{"[[s'as]]"}
		for _, signs := range []map[string]string{alphabets[language], everywhere} {
			for mnemonic := range maps.Values(signs) {
				if strings.Trim(mnemonic, "',:") != "" {
					inputs = append(inputs, "[[s'as"+mnemonic+"t'as]]")
				}
			}
		}
		got := pronounced(t, voice, inputs)
		for i, input := range inputs[1:] {
			if len(got[i+1]) < 2*len(got[0]) {
				t.Errorf("%s: espeak-ng does not know all of %s: it says %q", language, input, got[i+1])
			}
		}
	}
}

// TestSpeakWithstandsPhonemes speaks rows of signs that no language has.
func TestSpeakWithstandsPhonemes(t *testing.T) {
	t.Parallel()
	e := installed(t)
	languages := slices.Sorted(maps.Keys(alphabets))
	rapid.Check(t, func(r *rapid.T) {
		language := rapid.SampledFrom(languages).Draw(r, "language")
		signs := slices.Concat(slices.Sorted(maps.Keys(alphabets[language])), slices.Sorted(maps.Keys(everywhere)), []string{" ", "ˈ", "ˌ"})
		phonemes := strings.Join(rapid.SliceOfN(rapid.SampledFrom(signs), 1, 80).Draw(r, "phonemes"), "")
		code := map[string]string{"en": "en-US", "de": "de-DE", "es": "es-ES", "fr": "fr-FR", "it": "it-IT"}[language]
		p := tts.Phrase{Text: "x", Voice: "Joanna", Language: code, Phonemes: phonemes}
		if sound, err := e.Speak(t.Context(), p); err != nil || sound.Duration() > MaxSpeech {
			r.Errorf("Speak(%+v) = %v, %v", p, sound.Duration(), err)
		}
	})
}

// installed returns the engine, or skips where no espeak-ng is installed.
func installed(tb testing.TB) *Engine {
	tb.Helper()
	e, err := Find("")
	if errors.Is(err, exec.ErrNotFound) {
		tb.Skip(err)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

// TestSpeakOfAMegabyte gives the program more than a minute's work.
func TestSpeakOfAMegabyte(t *testing.T) {
	t.Parallel()
	e := installed(t)
	e.timeout = 300 * time.Millisecond
	p := tts.Phrase{Text: strings.Repeat("Hello there, dear. ", 1<<20/19), Voice: "Joanna", Language: "en-US"}
	if sound, err := e.Speak(t.Context(), p); err == nil && sound.Duration() != MaxSpeech || err != nil && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Speak of a megabyte = %v, %v, want the longest speech or context.DeadlineExceeded", sound.Duration(), err)
	}
}
