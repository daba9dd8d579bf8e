package cli

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// apiClient calls the SMS and Voice API as an AWS SDK does: signed with the SDK's signer.
type apiClient struct {
	url         string
	region      string
	credentials aws.Credentials
	http        *http.Client
	signer      *v4.Signer
	service     string // the name that requests are signed for
}

// newAPIClient returns a client that uses the built-in test key.
func newAPIClient(url string, c *http.Client) *apiClient {
	return &apiClient{
		url: url, region: demoRegion, service: "sms-voice", http: c, signer: v4.NewSigner(),
		credentials: aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"},
	}
}

// of returns a client of another service.
func (c *apiClient) of(service string) *apiClient {
	other := *c
	other.service = service
	return &other
}

// apiError is an answer of the API that is no success.
type apiError struct {
	status    int
	exception string
	message   string
}

func (e *apiError) Error() string {
	return fmt.Sprintf("%d %s: %s", e.status, e.exception, e.message)
}

// call sends one operation and decodes the answer into out.
func (c *apiClient) call(ctx context.Context, method, path string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	answer, err := c.do(ctx, method, path, "application/json", body)
	if err != nil {
		return err
	}
	if answer.status/100 != 2 {
		var why struct{ Message string }
		_ = json.Unmarshal(answer.body, &why) // the status says enough if the body is not JSON
		return &apiError{answer.status, answer.header.Get("x-amzn-ErrorType"), why.Message}
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer.body, out)
}

// formType is the type of bodies of the Query protocol.
const formType = "application/x-www-form-urlencoded; charset=utf-8"

// answer is what came back for a request, read whole.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// do sends a request and reads the answer.
func (c *apiClient) do(ctx context.Context, method, path, contentType string, body []byte) (answer, error) {
	req, err := c.request(ctx, method, path, contentType, body)
	if err != nil {
		return answer{}, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, text}, err
}

func (c *apiClient) request(ctx context.Context, method, path, contentType string, body []byte) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.url+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", contentType)
	}
	sum := sha256.Sum256(body)
	err = c.signer.SignHTTP(ctx, c.credentials, req, hex.EncodeToString(sum[:]), c.service, c.region, time.Now())
	return req, err
}
