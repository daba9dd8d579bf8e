package app

import (
	"slices"
	"strings"
	"testing"

	"tidings/internal/config"
	"tidings/internal/email"
	"tidings/internal/smtpout"
	"tidings/internal/tenant"
)

var sender = tenant.Tenant{Account: testAccount, Region: "us-east-1"}

// TestWhatCameBackIsSentOn has a mail whose client wants copies of bounces.
func TestWhatCameBackIsSentOn(t *testing.T) {
	t.Parallel()
	a := opened(t)
	id, err := a.mail.service.Send(t.Context(), sender, email.Request{
		Operation: "SendEmail", From: "shop@example.com", To: []string{"a@example.org"}, ReturnPath: "desk@example.com",
		Simple: &email.Simple{Subject: email.Text{Data: "Hello"}, Text: &email.Text{Data: "x"}},
	})
	if err != nil {
		t.Fatalf("Send = %v", err)
	}
	const bounce = "Subject: Undelivered\r\n\r\nSorry.\r\n"
	if err := a.mail.intake.Return(t.Context(), id, []byte(bounce)); err != nil {
		t.Fatalf("Return = %v", err)
	}
	all, err := a.mail.store.Waiting(t.Context(), id, 10)
	if err != nil || len(all) != 1 {
		t.Fatalf("Waiting = %v, %v, want the copy", all, err)
	}
	m := all[0].Message
	if !slices.Equal(m.Recipients, []string{"desk@example.com"}) || m.Set != "" || m.ReturnPath != "" || m.Tenant != sender || m.Size != len(bounce) {
		t.Errorf("the copy is %+v; it must go to the client alone, tell nobody, and never be sent on itself", m)
	}
}

func TestWhatTheDNSNeeds(t *testing.T) {
	t.Parallel()
	a := opened(t)
	a.mail.host = "mail.example.com"
	const spf = "v=spf1 a:mail.example.com ~all"
	records, err := a.DNS(t.Context(), "example.com")
	if err != nil || len(records) != 1 || records[0].Name != "example.com" || records[0].Value != spf {
		t.Errorf("DNS without a key = %+v, %v", records, err)
	}
	identity, err := a.mail.service.VerifyDKIM(t.Context(), sender, "example.com")
	if err != nil {
		t.Fatalf("VerifyDKIM = %v", err)
	}
	a.cfg.Email.Bounces.Domain = "bounces.example.com"
	if records, err = a.DNS(t.Context(), "example.com"); err != nil || len(records) != 3 {
		t.Fatalf("DNS = %+v, %v, want three records", records, err)
	}
	if r := records[0]; r.Name != identity.Tokens()[0]+"._domainkey.example.com" || r.Type != "TXT" || !strings.HasPrefix(r.Value, "v=DKIM1; k=rsa; p=") {
		t.Errorf("DKIM = %+v", r)
	}
	if r := records[1]; r.Name != "bounces.example.com" || r.Value != spf {
		t.Errorf("SPF = %+v", r)
	}
	if r := records[2]; r.Name != "bounces.example.com" || r.Type != "MX" || r.Value != "10 mail.example.com." {
		t.Errorf("MX = %+v", r)
	}
}

func TestSMTPSettings(t *testing.T) {
	t.Parallel()
	cfg := config.Default().Email
	cfg.Transport, cfg.Hello, cfg.AllowedDomains, cfg.MX.LocalAddress = "mx", "mail.example.com", []string{"example.com"}, "192.0.2.1"
	cfg.Relay.Username = "u" // not of this way
	s, err := smtpSettings(&cfg)
	if err != nil || s.Relay != "" || s.Username != "" || s.MaxConnections != 10 || !s.MTASTS || s.AllowPrivate || s.LocalAddress.String() != "192.0.2.1" {
		t.Errorf("settings of mx = %+v, %v", s, err)
	}
	cfg.Transport, cfg.Relay.Server, cfg.Relay.Password = "relay", "127.0.0.1:25", "p"
	if s, err = smtpSettings(&cfg); err != nil || s.Relay != "127.0.0.1:25" || s.RelayTLS != smtpout.RelaySTARTTLS || s.MaxConnections != 20 || !s.PlainAuth {
		t.Errorf("settings of a relay = %+v, %v", s, err)
	}
	cfg.Relay.CA = "/no/such/file"
	if _, err = smtpSettings(&cfg); err == nil {
		t.Error("settings with a missing CA = nil error")
	}
	full := config.Default()
	for _, test := range []struct{ transport, server, want string }{
		{"simulator", "mail.example:25", ""},
		{"relay", "mail.example:25", "the password must not go to the relay without TLS"},
		{"relay", "127.0.0.1:25", ""},
	} {
		full.Email.Transport, full.Email.Relay = test.transport, config.MailRelay{Server: test.server, TLS: "none", Username: "u", Password: "p"}
		if err := CheckEmail(full); (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("CheckEmail of %s to %s = %v, want %q", test.transport, test.server, err, test.want)
		}
	}
}
