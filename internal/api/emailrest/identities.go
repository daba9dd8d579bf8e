package emailrest

import (
	"cmp"
	"context"

	"tidings/internal/email"
	"tidings/internal/fault"
	"tidings/internal/tenant"
)

func (a *API) createIdentity(ctx context.Context, t tenant.Tenant, in *createIdentityInput) (*createIdentityOutput, error) {
	one := email.Identity{Name: in.EmailIdentity, Tags: tagMap(in.Tags)}
	if a.v2 {
		one.Set = in.ConfigurationSetName
		var err error
		if one.Selector, one.Key, err = in.DkimSigningAttributes.key(); err != nil {
			return nil, err
		}
	}
	made, err := a.config.Mail.CreateIdentity(ctx, t, one)
	if err != nil {
		return nil, err
	}
	return new(a.wireIdentity(made)), nil
}

func (a *API) getIdentity(ctx context.Context, t tenant.Tenant, in *identityInput) (*getIdentityOutput, error) {
	one, err := a.config.Mail.Identity(ctx, t, in.EmailIdentity)
	if err != nil {
		return nil, err
	}
	out := &getIdentityOutput{
		createIdentityOutput: a.wireIdentity(one), FeedbackForwardingStatus: one.Forwarding, Tags: tagList(one.Tags),
		MailFromAttributes: mailFromAttributes{BehaviorOnMxFailure: cmp.Or(one.MailFromOnFailure, useDefaultValue)},
	}
	if one.MailFrom != "" {
		out.MailFromAttributes.MailFromDomain, out.MailFromAttributes.MailFromDomainStatus = one.MailFrom, statusSuccess
	}
	if a.v2 {
		out.ConfigurationSetName, out.Policies, out.VerificationStatus = one.Set, policies(one), verification(one)
	}
	return out, nil
}

func (a *API) deleteIdentity(ctx context.Context, t tenant.Tenant, in *identityInput) (*empty, error) {
	had, err := a.config.Mail.DeleteIdentity(ctx, t, in.EmailIdentity)
	if err == nil && !had {
		return nil, fault.New(fault.NotFound, fault.EmailIdentity, "Email identity %s does not exist.", fault.Shorten(in.EmailIdentity))
	}
	return nil, err
}

func (a *API) putFeedback(ctx context.Context, t tenant.Tenant, in *putFeedbackInput) (*empty, error) {
	return a.changeIdentity(ctx, t, in.EmailIdentity, func(one *email.Identity) error {
		one.Forwarding = in.EmailForwardingEnabled
		return nil
	})
}

func (a *API) putMailFrom(ctx context.Context, t tenant.Tenant, in *putMailFromInput) (*empty, error) {
	return a.changeIdentity(ctx, t, in.EmailIdentity, func(one *email.Identity) error {
		one.MailFrom, one.MailFromOnFailure = in.MailFromDomain, cmp.Or(in.BehaviorOnMxFailure, useDefaultValue)
		return nil
	})
}

func (a *API) putIdentitySet(ctx context.Context, t tenant.Tenant, in *putIdentitySetInput) (*empty, error) {
	return a.changeIdentity(ctx, t, in.EmailIdentity, func(one *email.Identity) error {
		one.Set = in.ConfigurationSetName
		return nil
	})
}

func (a *API) changeIdentity(ctx context.Context, t tenant.Tenant, name string, edit func(*email.Identity) error) (*empty, error) {
	return nil, a.config.Mail.ChangeIdentity(ctx, t, name, edit)
}

// The words of the APIs for how identities are.
// Source: SES API v2 Reference, "GetEmailIdentity", "DkimAttributes" and "MailFromAttributes".
const (
	statusSuccess    = "SUCCESS"
	statusPending    = "PENDING"
	statusNotStarted = "NOT_STARTED"
	useDefaultValue  = "USE_DEFAULT_VALUE"
)

// wireIdentity is what both APIs show of an identity when it is made, and later.
func (a *API) wireIdentity(one *email.Identity) createIdentityOutput {
	return createIdentityOutput{DkimAttributes: a.wireDKIM(one), IdentityType: identityType(one), VerifiedForSendingStatus: one.Verified}
}

func identityType(one *email.Identity) string {
	if one.Kind() == email.EmailAddress {
		return "EMAIL_ADDRESS"
	}
	return "DOMAIN"
}

func verification(one *email.Identity) string {
	if one.Verified {
		return statusSuccess
	}
	return statusPending
}
