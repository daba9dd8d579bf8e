package awssink

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"tidings/internal/sink"
)

// each runs a test for each service, with a sink of the double that has delivered once.
func each(t *testing.T, test func(t *testing.T, d *double, s sink.Sink)) {
	t.Helper()
	for service, target := range targets() {
		t.Run(service, func(t *testing.T) {
			t.Parallel()
			d := newDouble(t)
			s := openSink(t, newDriver(t, d.settings()), target)
			if err := s.Deliver(t.Context(), batchOf(`{}`)); err != nil {
				t.Fatalf("Deliver = %v", err)
			}
			d.took()
			test(t, d, s)
		})
	}
}

// passing checks that err is a failure of everything, for now.
func passing(t *testing.T, what string, err error) {
	t.Helper()
	if _, partial := errors.AsType[*sink.PartialError](err); err == nil || partial || errors.Is(err, sink.ErrPermanent) {
		t.Errorf("Deliver, %s = %v, want a failure of all that may pass", what, err)
	}
}

// TestWhatAnOperatorCanMend is never given up, and is asked once per delivery.
func TestWhatAnOperatorCanMend(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		answer answer
		want   []string // in the error
	}{
		"throttling":          {failing(400, "ThrottlingException", "Rate exceeded"), []string{"ThrottlingException: Rate exceeded (HTTP 400)"}},
		"SNS throttling":      {failing(429, "Throttled", "Rate exceeded"), []string{"Throttled", "429"}},
		"no permission":       {failing(403, "AccessDeniedException", "User is not authorized to perform"), []string{"AccessDeniedException: User is not authorized"}},
		"SNS, no permission":  {failing(403, "AuthorizationError", "not authorized to perform: SNS:Publish"), []string{"AuthorizationError", "403"}},
		"missing topic":       {failing(404, "NotFound", "Topic does not exist"), []string{"NotFound: Topic does not exist (HTTP 404)"}},
		"wrong signature":     {failing(403, "InvalidSignatureException", "The request signature we calculated does not match"), []string{"InvalidSignatureException"}},
		"another region":      {failing(400, "InvalidParameter", "Invalid parameter: TopicArn"), []string{"Invalid parameter: TopicArn"}},
		"key disabled":        {failing(400, "KMSDisabled", "key is disabled"), []string{"KMSDisabled"}},
		"internal error":      {failing(500, "InternalFailure", "oops"), []string{"InternalFailure: oops (HTTP 500)"}},
		"unavailable":         {failing(503, "ServiceUnavailableException", "Slow down."), []string{"503"}},
		"unknown code":        {failing(418, "Teapot", "short and stout"), []string{"Teapot: short and stout (HTTP 418)"}},
		"bad gateway in HTML": {saying(502, "text/html", "<html><h1>Bad Gateway</h1></html>"), []string{"HTTP 502"}},
		"empty 503":           {saying(503, "", ""), []string{"HTTP 503"}},
		"HTML 200":            {saying(200, "text/html", "<html><h1>It works!</h1></html>"), []string{"HTTP 200"}},
		"half a tag":          {saying(200, "text/xml", "<PublishResponse><PublishResult><Mess"), nil},
		"half a string":       {saying(200, "application/json", `{"FailedPutCount":0,"next`), nil},
		"nothing":             {saying(200, "", ""), nil},
		"JSON 500 of nobody":  {saying(500, "application/json", `{"oops":1}`), []string{"HTTP 500"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, d *double, s sink.Sink) {
				d.say(tc.answer)
				err := s.Deliver(t.Context(), batchOf(`{}`, `{}`))
				passing(t, "answered with "+name, err)
				for _, want := range tc.want {
					if err != nil && !strings.Contains(err.Error(), want) {
						t.Errorf("Deliver = %q, want it to say %q", err, want)
					}
				}
				if err != nil && len(err.Error()) > 300 {
					t.Errorf("Deliver = %q, want few words", err)
				}
				if got := d.took(); len(got) != 1 {
					t.Errorf("calls = %q, want one attempt", got)
				}
				d.say(nil)
				if err := s.Deliver(t.Context(), batchOf(`{}`)); err != nil {
					t.Errorf("Deliver after it was mended = %v", err)
				}
			})
		})
	}
}

func TestRetryAfterIsPassedOn(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *double, s sink.Sink) {
		d.then(func(w http.ResponseWriter, r *request) bool {
			w.Header().Set("Retry-After", "7")
			return failing(http.StatusServiceUnavailable, "ServiceUnavailableException", "Slow down.")(w, r)
		}, saying(http.StatusTooManyRequests, "text/plain", "no"))
		if got := sink.Delay(s.Deliver(t.Context(), batchOf(`{}`))); got != 7*time.Second {
			t.Errorf("Delay = %v, want 7s", got)
		}
		if got := sink.Delay(s.Deliver(t.Context(), batchOf(`{}`))); got != 0 {
			t.Errorf("Delay without the header = %v, want 0", got)
		}
	})
}

func TestRetryAfterForms(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 5, 12, 0, 0, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"": 0, "0": 0, "30": 30 * time.Second, "-5": 0, "soon": 0, "1.5": 0,
		"9223372036854775807": 24 * time.Hour, "99999999999999999999": 0,
		"Thu, 05 Nov 2026 12:02:00 GMT": 2 * time.Minute, "Thu, 05 Nov 2026 11:00:00 GMT": 0,
		"Fri, 05 Nov 2027 12:00:00 GMT": 24 * time.Hour,
	} {
		if got := retryAfter(header, now); got != want {
			t.Errorf("retryAfter(%q) = %v, want %v", header, got, want)
		}
	}
}

