package app

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var metricName = regexp.MustCompile(`"(tidings_[a-z_]+)"`)

// sources calls visit with every source file of the server but tests. The phone is a
// program of its own.
func sources(t *testing.T, visit func(text []byte)) {
	t.Helper()
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == "phone" {
			return fs.SkipDir
		}
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		visit(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func operations(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// hold compares what the code has with the first cells of a table.
func hold(t *testing.T, kind string, code map[string]bool, text string, cell *regexp.Regexp) {
	t.Helper()
	for name := range code {
		if !strings.Contains(text, "| `"+name+"` |") {
			t.Errorf("docs/operations.md does not list the %s %q", kind, name)
		}
	}
	for _, m := range cell.FindAllStringSubmatch(text, -1) {
		if !code[m[1]] {
			t.Errorf("docs/operations.md lists the %s %q, which does not exist", kind, m[1])
		}
	}
}

// TestOperationsListsEveryMetric holds the table of metrics in docs/operations.md to the code.
func TestOperationsListsEveryMetric(t *testing.T) {
	t.Parallel()
	found := map[string]bool{}
	sources(t, func(text []byte) {
		for _, m := range metricName.FindAllSubmatch(text, -1) {
			found[string(m[1])] = true
		}
	})
	if len(found) < 20 {
		t.Fatalf("found %d metrics in the code", len(found))
	}
	hold(t, "metric", found, operations(t), regexp.MustCompile("(?m)^\\| `(tidings_[a-z_]+)`"))
}

var logLine = regexp.MustCompile(`\.(?:Info|Warn|Error|LogAttrs)\((?:[^"()]*\(\), level, )?\s*"([^"]+)"`)

// TestOperationsListsEveryLogLine holds the table of log lines in docs/operations.md to the
// code.
func TestOperationsListsEveryLogLine(t *testing.T) {
	t.Parallel()
	found := map[string]bool{}
	sources(t, func(text []byte) {
		for _, m := range logLine.FindAllSubmatch(text, -1) {
			found[string(m[1])] = true
		}
	})
	if len(found) < 40 || !found["call"] || !found["request"] {
		t.Fatalf("found %d lines in the code", len(found))
	}
	_, table, _ := strings.Cut(operations(t), "## Log lines")
	hold(t, "log line", found, table, regexp.MustCompile("(?m)^\\| `([^`]+)`"))
}
