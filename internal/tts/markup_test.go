package tts_test

import (
	"encoding/xml"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tidings/internal/ssml"
	"tidings/internal/tts"
)

func TestPhraseSSML(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		phrase tts.Phrase
		want   string
	}{
		{tts.Phrase{Text: "Hello"}, `Hello`},
		{tts.Phrase{Text: "Hello", Rate: 1, Pitch: 1}, `Hello`},
		{tts.Phrase{Text: `a < b & "c"`}, `a &lt; b &amp; &#34;c&#34;`},
		{tts.Phrase{Text: `</speak><audio src="x"/>`}, `&lt;/speak&gt;&lt;audio src=&#34;x&#34;/&gt;`},
		{tts.Phrase{Text: "a\x00\x01\ufffe\xffb\n\U0001f600"}, "ab&#xA;\U0001f600"},
		{tts.Phrase{Text: "x", Rate: 1.156}, `<prosody rate="116%">x</prosody>`},
		{tts.Phrase{Text: "x", Rate: 0.01, Pitch: 9}, `<prosody rate="20%" pitch="+50%">x</prosody>`},
		{tts.Phrase{Text: "x", Rate: 5, Pitch: 0.8}, `<prosody rate="200%" pitch="-20%">x</prosody>`},
		{tts.Phrase{Text: "x", Pitch: 0.1}, `<prosody pitch="-33%">x</prosody>`},
		{tts.Phrase{Text: "x", Whisper: true}, `<amazon:effect name="whispered">x</amazon:effect>`},
		{tts.Phrase{Text: "pecan", Phonemes: `pɪˈkɑːn"`}, `<phoneme alphabet="ipa" ph="pɪˈkɑːn&#34;">pecan</phoneme>`},
		{
			tts.Phrase{Text: "薄", Phonemes: "bo2", Language: "cmn-CN", Rate: 0.5},
			`<lang xml:lang="cmn-CN"><prosody rate="50%"><phoneme alphabet="x-amazon-pinyin" ph="bo2">薄</phoneme></prosody></lang>`,
		},
	} {
		lang := ""
		if got, want := tc.phrase.SSML(lang), "<speak>"+tc.want+"</speak>"; got != want {
			t.Errorf("SSML of %+v = %s, want %s", tc.phrase, got, want)
		}
	}
	if got, want := (tts.Phrase{Text: "x", Language: "en-US"}).SSML("en-US"), "<speak>x</speak>"; got != want {
		t.Errorf("SSML in the voice's own language = %s, want %s", got, want)
	}
}

// TestPhraseSSMLIsValid: whatever a phrase holds, what comes out passes our own door and
// says the same text.
func TestPhraseSSMLIsValid(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := tts.Phrase{
			Text:     rapid.String().Draw(t, "text"),
			Language: rapid.SampledFrom([]string{"en-US", "fr-FR", "cmn-CN"}).Draw(t, "language"),
			Rate:     rapid.Float64().Draw(t, "rate"),
			Pitch:    rapid.Float64().Draw(t, "pitch"),
			Whisper:  rapid.Bool().Draw(t, "whisper"),
		}
		document := p.SSML("en-US")
		if _, err := ssml.Parse(document); err != nil {
			t.Fatalf("SSML of %+v = %s, which is not valid: %v", p, document, err)
		}
		var said strings.Builder
		for dec := xml.NewDecoder(strings.NewReader(document)); ; {
			token, err := dec.Token()
			if err != nil {
				break
			}
			if text, ok := token.(xml.CharData); ok {
				said.Write(text)
			}
		}
		legal := strings.Map(func(r rune) rune {
			if r < ' ' && !strings.ContainsRune("\t\r\n", r) || r == 0xfffe || r == 0xffff {
				return -1
			}
			return r
		}, p.Text)
		if said.String() != legal {
			t.Fatalf("SSML of %q says %q", p.Text, said.String())
		}
	})
}
