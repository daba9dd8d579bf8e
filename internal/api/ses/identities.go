package ses

import (
	"context"
	"strings"

	"tidings/internal/email"
	"tidings/internal/fault"
	"tidings/internal/tenant"
)

const listIdentities = "ListIdentities"

// maxIdentitiesPage is how many identities a page has at most, and has if the client does not say.
// Source: SES API Reference, "ListIdentities", MaxItems.
const maxIdentitiesPage = 1000

// verifyAddress makes an identity of an address, if there is none.
func (a *API) verifyAddress(ctx context.Context, t tenant.Tenant, address string) error {
	if address == "" {
		return missing("emailAddress")
	}
	if !strings.Contains(address, "@") {
		return wrongValue("Invalid email address<%s>.", fault.Shorten(address))
	}
	_, err := a.config.Mail.VerifyIdentity(ctx, t, address)
	return err
}

func (a *API) verifyEmailIdentity(ctx context.Context, t tenant.Tenant, in *addressInput) (*empty, error) {
	return nil, a.verifyAddress(ctx, t, in.EmailAddress)
}

func (a *API) verifyEmailAddress(ctx context.Context, t tenant.Tenant, in *addressInput) (*noResult, error) {
	return nil, a.verifyAddress(ctx, t, in.EmailAddress)
}

// checkDomain fails if what is there in the place of a domain's name is nothing or an address.
func (in *domainInput) checkDomain() error {
	if in.Domain == "" {
		return missing("domain")
	}
	if strings.Contains(in.Domain, "@") {
		return wrongValue("Invalid domain name %s.", fault.Shorten(in.Domain))
	}
	return nil
}

func (a *API) verifyDomainIdentity(ctx context.Context, t tenant.Tenant, in *domainInput) (*verifyDomainOutput, error) {
	if err := in.checkDomain(); err != nil {
		return nil, err
	}
	one, err := a.config.Mail.VerifyIdentity(ctx, t, in.Domain)
	if err != nil {
		return nil, err
	}
	return &verifyDomainOutput{VerificationToken: one.Token}, nil
}

func (a *API) verifyDomainDKIM(ctx context.Context, t tenant.Tenant, in *domainInput) (*verifyDKIMOutput, error) {
	if err := in.checkDomain(); err != nil {
		return nil, err
	}
	one, err := a.config.Mail.VerifyDKIM(ctx, t, in.Domain)
	if err != nil {
		return nil, err
	}
	return &verifyDKIMOutput{DkimTokens: one.Tokens()}, nil
}

func (a *API) listIdentities(ctx context.Context, t tenant.Tenant, in *listIdentitiesInput) (*listIdentitiesOutput, error) {
	kind := email.AnyIdentity
	if in.IdentityType != "" {
		if err := oneOf("identityType", in.IdentityType, "EmailAddress", "Domain"); err != nil {
			return nil, err
		}
		kind = map[string]email.IdentityKind{"EmailAddress": email.EmailAddress, "Domain": email.Domain}[in.IdentityType]
	}
	limit, err := pageSize(in.MaxItems, maxIdentitiesPage, maxIdentitiesPage)
	if err != nil {
		return nil, err
	}
	after, err := a.config.Tokens.After(t, listIdentities, in.NextToken)
	if err != nil {
		return nil, err
	}
	all, more, err := a.config.Mail.Identities(ctx, t, kind, after, limit)
	if err != nil {
		return nil, err
	}
	out := &listIdentitiesOutput{Identities: []string{}}
	for _, one := range all {
		out.Identities = append(out.Identities, one.Name)
	}
	if more && len(all) > 0 {
		out.NextToken = a.config.Tokens.Seal(t, listIdentities, all[len(all)-1].Name)
	}
	return out, nil
}

// listVerifiedAddresses has no pages. It tells of as many addresses as a page of ListIdentities has, which has followed it.
func (a *API) listVerifiedAddresses(ctx context.Context, t tenant.Tenant, _ *empty) (*verifiedAddressesOutput, error) {
	all, _, err := a.config.Mail.Identities(ctx, t, email.EmailAddress, "", maxIdentitiesPage)
	if err != nil {
		return nil, err
	}
	out := &verifiedAddressesOutput{VerifiedEmailAddresses: []string{}}
	for _, one := range all {
		if one.Verified {
			out.VerifiedEmailAddresses = append(out.VerifiedEmailAddresses, one.Name)
		}
	}
	return out, nil
}

// removeIdentity also succeeds where there is no such identity.
// Source: SES API Reference, "DeleteIdentity", which has no error for that.
func (a *API) removeIdentity(ctx context.Context, t tenant.Tenant, member, name string) error {
	if name == "" {
		return missing(member)
	}
	_, err := a.config.Mail.DeleteIdentity(ctx, t, name)
	return err
}

func (a *API) deleteIdentity(ctx context.Context, t tenant.Tenant, in *identityInput) (*empty, error) {
	return nil, a.removeIdentity(ctx, t, "identity", in.Identity)
}

func (a *API) deleteVerifiedAddress(ctx context.Context, t tenant.Tenant, in *addressInput) (*noResult, error) {
	return nil, a.removeIdentity(ctx, t, "emailAddress", in.EmailAddress)
}

// changeIdentity edits what the client has set of an identity.
func (a *API) changeIdentity(ctx context.Context, t tenant.Tenant, name string, edit func(*email.Identity) error) error {
	if name == "" {
		return missing("identity")
	}
	return a.config.Mail.ChangeIdentity(ctx, t, identityName(t, name), edit)
}

