package polly

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/polly"
	"github.com/aws/smithy-go/logging"
)

const (
	// DefaultTimeout is how long one text may take, with all attempts.
	DefaultTimeout = 60 * time.Second

	// DefaultMaxAttempts is how often a text is tried, as the SDK does by itself.
	DefaultMaxAttempts = 3

	maxBackoff  = 5 * time.Second // between two attempts
	dialTimeout = 10 * time.Second
	// credentialTimeout bounds a request for credentials.
	credentialTimeout = 10 * time.Second
	maxRefusal        = 64 << 10 // bytes that are read of an answer without sound
)

// Options say how Polly is reached. The zero value takes everything from where the AWS CLI
// takes it, too.
type Options struct {
	Kind Kind // of engine; "" = the standard one where there is one

	Region   string // "" = of the environment, or of the profile
	Endpoint string // URL, for a private link or an emulator; "" = AWS, in the region
	Profile  string // of the shared files of the AWS CLI; "" = the default chain of the SDK

	// A key of its own, in place of the profile or the chain. All empty = none.
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string // "" = the key is not a temporary one

	Timeout     time.Duration // of one text, with all attempts; 0 = DefaultTimeout
	MaxAttempts int           // 0 = DefaultMaxAttempts
}

// New returns an engine. It reads the environment and the shared files of the AWS CLI as
// far as Options leave something open, and does not touch the network: whether the
// credentials are good shows with the first text.
func New(ctx context.Context, o Options) (*Engine, error) {
	return newEngine(ctx, o, maxBackoff)
}

func newEngine(ctx context.Context, o Options, backoff time.Duration, more ...func(*config.LoadOptions) error) (*Engine, error) {
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.MaxAttempts == 0 {
		o.MaxAttempts = DefaultMaxAttempts
	}
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("amazon polly: %w", err)
	}
	c, err := config.LoadDefaultConfig(ctx, slices.Concat(o.load(backoff), more)...)
	if err != nil {
		return nil, fmt.Errorf("amazon polly: %w", err)
	}
	if c.Region == "" {
		return nil, errors.New("amazon polly: no region: name one, or set AWS_REGION")
	}
	o.Region = c.Region
	client := polly.NewFromConfig(c, func(p *polly.Options) {
		p.HTTPClient = newHTTPClient(c.HTTPClient)
		if o.Endpoint != "" {
			p.BaseEndpoint = &o.Endpoint
		}
	})
	return &Engine{client: client, options: o}, nil
}

// load is what the SDK is told.
func (o *Options) load(backoff time.Duration) []func(*config.LoadOptions) error {
	load := []func(*config.LoadOptions) error{
		config.WithHTTPClient(newChainClient()),
		config.WithLogger(logging.Nop{}),
		config.WithRetryer(func() aws.Retryer {
			return retry.NewStandard(func(s *retry.StandardOptions) {
				s.MaxAttempts, s.MaxBackoff = o.MaxAttempts, backoff
			})
		}),
	}
	if o.Region != "" {
		load = append(load, config.WithRegion(o.Region))
	}
	if o.Profile != "" {
		load = append(load, config.WithSharedConfigProfile(o.Profile))
	}
	if o.AccessKeyID != "" {
		load = append(load, config.WithCredentialsProvider(
			credentials.NewStaticCredentialsProvider(o.AccessKeyID, o.SecretAccessKey, o.SessionToken)))
	}
	return load
}

func (o *Options) check() error {
	switch {
	case !slices.Contains([]Kind{"", Standard, Neural, Generative, LongForm}, o.Kind):
		return fmt.Errorf("there is no engine %q, only %s, %s, %s and %s", o.Kind, Standard, Neural, Generative, LongForm)
	case (o.AccessKeyID == "") != (o.SecretAccessKey == ""):
		return errors.New("an access key is an ID and a secret: give both, or neither for the default chain")
	case o.SessionToken != "" && o.AccessKeyID == "":
		return errors.New("a session token belongs to an access key: give its ID and secret, too")
	case o.AccessKeyID != "" && o.Profile != "":
		return errors.New("an access key and a profile: give one of them")
	case o.Timeout < 0 || o.MaxAttempts < 0:
		return fmt.Errorf("neither the timeout, %v, nor the attempts, %d, may be negative", o.Timeout, o.MaxAttempts)
	case o.Endpoint == "":
		return nil
	}
	u, err := url.Parse(o.Endpoint)
	switch {
	case err != nil:
		return errors.New("the endpoint is no URL") // the error would print it, maybe with a password
	case u.User != nil:
		return errors.New("the endpoint must not hold a user or a password: requests are signed")
	case u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "", u.RawQuery != "", u.Fragment != "":
		return fmt.Errorf("endpoint %q: want http://host:port or https://host", o.Endpoint)
	}
	return nil
}

// newChainClient makes the client that asks for credentials and regions. It is of a kind to which the SDK
// adds the certificates that AWS_CA_BUNDLE names.
func newChainClient() *awshttp.BuildableClient {
	return awshttp.NewBuildableClient().WithTimeout(credentialTimeout).
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = dialTimeout }).
		WithTransportOptions(func(t *http.Transport) { t.DisableKeepAlives = true })
}

// newHTTPClient makes the client that asks Polly, with the certificates of the chain's. A request is
// signed for one host alone, so redirects are answers like any other. The deadline is that
// of the context.
func newHTTPClient(chain aws.HTTPClient) *http.Client {
	base := &http.Transport{Proxy: http.ProxyFromEnvironment}
	if c, ok := chain.(*awshttp.BuildableClient); ok {
		base = c.GetTransport()
	}
	base.DisableKeepAlives = false
	base.MaxIdleConnsPerHost = 16
	base.IdleConnTimeout = time.Minute
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     transport{base},
	}
}

// transport bounds answers that are refusals, since the SDK reads those to their end, and
// keeps the SDK from breaking off an answer that comes fast.
type transport struct{ *http.Transport }

// RoundTrip makes one request.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil && r.Body != http.NoBody {
		// The SDK closes the body as soon as the answer begins. net/http may still be looking for the
		// body's end; asked for it by WriteTo, a body that is closed fails, and the connection with it.
		r = r.WithContext(r.Context()) // a copy: a RoundTripper must not change the request it is given
		r.Body = body{r.Body, r.Body}
	}
	answer, err := t.Transport.RoundTrip(r)
	if err == nil && answer.StatusCode != http.StatusOK {
		answer.Body = body{io.LimitReader(answer.Body, maxRefusal), answer.Body}
	}
	return answer, err
}

// body can be read and closed, and nothing else.
type body struct {
	io.Reader
	io.Closer
}
