package pinpoint

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"tidings/internal/account"
	"tidings/internal/awsapi"
	"tidings/internal/awsapi/sigv4"
	"tidings/internal/fault"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestGolden plays the scenarios of testdata/*.txtar through the whole handler, over a
// feature that answers the same each time. A scenario is a list of requests, each with the
// reply it must get:
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
//
// KEY is the ID of the key it is signed with, or AKIDEXAMPLE if left out. A line "fails: KIND
// SECONDS TEXT" above the first request lets the feature fail.
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

const secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

// play sends the requests of a scenario and returns it with the replies they got.
func play(t *testing.T, scenario *txtar.Archive) []byte {
	t.Helper()
	played := &txtar.Archive{Comment: scenario.Comment}
	for _, f := range scenario.Files {
		what, ok := strings.CutPrefix(f.Name, "request ")
		if !ok {
			continue
		}
		apps := full()
		apps.fails, apps.more = failure(t, string(scenario.Comment)), false
		reply := send(t, handler(t, apps), string(f.Data))
		played.Files = append(played.Files, f, txtar.File{Name: "reply " + what, Data: []byte(show(reply))})
	}
	return txtar.Format(played)
}

func handler(t *testing.T, apps *recorder) http.Handler {
	t.Helper()
	tokens, err := awsapi.NewPageTokens(make([]byte, awsapi.PageTokenSecret))
	if err != nil {
		t.Fatal(err)
	}
	clock := func() time.Time { return at }
	mine := &account.Account{ID: "123456789012"}
	keys := account.NewDirectory(
		&account.Key{ID: "AKIDEXAMPLE", Secret: secret, Account: mine},
		&account.Key{ID: "AKIDREADER", Secret: secret, Account: mine, Allow: []string{"mobiletargeting:Get*"}},
	)
	return awsapi.NewHandler(awsapi.Options{
		Families: []awsapi.Family{New(Config{Apps: apps, Tokens: tokens})}, Verifier: sigv4.New(keys, clock), Now: clock,
	})
}

// kinds are the faults that a scenario can make the feature fail with.
var kinds = []fault.Kind{
	fault.Internal, fault.Invalid, fault.NotFound, fault.Exists, fault.LimitExceeded, fault.Throttled, fault.Denied, fault.Unavailable,
}

// failure is what the lines above the first request let the feature fail with.
func failure(t *testing.T, comment string) error {
	t.Helper()
	_, line, ok := strings.Cut(comment, "fails: ")
	if !ok {
		return nil
	}
	words := strings.SplitN(strings.TrimSpace(line), " ", 3)
	seconds, err := strconv.ParseFloat(words[1], 64)
	i := slices.IndexFunc(kinds, func(k fault.Kind) bool { return strings.ReplaceAll(k.String(), " ", "-") == words[0] })
	if err != nil || i < 0 {
		t.Fatalf("%q names no fault", line)
	}
	f := fault.New(kinds[i], fault.App, "%s", words[2])
	f.RetryAfter = time.Duration(seconds * float64(time.Second))
	return fmt.Errorf("do it: %w", f)
}

func send(t *testing.T, h http.Handler, text string) *httptest.ResponseRecorder {
	t.Helper()
	head, body, _ := strings.Cut(text, "\n\n")
	words := append(strings.Fields(head), "AKIDEXAMPLE")
	body = strings.TrimSuffix(body, "\n")
	u, err := url.ParseRequestURI(words[1])
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), words[0], "http://127.0.0.1:4570/", strings.NewReader(body))
	r.RequestURI, r.URL.Path, r.URL.RawPath, r.URL.RawQuery = words[1], u.Path, u.RawPath, u.RawQuery
	sum := sha256.Sum256([]byte(body))
	credentials := aws.Credentials{AccessKeyID: words[2], SecretAccessKey: secret}
	if err := v4.NewSigner().SignHTTP(t.Context(), credentials, r, hex.EncodeToString(sum[:]), Service, "us-east-1", at); err != nil {
		t.Fatal(err)
	}
	r.URL.RawQuery = u.RawQuery // as a client sends it, not as it was signed
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// show prints a reply. The request's ID is another one each time.
func show(w *httptest.ResponseRecorder) string {
	var b bytes.Buffer
	fmt.Fprintln(&b, w.Code)
	for _, name := range slices.Sorted(maps.Keys(w.Header())) {
		fmt.Fprintf(&b, "%s: %s\n", name, w.Header().Get(name))
	}
	fmt.Fprintf(&b, "\n%s\n", w.Body)
	return strings.ReplaceAll(b.String(), w.Header().Get("X-Amzn-Requestid"), "REQUEST-ID")
}
