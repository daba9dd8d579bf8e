package admin_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tidings/internal/admin"
	"tidings/internal/event"
	"tidings/internal/fanout"
	"tidings/internal/tenant"
)

// house is what stands behind the admin listener, in memory.
type house struct {
	ready   bool
	events  []event.Event
	letters []fanout.DeadLetter
	retried []string
	refuse  error
	places  places
}

func (h *house) Tail(_ context.Context, since time.Time, _ bool, each func(time.Time, event.Event) error) error {
	for _, e := range h.events {
		if e.Time.Before(since) {
			continue
		}
		if err := each(e.Time, e); err != nil {
			return err
		}
	}
	return nil
}

func (h *house) Remove(_ context.Context, ids ...string) error {
	h.letters = slices.DeleteFunc(h.letters, func(l fanout.DeadLetter) bool { return slices.Contains(ids, l.ID) })
	return h.refuse
}

// places is what events are delivered to, in memory.
type places struct {
	tried    []admin.Trial
	replayed []admin.Replay
	refuse   error
}

func (*places) List() ([]fanout.SubscriberStatus, []string) {
	return []fanout.SubscriberStatus{{Destination: "a/b", State: fanout.OK, Delivered: 7}}, []string{"* -> file"}
}

func (p *places) Test(_ context.Context, t admin.Trial) (admin.TrialResult, error) {
	p.tried = append(p.tried, t)
	return admin.TrialResult{Driver: "file", Record: []byte(`{"eventType":"TEST"}`)}, p.refuse
}

func (p *places) Replay(_ context.Context, r admin.Replay) (admin.Replayed, error) {
	p.replayed = append(p.replayed, r)
	return admin.Replayed{Events: 2, Deliveries: 3, Through: r.Until}, p.refuse
}

func (h *house) Retry(_ context.Context, ids ...string) error {
	h.retried = append(h.retried, ids...)
	return h.refuse
}

func (h *house) List(_ context.Context, after string, limit int) ([]fanout.DeadLetter, error) {
	i := slices.IndexFunc(h.letters, func(l fanout.DeadLetter) bool { return l.ID == after })
	return h.letters[i+1 : min(i+1+limit, len(h.letters))], nil
}

func open(t *testing.T, h *house, token string) *admin.Client {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(prometheus.NewCounter(prometheus.CounterOpts{Name: "tidings_test_total"}))
	s := &admin.Server{
		Version: "v1", Token: token, Events: h, Deliveries: h, Letters: h, Gatherer: registry, Log: slog.New(slog.DiscardHandler),
		Destinations: &h.places, Replayer: &h.places,
		Parts: []admin.Part{{Name: "store", Check: func() admin.PartStatus {
			return admin.PartStatus{Ready: h.ready, State: "ok", Detail: "fine"}
		}}},
	}
	server := httptest.NewServer(s.Handler())
	t.Cleanup(server.Close)
	return &admin.Client{URL: server.URL, Token: token, HTTP: server.Client()}
}

func status(t *testing.T, c *admin.Client, method, path string, set func(*http.Request)) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, c.URL+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if set != nil {
		set(r)
	}
	resp, err := c.HTTP.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

func TestEveryPageAnswers(t *testing.T) {
	t.Parallel()
	c := open(t, &house{ready: true}, "")
	for _, path := range []string{"/", "/healthz", "/readyz", "/metrics", "/v1/events", "/v1/destinations", "/v1/deadletters", "/debug/pprof/"} {
		if got := status(t, c, http.MethodGet, path, nil); got != http.StatusOK {
			t.Errorf("GET %s = %d, want 200", path, got)
		}
	}
	for path, want := range map[string]int{"/nothing": 404, "/v1/events?since=yesterday": 400, "/v1/events?follow=maybe": 400, "/v1/deadletters?limit=0": 400, "/v1/deadletters/retry": 405} {
		if got := status(t, c, http.MethodGet, path, nil); got != want {
			t.Errorf("GET %s = %d, want %d", path, got, want)
		}
	}
}

func TestReadiness(t *testing.T) {
	t.Parallel()
	h := &house{}
	c := open(t, h, "")
	if got := status(t, c, http.MethodGet, "/readyz", nil); got != http.StatusServiceUnavailable {
		t.Errorf("/readyz of a part that is not ready = %d, want 503", got)
	}
	ready, err := c.Ready(t.Context())
	if err != nil || ready.Ready || ready.Parts["store"].Detail != "fine" {
		t.Errorf("Ready = %+v, %v, want the parts of a server that is not ready", ready, err)
	}
}

