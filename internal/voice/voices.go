package voice

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"tidings/internal/fault"
)

// Gender is the gender of a voice.
type Gender string

// The genders.
const (
	Female Gender = "Female"
	Male   Gender = "Male"
)

// VoiceInfo describes a voice. The zero value is no voice.
type VoiceInfo struct { //nolint:revive // voice.Info would be about anything; this is about a voice
	ID       string // as Polly spells it: "Joanna"
	Language string // code of the language it speaks by default: "en-US"
	Second   string // code of the other language of a bilingual voice; "" = it has none
	Gender   Gender
	Child    bool // sounds like a child
	Standard bool // exists with Polly's standard engine, the default of the voice channel
}

// Speaks reports whether the voice speaks the language of this code, in its exact spelling.
func (v VoiceInfo) Speaks(language string) bool {
	return language != "" && (v.Language == language || v.Second == language)
}

// Languages are the codes of the languages the voice speaks, its default first.
func (v VoiceInfo) Languages() []string {
	if v.Second == "" {
		return []string{v.Language}
	}
	return []string{v.Language, v.Second}
}

// The voice of a message that names neither a voice nor a language.
// Source: SendVoiceMessage in the SMS and Voice API, version 2, whose VoiceId "defaults to
// MATTHEW"; version 1 does not say.
const (
	DefaultVoice    = "Matthew"
	DefaultLanguage = "en-US"
)

// Words for the columns of the table.
const (
	adult, child    = false, true
	newer, standard = false, true
)

