package app

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"tidings/internal/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// settings are a configuration on free ports, in a directory of the test's own.
func settings(t *testing.T) *config.Config {
	t.Helper()
	cfg := config.Default()
	cfg.Listen, cfg.Admin, cfg.Data, cfg.Speech.Engine = "127.0.0.1:0", "127.0.0.1:0", t.TempDir(), "estimate"
	if err := cfg.Validate(func(string) string { return "" }); err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestServesAndStopsWithoutALeak(t *testing.T) {
	t.Parallel()
	a, err := New(t.Context(), settings(t), "test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for url, want := range map[string]int{
		a.APIURL() + "/v1/sms-voice/configuration-sets": http.StatusForbidden, // nobody signed it
		a.AdminURL() + "/healthz":                       http.StatusOK,
		a.AdminURL() + "/readyz":                        http.StatusOK,
		a.AdminURL() + "/metrics":                       http.StatusOK,
		a.AdminURL() + "/v1/destinations":               http.StatusOK,
	} {
		resp, err := client.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("GET %s = %d, want %d", url, resp.StatusCode, want)
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Errorf("Run = %v after a planned stop", err)
	}
}

func TestWhatFailsToOpenLeavesNothingOpen(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	cfg := settings(t)
	for name, spoil := range map[string]func(*config.Config){
		"api port":   func(c *config.Config) { c.Listen = taken.Addr().String() },
		"admin port": func(c *config.Config) { c.Admin = taken.Addr().String() },
		"engine":     func(c *config.Config) { c.Speech.Engine, c.Speech.Espeak = "espeak", "/no/such/program" },
		"phone": func(c *config.Config) {
			c.Voice.Simulator.Numbers = []config.SimulatorNumber{{Number: "+1", Behavior: "sings"}}
		},
		"binding": func(c *config.Config) {
			c.Destinations = []config.Destination{{Match: "arn:", File: &config.FileDestination{}}}
		},
	} {
		spoiled := *cfg
		spoil(&spoiled)
		if _, err := New(t.Context(), &spoiled, "test", slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("New with a bad %s = nil, want an error", name)
		}
	}
	// The data directory is free again.
	a, err := New(t.Context(), cfg, "test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatalf("New after failures = %v", err)
	}
	if _, err := New(t.Context(), cfg, "test", slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), cfg.Data) {
		t.Errorf("a second server on the same data = %v, want it refused by name", err)
	}
	if err := a.close(); err != nil {
		t.Errorf("close = %v", err)
	}
}
