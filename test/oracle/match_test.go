package oracle

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// match compares a value with what is expected of it, where strings that begin with ~ are
// regular expressions. A missing value matches an empty one.
func match(want, got any) string {
	switch want := want.(type) {
	case map[string]any:
		got, _ := got.(map[string]any)
		keys := slices.Concat(slices.Collect(maps.Keys(want)), slices.Collect(maps.Keys(got)))
		for _, k := range slices.Sorted(slices.Values(keys)) {
			if problem := match(want[k], got[k]); problem != "" {
				return "." + k + problem
			}
		}
		return ""
	case []any:
		got, _ := got.([]any)
		if len(got) != len(want) {
			return fmt.Sprintf(" has %d elements %v, want %d", len(got), got, len(want))
		}
		for i := range want {
			if problem := match(want[i], got[i]); problem != "" {
				return fmt.Sprintf("[%d]%s", i, problem)
			}
		}
		return ""
	case string:
		if _, isNumber := got.(float64); want == "*" && got != nil || want == "#" && isNumber {
			return ""
		}
		if pattern, ok := strings.CutPrefix(want, "~"); ok {
			if s, ok := got.(string); !ok || !regexp.MustCompile(pattern).MatchString(s) {
				return fmt.Sprintf(" = %v, want a match for %s", got, pattern)
			}
			return ""
		}
	case nil:
		if empty(got) {
			return ""
		}
	}
	if !cmp.Equal(want, got) {
		return fmt.Sprintf(" = %#v, want %#v", got, want)
	}
	return ""
}

func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

func TestMatch(t *testing.T) {
	t.Parallel()
	tests := []struct {
		want, got string
		ok        bool
	}{
		{`{}`, `{}`, true},
		{`null`, `{"a":[]}`, false},
		{`{}`, `{"a":[],"b":null}`, true},
		{`{}`, `{"a":false}`, false},
		{`{"a":false}`, `{}`, false},
		{`{"a":"x"}`, `{"a":"x"}`, true},
		{`{"a":"x"}`, `{"a":"y"}`, false},
		{`{"a":"~^x+$"}`, `{"a":"xx"}`, true},
		{`{"a":"~^x+$"}`, `{"a":"xy"}`, false},
		{`["*","#"]`, `[{},1.5]`, true},
		{`["*"]`, `[null]`, false},
		{`["#"]`, `["1"]`, false},
		{`{"a":"~."}`, `{}`, false},
		{`["x","y"]`, `["x","y"]`, true},
		{`["x","y"]`, `["y","x"]`, false},
		{`["x"]`, `["x","y"]`, false},
	}
	for _, tt := range tests {
		if got := match(decode(t, tt.want), decode(t, tt.got)); (got == "") != tt.ok {
			t.Errorf("match(%s, %s) = %q, want a match: %v", tt.want, tt.got, got, tt.ok)
		}
	}
}

func decode(t testing.TB, text string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("decode %s: %v", text, err)
	}
	return v
}
