package ssml

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// How long the pauses are that the guide only names, and the beep that we do not play.
const (
	commaPause     = 250 * time.Millisecond
	sentencePause  = 400 * time.Millisecond
	paragraphPause = 700 * time.Millisecond
	beepPause      = 500 * time.Millisecond
)

// script collects what is spoken.
type script struct {
	pieces []Piece
	text   strings.Builder // since the last piece
	spoken bool            // there was a text before
	breaks []time.Duration // pauses asked for since the last text
	gap    time.Duration   // the longest pause that the paragraphs and sentences around ask for
	last   rune            // what stands directly before, white space aside; 0 = a pause or nothing

	silent bool             // inside <sub>: the alias was said instead
	as     string           // inside <say-as>: how to interpret held
	held   *strings.Builder // inside <say-as>: its text
}

// start takes the opening of a tag.
func (s *script) start(tag string, attrs map[string]string) {
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
		s.as, s.held = attrs["interpret-as"], new(strings.Builder)
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
		s.interpret(s.as, held)
	}
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
		s.spoken = true
		s.last, _ = utf8.DecodeLastRuneInString(solid)
	}
	s.text.WriteString(text)
}

// settle puts the pauses that were asked for since the last text between it and the next.
// The pause around a paragraph is there already if the breaks are as long.
func (s *script) settle() {
	rest := s.gap
	s.gap = 0
	if !s.spoken {
		rest = 0
	}
	for _, d := range s.breaks {
		s.flush()
		s.pieces = append(s.pieces, Piece{Pause: d})
		rest -= d
	}
	s.breaks = s.breaks[:0]
	if rest > 0 {
		s.flush()
		s.pieces = append(s.pieces, Piece{Pause: rest})
	}
}

// flush makes a piece of the text so far.
func (s *script) flush() {
	text := strings.Join(strings.Fields(s.text.String()), " ")
	s.text.Reset()
	if text != "" {
		s.pieces = append(s.pieces, Piece{Text: text})
	}
}

func (s *script) pause(d time.Duration) {
	s.text.WriteByte(' ')
	s.last = 0
	if d > 0 {
		s.breaks = append(s.breaks, d)
	}
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

func (s *script) interpret(as, text string) {
	switch as {
	case "characters", "spell-out":
		s.say(" " + spell(text, ", ") + " ")
	case "digits":
		s.say(" " + spell(text, " ") + " ")
	case "telephone":
		s.say(" " + telephone(text) + " ")
	case "expletive":
		s.pause(beepPause)
	default:
		s.say(text)
	}
}

// spell sets every character apart.
func spell(text, between string) string {
	var b strings.Builder
	for _, r := range text {
		if unicode.IsSpace(r) {
			continue
		}
		if b.Len() > 0 {
			b.WriteString(between)
		}
		b.WriteRune(r)
	}
	return b.String()
}

// telephone says digits one by one and rests where the number has a separator: engines
// read "2025551212" as two billion.
func telephone(text string) string {
	var b strings.Builder
	var last rune // the kind of the last character said: 'd'igit, 'l'etter; 0 = none
	rest := false
	for _, r := range text {
		kind := 'l'
		switch {
		case unicode.IsDigit(r):
			kind = 'd'
		case !unicode.IsLetter(r) && !unicode.IsMark(r):
			rest = true
			continue
		}
		switch {
		case last == 0:
		case rest || kind != last:
			b.WriteString(", ")
		case kind == 'd':
			b.WriteByte(' ')
		}
		b.WriteRune(r)
		last, rest = kind, false
	}
	return b.String()
}

func (s *script) finish() []Piece {
	s.gap = 0 // nothing follows that a paragraph would have to be set apart from
	s.settle()
	s.flush()
	return s.pieces
}
