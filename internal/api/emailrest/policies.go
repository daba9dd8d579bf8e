package emailrest

import (
	"context"

	"tidings/internal/email"
	"tidings/internal/fault"
	"tidings/internal/tenant"
)

func (a *API) getPolicies(ctx context.Context, t tenant.Tenant, in *identityInput) (*policiesOutput, error) {
	one, err := a.config.Mail.Identity(ctx, t, in.EmailIdentity)
	if err != nil {
		return nil, err
	}
	return &policiesOutput{Policies: policies(one)}, nil
}

func (a *API) createPolicy(ctx context.Context, t tenant.Tenant, in *putPolicyInput) (*empty, error) {
	return a.changeIdentity(ctx, t, in.EmailIdentity, func(one *email.Identity) error {
		if _, ok := one.Policies[in.PolicyName]; ok {
			return fault.New(fault.Exists, fault.EmailIdentity, "Policy %s already exists.", fault.Shorten(in.PolicyName))
		}
		one.Policies = policies(one)
		one.Policies[in.PolicyName] = in.Policy
		return nil
	})
}

func (a *API) updatePolicy(ctx context.Context, t tenant.Tenant, in *putPolicyInput) (*empty, error) {
	return a.changeIdentity(ctx, t, in.EmailIdentity, func(one *email.Identity) error {
		if _, ok := one.Policies[in.PolicyName]; !ok {
			return fault.New(fault.NotFound, fault.EmailIdentity, "Policy %s does not exist.", fault.Shorten(in.PolicyName))
		}
		one.Policies[in.PolicyName] = in.Policy
		return nil
	})
}

// deletePolicy succeeds also if there is no such policy.
// Source: SES API v2 Reference, "DeleteEmailIdentityPolicy".
func (a *API) deletePolicy(ctx context.Context, t tenant.Tenant, in *policyInput) (*empty, error) {
	return a.changeIdentity(ctx, t, in.EmailIdentity, func(one *email.Identity) error {
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