// voices is every voice there is, by language. Its order matters: the first standard
// voice of a language, or else its first voice, is the one that speaks when only the
// language is given.
// Source: Amazon Polly Developer Guide, "Available voices"; the IDs are those of the API's
// VoiceId, so the guide's Alba, Patrick and Raúl, which the API does not take, are absent.
var voices = [...]VoiceInfo{
	{"Zeina", "arb", "", Female, adult, standard}, // Arabic
	{"Hala", "ar-AE", "", Female, adult, newer},   // Gulf Arabic
	{"Zayd", "ar-AE", "", Male, adult, newer},
	{"Arlet", "ca-ES", "", Female, adult, newer},      // Catalan
	{"Zhiyu", "cmn-CN", "", Female, adult, standard},  // Mandarin
	{"Jitka", "cs-CZ", "", Female, adult, newer},      // Czech
	{"Gwyneth", "cy-GB", "", Female, adult, standard}, // Welsh
	{"Naja", "da-DK", "", Female, adult, standard},    // Danish
	{"Mads", "da-DK", "", Male, adult, standard},
	{"Sofie", "da-DK", "", Female, adult, newer},
	{"Hannah", "de-AT", "", Female, adult, newer},     // German (Austria)
	{"Sabrina", "de-CH", "", Female, adult, newer},    // German (Switzerland)
	{"Marlene", "de-DE", "", Female, adult, standard}, // German
	{"Vicki", "de-DE", "", Female, adult, standard},
	{"Hans", "de-DE", "", Male, adult, standard},
	{"Daniel", "de-DE", "", Male, adult, newer},
	{"Lennart", "de-DE", "", Male, adult, newer},
	{"Nicole", "en-AU", "", Female, adult, standard}, // English (Australia)
	{"Olivia", "en-AU", "", Female, adult, newer},
	{"Russell", "en-AU", "", Male, adult, standard},
	{"Amy", "en-GB", "", Female, adult, standard}, // English (UK)
	{"Emma", "en-GB", "", Female, adult, standard},
	{"Brian", "en-GB", "", Male, adult, standard},
	{"Arthur", "en-GB", "", Male, adult, newer},
	{"Geraint", "en-GB-WLS", "", Male, adult, standard},  // English (Wales)
	{"Niamh", "en-IE", "", Female, adult, newer},         // English (Ireland)
	{"Aditi", "en-IN", "hi-IN", Female, adult, standard}, // bilingual
	{"Raveena", "en-IN", "", Female, adult, standard},
	{"Kajal", "en-IN", "hi-IN", Female, adult, newer}, // bilingual
	{"Aria", "en-NZ", "", Female, adult, newer},       // English (New Zealand)
	{"Jasmine", "en-SG", "", Female, adult, newer},    // English (Singapore)
	{"Joanna", "en-US", "", Female, adult, standard},  // English (US)
	{"Ivy", "en-US", "", Female, child, standard},
	{"Kendra", "en-US", "", Female, adult, standard},
	{"Kimberly", "en-US", "", Female, adult, standard},
	{"Salli", "en-US", "", Female, adult, standard},
	{"Joey", "en-US", "", Male, adult, standard},
	{"Justin", "en-US", "", Male, child, standard},
	{"Matthew", "en-US", "", Male, adult, standard},
	{"Kevin", "en-US", "", Male, child, newer},
	{"Danielle", "en-US", "", Female, adult, newer},
	{"Gregory", "en-US", "", Male, adult, newer},
	{"Ruth", "en-US", "", Female, adult, newer},
	{"Stephen", "en-US", "", Male, adult, newer},
	{"Tiffany", "en-US", "", Female, adult, newer},
	{"Ayanda", "en-ZA", "", Female, adult, newer},      // English (South Africa)
	{"Conchita", "es-ES", "", Female, adult, standard}, // Spanish (Spain)
	{"Lucia", "es-ES", "", Female, adult, standard},
	{"Enrique", "es-ES", "", Male, adult, standard},
	{"Sergio", "es-ES", "", Male, adult, newer},
	{"Mia", "es-MX", "", Female, adult, standard}, // Spanish (Mexico)
	{"Andres", "es-MX", "", Male, adult, newer},
	{"Lupe", "es-US", "", Female, adult, standard}, // Spanish (US)
	{"Penelope", "es-US", "", Female, adult, standard},
	{"Miguel", "es-US", "", Male, adult, standard},
	{"Pedro", "es-US", "", Male, adult, newer},
	{"Suvi", "fi-FI", "", Female, adult, newer},       // Finnish
	{"Isabelle", "fr-BE", "", Female, adult, newer},   // French (Belgium)
	{"Chantal", "fr-CA", "", Female, adult, standard}, // French (Canada)
	{"Gabrielle", "fr-CA", "", Female, adult, newer},
	{"Liam", "fr-CA", "", Male, adult, newer},
	{"Celine", "fr-FR", "", Female, adult, standard}, // French
	{"Lea", "fr-FR", "", Female, adult, standard},
	{"Mathieu", "fr-FR", "", Male, adult, standard},
	{"Remi", "fr-FR", "", Male, adult, newer},
	{"Ambre", "fr-FR", "", Female, adult, newer},
	{"Florian", "fr-FR", "", Male, adult, newer},
	{"Dora", "is-IS", "", Female, adult, standard}, // Icelandic
	{"Karl", "is-IS", "", Male, adult, standard},
	{"Carla", "it-IT", "", Female, adult, standard}, // Italian
	{"Bianca", "it-IT", "", Female, adult, standard},
	{"Giorgio", "it-IT", "", Male, adult, standard},
	{"Adriano", "it-IT", "", Male, adult, newer},
	{"Beatrice", "it-IT", "", Female, adult, newer},
	{"Lorenzo", "it-IT", "", Male, adult, newer},
	{"Mizuki", "ja-JP", "", Female, adult, standard}, // Japanese
	{"Takumi", "ja-JP", "", Male, adult, standard},
	{"Kazuha", "ja-JP", "", Female, adult, newer},
	{"Tomoko", "ja-JP", "", Female, adult, newer},
	{"Seoyeon", "ko-KR", "", Female, adult, standard}, // Korean
	{"Jihye", "ko-KR", "", Female, adult, newer},
	{"Liv", "nb-NO", "", Female, adult, standard}, // Norwegian
	{"Ida", "nb-NO", "", Female, adult, newer},
	{"Lisa", "nl-BE", "", Female, adult, newer},     // Dutch (Belgium)
	{"Lotte", "nl-NL", "", Female, adult, standard}, // Dutch
	{"Ruben", "nl-NL", "", Male, adult, standard},
	{"Laura", "nl-NL", "", Female, adult, newer},
	{"Ewa", "pl-PL", "", Female, adult, standard}, // Polish
	{"Maja", "pl-PL", "", Female, adult, standard},
	{"Jacek", "pl-PL", "", Male, adult, standard},
	{"Jan", "pl-PL", "", Male, adult, standard},
	{"Ola", "pl-PL", "", Female, adult, newer},
	{"Camila", "pt-BR", "", Female, adult, standard}, // Portuguese (Brazil)
	{"Vitoria", "pt-BR", "", Female, adult, standard},
	{"Ricardo", "pt-BR", "", Male, adult, standard},
	{"Thiago", "pt-BR", "", Male, adult, newer},
	{"Ines", "pt-PT", "", Female, adult, standard}, // Portuguese
	{"Cristiano", "pt-PT", "", Male, adult, standard},
	{"Carmen", "ro-RO", "", Female, adult, standard},  // Romanian
	{"Tatyana", "ru-RU", "", Female, adult, standard}, // Russian
	{"Maxim", "ru-RU", "", Male, adult, standard},
	{"Astrid", "sv-SE", "", Female, adult, standard}, // Swedish
	{"Elin", "sv-SE", "", Female, adult, newer},
	{"Filiz", "tr-TR", "", Female, adult, standard}, // Turkish
	{"Burcu", "tr-TR", "", Female, adult, newer},
	{"Hiujin", "yue-CN", "", Female, adult, newer}, // Cantonese
}

