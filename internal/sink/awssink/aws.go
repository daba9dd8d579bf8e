// Package awssink delivers events to the service that their target's ARN names, through
// that service's own API: Amazon SNS, Amazon Data Firehose, Kinesis Data Streams,
// CloudWatch Logs, and the metrics of CloudWatch.
//
// Requests are made and signed by the AWS SDK, which makes one attempt for each that the
// caller makes; trying again is the caller's business. Two things are tried again at once,
// because the first attempt only shows that something has to be done before it: with fresh
// credentials when the old ones have expired, and with a log stream that did not exist yet.
//
// Only a record that is malformed or too large fails for good. Everything else, also a
// topic that is missing or a role that may not publish, can be mended by an operator.
//
// Without a role the server's own credentials are used. Firehose and CloudWatch Logs look
// for the name out of the ARN in the account of whoever signs.
package awssink

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"tidings/internal/arn"
	"tidings/internal/sink"
	"tidings/internal/tenant"
)

// Settings are the choices of a Driver. The zero value delivers to AWS with the credentials
// that the default chain of the SDK finds.
type Settings struct {
	// Endpoint is the URL of all services, for an emulator; "" = AWS, in the region of the ARN.
	Endpoint string
	// AssumeRole says whether to publish with the role of the target, where it names one.
	AssumeRole bool
	// ExternalID is sent with every AssumeRole; "" = the account of the target's tenant.
	// A role's trust policy can demand it, so that only this server may use the role.
	ExternalID string
	// Namespace is where metrics are put; "" = sink.MetricNamespace.
	Namespace string

	// The server's own credentials. All empty = the default chain of the AWS SDK
	// (environment, shared files, container, instance), looked at with the first delivery.
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string // "" = the key is not a temporary one

	Logger  *slog.Logger     // nil = silent
	Metrics *Metrics         // nil = not counted
	Now     func() time.Time // nil = time.Now
}

// Driver opens topics, delivery streams, data streams and log groups. It is safe for concurrent use.
type Driver struct {
	settings Settings
	http     *http.Client
	own      *identity
	closed   atomic.Bool

	mu    sync.Mutex
	roles map[assumption]*identity
}

// isExternalID reports whether STS takes s as an external ID.
// Source: STS API Reference, "AssumeRole", ExternalId.
func isExternalID(s string) bool {
	return len(s) >= 2 && len(s) <= 1224 && externalIDForm.MatchString(s)
}

var externalIDForm = regexp.MustCompile(`^[\w+=,.@:/-]+$`)

// New makes a Driver. Its error says which setting cannot work. It touches neither the
// network nor the disk.
func New(s Settings) (*Driver, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	if s.Logger == nil {
		s.Logger = slog.New(slog.DiscardHandler)
	}
	if s.Now == nil {
		s.Now = time.Now
	}
	d := &Driver{settings: s, roles: map[assumption]*identity{}}
	d.http = newHTTPClient(&d.closed)
	d.own = d.newOwn()
	return d, nil
}

func (s *Settings) check() error {
	if s.Endpoint != "" {
		if err := checkEndpoint(s.Endpoint); err != nil {
			return err
		}
	}
	if s.ExternalID != "" && !isExternalID(s.ExternalID) {
		return fmt.Errorf("external ID %q: STS takes 2 to 1,224 letters, digits and characters of +=,.@:/_-", s.ExternalID)
	}
	switch {
	case s.Namespace != "" && !isNamespace(s.Namespace):
		return fmt.Errorf("namespace %q: CloudWatch takes 1 to 255 letters, digits and characters of ._/#:-, not beginning with a colon", s.Namespace)
	case (s.AccessKeyID == "") != (s.SecretAccessKey == ""):
		return errors.New("an access key is an ID and a secret: give both, or neither for the default chain")
	case s.SessionToken != "" && s.AccessKeyID == "":
		return errors.New("a session token belongs to an access key: give its ID and secret, too")
	}
	return nil
}

func checkEndpoint(endpoint string) error {
	u, err := url.Parse(endpoint)
	switch {
	case err != nil:
		return errors.New("the endpoint is no URL") // the error would print it, maybe with a password
	case u.User != nil:
		return errors.New("the endpoint must not hold a user or a password: requests are signed")
	case u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "":
		return fmt.Errorf("endpoint %q: want http://host:port or https://host", endpoint)
	case u.RawQuery != "", u.Fragment != "":
		return fmt.Errorf("endpoint %q: must have neither a query nor a fragment", endpoint)
	}
	return nil
}

// service is one that the driver speaks.
type service struct {
	name     string // as ARNs name it
	resource *regexp.Regexp
	form     string // of the resource, for people
	open     func(d *Driver, t sink.Target) sink.Sink
}

// services are all of them. A further one is a file beside this one and a line here.
var services = []service{
	{"sns", topicForm, "TOPIC", openTopic},
	{"firehose", streamForm, "deliverystream/NAME", openStream},
	{"kinesis", dataStreamForm, "stream/NAME", openDataStream},
	{"logs", groupForm, "log-group:NAME", openGroup},
	{"cloudwatch", metricsForm, "metrics", openMetrics},
}

func find(name string) (*service, error) {
	names := make([]string, 0, len(services))
	for i := range services {
		if services[i].name == name {
			return &services[i], nil
		}
		names = append(names, services[i].name)
	}
	last := len(names) - 1
	return nil, fmt.Errorf("the aws driver speaks %s and %s, not %s", strings.Join(names[:last], ", "), names[last], name)
}

// Check reports whether Open can work. An ARN that has a service and nothing else, as no
// parsed one has, asks for the service alone.
func (d *Driver) Check(t sink.Target) error {
	_, err := d.check(t)
	return err
}

func (d *Driver) check(t sink.Target) (*service, error) {
	a := t.ARN
	s, err := find(a.Service)
	if err != nil || a == (arn.ARN{Service: a.Service}) {
		return s, err
	}
	if !tenant.IsRegion(a.Region) || !arn.IsAccount(a.Account) || !s.resource.MatchString(a.Resource) {
		return nil, fmt.Errorf("%q has not the form arn:aws:%s:REGION:ACCOUNT:%s", a, s.name, s.form)
	}
	if d.assumes(t) {
		return s, d.checkRole(t)
	}
	return s, nil
}

// Open returns a sink of the target. It touches neither the network nor the disk.
func (d *Driver) Open(t sink.Target) (sink.Sink, error) {
	s, err := d.check(t)
	if err != nil {
		return nil, err
	}
	if t.ARN.Resource == "" {
		return nil, fmt.Errorf("%q names no resource", t.ARN)
	}
	if d.closed.Load() {
		return nil, errors.New("closed")
	}
	return s.open(d, t), nil
}

// Close closes the connections that nobody uses, and those in use behind their request.
// Sinks that are open work on, each request with a connection of its own.
func (d *Driver) Close() error {
	d.closed.Store(true)
	d.http.CloseIdleConnections()
	return nil
}

// config is how the SDK's client of any service is made.
func (d *Driver) config(signer *identity, region string) aws.Config {
	c := aws.Config{
		Region:      region,
		Credentials: signer.credentials,
		HTTPClient:  d.http,
		Retryer:     func() aws.Retryer { return aws.NopRetryer{} },
		// Only metrics would be compressed, and not every emulator unpacks them.
		DisableRequestCompression: true,
	}
	if d.settings.Endpoint != "" {
		c.BaseEndpoint = new(d.settings.Endpoint)
	}
	return c
}
