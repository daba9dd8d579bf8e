package ssml

import "strings"

// content is what may stand inside a tag.
type content int

const (
	anything content = iota // text and tags
	textOnly                // text, no tags
	nothing                 // neither; white space is overlooked
)

func (c content) String() string {
	return [...]string{"text and tags", "text", "nothing"}[c]
}

// attribute is one row of a tag's attributes.
type attribute struct {
	name     string
	required bool
	values   values
}

// tag is one row of the table of tags.
type tag struct {
	name       string
	attributes []attribute
	needsOne   bool // at least one attribute must be there, no matter which
	content    content
	effect     string // what it does, for the documentation
}

func (t *tag) attribute(name string) (attribute, bool) {
	for _, a := range t.attributes {
		if a.name == name {
			return a, true
		}
	}
	return attribute{}, false
}

func (t *tag) attributeNames() string {
	names := make([]string, len(t.attributes))
	for i, a := range t.attributes {
		names[i] = a.name
	}
	return strings.Join(names, ", ")
}

func attributes(rows ...attribute) []attribute { return rows }

func required(name string, v values) attribute { return attribute{name, true, v} }
func optional(name string, v values) attribute { return attribute{name, false, v} }

// tags are the tags that Polly accepts with its standard voices, and what we do with them.
// docs/ssml.md shows the same table; a test compares the two.
// Source: Amazon Polly Developer Guide, "Supported SSML tags"; the attributes of <speak>:
// "Using SSML with the synthesize-speech command", where the full document header stands.
var tags = []tag{
	{name: "speak", content: anything, attributes: attributes(
		optional("version", words("1.0 1.1")),
		optional("xml:lang", language),
		optional("xmlns", exactly("http://www.w3.org/2001/10/synthesis")),
		optional("xmlns:xsi", exactly("http://www.w3.org/2001/XMLSchema-instance")),
		optional("xsi:schemaLocation", anyText),
	), effect: "The root. Its attributes change nothing: the language is that of the voice."},
	{name: "break", content: nothing, attributes: attributes(
		optional("strength", words("none x-weak weak medium strong x-strong")),
		optional("time", breakTime),
	), effect: "A pause of that time, exactly. By strength: weak and medium 250 ms, strong 400 ms, x-strong 700 ms, none and x-weak no pause. Without attributes 250 ms; after a comma 400 ms, after a full stop 700 ms."},
	{name: "emphasis", content: anything, attributes: attributes(
		// The guide's list has these words with a capital, its examples without.
		optional("level", words("strong moderate reduced Strong Moderate Reduced")),
	), effect: "strong: slower (80 %) and louder (+5 dB); moderate, which is also the default: a little of both (90 %, +3 dB); reduced: faster (110 %) and softer (-4 dB)."},
	{name: "lang", content: anything, attributes: attributes(
		required("xml:lang", language),
	), effect: "Spoken in that language, by the same voice as far as the engine can. Of a language without that country its own country is meant (fr-LU is spoken as fr-FR); a language that no voice speaks is overlooked."},
	{name: "mark", content: nothing, attributes: attributes(
		required("name", someText),
	), effect: "No effect: nothing listens for it."},
	{name: "p", content: anything, effect: "A pause of 700 ms before and after."},
	{name: "phoneme", content: textOnly, attributes: attributes(
		required("alphabet", words("ipa x-sampa x-amazon-pinyin")),
		required("ph", someText),
	), effect: "Spoken as the phonemes say, where the engine can use them; see \"Phonemes\" below. Otherwise, and where they cannot be read, the text inside is spoken."},
	{name: "prosody", content: anything, needsOne: true, attributes: attributes(
		optional("volume", volume),
		optional("rate", rate),
		optional("pitch", pitch),
		optional("amazon:max-duration", maxDuration),
	), effect: "volume: x-soft -12 dB, soft -6 dB, medium 0 dB, loud +6 dB, x-loud +12 dB; silent takes its time unheard. rate: x-slow 50 %, slow 75 %, medium 100 %, fast 150 %, x-fast 200 %. pitch: x-low 70 %, low 85 %, medium 100 %, high 120 %, x-high 140 %. Words set a value; percentages and decibels change what the tags around ask for. amazon:max-duration: if it takes longer, it is spoken faster, up to five times; as with Polly, a rate and a second amazon:max-duration inside it are overlooked."},
	{name: "s", content: anything, effect: "A pause of 400 ms before and after."},
	{name: "say-as", content: textOnly, attributes: attributes(
		required("interpret-as", words("characters spell-out cardinal number ordinal digits fraction unit date time address expletive telephone")),
		optional("format", words("mdy dmy ymd md dm ym my d m y yyyymmdd")),
	), effect: "characters, spell-out, digits and telephone are spoken one by one; expletive is a tone of 500 ms; all others are put into words in English, and spoken as they stand in other languages. See \"What say-as says\" below."},
	{name: "sub", content: textOnly, attributes: attributes(
		required("alias", anyText),
	), effect: "The alias is spoken instead of the text."},
	{name: "w", content: anything, attributes: attributes(
		required("role", words("amazon:VB amazon:VBD amazon:DT amazon:IN amazon:JJ amazon:NN amazon:DEFAULT amazon:SENSE_1")),
	), effect: "No effect: the text inside is spoken, the role is not used."},
	{name: "amazon:auto-breaths", content: anything, attributes: attributes(
		optional("volume", breathVolume),
		optional("frequency", breathFrequency),
		optional("duration", breathLength),
	), effect: "No effect: spoken without breaths."},
	{name: "amazon:breath", content: nothing, attributes: attributes(
		optional("duration", breathLength),
		optional("volume", breathVolume),
	), effect: "No effect: no breath is heard."},
	{name: "amazon:domain", content: anything, attributes: attributes(
		required("name", words("news")),
	), effect: "No effect: spoken in the normal style."},
	{name: "amazon:effect", content: anything, needsOne: true, attributes: attributes(
		optional("name", words("drc whispered")),
		optional("phonation", words("soft")),
		optional("vocal-tract-length", tractLength),
	), effect: "whispered: whispered, where the engine can. drc: the range between soft and loud is narrowed. soft: softer (-4 dB) and darker. vocal-tract-length: a longer one sounds deeper and darker, at the same rate and pitch where the engine can; between 50 % and 200 %, the innermost counts."},
}

// refused are tags of SSML that Polly never takes, and what to do instead.
// Source: Amazon Polly Developer Guide, "Quotas in Amazon Polly".
var refused = map[string]string{
	"audio":   "no sound files are played: leave it out, or say its content as text",
	"lexicon": "no lexicons are loaded: use <sub> or <phoneme> where a word is spoken wrongly",
	"lookup":  "no lexicons are loaded: use <sub> or <phoneme> where a word is spoken wrongly",
	"voice":   "one voice speaks the whole message: choose it with VoiceId, and use <lang> for words of another language",
}

// find returns the row of a tag.
func find(name string) (*tag, bool) {
	for i := range tags {
		if tags[i].name == name {
			return &tags[i], true
		}
	}
	return nil, false
}

func tagNames() string {
	names := make([]string, len(tags))
	for i := range tags {
		names[i] = tags[i].name
	}
	return strings.Join(names, ", ")
}
