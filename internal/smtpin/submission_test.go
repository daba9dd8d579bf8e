package smtpin_test

import (
	"encoding/base64"
	"errors"
	"net/smtp"
	"strings"
	"testing"

	"github.com/emersion/go-sasl"
	gosmtp "github.com/emersion/go-smtp"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"tidings/internal/email"
	"tidings/internal/fault"
	"tidings/internal/smtpin"
	"tidings/internal/tenant"
)

const mail = "From: a@example.com\r\nTo: b@example.com\r\nX-SES-CONFIGURATION-SET: set\r\n\r\n.a line with a dot\r\n"

func TestPassword(t *testing.T) {
	t.Parallel()
	// Source: aws-sdk-php, SesClient::generateSmtpPasswordV4, whose test has this pair from AWS's own program.
	const want = "BMPPgbAHoFVbze1Ud0oA5uNdXRwUXUZ+qOwphGJbl/cS"
	if got := smtpin.Password(secret, "us-east-2"); got != want {
		t.Errorf("Password(%q, us-east-2) = %q, want %q", secret, got, want)
	}
}

func TestRegionsAreNamedOnce(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, r := range smtpin.Regions() {
		if seen[r] || !tenant.IsRegion(r) {
			t.Errorf("Regions() has %q twice, or it is no region", r)
		}
		seen[r] = true
	}
	if smtpin.Regions()[0] != "us-east-1" {
		t.Errorf("Regions()[0] = %q, want us-east-1", smtpin.Regions()[0])
	}
}

