package faults

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"golang.org/x/time/rate"
)

// The key that a server without accounts knows, and its account.
const (
	testKey     = "test"
	testSecret  = "test"
	testAccount = "123456789012"
	testRegion  = "us-east-1"
	set         = "faults" // the configuration set of all messages
)

// client speaks the API as an application does.
type client struct {
	url    string
	http   *http.Client
	signer *v4.Signer
	now    func() time.Time // dates the requests
}

func newClient(t testing.TB, s *server) *client {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	t.Cleanup(transport.CloseIdleConnections)
	return &client{
		url: s.API, http: &http.Client{Transport: transport, Timeout: time.Minute},
		signer: v4.NewSigner(), now: time.Now,
	}
}

// refusal is an answer that is no success.
type refusal struct {
	status int
	body   string
}

func (r *refusal) Error() string { return fmt.Sprintf("%d %s", r.status, r.body) }

// call sends one signed request to the voice API.
func (c *client) call(ctx context.Context, method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	text, err := c.exchange(ctx, "sms-voice", method, path, "application/json", body)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, out)
}

// exchange sends one signed request and returns the answer if it is a success.
func (c *client) exchange(ctx context.Context, service, method, path, contentType string, body []byte) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, c.url+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", contentType)
	sum := sha256.Sum256(body)
	creds := aws.Credentials{AccessKeyID: testKey, SecretAccessKey: testSecret}
	if err := c.signer.SignHTTP(ctx, creds, r, hex.EncodeToString(sum[:]), service, testRegion, c.now()); err != nil {
		return nil, err
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, &refusal{resp.StatusCode, string(text)}
	}
	return text, nil
}

// createSet makes the set with one event destination per topic, and one more, a stream,
// that is left to the files.
func (c *client) createSet(t testing.TB, topics ...string) {
	t.Helper()
	const path = "/v1/sms-voice/configuration-sets"
	if err := c.call(t.Context(), http.MethodPost, path, map[string]string{"ConfigurationSetName": set}, &struct{}{}); err != nil {
		t.Fatalf("create the set: %v", err)
	}
	create := func(name string, target map[string]any) {
		target["Enabled"], target["MatchingEventTypes"] = true, kinds
		err := c.call(t.Context(), http.MethodPost, path+"/"+set+"/event-destinations",
			map[string]any{"EventDestinationName": name, "EventDestination": target}, &struct{}{})
		if err != nil {
			t.Fatalf("create the event destination %s: %v", name, err)
		}
	}
	for _, name := range topics {
		create(name, map[string]any{"SnsDestination": map[string]string{"TopicArn": topicARN(name)}})
	}
	create(fileTarget, map[string]any{"KinesisFirehoseDestination": map[string]string{
		"DeliveryStreamArn": "arn:aws:firehose:" + testRegion + ":" + testAccount + ":deliverystream/" + fileTarget,
		"IamRoleArn":        "arn:aws:iam::" + testAccount + ":role/tidings",
	}})
}

// fileTarget is the name of the event destination that is a file.
const fileTarget = "stream"

func topicARN(name string) string {
	return "arn:aws:sns:" + testRegion + ":" + testAccount + ":" + name
}

// send asks for one voice message, whose number is the serial.
func (c *client) send(ctx context.Context, serial int, phone string) (id string, err error) {
	var out struct{ MessageId string }
	err = c.call(ctx, http.MethodPost, "/v1/sms-voice/voice/message", map[string]any{
		"ConfigurationSetName": set, "DestinationPhoneNumber": phone, "OriginationPhoneNumber": numberOf(serial),
		"Content": map[string]any{"PlainTextMessage": map[string]string{"Text": "Your appointment is tomorrow at nine."}},
	}, &out)
	return out.MessageId, err
}

// load is an application that sends.
type load struct {
	client  *client
	books   *books
	phones  []string
	writers int // closed loops
	pace    int // messages a second at most; 0 = as fast as it goes
	limit   int // messages that are asked for; 0 = no limit
}

// errorPause keeps writers from spinning while the server is in trouble.
const errorPause = 20 * time.Millisecond

// run sends until ctx ends. Requests under way are then finished.
func (l load) run(ctx context.Context, t testing.TB) {
	limiter := rate.NewLimiter(rate.Inf, 1)
	if l.pace > 0 {
		limiter.SetLimit(rate.Limit(l.pace))
	}
	var all sync.WaitGroup
	for i := range l.writers {
		share := l.limit / l.writers
		if i < l.limit%l.writers {
			share++
		}
		all.Go(func() {
			for n := 0; (l.limit == 0 || n < share) && limiter.Wait(ctx) == nil; n++ {
				if !l.one(t.Context()) {
					wait(ctx, errorPause)
				}
			}
		})
	}
	all.Wait()
}

// one sends one message and enters it in the books.
func (l load) one(ctx context.Context) bool {
	serial := l.books.ask()
	id, err := l.client.send(ctx, serial, l.phones[rand.IntN(len(l.phones))])
	refused, answered := errors.AsType[*refusal](err)
	switch {
	case err == nil:
		l.books.acknowledge(serial, id)
	case answered:
		l.books.refuse(serial, refused)
	default:
		l.books.unanswered(serial)
	}
	return err == nil
}

// during runs the load while do runs.
func (l load) during(t testing.TB, do func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { l.run(ctx, t) })
	defer running.Wait()
	defer cancel()
	do()
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// simulatedPhones asks the binary for the phones that it simulates.
func simulatedPhones(t testing.TB) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), binary, "simulator", "numbers", "--json").Output()
	if err != nil {
		t.Fatalf("tidings simulator numbers: %v", err)
	}
	var phones []struct{ Number string }
	if err := json.Unmarshal(out, &phones); err != nil || len(phones) < 7 {
		t.Fatalf("tidings simulator numbers printed %v, %v, want at least 7", phones, err)
	}
	numbers := make([]string, len(phones))
	for i, p := range phones {
		numbers[i] = p.Number
	}
	return numbers
}
