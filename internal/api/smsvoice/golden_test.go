package smsvoice_test

import (
	"flag"
	"fmt"
	"strings"
	"testing"

	"tidings/internal/api/apitest"
	"tidings/internal/fault"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestGolden plays the scenarios of testdata/*.txtar; see apitest.Golden. What was noted is what
// voice was asked to send. A line "voice: KIND SECONDS TEXT" lets voice fail.
func TestGolden(t *testing.T) {
	t.Parallel()
	apitest.Golden(t, *update, func(t *testing.T, arrangement string) *apitest.Stage {
		t.Helper()
		g := newRig()
		g.Arrange(t, arrangement, map[string]func(string){"voice": func(value string) {
			words := strings.SplitN(value, " ", 3)
			g.voice.fails = fmt.Errorf("send: %w", apitest.Fault(t, words[0], fault.ConfigurationSet, words[1], words[2]))
		}})
		g.start(t)
		return &apitest.Stage{Rig: g.Rig, Noted: func(tb testing.TB) (string, []byte) {
			tb.Helper()
			return "sent", apitest.Indented(tb, g.voice.sent)
		}}
	})
}
