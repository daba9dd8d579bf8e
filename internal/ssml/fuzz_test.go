package ssml_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
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
		again, err := ssml.Parse(in)
		if diff := cmp.Diff(doc, again); err != nil || diff != "" {
			t.Errorf("Parse(%q) twice: %v, (-first +second):\n%s", in, err, diff)
		}
		checkPieces(t, in, doc.Pieces)
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

// checkPieces writes the pieces as a document of their own, which must mean the same.
func checkPieces(t *testing.T, in string, pieces []ssml.Piece) {
	t.Helper()
	var b strings.Builder
	b.WriteString("<speak>")
	for i, p := range pieces {
		switch {
		case (p.Text == "") == (p.Pause == 0):
			t.Fatalf("Parse(%q): piece %d is %+v, want a text or a pause", in, i, p)
		case p.Pause < 0 || p.Pause > ssml.MaxBreak || p.Pause%time.Millisecond != 0:
			t.Fatalf("Parse(%q): piece %d is a pause of %v", in, i, p.Pause)
		case p.Pause > 0:
			fmt.Fprintf(&b, `<break time="%dms"/>`, p.Pause.Milliseconds())
		case i > 0 && pieces[i-1].Text != "":
			t.Fatalf("Parse(%q): pieces %d and %d are both texts", in, i-1, i)
		default:
			if err := xml.EscapeText(&b, []byte(p.Text)); err != nil {
				t.Fatal(err)
			}
		}
	}
	b.WriteString("</speak>")
	again, err := ssml.Parse(b.String())
	if err != nil {
		t.Fatalf("Parse(%q) as pieces: %v", in, err)
	}
	if diff := cmp.Diff(pieces, again.Pieces); diff != "" {
		t.Errorf("Parse(%q) as pieces: (-first +second):\n%s", in, diff)
	}
}
