package emailrest_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/http"
	"testing"
)

// BenchmarkSendEmail sends signed mails through the whole handler, with nothing behind it: one
// of a usual size, and whole messages with a file of 1 MiB.
func BenchmarkSendEmail(b *testing.B) {
	const simple = `{"FromEmailAddress":"Example <sender@example.com>","Destination":{"ToAddresses":["recipient@example.org"]},"ReplyToAddresses":["reply@example.com"],` +
		`"Content":{"Simple":{"Subject":{"Data":"Your order 4711 is on its way"},"Body":{"Text":{"Data":"Hello Ms. Doe,\n\nyour order has left our house.\n"},` +
		`"Html":{"Data":"<html><body><p>Hello Ms. Doe,</p><p>your order <a href=\"https://shop.example.com/o/4711\">4711</a> has left our house.</p></body></html>"}}}},` +
		`"EmailTags":[{"Name":"campaign","Value":"autumn"}],"ConfigurationSetName":"news"}`
	file := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("From: sender@example.com\r\n\r\n\xff"), 1<<20/29))
	for name, body := range map[string]string{
		"simple":   simple,
		"1MiB raw": fmt.Sprintf(`{"Content":{"Raw":{"Data":"%s"}},"Destination":{"ToAddresses":["recipient@example.org"]}}`, file),
	} {
		b.Run(name, func(b *testing.B) {
			g := newRig()
			g.start(b)
			b.SetBytes(int64(len(body)))
			g.Bench(b, http.MethodPost, "/v2/email/outbound-emails", body, func() { g.mail.sent = g.mail.sent[:0] })
		})
	}
}
