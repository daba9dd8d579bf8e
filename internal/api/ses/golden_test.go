package ses_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"tidings/internal/api/apitest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestGolden plays the scenarios of testdata/*.txtar; see apitest.Golden. The parameters stand on lines NAME=VALUE, before they are
// encoded; \n is a line feed. With GET they go into the query. A reply's elements stand on lines of their own. What was noted is
// what was sent. A line "mail: KIND RESOURCE SECONDS TEXT" lets mails fail, "entry: KIND RESOURCE SECONDS TEXT" the next entry of a bulk.
func TestGolden(t *testing.T) {
	t.Parallel()
	apitest.Golden(t, *update, func(t *testing.T, arrangement string) *apitest.Stage {
		t.Helper()
		g := newRig()
		read := func(value string) error {
			words := strings.SplitN(value, " ", 4)
			return apitest.Fault(t, words[0], words[1], words[2], words[3])
		}
		g.Arrange(t, arrangement, map[string]func(string){
			"mail":  func(value string) { g.mail.fails = fmt.Errorf("mail: %w", read(value)) },
			"entry": func(value string) { g.mail.entries = append(g.mail.entries, read(value)) },
		})
		g.start(t)
		return &apitest.Stage{Rig: g.Rig, Write: write, Show: show, Noted: func(tb testing.TB) (string, []byte) {
			tb.Helper()
			return "sent", sparse(tb, g.mail.sent)
		}}
	})
}

// write puts the parameters where the method has them.
func write(method, target, lines string) (newTarget, body string) {
	form := encode(lines)
	if method == http.MethodGet && form != "" {
		return target + "?" + form, ""
	}
	return target, form
}

// show prints a reply, but for its length: tokens differ in it.
func show(tb testing.TB, w *httptest.ResponseRecorder) string {
	tb.Helper()
	wellFormed(tb, w.Body.Bytes())
	w.Header().Del("Content-Length")
	return strings.ReplaceAll(apitest.Show(tb, w), "><", ">\n<")
}

// wellFormed reads a document strictly.
func wellFormed(tb testing.TB, document []byte) {
	tb.Helper()
	for d := xml.NewDecoder(bytes.NewReader(document)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			tb.Fatalf("%s is no XML: %v", document, err)
		}
	}
}

// sparse prints what was sent, but for members that say nothing.
func sparse(tb testing.TB, sent []any) []byte {
	tb.Helper()
	if len(sent) == 0 {
		return nil
	}
	text, err := json.Marshal(sent)
	if err != nil {
		tb.Fatal(err)
	}
	var all any
	if err := json.Unmarshal(text, &all); err != nil {
		tb.Fatal(err)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(strip(all)); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func strip(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = strip(v[i])
		}
	case map[string]any:
		for name := range v {
			if v[name] == nil || v[name] == "" || v[name] == false {
				delete(v, name)
				continue
			}
			v[name] = strip(v[name])
		}
	}
	return v
}
