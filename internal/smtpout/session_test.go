package smtpout

import (
	"context"
	"net"
	"net/netip"
	"testing"

	"tidings/internal/email"
)

// TestSTARTTLSThatIsRefused goes on in the clear, unless encryption is demanded.
func TestSTARTTLSThatIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		way   RelayTLS
		reply turn
		want  email.Reply
	}{
		"opportunistic": {RelayOpportunistic, turn{hear: "STARTTLS", say: "454 4.7.0 not now\r\n"}, email.Reply{Verdict: email.Delivered, Code: 250, Text: "250 taken"}},
		"demanded":      {RelaySTARTTLS, turn{hear: "STARTTLS", say: "454 4.7.0 not now\r\n"}, email.Reply{Verdict: email.Deferred, Code: 454, Enhanced: "4.7.0", Text: "454 4.7.0 not now"}},
		"for ever":      {RelaySTARTTLS, turn{hear: "STARTTLS", say: "554 5.7.0 never\r\n"}, email.Reply{Verdict: email.Deferred, Code: 554, Enhanced: "5.7.0", Text: "554 5.7.0 never"}},
		"421":           {RelayOpportunistic, turn{hear: "STARTTLS", say: "421 4.3.2 bye\r\n"}, email.Reply{Verdict: email.Deferred, Code: 421, Enhanced: "4.3.2", Text: "421 4.3.2 bye"}},
		"gone":          {RelayOpportunistic, turn{hear: "STARTTLS", do: func(c net.Conn) { _ = c.Close() }}, email.Reply{Verdict: email.Deferred, Enhanced: "4.4.2", Text: "connection with 127.0.0.1 lost at STARTTLS: EOF"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := play(t, script{
				{say: "220 x\r\n"},
				{hear: "EHLO", say: "250-x\r\n250 STARTTLS\r\n"},
				c.reply,
				{hear: "MAIL", say: "250 ok\r\n"},
				{hear: "RCPT", say: "250 ok\r\n"},
				{hear: "DATA", say: "354 go\r\n"},
				{hear: ".", say: "250 taken\r\n"},
				bye,
			})
			c.want.Recipients = []int{0}
			want(t, deliver(t, transport(t, Settings{Relay: addr, RelayTLS: c.way}), parcel("x@example.org")), c.want)
		})
	}
}

// TestAResetThatFails costs the connection and not the verdict.
func TestAResetThatFails(t *testing.T) {
	t.Parallel()
	refused := then(mail, turn{hear: "RCPT", say: "550 5.1.1 no\r\n"}, turn{hear: "DATA", say: "554 nobody\r\n"})
	taken := then(data, turn{hear: ".", say: "250 taken\r\n"}, bye)
	for name, first := range map[string]script{
		"refused": then(refused, turn{hear: "RSET", say: "500 what\r\n"}),
		"gone":    then(refused, turn{hear: "RSET"}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := transport(t, Settings{Relay: play(t, first, taken)})
			want(t, deliver(t, tr, parcel("x@example.org")), email.Reply{Recipients: []int{0}, Verdict: email.Refused, Code: 550, Enhanced: "5.1.1", Text: "550 5.1.1 no"})
			want(t, deliver(t, tr, parcel("x@example.org")), email.Reply{Recipients: []int{0}, Verdict: email.Delivered, Code: 250, Text: "250 taken"})
		})
	}
}

// TestAResetThatHangs ends with the context.
func TestAResetThatHangs(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	tr := transport(t, Settings{Relay: play(t, then(mail, turn{hear: "RCPT", say: "550 5.1.1 no\r\n"}, turn{hear: "DATA", say: "554 nobody\r\n"},
		turn{hear: "RSET", do: func(c net.Conn) {
			cancel()
			hang(c)
		}}))})
	want(t, tr.Deliver(ctx, parcel("x@example.org")), email.Reply{Recipients: []int{0}, Verdict: email.Refused, Code: 550, Enhanced: "5.1.1", Text: "550 5.1.1 no"})
}

func TestOwnAddress(t *testing.T) {
	t.Parallel()
	p := newPeer(t, nil)
	tr := transport(t, Settings{Relay: p.addr, LocalAddress: netip.MustParseAddr("127.0.0.9")})
	if r := deliver(t, tr, parcel("x@example.org"))[0]; r.Verdict != email.Delivered || r.LocalIP != "127.0.0.9" {
		t.Errorf("reply = %+v, want delivered from 127.0.0.9", r)
	}
	z := &zone{hosts: map[string][]string{"one.example": {"::1"}}}
	far := transport(t, Settings{Resolver: z.resolver(t), AllowPrivate: true, LocalAddress: netip.MustParseAddr("127.0.0.9")})
	if r := deliver(t, far, parcel("x@one.example"))[0]; r.Verdict != email.Deferred || r.Enhanced != "4.4.3" {
		t.Errorf("an address of the other family: %+v, want deferred", r)
	}
}

// TestARelayByName is looked up, and waits for DNS.
func TestARelayByName(t *testing.T) {
	t.Parallel()
	p := newPeer(t, nil)
	_, port, err := net.SplitHostPort(p.addr)
	if err != nil {
		t.Fatal(err)
	}
	z := &zone{hosts: map[string][]string{"relay.example": {"127.0.0.1"}}, broken: map[string]bool{"sick.example": true}}
	resolver := z.resolver(t)
	for name, verdict := range map[string]email.Verdict{"relay.example": email.Delivered, "sick.example": email.Deferred, "none.example": email.Deferred} {
		tr := transport(t, Settings{Relay: net.JoinHostPort(name, port), Resolver: resolver})
		if r := deliver(t, tr, parcel("x@example.org"))[0]; r.Verdict != verdict {
			t.Errorf("through %s: %+v, want the verdict %d", name, r, verdict)
		}
	}
	tr := transport(t, Settings{Relay: "relay.example:no-such-service", Resolver: resolver})
	if r := deliver(t, tr, parcel("x@example.org"))[0]; r.Verdict != email.Deferred || r.Enhanced != "4.4.3" {
		t.Errorf("a port that is none: %+v, want deferred", r)
	}
}

// TestTLSThatAMailDemands is not had from a relay that is used in the clear.
func TestTLSThatAMailDemands(t *testing.T) {
	t.Parallel()
	p := newPeer(t, nil)
	tr := transport(t, Settings{Relay: p.addr})
	one := parcel("x@example.org")
	one.RequireTLS = true
	for range 2 {
		if r := deliver(t, tr, one)[0]; r.Verdict != email.Deferred || r.Enhanced != "4.7.4" {
			t.Errorf("reply = %+v, want deferred with 4.7.4", r)
		}
		if r := deliver(t, tr, parcel("x@example.org"))[0]; r.Verdict != email.Delivered {
			t.Errorf("a mail that demands nothing: %+v, want delivered", r)
		}
	}
}
