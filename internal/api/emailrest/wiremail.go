package emailrest

import "tidings/internal/awsapi/restjson"

// The shapes of mails and templates on the wire.

type destination struct{ BccAddresses, CcAddresses, ToAddresses []string }

type content struct{ Charset, Data string }

type body struct{ Html, Text *content }

type header struct{ Name, Value string }

type messageTag struct{ Name, Value string }

type attachment struct {
	ContentDescription      string
	ContentDisposition      string
	ContentId               string
	ContentTransferEncoding string
	ContentType             string
	FileName                string
	RawContent              restjson.Blob
}

type simple struct {
	Attachments []attachment // API v2
	Body        *body
	Headers     []header // API v2
	Subject     *content
}

type raw struct{ Data restjson.Blob }

type templateContent struct{ Html, Subject, Text string }

// template is how a mail names the template that it is made from.
type template struct {
	Attachments     []attachment // API v2
	Headers         []header     // API v2
	TemplateArn     string
	TemplateContent *templateContent // API v2
	TemplateData    string
	TemplateName    string // API v2
}

type emailContent struct {
	Raw      *raw
	Simple   *simple
	Template *template
}

// pinpointSendInput is what both APIs know.
type pinpointSendInput struct {
	ConfigurationSetName           string
	Content                        *emailContent
	Destination                    *destination
	EmailTags                      []messageTag
	FeedbackForwardingEmailAddress string
	FromEmailAddress               string
	ReplyToAddresses               []string
}

// v2SendInput leaves out ListManagementOptions and FeedbackForwardingEmailAddressIdentityArn,
// which change nothing.
type v2SendInput struct {
	pinpointSendInput

	EndpointId                  string
	FromEmailAddressIdentityArn string
	TenantName                  string
}

type sendOutput struct{ MessageId string }

type bulkInput struct {
	BulkEmailEntries               []bulkEntry
	ConfigurationSetName           string
	DefaultContent                 *struct{ Template *template }
	DefaultEmailTags               []messageTag
	EndpointId                     string
	FeedbackForwardingEmailAddress string
	FromEmailAddress               string
	FromEmailAddressIdentityArn    string
	ReplyToAddresses               []string
	TenantName                     string
}

type bulkEntry struct {
	Destination             *destination
	ReplacementEmailContent *struct {
		ReplacementTemplate *struct{ ReplacementTemplateData string }
	}
	ReplacementHeaders []header
	ReplacementTags    []messageTag
}

type bulkOutput struct{ BulkEmailEntryResults []bulkResult }

type bulkResult struct {
	Error     string `json:",omitempty"`
	MessageId string `json:",omitempty"`
	Status    string
}

type templateInput struct {
	TemplateName string `uri:"TemplateName" json:"-"`
}

type createTemplateInput struct {
	Tags            []tag
	TemplateContent *templateContent
	TemplateName    string
}

type updateTemplateInput struct {
	TemplateContent *templateContent
	TemplateName    string `uri:"TemplateName" json:"-"`
}

type getTemplateOutput struct {
	Tags            []tag
	TemplateContent storedContent
	TemplateName    string
}

// storedContent leaves out the parts that a template has not.
type storedContent struct {
	Html    string `json:",omitempty"`
	Subject string `json:",omitempty"`
	Text    string `json:",omitempty"`
}

type listTemplatesOutput struct {
	NextToken         string `json:",omitempty"`
	TemplatesMetadata []templateMetadata
}

type templateMetadata struct {
	CreatedTimestamp restjson.Time
	TemplateName     string
}

type renderInput struct {
	TemplateData string
	TemplateName string `uri:"TemplateName" json:"-"`
}

type renderOutput struct{ RenderedTemplate string }
