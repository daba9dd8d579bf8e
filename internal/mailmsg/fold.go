package mailmsg

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"
)

// folder writes header fields, folding lines before they get too long.
type folder struct {
	out []byte
	col int // bytes in the last line
}

// field writes the name of a field.
func (f *folder) field(name string) {
	f.out = append(append(f.out, name...), ": "...)
	f.col = len(name) + 2
}

// end ends a field.
func (f *folder) end() {
	f.out = append(f.out, "\r\n"...)
	f.col = 0
}

// word writes what must not be folded, with a space before it if space is set; that is where a line may end.
func (f *folder) word(s string, space bool) {
	if space {
		if f.col+1+len(s) > foldAt && f.col > 1 {
			f.out = append(f.out, "\r\n"...)
			f.col = 0
		}
		f.out = append(f.out, ' ')
		f.col++
	}
	f.out = append(f.out, s...)
	f.col += len(s)
}

// text writes printable ASCII, folded where it has single spaces. Other spaces stay as they are.
func (f *folder) text(s string) {
	if f.col+len(s) <= foldAt {
		f.word(s, false)
		return
	}
	space := false
	for {
		// A fold must leave something but blanks in each line. Source: RFC 5322 section 3.2.2.
		n := strings.IndexByte(s, ' ')
		for n >= 0 && (n == 0 || n+1 == len(s) || s[n+1] == ' ' || s[n-1] == ' ') {
			more := strings.IndexByte(s[n+1:], ' ')
			if more < 0 {
				n = -1
				break
			}
			n += 1 + more
		}
		if n < 0 {
			f.word(s, space)
			return
		}
		f.word(s[:n], space)
		s, space = s[n+1:], true
	}
}

// address writes one mailbox.
func (f *folder) address(a Address) {
	addr := a.local() + "@" + a.Domain
	if ascii := a.ASCII(); !isASCII(a.Domain) && ascii != "" {
		addr = ascii
	}
	switch {
	case a.Name == "":
		f.word(addr, false)
		return
	case isPhrase(a.Name):
		f.text(a.Name)
	case isASCII(a.Name) && len(a.Name) < 200:
		f.word(quote(a.Name), false)
	default:
		_ = f.encoded(utf8Set, a.Name, true) // nothing is missing in UTF-8
	}
	f.word("<"+addr+">", true)
}

// addresses writes a list of mailboxes.
func (f *folder) addresses(all []Address) {
	for i, a := range all {
		if i > 0 {
			f.out = append(f.out, ',')
			if f.col++; f.col+1+len(a.Name)+len(a.Local)+len(a.Domain)+4 > foldAt {
				f.out = append(f.out, "\r\n"...)
				f.col = 0
			}
			f.out = append(f.out, ' ')
			f.col++
		}
		f.address(a)
	}
}

// isPhrase reports whether a name can stand without quotes: atoms with single spaces between them, none of which looks like an
// encoded word. Source: RFC 5322 section 3.2.5.
func isPhrase(s string) bool {
	if s[0] == ' ' || s[len(s)-1] == ' ' || strings.Contains(s, "  ") || strings.Contains(s, "=?") {
		return false
	}
	for i := range len(s) {
		if !isAtom(s[i]) && s[i] != ' ' {
			return false
		}
	}
	return true
}

// longestWord is how long an encoded word may be. Source: RFC 2047 section 2.
const longestWord = 75

// encoded writes text as encoded words, each in a line that is short enough. In a phrase fewer characters may stand as they are.
func (f *folder) encoded(c charset, s string, phrase bool) error {
	first := true
	for len(s) > 0 {
		room := min(longestWord, foldAt-2-f.col)
		least := len(c.name) + len("=??q??=") + 12
		if room < least {
			room = longestWord
		}
		word, n, err := encodeWord(c, s, room, phrase)
		if err != nil {
			return err
		}
		// Blanks between encoded words do not count when they are read. Source: RFC 2047 section 6.2.
		if !first || f.col+len(word) > foldAt {
			if f.col > 1 {
				f.out = append(f.out, "\r\n"...)
				f.out = append(f.out, ' ')
				f.col = 1
			}
		}
		f.out = append(f.out, word...)
		f.col += len(word)
		s, first = s[n:], false
	}
	return nil
}

