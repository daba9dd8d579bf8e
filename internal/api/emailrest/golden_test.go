package emailrest_test

import (
	"crypto/x509"
	"encoding/base64"
	"flag"
	"fmt"
	"strings"
	"testing"

	"tidings/internal/api/apitest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestGolden plays the scenarios of testdata/*.txtar; see apitest.Golden. What was noted are the
// mails to be sent, and the lists of suppressed addresses that were asked for. OWN-KEY-1 and
// OWN-KEY-8 stand for a key of RSA in base64 and the form of PKCS #1 and #8. A line "mail: KIND
// RESOURCE SECONDS TEXT" lets sending fail.
func TestGolden(t *testing.T) {
	t.Parallel()
	apitest.Golden(t, *update, func(t *testing.T, arrangement string) *apitest.Stage {
		t.Helper()
		g := newRig()
		g.Arrange(t, arrangement, map[string]func(string){"mail": func(value string) {
			words := strings.SplitN(value, " ", 4)
			g.mail.fails = fmt.Errorf("send: %w", apitest.Fault(t, words[0], words[1], words[2], words[3]))
		}})
		g.start(t)
		keys := strings.NewReplacer(
			"OWN-KEY-1", base64.StdEncoding.EncodeToString(x509.MarshalPKCS1PrivateKey(rsaKey())),
			"OWN-KEY-8", base64.StdEncoding.EncodeToString(pkcs8()),
		)
		return &apitest.Stage{
			Rig:   g.Rig,
			Write: func(_, target, text string) (string, string) { return target, keys.Replace(text) },
			Noted: func(tb testing.TB) (string, []byte) {
				tb.Helper()
				return "asked", apitest.Indented(tb, g.mail.asked())
			},
		}
	})
}
