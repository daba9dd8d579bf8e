package oracle

import (
	"bytes"
	"encoding/xml"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	sesclient "github.com/aws/aws-sdk-go-v2/service/ses"
	sestypes "github.com/aws/aws-sdk-go-v2/service/ses/types"
	sesv2client "github.com/aws/aws-sdk-go-v2/service/sesv2"
	sesv2types "github.com/aws/aws-sdk-go-v2/service/sesv2/types"
	"github.com/aws/aws-sdk-go/aws/credentials"
	v4 "github.com/aws/aws-sdk-go/aws/signer/v4"
)

// queryReply is what is read of a reply of the Query protocol.
type queryReply struct {
	XMLName   xml.Name
	Names     []string `xml:"ListConfigurationSetsResult>ConfigurationSets>member>Name"`
	MessageID string   `xml:"SendEmailResult>MessageId"`
	Code      string   `xml:"Error>Code"`
	Message   string   `xml:"Error>Message"`
	Type      string   `xml:"Error>Type"`
	Request   string   `xml:"ResponseMetadata>RequestId"`
	Failed    string   `xml:"RequestId"` // of an error
}

// query is a request of the Query protocol as no SDK sends it any more.
type query struct {
	method    string // "" = GET
	form      url.Values
	presigned bool
	unsigned  bool
	age       time.Duration
	change    func(*http.Request) // after signing
}

