package espeak

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxMnemonics is how long a word of phonemes may be, in bytes. Thousands crash version 1.51.
const maxMnemonics = 120

// phonetic returns what makes espeak-ng pronounce the words of a phrase as its phonemes
// say. ok is false if it cannot: the text is spoken then.
//
// All that is returned is made of the mnemonics in the tables below, or is pinyin with nothing
// but letters and figures. Nothing of the request is passed on as it is, since what stands
// between "[[" and "]]" is not checked by espeak-ng.
func phonetic(text, phonemes, language string) (input string, ok bool) {
	if pinyin.MatchString(phonemes) {
		if language != "cmn-CN" || len(phonemes) > maxMnemonics {
			return "", false
		}
		return syllable.ReplaceAllString(phonemes, "$0 ") + ending(text), true
	}
	base, _, _ := strings.Cut(language, "-")
	table, ok := alphabets[base]
	if !ok {
		return "", false
	}
	words, ok := mnemonics(phonemes, table)
	if !ok {
		return "", false
	}
	return "[[" + words + "]]" + ending(text), true
}

var (
	pinyin   = regexp.MustCompile(`^[a-zü]{1,6}[0-5]([ -]?[a-zü]{1,6}[0-5])*$`)
	syllable = regexp.MustCompile(`[0-5][ -]?`)
)

// ending is the sign at the end of a text that decides its melody.
func ending(text string) string {
	text = strings.TrimRight(text, ` )]}"'»”’`)
	last, _ := utf8.DecodeLastRuneInString(text)
	switch {
	case strings.ContainsRune(".。।", last):
		return "."
	case strings.ContainsRune("?？؟", last):
		return "?"
	case strings.ContainsRune("!！", last):
		return "!"
	case strings.ContainsRune(",;:，、；：،", last):
		return ","
	}
	return ""
}

// mnemonics translates IPA, the longest sign first. ok is false if a sign is not in the table, if
// there is no sound at all, or too many.
func mnemonics(ipa string, table map[string]string) (words string, ok bool) {
	var b strings.Builder
	sound := false
	for ipa = ignored.Replace(ipa); ipa != ""; {
		sign, size := longest(ipa, table)
		if size == 0 || b.Len()+len(sign) > maxMnemonics {
			return "", false
		}
		sound = sound || strings.Trim(sign, " ',:") != ""
		b.WriteString(sign)
		ipa = ipa[size:]
	}
	return b.String(), sound
}

// longest finds the longest sign of the table that ipa starts with, of at most four characters.
func longest(ipa string, table map[string]string) (sign string, size int) {
	end := 0
	for range 4 {
		_, n := utf8.DecodeRuneInString(ipa[end:])
		if n == 0 {
			break
		}
		end += n
		if s, ok := table[ipa[:end]]; ok {
			sign, size = s, end
		} else if s, ok := everywhere[ipa[:end]]; ok {
			sign, size = s, end
		}
	}
	return sign, size
}

// ignored are signs that make no difference that espeak-ng could make: ties, borders of
// syllables, and fine shades of a sound.
var ignored = strings.NewReplacer("\u0361", "", "\u035c", "", ".", "", "‿", "", "-", "", "ˑ", "", "ʰ", "", "ʲ", "", "ʷ", "", "ˠ", "",
	"\u032f", "", "\u032a", "", "\u031e", "", "\u031d", "", "\u0325", "", "\u032c", "", "\u031f", "", "\u0320", "", "\u0308", "",
	"|", " ", "‖", " ", "ɡ", "g", "ã", "a\u0303", "õ", "o\u0303", "ẽ", "e\u0303")

// everywhere are the signs that all languages below share.
var everywhere = signs(`
	p p b b t t d d k k g g f f v v s s z z ʃ S ʒ Z h h m m n n ŋ N ɲ n^ l l ɫ l ʎ l^ j j w w x x χ x ç C θ T ð D ʔ ?
	tʃ tS dʒ dZ ts ts ʧ tS ʤ dZ ʦ ts n̩ n- m̩ m- ˈ ' ˌ ,`, " ", " ")

