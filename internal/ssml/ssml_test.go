package ssml_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tidings/internal/ssml"
)

func text(s string) ssml.Piece { return ssml.Piece{Text: s} }

func pause(ms int) ssml.Piece { return ssml.Piece{Pause: time.Duration(ms) * time.Millisecond} }

func TestParsePieces(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		in   string // inside <speak>
		want []ssml.Piece
	}{
		{"Mary had a little lamb.", []ssml.Piece{text("Mary had a little lamb.")}},
		{"", nil},
		{"  \n ", nil},
		{"Mary\n  had\r\na\tlamb", []ssml.Piece{text("Mary had a lamb")}},
		{"R&amp;D &lt;b&gt; &apos;x&apos; &#65;&#x42;", []ssml.Piece{text("R&D <b> 'x' AB")}},
		{"<![CDATA[1 < 2]]>", []ssml.Piece{text("1 < 2")}},
		{"a<!-- not spoken -->b", []ssml.Piece{text("ab")}},

		{`a<break time="3s"/>b`, []ssml.Piece{text("a"), pause(3000), text("b")}},
		{`a<break time="250ms"></break>b`, []ssml.Piece{text("a"), pause(250), text("b")}},
		{`a<break time="1.5s"/>b`, []ssml.Piece{text("a"), pause(1500), text("b")}},
		{`a<break time=".5s"/>b`, []ssml.Piece{text("a"), pause(500), text("b")}},
		{`a<break time="0s"/>b`, []ssml.Piece{text("a b")}},
		{`<break time="10s"/><break time="10000ms"/>`, []ssml.Piece{pause(10000), pause(10000)}},
		{`a<break/>b`, []ssml.Piece{text("a"), pause(250), text("b")}},
		{`a, <break/>b`, []ssml.Piece{text("a,"), pause(400), text("b")}},
		{`a. <break/>b`, []ssml.Piece{text("a."), pause(700), text("b")}},
		{`a. <break/><break/>b`, []ssml.Piece{text("a."), pause(700), pause(250), text("b")}},
		{`a<break strength="none"/>b<break strength="x-weak"/>c`, []ssml.Piece{text("a b c")}},
		{`a<break strength="weak"/>b`, []ssml.Piece{text("a"), pause(250), text("b")}},
		{`a<break strength="medium"/>b`, []ssml.Piece{text("a"), pause(250), text("b")}},
		{`a<break strength="strong"/>b`, []ssml.Piece{text("a"), pause(400), text("b")}},
		{`a<break strength="x-strong"/>b`, []ssml.Piece{text("a"), pause(700), text("b")}},
		{`a<break strength="strong" time="2s"/>b`, []ssml.Piece{text("a"), pause(2000), text("b")}},

		{`<p>One.</p> <p>Two.</p>`, []ssml.Piece{text("One."), pause(700), text("Two.")}},
		{`<p><s>One</s><s>Two</s></p>Three`, []ssml.Piece{text("One"), pause(400), text("Two"), pause(700), text("Three")}},
		{`<p>One.</p><break time="3s"/><p>Two.</p>`, []ssml.Piece{text("One."), pause(3000), text("Two.")}},
		{`<p>One.</p><break time="300ms"/><p>Two.</p>`, []ssml.Piece{text("One."), pause(300), pause(400), text("Two.")}},

		{`Say <mark name="animal"/>lit<mark name="animal"/>tle`, []ssml.Piece{text("Say little")}},
		{`<sub alias="Mercury">Hg</sub>, shiny`, []ssml.Piece{text("Mercury, shiny")}},
		{`<sub alias="">Hg</sub>x`, []ssml.Piece{text("x")}},
		{`<w role="amazon:VBD">read</w>`, []ssml.Piece{text("read")}},
		{`<amazon:auto-breaths>a<amazon:breath/>b</amazon:auto-breaths>`, []ssml.Piece{text("ab")}},
		{`<amazon:domain name="news">a</amazon:domain> b`, []ssml.Piece{text("a b")}},

		{`Code <say-as interpret-as="characters">a1-b</say-as>.`, []ssml.Piece{text("Code a, 1, -, b .")}},
		{`x<say-as interpret-as="spell-out">ab c</say-as>y`, []ssml.Piece{text("x a, b, c y")}},
		{`<say-as interpret-as="telephone">2025551212x345</say-as>`, []ssml.Piece{text("2 0 2 5 5 5 1 2 1 2, x, 3 4 5")}},
		{`Oh <say-as interpret-as="expletive">damn</say-as> it`, []ssml.Piece{text("Oh"), {Tone: 500 * time.Millisecond}, text("it")}},
		{`Oh <break time="1s"/><say-as interpret-as="expletive">damn</say-as>.`, []ssml.Piece{text("Oh"), pause(1000), {Tone: 500 * time.Millisecond}}},
		{`...<break time="1s"/>!`, []ssml.Piece{pause(1000)}},
	} {
		doc, err := ssml.Parse("<speak>" + tc.in + "</speak>")
		if err != nil {
			t.Errorf("Parse(%q): %v", tc.in, err)
			continue
		}
		if diff := cmp.Diff(tc.want, doc.Pieces("en-US")); diff != "" {
			t.Errorf("Parse(%q): pieces (-want +got):\n%s", tc.in, diff)
		}
	}
}