func (q query) send(t testing.TB, s *server) (int, http.Header, queryReply) {
	t.Helper()
	at, body := s.API+"/?"+q.form.Encode(), ""
	method := http.MethodGet
	if q.method != "" {
		method, at, body = q.method, s.API+"/", q.form.Encode()
	}
	r, err := http.NewRequestWithContext(t.Context(), method, at, strings.NewReader(body))
	must(t, "make the request", err)
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	signer := v4.NewSigner(credentials.NewStaticCredentials(testKey, testSecret, ""))
	switch {
	case q.unsigned:
	case q.presigned:
		_, err = signer.Presign(r, nil, sesService, testRegion, time.Minute, time.Now().Add(-q.age))
	default:
		_, err = signer.Sign(r, bytes.NewReader([]byte(body)), sesService, testRegion, time.Now().Add(-q.age))
	}
	must(t, "sign the request", err)
	if q.change != nil {
		q.change(r)
	}
	resp, err := http.DefaultClient.Do(r)
	must(t, "send the request", err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(t, "read the reply", err)
	var reply queryReply
	if err := xml.Unmarshal(text, &reply); err != nil {
		t.Fatalf("the reply %d %q is no XML: %v", resp.StatusCode, text, err)
	}
	if space := "http://ses.amazonaws.com/doc/2010-12-01/"; reply.XMLName.Space != space {
		t.Errorf("the reply is %v, want it in %s", reply.XMLName, space)
	}
	return resp.StatusCode, resp.Header, reply
}

// TestQueryWithoutSDK asks as programs without an SDK do: with GET, with the signature in the header or in the URL.
func TestQueryWithoutSDK(t *testing.T) {
	t.Parallel()
	s := start(t, options{})
	_, err := sesClient(s.API, testRegion).CreateConfigurationSet(t.Context(), &sesclient.CreateConfigurationSetInput{ConfigurationSet: &sestypes.ConfigurationSet{Name: new("orders")}})
	must(t, "create the set", err)
	list := url.Values{"Action": {"ListConfigurationSets"}, "Version": {"2010-12-01"}}
	send := url.Values{
		"Action": {"SendEmail"}, "Version": {"2010-12-01"}, "Source": {"shop@example.com"}, "Destination.ToAddresses.member.1": {"success@simulator.amazonses.com"},
		"Message.Subject.Data": {"Grüße & 100% +1"}, "Message.Body.Text.Data": {"a=b&c\n~"},
	}
	for name, q := range map[string]query{
		"GET": {form: list}, "GET, presigned": {form: list, presigned: true}, "POST": {method: http.MethodPost, form: list},
		"without a version": {form: url.Values{"Action": {"ListConfigurationSets"}}},
	} {
		t.Run(name, func(t *testing.T) {
			status, header, reply := q.send(t, s)
			if status != http.StatusOK || len(reply.Names) != 1 || reply.Names[0] != "orders" || reply.XMLName.Local != "ListConfigurationSetsResponse" {
				t.Errorf("reply = %d %+v, want the set orders", status, reply)
			}
			if reply.Request == "" || reply.Request != header.Get("X-Amzn-Requestid") || header.Get("Content-Type") != "text/xml" {
				t.Errorf("the reply has the request ID %q and the header %v", reply.Request, header)
			}
		})
	}
	for name, q := range map[string]query{"send with GET": {form: send}, "send with GET, presigned": {form: send, presigned: true}, "send with POST": {method: http.MethodPost, form: send}} {
		t.Run(name, func(t *testing.T) {
			status, _, reply := q.send(t, s)
			if status != http.StatusOK || reply.MessageID == "" {
				t.Fatalf("reply = %d %+v, want the ID of a message", status, reply)
			}
			m := s.keptMessage(t, reply.MessageID)
			if text, err := io.ReadAll(m.Body); err != nil || !strings.Contains(string(text), "a=") {
				t.Errorf("the mail says %q, %v, want what was sent", text, err)
			}
		})
	}
	for name, tt := range map[string]struct {
		query  query
		status int
		code   string
		text   string
	}{
		"not signed":                {query{form: list, unsigned: true}, 403, "MissingAuthenticationToken", ""},
		"signed long ago":           {query{form: list, age: time.Hour}, 400, "RequestExpired", ""},
		"presigned long ago":        {query{form: list, presigned: true, age: time.Hour}, 400, "RequestExpired", ""},
		"changed after signing":     {query{form: list, change: func(r *http.Request) { r.URL.RawQuery += "&MaxItems=1" }}, 403, "SignatureDoesNotMatch", ""},
		"no action":                 {query{form: url.Values{"Version": {"2010-12-01"}}}, 400, "MissingAction", ""},
		"an action that is none":    {query{form: url.Values{"Action": {"Fly"}}}, 400, "InvalidAction", "Could not find operation Fly for version 2010-12-01"},
		"a version that is none":    {query{form: url.Values{"Action": {"ListConfigurationSets"}, "Version": {"1999-01-01"}}}, 400, "InvalidAction", "1999-01-01"},
		"an action that is missing": {query{form: url.Values{"Action": {"CreateReceiptRule"}}}, 400, "InvalidAction", ""},
		"a number that is none":     {query{form: url.Values{"Action": {"ListConfigurationSets"}, "MaxItems": {"many"}}}, 400, "ValidationError", "MaxItems"},
		"another method":            {query{method: http.MethodPut, form: list}, 405, "MethodNotAllowed", ""},
	} {
		t.Run(name, func(t *testing.T) {
			status, header, reply := tt.query.send(t, s)
			if status != tt.status || reply.Code != tt.code || !strings.Contains(reply.Message, tt.text) || reply.Type != "Sender" || reply.XMLName.Local != "ErrorResponse" {
				t.Errorf("reply = %d %+v, want %d %s with %q", status, reply, tt.status, tt.code, tt.text)
			}
			if reply.Failed == "" || reply.Failed != header.Get("X-Amzn-Requestid") {
				t.Errorf("the error has the request ID %q and the header %v", reply.Failed, header)
			}
		})
	}
}

// TestNewestSESV2 goes through what only today's SDKs know of the API v2.
func TestNewestSESV2(t *testing.T) {
	t.Parallel()
	s := start(t, options{})
	c := sesV2Client(s.API, testRegion)
	_, err := c.CreateConfigurationSet(t.Context(), &sesv2client.CreateConfigurationSetInput{
		ConfigurationSetName: new("orders"), ArchivingOptions: &sesv2types.ArchivingOptions{},
		DeliveryOptions: &sesv2types.DeliveryOptions{MaxDeliverySeconds: new(int64(600)), TlsPolicy: "REQUIRE"},
		TrackingOptions: &sesv2types.TrackingOptions{CustomRedirectDomain: new("l.example.com"), HttpsPolicy: "REQUIRE_OPEN_ONLY"},
	})
	must(t, "create the set", err)
	_, err = c.PutConfigurationSetArchivingOptions(t.Context(), &sesv2client.PutConfigurationSetArchivingOptionsInput{ConfigurationSetName: new("orders")})
	must(t, "have no archive", err)
	set, err := c.GetConfigurationSet(t.Context(), &sesv2client.GetConfigurationSetInput{ConfigurationSetName: new("orders")})
	must(t, "read the set", err)
	if *set.DeliveryOptions.MaxDeliverySeconds != 600 || set.TrackingOptions.HttpsPolicy != "REQUIRE_OPEN_ONLY" {
		t.Errorf("the set is %+v, %+v, want what was given", set.DeliveryOptions, set.TrackingOptions)
	}
	_, err = c.CreateConfigurationSetEventDestination(t.Context(), &sesv2client.CreateConfigurationSetEventDestinationInput{
		ConfigurationSetName: new("orders"), EventDestinationName: new("bus"), EventDestination: &sesv2types.EventDestinationDefinition{
			MatchingEventTypes:     []sesv2types.EventType{"SEND"},
			EventBridgeDestination: &sesv2types.EventBridgeDestination{EventBusArn: new("arn:aws:events:us-east-1:123456789012:event-bus/default")},
		},
	})
	if got := mailFailure(t, "CreateConfigurationSetEventDestination", err); got.code != "BadRequestException" || !strings.Contains(got.message, "EventBridge") {
		t.Errorf("a destination of EventBridge is answered by %+v, want a BadRequestException that says what is", got)
	}
	for filter, want := range map[string]int{"rder": 1, "news": 0} {
		out, err := c.ListConfigurationSets(t.Context(), &sesv2client.ListConfigurationSetsInput{Filter: map[string]string{"CONFIGURATION_SET_NAME_CONTAINS": filter}})
		if err != nil || len(out.ConfigurationSets) != want {
			t.Errorf("sets with %q in their names = %+v, %v, want %d", filter, out, err, want)
		}
	}
	out, err := c.SendEmail(t.Context(), &sesv2client.SendEmailInput{
		FromEmailAddress: new("shop@example.com"), Destination: &sesv2types.Destination{ToAddresses: []string{"zoe@example.org"}},
		Content: &sesv2types.EmailContent{Template: &sesv2types.Template{
			TemplateContent: &sesv2types.EmailTemplateContent{Subject: new("Hello {{name}}"), Text: new("{{name}}")}, TemplateData: new(`{"name":"Zoë"}`),
			Headers:     []sesv2types.MessageHeader{{Name: new("X-Kind"), Value: new("order")}},
			Attachments: []sesv2types.Attachment{{FileName: new("a.txt"), RawContent: []byte("attached"), ContentType: new("text/plain")}},
		}},
	})
	must(t, "send from a template of the request", err)
	m := s.keptMessage(t, *out.MessageId)
	if m.Header.Get("X-Kind") != "order" || !strings.HasPrefix(m.Header.Get("Content-Type"), "multipart/mixed") {
		t.Errorf("the mail has the header %v, want that of the request and an attachment", m.Header)
	}
	_, err = c.SendEmail(t.Context(), &sesv2client.SendEmailInput{
		FromEmailAddress: new("shop@example.com"), Destination: &sesv2types.Destination{ToAddresses: []string{"zoe@example.org"}}, TenantName: new("t"),
		Content: &sesv2types.EmailContent{Simple: &sesv2types.Message{Subject: &sesv2types.Content{Data: new("x")}, Body: &sesv2types.Body{Text: &sesv2types.Content{Data: new("x")}}}},
	})
	if got := mailFailure(t, "SendEmail", err); got.code != "BadRequestException" || !strings.Contains(got.message, "tenants") {
		t.Errorf("a mail of a tenant is answered by %+v, want a BadRequestException that says what is", got)
	}
	_, err = c.CreateTenant(t.Context(), &sesv2client.CreateTenantInput{TenantName: new("t")})
	if got := mailFailure(t, "CreateTenant", err); got.status != http.StatusNotFound || !strings.Contains(got.message, "tenants") {
		t.Errorf("CreateTenant is answered by %+v, want 404 that says what is not there", got)
	}
}
