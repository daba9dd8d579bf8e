// Package ses is the Amazon SES API, version 2010-12-01: its operations over the Query protocol, its words and its
// exceptions.
//
// It turns the wire into the terms of package configset and package email, and back. The rules are theirs; here are only
// those about the shape of a request: that a member is there, that exactly one of several is given, that a word is one of a
// list.
//
// Source: Amazon SES API Reference.
package ses

import (
	"context"
	"time"

	"tidings/internal/awsapi"
	"tidings/internal/awsapi/query"
	"tidings/internal/configset"
	"tidings/internal/email"
	"tidings/internal/tenant"
)

// Service is the name that signatures and actions use for this API.
const Service = "ses"

// bodyLimit leaves room for the largest raw message, 10 MB, in Base64 and escaped once more for the form.
// Source: SES API Reference, "SendRawEmail".
const bodyLimit = 20 << 20

// documentedRate is how often a second an account may call an operation that sends no mail.
// Source: SES Developer Guide, "Service quotas in Amazon SES".
const documentedRate = 1

// Sets is what this API needs of configuration sets: an *email.Sets.
type Sets interface {
	CreateWith(ctx context.Context, t tenant.Tenant, scope configset.Scope, name string, o configset.Options) error
	Set(ctx context.Context, t tenant.Tenant, scope configset.Scope, name string) (*configset.Set, error)
	List(ctx context.Context, t tenant.Tenant, scope configset.Scope, after string, limit int) (names []string, more bool, err error)
	Delete(ctx context.Context, t tenant.Tenant, scope configset.Scope, name string) error
	ChangeOptions(ctx context.Context, t tenant.Tenant, scope configset.Scope, name string, edit func(*configset.Options) error) error
	CreateDestination(ctx context.Context, t tenant.Tenant, scope configset.Scope, set string, d configset.EventDestination) error
	UpdateDestination(ctx context.Context, t tenant.Tenant, scope configset.Scope, set string, d configset.EventDestination) error
	DeleteDestination(ctx context.Context, t tenant.Tenant, scope configset.Scope, set, name string) error
}

// Mail is what this API needs of mails: an *email.Service.
type Mail interface {
	Sender
	Templates
	Identities
	Account
}

// Sender accepts mails.
type Sender interface {
	Send(ctx context.Context, t tenant.Tenant, r email.Request) (id string, err error)
	SendBulk(ctx context.Context, t tenant.Tenant, b email.Bulk) ([]email.BulkResult, error)
	SendBounce(ctx context.Context, t tenant.Tenant, r email.BounceRequest) (id string, err error)
}

// Templates keeps and renders templates.
type Templates interface {
	CreateTemplate(ctx context.Context, t tenant.Tenant, one email.Template) error
	UpdateTemplate(ctx context.Context, t tenant.Tenant, one email.Template) error
	Template(ctx context.Context, t tenant.Tenant, name string) (*email.Template, error)
	Templates(ctx context.Context, t tenant.Tenant, after string, limit int) (all []*email.Template, more bool, err error)
	DeleteTemplate(ctx context.Context, t tenant.Tenant, name string) (had bool, err error)
	Render(ctx context.Context, t tenant.Tenant, name, data string) (mime string, err error)
}

// Identities keeps identities.
type Identities interface {
	VerifyIdentity(ctx context.Context, t tenant.Tenant, name string) (*email.Identity, error)
	VerifyDKIM(ctx context.Context, t tenant.Tenant, domain string) (*email.Identity, error)
	Identity(ctx context.Context, t tenant.Tenant, name string) (*email.Identity, error)
	Identities(ctx context.Context, t tenant.Tenant, kind email.IdentityKind, after string, limit int) (all []*email.Identity, more bool, err error)
	ChangeIdentity(ctx context.Context, t tenant.Tenant, name string, edit func(*email.Identity) error) error
	DeleteIdentity(ctx context.Context, t tenant.Tenant, name string) (had bool, err error)
}

// Account tells of accounts, and switches them.
type Account interface {
	Quota(ctx context.Context, t tenant.Tenant) (email.Quota, error)
	Statistics(ctx context.Context, t tenant.Tenant) ([]email.Counts, error)
	Settings(ctx context.Context, t tenant.Tenant) (email.Settings, error)
	ChangeSettings(ctx context.Context, t tenant.Tenant, edit func(*email.Settings) error) error
}

// Config is what an API is made of. Sets, Mail and Tokens must be set.
type Config struct {
	Sets   Sets
	Mail   Mail
	Tokens *awsapi.PageTokens
	// Rates also enforces the documented request rates of the API. AWS protects its fleet
	// with them; a server of one's own rarely needs to.
	Rates bool
	Now   func() time.Time // nil = time.Now
}

// API is the SES API, an awsapi.Family. It is safe for concurrent use.
type API struct {
	*query.Family
	config Config
}

// New makes the API.
func New(c Config) *API {
	if c.Now == nil {
		c.Now = time.Now
	}
	a := &API{config: c}
	rate := 0
	if c.Rates {
		rate = documentedRate
	}
	operations := a.sending()
	for _, all := range [][]query.Operation{a.sets(), a.templates(), a.identities(), a.account()} {
		for _, o := range all {
			o.Rate = rate
			operations = append(operations, o)
		}
	}
	a.Family = query.New(query.Config{
		Name: "ses", Service: Service, Version: "2010-12-01", Namespace: "http://ses.amazonaws.com/doc/2010-12-01/",
		BodyLimit: bodyLimit, Operations: operations, Absent: absent, Exception: exception,
	})
	return a
}

