package ssml_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"tidings/internal/ssml"
)

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"<speak>Mary had a little lamb.</speak>",
		`<?xml version="1.0"?><speak version="1.1" xml:lang="en-US">Hello &amp; goodbye</speak>`,
		`<speak><p><s>One,<break/> two.<break time="1.5s"/></s></p><p>Three</p></speak>`,
		`<speak><say-as interpret-as="telephone">2025551212x345</say-as><sub alias="a b">c</sub></speak>`,
		`<speak><prosody amazon:max-duration="2s" rate="50%"><prosody rate="2">x</prosody></prosody></speak>`,
		`<speak><![CDATA[<!DOCTYPE x>]]><!-- <!DOCTYPE x> --></speak>`,
		`<!DOCTYPE s [<!ENTITY a "b">]><speak>&a;</speak>`,
		"<speak>\u2028&#13;&#x85;\r\n[[x]]</speak>",
		"<speak><a:b:c/></speak>",
		`<speak><emphasis>a</emphasis>, <prosody pitch="+10%" volume="-6.5dB"><prosody rate="50%" volume="silent">b</prosody></prosody>!</speak>`,
		`<speak>a <lang xml:lang="fr-FR">b <say-as interpret-as="date" format="dmy">1/2/2003</say-as></lang></speak>`,
		`<speak><phoneme alphabet="x-sampa" ph='pI"kA:n'>pecan</phoneme>. <phoneme alphabet="x-amazon-pinyin" ph="bo2">x</phoneme></speak>`,
		`<speak><amazon:effect name="whispered" phonation="soft" vocal-tract-length="+15%">a<say-as interpret-as="expletive">b</say-as></amazon:effect></speak>`,
		`<speak><say-as interpret-as="cardinal">-1,234.5</say-as><say-as interpret-as="ordinal">999999999999999999th</say-as></speak>`,
		`<speak><say-as interpret-as="unit">3+1/2ft</say-as><say-as interpret-as="address">1 St. James St.</say-as><say-as interpret-as="time">1'21"</say-as></speak>`,
		"<speak>" + strings.Repeat("<p>", 70),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		doc, err := ssml.Parse(in)
		if err != nil {
			checkError(t, in, err)
			return
		}
		if billable := textNodes(t, in); doc.Billable != billable || doc.Total != utf8.RuneCountInString(in) || doc.Billable > doc.Total {
			t.Errorf("Parse(%q): billable %d, total %d, but an XML decoder counts %d, %d",
				in, doc.Billable, doc.Total, billable, utf8.RuneCountInString(in))
		}
		for _, language := range []string{"en-US", "de-DE"} {
			pieces := doc.Pieces(language)
			if diff := cmp.Diff(pieces, doc.Pieces(language)); diff != "" {
				t.Errorf("Pieces(%q) of %q twice (-first +second):\n%s", language, in, diff)
			}
			checkPieces(t, in, language, pieces)
		}
	})
}

// checkError checks that an error says where and what, and does not echo the input.
func checkError(t *testing.T, in string, err error) {
	t.Helper()
	e, ok := errors.AsType[*ssml.Error](err)
	if !ok || e.Msg == "" || e.Line < 1 || e.Column < 1 || e.Offset < 0 || e.Offset > len(in) {
		t.Errorf("Parse(%q) = %#v, want an *Error with a place inside the document", in, err)
	}
	if len(err.Error()) > 1000 || !utf8.ValidString(err.Error()) {
		t.Errorf("Parse(%q): the error is too long or no text: %q", in, err)
	}
}

// textNodes counts the characters of text with the decoder's own idea of elements. It
// fails on whatever an accepted document must not have.
func textNodes(t *testing.T, in string) (n int) {
	t.Helper()
	dec := xml.NewDecoder(strings.NewReader(in))
	depth := 0
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return n
		}
		if err != nil {
			t.Fatalf("Parse accepted %q, but: %v", in, err)
		}
		switch tok := token.(type) {
		case xml.StartElement:
			if depth++; depth > ssml.MaxDepth {
				t.Fatalf("Parse accepted %q, which is %d deep", in, depth)
			}
		case xml.EndElement:
			depth--
		case xml.CharData:
			if depth > 0 {
				n += utf8.RuneCount(tok)
			}
		case xml.Directive:
			t.Fatalf("Parse accepted %q with the directive %q", in, tok)
		case xml.ProcInst:
			if tok.Target != "xml" {
				t.Fatalf("Parse accepted %q with the processing instruction %q", in, tok.Target)
			}
		}
	}
}