// TestAGatewayFindsItTooLarge: 413 is about the batch, and then about the record.
func TestAGatewayFindsItTooLarge(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *double, s sink.Sink) {
		d.then(saying(http.StatusRequestEntityTooLarge, "text/html", "<html></html>"))
		err := s.Deliver(t.Context(), batchOf(`{}`, `{}`))
		if _, partial := errors.AsType[*sink.PartialError](err); partial || !errors.Is(err, sink.ErrPermanent) {
			t.Errorf("Deliver = %v, want a permanent failure of the whole batch", err)
		}
	})
}

// TestRedirectsAreNotFollowed: the signature is for one host alone.
func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *double, s sink.Sink) {
		other := newDouble(t)
		d.then(func(w http.ResponseWriter, _ *request) bool {
			w.Header().Set("Location", other.server.URL)
			w.WriteHeader(http.StatusTemporaryRedirect)
			return true
		})
		passing(t, "redirected", s.Deliver(t.Context(), batchOf(`{}`)))
		if got := other.contacts(t); got != 0 {
			t.Errorf("the other place was contacted %d times", got)
		}
	})
}

// TestClocksDiffer: the SDK learns from a refusal by how much, and signs by the other clock.
func TestClocksDiffer(t *testing.T) {
	t.Parallel()
	for name, skew := range map[string]time.Duration{"ahead": time.Hour, "behind": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, d *double, s sink.Sink) {
				d.mu.Lock()
				d.now = func() time.Time { return time.Now().Add(skew) }
				d.mu.Unlock()
				passing(t, "signed by the wrong clock", s.Deliver(t.Context(), batchOf(`{}`)))
				if err := s.Deliver(t.Context(), batchOf(`{}`)); err != nil {
					t.Errorf("the next Deliver = %v", err)
				}
			})
		})
	}
}

func TestEveryAttemptIsSignedAnew(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *double, s sink.Sink) {
		batch := batchOf(`{}`)
		for range 3 {
			d.then(failing(500, "InternalFailure", "oops"))
			passing(t, "answered with 500", s.Deliver(t.Context(), batch))
		}
		for signature, times := range d.signatures {
			if times != 1 {
				t.Errorf("the signature %s was used %d times", signature, times)
			}
		}
		if got := d.took(); len(got) != 3 || len(d.signatures) < 4 {
			t.Errorf("%d attempts and %d signatures, want 3 and those of the beginning", len(got), len(d.signatures))
		}
	})
}

// TestNoSecretsInErrors: a far end may repeat what it was sent, and it goes on in errors.
func TestNoSecretsInErrors(t *testing.T) {
	t.Parallel()
	for service, target := range targets() {
		t.Run(service, func(t *testing.T) {
			t.Parallel()
			d := newDouble(t)
			settings := withRole(d)
			var log bytes.Buffer
			settings.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
			s := openSink(t, newDriver(t, settings), target)
			d.say(func(w http.ResponseWriter, r *request) bool {
				if r.service == "sts" {
					return false
				}
				r.fail(w, 403, "AccessDenied", "The token\n\x01 "+r.key.SessionToken+" may not "+strings.Repeat("not ", 500))
				return true
			})
			err := s.Deliver(t.Context(), batchOf(`{}`))
			passing(t, "refused", err)
			for _, text := range []string{err.Error(), log.String()} {
				for _, secret := range []string{roleToken[:99], ownSecret, "secret/of/role"} {
					if strings.Contains(text, secret) {
						t.Errorf("%q tells the secret %q", text, secret)
					}
				}
			}
			if strings.ContainsAny(err.Error(), "\n\x01") || len(err.Error()) > 500 {
				t.Errorf("Deliver = %q, want one short line", err)
			}
		})
	}
}

func TestOutcomesAreCounted(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *double, _ sink.Sink) {
		for want, a := range map[outcome]answer{
			answered: nil, throttled: failing(400, "ThrottlingException", ""), denied: failing(403, "AccessDenied", ""),
			failed: failing(500, "InternalError", ""), malformed: saying(413, "", ""), missing: failing(404, "NotFound", ""),
		} {
			settings := d.settings()
			settings.Metrics = NewMetrics(prometheus.NewRegistry())
			driver := newDriver(t, settings)
			for service, target := range targets() {
				d.say(a)
				_ = openSink(t, driver, target).Deliver(t.Context(), batchOf(`{}`)) // its error is another test's
				if got := testutil.ToFloat64(settings.Metrics.requests.WithLabelValues(service, string(want))); got < 1 {
					t.Errorf("%s: %v requests are counted as %s, want at least 1", service, got, want)
				}
			}
		}
	})
}

func TestDeliverWithAnEndedContextSendsNothing(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *double, s sink.Sink) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := s.Deliver(ctx, batchOf(`{}`, `{}`))
		passing(t, "cancelled before", err)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Deliver = %v, want it to be %v", err, context.Canceled)
		}
		if got := d.took(); !slices.Equal(got, nil) {
			t.Errorf("calls = %q, want none", got)
		}
	})
}
