package awssink

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"tidings/internal/event"
	"tidings/internal/sink"
)

// canned is a network on which everybody answers the same.
type canned struct {
	status     int
	retryAfter string
	body       []byte
}

func (c *canned) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		_, _ = io.Copy(io.Discard, r.Body)
		_ = r.Body.Close()
	}
	return &http.Response{
		StatusCode: c.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r, ContentLength: int64(len(c.body)),
		Header: http.Header{"Retry-After": {c.retryAfter}}, Body: io.NopCloser(bytes.NewReader(c.body)),
	}, nil
}

// FuzzAnswers lets the far end answer anything. What is reported as delivered must have
// been confirmed, as a second reader of the answer sees it; what fails must fail in order.
func FuzzAnswers(f *testing.F) {
	for _, body := range []string{
		"", "{}", "null", "[]", `{"nextSequenceToken":"1"}`, "<html>",
		`{"FailedPutCount":0,"RequestResponses":[{"RecordId":"1"},{"RecordId":"2"}]}`,
		`{"FailedPutCount":1,"RequestResponses":[{"RecordId":"1"},{"ErrorCode":"InternalFailure","ErrorMessage":"x"}]}`,
		`{"FailedRecordCount":1,"Records":[{"SequenceNumber":"1","ShardId":"s"},{"ErrorCode":"ProvisionedThroughputExceededException","ErrorMessage":"x"}]}`,
		`{"rejectedLogEventsInfo":{"tooOldLogEventEndIndex":1}}`,
		`{"__type":"ThrottlingException","message":"Rate exceeded"}`,
		`<PublishBatchResponse><PublishBatchResult><Successful>` + ok("0") + ok("1") + `</Successful><Failed></Failed></PublishBatchResult></PublishBatchResponse>`,
		`<PublishBatchResponse><PublishBatchResult><Failed>` + member("1", "InvalidParameter", "Empty message", true) + `</Failed></PublishBatchResult></PublishBatchResponse>`,
		`<ErrorResponse><Error><Type>Sender</Type><Code>ExpiredToken</Code><Message>expired</Message></Error></ErrorResponse>`,
	} {
		for service := range services {
			f.Add(service, 200, "", []byte(body))
			f.Add(service, 503, "7", []byte(body))
		}
	}
	f.Fuzz(func(t *testing.T, which, status int, after string, body []byte) {
		if which < 0 || status < 200 || status > 599 {
			t.Skip("no HTTP client hands that over")
		}
		service := services[which%len(services)].name
		driver, err := New(Settings{AccessKeyID: ownKey, SecretAccessKey: ownSecret})
		if err != nil {
			t.Fatalf("New = %v", err)
		}
		driver.http.Transport = &canned{status, after, body}
		to, batch := targets()[service], batchOf(`{"n":0}`, `{"n":1}`)
		if service == "cloudwatch" {
			to = metricsTarget(t)
			batch = []sink.Delivery{mail("0", event.EmailSend, time.Now(), ""), mail("1", event.EmailOpen, time.Now(), "")}
		}
		s := openSink(t, driver, to)
		checkFailure(t, s.Deliver(t.Context(), batch), len(batch), func(i int) bool {
			return status < 300 && confirms(service, body, i)
		})
	})
}

// checkFailure checks what Deliver returned for a batch of n.
func checkFailure(t *testing.T, err error, n int, confirmed func(i int) bool) {
	t.Helper()
	partial, isPartial := errors.AsType[*sink.PartialError](err)
	for i := range n {
		delivered := err == nil
		if isPartial {
			_, failed := partial.Failed[i]
			delivered = !failed
		}
		if delivered && !confirmed(i) {
			t.Errorf("delivery %d counts as delivered, which the answer does not say", i)
		}
	}
	if isPartial && (len(partial.Failed) == 0 || len(partial.Failed) > n) {
		t.Errorf("%d of %d failed", len(partial.Failed), n)
	}
	if err == nil {
		return
	}
	if text := err.Error(); len(text) > 1_000 || !utf8.ValidString(text) || strings.Contains(text, "\n") {
		t.Errorf("the error is %q, want one short line", text)
	}
	if d := sink.Delay(err); d < 0 || d > 24*time.Hour {
		t.Errorf("Delay = %v", d)
	}
}

// confirms reads an answer in the simplest way there is, and reports whether it may say
// that delivery i has arrived.
func confirms(service string, body []byte, i int) bool {
	if service == "sns" {
		return bytes.Contains(body, []byte("PublishBatchResult")) && bytes.Contains(body, fmt.Append(nil, i))
	}
	if service == "cloudwatch" {
		return len(body) > 0 // it answers all or nothing
	}
	var out *struct{ RequestResponses, Records []json.RawMessage }
	if json.NewDecoder(bytes.NewReader(body)).Decode(&out) != nil || out == nil {
		return false
	}
	switch service {
	case "kinesis":
		return i < len(out.Records)
	case "logs":
		return true // what Logs does not reject, it takes
	}
	return i < len(out.RequestResponses)
}
