package pinpoint_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tidings/internal/pinpoint"
)

var update = flag.Bool("update", false, "write the golden files anew")

// appInFiles stands for the ID of the app in golden files.
const appInFiles = "095892d7000000000000000000000000"

// golden compares a record with testdata/NAME.json, which is indented for people. testdata/README.md
// says where each member comes from.
func golden(t *testing.T, name, app string, record []byte) {
	t.Helper()
	if bytes.ContainsAny(record, "\n\r") {
		t.Errorf("the record %s has a line break", name)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, record, "", "  "); err != nil {
		t.Fatalf("the record %s is no JSON: %v\n%s", name, err, record)
	}
	got := strings.ReplaceAll(out.String(), app, appInFiles) + "\n"
	path := filepath.Join("testdata", name+".json")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	wantSame(t, "the record "+name, string(want), got)
}

func TestRecords(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		item pinpoint.Item
	}{
		{"session_start", pinpoint.Item{
			Endpoint: "11954862-0000-4000-8000-000000000000",
			Change: &pinpoint.EndpointChange{
				Attributes: map[string][]string{"DeviceType": {"mobile"}},
				Demographic: &pinpoint.Demographic{
					AppVersion: new(""), Locale: new("en_gb"), Make: new("WebKit"), Model: new("Mobile Safari"),
					Platform: new("ios"), PlatformVersion: new("14.4.1"),
				},
				EffectiveDate: new("2022-02-01T00:05:11.400Z"), Location: &pinpoint.Location{Country: new("GB")},
				Metrics: map[string]float64{"sessions": 1}, OptOut: new("ALL"), RequestID: new("7e91ec4f-0000-4000-8000-000000000000"),
			},
			Events: []pinpoint.Event{{
				Type: "_session.start", Timestamp: "2022-02-01T00:05:11.400Z",
				Attributes: map[string]string{"title": "Page title"}, Metrics: map[string]float64{"elapsed": 2, "year": 2022},
				Session: &pinpoint.Session{ID: "553036e4-0000-4000-8000-000000000000", Start: "2022-02-01T00:05:11.395Z"},
			}},
		}},
		{"everything", pinpoint.Item{
			Endpoint: "phone <1> & \"2\"",
			Change: &pinpoint.EndpointChange{
				Address: new("a@example.com"), Attributes: map[string][]string{"plan": {"free", "trial"}, "näme": {""}}, ChannelType: new("EMAIL"),
				Demographic: &pinpoint.Demographic{
					AppVersion: new("1.2"), Locale: new("de_CH"), Make: new("apple"), Model: new("iPhone"), ModelVersion: new("12"),
					Platform: new("ios"), PlatformVersion: new("14"), Timezone: new("Europe/Zurich"),
				},
				EffectiveDate: new("2026-01-01T01:00:00+01:00"), EndpointStatus: new("INACTIVE"),
				Location: &pinpoint.Location{
					City: new("Zürich"), Country: new("CH"), Latitude: new(47.37), Longitude: new(-8.5), PostalCode: new("8001"), Region: new("ZH"),
				},
				Metrics: map[string]float64{"visits": 1.5e-9, "size": 1e21}, OptOut: new("NONE"), RequestID: new("r"),
				User: &pinpoint.User{UserID: new("u"), UserAttributes: map[string][]string{"role": {"admin"}}},
			},
			Events: []pinpoint.Event{{
				Type: "purchase", Timestamp: "2026-01-01T00:00:00.000Z", AppPackageName: new("com.example.shop"), AppTitle: new("Shop\t\u2028\u0001"),
				AppVersionCode: new("12"), ClientSDKVersion: new("2.3"), SDKName: new("aws-sdk-mobile"),
				Attributes: map[string]string{"b": "2", "a": "1"}, Metrics: map[string]float64{"price": 9.99, "count": -3},
				Session: &pinpoint.Session{ID: "s", Start: "2026-01-01T00:00:00Z", Stop: new("2026-01-01T00:01:00Z")},
			}},
		}},
		{"bare", item("e", pinpoint.Event{Type: "x", Timestamp: "2026-01-01T00:00:00Z"})},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			// As when the sample was written.
			r.clock.now = time.Date(2022, 2, 1, 0, 5, 12, 482e6, time.UTC)
			if tt.name == "session_start" {
				r.clock.now = time.Date(2022, 2, 1, 0, 5, 11, 400e6, time.UTC)
			}
			app := r.app(t, "shop")
			if got := r.put(t, app, tt.item); got[0].Endpoint != accepted || got[0].Events[0] != accepted {
				t.Fatalf("PutEvents = %v, want it accepted", got)
			}
			all := r.log.published()
			if len(all) != 1 {
				t.Fatalf("%d events were published, want 1", len(all))
			}
			record := all[0].Record
			// The cohort depends on the ID of the app, which is another each time.
			e := r.endpoint(t, app, tt.item.Endpoint)
			cohort := decoded(t, record)["endpoint"].(map[string]any)["CohortId"]
			if want := itoa(e.Cohort()); cohort != want {
				t.Errorf("CohortId = %v, want %q", cohort, want)
			}
			record = bytes.Replace(record, []byte(`"CohortId":"`+itoa(e.Cohort())+`"`), []byte(`"CohortId":"48"`), 1)
			golden(t, tt.name, app, record)
		})
	}
}

// TestRecordIsThatOfAWS compares with a record that AWS has written, member by member, but for
// what the caller's Cognito identity adds. testdata/README.md names the source.
func TestRecordIsThatOfAWS(t *testing.T) {
	t.Parallel()
	of := func(path string) map[string]any {
		t.Helper()
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return decoded(t, text)
	}
	want, got := of("testdata/aws_session_start.json"), of("testdata/session_start.json")
	delete(want["application"].(map[string]any), "cognito_identity_pool_id")
	delete(want["client"].(map[string]any), "cognito_id")
	want["arrival_timestamp"] = got["arrival_timestamp"] // of the server's clock
	wantSame(t, "the record of AWS", want, got)
}
