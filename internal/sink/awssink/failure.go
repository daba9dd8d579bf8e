package awssink

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"tidings/internal/sink"
)

// errNoAnswer is a success that says nothing, as no service answers.
var errNoAnswer = errors.New("the answer is empty")

// outcome is what became of a request, for metrics.
type outcome string

const (
	answered  outcome = "answered"
	throttled outcome = "throttled"
	denied    outcome = "denied"
	missing   outcome = "missing"
	malformed outcome = "malformed" // the record, not the request
	failed    outcome = "failed"
)

// failure is a request without success, in few words.
type failure struct {
	service, operation string
	status             int    // of HTTP; 0 = there was no answer
	code               string // of the service; "" = it did not say
	text               string
	after              time.Duration // what Retry-After says; 0 = nothing
	err                error
}

// Error prints what was asked and what the far end said. It holds no credentials.
func (f *failure) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s: ", f.service, f.operation)
	if f.code != "" {
		b.WriteString(f.code + ": ")
	}
	b.WriteString(f.text)
	if f.status != 0 {
		fmt.Fprintf(&b, " (HTTP %d)", f.status)
	}
	return b.String()
}

// Unwrap returns what the SDK reported.
func (f *failure) Unwrap() error { return f.err }

// The codes that tell what to do. Every service has its own; they do not contradict each
// other. Source: the sections "Errors" of the operations, and "Common Errors", of the API
// References of SNS, Firehose, CloudWatch Logs and STS.
var (
	expiredCodes = []string{
		"ExpiredToken", "ExpiredTokenException",
		"InvalidClientTokenId", "UnrecognizedClientException", // also the key of a role that is gone
	}
	throttledCodes = []string{
		"Throttling", "ThrottlingException", "Throttled", "ThrottledException", "TooManyRequestsException",
		"RequestLimitExceeded", "LimitExceededException", "KMSThrottling", "KMSThrottlingException",
		"ProvisionedThroughputExceededException", "SlowDown",
	}
	deniedCodes = []string{
		"AccessDenied", "AccessDeniedException", "AuthorizationError", "KMSAccessDenied",
		"InvalidSignatureException", "SignatureDoesNotMatch", "InvalidSecurity",
	}
	missingCodes = []string{"NotFound", "ResourceNotFoundException"}
)

// explain puts into few words what the SDK reports of a request.
func (c *caller) explain(operation string, err error) *failure {
	f := &failure{service: c.service, operation: operation, err: err}
	if inner, ok := errors.AsType[*failure](err); ok { // no credentials, because STS gives none
		f.text = inner.Error()
		f.after = inner.after
		return f
	}
	if answer, ok := errors.AsType[*smithyhttp.ResponseError](err); ok && answer.Response != nil {
		f.status = answer.HTTPStatusCode()
		f.after = retryAfter(answer.Response.Header.Get("Retry-After"), c.now())
	}
	if said, ok := errors.AsType[smithy.APIError](err); ok {
		f.code, f.text = shorten(said.ErrorCode()), shorten(said.ErrorMessage())
		return f
	}
	switch cause, ok := errors.AsType[*url.Error](err); {
	case errors.Is(err, errAnswerTooLong):
		f.text = errAnswerTooLong.Error()
	case ok: // it would print the URL
		f.text = shorten(cause.Err.Error())
	case errors.Is(err, context.DeadlineExceeded):
		f.text = context.DeadlineExceeded.Error()
	case errors.Is(err, context.Canceled):
		f.text = context.Canceled.Error()
	case f.status != 0:
		f.text = "the answer cannot be read"
	default:
		f.text = shorten(err.Error())
	}
	return f
}

// expired reports whether other credentials may help.
func (f *failure) expired() bool { return slices.Contains(expiredCodes, f.code) }

func (f *failure) outcome(bad func(code, text string) bool) outcome {
	switch {
	case bad != nil && (f.status == http.StatusRequestEntityTooLarge || bad(f.code, f.text)):
		return malformed
	case f.status == http.StatusTooManyRequests, slices.Contains(throttledCodes, f.code):
		return throttled
	case slices.Contains(missingCodes, f.code):
		return missing
	case f.status == http.StatusForbidden, f.status == http.StatusUnauthorized,
		slices.Contains(deniedCodes, f.code), f.expired():
		return denied
	}
	return failed
}

// asError says to the courier what to do.
func (f *failure) asError(o outcome) error {
	switch {
	case o == malformed:
		return sink.Permanent(f)
	case f.after > 0:
		return sink.RetryAfter(f, f.after)
	}
	return f
}

// caller is one who makes requests to a service.
type caller struct {
	service string
	signer  *identity
	metrics *Metrics
	now     func() time.Time
	bad     func(code, text string) bool // does the service say that a record is malformed or too large? nil = it takes none
}

// caller returns a caller of the service whose requests the signer signs.
func (d *Driver) caller(service string, signer *identity, bad func(code, text string) bool) *caller {
	return &caller{service: service, signer: signer, metrics: d.settings.Metrics, now: d.settings.Now, bad: bad}
}

// attempt makes a request, and once more if its connection was stale, or its credentials
// have expired and there may be fresh ones. Each request is signed anew.
func attempt[T any](ctx context.Context, c *caller, operation string, call func(context.Context) (T, error)) (T, error) {
	for again := true; ; again = false {
		age := c.signer.age()
		out, err := call(ctx)
		if err == nil {
			c.metrics.requested(c.service, answered)
			return out, nil
		}
		f := c.explain(operation, err)
		o := f.outcome(c.bad)
		c.metrics.requested(c.service, o)
		stale := errors.Is(err, errStale)
		if again && ctx.Err() == nil && (stale || f.expired() && c.signer.renew(age)) {
			continue
		}
		return out, f.asError(o)
	}
}

// retryAfter reads the header of that name: seconds, or a date (RFC 9110 section 10.2.3).
// 0 = there is none, or nonsense.
func retryAfter(header string, now time.Time) time.Duration {
	const most = 24 * time.Hour
	if seconds, err := strconv.ParseInt(header, 10, 64); err == nil {
		if seconds > int64(most/time.Second) {
			return most
		}
		return max(0, time.Duration(seconds)*time.Second)
	}
	at, err := http.ParseTime(header)
	if err != nil {
		return 0
	}
	return min(most, max(0, at.Sub(now)))
}

// tokenForm matches what is too long to be a word, a name or a hash.
var tokenForm = regexp.MustCompile(`[A-Za-z0-9+/=_%-]{100,}`)

// shorten puts a text of the far end on one line, without what may be a session token that
// it repeats, and cuts it.
func shorten(text string) string {
	const most = 300
	text = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(text, "?"), func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r)
	}), " ")
	text = tokenForm.ReplaceAllString(text, "…")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}
