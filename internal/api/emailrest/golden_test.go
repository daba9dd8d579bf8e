package emailrest_test

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"tidings/internal/fault"
	"tidings/internal/quota"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestGolden plays the scenarios of testdata/*.txtar. A scenario is a list of requests,
// each with the reply it must get:
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
//	-- asked --
//	what was asked for: mails to be sent, and lists of suppressed addresses
//
// KEY is the ID of the key it is signed with, "unsigned", or AKIDEXAMPLE if left out.
// NEXT-TOKEN stands for the token of the reply before, OWN-KEY-1 and OWN-KEY-8 for a key of
// RSA in base64 and the form of PKCS #1 and #8. The lines above the first request
// that hold a colon arrange the scenario; see arrange.
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
		reply := send(t, g, strings.NewReplacer(
			"NEXT-TOKEN", url.QueryEscape(token),
			"OWN-KEY-1", base64.StdEncoding.EncodeToString(x509.MarshalPKCS1PrivateKey(rsaKey())),
			"OWN-KEY-8", base64.StdEncoding.EncodeToString(pkcs8()),
		).Replace(string(f.Data)))
		text := show(reply)
		if next := nextToken(reply); next != "" {
			token, text = next, strings.ReplaceAll(text, next, "NEXT-TOKEN")
		}
		played.Files = append(played.Files, f, txtar.File{Name: "reply " + what, Data: []byte(text)})
	}
	asked := []any{}
	for _, r := range g.mail.sent {
		asked = append(asked, r)
	}
	for _, b := range g.mail.bulks {
		asked = append(asked, b)
	}
	for _, f := range g.mail.filters {
		asked = append(asked, f)
	}
	if len(asked) > 0 {
		text, err := json.MarshalIndent(asked, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		played.Files = append(played.Files, txtar.File{Name: "asked", Data: append(text, '\n')})
	}
	return txtar.Format(played)
}

// arrange reads the lines above the first request: "mail: KIND RESOURCE SECONDS TEXT" lets
// sending fail, "store: broken" the store, "limit: NAME N" sets a limit, "rates: on" enforces
// the documented request rates.
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
			seconds, err := strconv.ParseFloat(words[2], 64)
			i := slices.IndexFunc(kinds, func(k fault.Kind) bool { return strings.ReplaceAll(k.String(), " ", "-") == words[0] })
			if err != nil || i < 0 {
				t.Fatalf("%q names no fault", line)
			}
			f := fault.New(kinds[i], words[1], "%s", words[3])
			f.RetryAfter = time.Duration(seconds * float64(time.Second))
			g.mail.fails = fmt.Errorf("send: %w", f)
		case "store":
			g.store.broken = errDisk
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

func send(t *testing.T, g *rig, text string) *httptest.ResponseRecorder {
	t.Helper()
	head, body, _ := strings.Cut(text, "\n\n")
	words := strings.Fields(head)
	key := "AKIDEXAMPLE"
	if len(words) > 2 {
		key = words[2]
	}
	if key == "unsigned" {
		key = ""
	}
	return g.do(t, words[0], words[1], strings.TrimSuffix(body, "\n"), key, g.now)
}

// show prints a reply. The request's ID is another one each time.
func show(w *httptest.ResponseRecorder) string {
	var b bytes.Buffer
	fmt.Fprintln(&b, w.Code)
	for _, name := range slices.Sorted(maps.Keys(w.Header())) {
		value := w.Header().Get(name)
		if name == "X-Amzn-Requestid" {
			value = "REQUEST-ID"
		}
		fmt.Fprintf(&b, "%s: %s\n", name, value)
	}
	fmt.Fprintf(&b, "\n%s\n", w.Body)
	return b.String()
}

func nextToken(w *httptest.ResponseRecorder) string {
	var out struct{ NextToken string }
	if json.Unmarshal(w.Body.Bytes(), &out) != nil {
		return ""
	}
	return out.NextToken
}
