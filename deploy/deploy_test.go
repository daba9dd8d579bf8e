// Package deploy_test holds what operators copy (unit, configuration, image, dashboard,
// alert rules) to the program and its documents.
package deploy_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"tidings/internal/app"
	"tidings/internal/config"
)

func read(tb testing.TB, path string) string {
	tb.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}

// getenv stands for the environment: everything that is asked for is set.
func getenv(name string) string {
	switch {
	case strings.Contains(name, "HOOK"):
		return "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	case name == "TIDINGS_ADMIN_TOKEN", name == "TIDINGS_TRUNK_PASSWORD", name == "TIDINGS_RELAY_PASSWORD", strings.HasPrefix(name, "TIDINGS_SECRET_"):
		return "a secret"
	}
	return ""
}

// example loads the configuration for production.
func example(tb testing.TB, getenv func(string) string) *config.Config {
	tb.Helper()
	cfg, err := config.Load("tidings.yaml", getenv)
	if err != nil {
		tb.Fatalf("Load = %v", err)
	}
	if err := cfg.Validate(getenv); err != nil {
		tb.Fatalf("Validate = %v", err)
	}
	return cfg
}

func TestTheExampleConfigurationIsGood(t *testing.T) {
	t.Parallel()
	cfg := example(t, getenv)
	if err := app.CheckDestinations(cfg); err != nil {
		t.Errorf("CheckDestinations = %v", err)
	}
	if cfg.Storage.MaxBytes <= cfg.Storage.KeepEventsBytes || !cfg.Files.Gzip || cfg.AdminToken == "" || len(cfg.Accounts) == 0 {
		t.Errorf("the example is no configuration for production: %+v", cfg)
	}
	unset := func(string) string { return "" }
	cfg, err := config.Load("tidings.yaml", unset)
	if err != nil {
		t.Fatal(err)
	}
	problems, _ := errors.AsType[config.Problems](cfg.Validate(unset))
	if want := strings.Count(read(t, "tidings.yaml"), `"env:`); len(problems) < want {
		t.Errorf("without its environment the example has %d problems, want one for each of its %d secrets", len(problems), want)
	}
}

// setting returns the values of a key of the unit.
func setting(tb testing.TB, key string) []string {
	tb.Helper()
	var values []string
	for line := range strings.Lines(read(tb, "tidings.service")) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), key+"="); ok {
			values = append(values, value)
		}
	}
	if values == nil {
		tb.Fatalf("the unit does not say %s", key)
	}
	return values
}

// TestTheUnitWaitsForAStop compares the unit's patience with how long the parts of a server
// may take to stop, one after the other.
func TestTheUnitWaitsForAStop(t *testing.T) {
	t.Parallel()
	source := read(t, "../internal/app/app.go") + read(t, "../internal/app/carrier.go")
	parts := len(regexp.MustCompile(`\{Name: "[a-z]+", Grace: `).FindAllString(source, -1))
	grace := regexp.MustCompile(`const grace = (\d+) \* time\.Second`).FindStringSubmatch(source)
	if parts < 10 || grace == nil {
		t.Fatalf("internal/app names %d parts and the grace %q: this test looks for the wrong words", parts, grace)
	}
	each, err := time.ParseDuration(grace[1] + "s")
	if err != nil {
		t.Fatal(err)
	}
	cfg := config.Default()
	want := time.Duration(parts)*each + cfg.Voice.Drain + cfg.Delivery.Timeout
	got, err := time.ParseDuration(setting(t, "TimeoutStopSec")[0])
	if err != nil || got < want || got > want+time.Minute {
		t.Errorf("TimeoutStopSec = %v, %v, want %v and not much more", got, err, want)
	}
	if manual := fmt.Sprintf("terminationGracePeriodSeconds: %.0f", got.Seconds()); !strings.Contains(read(t, "../docs/deployment.md"), manual) {
		t.Errorf("docs/deployment.md does not say %q", manual)
	}
}

func TestTheUnitAndTheExampleAgree(t *testing.T) {
	t.Parallel()
	cfg := example(t, getenv)
	if got := "/var/lib/" + setting(t, "StateDirectory")[0]; cfg.Data != got {
		t.Errorf("data = %s, but the unit's state is in %s", cfg.Data, got)
	}
	path := "/etc/" + setting(t, "ConfigurationDirectory")[0] + "/tidings.yaml"
	for _, command := range slices.Concat(setting(t, "ExecStart"), setting(t, "ExecReload")[:1]) {
		if !strings.HasSuffix(command, path) {
			t.Errorf("%q does not use %s", command, path)
		}
	}
	if got := setting(t, "ExecReload"); got[len(got)-1] != "/bin/kill -HUP $MAINPID" {
		t.Errorf("ExecReload = %q, want the last to hang up", got)
	}
}

// TestSystemdTakesTheUnit lets systemd read it. Only the program is another, because there
// is none in /usr/local/bin.
func TestSystemdTakesTheUnit(t *testing.T) {
	t.Parallel()
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	unit := filepath.Join(t.TempDir(), "tidings.service")
	text := strings.ReplaceAll(read(t, "tidings.service"), "/usr/local/bin/tidings", "/bin/true")
	if err := os.WriteFile(unit, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), analyze, "verify", "--man=no", unit).CombinedOutput()
	if err != nil || strings.Contains(string(out), unit) {
		t.Errorf("systemd-analyze verify = %v\n%s", err, out)
	}
}

// TestTheManualsYAMLIsWellFormed reads what people copy out of docs/deployment.md, and
// what is said there of alerts.
func TestTheManualsYAMLIsWellFormed(t *testing.T) {
	t.Parallel()
	manual := read(t, "../docs/deployment.md")
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(manual, -1)
	if len(blocks) < 2 {
		t.Errorf("docs/deployment.md has %d blocks of YAML, want those for Kubernetes and Prometheus", len(blocks))
	}
	for _, b := range blocks {
		var any map[string]any
		if err := yaml.Unmarshal([]byte(b[1]), &any); err != nil || len(any) == 0 {
			t.Errorf("docs/deployment.md: %v in\n%s", err, b[1])
		}
	}
	for _, r := range rules(t) {
		if !regexp.MustCompile(r.Alert + `\b`).MatchString(manual) {
			t.Errorf("docs/deployment.md does not list %s", r.Alert)
		}
	}
	for _, link := range regexp.MustCompile(`\]\(([^)#]+)(?:#([^)]*))?\)`).FindAllStringSubmatch(manual, -1) {
		text, err := os.ReadFile(filepath.Join("../docs", link[1]))
		if err != nil || link[2] != "" && !anchors(string(text))[link[2]] {
			t.Errorf("docs/deployment.md leads to %q, which is not there: %v", link[1]+"#"+link[2], err)
		}
	}
}
