package smtpout

import (
	"bufio"
	"bytes"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"

	"tidings/internal/email"
)

func TestReplies(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]said{
		"250 2.0.0 Ok: queued as 4F2\r\n": {verdict: email.Delivered, code: 250, enhanced: "2.0.0", text: "250 2.0.0 Ok: queued as 4F2"},
		"250\r\n":                         {verdict: email.Delivered, code: 250, text: "250"},
		"250 ok\n":                        {verdict: email.Delivered, code: 250, text: "250 ok"},
		"250-2.1.0 a\r\n250-2.1.0 b\r\n250 c\r\n": {verdict: email.Delivered, code: 250, enhanced: "2.1.0", text: "250-2.1.0 a\n250-2.1.0 b\n250 c"},
		"550 5.1.10\r\n":                 {verdict: email.Refused, code: 550, enhanced: "5.1.10", text: "550 5.1.10"},
		"550 4.1.1 of another class\r\n": {verdict: email.Refused, code: 550, text: "550 4.1.1 of another class"},
		"550 5.1 short\r\n":              {verdict: email.Refused, code: 550, text: "550 5.1 short"},
		"550 5.1.1.1 long\r\n":           {verdict: email.Refused, code: 550, text: "550 5.1.1.1 long"},
		"550 5.1000.1 large\r\n":         {verdict: email.Refused, code: 550, text: "550 5.1000.1 large"},
		"550 5.1.1, comma\r\n":           {verdict: email.Refused, code: 550, text: "550 5.1.1, comma"},
		"450 4.7.1 later\r\n":            {verdict: email.Deferred, code: 450, enhanced: "4.7.1", text: "450 4.7.1 later"},
		"354 3.0.0 go\r\n":               {verdict: email.Deferred, code: 354, text: "354 3.0.0 go"},
	} {
		got, err := readReply(bufio.NewReader(strings.NewReader(text)))
		if err != nil || got.said() != want {
			t.Errorf("reply %q = %+v, %v; want %+v", text, got.said(), err, want)
		}
	}
	for _, text := range []string{"", "\r\n", "25\r\n", "2500 x\r\n", "abc x\r\n", "150 x\r\n", "650 x\r\n", "250-x\r\n550 y\r\n", "250-x\r\n", "250 x", "250\tx\r\n", "2x0 y\r\n"} {
		if got, err := readReply(bufio.NewReader(strings.NewReader(text))); err == nil {
			t.Errorf("reply %q = %+v, want an error", text, got)
		}
	}
}

func TestLongTextsAreCut(t *testing.T) {
	t.Parallel()
	line := "250-" + strings.Repeat("é", 900) + "\r\n"
	got, err := readReply(bufio.NewReaderSize(strings.NewReader(strings.Repeat(line, 5)+"250 end\r\n"), maxReplyLine+2))
	if err != nil {
		t.Fatal(err)
	}
	if text := got.text(); len(text) > maxText || len(text) < maxText-4 || !utf8.ValidString(text) {
		t.Errorf("the text has %d bytes, valid: %v; want nearly %d", len(text), utf8.ValidString(text), maxText)
	}
}

// FuzzReply reads whatever a server may send.
func FuzzReply(f *testing.F) {
	for _, s := range []string{"250 ok\r\n", "250-2.1.0 a\r\n250 b\r\n", "550 5.1.1 \xff\x00\r\n", "421", "250-" + strings.Repeat("x", 3000)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := readReply(bufio.NewReaderSize(bytes.NewReader(b), maxReplyLine+2))
		if err != nil {
			return
		}
		s := got.said()
		if s.code < 200 || s.code > 599 || s.verdict == 0 || len(s.text) > maxText || !utf8.ValidString(s.text) {
			t.Errorf("reply %q = %+v", b, s)
		}
		if strings.ContainsFunc(s.text, func(r rune) bool { return r != '\n' && r != '\t' && unicode.Is(unicode.Cc, r) && r < 0x80 }) {
			t.Errorf("the text of %q has control characters: %q", b, s.text)
		}
		if s.enhanced != "" && (s.enhanced[0] != s.text[0] || !strings.Contains(s.text, s.enhanced)) {
			t.Errorf("reply %q has the status %q", b, s.enhanced)
		}
		// What is printed reads as the same.
		again, err := readReply(bufio.NewReaderSize(strings.NewReader(strings.ReplaceAll(got.text(), "\n", "\r\n")+"\r\n"), maxReplyLine+2))
		if len(got.text()) < maxText && (err != nil || again.text() != got.text()) {
			t.Errorf("reply %q reads again as %q, %v", got.text(), again.text(), err)
		}
	})
}

// TestGroup puts each recipient into one reply, with those that were told the same.
func TestGroup(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOf(rapid.Custom(func(t *rapid.T) said {
			return said{
				verdict: email.Verdict(rapid.IntRange(1, 3).Draw(t, "verdict")), code: rapid.IntRange(0, 2).Draw(t, "code"),
				text: rapid.StringOfN(rapid.RuneFrom([]rune("ab")), 0, 1, -1).Draw(t, "text"), place: place{host: rapid.StringOfN(rapid.RuneFrom([]rune("xy")), 0, 1, -1).Draw(t, "host")},
			}
		})).Draw(t, "all")
		indexes := make([]int, len(all))
		for i := range indexes {
			indexes[i] = 3*i + 1
		}
		seen := map[int]bool{}
		first := -1
		kinds := map[said]bool{}
		for _, r := range group(indexes, all) {
			kind := said{verdict: r.Verdict, code: r.Code, text: r.Text, place: place{host: r.Host}}
			if kinds[kind] || len(r.Recipients) == 0 || r.Recipients[0] <= first || !slices.IsSorted(r.Recipients) {
				t.Fatalf("group(%+v): reply %+v is there twice, empty or out of order", all, r)
			}
			kinds[kind], first = true, r.Recipients[0]
			for _, i := range r.Recipients {
				if seen[i] || all[(i-1)/3] != kind {
					t.Fatalf("group(%+v): recipient %d in %+v", all, i, r)
				}
				seen[i] = true
			}
		}
		if len(seen) != len(all) {
			t.Fatalf("group(%+v) names %d recipients", all, len(seen))
		}
	})
}
