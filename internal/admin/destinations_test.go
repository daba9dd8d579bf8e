package admin_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tidings/internal/admin"
)

func TestDestinations(t *testing.T) {
	t.Parallel()
	h := &house{}
	c := open(t, h, "token")
	list, err := c.Destinations(t.Context())
	if err != nil || len(list.Destinations) != 1 || list.Destinations[0].Delivered != 7 || len(list.Bindings) != 1 {
		t.Errorf("Destinations = %+v, %v, want the one there is and its binding", list, err)
	}
	trial := admin.Trial{ARN: "arn:aws:sns:us-east-1:123456789012:x", Role: "r"}
	result, err := c.Test(t.Context(), trial)
	if err != nil || result.Driver != "file" || string(result.Record) != `{"eventType":"TEST"}` {
		t.Errorf("Test = %+v, %v", result, err)
	}
	if diff := cmp.Diff([]admin.Trial{trial}, h.places.tried); diff != "" {
		t.Errorf("the server was asked for (-want +got):\n%s", diff)
	}
	h.places.refuse = errors.New("arn: it is none")
	if _, err := c.Test(t.Context(), trial); err == nil || !strings.Contains(err.Error(), "it is none") {
		t.Errorf("Test of what is no ARN = %v, want the reason", err)
	}
}

func TestReplay(t *testing.T) {
	t.Parallel()
	h := &house{}
	c := open(t, h, "")
	before := time.Now()
	done, err := c.Replay(t.Context(), admin.Replay{From: "1h", Types: []string{"voice.*"}, Destination: "d", Message: "m"})
	if err != nil || done.Events != 2 || done.Deliveries != 3 || done.Through.Before(before) {
		t.Errorf("Replay = %+v, %v, want 2 events and 3 deliveries through now", done, err)
	}
	if len(h.places.replayed) != 1 {
		t.Fatalf("%d replays were asked for, want 1", len(h.places.replayed))
	}
	got := h.places.replayed[0]
	if got.Destination != "d" || got.Message != "m" || len(got.Types) != 1 || before.Sub(got.Since) < 59*time.Minute || got.Until.Before(before) {
		t.Errorf("the server was asked for %+v, want the last hour of m to d", got)
	}
	for name, r := range map[string]admin.Replay{
		"without from": {},
		"bad from":     {From: "yesterday"},
		"bad to":       {From: "1h", To: "tomorrow"},
		"backwards":    {From: "1h", To: "2h"},
	} {
		if _, err := c.Replay(t.Context(), r); err == nil {
			t.Errorf("Replay %s = nil, want it refused", name)
		}
	}
	h.places.refuse = errors.New("the disk is full")
	if _, err := c.Replay(t.Context(), admin.Replay{From: "1h"}); err == nil || !strings.Contains(err.Error(), "after 3 deliveries") {
		t.Errorf("Replay that fails = %v, want how far it came", err)
	}
}

func TestBadBodies(t *testing.T) {
	t.Parallel()
	c := open(t, &house{}, "")
	for _, path := range []string{"/v1/destinations/test", "/v1/replay"} {
		for _, body := range []string{"", "{", `{"unknown":1}`, `[]`, `"x"`} {
			resp, err := c.HTTP.Post(c.URL+path, "application/json", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode != http.StatusBadRequest {
				t.Errorf("POST %s %q = %d, want 400", path, body, resp.StatusCode)
			}
		}
	}
}
