package ssml_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tidings/internal/ssml"
)

func styled(s string, style ssml.Style) ssml.Piece { return ssml.Piece{Text: s, Style: style} }

// TestParseStyles gives the voice the language en-US.
func TestParseStyles(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		in   string // inside <speak>
		want []ssml.Piece
	}{
		// <prosody>: words set, percentages and decibels change.
		{`<prosody rate="85%" pitch="-10%" volume="+6dB">a</prosody> b`, []ssml.Piece{styled("a", ssml.Style{Rate: 0.85, Pitch: 0.9, Gain: 6}), text("b")}},
		{`<prosody rate="50%"><prosody rate="+50%">a</prosody></prosody>`, []ssml.Piece{styled("a", ssml.Style{Rate: 0.75})}},
		{`<prosody rate="50%"><prosody rate="200%">a</prosody></prosody> b`, []ssml.Piece{text("a b")}},
		{`<prosody rate="50%"><prosody rate="fast">a</prosody></prosody>`, []ssml.Piece{styled("a", ssml.Style{Rate: 1.5})}},
		{`<prosody rate="20%"><prosody rate="20%">a</prosody></prosody>`, []ssml.Piece{styled("a", ssml.Style{Rate: 0.2})}},
		{`<prosody rate="x-fast"><prosody rate="200%">a</prosody></prosody>`, []ssml.Piece{styled("a", ssml.Style{Rate: 2})}},
		{`<prosody volume="loud"><prosody volume="-2.5dB">a</prosody></prosody>`, []ssml.Piece{styled("a", ssml.Style{Gain: 3.5})}},
		{`<prosody volume="loud"><prosody volume="default">a</prosody></prosody>`, []ssml.Piece{text("a")}},
		{`<prosody volume="+99999999dB">a</prosody>`, []ssml.Piece{styled("a", ssml.Style{Gain: 20})}},
		{`<prosody volume="x-soft"><prosody volume="-100dB">a</prosody></prosody>`, []ssml.Piece{styled("a", ssml.Style{Gain: -60})}},
		{`<prosody volume="silent">a <prosody volume="+3dB">b</prosody> <prosody volume="soft">c</prosody></prosody>`, []ssml.Piece{
			styled("a", ssml.Style{Silent: true}), styled("b", ssml.Style{Silent: true, Gain: 3}), styled("c", ssml.Style{Gain: -6}),
		}},
		{`<prosody pitch="high"><prosody pitch="+10%">a</prosody></prosody>`, []ssml.Piece{styled("a", ssml.Style{Pitch: 1.32})}},
		{`<prosody pitch="-300%">a</prosody>`, []ssml.Piece{styled("a", ssml.Style{Pitch: 0.5})}},
		{`<prosody pitch="high"><prosody pitch="medium">a</prosody></prosody>`, []ssml.Piece{text("a")}},

		// amazon:max-duration.
		{`<prosody amazon:max-duration="2s">a <prosody rate="2">b</prosody></prosody> c`, []ssml.Piece{
			styled("a b", ssml.Style{Group: 1, Most: 2 * time.Second}), text("c"),
		}},
		{`<prosody amazon:max-duration="2s">a<break time="1s"/><prosody amazon:max-duration="9s" pitch="+10%">b</prosody></prosody>`, []ssml.Piece{
			styled("a", ssml.Style{Group: 1, Most: 2 * time.Second}),
			{Pause: time.Second, Style: ssml.Style{Group: 1, Most: 2 * time.Second}},
			styled("b", ssml.Style{Group: 1, Most: 2 * time.Second, Pitch: 1.1}),
		}},
		{`<prosody amazon:max-duration="1s" rate="50%">a</prosody> <prosody amazon:max-duration="1s">b</prosody>`, []ssml.Piece{
			styled("a", ssml.Style{Group: 1, Most: time.Second}), styled("b", ssml.Style{Group: 2, Most: time.Second}),
		}},

		// The other tags with a style.
		{`<emphasis>a</emphasis>`, []ssml.Piece{styled("a", ssml.Style{Rate: 0.9, Gain: 3})}},
		{`<emphasis level="Strong">a</emphasis>`, []ssml.Piece{styled("a", ssml.Style{Rate: 0.8, Gain: 5})}},
		{`<emphasis level="reduced">a</emphasis>`, []ssml.Piece{styled("a", ssml.Style{Rate: 1.1, Gain: -4})}},
		{`<amazon:effect name="drc">a</amazon:effect>`, []ssml.Piece{styled("a", ssml.Style{Compress: true})}},
		{`<amazon:effect name="whispered" phonation="soft">a</amazon:effect>`, []ssml.Piece{styled("a", ssml.Style{Whisper: true, Soft: true})}},
		{`<amazon:effect vocal-tract-length="-15%">a <amazon:effect vocal-tract-length="110%">b</amazon:effect></amazon:effect>`, []ssml.Piece{
			styled("a", ssml.Style{Tract: 0.85}), styled("b", ssml.Style{Tract: 1.1}),
		}},
		{`<amazon:effect vocal-tract-length="900%">a</amazon:effect>`, []ssml.Piece{styled("a", ssml.Style{Tract: 2})}},
		{`Say <lang xml:lang="fr-FR">bonjour</lang>.`, []ssml.Piece{text("Say"), styled("bonjour.", ssml.Style{Language: "fr-FR"})}},
		{`Say <lang xml:lang="EN-us">hello</lang>.`, []ssml.Piece{text("Say hello.")}},
		{`<lang xml:lang="fr-FR">oui <lang xml:lang="en-US">yes</lang></lang>`, []ssml.Piece{styled("oui", ssml.Style{Language: "fr-FR"}), text("yes")}},
		{`<lang xml:lang="de-DE"><say-as interpret-as="ordinal">3</say-as></lang>`, []ssml.Piece{styled("3", ssml.Style{Language: "de-DE"})}},
		{`<prosody pitch="high"><say-as interpret-as="expletive">x</say-as></prosody>`, []ssml.Piece{{Tone: 500 * time.Millisecond, Style: ssml.Style{Pitch: 1.2}}}},

		// Words and melodies stay whole.
		{`un<emphasis level="strong">believ</emphasis>able`, []ssml.Piece{text("unbelievable")}},
		{`see<emphasis>n this</emphasis> one`, []ssml.Piece{text("seen"), styled("this", ssml.Style{Rate: 0.9, Gain: 3}), text("one")}},
		{`a <emphasis>b</emphasis>, c`, []ssml.Piece{text("a"), styled("b,", ssml.Style{Rate: 0.9, Gain: 3}), text("c")}},
		{`a<emphasis>. </emphasis>b`, []ssml.Piece{text("a. b")}},
		{`你<emphasis>好</emphasis>`, []ssml.Piece{text("你"), styled("好", ssml.Style{Rate: 0.9, Gain: 3})}},
		{`<emphasis>a</emphasis> <emphasis>b</emphasis>`, []ssml.Piece{styled("a b", ssml.Style{Rate: 0.9, Gain: 3})}},
		{`<emphasis>a<break time="1s"/>b</emphasis>`, []ssml.Piece{
			styled("a", ssml.Style{Rate: 0.9, Gain: 3}), pause(1000), styled("b", ssml.Style{Rate: 0.9, Gain: 3}),
		}},
	} {
		doc, err := ssml.Parse("<speak>" + tc.in + "</speak>")
		if err != nil {
			t.Errorf("Parse(%q): %v", tc.in, err)
			continue
		}
		if diff := cmp.Diff(tc.want, doc.Pieces("en-US")); diff != "" {
			t.Errorf("Parse(%q): pieces (-want +got):\n%s", tc.in, diff)
		}
	}
}

