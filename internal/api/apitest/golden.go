package apitest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
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

// Stage is where a scenario is played. Rig must be set, and serving.
type Stage struct {
	Rig *Rig
	// Write makes what is sent of the text below the head of a request; nil = the body, as
	// it stands there.
	Write func(method, target, text string) (newTarget, body string)
	// Show prints a reply; nil = Show.
	Show func(tb testing.TB, w *httptest.ResponseRecorder) string
	// Noted is what stands behind the replies: what the family asked of the feature behind
	// it, under a name. No text = nothing; nil = never anything.
	Noted func(tb testing.TB) (name string, text []byte)
}

// Golden plays the scenarios of testdata/*.txtar and compares the replies with those there, or
// writes them there if update is set. A scenario is a list of requests, each with the reply it
// must get:
//
//	-- request WHAT --
//	METHOD TARGET [KEY]
//
//	BODY
//	-- reply WHAT --
//	STATUS
//	HEADERS
//
//	BODY
//	-- NAME --
//	what was noted, if anything
//
// KEY is the ID of the key it is signed with, "unsigned", or AKIDEXAMPLE if left out.
// NEXT-TOKEN stands for the token of the last reply that had one. What stands above the first
// request arranges the scenario; set makes its stage from that.
func Golden(t *testing.T, update bool, set func(t *testing.T, arrangement string) *Stage) {
	t.Helper()
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
			scenario := txtar.Parse(want)
			got := set(t, string(scenario.Comment)).play(t, scenario)
			if update {
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
func (s *Stage) play(tb testing.TB, scenario *txtar.Archive) []byte {
	tb.Helper()
	show := s.Show
	if show == nil {
		show = Show
	}
	played := &txtar.Archive{Comment: scenario.Comment}
	token := ""
	for _, f := range scenario.Files {
		what, ok := strings.CutPrefix(f.Name, "request ")
		if !ok {
			continue
		}
		reply := s.send(tb, strings.ReplaceAll(string(f.Data), "NEXT-TOKEN", token))
		text := show(tb, reply)
		if next := NextToken(reply); next != "" {
			token, text = next, strings.ReplaceAll(text, next, "NEXT-TOKEN")
		}
		played.Files = append(played.Files, f, txtar.File{Name: "reply " + what, Data: []byte(text)})
	}
	if s.Noted != nil {
		if name, text := s.Noted(tb); len(text) > 0 {
			played.Files = append(played.Files, txtar.File{Name: name, Data: text})
		}
	}
	return txtar.Format(played)
}

func (s *Stage) send(tb testing.TB, request string) *httptest.ResponseRecorder {
	tb.Helper()
	head, text, _ := strings.Cut(request, "\n\n")
	words := append(strings.Fields(head), "AKIDEXAMPLE")
	method, target, key := words[0], words[1], words[2]
	if key == "unsigned" {
		key = ""
	}
	body := strings.TrimSuffix(text, "\n")
	if s.Write != nil {
		target, body = s.Write(method, target, body)
	}
	return s.Rig.Do(tb, method, target, body, key)
}

// Show prints a reply. The request's ID is another one each time.
func Show(_ testing.TB, w *httptest.ResponseRecorder) string {
	var b bytes.Buffer
	fmt.Fprintln(&b, w.Code)
	for _, name := range slices.Sorted(maps.Keys(w.Header())) {
		fmt.Fprintf(&b, "%s: %s\n", name, w.Header().Get(name))
	}
	fmt.Fprintf(&b, "\n%s\n", w.Body)
	return strings.ReplaceAll(b.String(), w.Header().Get(awsapi.RequestIDHeader), "REQUEST-ID")
}

// Indented prints what was noted as JSON; nothing if there is none.
func Indented[T any](tb testing.TB, noted []T) []byte {
	tb.Helper()
	if len(noted) == 0 {
		return nil
	}
	text, err := json.MarshalIndent(noted, "", "  ")
	if err != nil {
		tb.Fatal(err)
	}
	return append(text, '\n')
}

// Arrange reads the lines above the first request of a scenario that hold a colon: "store:
// broken" lets the store fail, "limit: NAME N" sets a limit, "rates: on" enforces the
// documented request rates, "origin: ORIGIN" allows one to browsers. Further lines are those
// of the family, by their name.
func (g *Rig) Arrange(tb testing.TB, arrangement string, further map[string]func(value string)) {
	tb.Helper()
	for line := range strings.Lines(arrangement) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if !ok {
			continue
		}
		switch name {
		case "store":
			g.Store.Broken = errDisk
		case "limit":
			name, text, _ := strings.Cut(value, " ")
			n, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				tb.Fatal(err)
			}
			g.Limits = map[quota.Name]int64{quota.Name(name): n}
		case "rates":
			g.Rates = true
		case "origin":
			g.Origin = value
		default:
			arrange, ok := further[name]
			if !ok {
				tb.Fatalf("%q arranges nothing", line)
			}
			arrange(value)
		}
	}
}

// kinds are the faults that a scenario can name.
var kinds = []fault.Kind{
	fault.Internal, fault.Invalid, fault.NotFound, fault.Exists, fault.LimitExceeded, fault.Throttled, fault.Denied, fault.Unavailable,
}

// Fault is the fault that a scenario names: its kind, with hyphens for spaces; its resource, "-"
// for none; after how many seconds to try again; and its text.
func Fault(tb testing.TB, kind, resource, seconds, text string) *fault.Error {
	tb.Helper()
	after, err := strconv.ParseFloat(seconds, 64)
	i := slices.IndexFunc(kinds, func(k fault.Kind) bool { return strings.ReplaceAll(k.String(), " ", "-") == kind })
	if err != nil || i < 0 {
		tb.Fatalf("%q, again after %q seconds, is no fault", kind, seconds)
	}
	f := fault.New(kinds[i], strings.TrimPrefix(resource, "-"), "%s", text)
	f.RetryAfter = time.Duration(after * float64(time.Second))
	return f
}
