package tts

import (
	"encoding/xml"
	"fmt"
	"math"
	"slices"
	"strings"
)

// What prosody can ask of Polly, as a share of what is usual.
// Source: Amazon Polly Developer Guide, "Controlling volume, speaking rate, and pitch".
const (
	slowest, fastest = 0.2, 2
	lowest, highest  = 2.0 / 3, 1.5
)

// SSML writes the phrase as a document, for an engine that takes nothing else, or that can
// be told rate, pitch, whisper and phonemes in no other way. The text stays text, whatever it
// holds; characters that XML cannot have are left out. lang is the language that the voice
// speaks by itself: where the phrase has another, the document says so.
func (p Phrase) SSML(lang string) string {
	var b strings.Builder
	var ends []string
	open := func(tag, attributes string, values ...any) {
		fmt.Fprintf(&b, "<"+tag+attributes+">", values...)
		ends = append(ends, "</"+tag+">")
	}
	open("speak", "")
	if p.Language != lang {
		open("lang", ` xml:lang="%s"`, escape(p.Language))
	}
	if p.Whisper {
		open("amazon:effect", ` name="whispered"`)
	}
	rate, pitch := within(p.Rate, slowest, fastest), within(p.Pitch, lowest, highest)
	switch {
	case rate != 100 && pitch != 100:
		open("prosody", ` rate="%d%%" pitch="%+d%%"`, rate, pitch-100)
	case rate != 100:
		open("prosody", ` rate="%d%%"`, rate)
	case pitch != 100:
		open("prosody", ` pitch="%+d%%"`, pitch-100)
	}
	if p.Phonemes != "" {
		alphabet := "ipa"
		if strings.ContainsAny(p.Phonemes, "012345") { // the tones of pinyin; IPA has no figures
			alphabet = "x-amazon-pinyin"
		}
		open("phoneme", ` alphabet="%s" ph="%s"`, alphabet, escape(p.Phonemes))
	}
	b.WriteString(escape(p.Text))
	for _, end := range slices.Backward(ends) {
		b.WriteString(end)
	}
	return b.String()
}

// within is a share in percent, 100 if it is not set, kept between two others.
func within(share, least, most float64) int {
	if share <= 0 || math.IsNaN(share) {
		return 100
	}
	return int(math.Round(100 * min(max(share, least), most)))
}

// escape makes character data of a text.
func escape(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(strings.Map(legal, strings.ToValidUTF8(text, "")))) // a Builder takes everything
	return b.String()
}

// legal drops what is no character of XML (XML 1.0, section 2.2).
func legal(r rune) rune {
	switch {
	case r == '\t', r == '\n', r == '\r':
		return r
	case r < ' ', r >= 0xd800 && r <= 0xdfff, r == 0xfffe, r == 0xffff:
		return -1
	}
	return r
}
