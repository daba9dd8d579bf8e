package pinpoint

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tidings/internal/tenant"
)

// FuzzStrings holds the strings to encoding/json: each is valid, on one line, and reads back
// as what encoding/json would have read.
func FuzzStrings(f *testing.F) {
	for _, s := range []string{"", "plain", `"quoted" \ and <html> & more`, "\x00\b\f\n\r\t\x1f\x7f", "ü€𝄞", "\u2028\u2029\u0085", "\xff\xed\xa0\x80", "end\xc3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		buf := appendString(nil, s)
		if strings.ContainsAny(string(buf), "\n\r\u2028\u2029") {
			t.Errorf("appendString(%q) = %q has a line break", s, buf)
		}
		var got, want string
		if err := json.Unmarshal(buf, &got); err != nil {
			t.Fatalf("appendString(%q) = %q: %v", s, buf, err)
		}
		reference, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(reference, &want); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("appendString(%q) reads as %q, want %q", s, got, want)
		}
	})
}

// FuzzNumbers holds the numbers to encoding/json: each is valid and the same number.
func FuzzNumbers(f *testing.F) {
	for _, n := range []float64{0, math.Copysign(0, -1), 1, -1, 1.5, 0.1, 1e21, 1e20, 1e-6, 9e-7, 1 << 53, -(1 << 53), 1<<53 - 1, math.MaxFloat64, math.SmallestNonzeroFloat64, math.NaN(), math.Inf(-1)} {
		f.Add(n)
	}
	f.Fuzz(func(t *testing.T, n float64) {
		reference, err := json.Marshal(n)
		if isNumber(n) != (err == nil) {
			t.Fatalf("isNumber(%v) = %v, while encoding/json says %v", n, isNumber(n), err)
		}
		if err != nil {
			return
		}
		buf := appendNumber(nil, n)
		var got float64
		if err := json.Unmarshal(buf, &got); err != nil {
			t.Fatalf("appendNumber(%v) = %q: %v", n, buf, err)
		}
		if math.Float64bits(got) != math.Float64bits(n) {
			t.Errorf("appendNumber(%v) = %q reads as %v; encoding/json writes %q", n, buf, got, reference)
		}
	})
}

// The record as encoding/json would write it, for comparison.
type (
	recordReference struct {
		EventType   string `json:"event_type"`
		Timestamp   int64  `json:"event_timestamp"`
		Arrival     int64  `json:"arrival_timestamp"`
		Version     string `json:"event_version"`
		Application struct {
			AppID       string  `json:"app_id"`
			PackageName *string `json:"package_name,omitempty"`
			SDK         struct {
				Name    *string `json:"name,omitempty"`
				Version *string `json:"version,omitempty"`
			} `json:"sdk"`
			Title       *string `json:"title,omitempty"`
			VersionName *string `json:"version_name,omitempty"`
			VersionCode *string `json:"version_code,omitempty"`
		} `json:"application"`
		Client struct {
			ID string `json:"client_id"`
		} `json:"client"`
		Device struct {
			Make     *string `json:"make,omitempty"`
			Model    *string `json:"model,omitempty"`
			Platform struct {
				Name    *string `json:"name,omitempty"`
				Version *string `json:"version,omitempty"`
			} `json:"platform"`
		} `json:"device"`
		Session struct {
			ID    *string `json:"session_id,omitempty"`
			Start *int64  `json:"start_timestamp,omitempty"`
			Stop  *int64  `json:"stop_timestamp,omitempty"`
		} `json:"session"`
		Attributes map[string]string  `json:"attributes"`
		Metrics    map[string]float64 `json:"metrics"`
		Endpoint   endpointReference  `json:"endpoint"`
		Account    string             `json:"awsAccountId"`
	}
	endpointReference struct {
		Address     *string `json:",omitempty"`
		Status      string  `json:"EndpointStatus"`
		OptOut      string
		RequestID   string `json:"RequestId"`
		Demographic struct {
			Make       *string `json:",omitempty"`
			Model      *string `json:",omitempty"`
			AppVersion *string `json:",omitempty"`
			Platform   *string `json:",omitempty"`
		} `json:",omitzero"`
		Effective  string              `json:"EffectiveDate"`
		Attributes map[string][]string `json:",omitempty"`
		User       struct {
			ID *string `json:"UserId,omitempty"`
		} `json:",omitzero"`
		App     string `json:"ApplicationId"`
		ID      string `json:"Id"`
		Cohort  string `json:"CohortId"`
		Created string `json:"CreationDate"`
	}
)

// FuzzRecord holds the record to what encoding/json makes of the same values.
func FuzzRecord(f *testing.F) {
	f.Add("purchase", "a", "1", "m", 1.5, "phone", "apple", "Shop", int64(1643673911400), true)
	f.Add("", "\"", "\\", "\x00", -0.1, "<&>", "\xff", "\u2028", int64(-1), false)
	f.Fuzz(func(t *testing.T, kind, key, value, metric string, number float64, id, maker, title string, millis int64, session bool) {
		if !isNumber(number) || millis < -1<<40 || millis > 1<<41 {
			return
		}
		at := time.UnixMilli(millis).UTC()
		e := &Endpoint{
			App: "app", ID: id, Created: at, Effective: at, Request: value, Address: &title, Status: StatusActive, OptOut: OptOutNone,
			Attributes: map[string][]string{key: {value, ""}}, Demographic: Demographic{Make: &maker, AppVersion: &value}, User: User{UserID: &key},
		}
		h := happening{Event: &Event{
			Type: kind, AppTitle: &title, SDKName: &maker, Attributes: map[string]string{key: value, "x" + key: title}, Metrics: map[string]float64{metric: number},
		}, at: at}
		var want recordReference
		want.EventType, want.Timestamp, want.Arrival, want.Version = kind, millis, millis, "3.1"
		want.Application.AppID, want.Application.Title, want.Application.VersionName, want.Application.SDK.Name = "app", &title, &value, &maker
		want.Client.ID, want.Device.Make, want.Attributes, want.Metrics, want.Account = id, &maker, h.Attributes, h.Metrics, "123456789012"
		if session {
			h.Session, h.start, h.stop, h.stopped = &Session{ID: key}, millis, millis+1, true
			want.Session.ID, want.Session.Start, want.Session.Stop = &key, &millis, new(millis+1)
		}
		w := &want.Endpoint
		w.Address, w.Status, w.OptOut, w.RequestID, w.Demographic.Make, w.Demographic.AppVersion = &title, "ACTIVE", "NONE", value, &maker, &value
		w.Effective, w.Created, w.Attributes, w.User.ID = at.Format(timeForm), at.Format(timeForm), e.Attributes, &key
		w.App, w.ID, w.Cohort = "app", id, itoa(e.Cohort())
		s := scene{app: &App{ID: "app", Tenant: tenant.Tenant{Account: "123456789012"}}, endpoint: e, arrived: at}
		record := s.appendRecord(nil, &h)
		reference, err := json.Marshal(&want)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(read(t, reference), read(t, record)); d != "" {
			t.Errorf("the record %s differs from that of encoding/json (-want +got):\n%s", record, d)
		}
	})
}

func itoa(n int) string { return string(appendNumber(nil, float64(n))) }

func read(t *testing.T, text []byte) (v any) {
	t.Helper()
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}