// sending are the operations whose rates are those of mails.
func (a *API) sending() []query.Operation {
	return []query.Operation{
		query.TenantOp(sendEmail, a.sendEmail),
		query.TenantOp(sendRawEmail, a.sendRawEmail),
		query.TenantOp(sendTemplatedEmail, a.sendTemplatedEmail),
		query.TenantOp(sendBulkTemplatedEmail, a.sendBulkTemplatedEmail),
		query.TenantOp(sendBounce, a.sendBounce),
	}
}

func (a *API) sets() []query.Operation {
	return []query.Operation{
		query.TenantOp(createConfigurationSet, a.createSet),
		query.TenantOp("DeleteConfigurationSet", a.deleteSet),
		query.TenantOp("DescribeConfigurationSet", a.describeSet),
		query.TenantOp(listConfigurationSets, a.listSets),
		query.TenantOp(createDestination, a.createDestination),
		query.TenantOp(updateDestination, a.updateDestination),
		query.TenantOp("DeleteConfigurationSetEventDestination", a.deleteDestination),
		query.TenantOp("CreateConfigurationSetTrackingOptions", a.createTracking),
		query.TenantOp("UpdateConfigurationSetTrackingOptions", a.updateTracking),
		query.TenantOp("DeleteConfigurationSetTrackingOptions", a.deleteTracking),
		query.TenantOp("PutConfigurationSetDeliveryOptions", a.putDelivery),
		query.TenantOp("UpdateConfigurationSetSendingEnabled", a.enableSetSending),
		query.TenantOp("UpdateConfigurationSetReputationMetricsEnabled", a.enableReputationMetrics),
	}
}

func (a *API) templates() []query.Operation {
	return []query.Operation{
		query.TenantOp(createTemplate, a.createTemplate),
		query.TenantOp(updateTemplate, a.updateTemplate),
		query.TenantOp("GetTemplate", a.getTemplate),
		query.TenantOp(listTemplates, a.listTemplates),
		query.TenantOp("DeleteTemplate", a.deleteTemplate),
		query.TenantOp(testRenderTemplate, a.testRenderTemplate),
	}
}

func (a *API) identities() []query.Operation {
	return []query.Operation{
		query.TenantOp("VerifyEmailIdentity", a.verifyEmailIdentity),
		query.TenantOp("VerifyEmailAddress", a.verifyEmailAddress),
		query.TenantOp("VerifyDomainIdentity", a.verifyDomainIdentity),
		query.TenantOp("VerifyDomainDkim", a.verifyDomainDKIM),
		query.TenantOp(listIdentities, a.listIdentities),
		query.TenantOp("ListVerifiedEmailAddresses", a.listVerifiedAddresses),
		query.TenantOp("DeleteIdentity", a.deleteIdentity),
		query.TenantOp("DeleteVerifiedEmailAddress", a.deleteVerifiedAddress),
		query.TenantOp("GetIdentityVerificationAttributes", a.getVerification),
		query.TenantOp("GetIdentityDkimAttributes", a.getDKIM),
		query.TenantOp("SetIdentityDkimEnabled", a.setDKIM),
		query.TenantOp("GetIdentityMailFromDomainAttributes", a.getMailFrom),
		query.TenantOp("SetIdentityMailFromDomain", a.setMailFrom),
		query.TenantOp("GetIdentityNotificationAttributes", a.getNotifications),
		query.TenantOp(setNotificationTopic, a.setNotificationTopic),
		query.TenantOp(setForwarding, a.setForwarding),
		query.TenantOp(setHeaders, a.setHeaders),
		query.TenantOp("PutIdentityPolicy", a.putPolicy),
		query.TenantOp("GetIdentityPolicies", a.getPolicies),
		query.TenantOp("ListIdentityPolicies", a.listPolicies),
		query.TenantOp("DeleteIdentityPolicy", a.deletePolicy),
	}
}

func (a *API) account() []query.Operation {
	return []query.Operation{
		query.TenantOp("GetSendQuota", a.getQuota),
		query.TenantOp("GetSendStatistics", a.getStatistics),
		query.TenantOp("GetAccountSendingEnabled", a.getSendingEnabled),
		query.TenantOp("UpdateAccountSendingEnabled", a.updateSendingEnabled),
	}
}

// Why operations of the API are absent.
const (
	noReceiving    = "it sends mail and receives none for its owners."
	noVerification = "identities are verified by its configuration, without custom verification mails."
)

// absent are the operations of the API that this server does not offer.
var absent = map[string]string{
	"CloneReceiptRuleSet":                   noReceiving,
	"CreateReceiptFilter":                   noReceiving,
	"CreateReceiptRule":                     noReceiving,
	"CreateReceiptRuleSet":                  noReceiving,
	"DeleteReceiptFilter":                   noReceiving,
	"DeleteReceiptRule":                     noReceiving,
	"DeleteReceiptRuleSet":                  noReceiving,
	"DescribeActiveReceiptRuleSet":          noReceiving,
	"DescribeReceiptRule":                   noReceiving,
	"DescribeReceiptRuleSet":                noReceiving,
	"ListReceiptFilters":                    noReceiving,
	"ListReceiptRuleSets":                   noReceiving,
	"ReorderReceiptRuleSet":                 noReceiving,
	"SetActiveReceiptRuleSet":               noReceiving,
	"SetReceiptRulePosition":                noReceiving,
	"UpdateReceiptRule":                     noReceiving,
	"CreateCustomVerificationEmailTemplate": noVerification,
	"DeleteCustomVerificationEmailTemplate": noVerification,
	"GetCustomVerificationEmailTemplate":    noVerification,
	"ListCustomVerificationEmailTemplates":  noVerification,
	"SendCustomVerificationEmail":           noVerification,
	"UpdateCustomVerificationEmailTemplate": noVerification,
}
