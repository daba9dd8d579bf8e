package configset

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"tidings/internal/arn"
	"tidings/internal/event"
	"tidings/internal/fault"
	"tidings/internal/tenant"
)

// nameForm is the form of the names of sets and of event destinations.
// Source: the SMS and Voice API Reference (2018) states none; this is the rule of its
// successor (ConfigurationSetName of pinpoint-sms-voice-v2) and of the SES API Reference,
// "ConfigurationSet".
var nameForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// The forms of what an ARN names.
var (
	// Source: Amazon SNS API Reference, "CreateTopic", Name.
	topicForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,256}$`)
	// Source: Amazon Data Firehose API Reference, "CreateDeliveryStream", DeliveryStreamName.
	streamForm = regexp.MustCompile(`^deliverystream/[a-zA-Z0-9_.-]{1,64}$`)
	// Source: Amazon Kinesis Data Streams API Reference, "CreateStream", StreamName.
	kinesisForm = regexp.MustCompile(`^stream/[a-zA-Z0-9_.-]{1,128}$`)
	// The star at the end stands for all log streams of the group; many tools print the
	// ARN of a group with it.
	// Source: CloudWatch Logs API Reference, "CreateLogGroup", logGroupName.
	groupForm = regexp.MustCompile(`^log-group:[.\-_/#A-Za-z0-9]{1,512}(:\*)?$`)
	// Source: Amazon Pinpoint API Reference, "Apps", ApplicationId.
	appForm = regexp.MustCompile(`^apps/[0-9a-f]{32}$`)
	// The name of a role stands behind an optional path.
	// Source: IAM API Reference, "CreateRole", Path and RoleName.
	roleForm = regexp.MustCompile(`^role/([!-~]{1,510}/)?[\w+=,.@-]{1,64}$`)
)

// checkName reports whether name may name a resource; what is how a client calls that.
func checkName(resource, what, name string) error {
	if name == "" {
		return fault.New(fault.Invalid, resource, "The name of the %s is missing.", what)
	}
	if !nameForm.MatchString(name) {
		return fault.New(fault.Invalid, resource,
			"The name of the %s must be 1 to 64 letters, digits, hyphens and underscores, not %q.", what, shorten(name))
	}
	return nil
}

// check returns d in the form in which it is stored, sharing nothing with d.
func (s *Service) check(t tenant.Tenant, scope Scope, d EventDestination) (EventDestination, error) {
	if err := checkName(fault.EventDestination, "event destination", d.Name); err != nil {
		return d, err
	}
	if len(d.Types) == 0 {
		return d, invalid("At least one matching event type must be specified.")
	}
	var types []event.Type
	for _, typ := range d.Types {
		if Scope(typ.Channel()) != scope || typ == event.EmailValidation {
			return d, invalid("%q is no event type of the %s channel.", shorten(string(typ)), scope)
		}
		if !slices.Contains(types, typ) {
			types = append(types, typ)
		}
	}
	d.Types = types
	if (d.Destination.Kind == CloudWatch || d.Destination.Kind == Pinpoint) && scope != Email {
		return d, invalid("Exactly one destination must be specified.")
	}
	if err := checkDestination(d.Destination); err != nil {
		return d, err
	}
	if err := checkDimensions(d.Destination.Kind, d.Dimensions); err != nil {
		return d, err
	}
	d.Dimensions = slices.Clone(d.Dimensions)
	if s.Check != nil {
		if err := s.Check(t, d.Destination); err != nil {
			if f, ok := errors.AsType[*fault.Error](err); ok {
				return d, f
			}
			f := fault.New(fault.Invalid, fault.EventDestination, "This server cannot deliver to %s: %v.", d.Destination.ARN, err)
			f.Err = err
			return d, f
		}
	}
	return d, nil
}

// checkDestination reports whether d is well-formed. It asks nobody whether the topic,
// stream, log group or role exists.
func checkDestination(d Destination) error {
	switch d.Kind {
	case SNS:
		if strings.HasSuffix(d.ARN, ".fifo") {
			return invalid("The topic ARN %s names a FIFO topic; events can only be published to standard topics.", shorten(d.ARN))
		}
		if d.Role != "" {
			return invalid("An SNS destination takes no IAM role.")
		}
		return checkARN("topic ARN", d.ARN, "sns", topicForm, "TOPIC")
	case KinesisFirehose:
		if err := checkARN("delivery stream ARN", d.ARN, "firehose", streamForm, "deliverystream/NAME"); err != nil {
			return err
		}
		return checkRole(d.Role)
	case KinesisStream:
		if err := checkARN("stream ARN", d.ARN, "kinesis", kinesisForm, "stream/NAME"); err != nil {
			return err
		}
		return checkRole(d.Role)
	case CloudWatchLogs:
		if err := checkARN("log group ARN", d.ARN, "logs", groupForm, "log-group:NAME"); err != nil {
			return err
		}
		return checkRole(d.Role)
	case CloudWatch:
		if d.ARN != "" || d.Role != "" {
			return invalid("A CloudWatch destination takes neither an ARN nor an IAM role.")
		}
		return nil
	case Pinpoint:
		if d.Role != "" {
			return invalid("A Pinpoint destination takes no IAM role.")
		}
		return checkARN("application ARN", d.ARN, "mobiletargeting", appForm, "apps/ID")
	}
	return invalid("Exactly one destination must be specified.")
}

func checkARN(what, s, service string, resource *regexp.Regexp, form string) error {
	if s == "" {
		return invalid("The %s is missing.", what)
	}
	a, err := arn.Parse(s)
	if err != nil {
		return invalid("The %s %q is wrong: %v.", what, shorten(s), err)
	}
	if a.Service != service || !tenant.IsRegion(a.Region) || a.Account == "" || !resource.MatchString(a.Resource) {
		return invalid("The %s must have the form arn:aws:%s:REGION:ACCOUNT:%s, not %q.", what, service, form, shorten(s))
	}
	return nil
}

func checkRole(s string) error {
	if s == "" {
		return invalid("The IAM role ARN is missing.")
	}
	a, err := arn.Parse(s)
	if err != nil {
		return invalid("The IAM role ARN %q is wrong: %v.", shorten(s), err)
	}
	if a.Service != "iam" || a.Region != "" || a.Account == "" || !roleForm.MatchString(a.Resource) {
		return invalid("The IAM role ARN must have the form arn:aws:iam::ACCOUNT:role/NAME, not %q.", shorten(s))
	}
	return nil
}

func invalid(format string, args ...any) error {
	return fault.New(fault.Invalid, fault.EventDestination, format, args...)
}

// shorten keeps what a client sent from filling an error text.
func shorten(s string) string {
	const limit = 200
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "…"
}
