package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tidings/internal/arn"
	"tidings/internal/configset"
	"tidings/internal/event"
	"tidings/internal/sink"
	"tidings/internal/tenant"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// Secrets of 24, 32 and 64 bytes.
const (
	secretA = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	secretB = "whsec_plJ3nmyCDGBKInavdOK15jsl7o4nNjpKYqMuBYiJ0HA="
	secretC = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw=="
)

// request is what an endpoint got.
type request struct {
	method, uri string
	header      http.Header
	body        []byte
}

// farEnd is an endpoint that keeps what it is sent, and answers as it is told.
type farEnd struct {
	*httptest.Server
	mu       sync.Mutex
	requests []request // that were answered with 2xx
	answer   http.HandlerFunc
	contacts atomic.Int64
}

func newFarEnd(tb testing.TB) *farEnd {
	tb.Helper()
	f := &farEnd{}
	f.Server = httptest.NewUnstartedServer(http.HandlerFunc(f.serve))
	f.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			f.contacts.Add(1)
		}
	}
	f.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	f.Start()
	tb.Cleanup(f.Close)
	return f
}

func (f *farEnd) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client is gone
	}
	f.mu.Lock()
	answer := f.answer
	f.mu.Unlock()
	recorder := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
	if answer != nil {
		r.Body = io.NopCloser(bytes.NewReader(body))
		answer(recorder, r)
	}
	if recorder.status/100 == 2 {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.requests = append(f.requests, request{r.Method, r.URL.RequestURI(), r.Header.Clone(), body})
	}
}

type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (r *statusRecorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

func (r *statusRecorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// answers sets how requests are answered from now on; nil = 200.
func (f *farEnd) answers(h http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = h
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// hangs lets the far end not answer until release is called.
func (f *farEnd) hangs(testing.TB) (reached <-chan struct{}, release func()) {
	first, hold := make(chan struct{}), make(chan struct{})
	var once sync.Once
	f.answers(func(w http.ResponseWriter, _ *http.Request) {
		once.Do(func() { close(first) })
		<-hold
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	return first, func() { close(hold) }
}

// got returns the requests so far.
func (f *farEnd) got() []request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.requests)
}

// only returns the one request there was.
func (f *farEnd) only(tb testing.TB) request {
	tb.Helper()
	all := f.got()
	if len(all) != 1 {
		tb.Fatalf("%d requests were answered with 2xx, want 1", len(all))
	}
	return all[0]
}

// envelope is the object of one event of format standard.
type envelope struct {
	ID               string          `json:"id"`
	Type             string          `json:"type"`
	Timestamp        time.Time       `json:"timestamp"`
	Account          string          `json:"account"`
	Region           string          `json:"region"`
	ConfigurationSet string          `json:"configurationSet"`
	EventDestination string          `json:"eventDestination"`
	Target           string          `json:"target"`
	Data             json.RawMessage `json:"data"`
}

// envelopes takes a body apart.
func envelopes(tb testing.TB, body []byte) []envelope {
	tb.Helper()
	if !bytes.HasPrefix(body, []byte("[")) {
		body = slices.Concat([]byte("["), body, []byte("]"))
	}
	var all []envelope
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&all); err != nil {
		tb.Errorf("body %s: %v", body, err)
	}
	return all
}

// records returns the records of all requests of format standard, whose signatures it
// verifies with the library that consumers use.
func (f *farEnd) records(tb testing.TB, secret string) [][]byte {
	tb.Helper()
	var all [][]byte
	for _, r := range f.got() {
		verifies(tb, r, secret, true)
		for _, e := range envelopes(tb, r.body) {
			all = append(all, e.Data)
		}
	}
	return all
}

// verifies checks whether the secret verifies the request.
func verifies(tb testing.TB, r request, secret string, want bool) {
	tb.Helper()
	w, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		tb.Fatalf("NewWebhook = %v", err)
	}
	if err := w.Verify(r.body, r.header); (err == nil) != want {
		tb.Errorf("Verify with %s = %v, want success: %v", secret, err, want)
	}
}

func newDriver(tb testing.TB, s Settings) *Driver {
	tb.Helper()
	d, err := New(s)
	if err != nil {
		tb.Fatalf("New = %v", err)
	}
	tb.Cleanup(func() {
		if err := d.Close(); err != nil {
			tb.Errorf("Close = %v", err)
		}
	})
	return d
}

// local are settings that may reach the URL though it is on this machine.
func local(url string) Settings {
	return Settings{URL: url, Secrets: []string{secretA}, AllowPrivate: true, Version: "1.2.3"}
}

func target() sink.Target {
	return sink.Target{
		Tenant: tenant.Tenant{Account: "123456789012", Region: "us-east-1"}, Kind: configset.SNS,
		ARN: arn.ARN{Partition: "aws", Service: "sns", Region: "us-east-1", Account: "123456789012", Resource: "alerts"},
	}
}

func openSink(tb testing.TB, d sink.Driver) sink.Sink {
	tb.Helper()
	s, err := d.Open(target())
	if err != nil {
		tb.Fatalf("Open = %v", err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Errorf("Close = %v", err)
		}
	})
	return s
}

var happened = time.Date(2026, 11, 5, 14, 0, 0, 123_000_000, time.UTC)

// batchOf makes a delivery of each record.
func batchOf(records ...string) []sink.Delivery {
	batch := make([]sink.Delivery, len(records))
	for i, record := range records {
		id := fmt.Sprintf("m%d/answered", i)
		batch[i] = sink.Delivery{
			ID: id + "/hook", Set: "calls", Destination: "hook",
			Event: event.Event{
				ID: id, Type: event.VoiceAnswered, Time: happened, Tenant: target().Tenant, Set: "calls", Record: []byte(record),
			},
		}
	}
	return batch
}

// within returns a context that ends, with the test at the latest, after d.
func within(tb testing.TB, d time.Duration) context.Context {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), d)
	tb.Cleanup(cancel)
	return ctx
}

// wantTemporary checks that err says all of the words and may pass.
func wantTemporary(tb testing.TB, err error, words ...string) {
	tb.Helper()
	if err == nil || errors.Is(err, sink.ErrPermanent) {
		tb.Errorf("Deliver = %v, want a failure that may pass", err)
		return
	}
	wantWords(tb, err, words...)
}

func wantWords(tb testing.TB, err error, words ...string) {
	tb.Helper()
	for _, word := range words {
		if !bytes.Contains([]byte(err.Error()), []byte(word)) {
			tb.Errorf("the error %q does not say %q", err, word)
		}
	}
}

func wantPermanent(tb testing.TB, err error, words ...string) {
	tb.Helper()
	if !errors.Is(err, sink.ErrPermanent) {
		tb.Errorf("Deliver = %v, want a permanent failure", err)
		return
	}
	wantWords(tb, err, words...)
}
