package pinpoint

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tidings/internal/api/apitest"
	"tidings/internal/awsapi"
	"tidings/internal/pinpoint"
	"tidings/internal/tenant"
)

// TestItemsKeepTheirOrder reads items and events that are not in the order of their names,
// some of them twice: the last one counts, in the place of the first.
func TestItemsKeepTheirOrder(t *testing.T) {
	t.Parallel()
	r := newReader([]byte(`{"BatchItem":{
		"b":{"Endpoint":{},"Events":{"2":{"EventType":"old"},"1":{"EventType":"one"},"2":{"EventType":"two"},"0":null}},
		"a":{"Endpoint":{"Address":"old"},"Events":{}},
		"a":{"Endpoint":{"Address":"new","Address":null}},
		"c":null}}`))
	got := readBatch(r)
	if err := r.end(); err != nil {
		t.Fatal(err)
	}
	want := []pinpoint.Item{
		{Endpoint: "b", Change: &pinpoint.EndpointChange{}, Events: []pinpoint.Event{{ID: "2", Type: "two"}, {ID: "1", Type: "one"}, {ID: "0"}}},
		{Endpoint: "a", Change: &pinpoint.EndpointChange{}},
		{Endpoint: "c"},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("readBatch (-want +got):\n%s", diff)
	}
}

// TestWhatIsWrongWithABody reads bodies that are no good, and compares the sentences.
func TestWhatIsWrongWithABody(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"BatchItem":`:                    "The request body is not JSON: at byte 14, a value is missing.",
		`{"BatchItem":{"a":{}}`:            "The request body is not JSON: at byte 22, a comma is missing.",
		`{"BatchItem":{"a":{},}}`:          "The request body is not JSON: at byte 22, a string is missing.",
		`{"BatchItem" {}}`:                 "The request body is not JSON: at byte 14, a colon is missing.",
		`{"a":[1,]}`:                       "The request body is not JSON: at byte 9, a value is missing.",
		`{"a":"b`:                          "The request body is not JSON: at byte 8, it ends in a string.",
		"{\"a\":\"b\tc\"}":                 "The request body is not JSON: at byte 8, a control character stands in a string.",
		`{"a":"\q"}`:                       "The request body is not JSON: at byte 8, a backslash stands before a character that is none to escape.",
		`{"a":"\u00g0"}`:                   "The request body is not JSON: at byte 9, four hexadecimal digits are missing.",
		`{}x`:                              "The request body is not JSON: at byte 3, more follows behind the value.",
		strings.Repeat(`{"a":`, 10_001):    "The request body is not JSON: at byte 50002, it is nested too deep.",
		`{"BatchItem":[]}`:                 "BatchItem must be an object, not an array.",
		`{"BatchItem":{"a":{"Events":1}}}`: "BatchItem.a.Events must be an object, not a number.",
		`{"BatchItem":{"a":{"Events":{"1":{"Metrics":{"m":1e999}}}}}}`:                  "BatchItem.a.Events.1.Metrics.m must be a number that fits 64 bits, not 1e999.",
		`{"BatchItem":{"a":{"Endpoint":{"Attributes":{"k":["v",false]}}}}}`:             "BatchItem.a.Endpoint.Attributes.k must be a string, not true or false.",
		`{"BatchItem":{"` + strings.Repeat("é", 40) + `":{"Endpoint":{"Address":[]}}}}`: "BatchItem." + strings.Repeat("é", 32) + "….Endpoint.Address must be a string, not an array.",
	} {
		r := newReader([]byte(body))
		readBatch(r)
		if err := r.end(); err == nil || err.Error() != want {
			t.Errorf("%.80s: %v, want %q", body, err, want)
		}
	}
}

// TestSettingsStay sets the settings of an app one after the other, beginning with none.
func TestSettingsStay(t *testing.T) {
	t.Parallel()
	apps := full()
	apps.app.Settings = nil
	api := New(Config{Apps: apps})
	set := []string{
		`"CampaignHook":{"Mode":"DELIVERY"}`, `"JourneyLimits":{"DailyCap":3}`, `"Limits":{"Daily":0}`, `"QuietTime":{"End":"06:00"}`,
	}
	for _, one := range set {
		if _, err := apitest.Call(t, api, http.MethodPut, "/v1/apps/a/settings", "{"+one+"}"); err != nil {
			t.Fatalf("set %s: %v", one, err)
		}
	}
	w, err := apitest.Call(t, api, http.MethodGet, "/v1/apps/a/settings", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range set {
		if !strings.Contains(w.Body.String(), one) {
			t.Errorf("the settings are %s, want %s among them", w.Body, one)
		}
	}
}

// TestWhoPutAStream looks at what the feature is told of the caller.
func TestWhoPutAStream(t *testing.T) {
	t.Parallel()
	apps := full()
	if _, err := apitest.Call(t, New(Config{Apps: apps}), http.MethodPost, "/v1/apps/a/eventstream", `{}`); err != nil {
		t.Fatal(err)
	}
	if by := "arn:aws:iam::123456789012:access-key/AKID"; !slices.Contains(apps.asked, any(by)) {
		t.Errorf("the feature was asked %v, want %s among it", apps.asked, by)
	}
}

// shelf has many apps, a millisecond apart.
type shelf struct {
	*recorder
	apps []*pinpoint.App
}

func (s *shelf) Apps(_ context.Context, _ tenant.Tenant, after pinpoint.Position, limit int) ([]*pinpoint.App, bool, error) {
	rest := s.apps
	for len(rest) > 0 && rest[0].Position().Compare(after) <= 0 {
		rest = rest[1:]
	}
	return rest[:min(limit, len(rest))], len(rest) > limit, nil
}

// TestAllPagesOfApps reads 25 apps in pages of several sizes.
func TestAllPagesOfApps(t *testing.T) {
	t.Parallel()
	s := &shelf{recorder: full()}
	var want []string
	for i := range 25 {
		name := fmt.Sprintf("app-%02d", i)
		s.apps = append(s.apps, &pinpoint.App{ID: name, Name: name, Created: at.AddDate(0, 0, i/3)})
		want = append(want, name)
	}
	tokens, err := awsapi.NewPageTokens(make([]byte, awsapi.PageTokenSecret))
	if err != nil {
		t.Fatal(err)
	}
	api := New(Config{Apps: s, Tokens: tokens})
	for _, size := range []string{"", "1", "7", "25", "100"} {
		var got []string
		for token, more := "", true; more; more = token != "" {
			w, err := apitest.Call(t, api, http.MethodGet, "/v1/apps?page-size="+size+"&token="+token, "")
			if err != nil {
				t.Fatal(err)
			}
			var page applications
			unmarshal(t, w.Body.Bytes(), &page)
			for _, app := range page.Item {
				got = append(got, app.Name)
			}
			token = page.NextToken
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("all pages of size %q (-want +got):\n%s", size, diff)
		}
	}
}

// TestTheSizeOfARequest: a limit of the feature is about the bytes of the whole request.
func TestTheSizeOfARequest(t *testing.T) {
	t.Parallel()
	apps := full()
	body := `{"BatchItem": {"é": {"Events": {}}} }`
	if _, err := apitest.Call(t, New(Config{Apps: apps}), http.MethodPost, "/v1/apps/a/events", body); err != nil {
		t.Fatal(err)
	}
	if b, ok := apps.asked[1].(pinpoint.Batch); !ok || b.Size != len(body) {
		t.Errorf("the feature was asked %+v, want a batch of %d bytes", apps.asked, len(body))
	}
}