// alphabets are the IPA signs of the languages whose mnemonics of espeak-ng are known here, by
// the first part of the language's code. A sound that a language lacks has the nearest one
// that it has.
var alphabets = map[string]map[string]string{
	"en": signs(`
		iː i: i i: ɪ I eɪ eI e E ɛ E æ a a a ɑː A: ɑ A: ɒ 0 ɔː O: ɔ O: oʊ oU əʊ oU o oU oː oU ʊ U uː u: u u: ʌ V
		ɜː 3: ɜ 3: ɝ 3: ɝː 3: ɜːɹ 3: ɜɹ 3: ɜ˞ 3: ɚ 3 ə˞ 3 ə @ ɐ a# ᵻ I# ɨ I# y u: ø 3: œ 3:
		aɪ aI aʊ aU ɔɪ OI ɪə i@ iə i@ ɪɹ i@3 ɪr i@3 ɛɹ e@ ɛr e@ ɛə e@ eə e@ ʊɹ U@ ʊr U@ ʊə U@
		ɑːɹ A@ ɑɹ A@ ɑr A@ ɑːr A@ ɔːɹ O@ ɔɹ O@ ɔr O@ ɔːr O@ aɪɚ aI3 aɪə aI@ aʊɚ aU3 aʊə aU@
		ɹ r r r ɻ r ʁ r ɾ t# ʍ w# ɬ l ɱ m l̩ @L`),
	"de": signs(`
		iː i: i i: ɪ I yː y: y y ʏ y eː e: e e: ɛ E ɛː E: æ E øː Y: ø Y: œ W œː W: a a aː A: ɑː A: ɑ A: ʌ a ɔ O ɔː O: ɒ O o o: oː o:
		ʊ U u u: uː u: ə @ ɐ 3 ɜ 3 ɚ 3 aɪ aI ai aI aʊ aU au aU ɔʏ OY ɔɪ OY ɔi OY ɔø OY oʊ oU eɪ eI
		ã A~ ɑ̃ A~ ɛ̃ EN œ̃ W~ õ O~ ɔ̃ O~ pf pF ʁ r ʀ r r r ɾ r ɹ r ɐ̯ 3 ɥ y`),
	"es": signs(`
		i i iː i ɪ i e e eː e ɛ e æ a a a aː a ɑ a ɑː a ʌ a ɐ a o o oː o ɔ o ɒ o u u uː u ʊ u ə @ ɜ @ y u ø e œ e
		ai aI aɪ aI ei eI eɪ eI oi oI oɪ oI ɔɪ oI au aU aʊ aU ʝ J^ ɟ J^ ɟʝ J^ β B ɣ Q ʁ Q ɾ ** r R2 rr R2 ɹ ** ɱ m`),
	"fr": signs(`
		i i iː i ɪ i e e eː e eɪ e ɛ E ɛː E æ E a a aː a: ɑ a: ɑː a: ʌ a ɐ a ɔ O ɔː O ɒ O o o oː o oʊ o u u uː u ʊ u y y yː y ʏ y
		ø Y øː Y œ W œː W ə @ ɜ W ɛ̃ E~ œ̃ W~ ɑ̃ A~ ã A~ ɔ̃ O~ õ O~ ɥ y ʁ r ʀ r r r ɹ r ɾ r`),
	"it": signs(`
		i i iː i: ɪ i e e eː e: ɛ E ɛː E: æ E a a aː a: ɑ a ɑː a: ʌ a ɐ a o o oː o: ɔ O ɔː O: ɒ O u u uː u: ʊ u ə @ ɜ @ y u ø e œ e
		ai aI aɪ aI ei eI eɪ eI oi oI oɪ oI au aU aʊ aU dz dz ʣ dz r R ɹ R ʁ R ɾ * ɱ m ː :`),
}

// signs makes a table of pairs: a sign of IPA and a mnemonic, with white space between them.
// More pairs can be given one by one.
func signs(list string, more ...string) map[string]string {
	fields := append(strings.Fields(list), more...)
	table := make(map[string]string, len(fields)/2)
	for pair := range slices.Chunk(fields, 2) {
		table[pair[0]] = pair[1]
	}
	return table
}
