package query_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// FuzzForm sends any form. Whatever it says, it is answered with XML. What was seen, written as a form again and sent in the query, must say
// the same.
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
		again := write(nil, "", reflect.ValueOf(in))
		w = do(t, h, http.MethodGet, "/?Action=Show&"+strings.Join(again, "&"), "")
		var second everything
		if err := json.Unmarshal([]byte(seen(t, w)), &second); err != nil {
			t.Fatalf("%q was seen as %s: %v", again, w.Body, err)
		}
		if diff := cmp.Diff(again, write(nil, "", reflect.ValueOf(second))); diff != "" {
			t.Errorf("%q written again says something else:\n%s", form, diff)
		}
		if len(in.Words) > strings.Count(form, "&")+1 {
			t.Errorf("%q makes a list of %d words", form, len(in.Words))
		}
	})
}

// write appends the parameters that say what v holds.
func write(all []string, path string, v reflect.Value) []string {
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
		return append(all, form(path, v.Interface().(time.Time).Format(time.RFC3339Nano)))
	case v.Type() == reflect.TypeFor[[]byte]():
		return append(all, form(path, base64.StdEncoding.EncodeToString(v.Bytes())))
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			all = write(all, path, v.Elem())
		}
		return all
	case reflect.Struct:
		for i := range v.NumField() {
			all = write(all, strings.TrimPrefix(path+"."+v.Type().Field(i).Name, "."), v.Field(i))
		}
		return all
	case reflect.Slice:
		for i := range v.Len() {
			all = write(all, path+".member."+strconv.Itoa(i+1), v.Index(i))
		}
		return all
	case reflect.Map:
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		for i, key := range keys {
			entry := path + ".entry." + strconv.Itoa(i+1)
			all = write(write(all, entry+".key", key), entry+".value", v.MapIndex(key))
		}
		return all
	}
	return append(all, form(path, fmt.Sprint(v.Interface())))
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
