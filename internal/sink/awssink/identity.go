package awssink

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/smithy-go/logging"
)

// identity is who signs: the server itself, or a role that it has assumed.
type identity struct {
	credentials aws.CredentialsProvider
	invalidate  func() // nil = the same credentials would come again

	mu       sync.Mutex
	renewals int
}

// age tells the credentials before and after a renewal apart.
func (i *identity) age() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.renewals
}

// renew forgets the credentials of that age. It reports whether there may be others now;
// of many deliveries that fail with the same ones, only the first has them renewed.
func (i *identity) renew(age int) bool {
	if i.invalidate == nil {
		return false
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.renewals == age {
		i.invalidate()
		i.renewals++
	}
	return true
}

// newOwn returns the identity of the server.
func (d *Driver) newOwn() *identity {
	if s := d.settings; s.AccessKeyID != "" {
		return &identity{credentials: credentials.NewStaticCredentialsProvider(s.AccessKeyID, s.SecretAccessKey, s.SessionToken)}
	}
	c := &chain{load: loadChain}
	return &identity{credentials: c, invalidate: c.invalidate}
}

// credentialTimeout bounds a request for credentials. The cache of the SDK lets it run on
// when the delivery that asked for it has ended, because others wait for it as well.
const credentialTimeout = 10 * time.Second

// loadChain finds out where credentials come from, without asking there.
func loadChain(ctx context.Context) (aws.CredentialsProvider, error) {
	// The SDK's own client, since it knows what the environment says of certificates.
	client := awshttp.NewBuildableClient().WithTimeout(credentialTimeout).
		WithTransportOptions(func(t *http.Transport) { t.DisableKeepAlives = true })
	c, err := config.LoadDefaultConfig(ctx,
		config.WithHTTPClient(client),
		config.WithLogger(logging.Nop{}),
		config.WithDefaultRegion("us-east-1"), // where the chain itself asks STS, if nothing says otherwise
	)
	if err != nil {
		return nil, err
	}
	return c.Credentials, nil
}

// chain is the default chain of the SDK, put together when it is needed first.
type chain struct {
	load func(context.Context) (aws.CredentialsProvider, error)

	mu    sync.Mutex
	found aws.CredentialsProvider // caches; nil = not loaded yet
}

// Retrieve returns the credentials that the chain finds.
func (c *chain) Retrieve(ctx context.Context) (aws.Credentials, error) {
	provider, err := c.provider(ctx)
	if err != nil {
		return aws.Credentials{}, fmt.Errorf("load the default credential chain: %w", err)
	}
	keys, err := provider.Retrieve(ctx)
	if err != nil {
		return aws.Credentials{}, fmt.Errorf("no credentials in the default chain: %w", err)
	}
	return keys, nil
}

func (c *chain) provider(ctx context.Context) (aws.CredentialsProvider, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.found == nil {
		found, err := c.load(ctx)
		if err != nil {
			return nil, err // the next delivery tries again
		}
		c.found = found
	}
	return c.found, nil
}

// invalidate forgets everything: what the environment and the shared files say is read
// again, and whoever hands out credentials is asked again.
func (c *chain) invalidate() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.found = nil
}
