package oracle

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	sesclient "github.com/aws/aws-sdk-go-v2/service/ses"
	sesv2client "github.com/aws/aws-sdk-go-v2/service/sesv2"
)

// mailProvider sends what Terraform's AWS provider asks of SES and Pinpoint to the server.
var mailProvider = strings.Replace(provider, `pinpoint = "URL"`, `pinpoint = "URL"
    ses      = "URL"
    sesv2    = "URL"`, 1)

// mailResources is a description of testdata/terraform, and what people change in it later.
type mailResources struct {
	file    string
	changes []string          // old, new, old, new
	imports map[string]string // IDs by the addresses of what can be imported
}

var terraformMail = map[string]mailResources{
	"ses": {
		file: "testdata/terraform/ses.tf",
		changes: []string{
			`tls_policy = "Require"`, `tls_policy = "Optional"`, "links.example.com", "l.example.com", "sending_enabled            = false", "sending_enabled            = true",
			`"send", "bounce"`, `"click", "renderingFailure"`, "012:mails", "012:others", "Hello {{name}}", "Dear {{name}}", `"UseDefaultValue"`, `"RejectMessage"`,
			"include_original_headers = true", "include_original_headers = false", "SES:SendEmail", "SES:SendRawEmail",
		},
		imports: map[string]string{
			"aws_ses_configuration_set.orders": "orders", "aws_ses_event_destination.topic": "orders/topic", "aws_ses_template.hello": "hello",
			"aws_ses_email_identity.shop": "shop@example.com", "aws_ses_domain_identity.example": "example.com", "aws_ses_domain_dkim.example": "example.com",
			"aws_ses_domain_mail_from.example": "example.com", "aws_ses_identity_policy.example": "arn:aws:ses:us-east-1::identity/example.com|policy",
			"aws_ses_identity_notification_topic.bounces": "example.com|Bounce",
		},
	},
	"sesv2": {
		file: "testdata/terraform/sesv2.tf",
		changes: []string{
			`tls_policy           = "REQUIRE"`, `tls_policy           = "OPTIONAL"`, "max_delivery_seconds = 600", "max_delivery_seconds = 900", `https_policy           = "REQUIRE"`, `https_policy           = "OPTIONAL"`,
			"sending_enabled = false", "sending_enabled = true", `["BOUNCE", "COMPLAINT"]`, `["COMPLAINT"]`, `engagement_metrics = "ENABLED"`, `engagement_metrics = "DISABLED"`,
			`team = "mail"`, "team = \"post\"\n    stage = \"prod\"", `["SEND", "BOUNCE"]`, `["OPEN"]`, "012:mails", "012:others", "email_forwarding_enabled = false", "email_forwarding_enabled = true",
			`"REJECT_MESSAGE"`, `"USE_DEFAULT_VALUE"`, `"ses:SendEmail"`, `"ses:SendRawEmail"`,
		},
		imports: map[string]string{
			"aws_sesv2_configuration_set.orders": "orders", "aws_sesv2_configuration_set_event_destination.topic": "orders|topic",
			"aws_sesv2_configuration_set_event_destination.app": "orders|app",
			"aws_sesv2_email_identity.example":                  "example.com", "aws_sesv2_email_identity_feedback_attributes.example": "example.com",
			"aws_sesv2_email_identity_mail_from_attributes.example": "example.com", "aws_sesv2_email_identity_policy.example": "example.com|policy",
			"aws_sesv2_account_suppression_attributes.account": "123456789012",
		},
	},
}

// TestTerraformMail applies, changes, imports and destroys the resources of both versions of SES. A plan behind each must find
// nothing left to do.
func TestTerraformMail(t *testing.T) {
	t.Parallel()
	plugins := os.Getenv(pluginsVariable)
	if plugins == "" {
		t.Skipf("%s does not name the folder with Terraform's AWS provider", pluginsVariable)
	}
	terraform, err := exec.LookPath("terraform")
	if err != nil {
		t.Skip("terraform is not installed")
	}
	for name, r := range terraformMail {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(r.file)
			must(t, "read the description", err)
			first := string(text)
			for i := 0; i < len(r.changes); i += 2 {
				if !strings.Contains(first, r.changes[i]) {
					t.Fatalf("%s has no %q to change", r.file, r.changes[i])
				}
			}
			second := strings.NewReplacer(r.changes...).Replace(first)
			s := start(t, options{})
			dir := t.TempDir()
			run := terraformIn(t, terraform, dir, strings.ReplaceAll(mailProvider, "URL", s.API))
			run(first, "init", "-plugin-dir="+plugins)
			run(first, "apply", "-auto-approve")
			run(first, "plan", "-detailed-exitcode") // fails if anything differs
			run(second, "apply", "-auto-approve")
			run(second, "plan", "-detailed-exitcode")
			imports, addresses := "", slices.Sorted(maps.Keys(r.imports))
			for _, address := range addresses {
				imports += fmt.Sprintf("import {\n  to = %s\n  id = %q\n}\n", address, r.imports[address])
			}
			run(second, append([]string{"state", "rm"}, addresses...)...)
			said := run(second+imports, "apply", "-auto-approve")
			if want := fmt.Sprintf("%d imported, 0 added, 0 changed, 0 destroyed", len(addresses)); !strings.Contains(said, want) {
				t.Errorf("terraform does not say %q of what was imported:\n%s", want, said)
			}
			run(second, "plan", "-detailed-exitcode")
			run(second, "destroy", "-auto-approve")
			checkDestroyed(t, s)
		})
	}
}

// checkDestroyed holds the server to having nothing left.
func checkDestroyed(t *testing.T, s *server) {
	t.Helper()
	v1, v2 := sesClient(s.API, testRegion), sesV2Client(s.API, testRegion)
	sets, err := v1.ListConfigurationSets(t.Context(), &sesclient.ListConfigurationSetsInput{})
	must(t, "list the sets", err)
	templates, err := v1.ListTemplates(t.Context(), &sesclient.ListTemplatesInput{})
	must(t, "list the templates", err)
	identities, err := v2.ListEmailIdentities(t.Context(), &sesv2client.ListEmailIdentitiesInput{})
	must(t, "list the identities", err)
	if n := len(sets.ConfigurationSets) + len(templates.TemplatesMetadata) + len(identities.EmailIdentities); n > 0 {
		t.Errorf("after destroy there are the sets %v, the templates %v and the identities %v, want nothing", sets.ConfigurationSets, templates.TemplatesMetadata, identities.EmailIdentities)
	}
}