func TestTokenIsAskedFor(t *testing.T) {
	t.Parallel()
	c := open(t, &house{ready: true}, "s3cret")
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/metrics": 401, "/v1/events": 401, "/debug/pprof/": 401} {
		if got := status(t, c, http.MethodGet, path, nil); got != want {
			t.Errorf("GET %s without the token = %d, want %d", path, got, want)
		}
	}
	wrong := func(r *http.Request) { r.Header.Set("Authorization", "Bearer wrong") }
	if got := status(t, c, http.MethodGet, "/metrics", wrong); got != http.StatusUnauthorized {
		t.Errorf("a wrong token is answered with %d", got)
	}
	if _, err := c.DeadLetters(t.Context(), "", 10); err != nil {
		t.Errorf("DeadLetters with the token = %v", err)
	}
}

func TestOtherHostsAndOriginsAreRefused(t *testing.T) {
	t.Parallel()
	h := &house{ready: true}
	c := open(t, h, "")
	rebound := func(r *http.Request) { r.Host = "evil.example" }
	if got := status(t, c, http.MethodGet, "/v1/events", rebound); got != http.StatusForbidden {
		t.Errorf("a page of a host that points at this machine = %d, want 403", got)
	}
	foreign := func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }
	if got := status(t, c, http.MethodPost, "/v1/deadletters/retry", foreign); got != http.StatusForbidden || len(h.retried) > 0 {
		t.Errorf("a form on a foreign page = %d, want 403", got)
	}
}

func TestTail(t *testing.T) {
	t.Parallel()
	now := time.Now()
	h := &house{events: []event.Event{
		{ID: "old/ringing", Type: event.VoiceRinging, Time: now.Add(-time.Hour), Record: []byte(`{}`)},
		{ID: "m/ringing", Type: event.VoiceRinging, Time: now, Tenant: tenant.Tenant{Account: "1", Region: "r"}, Set: "s", Message: "m", Record: []byte(`{"a":1}`)},
	}}
	var got []admin.Entry
	err := open(t, h, "").Tail(t.Context(), "10m", false, func(e admin.Entry) error { got = append(got, e); return nil })
	if err != nil || len(got) != 1 || got[0].ID != "m/ringing" || string(got[0].Record) != `{"a":1}` || got[0].Set != "s" {
		t.Errorf("Tail = %+v, %v, want the younger event", got, err)
	}
	enough := errors.New("enough")
	if err := open(t, h, "").Tail(t.Context(), "2h", true, func(admin.Entry) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("Tail = %v, want the error of each", err)
	}
}

func TestDeadLetters(t *testing.T) {
	t.Parallel()
	h := &house{letters: []fanout.DeadLetter{{ID: "1", Reason: "broken"}, {ID: "2"}, {ID: "3"}}}
	for i := range h.letters {
		h.letters[i].Delivery.Event.Record = []byte(`{}`)
	}
	c := open(t, h, "")
	letters, err := c.DeadLetters(t.Context(), "1", 1)
	if err != nil || len(letters) != 1 || letters[0].ID != "2" {
		t.Errorf("DeadLetters = %+v, %v, want the one behind 1", letters, err)
	}
	if err := c.Retry(t.Context(), "1", "3"); err != nil || !slices.Equal(h.retried, []string{"1", "3"}) {
		t.Errorf("Retry = %v and retried %v", err, h.retried)
	}
	if err := c.Forget(t.Context(), "2"); err != nil || len(h.letters) != 2 {
		t.Errorf("Forget = %v and left %v, want 1 and 3", err, h.letters)
	}
	h.refuse = errors.New("no such letter")
	if err := c.Forget(t.Context(), "9"); err == nil {
		t.Error("Forget did not say that it failed")
	}
	if err := c.Forget(t.Context()); err == nil {
		t.Error("Forget of nothing was not refused")
	}
	if err := c.Retry(t.Context(), "9"); err == nil || !strings.Contains(err.Error(), "no such letter") {
		t.Errorf("Retry = %v, want the reason", err)
	}
}
