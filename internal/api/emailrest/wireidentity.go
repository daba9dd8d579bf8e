package emailrest

import "tidings/internal/awsapi/restjson"

// The shapes of identities, accounts and tags on the wire.

type identityInput struct {
	EmailIdentity string `uri:"EmailIdentity" json:"-"`
}

// dkimSigning says which key signs: one of the client's own, or one that is made here.
type dkimSigning struct {
	DomainSigningPrivateKey restjson.Blob
	DomainSigningSelector   string
	NextSigningKeyLength    string
}

type createIdentityInput struct {
	ConfigurationSetName  string       // API v2
	DkimSigningAttributes *dkimSigning // API v2
	EmailIdentity         string
	Tags                  []tag
}

type dkimAttributes struct {
	CurrentSigningKeyLength string `json:",omitempty"` // API v2
	NextSigningKeyLength    string `json:",omitempty"` // API v2
	SigningAttributesOrigin string `json:",omitempty"` // API v2
	SigningEnabled          bool
	Status                  string
	Tokens                  []string `json:",omitempty"`
}

type createIdentityOutput struct {
	DkimAttributes           dkimAttributes
	IdentityType             string
	VerifiedForSendingStatus bool
}

type mailFromAttributes struct {
	BehaviorOnMxFailure  string
	MailFromDomain       string `json:",omitempty"`
	MailFromDomainStatus string `json:",omitempty"`
}

type getIdentityOutput struct {
	createIdentityOutput

	ConfigurationSetName     string `json:",omitempty"` // API v2
	FeedbackForwardingStatus bool
	MailFromAttributes       mailFromAttributes
	Policies                 map[string]string `json:",omitzero"` // API v2
	Tags                     []tag
	VerificationStatus       string `json:",omitempty"` // API v2
}

type identityInfo struct {
	IdentityName       string
	IdentityType       string
	SendingEnabled     bool
	VerificationStatus string `json:",omitempty"` // API v2
}

type listIdentitiesOutput struct {
	EmailIdentities []identityInfo
	NextToken       string `json:",omitempty"`
}

type putDKIMInput struct {
	EmailIdentity  string `uri:"EmailIdentity" json:"-"`
	SigningEnabled bool
}

type putDKIMSigningInput struct {
	EmailIdentity           string `uri:"EmailIdentity" json:"-"`
	SigningAttributes       *dkimSigning
	SigningAttributesOrigin string
}

type putDKIMSigningOutput struct {
	DkimStatus string
	DkimTokens []string
}

type putFeedbackInput struct {
	EmailForwardingEnabled bool
	EmailIdentity          string `uri:"EmailIdentity" json:"-"`
}

type putMailFromInput struct {
	BehaviorOnMxFailure string
	EmailIdentity       string `uri:"EmailIdentity" json:"-"`
	MailFromDomain      string
}

type putIdentitySetInput struct {
	ConfigurationSetName string
	EmailIdentity        string `uri:"EmailIdentity" json:"-"`
}

type policyInput struct {
	EmailIdentity string `uri:"EmailIdentity" json:"-"`
	PolicyName    string `uri:"PolicyName" json:"-"`
}

type putPolicyInput struct {
	EmailIdentity string `uri:"EmailIdentity" json:"-"`
	Policy        string
	PolicyName    string `uri:"PolicyName" json:"-"`
}

type policiesOutput struct{ Policies map[string]string }

type sendQuota struct{ Max24HourSend, MaxSendRate, SentLast24Hours float64 }

type accountOutput struct {
	DedicatedIpAutoWarmupEnabled bool
	Details                      *accountDetails `json:",omitempty"` // API v2
	EnforcementStatus            string
	ProductionAccessEnabled      bool
	SendQuota                    sendQuota
	SendingEnabled               bool
	SuppressionAttributes        *suppressionOptions `json:",omitempty"` // API v2
	VdmAttributes                *vdmAttributes      `json:",omitempty"` // API v2
}

type vdmAttributes struct{ VdmEnabled string }

// accountDetails is also how the details are stored.
type accountDetails struct {
	AdditionalContactEmailAddresses []string `json:",omitempty"`
	ContactLanguage                 string   `json:",omitempty"`
	MailType                        string
	UseCaseDescription              string `json:",omitempty"`
	WebsiteURL                      string
}

type accountSuppressionInput struct {
	SuppressedReasons    []string
	ValidationAttributes *validationOptions
}

type tagInput struct {
	ResourceArn string
	Tags        []tag
}

type untagInput struct {
	ResourceArn string   `query:"ResourceArn" json:"-"`
	TagKeys     []string `query:"TagKeys" json:"-"`
}

type listTagsInput struct {
	ResourceArn string `query:"ResourceArn" json:"-"`
}

type listTagsOutput struct{ Tags []tag }