// TestSubmission is the way of Go's own client: STARTTLS, AUTH PLAIN, a message.
func TestSubmission(t *testing.T) {
	t.Parallel()
	server, client := certificate(t)
	to := &sender{}
	registry := prometheus.NewRegistry()
	address := submission(t, smtpin.Submission{
		Settings: smtpin.Settings{TLS: server, Metrics: smtpin.NewMetrics(registry)}, Sender: to,
	})
	c, err := smtp.Dial(address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.StartTLS(client); err != nil {
		t.Fatal(err)
	}
	if err := c.Auth(smtp.PlainAuth("", keyID, smtpin.Password(secret, "eu-west-1"), "127.0.0.1")); err != nil {
		t.Fatalf("Auth = %v, want nil", err)
	}
	if err := c.Mail("a@example.com"); err != nil {
		t.Fatal(err)
	}
	for _, r := range []string{"b@example.com", "c@example.org"} {
		if err := c.Rcpt(r); err != nil {
			t.Fatal(err)
		}
	}
	id, err := c.Text.Cmd("DATA")
	if err != nil {
		t.Fatal(err)
	}
	c.Text.StartResponse(id)
	if _, _, err := c.Text.ReadResponse(354); err != nil {
		t.Fatal(err)
	}
	w := c.Text.DotWriter()
	if _, err := w.Write([]byte(mail)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if line, err := c.Text.ReadLine(); line != "250 Ok "+messageID {
		t.Errorf("reply = %q, %v, want %q", line, err, "250 Ok "+messageID)
	}
	want := email.Request{
		Operation: "SendSmtpEmail", Large: true,
		Origin: email.Origin{IP: "127.0.0.1", TLS: "TLSv1.3", Caller: keyID},
		From:   "a@example.com",
		Raw:    &email.Raw{Data: []byte(mail), Envelope: []string{"b@example.com", "c@example.org"}},
	}
	got := to.only(t)
	if diff := cmp.Diff(want, got.request); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
	if want := (tenant.Tenant{Account: "123456789012", Region: "eu-west-1"}); got.tenant != want || got.caller != keyID {
		t.Errorf("tenant, caller = %v, %q, want %v, %q", got.tenant, got.caller, want, keyID)
	}
	if n := count(t, registry, "tidings_smtpin_messages_total", "submission", "accepted"); n != 1 {
		t.Errorf("accepted messages = %v, want 1", n)
	}
}

// TestSubmissionImplicit is the way of port 465, with LOGIN and several messages on one connection.
func TestSubmissionImplicit(t *testing.T) {
	t.Parallel()
	server, client := certificate(t)
	to := &sender{}
	address := submission(t, smtpin.Submission{Settings: smtpin.Settings{TLS: server}, Implicit: true, Sender: to})
	c, err := gosmtp.DialTLS(address, client)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Auth(sasl.NewLoginClient(keyID, smtpin.Password(secret, "us-east-1"))); err != nil {
		t.Fatalf("Auth = %v, want nil", err)
	}
	for range 3 {
		if err := c.SendMail("a@example.com", []string{"b@example.com"}, strings.NewReader(mail)); err != nil {
			t.Fatalf("SendMail = %v, want nil", err)
		}
	}
	if to.count() != 3 || to.all[0].tenant.Region != "us-east-1" {
		t.Errorf("sent = %v, want 3 from us-east-1", to.all)
	}
	if err := c.Quit(); err != nil {
		t.Errorf("Quit = %v, want nil", err)
	}
}

func plain(user, password string) string {
	return "AUTH PLAIN " + base64.StdEncoding.EncodeToString([]byte("\x00"+user+"\x00"+password))
}

func TestWhoMaySubmit(t *testing.T) {
	t.Parallel()
	password := smtpin.Password(secret, "us-east-1")
	for name, tt := range map[string]struct{ user, password, auth, mail string }{
		"right":            {keyID, password, "235", "250"},
		"wrong password":   {keyID, smtpin.Password("other", "us-east-1"), "535 Authentication Credentials Invalid", "530 Authentication required"},
		"unknown region":   {keyID, smtpin.Password(secret, "mars-north-1"), "535", "530"},
		"secret":           {keyID, secret, "535", "530"},
		"nothing":          {"", "", "535", "530"},
		"unknown user":     {"AKIAUNKNOWN", smtpin.Password("", "us-east-1"), "535", "530"},
		"temporary key":    {"ASIATEMPORARY", password, "535", "530"},
		"expired key":      {"AKIAEXPIRED", password, "535", "530"},
		"key without mail": {"AKIANOMAIL", password, "235", "554 Access denied: User AKIANOMAIL is not authorized to perform ses:SendRawEmail"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := dial(t, submission(t, smtpin.Submission{Sender: &sender{}}))
			c.expect("220 localhost")
			c.say("EHLO client", "250")
			c.say(plain(tt.user, tt.password), tt.auth)
			c.say("MAIL FROM:<a@example.com>", tt.mail)
		})
	}
}

func TestPlainSecrets(t *testing.T) {
	t.Parallel()
	to := &sender{}
	c := dial(t, submission(t, smtpin.Submission{PlainSecrets: true, Regions: []string{"eu-central-1", "eu-west-1"}, Sender: to}))
	c.expect("220")
	c.say("EHLO client", "250")
	c.say(plain(keyID, "x"+secret), "535")
	c.say(plain(keyID, secret), "235")
	c.say("MAIL FROM:<a@example.com>", "250")
	c.say("RCPT TO:<b@example.com>", "250")
	c.say("DATA", "354")
	c.say("Subject: hello\r\n\r\nhello\r\n.", "250 Ok "+messageID)
	if got := to.only(t).tenant.Region; got != "eu-central-1" {
		t.Errorf("region = %q, want the first, eu-central-1", got)
	}
}

func TestCredentialsNeedTLS(t *testing.T) {
	t.Parallel()
	server, _ := certificate(t)
	c := dial(t, submission(t, smtpin.Submission{Settings: smtpin.Settings{TLS: server}, Sender: &sender{}}))
	c.expect("220")
	c.say("EHLO client", "250")
	c.say("MAIL FROM:<a@example.com>", "530 Must issue a STARTTLS command first")
	c.say(plain(keyID, smtpin.Password(secret, "us-east-1")), "523")
}

func TestLoginStepByStep(t *testing.T) {
	t.Parallel()
	encode := base64.StdEncoding.EncodeToString
	c := dial(t, submission(t, smtpin.Submission{Sender: &sender{}}))
	c.expect("220")
	c.say("EHLO client", "250")
	c.say("AUTH LOGIN", "334 "+encode([]byte("Username:")))
	c.say("*", "501")
	c.say("AUTH CRAM-MD5", "504")
	c.say("AUTH LOGIN", "334 "+encode([]byte("Username:")))
	c.say(encode([]byte(keyID)), "334 "+encode([]byte("Password:")))
	c.say(encode([]byte("wrong")), "535")
	c.say("AUTH LOGIN", "334")
	c.say(encode([]byte(keyID)), "334")
	c.say(encode([]byte(smtpin.Password(secret, "sa-east-1"))), "235")
	c.say("AUTH LOGIN", "503")
}

func TestGuessingEndsTheConnection(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	c := dial(t, submission(t, smtpin.Submission{Settings: smtpin.Settings{Metrics: smtpin.NewMetrics(registry)}, Sender: &sender{}}))
	c.expect("220")
	c.say("EHLO client", "250")
	c.say(plain(keyID, "one"), "535")
	c.say("AUTH PLAIN "+base64.StdEncoding.EncodeToString([]byte("other\x00"+keyID+"\x00two")), "535")
	c.say(plain(keyID, "three"), "421")
	if line, err := c.ReadLine(); err == nil {
		t.Errorf("reply = %q, want the end", line)
	}
	if n := count(t, registry, "tidings_smtpin_auth_failures_total"); n != 3 {
		t.Errorf("auth failures = %v, want 3", n)
	}
}

// TestRefusals are the replies that SES documents, and those that follow from them.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err  error
		want string
	}{
		{fault.New(fault.Throttled, fault.SendingRate, "Maximum sending rate exceeded."), "454 Throttling failure: Maximum sending rate exceeded."},
		{fault.New(fault.Throttled, fault.SendingQuota, "Daily message quota exceeded."), "454 Throttling failure: Daily message quota exceeded."},
		{fault.New(fault.LimitExceeded, fault.SendingQuota, "Daily message quota exceeded."), "454 Throttling failure: Daily message quota exceeded."},
		{fault.New(fault.Throttled, "", "Slow down."), "454 Throttling failure: Slow down."},
		{fault.New(fault.Invalid, fault.EmailMessage, "Email address is not verified."), "554 Message rejected: Email address is not verified."},
		{fault.New(fault.Denied, fault.AccountSending, "Sending is paused."), "554 Message rejected: Sending is paused."},
		{fault.New(fault.NotFound, fault.ConfigurationSet, "Configuration set <a> does not exist."), "554 Transaction failed: Configuration set <a> does not exist."},
		{fault.New(fault.Invalid, fault.EmailParameter, "one\r\n250 Ok two é\x00"), "554 Transaction failed: one? 250 Ok two ??"},
		{fault.New(fault.Denied, "", "No."), "554 Access denied: No."},
		{fault.New(fault.Unavailable, "", "The disk is full."), "451 Temporary service failure"},
		{fault.New(fault.Unavailable, fault.EmailMessage, "The disk is full."), "451 Temporary service failure"},
		{errors.New("password=hunter2"), "451 Temporary service failure"},
		{fault.New(fault.Invalid, "", "%s", strings.Repeat("x", 1000)), "554 Transaction failed: " + strings.Repeat("x", 400)},
	} {
		t.Run(tt.want[:min(40, len(tt.want))], func(t *testing.T) {
			t.Parallel()
			c := dial(t, submission(t, smtpin.Submission{Sender: &sender{err: tt.err}}))
			c.expect("220")
			c.say("EHLO client", "250")
			c.say(plain(keyID, smtpin.Password(secret, "us-east-1")), "235")
			c.say("MAIL FROM:<a@example.com>", "250")
			c.say("RCPT TO:<b@example.com>", "250")
			c.say("DATA", "354")
			if line := c.say("hello\r\n.", tt.want); len(line) > 510 {
				t.Errorf("reply has %d octets, want at most 510", len(line))
			}
			c.say("NOOP", "250")
		})
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	to := &sender{}
	c := dial(t, submission(t, smtpin.Submission{MaxRecipients: 3, Sender: to}))
	c.expect("220")
	c.say("EHLO client", "250")
	c.say(plain(keyID, smtpin.Password(secret, "us-east-1")), "235")
	for _, bad := range []string{"", "a@", "a", "a@b..c", "a@exämple.com", "ä@example.com", "a@[]", strings.Repeat("a", 65) + "@example.com", "a@" + strings.Repeat("b", 64) + ".com"} {
		c.say("MAIL FROM:<"+bad+">", "501")
	}
	c.say(`MAIL FROM:<"a b\"c"@example.com>`, "250")
	for _, bad := range []string{"x@@example.com", "", "a@b..c", "a@b_c d"} {
		c.say("RCPT TO:<"+bad+">", "501")
	}
	c.say("RCPT TO:<b.o'c+tag@example.com>", "250")
	c.say("RCPT TO:<c@[127.0.0.1]>", "250")
	c.say("RCPT TO:<@relay.example.com:d@example.com>", "250")
	c.say("RCPT TO:<e@example.com>", "452")
	c.say("DATA", "354")
	c.say("hello\r\n.", "250")
	got := to.only(t).request
	if want := `"a b\"c"@example.com`; got.From != want {
		t.Errorf("From = %q, want %q", got.From, want)
	}
	if diff := cmp.Diff([]string{"b.o'c+tag@example.com", "c@[127.0.0.1]", "d@example.com"}, got.Raw.Envelope); diff != "" {
		t.Errorf("Envelope (-want +got):\n%s", diff)
	}
}

func TestOpenSubmissionRefuses(t *testing.T) {
	t.Parallel()
	server, _ := certificate(t)
	for name, s := range map[string]smtpin.Submission{
		"no way to authenticate":   {Settings: smtpin.Settings{Listen: "127.0.0.1:0"}},
		"implicit without TLS":     {Settings: smtpin.Settings{Listen: "127.0.0.1:0"}, Implicit: true, Insecure: true},
		"insecure on all networks": {Settings: smtpin.Settings{Listen: ":0"}, Insecure: true},
		"no address":               {Settings: smtpin.Settings{Listen: "127.0.0.1:x", TLS: server}},
	} {
		if l, err := smtpin.OpenSubmission(s); err == nil {
			l.Close()
			t.Errorf("%s: OpenSubmission = nil, want an error", name)
		}
	}
}
