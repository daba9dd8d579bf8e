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

// TestOperationsListsEveryMetric holds the table of metrics in docs/operations.md to the code.
func TestOperationsListsEveryMetric(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	err = filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, m := range metricName.FindAllSubmatch(source, -1) {
			found[string(m[1])] = true
		}
		return err
	})
	if err != nil || len(found) < 20 {
		t.Fatalf("found %d metrics in the code, %v", len(found), err)
	}
	for name := range found {
		if !strings.Contains(string(text), "| `"+name+"` |") {
			t.Errorf("docs/operations.md does not list %s", name)
		}
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `(tidings_[a-z_]+)`").FindAllSubmatch(text, -1) {
		if !found[string(m[1])] {
			t.Errorf("docs/operations.md lists %s, which does not exist", m[1])
		}
	}
}
