package awsapi_test

import (
	"strings"
	"testing"

	"tidings/internal/awsapi"
	"tidings/internal/fault"
)

var colours = awsapi.Words[int]{One: "a colour", All: "the colours", Of: map[string]int{"RED": 1, "BLUE": 2, "": 0}}

func TestWordsInBothDirections(t *testing.T) {
	t.Parallel()
	for word, want := range colours.Of {
		if got, err := colours.Read(fault.App, word); got != want || err != nil {
			t.Errorf("Read(%q) = %v, %v, want %v", word, got, err, want)
		}
		if got := colours.Word(want, "other"); got != word {
			t.Errorf("Word(%v) = %q, want %q", want, got, word)
		}
	}
	if got := colours.Word(7, "other"); got != "other" {
		t.Errorf("Word(7) = %q, want the other word", got)
	}
}

func TestAWordThatDoesNotExist(t *testing.T) {
	t.Parallel()
	_, err := colours.Read(fault.App, strings.Repeat("ü", 65))
	want := `"` + strings.Repeat("ü", 64) + `…" is not a colour; the colours are BLUE, RED.`
	if f := fault.From(err); f.Kind != fault.Invalid || f.Resource != fault.App || f.Msg != want {
		t.Errorf("Read = %v, want fault.Invalid about an app: %s", err, want)
	}
}
