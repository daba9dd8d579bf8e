package emailrest_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tidings/internal/api/apitest"
	"tidings/internal/api/emailrest"
)

// TestCompatibilityPage holds docs/compatibility.md to the operations there are.
func TestCompatibilityPage(t *testing.T) {
	t.Parallel()
	apitest.CheckPage(t, "Operations of Pinpoint Email", emailrest.NewPinpointEmail(emailrest.Config{}).Operations())
	apitest.CheckPage(t, "Operations of SES version 2", emailrest.NewV2(emailrest.Config{}).Operations())
}

// TestOneStoreBehindBothAPIs makes things through one API and looks at them through the other.
func TestOneStoreBehindBothAPIs(t *testing.T) {
	t.Parallel()
	g := newRig()
	g.start(t)
	must := func(method, target, body string) string {
		t.Helper()
		w := g.Do(t, method, target, body, "AKIDEXAMPLE")
		if w.Code != http.StatusOK {
			t.Fatalf("%s %s = %d %s, want 200", method, target, w.Code, w.Body)
		}
		return w.Body.String()
	}
	const set = "/email/configuration-sets/news"
	must(http.MethodPost, "/v2/email/configuration-sets", `{"ConfigurationSetName":"news","TrackingOptions":{"CustomRedirectDomain":"a.example.com","HttpsPolicy":"REQUIRE"},
		"DeliveryOptions":{"MaxDeliverySeconds":600},"SuppressionOptions":{"SuppressedReasons":[]},"VdmOptions":{"DashboardOptions":{"EngagementMetrics":"ENABLED"}}}`)
	must(http.MethodPost, "/v2"+set+"/event-destinations", `{"EventDestinationName":"d","EventDestination":{"MatchingEventTypes":["SEND"],
		"CloudWatchDestination":{"DimensionConfigurations":[{"DimensionName":"ses:from-domain","DimensionValueSource":"MESSAGE_TAG","DefaultDimensionValue":"a@b"}]}}}`)
	for target, want := range map[string]string{
		"/v1" + set:                         `{"ReputationOptions":{"ReputationMetricsEnabled":false},"SendingOptions":{"SendingEnabled":true},"Tags":[],"TrackingOptions":{"CustomRedirectDomain":"a.example.com"},"ConfigurationSetName":"news"}`,
		"/v1" + set + "/event-destinations": must(http.MethodGet, "/v2"+set+"/event-destinations", ""),
	} {
		if got := must(http.MethodGet, target, ""); got != want {
			t.Errorf("GET %s = %s, want %s", target, got, want)
		}
	}
	// What Pinpoint Email does not know, it leaves as it is.
	must(http.MethodPut, "/v1"+set+"/tracking-options", `{"CustomRedirectDomain":"b.example.com","HttpsPolicy":"OPTIONAL"}`)
	must(http.MethodPut, "/v1"+set+"/delivery-options", `{"TlsPolicy":"REQUIRE","MaxDeliverySeconds":300}`)
	want := `{"DeliveryOptions":{"MaxDeliverySeconds":600,"TlsPolicy":"REQUIRE"},"ReputationOptions":{"ReputationMetricsEnabled":false},"SendingOptions":{"SendingEnabled":true},` +
		`"SuppressionOptions":{"SuppressedReasons":[]},"Tags":[],"TrackingOptions":{"CustomRedirectDomain":"b.example.com","HttpsPolicy":"REQUIRE"},` +
		`"VdmOptions":{"DashboardOptions":{"EngagementMetrics":"ENABLED"}},"ConfigurationSetName":"news"}`
	if got := must(http.MethodGet, "/v2"+set, ""); got != want {
		t.Errorf("GET /v2%s = %s, want %s", set, got, want)
	}
}

// TestAllPages reads 250 sets in pages of every size that divides the work differently.
func TestAllPages(t *testing.T) {
	t.Parallel()
	g := newRig()
	g.start(t)
	const path = "/v1/email/configuration-sets"
	var want []string
	for i := range 250 {
		name := "set-" + string(rune('a'+i%26)) + strings.Repeat("x", i/26)
		want = append(want, name)
		if w := g.Do(t, http.MethodPost, path, `{"ConfigurationSetName":"`+name+`"}`, "AKIDEXAMPLE"); w.Code != http.StatusOK {
			t.Fatalf("create = %d %s, want 200", w.Code, w.Body)
		}
	}
	slices.Sort(want)
	for _, size := range []string{"", "0", "1", "249", "250", "1000"} {
		var got []string
		for query := "?PageSize=" + size; query != ""; {
			w := g.Do(t, http.MethodGet, path+query, "", "AKIDEXAMPLE")
			var out struct {
				ConfigurationSets []string
				NextToken         string
			}
			if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || w.Code != http.StatusOK {
				t.Fatalf("list = %d %s, want 200", w.Code, w.Body)
			}
			got = append(got, out.ConfigurationSets...)
			if query = ""; out.NextToken != "" {
				query = "?NextToken=" + out.NextToken + "&PageSize=" + size
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("all pages of size %q (-want +got):\n%s", size, diff)
		}
	}
}
