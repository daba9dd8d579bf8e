package emailrest_test

import (
	"testing"

	"tidings/internal/api/apitest"
	"tidings/internal/api/emailrest"
)

// rig is the whole way of a request through both APIs, with something in the place of mail.
type rig struct {
	*apitest.Rig
	mail *mail
}

func newRig() *rig {
	g := apitest.NewRig(emailrest.Service)
	return &rig{Rig: g, mail: newMail(g.Now)}
}

// start makes the handler. What the rig holds must be set before.
func (g *rig) start(tb testing.TB) {
	tb.Helper()
	config := emailrest.Config{Sets: g.Sets(), Mail: g.mail, Tokens: g.Tokens(tb), Rates: g.Rates, Now: g.Clock}
	g.Serve(emailrest.NewPinpointEmail(config), emailrest.NewV2(config))
}
