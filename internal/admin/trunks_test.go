package admin_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tidings/internal/admin"
)

// lines is a carrier with these trunks.
type lines []admin.Trunk

func (l lines) Trunks() []admin.Trunk { return l }

func TestTrunks(t *testing.T) {
	t.Parallel()
	since := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for name, want := range map[string]lines{
		"none": {},
		"two": {
			{Name: "a", Server: "sip.example", Transport: "tls", Prefixes: []string{"+1"}, State: "up", Since: &since, Calls: 2, MaxCalls: 3, RoundTrip: 0.01},
			{Name: "b", Server: "192.0.2.1:5060", Transport: "udp", State: "down", LastError: "no answer"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer((&admin.Server{Carrier: want}).Handler())
			t.Cleanup(server.Close)
			got, err := (&admin.Client{URL: server.URL}).Trunks(t.Context())
			if diff := cmp.Diff([]admin.Trunk(want), got); err != nil || diff != "" {
				t.Errorf("Trunks: %v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestTrunksAreAList(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "http://localhost/v1/trunks", http.NoBody)
	(&admin.Server{Carrier: lines(nil)}).Handler().ServeHTTP(w, r)
	if body := strings.TrimSpace(w.Body.String()); body != `{"trunks":[]}` {
		t.Errorf("body without trunks = %s, want an empty list", body)
	}
}