// Voices returns every voice, by language.
func Voices() []VoiceInfo { return slices.Clone(voices[:]) }

// VoiceByID returns the voice of this ID, however its letters are cased: version 1 of the
// API writes "Joanna", version 2 "JOANNA".
func VoiceByID(id string) (VoiceInfo, bool) { //nolint:revive // voice.ByID would find a message
	for i := range voices {
		if strings.EqualFold(voices[i].ID, id) {
			return voices[i], true
		}
	}
	return VoiceInfo{}, false
}

// ResolveVoice returns the voice and the language a message is spoken with, in Polly's
// spelling. Either may be left out, or both; the cases of letters do not matter. It fails
// with fault.Invalid if there is no such voice or language, or the voice does not speak it.
func ResolveVoice(id, language string) (voiceID, languageCode string, err error) {
	if id == "" && language == "" {
		return DefaultVoice, DefaultLanguage, nil
	}
	code, known := languageByCode(language)
	if language != "" && !known {
		return "", "", fault.New(fault.Invalid, fault.VoiceMessage,
			"LanguageCode %s is not known. Known are %s.", quoteShort(language), strings.Join(languageCodes(), ", "))
	}
	if id == "" {
		return defaultVoice(code).ID, code, nil
	}
	v, found := VoiceByID(id)
	switch {
	case !found && code != "":
		return "", "", fault.New(fault.Invalid, fault.VoiceMessage,
			"VoiceId %s is not known. Voices for %s are %s.", quoteShort(id), code, strings.Join(voiceIDs(code), ", "))
	case !found:
		return "", "", fault.New(fault.Invalid, fault.VoiceMessage,
			"VoiceId %s is not known. Known are %s.", quoteShort(id), strings.Join(voiceIDs(""), ", "))
	case code == "":
		return v.ID, v.Language, nil
	case !v.Speaks(code):
		return "", "", fault.New(fault.Invalid, fault.VoiceMessage,
			"Voice %s does not speak %s. It speaks %s; voices for %s are %s.",
			v.ID, code, strings.Join(v.Languages(), " and "), code, strings.Join(voiceIDs(code), ", "))
	}
	return v.ID, code, nil
}

// languageByCode returns the code in Polly's spelling.
func languageByCode(code string) (string, bool) {
	for i := range voices {
		for _, known := range voices[i].Languages() {
			if strings.EqualFold(known, code) {
				return known, true
			}
		}
	}
	return "", false
}

// defaultVoice is the voice of a language that is given without a voice.
func defaultVoice(language string) VoiceInfo {
	var first VoiceInfo
	for _, v := range voices {
		switch {
		case !v.Speaks(language):
		case v.Standard:
			return v
		case first.ID == "":
			first = v
		}
	}
	return first
}

// languageCodes are all languages, sorted.
func languageCodes() []string {
	var codes []string
	for _, v := range voices {
		codes = append(codes, v.Languages()...)
	}
	slices.Sort(codes)
	return slices.Compact(codes)
}

// voiceIDs are the voices of a language, sorted; of all languages if it is "".
func voiceIDs(language string) []string {
	var ids []string
	for _, v := range voices {
		if language == "" || v.Speaks(language) {
			ids = append(ids, v.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

// quoteShort is what a client gave, in quotes, cut to a length that leaves a message readable.
func quoteShort(s string) string {
	const most = 40
	if len(s) <= most {
		return fmt.Sprintf("%q", s)
	}
	cut := most
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return fmt.Sprintf("%q…", s[:cut])
}
