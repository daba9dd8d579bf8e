package query_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"tidings/internal/awsapi/query"
	"tidings/internal/fault"
)

// mail has the members of SES's SendEmail.
type mail struct {
	Source               string
	Destination          *struct{ ToAddresses, CcAddresses, BccAddresses []string }
	Message              *mailMessage
	ReplyToAddresses     []string
	ReturnPath           string
	Tags                 []struct{ Name, Value string }
	ConfigurationSetName string
}

type mailMessage struct {
	Subject *mailContent
	Body    *struct{ Text, Html *mailContent }
}

type mailContent struct {
	Data    *string
	Charset string
}

// BenchmarkSendEmail finds the operation of a typical mail, fills its input and writes the reply.
func BenchmarkSendEmail(b *testing.B) {
	type sent struct{ MessageId string }
	family := query.New(query.Config{
		Version: "2010-12-01", Namespace: "http://ses.amazonaws.com/doc/2010-12-01/",
		Operations: []query.Operation{query.Op("SendEmail", func(_ context.Context, in *mail) (*sent, error) {
			if in.Destination == nil || len(in.Destination.ToAddresses) != 2 || in.Message.Body.Html.Data == nil || len(in.Tags) != 1 {
				return nil, fault.New(fault.Invalid, "", "%+v", in)
			}
			return &sent{MessageId: "0102000000000000-00000000-0000-0000-0000-000000000000-000000"}, nil
		})},
	})
	body := []byte(form(
		"Action", "SendEmail", "Version", "2010-12-01", "Source", "Sender <sender@example.com>",
		"Destination.ToAddresses.member.1", "recipient@example.com", "Destination.ToAddresses.member.2", "another@example.com",
		"Message.Subject.Data", "Your order has been shipped", "Message.Subject.Charset", "UTF-8",
		"Message.Body.Text.Data", "Hello, your order is on its way. It will be with you on Tuesday.",
		"Message.Body.Html.Data", "<html><body><p>Hello, your order is <b>on its way</b>. It will be with you on Tuesday.</p></body></html>",
		"ConfigurationSetName", "orders", "Tags.member.1.Name", "campaign", "Tags.member.1.Value", "shipping",
	))
	r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/", nil)
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		call, err := family.Resolve(r, body)
		if err != nil {
			b.Fatal(err)
		}
		if err := call.Serve(b.Context(), httptest.NewRecorder()); err != nil {
			b.Fatal(err)
		}
	}
}
