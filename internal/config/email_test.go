package config_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tidings/internal/config"
)

func TestValidateChecksEmail(t *testing.T) {
	t.Parallel()
	with := func(change func(*config.Email)) func(*config.Config) {
		return func(c *config.Config) { change(&c.Email) }
	}
	tests := []struct {
		name   string
		change func(*config.Config)
		want   []string
	}{
		{"a relay", with(func(e *config.Email) {
			e.Transport, e.Relay.Server, e.Relay.Username, e.Relay.Password = "relay", "mail.example:587", "u", "p"
		}), nil},
		{"straight", with(func(e *config.Email) {
			e.Transport, e.AllowedDomains, e.MX.LocalAddress = "mx", []string{"example.com"}, "192.0.2.1"
		}), nil},
		{"no relay", with(func(e *config.Email) { e.Transport = "relay" }), []string{"email.transport"}},
		{"half a relay", with(func(e *config.Email) {
			e.Relay.Server, e.Relay.Username, e.Relay.CA = "mail.example", "u", "/no/such/file"
		}), []string{
			"email.relay", "email.relay.ca", "email.relay.server",
		}},
		{"words", with(func(e *config.Email) {
			e.Transport, e.Senders, e.Relay.TLS, e.Hello = "pigeon", "all", "maybe", "Mail Server"
		}), []string{
			"email.hello", "email.relay.tls", "email.senders", "email.transport",
		}},
		{"names", with(func(e *config.Email) {
			e.Identities = []string{"a@example.com", "example.com", "Example", "a@b@c"}
			e.AllowedDomains, e.Simulator.Domains, e.Bounces.Addresses = []string{"EXAMPLE.com"}, []string{"x"}, []string{"a@b"}
		}), []string{
			"email.allowed_domains[0]", "email.bounces.addresses[0]", "email.identities[2]", "email.identities[3]", "email.simulator.domains[0]",
		}},
		{"numbers", with(func(e *config.Email) {
			e.Concurrency, e.GiveUp, e.MaxBytes, e.KeepHeads, e.MX.Port, e.Relay.Connections = 0, time.Second, 1, 0, 70_000, 0
		}), []string{"email.concurrency", "email.give_up", "email.keep_heads", "email.max_bytes", "email.mx.port", "email.relay.connections"}},
		{"a key that is none", with(func(e *config.Email) {
			e.DKIM = []config.DKIMKey{{Domain: "example.com", Selector: "a b"}, {Selector: "a", Key: "env:NOT_SET"}}
		}), []string{"email.dkim[0].key", "email.dkim[0].selector", "email.dkim[1].domain", "email.dkim[1].key"}},
		{"bounces without a domain", with(func(e *config.Email) { e.Bounces.Listen = "127.0.0.1:0" }), []string{"email.bounces.domain"}},
		{"passwords in the clear", with(func(e *config.Email) { e.Submission.Listen = "127.0.0.1:0" }), []string{"email.submission.certificate"}},
		{"on loopback they may be", with(func(e *config.Email) { e.Submission.Listen, e.Submission.Insecure = "127.0.0.1:0", true }), nil},
		{"elsewhere they may not", with(func(e *config.Email) { e.Submission.Listen, e.Submission.Insecure = "0.0.0.0:0", true }), []string{"email.submission.certificate"}},
		{"half a certificate", with(func(e *config.Email) { e.Tracking.Certificate = "/no/such/file" }), []string{"email.tracking", "email.tracking"}},
		{"a URL that is none", with(func(e *config.Email) { e.Tracking.URL, e.Tracking.Listen = "track.example", "8080" }), []string{"email.tracking.listen", "email.tracking.url"}},
		{"clamd", with(func(e *config.Email) { e.Virus.Clamd = "127.0.0.1:3310" }), []string{"email.virus.clamd"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, problemsOf(t, tt.change)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

func TestHowMailLeaves(t *testing.T) {
	t.Parallel()
	var got []string
	for _, transport := range []string{"auto", "simulator", "relay", "mx"} {
		for _, server := range []string{"", "mail.example:25"} {
			e := config.Default().Email
			e.Transport, e.Relay.Server = transport, server
			word := "mx"
			if e.Relays() {
				word = "relay"
			}
			if e.Simulates() {
				word = "simulator"
			}
			got = append(got, word)
		}
	}
	if want := []string{"simulator", "relay", "simulator", "simulator", "relay", "relay", "mx", "mx"}; !slices.Equal(got, want) {
		t.Errorf("ways %q, want %q", got, want)
	}
}
