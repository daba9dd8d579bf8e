package espeak

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tidings/internal/tts"
	"tidings/internal/voice"
)

var update = flag.Bool("update", false, "write the table of voices into docs/voices.md")

// TestDocs compares the table of docs/voices.md with the arguments that voices are spoken with.
func TestDocs(t *testing.T) {
	t.Parallel()
	const file, begin, end = "../../../docs/voices.md", "<!-- begin voices -->\n", "<!-- end voices -->\n"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(data), begin)
	got, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no table between %q and %q", file, begin, end)
	}
	table := voiceTable(t)
	if *update {
		if err := os.WriteFile(file, []byte(before+begin+table+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(table, got); diff != "" {
		t.Errorf("%s; run `go test ./internal/tts/espeak -run TestDocs -update` (-code +page):\n%s", file, diff)
	}
}

func voiceTable(tb testing.TB) string {
	tb.Helper()
	var b strings.Builder
	b.WriteString("| VoiceId | LanguageCode | Gender | espeak-ng voice | Pitch |\n|---|---|---|---|---|\n")
	for _, v := range voice.Voices() {
		var names []string
		for _, language := range v.Languages() {
			args, err := arguments(tts.Phrase{Voice: v.ID, Language: language})
			if err != nil {
				tb.Fatal(err)
			}
			names = append(names, "`"+args[3]+"`")
		}
		gender := string(v.Gender)
		if v.Child {
			gender += ", child"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", v.ID, strings.Join(v.Languages(), ", "), gender,
			strings.Join(names, ", "), variants[v.ID].step())
	}
	return b.String()
}
