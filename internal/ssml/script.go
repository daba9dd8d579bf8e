package ssml

import (
	"cmp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// How long the pauses are that the guide only names, and the beep.
const (
	commaPause     = 250 * time.Millisecond
	sentencePause  = 400 * time.Millisecond
	paragraphPause = 700 * time.Millisecond
	beep           = 500 * time.Millisecond
)

// script collects what is spoken.
type script struct {
	language string  // of the voice
	styles   []Style // of the tags that are open, the outermost first; never empty
	groups   int     // how many there were

	pieces []Piece
	text   strings.Builder // since the last piece
	manner manner          // of what is in text
	solid  bool            // text holds more than white space
	spoken bool            // there was a text or a tone before
	breaks []Piece         // pauses asked for since the last text
	gap    time.Duration   // the longest pause that the paragraphs and sentences around ask for
	last   rune            // what stands directly before, white space aside; 0 = a pause or nothing

	silent  bool // inside <sub>: the alias was said instead
	phoneme manner
	as      map[string]string // inside <say-as>: its attributes
	held    *strings.Builder  // inside <say-as>: its text
}

// manner is all that must be the same for two texts to be one piece.
type manner struct {
	style    Style
	phonemes string
	word     int // counts the words that have phonemes: one does not continue another
}

func (s *script) style() Style { return s.styles[len(s.styles)-1] }

// start takes the opening of a tag.
func (s *script) start(tag string, attrs map[string]string) {
	style := s.style().inside(tag, attrs, s.language)
	if most, ok := attrs["amazon:max-duration"]; ok && style.Group == 0 {
		s.groups++
		style.Group = s.groups
		style.Most, _ = parseTime(most)
	}
	s.styles = append(s.styles, style)
	switch tag {
	case "break":
		s.pause(s.breakLength(attrs))
	case "p":
		s.gap = max(s.gap, paragraphPause)
	case "s":
		s.gap = max(s.gap, sentencePause)
	case "sub":
		s.say(attrs["alias"])
		s.silent = true
	case "say-as":
		s.as, s.held = attrs, new(strings.Builder)
	case "phoneme":
		s.phoneme = manner{phonemes: phonemes(attrs["alphabet"], attrs["ph"]), word: s.phoneme.word + 1}
	}
}

// end takes the closing of a tag.
func (s *script) end(tag string) {
	switch tag {
	case "p":
		s.gap = max(s.gap, paragraphPause)
	case "s":
		s.gap = max(s.gap, sentencePause)
	case "sub":
		s.silent = false
	case "say-as":
		held := s.held.String()
		s.held = nil
		s.interpret(held)
	case "phoneme":
		s.phoneme.phonemes = ""
	}
	s.styles = s.styles[:len(s.styles)-1]
}

// say takes text. White space stays what it is until the piece is complete, so that a tag
// inside a word does not break the word.
func (s *script) say(text string) {
	switch {
	case s.silent:
		return
	case s.held != nil:
		s.held.WriteString(text)
		return
	}
	if solid := strings.TrimRightFunc(text, unicode.IsSpace); solid != "" {
		s.settle()
		text = s.change(text)
		s.solid, s.spoken = true, true
		s.last, _ = utf8.DecodeLastRuneInString(solid)
	}
	s.text.WriteString(text)
}

// change ends the piece so far if the text is spoken in another manner, and returns what of
// the text belongs to the next.
func (s *script) change(text string) string {
	next := manner{style: s.style()}
	if s.phoneme.phonemes != "" {
		next.phonemes, next.word = s.phoneme.phonemes, s.phoneme.word
	}
	if next == s.manner {
		return text
	}
	if s.solid {
		rest := behind(s.text.String(), text, next.word+s.manner.word > 0)
		if mute(rest) {
			return text // all of it still belongs to the piece so far
		}
		s.text.WriteString(text[:len(text)-len(rest)])
		text = rest
		s.flush()
	}
	s.manner = next
	return text
}

// behind returns a text without what must not be torn from the text before it: punctuation,
// which ends a melody, and the rest of a word, unless one of the two has phonemes.
func behind(before, text string, phonemes bool) string {
	last, _ := utf8.DecodeLastRuneInString(before)
	if inWord(last) && !phonemes {
		text = strings.TrimLeftFunc(text, inWord)
	}
	return strings.TrimLeftFunc(text, closes)
}

// inWord reports whether a character stands in words that spaces set apart.
func inWord(r rune) bool {
	return (unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsDigit(r)) &&
		!unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer)
}

// closes reports whether a character belongs to what stands before it.
func closes(r rune) bool {
	return strings.ContainsRune(".,;:!?…。、，！？；：،؟।)]}»”’", r)
}

// mute reports whether a text has nothing to speak.
func mute(text string) bool {
	return strings.TrimLeftFunc(text, func(r rune) bool { return unicode.IsSpace(r) || closes(r) }) == ""
}

// settle puts the pauses that were asked for since the last text between it and the next.
// The pause around a paragraph is there already if the breaks are as long.
func (s *script) settle() {
	rest := s.gap
	s.gap = 0
	if !s.spoken {
		rest = 0
	}
	for _, p := range s.breaks {
		s.flush()
		s.pieces = append(s.pieces, p)
		rest -= p.Pause
	}
	s.breaks = s.breaks[:0]
	if rest > 0 {
		s.flush()
		s.pieces = append(s.pieces, s.silence(rest))
	}
}

// silence is a pause that counts for the group that is open.
func (s *script) silence(d time.Duration) Piece {
	style := s.style()
	return Piece{Pause: d, Style: Style{Group: style.Group, Most: style.Most}}
}

// flush makes a piece of the text so far. Punctuation alone is nothing to speak.
func (s *script) flush() {
	text := strings.Join(strings.Fields(s.text.String()), " ")
	s.text.Reset()
	s.solid = false
	if !mute(text) {
		s.pieces = append(s.pieces, Piece{Text: text, Phonemes: s.manner.phonemes, Style: s.manner.style})
	}
}

func (s *script) pause(d time.Duration) {
	s.text.WriteByte(' ')
	s.last = 0
	if d > 0 {
		s.breaks = append(s.breaks, s.silence(d))
	}
}

// tone is a beep where a text would be.
func (s *script) tone(d time.Duration) {
	s.settle()
	s.flush()
	s.pieces = append(s.pieces, Piece{Tone: d, Style: s.style()})
	s.spoken, s.last = true, 0
}

// breakLength is how long a <break> lasts. A time wins over a strength, as in SSML 1.1
// 3.2.3. Without either, what stands before it counts: the guide, "Adding a pause".
func (s *script) breakLength(attrs map[string]string) time.Duration {
	if t, ok := attrs["time"]; ok {
		d, _ := parseTime(t)
		return d
	}
	switch attrs["strength"] {
	case "none", "x-weak":
		return 0
	case "weak", "medium":
		return commaPause
	case "strong":
		return sentencePause
	case "x-strong":
		return paragraphPause
	}
	switch s.last {
	case ',':
		return sentencePause
	case '.':
		return paragraphPause
	}
	return commaPause
}

// interpret says the text of a <say-as>.
func (s *script) interpret(text string) {
	if s.as["interpret-as"] == "expletive" {
		s.tone(beep)
		return
	}
	language := cmp.Or(s.style().Language, s.language)
	s.say(sayAs(s.as["interpret-as"], s.as["format"], language, text))
}

func (s *script) finish() []Piece {
	s.gap = 0 // nothing follows that a paragraph would have to be set apart from
	s.settle()
	s.flush()
	return s.pieces
}