// encodeWord makes one encoded word of at most room bytes of as much of s as fits, whole characters, at least one.
func encodeWord(c charset, s string, room int, phrase bool) (word string, n int, err error) {
	room -= len("=?" + c.name + "?q?" + "?=")
	if c.encoding != nil {
		return encodeWordIn(c, s, room, phrase)
	}
	cost := 0
	for n < len(s) {
		_, size := utf8.DecodeRuneInString(s[n:])
		more := qLen(s[n:n+size], phrase)
		if n > 0 && cost+more > room {
			break
		}
		n, cost = n+size, cost+more
	}
	if b := base64.StdEncoding.EncodedLen(n); b < cost-cost/8 { // letters that are not Latin: more of them fit
		n = runePrefix(s, max(room/4*3, utf8.UTFMax))
		return "=?" + c.name + "?B?" + base64.StdEncoding.EncodeToString([]byte(s[:n])) + "?=", n, nil
	}
	return "=?" + c.name + "?Q?" + qEncode(s[:n], phrase) + "?=", n, nil
}

// encodeWordIn does it for a character set other than UTF-8: each word must begin and end in the set's first state (RFC 2047
// section 3), so that each is encoded on its own.
func encodeWordIn(c charset, s string, room int, phrase bool) (word string, n int, err error) {
	n = runePrefix(s, min(len(s), room))
	for {
		bytes, err := c.encode(s[:n])
		if err != nil {
			return "", 0, err
		}
		q, b := qLen(bytes, phrase), base64.StdEncoding.EncodedLen(len(bytes))
		next := runePrefix(s, n*3/4)
		if min(q, b) > room && next > 0 && next < n {
			n = next
			continue
		}
		if q <= b {
			return "=?" + c.name + "?Q?" + qEncode(bytes, phrase) + "?=", n, nil
		}
		return "=?" + c.name + "?B?" + base64.StdEncoding.EncodeToString([]byte(bytes)) + "?=", n, nil
	}
}

// runePrefix returns the length of as many whole characters of s as fit into n bytes.
func runePrefix(s string, n int) int {
	if n >= len(s) {
		return len(s)
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return n
}

// isQ reports whether c may stand as it is in a word of the encoding Q. Source: RFC 2047 sections 4.2 and 5 (3).
func isQ(c byte, phrase bool) bool {
	if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' {
		return true
	}
	if phrase {
		return strings.IndexByte("!*+-/", c) >= 0
	}
	return c > ' ' && c < 0x7f && c != '=' && c != '?' && c != '_'
}

func qLen(s string, phrase bool) int {
	n := 0
	for i := range len(s) {
		if n++; s[i] != ' ' && !isQ(s[i], phrase) {
			n += 2
		}
	}
	return n
}

const hexDigits = "0123456789ABCDEF"

func qEncode(s string, phrase bool) string {
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c == ' ':
			b.WriteByte('_')
		case isQ(c, phrase):
			b.WriteByte(c)
		default:
			b.Write([]byte{'=', hexDigits[c>>4], hexDigits[c&15]})
		}
	}
	return b.String()
}

// unstructured writes the text of a field such as Subject: as it is if it can be, else in encoded words.
func (f *folder) unstructured(c charset, s string) error {
	if isPrintable(s) && !strings.Contains(s, "=?") && s == strings.TrimSpace(s) && longestRun(s) <= foldAt*2 {
		f.text(s)
		return nil
	}
	return f.encoded(c, s, false)
}

// isPrintable reports whether s is of printable ASCII and blanks alone.
func isPrintable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// longestRun returns how many bytes of s stand together at most without a place to fold.
func longestRun(s string) int {
	most, run := 0, 0
	for i := range len(s) {
		if run++; s[i] == ' ' {
			run = 0
		}
		most = max(most, run)
	}
	return most
}
