package pinpoint_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tidings/internal/api/pinpoint"
	"tidings/internal/fault"
)

// TestCompatibilityPage holds docs/compatibility.md to the operations there are: its table
// of operations has a row for each, and none more.
func TestCompatibilityPage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../../docs/compatibility.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(page), "\n### Operations of Pinpoint\n")
	if !ok {
		t.Fatal(`docs/compatibility.md has no section "Operations of Pinpoint"`)
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
	if diff := cmp.Diff(pinpoint.New(pinpoint.Config{}).Operations(), listed); diff != "" {
		t.Errorf("the operations that are served and those in docs/compatibility.md (-served +listed):\n%s", diff)
	}
}

// TestWithoutACaller calls operations past the handler, which knows the caller.
func TestWithoutACaller(t *testing.T) {
	t.Parallel()
	api := pinpoint.New(pinpoint.Config{})
	for _, target := range []string{
		"POST /v1/apps", "GET /v1/apps", "GET /v1/apps/a", "DELETE /v1/apps/a", "GET /v1/apps/a/settings", "PUT /v1/apps/a/settings",
		"POST /v1/apps/a/eventstream", "GET /v1/apps/a/eventstream", "DELETE /v1/apps/a/eventstream", "POST /v1/apps/a/events",
		"PUT /v1/apps/a/endpoints", "PUT /v1/apps/a/endpoints/e", "GET /v1/apps/a/endpoints/e", "DELETE /v1/apps/a/endpoints/e",
		"GET /v1/apps/a/users/u", "DELETE /v1/apps/a/users/u", "POST /v1/tags/a", "DELETE /v1/tags/a", "GET /v1/tags/a", "POST /v1/phone/number/validate",
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

// TestPathsOfTheFamily asks whose a path is. The paths of the other families must not be
// among them.
func TestPathsOfTheFamily(t *testing.T) {
	t.Parallel()
	api := pinpoint.New(pinpoint.Config{})
	for path, want := range map[string]bool{
		"/v1/apps": true, "/v1/apps/a/campaigns": true, "/v1/phone/number/validate": true, "/v1/tags/arn%3Aaws": true,
		"/v1/sms-voice/configuration-sets": false, "/v1/email/tags": false, "/": false, "/V1/apps": false,
	} {
		if got := api.Owns(httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)); got != want {
			t.Errorf("Owns(%s) = %v, want %v", path, got, want)
		}
	}
}
