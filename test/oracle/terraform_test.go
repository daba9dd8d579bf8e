package oracle

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	pinpointv2 "github.com/aws/aws-sdk-go-v2/service/pinpoint"
)

// pluginsVariable names the folder with Terraform's AWS provider, as "terraform providers
// mirror" lays it out.
const pluginsVariable = "TIDINGS_TERRAFORM_PLUGINS"

// provider sends what Terraform's AWS provider asks of Pinpoint to the server, and nothing
// else to anybody.
const provider = `
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

provider "aws" {
  region                      = "us-east-1"
  access_key                  = "test"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_region_validation      = true
  skip_requesting_account_id  = true
  endpoints {
    pinpoint = "URL"
  }
}
`

const resources = `
resource "aws_pinpoint_app" "plain" {
  name_prefix = "plain-"
}

resource "aws_pinpoint_app" "shop" {
  name = "shop"
  campaign_hook {
    lambda_function_name = "arn:aws:lambda:us-east-1:123456789012:function:hook"
    mode                 = "FILTER"
  }
  limits {
    maximum_duration = 600
    daily            = 20
  }
  quiet_time {
    start = "22:00"
    end   = "06:00"
  }
  tags = {
    team = "growth"
  }
}

resource "aws_pinpoint_event_stream" "shop" {
  application_id         = aws_pinpoint_app.shop.application_id
  destination_stream_arn = "arn:aws:kinesis:us-east-1:123456789012:stream/clicks"
  role_arn               = "arn:aws:iam::123456789012:role/pinpoint"
}
`

// changed is what people change later.
var changed = strings.NewReplacer(
	"daily            = 20", "daily            = 5",
	`"22:00"`, `"21:30"`,
	`team = "growth"`, "team = \"retention\"\n    stage = \"prod\"",
	"stream/clicks", "stream/taps",
)

// TestTerraform applies, changes and destroys apps with their event streams. A plan behind
// each must find nothing left to do.
func TestTerraform(t *testing.T) {
	t.Parallel()
	plugins := os.Getenv(pluginsVariable)
	if plugins == "" {
		t.Skipf("%s does not name the folder with Terraform's AWS provider", pluginsVariable)
	}
	terraform, err := exec.LookPath("terraform")
	if err != nil {
		t.Skip("terraform is not installed")
	}
	s := start(t, options{})
	run := terraformIn(t, terraform, t.TempDir(), strings.ReplaceAll(provider, "URL", s.API))
	run(resources, "init", "-plugin-dir="+plugins)
	run(resources, "apply", "-auto-approve")
	run(resources, "plan", "-detailed-exitcode") // fails if anything differs
	run(changed.Replace(resources), "apply", "-auto-approve")
	run(changed.Replace(resources), "plan", "-detailed-exitcode")
	checkApplied(t, s)
	run(changed.Replace(resources), "destroy", "-auto-approve")
	out, err := clientV2(s).GetApps(t.Context(), &pinpointv2.GetAppsInput{})
	if err != nil || len(out.ApplicationsResponse.Item) > 0 {
		t.Errorf("GetApps after destroy = %v, %v, want none", out.ApplicationsResponse, err)
	}
}

// terraformIn returns what runs a command on a description in the folder and returns what it
// says. It fails the test if the command does not succeed.
func terraformIn(t *testing.T, terraform, dir, provider string) func(description string, args ...string) string {
	t.Helper()
	return func(description string, args ...string) string {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "main.tf"), []byte(provider+description), 0o600); err != nil {
			t.Fatalf("write the description: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), clientTimeout)
		defer cancel()
		cmd := exec.CommandContext(ctx, terraform, append(args, "-no-color")...)
		cmd.Dir = dir
		for _, v := range os.Environ() {
			if !strings.HasPrefix(v, "AWS_") && !strings.HasPrefix(v, "TF_") {
				cmd.Env = append(cmd.Env, v)
			}
		}
		cmd.Env = append(cmd.Env,
			"TF_IN_AUTOMATION=1", "TF_INPUT=0", "CHECKPOINT_DISABLE=1", "TF_CLI_CONFIG_FILE="+os.DevNull,
			"AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull, "AWS_EC2_METADATA_DISABLED=true")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("terraform %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
}

// checkApplied looks at what the second description has made.
func checkApplied(t *testing.T, s *server) {
	t.Helper()
	c := clientV2(s)
	apps, err := c.GetApps(t.Context(), &pinpointv2.GetAppsInput{})
	if err != nil || len(apps.ApplicationsResponse.Item) != 2 {
		t.Fatalf("GetApps = %v, %v, want two apps", apps, err)
	}
	for _, app := range apps.ApplicationsResponse.Item {
		if *app.Name != "shop" {
			continue
		}
		if app.Tags["team"] != "retention" || app.Tags["stage"] != "prod" {
			t.Errorf("the tags are %v, want those of the second description", app.Tags)
		}
		settings, err := c.GetApplicationSettings(t.Context(), &pinpointv2.GetApplicationSettingsInput{ApplicationId: app.Id})
		if err != nil {
			t.Fatal(err)
		}
		if r := settings.ApplicationSettingsResource; *r.Limits.Daily != 5 || *r.Limits.MaximumDuration != 600 || *r.QuietTime.Start != "21:30" || r.CampaignHook.Mode != "FILTER" {
			t.Errorf("the settings are %+v, want those of the second description", r)
		}
		stream, err := c.GetEventStream(t.Context(), &pinpointv2.GetEventStreamInput{ApplicationId: app.Id})
		if err != nil || !strings.HasSuffix(*stream.EventStream.DestinationStreamArn, "stream/taps") {
			t.Errorf("GetEventStream = %+v, %v, want that of the second description", stream, err)
		}
		return
	}
	t.Errorf("there is no app named shop: %v", apps.ApplicationsResponse.Item)
}
