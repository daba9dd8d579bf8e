package query_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// FuzzForm sends any form. Whatever it says, it is answered with XML; and what is seen does not depend on whether it comes in the
// body or in the query.
func FuzzForm(f *testing.F) {
	for _, seed := range []string{
		"Text=a%20b+c&Word=&Yes=true&Count=7&Weight=1.5", "When=2026-11-21T10:30:00Z&Data=%2Bw%3D%3D", "Inner.Name=a&Inner.Words.member.2=b",
		"Boxes.member.3.Things.member.1=x&Boxes.member.1.Colour=red", "Pointers.1.Boxes.1.Colours.1=a", "Labels.entry.1.key=a&Labels.entry.1.value=b",
		"Words=&Inner=&Words.member.999999999999999999999=a", "Numbers.member.1=x", "....=&.=&Words..1=&Words.member.1.=", "%", "%zz&Text=%f", "Inner.Deep.Boxes.member.1.Things.1=q",
	} {
		f.Add(seed)
	}
	h := handler()
	f.Fuzz(func(t *testing.T, form string) {
		w := do(t, h, http.MethodPost, "/", form+"&Action=Show&Version=2026-01-01")
		wellFormed(t, w.Body.String())
		if w.Code != http.StatusOK && w.Code != http.StatusBadRequest {
			t.Fatalf("%q = %d %s, want 200 or 400", form, w.Code, w.Body)
		}
		if w.Code != http.StatusOK {
			return
		}
		var in everything
		if err := json.Unmarshal([]byte(seen(t, w)), &in); err != nil {
			t.Fatalf("%q was seen as %s: %v", form, w.Body, err)
		}
		if len(in.Words) > strings.Count(form, "&")+1 {
			t.Errorf("%q makes a list of %d words", form, len(in.Words))
		}
	})
}

// FuzzText echoes any text, which must come back as it is but for what XML cannot hold.
func FuzzText(f *testing.F) {
	for _, seed := range []string{"", "a", "<a> & \"b\"", "]]>", "\r\n\t", "\x00\x1f", "ü€😀", "\uFFFE\uFFFF", "&amp;", "<!--", strings.Repeat("<", 999)} {
		f.Add(seed)
	}
	h := handler()
	f.Fuzz(func(t *testing.T, s string) {
		w := do(t, h, http.MethodPost, "/", form("Action", "Echo", "Text", s))
		wellFormed(t, w.Body.String())
		if w.Code != http.StatusOK {
			return
		}
		want := strings.Map(func(r rune) rune {
			if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF {
				return '\uFFFD'
			}
			return r
		}, s)
		if got := seen(t, w); got != want {
			t.Errorf("Echo(%q) = %q, want %q", s, got, want)
		}
	})
}
