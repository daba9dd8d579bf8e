package ssml

import (
	"flag"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the tables of tags into docs/ssml.md")

// TestDocs compares the tables of docs/ssml.md with the table that Parse uses.
func TestDocs(t *testing.T) {
	t.Parallel()
	const file = "../../docs/ssml.md"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	page := string(data)
	for name, table := range map[string]string{"tags": tagTable(), "refused": refusedTable(), "say-as": sayAsTable()} {
		begin, end := "<!-- begin "+name+" -->\n", "<!-- end "+name+" -->\n"
		before, rest, ok := strings.Cut(page, begin)
		got, after, ok2 := strings.Cut(rest, end)
		if !ok || !ok2 {
			t.Fatalf("%s has no table between %q and %q", file, begin, end)
		}
		if *update {
			page = before + begin + table + end + after
			continue
		}
		if diff := cmp.Diff(table, got); diff != "" {
			t.Errorf("%s, table %q; run `go test ./internal/ssml -update` (-code +page):\n%s", file, name, diff)
		}
	}
	if *update {
		if err := os.WriteFile(file, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func tagTable() string {
	var b strings.Builder
	b.WriteString("| Tag | Attributes | Inside | Effect |\n|---|---|---|---|\n")
	for _, row := range tags {
		var attrs []string
		for _, a := range row.attributes {
			name := "`" + a.name + "`"
			if a.required {
				name += " (required)"
			}
			attrs = append(attrs, name+": "+a.values.String())
		}
		if row.needsOne {
			attrs = append(attrs, "at least one of them")
		}
		if attrs == nil {
			attrs = []string{"none"}
		}
		fmt.Fprintf(&b, "| `<%s>` | %s | %s | %s |\n", row.name, strings.Join(attrs, "<br>"), row.content, row.effect)
	}
	return b.String()
}

func refusedTable() string {
	var b strings.Builder
	b.WriteString("| Tag | Instead |\n|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(refused)) {
		// Markdown would take a bare <sub> for HTML.
		instead := strings.NewReplacer("<", "`<", ">", ">`").Replace(refused[name])
		fmt.Fprintf(&b, "| `<%s>` | %s |\n", name, instead)
	}
	return b.String()
}

func sayAsTable() string {
	var b strings.Builder
	b.WriteString("| `interpret-as` | `format` | Text | Spoken |\n|---|---|---|---|\n")
	for _, e := range sayAsExamples {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", e.as, e.format, e.text, e.want)
	}
	return b.String()
}

// TestEffectNumbers compares what the table of tags says in words with what Parse does.
func TestEffectNumbers(t *testing.T) {
	t.Parallel()
	prosody, _ := find("prosody")
	emphasis, _ := find("emphasis")
	var said []string
	for word, share := range rateWords {
		said = append(said, fmt.Sprintf("%s %g %%", word, math.Round(100*share)))
	}
	for word, share := range pitchWords {
		if word != "default" {
			said = append(said, fmt.Sprintf("%s %g %%", word, math.Round(100*share)))
		}
	}
	for word, gain := range volumeWords {
		sign := ""
		if gain > 0 {
			sign = "+"
		}
		if word != "default" {
			said = append(said, fmt.Sprintf("%s %s%g dB", word, sign, gain))
		}
	}
	for _, want := range said {
		if !strings.Contains(prosody.effect, want) {
			t.Errorf("the effect of <prosody> does not say %q: %s", want, prosody.effect)
		}
	}
	for level, e := range emphases {
		for _, want := range []string{level, fmt.Sprintf("%g %%", math.Round(100*e.rate)), fmt.Sprintf("%g dB", e.gain)} {
			if !strings.Contains(emphasis.effect, want) {
				t.Errorf("the effect of <emphasis> does not say %q: %s", want, emphasis.effect)
			}
		}
	}
}

// TestTable checks the table against itself: a row that could never match would be seen
// by nobody.
func TestTable(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, row := range tags {
		if seen[row.name] || refused[row.name] != "" {
			t.Errorf("<%s> stands in the tables twice", row.name)
		}
		seen[row.name] = true
		if row.effect == "" {
			t.Errorf("<%s> has no effect described", row.name)
		}
		for _, a := range row.attributes {
			if a.values.String() == "" {
				t.Errorf("<%s %s> allows nothing", row.name, a.name)
			}
			for _, word := range a.values.words {
				if !a.values.allow(word) {
					t.Errorf("<%s %s> does not allow its own word %q", row.name, a.name, word)
				}
			}
		}
	}
}
