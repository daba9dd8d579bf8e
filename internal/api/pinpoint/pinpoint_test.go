package pinpoint_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"tidings/internal/api/apitest"
	"tidings/internal/api/pinpoint"
)

// TestCompatibilityPage holds docs/compatibility.md to the operations there are.
func TestCompatibilityPage(t *testing.T) {
	t.Parallel()
	apitest.CheckPage(t, "Operations of Pinpoint", pinpoint.New(pinpoint.Config{}).Operations())
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
		apitest.CheckNeedsCaller(t, api, method, path, "")
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
