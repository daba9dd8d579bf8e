package deploy_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// rule is one alert of alerts.yml.
type rule struct {
	Alert       string            `yaml:"alert"`
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

func rules(tb testing.TB) []rule {
	tb.Helper()
	var file struct {
		Groups []struct {
			Name  string `yaml:"name"`
			Rules []rule `yaml:"rules"`
		} `yaml:"groups"`
	}
	if err := yaml.UnmarshalWithOptions([]byte(read(tb, "prometheus/alerts.yml")), &file, yaml.Strict()); err != nil {
		tb.Fatalf("alerts.yml: %v", err)
	}
	var all []rule
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	return all
}

func TestRulesAreAboutMetricsThatExist(t *testing.T) {
	t.Parallel()
	all, tests := metrics(t), read(t, "prometheus/alerts_test.yml")
	seen := map[string]bool{}
	for _, r := range rules(t) {
		if seen[r.Alert] {
			t.Errorf("there are two alerts %s", r.Alert)
		}
		seen[r.Alert] = true
		if len(checkExpression(t, all, r.Alert, r.Expr)) == 0 {
			t.Errorf("%s uses no metric: %q", r.Alert, r.Expr)
		}
		if s := r.Labels["severity"]; s != "critical" && s != "warning" {
			t.Errorf("%s has the severity %q", r.Alert, s)
		}
		if !strings.Contains(tests, "alertname: "+r.Alert+"\n") {
			t.Errorf("alerts_test.yml does not let %s fire", r.Alert)
		}
	}
	if len(seen) < 10 {
		t.Errorf("alerts.yml has %d alerts: this test reads it wrongly", len(seen))
	}
}

func TestRulesSayWhatToDo(t *testing.T) {
	t.Parallel()
	headings := map[string]map[string]bool{}
	for _, manual := range []string{"docs/operations.md", "docs/telephony.md", "docs/email.md"} {
		headings[manual] = anchors(read(t, "../"+manual))
	}
	for _, r := range rules(t) {
		if r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
			t.Errorf("%s has no summary or no description", r.Alert)
		}
		manual, section, _ := strings.Cut(r.Annotations["runbook"], "#")
		if !headings[manual][section] {
			t.Errorf("%s leads to %q, and there is no such section", r.Alert, r.Annotations["runbook"])
		}
	}
}

// anchors are the anchors that GitHub and others give to headings.
func anchors(markdown string) map[string]bool {
	found := map[string]bool{}
	for _, h := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(markdown, -1) {
		plain := regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(h[1]), "")
		found[strings.ReplaceAll(plain, " ", "-")] = true
	}
	return found
}

// promtool finds promtool: installed, or where make promtool puts it.
func promtool(tb testing.TB) string {
	tb.Helper()
	if path, err := exec.LookPath("promtool"); err == nil {
		return path
	}
	path, err := filepath.Abs("../bin/promtool")
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		tb.Skip("promtool is not installed: make promtool gets it on Debian")
	}
	return path
}

func TestPromtoolTakesTheRules(t *testing.T) {
	t.Parallel()
	tool := promtool(t)
	for _, args := range [][]string{{"check", "rules", "alerts.yml"}, {"test", "rules", "alerts_test.yml"}} {
		cmd := exec.CommandContext(t.Context(), tool, args...)
		cmd.Dir = "prometheus"
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %s = %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// TestPromtoolTakesTheDashboard makes a rule of every expression of the dashboard.
func TestPromtoolTakesTheDashboard(t *testing.T) {
	t.Parallel()
	tool := promtool(t)
	variables := strings.NewReplacer("$__rate_interval", "5m", "$job", "tidings", "$instance", ".+")
	var b strings.Builder
	b.WriteString("groups:\n  - name: dashboard\n    rules:\n")
	for i, expression := range board(t).expressions() {
		fmt.Fprintf(&b, "      - {record: 'dashboard:%d', expr: %q}\n", i, variables.Replace(expression.text))
	}
	file := filepath.Join(t.TempDir(), "dashboard.yml")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), tool, "check", "rules", file).CombinedOutput(); err != nil {
		t.Errorf("promtool check rules = %v\n%s", err, out)
	}
}
