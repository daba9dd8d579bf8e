package awssink

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"tidings/internal/arn"
	"tidings/internal/sink"
)

// assumption is a role as it is assumed for targets of one region.
type assumption struct{ role, externalID, region string }

// maxRoles bounds the roles whose credentials are kept. Open sinks keep their own.
const maxRoles = 4_096

func (d *Driver) assumes(t sink.Target) bool { return d.settings.AssumeRole && t.Role != "" }

// roleForm is the resource of a role's ARN.
// Source: IAM API Reference, "CreateRole", Path and RoleName.
var roleForm = regexp.MustCompile(`^role/([!-~]{1,510}/)?[\w+=,.@-]{1,64}$`)

// checkRole reports whether the role can be assumed and then reach the target. Firehose and
// CloudWatch Logs are told names and not ARNs, and look for them in the account of the role.
// SNS and Kinesis are told ARNs: a topic or a stream may have a policy for other accounts.
// Source: Amazon Kinesis Data Streams Developer Guide, "Share your data stream with another account".
func (d *Driver) checkRole(t sink.Target) error {
	a, err := arn.Parse(t.Role)
	if err != nil {
		return fmt.Errorf("the role %q: %w", t.Role, err)
	}
	if a.Service != "iam" || a.Account == "" || !roleForm.MatchString(a.Resource) {
		return fmt.Errorf("the role %q has not the form arn:aws:iam::ACCOUNT:role/NAME", t.Role)
	}
	if s := t.ARN.Service; s != "sns" && s != "kinesis" && a.Account != t.ARN.Account {
		return fmt.Errorf("the role is of account %s and can only reach what is there, not in %s", a.Account, t.ARN.Account)
	}
	if id := d.externalID(t); id != "" && !isExternalID(id) {
		return fmt.Errorf("the account %q cannot be sent as an external ID", id)
	}
	return nil
}

func (d *Driver) externalID(t sink.Target) string {
	if d.settings.ExternalID != "" {
		return d.settings.ExternalID
	}
	return t.Tenant.Account
}

// signer returns who signs for the target.
func (d *Driver) signer(t sink.Target) *identity {
	if !d.assumes(t) {
		return d.own
	}
	key := assumption{t.Role, d.externalID(t), t.ARN.Region}
	d.mu.Lock()
	defer d.mu.Unlock()
	if known, ok := d.roles[key]; ok {
		return known
	}
	if len(d.roles) >= maxRoles {
		for some := range d.roles { // whichever: it costs one AssumeRole if it comes again
			delete(d.roles, some)
			break
		}
	}
	made := d.newRole(key)
	d.roles[key] = made
	return made
}

const (
	// roleSession is what CloudTrail shows beside the role.
	roleSession = "tidings"
	// roleDuration is the longest that every role allows, also one assumed by a role.
	// Source: STS API Reference, "AssumeRole", DurationSeconds.
	roleDuration = time.Hour
	// renewBefore is how long before they expire credentials of roles are renewed.
	renewBefore = 5 * time.Minute
	// renewPause is how long not to ask again when they could not be renewed.
	renewPause = 20 * time.Second
)

func (d *Driver) newRole(a assumption) *identity {
	var externalID *string
	if a.externalID != "" {
		externalID = &a.externalID
	}
	r := &role{
		caller: d.caller("sts", d.own, nil),
		logger: d.settings.Logger.With("role", a.role),
		assume: stscreds.NewAssumeRoleProvider(sts.NewFromConfig(d.config(d.own, a.region)), a.role, func(o *stscreds.AssumeRoleOptions) {
			o.RoleSessionName, o.ExternalID, o.Duration = roleSession, externalID, roleDuration
		}),
	}
	cache := aws.NewCredentialsCache(r, func(o *aws.CredentialsCacheOptions) { o.ExpiryWindow = renewBefore })
	return &identity{credentials: cache, invalidate: cache.Invalidate}
}

// role asks STS for the credentials of a role. The cache before it calls one of its
// methods at a time.
type role struct {
	caller *caller
	logger *slog.Logger
	assume *stscreds.AssumeRoleProvider
	until  time.Time // when the last credentials really expire
}

// Retrieve assumes the role.
func (r *role) Retrieve(ctx context.Context) (aws.Credentials, error) {
	ctx, cancel := context.WithTimeout(ctx, credentialTimeout)
	defer cancel()
	keys, err := attempt(ctx, r.caller, "AssumeRole", r.assume.Retrieve)
	if err != nil {
		return aws.Credentials{}, err
	}
	r.until = keys.Expires
	return keys, nil
}

// HandleFailToRefresh lets the cache go on with old credentials while they are good.
func (r *role) HandleFailToRefresh(_ context.Context, old aws.Credentials, err error) (aws.Credentials, error) {
	next := r.caller.now().Add(renewPause)
	if !old.HasKeys() || next.After(r.until) {
		return aws.Credentials{}, err
	}
	r.logger.Warn("the credentials of a role are not renewed", "error", err, "valid_until", r.until)
	old.Expires = next.Add(renewBefore) // which the cache takes off again
	return old, nil
}
