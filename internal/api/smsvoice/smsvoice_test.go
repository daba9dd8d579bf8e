package smsvoice_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tidings/internal/api/smsvoice"
	"tidings/internal/fault"
)

// TestCompatibilityPage holds docs/compatibility.md to the operations there are: its
// table of operations has a row for each, and none more.
func TestCompatibilityPage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../../docs/compatibility.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(page), "\n### Operations of SMS and Voice\n")
	if !ok {
		t.Fatal(`docs/compatibility.md has no section "Operations of SMS and Voice"`)
	}
	section, _, _ = strings.Cut(section, "\n#")
	var listed []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([A-Za-z]+)` \\|([^|]*)\\|").FindAllStringSubmatch(section, -1) {
		listed = append(listed, row[1])
		if state := strings.TrimSpace(row[2]); state != "done" && state != "partial" {
			t.Errorf("docs/compatibility.md: %s is %q, want done or partial", row[1], state)
		}
	}
	slices.Sort(listed)
	if diff := cmp.Diff(smsvoice.New(smsvoice.Config{}).Operations(), listed); diff != "" {
		t.Errorf("the operations that are served and those in docs/compatibility.md (-served +listed):\n%s", diff)
	}
}

// TestWithoutACaller calls an operation past the handler, which knows the caller.
func TestWithoutACaller(t *testing.T) {
	t.Parallel()
	api := smsvoice.New(smsvoice.Config{})
	for _, target := range []string{
		"POST /v1/sms-voice/configuration-sets", "GET /v1/sms-voice/configuration-sets", "DELETE /v1/sms-voice/configuration-sets/a",
		"POST /v1/sms-voice/configuration-sets/a/event-destinations", "GET /v1/sms-voice/configuration-sets/a/event-destinations",
		"PUT /v1/sms-voice/configuration-sets/a/event-destinations/d", "DELETE /v1/sms-voice/configuration-sets/a/event-destinations/d",
		"POST /v1/sms-voice/voice/message",
	} {
		method, path, _ := strings.Cut(target, " ")
		call, err := api.Resolve(httptest.NewRequestWithContext(t.Context(), method, path, nil), nil)
		if err != nil {
			t.Fatalf("Resolve(%s) = %v", target, err)
		}
		if err := call.Serve(t.Context(), httptest.NewRecorder()); fault.From(err) == nil || fault.From(err).Kind != fault.Internal {
			t.Errorf("%s without a caller = %v, want an internal error", target, err)
		}
	}
}

// TestAccountsAndRegionsAreApart creates a set of one name in each of them.
func TestAccountsAndRegionsAreApart(t *testing.T) {
	t.Parallel()
	g := newRig()
	g.start(t)
	const path = "/v1/sms-voice/configuration-sets"
	for _, key := range []string{"AKIDEXAMPLE", "AKIDOTHER"} {
		if w := g.do(t, http.MethodPost, path, `{"ConfigurationSetName":"`+key+`"}`, key, g.now); w.Code != http.StatusOK {
			t.Fatalf("create = %d %s, want 200", w.Code, w.Body)
		}
	}
	for _, key := range []string{"AKIDEXAMPLE", "AKIDOTHER"} {
		if w := g.do(t, http.MethodGet, path, "", key, g.now); w.Body.String() != `{"ConfigurationSets":["`+key+`"]}` {
			t.Errorf("list for %s = %s, want its own set only", key, w.Body)
		}
	}
	for key := range g.store.sets {
		if key.Tenant.Region != "us-east-1" {
			t.Errorf("stored %v, want the region that was signed for", key)
		}
	}
}

// TestAllPages reads 250 sets in pages of every size that divides the work differently.
func TestAllPages(t *testing.T) {
	t.Parallel()
	g := newRig()
	g.start(t)
	var want []string
	for i := range 250 {
		name := "set-" + string(rune('a'+i%26)) + strings.Repeat("x", i/26)
		want = append(want, name)
		if w := g.do(t, http.MethodPost, "/v1/sms-voice/configuration-sets", `{"ConfigurationSetName":"`+name+`"}`, "AKIDEXAMPLE", g.now); w.Code != http.StatusOK {
			t.Fatalf("create = %d %s, want 200", w.Code, w.Body)
		}
	}
	slices.Sort(want)
	for _, size := range []string{"", "1", "99", "100"} {
		var got []string
		for query := "?PageSize=" + size; query != ""; {
			w := g.do(t, http.MethodGet, "/v1/sms-voice/configuration-sets"+query, "", "AKIDEXAMPLE", g.now)
			got = append(got, names(t, w)...)
			query = ""
			if token := nextToken(w); token != "" {
				query = "?NextToken=" + token + "&PageSize=" + size
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("all pages of size %q (-want +got):\n%s", size, diff)
		}
	}
}

// BenchmarkSendVoiceMessage sends a signed message through the whole handler, with nothing
// behind it.
func BenchmarkSendVoiceMessage(b *testing.B) {
	g := newRig()
	g.start(b)
	const body = `{"ConfigurationSetName":"calls","Content":{"PlainTextMessage":{"LanguageCode":"en-US","Text":"Your code is 1 2 3.","VoiceId":"Joanna"}},"DestinationPhoneNumber":"+14255550159","OriginationPhoneNumber":"+12065550153"}`
	r := request(b, http.MethodPost, "/v1/sms-voice/voice/message", body, "AKIDEXAMPLE", g.now)
	b.ReportAllocs()
	for b.Loop() {
		g.voice.sent = g.voice.sent[:0]
		r.Body = io.NopCloser(strings.NewReader(body))
		w := httptest.NewRecorder()
		g.handler.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			b.Fatalf("reply = %d %s, want 200", w.Code, w.Body)
		}
	}
}

func names(tb testing.TB, w *httptest.ResponseRecorder) []string {
	tb.Helper()
	var out struct{ ConfigurationSets []string }
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || w.Code != http.StatusOK {
		tb.Fatalf("list = %d %s, want 200", w.Code, w.Body)
	}
	return out.ConfigurationSets
}