// checkPieces checks every piece, then writes those that stand in no group as a document of
// their own, which must mean the same.
func checkPieces(t *testing.T, in, language string, pieces []ssml.Piece) {
	t.Helper()
	most := 1000 + 100*len(in) // nothing may explode: a figure becomes a few words
	grouped := false
	var b strings.Builder
	b.WriteString("<speak>")
	for i, p := range pieces {
		if most -= len(p.Text) + len(p.Phonemes); most < 0 {
			t.Fatalf("Parse(%q): the pieces are too long", in)
		}
		checkPiece(t, in, p)
		if i > 0 && p.Text != "" && p.Phonemes == "" && pieces[i-1].Text != "" && pieces[i-1].Phonemes == "" && p.Style == pieces[i-1].Style {
			t.Fatalf("Parse(%q): pieces %d and %d are alike and could be one", in, i-1, i)
		}
		grouped = grouped || p.Style.Group != 0
		b.WriteByte(' ') // sets words apart that are in two pieces
		write(t, &b, p)
	}
	b.WriteString("</speak>")
	if grouped {
		return
	}
	again, err := ssml.Parse(b.String())
	if err != nil {
		t.Fatalf("Parse(%q) as pieces: %v", in, err)
	}
	if diff := cmp.Diff(pieces, again.Pieces(language)); diff != "" {
		t.Errorf("Parse(%q) as pieces, %q: (-first +second):\n%s", in, b.String(), diff)
	}
}

func checkPiece(t *testing.T, in string, p ssml.Piece) {
	t.Helper()
	kinds := 0
	for _, is := range []bool{p.Text != "", p.Pause != 0, p.Tone != 0} {
		if is {
			kinds++
		}
	}
	s := p.Style
	switch {
	case kinds != 1:
		t.Fatalf("Parse(%q): %+v is not one of text, pause and tone", in, p)
	case p.Pause < 0 || p.Pause > ssml.MaxBreak || p.Pause%time.Millisecond != 0:
		t.Fatalf("Parse(%q): a pause of %v", in, p.Pause)
	case p.Tone < 0 || p.Tone > time.Second:
		t.Fatalf("Parse(%q): a tone of %v", in, p.Tone)
	case p.Phonemes != "" && p.Text == "":
		t.Fatalf("Parse(%q): %+v has phonemes without a text", in, p)
	case p.Pause > 0 && s != (ssml.Style{Group: s.Group, Most: s.Most}):
		t.Fatalf("Parse(%q): a pause has the style %+v", in, s)
	case (s.Group == 0) != (s.Most == 0), s.Most < 0, s.Group < 0:
		t.Fatalf("Parse(%q): group %d may last %v", in, s.Group, s.Most)
	case !within(s.Rate, 0.2, 2), !within(s.Pitch, 0.5, 2), !within(s.Tract, 0.5, 2), s.Gain < -60, s.Gain > 20:
		t.Fatalf("Parse(%q): the style %+v is out of bounds", in, s)
	}
}

// within reports whether a share is there and in bounds; 1 is written as 0.
func within(share, least, most float64) bool {
	return share == 0 || share >= least && share <= most && share != 1
}

// write writes a piece with tags that ask for its style.
func write(tb testing.TB, b *strings.Builder, p ssml.Piece) {
	tb.Helper()
	var tags []string
	open := func(tag, format string, args ...any) {
		fmt.Fprintf(b, "<"+tag+" "+format+">", args...)
		tags = append(tags, tag)
	}
	s := p.Style
	if s.Language != "" {
		open("lang", "xml:lang=%q", s.Language)
	}
	if s.Rate != 0 {
		open("prosody", `rate="%v%%"`, percents(s.Rate))
	}
	if s.Pitch != 0 {
		open("prosody", `pitch="%+g%%"`, percents(s.Pitch)-100)
	}
	if s.Silent {
		open("prosody", `volume="silent"`)
	}
	if s.Gain != 0 {
		open("prosody", `volume="%+gdB"`, s.Gain)
	}
	if s.Tract != 0 {
		open("amazon:effect", `vocal-tract-length="%v%%"`, percents(s.Tract))
	}
	for attribute, on := range map[string]bool{`name="whispered"`: s.Whisper, `name="drc"`: s.Compress, `phonation="soft"`: s.Soft} {
		if on {
			open("amazon:effect", "%s", attribute)
		}
	}
	if p.Phonemes != "" {
		alphabet := "ipa"
		if strings.ContainsAny(p.Phonemes, "012345") {
			alphabet = "x-amazon-pinyin"
		}
		fmt.Fprintf(b, `<phoneme alphabet="%s" ph="`, alphabet)
		escape(tb, b, p.Phonemes)
		b.WriteString(`">`)
		tags = append(tags, "phoneme")
	}
	switch {
	case p.Pause > 0:
		fmt.Fprintf(b, `<break time="%dms"/>`, p.Pause.Milliseconds())
	case p.Tone > 0:
		b.WriteString(`<say-as interpret-as="expletive">x</say-as>`)
	default:
		escape(tb, b, p.Text)
	}
	for _, tag := range slices.Backward(tags) {
		b.WriteString("</" + tag + ">")
	}
}

func percents(share float64) float64 { return math.Round(share*1000) / 10 }

func escape(tb testing.TB, b *strings.Builder, text string) {
	tb.Helper()
	if err := xml.EscapeText(b, []byte(text)); err != nil {
		tb.Fatal(err)
	}
}
