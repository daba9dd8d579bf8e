package deploy_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// metrics are the labels of each metric there is: the table of docs/operations.md, which
// internal/app holds to the code, and what the Go runtime and the process have.
func metrics(tb testing.TB) map[string][]string {
	tb.Helper()
	_, table, ok := strings.Cut(read(tb, "../docs/operations.md"), "\n## Metrics\n")
	if !ok {
		tb.Fatal("docs/operations.md has no section Metrics")
	}
	table, _, _ = strings.Cut(table, "\n## ")
	all := map[string][]string{"up": nil}
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| ([^|]*) \\|").FindAllStringSubmatch(table, -1) {
		all[row[1]] = strings.FieldsFunc(row[2], func(r rune) bool { return strings.ContainsRune(" ,–", r) })
	}
	if len(all) < 30 {
		tb.Fatalf("the table of docs/operations.md lists %d metrics: this test reads it wrongly", len(all))
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	families, err := registry.Gather()
	if err != nil {
		tb.Fatal(err)
	}
	for _, f := range families {
		all[f.GetName()] = []string{"quantile", "version"}
	}
	for _, name := range []string{ // which not every system has
		"process_cpu_seconds_total", "process_max_fds", "process_open_fds", "process_resident_memory_bytes", "process_start_time_seconds",
	} {
		all[name] = nil
	}
	return all
}

var (
	metricName = regexp.MustCompile(`\b(?:tidings|go|process)_[a-z_]+\b|\bup\b`)
	selector   = regexp.MustCompile(`\b((?:tidings|go|process)_[a-z_]+|up)\{([^}]*)\}`)
	labelName  = regexp.MustCompile(`(?:^|,)\s*([a-z_]+)\s*(?:=~|!=|!~|=)`)
	grouping   = regexp.MustCompile(`\b(?:by|without) \(([^)]*)\)`)
	texts      = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
)

// checkExpression reports names of metrics and labels that do not exist, and returns the
// metrics that are used.
func checkExpression(tb testing.TB, all map[string][]string, where, expression string) (used []string) {
	tb.Helper()
	for _, name := range metricName.FindAllString(texts.ReplaceAllString(expression, ""), -1) {
		base := base(all, name)
		if base == "" {
			tb.Errorf("%s: there is no metric %s in %q", where, name, expression)
			continue
		}
		used = append(used, base)
	}
	known := []string{"job", "instance", "le"}
	for _, name := range used {
		known = append(known, all[name]...)
	}
	for _, list := range grouping.FindAllStringSubmatch(expression, -1) {
		for label := range strings.SplitSeq(list[1], ",") {
			if !slices.Contains(known, strings.TrimSpace(label)) {
				tb.Errorf("%s: nothing has the label %q in %q", where, label, expression)
			}
		}
	}
	for _, s := range selector.FindAllStringSubmatch(expression, -1) {
		labels := append([]string{"job", "instance", "le"}, all[base(all, s[1])]...)
		if !strings.Contains(s[2], `job="tidings"`) && !strings.Contains(s[2], `job="$job"`) {
			tb.Errorf("%s: %s is not asked for by job in %q", where, s[1], expression)
		}
		for _, l := range labelName.FindAllStringSubmatch(texts.ReplaceAllString(s[2], ""), -1) {
			if !slices.Contains(labels, l[1]) {
				tb.Errorf("%s: %s has no label %s in %q", where, s[1], l[1], expression)
			}
		}
	}
	return used
}

// base is the name in the table: histograms and summaries have a few more series each.
func base(all map[string][]string, name string) string {
	for _, suffix := range []string{"", "_bucket", "_sum", "_count"} {
		if short, ok := strings.CutSuffix(name, suffix); ok {
			if _, ok := all[short]; ok {
				return short
			}
		}
	}
	return ""
}

// TestCheckExpression makes sure that the tests of dashboard and rules can fail.
func TestCheckExpression(t *testing.T) {
	t.Parallel()
	all := map[string][]string{"tidings_calls_total": {"outcome"}, "tidings_wait_seconds": nil, "up": nil}
	for expression, wrong := range map[string]int{
		`sum by (outcome) (rate(tidings_calls_total{job="tidings", outcome!="x"}[5m]))`:               0,
		`histogram_quantile(0.9, sum by (le) (rate(tidings_wait_seconds_bucket{job="tidings"}[5m])))`: 0,
		`absent(up{job="tidings"})`:                                                                     0,
		`tidings_call_total{job="tidings"}`:                                                             1,
		`tidings_calls_total{outcome="x"}`:                                                              1,
		`tidings_calls_total{job="tidings", result="x"}`:                                                1,
		`sum by (le, result) (tidings_calls_total{job="tidings"})`:                                      1,
		`tidings_wait_seconds{job="tidings"} / tidings_waits{job="tidings", outcome="job=\"tidings\""}`: 2,
	} {
		counted := &counter{TB: t}
		checkExpression(counted, all, "here", expression)
		if counted.errors != wrong {
			t.Errorf("checkExpression(%q) found %d faults, want %d", expression, counted.errors, wrong)
		}
	}
}

// counter counts errors in place of reporting them.
type counter struct {
	testing.TB
	errors int
}

func (c *counter) Helper()               {}
func (c *counter) Errorf(string, ...any) { c.errors++ }
