package voice_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tidings/internal/fault"
	"tidings/internal/voice"
)

// pollyVoices is the enumeration VoiceId of the Polly API.
const pollyVoices = `Aditi Adriano Ambre Amy Andres Aria Arlet Arthur Astrid Ayanda Beatrice
Bianca Brian Burcu Camila Carla Carmen Celine Chantal Conchita Cristiano Daniel Danielle Dora
Elin Emma Enrique Ewa Filiz Florian Gabrielle Geraint Giorgio Gregory Gwyneth Hala Hannah Hans
Hiujin Ida Ines Isabelle Ivy Jacek Jan Jasmine Jihye Jitka Joanna Joey Justin Kajal Karl Kazuha
Kendra Kevin Kimberly Laura Lea Lennart Liam Lisa Liv Lorenzo Lotte Lucia Lupe Mads Maja Marlene
Mathieu Matthew Maxim Mia Miguel Mizuki Naja Niamh Nicole Ola Olivia Pedro Penelope Raveena Remi
Ricardo Ruben Russell Ruth Sabrina Salli Seoyeon Sergio Sofie Stephen Suvi Takumi Tatyana Thiago
Tiffany Tomoko Vicki Vitoria Zayd Zeina Zhiyu`

// v2Voices is the enumeration VoiceId of the SMS and Voice API, version 2: the standard
// voices, without Aditi.
const v2Voices = `AMY ASTRID BIANCA BRIAN CAMILA CARLA CARMEN CELINE CHANTAL CONCHITA CRISTIANO
DORA EMMA ENRIQUE EWA FILIZ GERAINT GIORGIO GWYNETH HANS INES IVY JACEK JAN JOANNA JOEY JUSTIN
KARL KENDRA KIMBERLY LEA LIV LOTTE LUCIA LUPE MADS MAJA MARLENE MATHIEU MATTHEW MAXIM MIA MIGUEL
MIZUKI NAJA NICOLE PENELOPE RAVEENA RICARDO RUBEN RUSSELL SALLI SEOYEON TAKUMI TATYANA VICKI
VITORIA ZEINA ZHIYU`

// pollyLanguages is the enumeration LanguageCode of the Polly API.
const pollyLanguages = `ar-AE arb ca-ES cmn-CN cs-CZ cy-GB da-DK de-AT de-CH de-DE en-AU en-GB
en-GB-WLS en-IE en-IN en-NZ en-SG en-US en-ZA es-ES es-MX es-US fi-FI fr-BE fr-CA fr-FR hi-IN
is-IS it-IT ja-JP ko-KR nb-NO nl-BE nl-NL pl-PL pt-BR pt-PT ro-RO ru-RU sv-SE tr-TR yue-CN`

func TestVoicesAreThoseOfTheAPI(t *testing.T) {
	t.Parallel()
	var ids, standard, languages []string
	children := 0
	for _, v := range voice.Voices() {
		ids = append(ids, v.ID)
		languages = append(languages, v.Languages()...)
		if v.Standard && v.ID != "Aditi" {
			standard = append(standard, strings.ToUpper(v.ID))
		}
		if v.Child {
			children++
		}
		if v.Gender != voice.Female && v.Gender != voice.Male {
			t.Errorf("%s has the gender %q", v.ID, v.Gender)
		}
	}
	slices.Sort(ids)
	slices.Sort(standard)
	slices.Sort(languages)
	if diff := cmp.Diff(strings.Fields(pollyVoices), ids); diff != "" || len(ids) != 106 {
		t.Errorf("%d voices, want 106 (-want +got):\n%s", len(ids), diff)
	}
	if diff := cmp.Diff(strings.Fields(v2Voices), standard); diff != "" || len(standard) != 59 {
		t.Errorf("%d standard voices beside Aditi, want 59 (-want +got):\n%s", len(standard), diff)
	}
	if diff := cmp.Diff(strings.Fields(pollyLanguages), slices.Compact(languages)); diff != "" {
		t.Errorf("languages (-want +got):\n%s", diff)
	}
	if children != 3 {
		t.Errorf("%d child voices, want Ivy, Justin and Kevin", children)
	}
}

