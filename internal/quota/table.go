// Package quota holds the limits that an account works under: one table of them, with the
// source of each number, and the sliding windows that count towards those that are rates.
package quota

import (
	"maps"
	"time"
)

// Name names a limit, as the configuration file and the error texts do.
type Name string

// The limits of the SMS and Voice API.
const (
	ConfigurationSets     Name = "configuration_sets"
	EventDestinations     Name = "event_destinations_per_set"
	VoicePerDay           Name = "voice_messages_per_day"
	VoicePerRecipient     Name = "voice_messages_per_recipient_per_day"
	VoicePerMinute        Name = "voice_calls_per_minute"
	VoicePerOrigination   Name = "voice_messages_per_origination_number_per_second"
	VoiceSeconds          Name = "voice_message_seconds"
	VoiceBillable         Name = "voice_billable_characters"
	VoiceCharacters       Name = "voice_characters"
	VoiceSandboxCountries Name = "voice_sandbox_countries"
)

// The limits of Pinpoint's apps.
const (
	Apps             Name = "apps"
	EventTypes       Name = "event_types_per_app"
	EventAttributes  Name = "event_attribute_keys_per_app"
	EventMetrics     Name = "event_metric_keys_per_app"
	EndpointsPerUser Name = "endpoints_per_user"
)

// The limits of e-mail.
const (
	EmailsPerDay    Name = "emails_per_day"    // recipients within 24 hours
	EmailsPerSecond Name = "emails_per_second" // recipients within a second
	EmailRecipients Name = "email_recipients"  // of one mail
	EmailBytes      Name = "email_bytes"       // of one mail, by SES version 1 and Pinpoint Email
	EmailBytesV2    Name = "email_bytes_v2"    // of one mail, by SES version 2 and SMTP
	EmailMIMEParts  Name = "email_mime_parts"  // of one mail
	EmailTemplates  Name = "email_templates"
	TemplateBytes   Name = "email_template_bytes"
	EmailIdentities Name = "email_identities"
)

// Unlimited is the value of a limit that does not limit.
const Unlimited int64 = 0

// Limit is one row of the table.
type Limit struct {
	Name       Name
	Production int64         // outside the sandbox; Unlimited = none
	Sandbox    int64         // in the sandbox
	Window     time.Duration // over which uses are counted; 0 = a size, not a rate
	Source     string
}

const (
	voiceGuide = `SMS and Voice API Reference, "Service Limits"`
	appGuide   = `Amazon Pinpoint Developer Guide, "Amazon Pinpoint quotas"`
	emailGuide = `SES Developer Guide, "Service quotas in Amazon SES"`
)

// Table is every limit there is.
var Table = []Limit{
	{ConfigurationSets, 10_000, 10_000, 0, voiceGuide},
	{EventDestinations, 10, 10, 0, voiceGuide},
	{VoicePerDay, Unlimited, 20, 24 * time.Hour, voiceGuide},
	{VoicePerRecipient, 5, 5, 24 * time.Hour, voiceGuide},
	{VoicePerMinute, 20, 5, time.Minute, voiceGuide},
	{VoicePerOrigination, 1, 1, time.Second, voiceGuide},
	{VoiceSeconds, 5 * 60, 30, 0, voiceGuide},
	{VoiceBillable, 3_000, 3_000, 0, voiceGuide},
	{VoiceCharacters, 6_000, 6_000, 0, voiceGuide},
	{VoiceSandboxCountries, Unlimited, 1, 0, voiceGuide + "; 1 = only the countries of voice.SandboxCountries"},
	{Apps, 100, 100, 0, appGuide + ", Project quotas"},
	{EventTypes, 1_500, 1_500, 0, appGuide + ", Event ingestion quotas"},
	{EventAttributes, 500, 500, 0, appGuide + ", Event ingestion quotas"},
	{EventMetrics, 500, 500, 0, appGuide + ", Event ingestion quotas"},
	{EndpointsPerUser, 15, 15, 0, appGuide + ", Endpoint quotas"},
	{EmailsPerDay, Unlimited, 200, 24 * time.Hour, emailGuide + ", Sending quotas"},
	{EmailsPerSecond, Unlimited, 1, time.Second, emailGuide + ", Sending quotas"},
	{EmailRecipients, 50, 50, 0, emailGuide + ", Message quotas, Number of recipients"},
	{EmailBytes, 10 << 20, 10 << 20, 0, emailGuide + ", Message quotas, Maximum message size, API v1"},
	{EmailBytesV2, 40 << 20, 40 << 20, 0, emailGuide + ", Message quotas, Maximum message size, API v2 and SMTP"},
	{EmailMIMEParts, 500, 500, 0, emailGuide + ", Message quotas, MIME parts"},
	{EmailTemplates, 20_000, 20_000, 0, emailGuide + ", Email template quotas"},
	{TemplateBytes, 500 << 10, 500 << 10, 0, emailGuide + ", Email template quotas"},
	{EmailIdentities, 10_000, 10_000, 0, emailGuide + ", Sender quotas"},
}

// Mode says which column of the table applies.
type Mode string

// The modes.
const (
	Production Mode = "production" // the default
	Sandbox    Mode = "sandbox"    // what AWS gives a new account
	Off        Mode = "off"        // no limits; sizes that keep the service itself safe stay
)

// Limits are the limits of one account. The zero value has none.
type Limits struct {
	values map[Name]int64
}

// For returns the limits of mode with the account's own numbers laid over them. An
// override counts in every mode, also in Off.
func For(mode Mode, overrides map[Name]int64) Limits {
	values := make(map[Name]int64, len(Table))
	for _, row := range Table {
		switch mode {
		case Production:
			values[row.Name] = row.Production
		case Sandbox:
			values[row.Name] = row.Sandbox
		case Off:
			values[row.Name] = Unlimited
		}
	}
	maps.Copy(values, overrides)
	return Limits{values: values}
}

// Of returns the value of the limit, Unlimited if there is none.
func (l Limits) Of(name Name) int64 { return l.values[name] }

// Row returns the table's row of the limit, and whether there is one.
func Row(name Name) (Limit, bool) {
	for _, row := range Table {
		if row.Name == name {
			return row, true
		}
	}
	return Limit{}, false
}
