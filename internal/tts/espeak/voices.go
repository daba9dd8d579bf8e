package espeak

import "cmp"

// languages are the voices of espeak-ng for the languages of Polly, by the names of their
// files: the British voice also answers to "en-gb", the French one to "fr-fr", but then
// espeak-ng 1.51 ignores the variant without a word, and every voice is a man's. There are
// no accents for most kinds of English; those share one.
var languages = map[string]string{
	"arb": "ar", "ar-AE": "ar",
	"ca-ES": "ca",
	// "cmn" turns the characters into pinyin and then reads the letters as English.
	"cmn-CN": "cmn-latn-pinyin",
	"cs-CZ":  "cs",
	"cy-GB":  "cy",
	"da-DK":  "da",
	"de-AT":  "de", "de-CH": "de", "de-DE": "de",
	"en-AU": "en", "en-GB": "en", "en-GB-WLS": "en", "en-IE": "en",
	"en-IN": "en", "en-NZ": "en", "en-SG": "en", "en-ZA": "en",
	"en-US": "en-us",
	"es-ES": "es",
	"es-MX": "es-419", "es-US": "es-419",
	"fi-FI": "fi",
	"fr-BE": "fr-be",
	"fr-CA": "fr", "fr-FR": "fr",
	"hi-IN": "hi",
	"is-IS": "is",
	"it-IT": "it",
	"ja-JP": "ja", // kana only: see Check
	"ko-KR": "ko",
	"nb-NO": "nb",
	"nl-BE": "nl", "nl-NL": "nl",
	"pl-PL":  "pl",
	"pt-BR":  "pt-br",
	"pt-PT":  "pt",
	"ro-RO":  "ro",
	"ru-RU":  "ru",
	"sv-SE":  "sv",
	"tr-TR":  "tr",
	"yue-CN": "yue",
}

// variant is how a voice differs from the others of its language.
type variant struct {
	name  string // of espeak-ng: f1 to f5 are women, m1 to m8 are men, "" is the plain voice, a man
	pitch string // 0 to 99; "" = 50. Children are the voices of adults at 75
}

// step is the pitch, even if it is the normal one.
func (v variant) step() string { return cmp.Or(v.pitch, "50") }

// variants gives every voice of Polly its sound. Voices of one language differ.
var variants = map[string]variant{
	// arb
	"Zeina": {"f2", ""},
	// ar-AE
	"Hala": {"f2", ""}, "Zayd": {"", ""},
	// ca-ES
	"Arlet": {"f2", ""},
	// cmn-CN
	"Zhiyu": {"f2", ""},
	// cs-CZ
	"Jitka": {"f2", ""},
	// cy-GB
	"Gwyneth": {"f2", ""},
	// da-DK
	"Naja": {"f2", ""}, "Mads": {"", ""}, "Sofie": {"f3", ""},
	// de-AT
	"Hannah": {"f4", ""},
	// de-CH
	"Sabrina": {"f5", ""},
	// de-DE
	"Marlene": {"f2", ""}, "Vicki": {"f3", ""}, "Hans": {"", ""}, "Daniel": {"m3", ""},
	"Lennart": {"m7", ""},
	// en-AU
	"Nicole": {"f2", ""}, "Olivia": {"f3", ""}, "Russell": {"", ""},
	// en-GB
	"Amy": {"f2", ""}, "Emma": {"f3", ""}, "Brian": {"", ""}, "Arthur": {"m3", ""},
	// en-GB-WLS
	"Geraint": {"", ""},
	// en-IE
	"Niamh": {"f2", ""},
	// en-IN
	"Aditi": {"f2", ""}, "Raveena": {"f3", ""}, "Kajal": {"f4", ""},
	// en-NZ
	"Aria": {"f2", ""},
	// en-SG
	"Jasmine": {"f2", ""},
	// en-US
	"Joanna": {"f2", ""}, "Ivy": {"f2", "75"}, "Kendra": {"f3", ""}, "Kimberly": {"f4", ""},
	"Salli": {"f5", ""}, "Joey": {"m3", ""}, "Justin": {"", "75"}, "Matthew": {"", ""},
	"Kevin": {"m3", "75"}, "Danielle": {"f1", ""}, "Gregory": {"m7", ""}, "Ruth": {"f2", "40"},
	"Stephen": {"m1", ""}, "Tiffany": {"f3", "60"},
	// en-ZA
	"Ayanda": {"f2", ""},
	// es-ES
	"Conchita": {"f2", ""}, "Lucia": {"f3", ""}, "Enrique": {"", ""}, "Sergio": {"m3", ""},
	// es-MX
	"Mia": {"f2", ""}, "Andres": {"", ""},
	// es-US
	"Lupe": {"f2", ""}, "Penelope": {"f3", ""}, "Miguel": {"", ""}, "Pedro": {"m3", ""},
	// fi-FI
	"Suvi": {"f2", ""},
	// fr-BE
	"Isabelle": {"f2", ""},
	// fr-CA
	"Chantal": {"f2", ""}, "Gabrielle": {"f3", ""}, "Liam": {"", ""},
	// fr-FR
	"Celine": {"f2", ""}, "Lea": {"f3", ""}, "Mathieu": {"", ""}, "Remi": {"m3", ""},
	"Ambre": {"f4", ""}, "Florian": {"m7", ""},
	// is-IS
	"Dora": {"f2", ""}, "Karl": {"", ""},
	// it-IT
	"Carla": {"f2", ""}, "Bianca": {"f3", ""}, "Giorgio": {"", ""}, "Adriano": {"m3", ""},
	"Beatrice": {"f4", ""}, "Lorenzo": {"m7", ""},
	// ja-JP
	"Mizuki": {"f2", ""}, "Takumi": {"", ""}, "Kazuha": {"f3", ""}, "Tomoko": {"f4", ""},
	// ko-KR
	"Seoyeon": {"f2", ""}, "Jihye": {"f3", ""},
	// nb-NO
	"Liv": {"f2", ""}, "Ida": {"f3", ""},
	// nl-BE
	"Lisa": {"f2", ""},
	// nl-NL
	"Lotte": {"f2", ""}, "Ruben": {"", ""}, "Laura": {"f3", ""},
	// pl-PL
	"Ewa": {"f2", ""}, "Maja": {"f3", ""}, "Jacek": {"", ""}, "Jan": {"m3", ""},
	"Ola": {"f4", ""},
	// pt-BR
	"Camila": {"f2", ""}, "Vitoria": {"f3", ""}, "Ricardo": {"", ""}, "Thiago": {"m3", ""},
	// pt-PT
	"Ines": {"f2", ""}, "Cristiano": {"", ""},
	// ro-RO
	"Carmen": {"f2", ""},
	// ru-RU
	"Tatyana": {"f2", ""}, "Maxim": {"", ""},
	// sv-SE
	"Astrid": {"f2", ""}, "Elin": {"f3", ""},
	// tr-TR
	"Filiz": {"f2", ""}, "Burcu": {"f3", ""},
	// yue-CN
	"Hiujin": {"f2", ""},
}