func TestVoiceByID(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		id   string
		want voice.VoiceInfo
	}{
		{"Joanna", voice.VoiceInfo{ID: "Joanna", Language: "en-US", Gender: voice.Female, Standard: true}},
		{"JOANNA", voice.VoiceInfo{ID: "Joanna", Language: "en-US", Gender: voice.Female, Standard: true}},
		{"justin", voice.VoiceInfo{ID: "Justin", Language: "en-US", Gender: voice.Male, Child: true, Standard: true}},
		{"Kajal", voice.VoiceInfo{ID: "Kajal", Language: "en-IN", Second: "hi-IN", Gender: voice.Female}},
	} {
		if got, ok := voice.VoiceByID(tc.id); !ok || got != tc.want {
			t.Errorf("VoiceByID(%q) = %+v, %v, want %+v", tc.id, got, ok, tc.want)
		}
	}
	for _, id := range []string{"", "Patrick", "Joanna ", "../Joanna"} {
		if got, ok := voice.VoiceByID(id); ok {
			t.Errorf("VoiceByID(%q) = %+v, want none", id, got)
		}
	}
}

func TestResolveVoice(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ id, language, wantID, wantLanguage string }{
		{"", "", "Matthew", "en-US"},
		{"Joey", "en-US", "Joey", "en-US"},
		{"Mathieu", "fr-FR", "Mathieu", "fr-FR"},
		{"Miguel", "es-US", "Miguel", "es-US"},
		{"JOANNA", "EN-us", "Joanna", "en-US"},
		{"geraint", "en-gb-wls", "Geraint", "en-GB-WLS"},
		{"Zeina", "", "Zeina", "arb"},
		{"", "de-DE", "Marlene", "de-DE"},
		{"", "en-US", "Joanna", "en-US"},
		{"", "fi-FI", "Suvi", "fi-FI"},
		{"", "en-gb-wls", "Geraint", "en-GB-WLS"},
		{"", "HI-IN", "Aditi", "hi-IN"},
		{"Aditi", "", "Aditi", "en-IN"},
		{"Aditi", "hi-IN", "Aditi", "hi-IN"},
		{"kajal", "en-in", "Kajal", "en-IN"},
	} {
		id, language, err := voice.ResolveVoice(tc.id, tc.language)
		if err != nil || id != tc.wantID || language != tc.wantLanguage {
			t.Errorf("ResolveVoice(%q, %q) = %q, %q, %v, want %q, %q",
				tc.id, tc.language, id, language, err, tc.wantID, tc.wantLanguage)
		}
	}
}

func TestResolveVoiceRefuses(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 500)
	for _, tc := range []struct{ id, language, want string }{
		{"Nobody", "", `VoiceId "Nobody" is not known. Known are Aditi, Adriano,`},
		{"Nobody", "de-AT", `VoiceId "Nobody" is not known. Voices for de-AT are Hannah.`},
		{"", "en", `LanguageCode "en" is not known. Known are ar-AE, arb,`},
		{"Joanna", "xx-XX", `LanguageCode "xx-XX" is not known.`},
		{"joanna", "fr-fr", "Voice Joanna does not speak fr-FR. It speaks en-US; voices for fr-FR are Ambre,"},
		{"Aditi", "en-US", "Voice Aditi does not speak en-US. It speaks en-IN and hi-IN; voices"},
		{"Raveena", "hi-IN", "voices for hi-IN are Aditi, Kajal."},
		{long, "", "ééé\"… is not known."},
		{"", long, "ééé\"… is not known."},
	} {
		id, language, err := voice.ResolveVoice(tc.id, tc.language)
		if !fault.Is(err, fault.Invalid) || fault.From(err).Resource != fault.VoiceMessage || id != "" || language != "" {
			t.Errorf("ResolveVoice(%q, %q) = %q, %q, %#v, want fault.Invalid about a voice message", tc.id, tc.language, id, language, err)
			continue
		}
		if msg := fault.From(err).Msg; !strings.Contains(msg, tc.want) || len(msg) > 1200 {
			t.Errorf("ResolveVoice(%q, %q): message %q, want it to contain %q", tc.id, tc.language, msg, tc.want)
		}
	}
}

// TestEveryVoiceResolves also holds ResolveVoice to its promise that what it returns can
// be asked for again.
func TestEveryVoiceResolves(t *testing.T) {
	t.Parallel()
	for _, v := range voice.Voices() {
		for _, language := range v.Languages() {
			id, code, err := voice.ResolveVoice(strings.ToUpper(v.ID), strings.ToLower(language))
			if err != nil || id != v.ID || code != language {
				t.Errorf("ResolveVoice of %s in %s = %q, %q, %v", v.ID, language, id, code, err)
			}
			id, code, err = voice.ResolveVoice("", language)
			if d, ok := voice.VoiceByID(id); err != nil || !ok || !d.Speaks(code) || code != language {
				t.Errorf("ResolveVoice of the default for %s = %q, %q, %v", language, id, code, err)
			}
		}
	}
}
