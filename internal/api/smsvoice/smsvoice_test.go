package smsvoice_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tidings/internal/api/apitest"
	"tidings/internal/api/smsvoice"
)

// TestCompatibilityPage holds docs/compatibility.md to the operations there are.
func TestCompatibilityPage(t *testing.T) {
	t.Parallel()
	apitest.CheckPage(t, "Operations of SMS and Voice", smsvoice.New(smsvoice.Config{}).Operations())
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
		apitest.CheckNeedsCaller(t, api, method, path, "")
	}
}

// TestAccountsAndRegionsAreApart creates a set of one name in each of them.
func TestAccountsAndRegionsAreApart(t *testing.T) {
	t.Parallel()
	g := newRig()
	g.start(t)
	const path = "/v1/sms-voice/configuration-sets"
	for _, key := range []string{"AKIDEXAMPLE", "AKIDOTHER"} {
		if w := g.Do(t, http.MethodPost, path, `{"ConfigurationSetName":"`+key+`"}`, key); w.Code != http.StatusOK {
			t.Fatalf("create = %d %s, want 200", w.Code, w.Body)
		}
	}
	for _, key := range []string{"AKIDEXAMPLE", "AKIDOTHER"} {
		if w := g.Do(t, http.MethodGet, path, "", key); w.Body.String() != `{"ConfigurationSets":["`+key+`"]}` {
			t.Errorf("list for %s = %s, want its own set only", key, w.Body)
		}
	}
	for _, key := range g.Store.Keys() {
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
		if w := g.Do(t, http.MethodPost, "/v1/sms-voice/configuration-sets", `{"ConfigurationSetName":"`+name+`"}`, "AKIDEXAMPLE"); w.Code != http.StatusOK {
			t.Fatalf("create = %d %s, want 200", w.Code, w.Body)
		}
	}
	slices.Sort(want)
	for _, size := range []string{"", "1", "99", "100"} {
		var got []string
		for query := "?PageSize=" + size; query != ""; {
			w := g.Do(t, http.MethodGet, "/v1/sms-voice/configuration-sets"+query, "", "AKIDEXAMPLE")
			got = append(got, names(t, w)...)
			query = ""
			if token := apitest.NextToken(w); token != "" {
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
	g.Bench(b, http.MethodPost, "/v1/sms-voice/voice/message", body, func() { g.voice.sent = g.voice.sent[:0] })
}

func names(tb testing.TB, w *httptest.ResponseRecorder) []string {
	tb.Helper()
	var out struct{ ConfigurationSets []string }
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || w.Code != http.StatusOK {
		tb.Fatalf("list = %d %s, want 200", w.Code, w.Body)
	}
	return out.ConfigurationSets
}
