// Package ssml reads Speech Synthesis Markup Language: it checks a document against the
// tags that Amazon Polly accepts, counts the characters that are billed, and flattens what
// is to be spoken into a list of texts, pauses and tones that any speech engine can follow.
//
// It follows the Amazon Polly Developer Guide, "Supported SSML tags", and where that page
// is silent W3C's SSML 1.1. It never hands markup on, and it never resolves anything: a
// document with a DOCTYPE, a processing instruction or an entity of its own is refused.
package ssml

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	// MaxDepth is how deep tags may be nested, the root included. It is ours: Polly
	// documents none, and nobody writes such a document by hand.
	MaxDepth = 64

	// MaxBreak is the longest pause that one <break> may ask for.
	// Source: Amazon Polly Developer Guide, "Adding a pause".
	MaxBreak = 10 * time.Second

	// MaxTimedCharacters is how much text one <prosody amazon:max-duration> may hold, in
	// characters. Source: Amazon Polly Developer Guide, "Setting a maximum duration for
	// synthesized speech".
	MaxTimedCharacters = 1500
)

// Document is a document that was found valid.
type Document struct {
	// Billable is the number of Unicode code points in the document's text nodes, after
	// entities are decoded: white space counts, tags and attribute values do not, so the
	// alias of a <sub> is free.
	Billable int
	// Total is the number of Unicode code points of the document as it was written.
	Total int

	steps []step // what Pieces goes through
}

// step is the opening of a tag, its closing, or a text.
type step struct {
	open, close string
	attrs       map[string]string // of open
	text        string
}

// Piece is a text to speak, a pause to keep, or a tone: one of the three.
type Piece struct {
	Text string // a single line, without white space at its ends; "" for a pause or a tone
	// Phonemes is how the words of Text are pronounced, in the International Phonetic
	// Alphabet or, for Mandarin, in pinyin with the tones as numbers, such as "bo2";
	// "" leaves it to the engine. What Text has of punctuation at its end is not among them.
	Phonemes string
	Pause    time.Duration // in whole milliseconds, at most MaxBreak; 0 for a text or a tone
	Tone     time.Duration // a beep in place of an expletive; 0 for a text or a pause
	Style    Style         // of a pause only its group
}

// Pieces is what is spoken, in order, with a voice that speaks the language of this code, such
// as "en-US". Two texts follow each other directly only where they are not spoken alike. Time
// and memory are linear in the length of the document.
func (d *Document) Pieces(language string) []Piece {
	s := script{language: language, styles: []Style{{}}}
	for _, step := range d.steps {
		switch {
		case step.open != "":
			s.start(step.open, step.attrs)
		case step.close != "":
			s.end(step.close)
		default:
			s.say(step.text)
		}
	}
	return s.finish()
}

// Parse reads a document. Every error is an *Error that says where the document is wrong
// and what is allowed there. Time and memory are linear in the length of text; bounding
// that is up to the caller.
func Parse(text string) (*Document, error) {
	if at := invalidUTF8(text); at >= 0 {
		return nil, newError(text, at, "", "", "the document is not valid UTF-8")
	}
	p := &parser{text: text, dec: xml.NewDecoder(strings.NewReader(text))}
	for {
		at := int(p.dec.InputOffset())
		// The raw token keeps prefixes as they are written: no namespace declaration can
		// turn one tag into another.
		token, err := p.dec.RawToken()
		if errors.Is(err, io.EOF) {
			return p.finish(at)
		}
		if err != nil {
			return nil, p.notWellFormed(err)
		}
		if err := p.take(token, at); err != nil {
			return nil, err
		}
	}
}

// invalidUTF8 returns the offset of the first byte that is not UTF-8, or -1.
func invalidUTF8(s string) int {
	for i, r := range s {
		if r != utf8.RuneError {
			continue
		}
		if _, size := utf8.DecodeRuneInString(s[i:]); size == 1 {
			return i
		}
	}
	return -1
}