func TestParsePhonemes(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ alphabet, ph, want string }{
		{"ipa", "pɪˈkɑːn", "pɪˈkɑːn"},
		{"ipa", "  a \n b ", "a b"},
		// The examples of the guide, "Phoneme tag" and "English (US)".
		{"x-sampa", `pI"kA:n`, "pɪˈkɑːn"},
		{"x-sampa", "\"b3`d", "ˈbɝd"},
		{"x-sampa", `"lEm.@n`, "ˈlɛm.ən"},
		{"x-sampa", `T r\ I N`, "θ ɹ ɪ ŋ"},
		{"x-sampa", `a_~9~`, "a\u0303œ\u0303"},
		{"x-sampa", "r\\`", "ɻ"},
		{"x-sampa", "ɪ", "ɪ"},
		{"x-sampa", "a$", ""},
		{"x-sampa", `_\`, ""},
		{"x-amazon-pinyin", "bo2", "bo2"},
		{"x-amazon-pinyin", "Ni3 hao3", "ni3 hao3"},
		{"x-amazon-pinyin", "lü4se4", "lü4se4"},
		{"x-amazon-pinyin", "hello", ""},
		{"x-amazon-pinyin", "bo9", ""},
	} {
		doc, err := ssml.Parse(`<speak>a <phoneme alphabet="` + tc.alphabet + `" ph='` + tc.ph + `'>b</phoneme>.</speak>`)
		if err != nil {
			t.Errorf("Parse with %s %q: %v", tc.alphabet, tc.ph, err)
			continue
		}
		want := []ssml.Piece{text("a"), {Text: "b.", Phonemes: tc.want}}
		if tc.want == "" {
			want = []ssml.Piece{text("a b.")}
		}
		if diff := cmp.Diff(want, doc.Pieces("en-US")); diff != "" {
			t.Errorf("Parse with %s %q: pieces (-want +got):\n%s", tc.alphabet, tc.ph, diff)
		}
	}
	doc, err := ssml.Parse(`<speak><phoneme alphabet="ipa" ph="x">a</phoneme> <phoneme alphabet="ipa" ph="x">a</phoneme></speak>`)
	if err != nil {
		t.Fatal(err)
	}
	if got := doc.Pieces("en-US"); len(got) != 2 {
		t.Errorf("two words with phonemes are %d pieces, want 2: %+v", len(got), got)
	}
}
