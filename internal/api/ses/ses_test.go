package ses_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tidings/internal/api/apitest"
	"tidings/internal/api/ses"
)

// TestCompatibilityPage holds docs/compatibility.md to the operations there are.
func TestCompatibilityPage(t *testing.T) {
	t.Parallel()
	apitest.CheckPage(t, "Operations of SES version 1", ses.New(ses.Config{}).Operations())
}

// TestWithoutACaller calls operations past the handler, which knows the caller.
func TestWithoutACaller(t *testing.T) {
	t.Parallel()
	const most = "ConfigurationSet.Name=a&ConfigurationSetName=a&EventDestinationName=a&EventDestination.Name=a&EventDestination.MatchingEventTypes.1=send&EventDestination.SNSDestination.TopicARN=a" +
		"&TrackingOptions.CustomRedirectDomain=a.example.com&Enabled=true&Template.TemplateName=a&TemplateName=a&TemplateData=a&EmailAddress=a@example.com&Domain=example.com&Identity=example.com" +
		"&DkimEnabled=true&NotificationType=Bounce&ForwardingEnabled=true&PolicyName=a&Policy=a&Source=a&Destination.ToAddresses.1=a&Message.Subject.Data=a&Message.Body.Text.Data=a" +
		"&RawMessage.Data=YQ==&Template=a&DefaultTemplateData=a&Destinations.1.Destination.ToAddresses.1=a&OriginalMessageId=a&BounceSender=a&BouncedRecipientInfoList.1.Recipient=a&Identities.1=a"
	api := ses.New(ses.Config{})
	for _, name := range api.Operations() {
		body := most
		switch name { // whose parameters of these names are of other kinds
		case "SendTemplatedEmail", "SendBulkTemplatedEmail":
			body = strings.ReplaceAll(most, "Template.TemplateName=a&", "")
		case "CreateTemplate", "UpdateTemplate":
			body = strings.ReplaceAll(most, "&Template=a", "")
		case "SendRawEmail":
			body = strings.ReplaceAll(most, "Destinations.1.Destination.ToAddresses.1=a", "Destinations.1=a")
		}
		apitest.CheckNeedsCaller(t, api, http.MethodPost, "/", "Action="+name+"&"+body)
	}
}

var nameElement = regexp.MustCompile(`<Name>(.*?)</Name>`)

// TestAllPages reads 25 templates and sets in pages of every size that divides the work differently.
func TestAllPages(t *testing.T) {
	t.Parallel()
	g := newRig()
	g.start(t)
	var want []string
	for i := range 25 {
		name := fmt.Sprintf("n%02d", i)
		want = append(want, name)
		for _, form := range []string{"Action=CreateTemplate&Template.TemplateName=" + name, "Action=CreateConfigurationSet&ConfigurationSet.Name=" + name} {
			if w := g.Do(t, http.MethodPost, "/", form, "AKIDEXAMPLE"); w.Code != http.StatusOK {
				t.Fatalf("%s = %d %s, want 200", form, w.Code, w.Body)
			}
		}
	}
	for _, action := range []string{"ListTemplates", "ListConfigurationSets"} {
		for _, size := range []string{"", "&MaxItems=1", "&MaxItems=24", "&MaxItems=25", "&MaxItems=100"} {
			var got []string
			for token, first := "", true; first || token != ""; first = false {
				form := "Action=" + action + size
				if token != "" {
					form += "&NextToken=" + url.QueryEscape(token)
				}
				w := g.Do(t, http.MethodPost, "/", form, "AKIDEXAMPLE")
				for _, m := range nameElement.FindAllStringSubmatch(w.Body.String(), -1) {
					got = append(got, m[1])
				}
				token = apitest.NextToken(w)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("all pages of %s%s (-want +got):\n%s", action, size, diff)
			}
		}
	}
}

// BenchmarkSendEmail sends a signed mail through the whole handler, with nothing behind it.
func BenchmarkSendEmail(b *testing.B) {
	g := newRig()
	g.start(b)
	body := encode("Action=SendEmail\nVersion=2010-12-01\nSource=Sender <sender@example.com>\nDestination.ToAddresses.member.1=recipient@example.com\n" +
		"Message.Subject.Data=Your order has been shipped\nMessage.Body.Text.Data=Hello, your order is on its way. It will be with you on Tuesday.\n" +
		"Message.Body.Html.Data=<p>Hello, your order is <b>on its way</b>. It will be with you on Tuesday.</p>\n" +
		"ConfigurationSetName=orders\nTags.member.1.Name=campaign\nTags.member.1.Value=shipping\n")
	g.Bench(b, http.MethodPost, "/", body, func() { g.mail.sent = g.mail.sent[:0] })
}
