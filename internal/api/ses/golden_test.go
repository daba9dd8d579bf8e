package ses_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"tidings/internal/awsapi"
	"tidings/internal/fault"
	"tidings/internal/quota"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestGolden plays the scenarios of testdata/*.txtar. A scenario is a list of requests, each with the reply it must get:
//
//	-- request WHAT --
//	METHOD TARGET [KEY]
//
//	NAME=VALUE
//	-- reply WHAT --
//	STATUS
//	HEADERS
//
//	BODY
//	-- sent --
//	what the mails that were sent are, if any
//
// KEY is the ID of the key it is signed with, "unsigned", or AKIDEXAMPLE if left out. The parameters stand on lines, before
// they are encoded; \n is a line feed. With GET they go into the query. NEXT-TOKEN stands for the token of the reply before. A reply's elements stand on
// lines of their own. The lines above the first request that hold a colon arrange the scenario; see arrange.
func TestGolden(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("Glob = %v, %v, want scenarios", files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, txtar.Parse(want))
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", file, diff)
			}
		})
	}
}

// play sends the requests of a scenario and returns it with the replies they got.
func play(t *testing.T, scenario *txtar.Archive) []byte {
	t.Helper()
	g := newRig()
	arrange(t, g, string(scenario.Comment))
	g.start(t)
	played := &txtar.Archive{Comment: scenario.Comment}
	token := ""
	for _, f := range scenario.Files {
		what, ok := strings.CutPrefix(f.Name, "request ")
		if !ok {
			continue
		}
		reply := send(t, g, strings.ReplaceAll(string(f.Data), "NEXT-TOKEN", token))
		text := show(t, reply)
		if next := nextToken(reply); next != "" {
			token, text = next, strings.ReplaceAll(text, next, "NEXT-TOKEN")
		}
		played.Files = append(played.Files, f, txtar.File{Name: "reply " + what, Data: []byte(text)})
	}
	if len(g.mail.sent) > 0 {
		played.Files = append(played.Files, txtar.File{Name: "sent", Data: sparse(t, g.mail.sent)})
	}
	return txtar.Format(played)
}

// arrange reads the lines above the first request: "mail: KIND RESOURCE SECONDS TEXT" lets mails fail ("-" is no resource),
// "entry: KIND RESOURCE SECONDS TEXT" the next entry of a bulk, "limit: NAME N" sets a limit, "rates: on" enforces the documented request rates.
func arrange(t *testing.T, g *rig, comment string) {
	t.Helper()
	for line := range strings.Lines(comment) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if !ok {
			continue
		}
		words := strings.SplitN(value, " ", 4)
		switch name {
		case "mail":
			g.mail.fails = fmt.Errorf("mail: %w", readFault(t, words))
		case "entry":
			g.mail.entries = append(g.mail.entries, readFault(t, words))
		case "limit":
			n, err := strconv.ParseInt(words[1], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			g.limits = map[quota.Name]int64{quota.Name(words[0]): n}
		case "rates":
			g.rates = true
		default:
			t.Fatalf("%q arranges nothing", line)
		}
	}
}

func readFault(t *testing.T, words []string) *fault.Error {
	t.Helper()
	seconds, err := strconv.ParseFloat(words[2], 64)
	i := slices.IndexFunc(kinds, func(k fault.Kind) bool { return strings.ReplaceAll(k.String(), " ", "-") == words[0] })
	if err != nil || i < 0 {
		t.Fatalf("%q is no fault", words)
	}
	f := fault.New(kinds[i], strings.TrimPrefix(words[1], "-"), "%s", words[3])
	f.RetryAfter = time.Duration(seconds * float64(time.Second))
	return f
}

func send(t *testing.T, g *rig, text string) *httptest.ResponseRecorder {
	t.Helper()
	head, lines, _ := strings.Cut(text, "\n\n")
	words := strings.Fields(head)
	method, target, key := words[0], words[1], "AKIDEXAMPLE"
	if len(words) > 2 {
		key = words[2]
	}
	if key == "unsigned" {
		key = ""
	}
	body := encode(lines)
	if method == "GET" && body != "" {
		target, body = target+"?"+body, ""
	}
	return g.do(t, method, target, body, key, g.now)
}

// show prints a reply. The request's ID is another one each time.
func show(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	wellFormed(t, w.Body.Bytes())
	var b bytes.Buffer
	fmt.Fprintln(&b, w.Code)
	id := w.Header().Get(awsapi.RequestIDHeader)
	for _, name := range slices.Sorted(maps.Keys(w.Header())) {
		if name != "Content-Length" { // tokens differ in length
			fmt.Fprintf(&b, "%s: %s\n", name, w.Header().Get(name))
		}
	}
	fmt.Fprintf(&b, "\n%s\n", strings.ReplaceAll(w.Body.String(), "><", ">\n<"))
	return strings.ReplaceAll(b.String(), id, "REQUEST-ID")
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

var tokenElement = regexp.MustCompile(`<NextToken>(.*)</NextToken>`)

func nextToken(w *httptest.ResponseRecorder) string {
	if m := tokenElement.FindStringSubmatch(w.Body.String()); m != nil {
		return m[1]
	}
	return ""
}
