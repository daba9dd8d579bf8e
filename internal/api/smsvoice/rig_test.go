package smsvoice_test

import (
	"context"
	"testing"

	"tidings/internal/api/apitest"
	"tidings/internal/api/smsvoice"
	"tidings/internal/tenant"
	"tidings/internal/voice"
)

// sender is a voice service that keeps what it was asked to send.
type sender struct {
	fails error
	sent  []voice.Request
}

const messageID = "0f5e2b6e-1c2d-4e3f-8a9b-0123456789ab"

func (s *sender) Send(_ context.Context, _ tenant.Tenant, r voice.Request) (string, error) {
	if s.fails != nil {
		return "", s.fails
	}
	s.sent = append(s.sent, r)
	return messageID, nil
}

// rig is the whole way of a request, with something in the place of voice.
type rig struct {
	*apitest.Rig
	voice *sender
}

func newRig() *rig { return &rig{Rig: apitest.NewRig(smsvoice.Service), voice: &sender{}} }

// start makes the handler. What the rig holds must be set before.
func (g *rig) start(tb testing.TB) {
	tb.Helper()
	g.Serve(smsvoice.New(smsvoice.Config{Sets: g.Sets(), Voice: g.voice, Tokens: g.Tokens(tb), Rates: g.Rates}))
}
