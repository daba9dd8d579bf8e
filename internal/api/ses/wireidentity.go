package ses

// The shapes of the operations on identities. Names are those of the API Reference, letter by letter.

type addressInput struct {
	EmailAddress string
}

func (in *addressInput) identity() string { return in.EmailAddress }

type domainInput struct {
	Domain string
}

func (in *domainInput) identity() string { return in.Domain }

type verifyDomainOutput struct {
	VerificationToken string
}

type verifyDKIMOutput struct {
	DkimTokens []string
}

type listIdentitiesInput struct {
	IdentityType string
	NextToken    string
	MaxItems     *int
}

type listIdentitiesOutput struct {
	Identities []string
	NextToken  string
}

type verifiedAddressesOutput struct {
	VerifiedEmailAddresses []string
}

type identityInput struct {
	Identity string
}

func (in *identityInput) identity() string { return in.Identity }

type identitiesInput struct {
	Identities []string
}

type verificationOutput struct {
	VerificationAttributes map[string]verification
}

type verification struct {
	VerificationStatus string
	VerificationToken  string
}

type dkimOutput struct {
	DkimAttributes map[string]dkim
}

type dkim struct {
	DkimEnabled            bool
	DkimVerificationStatus string
	DkimTokens             []string
}

type setDKIMInput struct {
	Identity    string
	DkimEnabled *bool
}

func (in *setDKIMInput) identity() string { return in.Identity }

type mailFromOutput struct {
	MailFromDomainAttributes map[string]mailFrom
}

type mailFrom struct {
	MailFromDomain       string
	MailFromDomainStatus string
	BehaviorOnMXFailure  string
}

type setMailFromInput struct {
	Identity            string
	MailFromDomain      string
	BehaviorOnMXFailure string
}

func (in *setMailFromInput) identity() string { return in.Identity }

type notificationsOutput struct {
	NotificationAttributes map[string]notifications
}

type notifications struct {
	BounceTopic                            string
	ComplaintTopic                         string
	DeliveryTopic                          string
	ForwardingEnabled                      bool
	HeadersInBounceNotificationsEnabled    bool
	HeadersInComplaintNotificationsEnabled bool
	HeadersInDeliveryNotificationsEnabled  bool
}

type setTopicInput struct {
	Identity         string
	NotificationType string
	SnsTopic         string
}

func (in *setTopicInput) identity() string { return in.Identity }

type setForwardingInput struct {
	Identity          string
	ForwardingEnabled *bool
}

func (in *setForwardingInput) identity() string { return in.Identity }

type setHeadersInput struct {
	Identity         string
	NotificationType string
	Enabled          *bool
}

func (in *setHeadersInput) identity() string { return in.Identity }

type putPolicyInput struct {
	Identity   string
	PolicyName string
	Policy     string
}

func (in *putPolicyInput) identity() string { return in.Identity }

type policiesInput struct {
	Identity    string
	PolicyNames []string
}

func (in *policiesInput) identity() string { return in.Identity }

type policiesOutput struct {
	Policies map[string]string
}

type policyNamesOutput struct {
	PolicyNames []string
}

type deletePolicyInput struct {
	Identity   string
	PolicyName string
}

func (in *deletePolicyInput) identity() string { return in.Identity }
