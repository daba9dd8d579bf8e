package ses_test

import (
	"net/url"
	"strings"
	"testing"

	"tidings/internal/api/apitest"
	"tidings/internal/api/ses"
	"tidings/internal/email"
)

// rig is the whole way of a request, with something in the place of mails.
type rig struct {
	*apitest.Rig
	mail *office
}

func newRig() *rig {
	g := apitest.NewRig(ses.Service)
	g.ContentType = "application/x-www-form-urlencoded; charset=utf-8"
	return &rig{Rig: g, mail: newOffice(g.Now)}
}

// start makes the handler. What the rig holds must be set before.
func (g *rig) start(tb testing.TB) {
	tb.Helper()
	g.Serve(ses.New(ses.Config{Sets: g.Sets(), Mail: g.mail, Tokens: g.Tokens(tb), Rates: g.Rates, Now: g.Clock}))
}

// encode makes a form of lines NAME=VALUE.
func encode(lines string) string {
	var pairs []string
	for line := range strings.Lines(lines) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		if name != "" {
			pairs = append(pairs, url.QueryEscape(name)+"="+strings.ReplaceAll(url.QueryEscape(strings.ReplaceAll(value, `\n`, "\n")), "+", "%20"))
		}
	}
	return strings.Join(pairs, "&")
}

var _ ses.Mail = (*email.Service)(nil)

var _ ses.Sets = (*email.Sets)(nil)
