package pinpoint

import (
	"flag"
	"fmt"
	"strings"
	"testing"

	"tidings/internal/api/apitest"
	"tidings/internal/fault"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestGolden plays the scenarios of testdata/*.txtar; see apitest.Golden. The feature answers the
// same each time. A line "fails: KIND SECONDS TEXT" lets it fail.
func TestGolden(t *testing.T) {
	t.Parallel()
	apitest.Golden(t, *update, func(t *testing.T, arrangement string) *apitest.Stage {
		t.Helper()
		g, apps := apitest.NewRig(Service), full()
		apps.more = false
		g.Arrange(t, arrangement, map[string]func(string){"fails": func(value string) {
			words := strings.SplitN(value, " ", 3)
			apps.fails = fmt.Errorf("do it: %w", apitest.Fault(t, words[0], fault.App, words[1], words[2]))
		}})
		g.Serve(New(Config{Apps: apps, Tokens: g.Tokens(t)}))
		return &apitest.Stage{Rig: g}
	})
}