// identityName is the name of an identity that a client calls by its name or its ARN. The account of an ARN may be missing, as where
// a tool was told not to ask for it.
// Source: SES API Reference, "PutIdentityPolicy" and "SetIdentityNotificationTopic", Identity.
func identityName(t tenant.Tenant, text string) string {
	parts := strings.SplitN(text, ":", 6)
	if len(parts) < 6 || parts[0] != "arn" || parts[2] != "ses" || parts[3] != t.Region || parts[4] != "" && parts[4] != t.Account {
		return text
	}
	if name, ok := strings.CutPrefix(parts[5], "identity/"); ok {
		return name
	}
	return text
}

// maxAsked is how many identities a client may ask for at a time.
// Source: SES API Reference, "GetIdentityVerificationAttributes".
const maxAsked = 100

// attributes calls show with each of the identities that exists, by the name that the client has written. Names that cannot be any
// identity's are as those that do not exist.
func (a *API) attributes(ctx context.Context, t tenant.Tenant, in *identitiesInput, show func(name string, one *email.Identity)) error {
	if len(in.Identities) > maxAsked {
		return wrongValue("At most %d identities can be asked for at a time, not %d.", maxAsked, len(in.Identities))
	}
	for _, name := range in.Identities {
		one, err := a.config.Mail.Identity(ctx, t, identityName(t, name))
		if fault.Is(err, fault.NotFound) || fault.Is(err, fault.Invalid) {
			continue
		}
		if err != nil {
			return err
		}
		show(name, one)
	}
	return nil
}

// The words of verification. Source: SES API Reference, "IdentityVerificationAttributes".
const (
	statusPending    = "Pending"
	statusSuccess    = "Success"
	statusNotStarted = "NotStarted"
)

func (a *API) getVerification(ctx context.Context, t tenant.Tenant, in *identitiesInput) (*verificationOutput, error) {
	out := &verificationOutput{VerificationAttributes: map[string]verification{}}
	err := a.attributes(ctx, t, in, func(name string, one *email.Identity) {
		v := verification{VerificationStatus: statusPending, VerificationToken: one.Token}
		if one.Verified {
			v.VerificationStatus = statusSuccess
		}
		out.VerificationAttributes[name] = v
	})
	return out, err
}

func (a *API) getDKIM(ctx context.Context, t tenant.Tenant, in *identitiesInput) (*dkimOutput, error) {
	out := &dkimOutput{DkimAttributes: map[string]dkim{}}
	err := a.attributes(ctx, t, in, func(name string, one *email.Identity) {
		d := dkim{DkimEnabled: one.DKIM, DkimVerificationStatus: statusNotStarted, DkimTokens: one.Tokens()}
		if one.Selector != "" {
			d.DkimVerificationStatus = statusSuccess // nobody looks into the DNS: the server signs with a key from the moment it has it
		}
		out.DkimAttributes[name] = d
	})
	return out, err
}

func (a *API) setDKIM(ctx context.Context, t tenant.Tenant, in *setDKIMInput) (*empty, error) {
	if in.DkimEnabled == nil {
		return nil, missing("dkimEnabled")
	}
	return nil, a.changeIdentity(ctx, t, in.Identity, func(one *email.Identity) error {
		if *in.DkimEnabled && one.Kind() == email.Domain && one.Selector == "" {
			return wrongValue("Domain %s is not verified for DKIM signing.", one.Name)
		}
		one.DKIM = *in.DkimEnabled
		return nil
	})
}

// The words for what to do with mail when the MX record of the own return path is missing, and those of the feature.
// Source: SES API Reference, "SetIdentityMailFromDomain".
const (
	useDefaultValue = "UseDefaultValue"
	rejectMessage   = "RejectMessage"

	onFailureDefault = "USE_DEFAULT_VALUE"
	onFailureReject  = "REJECT_MESSAGE"
)

func (a *API) getMailFrom(ctx context.Context, t tenant.Tenant, in *identitiesInput) (*mailFromOutput, error) {
	out := &mailFromOutput{MailFromDomainAttributes: map[string]mailFrom{}}
	err := a.attributes(ctx, t, in, func(name string, one *email.Identity) {
		m := mailFrom{MailFromDomain: one.MailFrom, BehaviorOnMXFailure: useDefaultValue}
		if one.MailFrom != "" {
			m.MailFromDomainStatus = statusSuccess
		}
		if one.MailFromOnFailure == onFailureReject {
			m.BehaviorOnMXFailure = rejectMessage
		}
		out.MailFromDomainAttributes[name] = m
	})
	return out, err
}

// setMailFrom sets the domain of the return path; none takes it away.
func (a *API) setMailFrom(ctx context.Context, t tenant.Tenant, in *setMailFromInput) (*empty, error) {
	behaviour := onFailureDefault
	if in.BehaviorOnMXFailure != "" {
		if err := oneOf("behaviorOnMXFailure", in.BehaviorOnMXFailure, useDefaultValue, rejectMessage); err != nil {
			return nil, err
		}
	}
	if in.BehaviorOnMXFailure == rejectMessage {
		behaviour = onFailureReject
	}
	return nil, a.changeIdentity(ctx, t, in.Identity, func(one *email.Identity) error {
		one.MailFrom, one.MailFromOnFailure = in.MailFromDomain, behaviour
		return nil
	})
}
