package emailrest

import (
	"context"

	"tidings/internal/awsapi"
	"tidings/internal/email"
	"tidings/internal/fault"
)

func (a *API) getPolicies(ctx context.Context, in *identityInput) (*policiesOutput, error) {
	t, err := awsapi.Caller(ctx)
	if err != nil {
		return nil, err
	}
	one, err := a.config.Mail.Identity(ctx, t, in.EmailIdentity)
	if err != nil {
		return nil, err
	}
	return &policiesOutput{Policies: policies(one)}, nil
}

func (a *API) createPolicy(ctx context.Context, in *putPolicyInput) (*empty, error) {
	return a.changeIdentity(ctx, in.EmailIdentity, func(one *email.Identity) error {
		if _, ok := one.Policies[in.PolicyName]; ok {
			return fault.New(fault.Exists, fault.EmailIdentity, "Policy %s already exists.", shorten(in.PolicyName))
		}
		one.Policies = policies(one)
		one.Policies[in.PolicyName] = in.Policy
		return nil
	})
}

func (a *API) updatePolicy(ctx context.Context, in *putPolicyInput) (*empty, error) {
	return a.changeIdentity(ctx, in.EmailIdentity, func(one *email.Identity) error {
		if _, ok := one.Policies[in.PolicyName]; !ok {
			return fault.New(fault.NotFound, fault.EmailIdentity, "Policy %s does not exist.", shorten(in.PolicyName))
		}
		one.Policies[in.PolicyName] = in.Policy
		return nil
	})
}

// deletePolicy succeeds also if there is no such policy.
// Source: SES API v2 Reference, "DeleteEmailIdentityPolicy".
func (a *API) deletePolicy(ctx context.Context, in *policyInput) (*empty, error) {
	return a.changeIdentity(ctx, in.EmailIdentity, func(one *email.Identity) error {
		delete(one.Policies, in.PolicyName)
		return nil
	})
}

// policies are the identity's policies, never nil.
func policies(one *email.Identity) map[string]string {
	if one.Policies == nil {
		return map[string]string{}
	}
	return one.Policies
}
