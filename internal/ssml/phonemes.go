package ssml

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// phonemes returns what <phoneme> gives in the International Phonetic Alphabet, or, for
// Mandarin, in pinyin; "" if it cannot be read.
func phonemes(alphabet, ph string) string {
	ph = strings.Join(strings.Fields(ph), " ")
	switch alphabet {
	case "ipa":
		return ph
	case "x-sampa":
		return fromSAMPA(ph)
	case "x-amazon-pinyin":
		if ph = strings.ToLower(ph); pinyin.MatchString(ph) {
			return ph
		}
	}
	return ""
}

// pinyin is a row of syllables with a tone each; 0 and 5 are the neutral tone.
// Source: Amazon Polly Developer Guide, "Phoneme and viseme tables", Chinese (Mandarin).
var pinyin = regexp.MustCompile(`^[a-zü]{1,6}[0-5]([ -]?[a-zü]{1,6}[0-5])*$`)

// sampa are the signs of X-SAMPA in IPA.
// Source: J. C. Wells, "Computer-coding the IPA: a proposed extension of SAMPA", 1995.
var sampa = map[string]string{
	// Letters that mean themselves.
	"a": "a", "b": "b", "c": "c", "d": "d", "e": "e", "f": "f", "h": "h", "i": "i", "j": "j", "k": "k", "l": "l",
	"m": "m", "n": "n", "o": "o", "p": "p", "q": "q", "r": "r", "s": "s", "t": "t", "u": "u", "v": "v", "w": "w",
	"x": "x", "y": "y", "z": "z",

	// Consonants.
	"b_<": "ɓ", "d`": "ɖ", "d_<": "ɗ", "g": "ɡ", "g_<": "ɠ", `h\`: "ɦ", `j\`: "ʝ", "l`": "ɭ", `l\`: "ɺ", "n`": "ɳ",
	`p\`: "ɸ", "r`": "ɽ", `r\`: "ɹ", "r\\`": "ɻ", "s`": "ʂ", `s\`: "ɕ", "t`": "ʈ", `v\`: "ʋ", `x\`: "ɧ", "z`": "ʐ",
	`z\`: "ʑ", "B": "β", `B\`: "ʙ", "C": "ç", "D": "ð", "F": "ɱ", "G": "ɣ", `G\`: "ɢ", `G\_<`: "ʛ", "H": "ɥ", `H\`: "ʜ",
	"J": "ɲ", `J\`: "ɟ", `J\_<`: "ʄ", "K": "ɬ", `K\`: "ɮ", "L": "ʎ", `L\`: "ʟ", `M\`: "ɰ", "N": "ŋ", `N\`: "ɴ",
	`O\`: "ʘ", "P": "ʋ", "R": "ʁ", `R\`: "ʀ", "S": "ʃ", "T": "θ", "W": "ʍ", "X": "χ", `X\`: "ħ", "Z": "ʒ",
	"4": "ɾ", "5": "ɫ", "?": "ʔ", `?\`: "ʕ", `<\`: "ʢ", `>\`: "ʡ",
	`!\`: "ǃ", `|\`: "ǀ", `|\|\`: "ǁ", `=\`: "ǂ",

	// Vowels.
	"A": "ɑ", "E": "ɛ", "I": "ɪ", `I\`: "ᵻ", "M": "ɯ", "O": "ɔ", "Q": "ɒ", "U": "ʊ", `U\`: "ᵿ", "V": "ʌ", "Y": "ʏ",
	"@": "ə", `@\`: "ɘ", "@`": "ɚ", "{": "æ", "}": "ʉ", "1": "ɨ", "2": "ø", "3": "ɜ", `3\`: "ɞ", "3`": "ɝ", "6": "ɐ",
	"7": "ɤ", "8": "ɵ", "9": "œ", "&": "ɶ",

	// Stress, length, borders, and what changes the letter before.
	`"`: "ˈ", "%": "ˌ", ":": "ː", `:\`: "ˑ", ".": ".", " ": " ", "-": "", `-\`: "‿", "|": "|", "||": "‖",
	"'": "ʲ", "_j": "ʲ", "_h": "ʰ", "_w": "ʷ", "_G": "ˠ", `_?\`: "ˤ", "~": "\u0303", "_~": "\u0303", "=": "\u0329", "_=": "\u0329",
	"_0": "\u0325", "_v": "\u032c", "_^": "\u032f", "_d": "\u032a", "_o": "\u031e", "_r": "\u031d", "`": "˞",
}

// longestSAMPA is the length of the longest sign, in bytes.
const longestSAMPA = 4

// fromSAMPA converts X-SAMPA to IPA. It returns "" if a sign is not known.
func fromSAMPA(ph string) string {
	var b strings.Builder
	for ph != "" {
		n := min(longestSAMPA, len(ph))
		for n > 0 && !known(ph[:n]) {
			n--
		}
		if n == 0 {
			_, size := utf8.DecodeRuneInString(ph)
			if size == 1 {
				return ""
			}
			// What is no ASCII is IPA already.
			b.WriteString(ph[:size])
			ph = ph[size:]
			continue
		}
		b.WriteString(sampa[ph[:n]])
		ph = ph[n:]
	}
	return b.String()
}

func known(sign string) bool {
	_, ok := sampa[sign]
	return ok
}
