package espeak

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"tidings/internal/tts"
	"tidings/internal/voice"
)

func TestTablesKnowEveryVoice(t *testing.T) {
	t.Parallel()
	sounds := map[string]string{}
	for _, v := range voice.Voices() {
		for _, language := range v.Languages() {
			args, err := arguments(tts.Phrase{Voice: v.ID, Language: language})
			if err != nil {
				t.Errorf("arguments of %s in %s: %v", v.ID, language, err)
				continue
			}
			key := language + strings.Join(args, " ")
			if other, taken := sounds[key]; taken {
				t.Errorf("%s and %s are the same in %s", v.ID, other, language)
			}
			sounds[key] = v.ID
		}
		variant := variants[v.ID]
		if woman := strings.HasPrefix(variant.name, "f"); woman != (v.Gender == voice.Female) {
			t.Errorf("%s is %s, but has the variant %q", v.ID, v.Gender, variant.name)
		}
		if child := variant.pitch == "75"; child != v.Child {
			t.Errorf("%s has the pitch %q; want 75 for children only", v.ID, variant.pitch)
		}
	}
	if len(variants) != len(voice.Voices()) {
		t.Errorf("%d variants for %d voices", len(variants), len(voice.Voices()))
	}
}

func TestArguments(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		phrase tts.Phrase
		want   string // between the standard ones
	}{
		{tts.Phrase{Voice: "Matthew", Language: "en-US"}, "en-us"},
		{tts.Phrase{Voice: "Joanna", Language: "en-US"}, "en-us+f2"},
		{tts.Phrase{Voice: "Justin", Language: "en-US"}, "en-us -p 75"},
		{tts.Phrase{Voice: "Zhiyu", Language: "cmn-CN"}, "cmn-latn-pinyin+f2"},
		{tts.Phrase{Voice: "Aditi", Language: "en-IN"}, "en+f2"},
		{tts.Phrase{Voice: "Aditi", Language: "hi-IN"}, "hi+f2"},
		{tts.Phrase{Voice: "Miguel", Language: "es-US"}, "es-419"},
		{tts.Phrase{Voice: "Joanna", Language: "fr-FR"}, "fr+f2"},

		{tts.Phrase{Voice: "Joanna", Language: "en-US", Rate: 1, Pitch: 1}, "en-us+f2"},
		{tts.Phrase{Voice: "Joanna", Language: "en-US", Rate: 2}, "en-us+f2 -s 350"},
		{tts.Phrase{Voice: "Joanna", Language: "en-US", Rate: 10}, "en-us+f2 -s 1750"},
		{tts.Phrase{Voice: "Joanna", Language: "en-US", Rate: 1e9}, "en-us+f2 -s 1750"},
		{tts.Phrase{Voice: "Joanna", Language: "en-US", Rate: 0.5}, "en-us+f2 -s 88"},
		{tts.Phrase{Voice: "Joanna", Language: "en-US", Rate: 0.2}, "en-us+f2 -s 80 -g 25"},
		{tts.Phrase{Voice: "Joanna", Language: "en-US", Rate: 1e-9}, "en-us+f2 -s 80 -g 72"},
		{tts.Phrase{Voice: "Joanna", Language: "en-US", Pitch: 1.1}, "en-us+f2 -p 60"},
		{tts.Phrase{Voice: "Joanna", Language: "en-US", Pitch: 0.83}, "en-us+f2 -p 30"},
		{tts.Phrase{Voice: "Joanna", Language: "en-US", Pitch: 2}, "en-us+f2 -p 99"},
		{tts.Phrase{Voice: "Joanna", Language: "en-US", Pitch: 0.1}, "en-us+f2 -p 0"},
		{tts.Phrase{Voice: "Justin", Language: "en-US", Pitch: 0.77}, "en-us"}, // as high as a man
		{tts.Phrase{Voice: "Ruth", Language: "en-US", Pitch: 1.2}, "en-us+f2 -p 59"},
		{tts.Phrase{Voice: "Joanna", Language: "en-US", Whisper: true}, "en-us+whisperf"},
		{tts.Phrase{Voice: "Joey", Language: "en-US", Whisper: true, Rate: 1.5}, "en-us+whisper -s 263"},
	} {
		name, options, _ := strings.Cut(tc.want, " ")
		want := strings.Fields("-b 1 -v " + name + " --stdin --stdout " + options)
		got, err := arguments(tc.phrase)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("arguments(%+v) = %q, %v, want %q", tc.phrase, got, err, want)
		}
	}
}

func TestClean(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ in, want string }{
		{"Hello, world. 1 < 2 & 3", "Hello, world. 1 < 2 & 3"},
		{"[[[a]]]", "[ [ [a]]]"},
		{"[\u200b[", "[ ["},
		{"[\x00[", "[ ["},
		{"[\xff[", "[ ["},
		{"[ [", "[ ["},
		{"\x0150S\x7f\x9b", "50S"},
		{"a\tb\r\nc\u00a0d\u2028e", "a b  c d e"},
		{"\u202eabc\u2066\ufeff", "abc"},
		{"\ue000x\U000f0000\U0010ffff\ufffe", "x"},
		{"a\xc0\xafb\xff", "ab"},
		{"\ufffd", "\ufffd"},
		{"1 =.5 +.5 €. x. ..", "1 = .5 + .5 € . x. .."},
		{"=\x00.5", "= .5"},
		{"123456789012 1234567890123", "123456789012 1 2 3 4 5 6 7 8 9 0 1 2 3"},
		{strings.Repeat("é", 61) + ".", strings.Repeat("é", 60) + " é."},
		{"x1234567890\u200b123y", "x1 2 3 4 5 6 7 8 9 0 1 2 3y"},
		{"Grüße नमस्ते 😀 e\u0301", "Grüße नमस्ते 😀 e\u0301"},
	} {
		if got := clean(tc.in); got != tc.want {
			t.Errorf("clean(%q) = %q, want %q", tc.in, got, tc.want)
		}
	}
}

func TestPlain(t *testing.T) {
	t.Parallel()
	const in, want = "Grüße, 1.5=x?[नमस्ते]😀€9", "Grüße,  1. 5 x?  नमस्ते   9"
	if got := plain(in); got != want {
		t.Errorf("plain(%q) = %q, want %q", in, got, want)
	}
}

var longWord = regexp.MustCompile(`[^ ]{121}`)

var longNumber = regexp.MustCompile(`\p{Nd}{13}`)

func FuzzClean(f *testing.F) {
	f.Add("[[a]]\x0150S\xff\u202e")
	f.Add("[\u200b[\u2028")
	f.Fuzz(func(t *testing.T, in string) {
		out := clean(in)
		if strings.Contains(out, "[[") || !utf8.ValidString(out) || longNumber.MatchString(out) || longWord.MatchString(out) {
			t.Errorf("clean(%q) = %q", in, out)
		}
		for _, r := range out {
			if r != ' ' && (unicode.IsSpace(r) || unicode.In(r, unicode.C)) {
				t.Errorf("clean(%q) = %q, which still has %U", in, out, r)
			}
		}
		if again := clean(out); again != out {
			t.Errorf("clean(%q) = %q, but cleaned again %q", in, out, again)
		}
	})
}
