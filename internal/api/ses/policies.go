package ses

import (
	"context"
	"maps"
	"slices"

	"tidings/internal/email"
	"tidings/internal/tenant"
)

const putIdentityPolicy = "PutIdentityPolicy"

func (a *API) putPolicy(ctx context.Context, t tenant.Tenant, in *putPolicyInput) (*empty, error) {
	if err := demand(member{"policyName", in.PolicyName != ""}, member{"policy", in.Policy != ""}); err != nil {
		return nil, err
	}
	return nil, a.changeIdentity(ctx, t, in.Identity, func(one *email.Identity) error {
		if one.Policies == nil {
			one.Policies = map[string]string{}
		}
		one.Policies[in.PolicyName] = in.Policy
		return nil
	})
}

// getPolicies returns the policies of these names; those that do not exist are left out.
func (a *API) getPolicies(ctx context.Context, t tenant.Tenant, in *policiesInput) (*policiesOutput, error) {
	one, err := a.identity(ctx, t, in.Identity)
	if err != nil {
		return nil, err
	}
	out := &policiesOutput{Policies: map[string]string{}}
	for _, name := range in.PolicyNames {
		if policy, ok := one.Policies[name]; ok {
			out.Policies[name] = policy
		}
	}
	return out, nil
}

func (a *API) listPolicies(ctx context.Context, t tenant.Tenant, in *identityInput) (*policyNamesOutput, error) {
	one, err := a.identity(ctx, t, in.Identity)
	if err != nil {
		return nil, err
	}
	return &policyNamesOutput{PolicyNames: append([]string{}, slices.Sorted(maps.Keys(one.Policies))...)}, nil
}

// deletePolicy also succeeds where there is no such policy.
// Source: SES API Reference, "DeleteIdentityPolicy", which has no error for that.
func (a *API) deletePolicy(ctx context.Context, t tenant.Tenant, in *deletePolicyInput) (*empty, error) {
	if in.PolicyName == "" {
		return nil, missing("policyName")
	}
	return nil, a.changeIdentity(ctx, t, in.Identity, func(one *email.Identity) error {
		delete(one.Policies, in.PolicyName)
		return nil
	})
}

func (a *API) identity(ctx context.Context, t tenant.Tenant, name string) (*email.Identity, error) {
	if name == "" {
		return nil, missing("identity")
	}
	return a.config.Mail.Identity(ctx, t, identityName(t, name))
}
