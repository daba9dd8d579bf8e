package smtpin_test

import (
	"strings"
	"testing"

	"github.com/emersion/go-sasl"
	gosmtp "github.com/emersion/go-smtp"

	"tidings/internal/smtpin"
)

// BenchmarkSubmission is one client that hands in small mails over one connection.
func BenchmarkSubmission(b *testing.B) {
	server, client := certificate(b)
	address := submission(b, smtpin.Submission{Settings: smtpin.Settings{TLS: server}, Implicit: true, Sender: &sender{}})
	c, err := gosmtp.DialTLS(address, client)
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	if err := c.Auth(sasl.NewPlainClient("", keyID, smtpin.Password(secret, "us-east-1"))); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := c.SendMail("a@example.com", []string{"b@example.com"}, strings.NewReader(mail)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBounce is a server that brings bounce messages over one connection.
func BenchmarkBounce(b *testing.B) {
	c, err := gosmtp.Dial(returning(b, &intake{}, smtpin.Settings{}))
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	bounce, path := sample(b, "dsn/postfix.eml"), paths.For(messageID)
	for b.Loop() {
		if err := c.SendMail("", []string{path}, strings.NewReader(bounce)); err != nil {
			b.Fatal(err)
		}
	}
}