func TestParseCounts(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		in              string
		billable, total int
	}{
		{"<speak></speak>", 0, 15},
		{"<speak/>", 0, 8},
		{"<speak>Hi</speak>", 2, 17},
		{"<speak> Hi \n</speak>", 5, 20},
		{"<speak>\r\n</speak>", 1, 17}, // XML 1.0 2.11: a line break is one character
		{"<speak>R&amp;D</speak>", 3, 22},
		{"<speak>&#x1F600;é漢</speak>", 3, 26},
		{`<speak><sub alias="World Wide Web">WWW</sub></speak>`, 3, 52},
		{`<speak>a<break time="1s"/>b</speak>`, 2, 35},
		{"<speak>a<!-- c -->b</speak>\n", 2, 28},
		{"<speak><![CDATA[a&b]]></speak>", 3, 30},
	} {
		doc, err := ssml.Parse(tc.in)
		if err != nil {
			t.Errorf("Parse(%q): %v", tc.in, err)
			continue
		}
		if doc.Billable != tc.billable || doc.Total != tc.total {
			t.Errorf("Parse(%q): billable %d, total %d, want %d, %d", tc.in, doc.Billable, doc.Total, tc.billable, tc.total)
		}
	}
}

// The documents are those of the Polly Developer Guide, shortened.
func TestParseAcceptsTheGuidesExamples(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		`<?xml version="1.0"?>
<speak version="1.1"
       xmlns="http://www.w3.org/2001/10/synthesis"
       xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
       xsi:schemaLocation="http://www.w3.org/2001/10/synthesis http://www.w3.org/TR/speech-synthesis11/synthesis.xsd"
       xml:lang="en-US">Hello World</speak>`,
		`<?xml version="1.0" encoding="UTF-8"?><speak>x</speak>`,
		`<speak>You say, <phoneme alphabet='x-sampa' ph='pI"kA:n'>pecan</phoneme>.</speak>`,
		`<speak>你说 <phoneme alphabet="x-amazon-pinyin" ph="bo2">薄</phoneme>。</speak>`,
		`<speak><prosody rate="85%">a <prosody pitch="-10%">b</prosody> c</prosody></speak>`,
		`<speak><prosody volume="+20dB">Hello world</prosody></speak>`,
		`<speak><prosody volume="x-loud" pitch="x-high" rate="x-fast">Hello</prosody></speak>`,
		`<speak><amazon:effect name="whispered"><prosody rate="-10%">slower</prosody></amazon:effect></speak>`,
		`<speak><prosody amazon:max-duration="2400ms">a</prosody><break strength="strong"/><prosody amazon:max-duration="5100ms">b</prosody></speak>`,
		`<speak><prosody amazon:max-duration="16s">a <prosody amazon:max-duration="5s">b</prosody></prosody></speak>`,
		`<speak><prosody amazon:max-duration="7500ms">a <prosody rate="2">b</prosody></prosody></speak>`,
		`<speak><amazon:breath duration="long" volume="x-loud"/> <amazon:auto-breaths volume="x-loud" frequency="x-low">a</amazon:auto-breaths></speak>`,
		`<speak><amazon:domain name="news">a</amazon:domain></speak>`,
		`<speak><amazon:effect vocal-tract-length="-15%"><prosody pitch="+20%">a</prosody></amazon:effect><amazon:effect vocal-tract-length="110%">b</amazon:effect></speak>`,
		`<speak><amazon:effect phonation="soft">a</amazon:effect></speak>`,
		`<speak><emphasis>a</emphasis><emphasis level="Reduced">b</emphasis></speak>`,
	} {
		if _, err := ssml.Parse(in); err != nil {
			t.Errorf("Parse(%q): %v", in, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("<p>", ssml.MaxDepth)
	for _, tc := range []struct {
		in, tag, attribute, want string
		line, column             int
	}{
		{"", "speak", "", "no root", 1, 1},
		{"Hello", "", "", `"Hello" stands outside of <speak>`, 1, 1},
		{"<p>Hello</p>", "p", "", "its root must be <speak>", 1, 1},
		{"<Speak>x</Speak>", "Speak", "", "its root must be <speak>", 1, 1},
		{"<speak>x</speak>y", "", "", `"y" stands outside`, 1, 17},
		{"<speak>x</speak><speak/>", "speak", "", "behind the end", 1, 17},
		{"<speak><speak/></speak>", "speak", "", "must not stand inside another", 1, 8},
		{"<speak>\n  é<blink>x</blink></speak>", "blink", "", "<blink> is not a known tag; allowed are speak, break", 2, 4},
		{"<speak><Break/></speak>", "Break", "", "not a known tag", 1, 8},
		{`<speak><audio src="x"/></speak>`, "audio", "", "no sound files are played", 1, 8},
		{`<speak><voice name="x">y</voice></speak>`, "voice", "", "choose it with VoiceId", 1, 8},
		{`<speak><lexicon uri="x"/></speak>`, "lexicon", "", "no lexicons are loaded", 1, 8},
		{`<speak><lookup ref="x">y</lookup></speak>`, "lookup", "", "no lexicons are loaded", 1, 8},
		{"<speak>" + deep + "</speak>", "p", "", "at most 64 tags may be open", 1, 8 + 63*3},

		{`<speak><break length="1s"/></speak>`, "break", "length", `"length" is not an attribute of <break>; allowed are strength, time`, 1, 8},
		{`<speak><p id="1">x</p></speak>`, "p", "id", "<p> has no attributes", 1, 8},
		{`<speak><break time="1s" time="2s"/></speak>`, "break", "time", "given twice", 1, 8},
		{`<speak><break time="11s"/></speak>`, "break", "time", `is "11s"; allowed is a time of at most 10 s`, 1, 8},
		{`<speak><break time="10001ms"/></speak>`, "break", "time", "at most 10 s", 1, 8},
		{`<speak><break time="-1s"/></speak>`, "break", "time", "at most 10 s", 1, 8},
		{`<speak><break time="3"/></speak>`, "break", "time", "at most 10 s", 1, 8},
		{`<speak><break time="1e3ms"/></speak>`, "break", "time", "at most 10 s", 1, 8},
		{`<speak><break time="` + strings.Repeat("9", 400) + `s"/></speak>`, "break", "time", `9"…; allowed is`, 1, 8},
		{`<speak><break strength="huge"/></speak>`, "break", "strength", "none, x-weak, weak", 1, 8},
		{`<speak><break>x</break></speak>`, "break", "", "<break> must be empty", 1, 15},
		{`<speak><mark name="a"><p/></mark></speak>`, "p", "", "must not stand inside <mark>, which may hold nothing", 1, 23},
		{`<speak><emphasis level="none">x</emphasis></speak>`, "emphasis", "level", "strong, moderate, reduced", 1, 8},
		{`<speak><lang>x</lang></speak>`, "lang", "xml:lang", "needs the attribute xml:lang", 1, 8},
		{`<speak><lang xml:lang="../x">x</lang></speak>`, "lang", "xml:lang", "a language code", 1, 8},
		{`<speak><mark/></speak>`, "mark", "name", "needs the attribute name", 1, 8},
		{`<speak><phoneme ph="x">y</phoneme></speak>`, "phoneme", "alphabet", "needs the attribute alphabet", 1, 8},
		{`<speak><phoneme alphabet="ipa">y</phoneme></speak>`, "phoneme", "ph", "needs the attribute ph", 1, 8},
		{`<speak><phoneme alphabet="arpabet" ph="x">y</phoneme></speak>`, "phoneme", "alphabet", "ipa, x-sampa, x-amazon-pinyin", 1, 8},
		{`<speak><prosody>x</prosody></speak>`, "prosody", "", "needs at least one of the attributes volume, rate", 1, 8},
		{`<speak><prosody rate="19%">x</prosody></speak>`, "prosody", "rate", "20% to 200%", 1, 8},
		{`<speak><prosody rate="201%">x</prosody></speak>`, "prosody", "rate", "20% to 200%", 1, 8},
		{`<speak><prosody rate="-81%">x</prosody></speak>`, "prosody", "rate", "20% to 200%", 1, 8},
		{`<speak><prosody rate="2">x</prosody></speak>`, "prosody", "rate", "20% to 200%", 1, 8},
		{`<speak><prosody pitch="10%">x</prosody></speak>`, "prosody", "pitch", `"+10%"`, 1, 8},
		{`<speak><prosody volume="6">x</prosody></speak>`, "prosody", "volume", `"+6dB"`, 1, 8},
		{`<speak><prosody amazon:max-duration="0s">x</prosody></speak>`, "prosody", "amazon:max-duration", "above zero", 1, 8},
		{`<speak><prosody amazon:max-duration="2s">` + strings.Repeat("x", 1501) + `</prosody></speak>`, "prosody", "amazon:max-duration", "holds 1501 characters of text; at most 1500", 1, 8},
		{`<speak><say-as>x</say-as></speak>`, "say-as", "interpret-as", "needs the attribute", 1, 8},
		{`<speak><say-as interpret-as="currency">x</say-as></speak>`, "say-as", "interpret-as", "characters, spell-out", 1, 8},
		{`<speak><say-as interpret-as="date" format="xyz">x</say-as></speak>`, "say-as", "format", "mdy, dmy", 1, 8},
		{`<speak><say-as interpret-as="digits" format="mdy">x</say-as></speak>`, "say-as", "format", `only with interpret-as="date"`, 1, 8},
		{`<speak><say-as interpret-as="digits"><p>x</p></say-as></speak>`, "p", "", "must not stand inside <say-as>, which may hold text", 1, 38},
		{`<speak><sub>x</sub></speak>`, "sub", "alias", "needs the attribute alias", 1, 8},
		{`<speak><w role="VB">x</w></speak>`, "w", "role", "amazon:VB", 1, 8},
		{`<speak><amazon:effect name="DRC">x</amazon:effect></speak>`, "amazon:effect", "name", "drc, whispered", 1, 8},
		{`<speak><amazon:effect>x</amazon:effect></speak>`, "amazon:effect", "", "at least one", 1, 8},
		{`<speak><amazon:domain name="music">x</amazon:domain></speak>`, "amazon:domain", "name", "news", 1, 8},

		{"<speak>x", "speak", "", "<speak> is never closed; write </speak>", 1, 1},
		{"<speak><p>x</speak>", "speak", "", "<p> of line 1, column 8 is still open", 1, 12},
		{"</speak>", "speak", "", "never opened", 1, 1},
		{"<speak>R&D</speak>", "", "", "write & as &amp;", 1, 11},
		{"<speak>1 < 2</speak>", "", "", "not well-formed XML", 1, 11},
		{"<speak a=b>x</speak>", "", "", "not well-formed XML", 1, 11},
		{"<speak", "", "", "not well-formed XML", 1, 7},
		{"<speak>\x01</speak>", "", "", "illegal character code", 1, 9},
		{"<speak>&#0;</speak>", "", "", "illegal character code", 1, 12},
		{"<speak>a\xff</speak>", "", "", "not valid UTF-8", 1, 9},

		{"<!DOCTYPE speak><speak/>", "", "", "DOCTYPE", 1, 1},
		{`<!DOCTYPE speak SYSTEM "file:///etc/passwd"><speak/>`, "", "", "DOCTYPE", 1, 1},
		{`<!DOCTYPE s [<!ENTITY a "aaa"><!ENTITY b "&a;&a;">]><speak>&b;</speak>`, "", "", "DOCTYPE", 1, 1},
		{"<speak><!ELEMENT p ANY></speak>", "", "", "<!…> declaration", 1, 8},
		{"<speak>&copy;</speak>", "", "", "invalid character entity &copy;", 1, 14},
		{"<?php x?><speak/>", "", "", "<?php?> are not allowed", 1, 1},
		{"<speak><?xml version=\"1.0\"?></speak>", "", "", "processing instructions", 1, 8},
		{`<?xml version="1.1"?><speak/>`, "", "", "XML 1.0", 1, 22},
		{`<?xml version="1.0" encoding="UTF-16"?><speak/>`, "", "", "UTF-8", 1, 40},
		{`<speak xmlns="urn:x">x</speak>`, "speak", "xmlns", "http://www.w3.org/2001/10/synthesis", 1, 1},
		{`<speak xmlns:a="urn:amazon">x</speak>`, "speak", "xmlns:a", "not an attribute of <speak>", 1, 1},
		{`<speak><x:break xmlns:x="http://www.w3.org/2001/10/synthesis"/></speak>`, "x:break", "", "not a known tag", 1, 8},
		{`<speak><p xmlns="urn:x">x</p></speak>`, "p", "xmlns", "has no attributes", 1, 8},
		{`<speak><lang lang="fr-FR">x</lang></speak>`, "lang", "lang", "allowed are xml:lang", 1, 8},
	} {
		doc, err := ssml.Parse(tc.in)
		got, ok := errors.AsType[*ssml.Error](err)
		if !ok {
			t.Errorf("Parse(%q) = %+v, %v, want an *Error", tc.in, doc, err)
			continue
		}
		if !strings.Contains(got.Msg, tc.want) {
			t.Errorf("Parse(%q): message %q, want it to contain %q", tc.in, got.Msg, tc.want)
		}
		if got.Tag != tc.tag || got.Attribute != tc.attribute {
			t.Errorf("Parse(%q): error about tag %q, attribute %q, want %q, %q", tc.in, got.Tag, got.Attribute, tc.tag, tc.attribute)
		}
		if got.Line != tc.line || got.Column != tc.column {
			t.Errorf("Parse(%q): %v; want line %d, column %d", tc.in, got, tc.line, tc.column)
		}
		if len(got.Error()) > 600 {
			t.Errorf("Parse(%q): the error has %d bytes; it repeats too much of the input", tc.in, len(got.Error()))
		}
	}
}

func TestParseAcceptsTheDeepestDocument(t *testing.T) {
	t.Parallel()
	n := ssml.MaxDepth - 1
	in := "<speak>" + strings.Repeat("<p>", n) + "x" + strings.Repeat("</p>", n) + "</speak>"
	if _, err := ssml.Parse(in); err != nil {
		t.Errorf("Parse with %d tags open at once: %v", ssml.MaxDepth, err)
	}
}

// TestParseIsLinear feeds documents on which careless code takes quadratic time. Each has
// a quarter of a megabyte: with a quadratic step the test would run for a minute, not fail.
func TestParseIsLinear(t *testing.T) {
	t.Parallel()
	const size = 1 << 18
	fill := func(unit string) string { return strings.Repeat(unit, size/len(unit)) }
	for name, in := range map[string]string{
		"breaks":               "<speak>" + fill("<break/>") + "</speak>",
		"breaks behind spaces": "<speak>x" + strings.Repeat(" ", size/2) + strings.Repeat("<break strength='none'/><break/>", size/64) + "</speak>",
		"paragraphs":           "<speak>" + fill("<p>a</p>") + "</speak>",
		"entities":             "<speak>" + fill("&amp;") + "</speak>",
		"comments":             "<speak>" + fill("<!---->a") + "</speak>",
		"lines":                "<speak>" + fill("\n") + "</speak>",
		"one attribute":        `<speak><sub alias="` + fill("x") + `">y</sub></speak>`,
		"many attributes":      "<speak><p " + fill("a='' ") + "/></speak>",
		"brackets":             "<speak>" + fill("]]") + "</speak>",
		"punctuation in tags":  "<speak>" + strings.Repeat(" ", size/2) + "x" + strings.Repeat("<emphasis>.</emphasis>", size/64) + "</speak>",
		"styles":               "<speak>" + fill("a<emphasis>b</emphasis> ") + "</speak>",
		"numbers":              `<speak><say-as interpret-as="cardinal">` + fill("1,234.5 ") + "</say-as></speak>",
		"figures":              `<speak><say-as interpret-as="fraction">` + fill("1") + "</say-as></speak>",
		"addresses":            `<speak><say-as interpret-as="address">` + fill("St. ") + "</say-as></speak>",
		"units":                `<speak><say-as interpret-as="unit">` + fill("1+1/2") + "</say-as></speak>",
		"phonemes":             `<speak><phoneme alphabet="x-sampa" ph="` + fill("_") + `">x</phoneme></speak>`,
		"pinyin":               `<speak><phoneme alphabet="x-amazon-pinyin" ph="` + fill("bo2") + `!">x</phoneme></speak>`,
		"open tags":            fill("<speak>"),
		"directive":            "<!DOCTYPE " + fill("<<>>"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			doc, err := ssml.Parse(in)
			if err != nil {
				return
			}
			if pieces := doc.Pieces("en-US"); doc.Billable > doc.Total || len(pieces) > len(in) {
				t.Errorf("billable %d, total %d, %d pieces", doc.Billable, doc.Total, len(pieces))
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	var in strings.Builder
	in.WriteString("<speak>")
	for i := 0; in.Len() < 2900; i++ {
		fmt.Fprintf(&in, `<s>Your code is <say-as interpret-as="digits">%04d</say-as>, again.</s><break time="500ms"/>`, i)
	}
	in.WriteString("</speak>")
	text := in.String()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := ssml.Parse(text); err != nil {
			b.Fatal(err)
		}
	}
}
