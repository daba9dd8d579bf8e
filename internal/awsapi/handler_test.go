package awsapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"tidings/internal/account"
	"tidings/internal/awsapi"
	"tidings/internal/fault"
)

// family is a protocol in words: it answers with the exception's name and message.
type family struct {
	call    awsapi.Call
	limit   int64
	refuse  error
	serve   func(ctx context.Context, w http.ResponseWriter) error
	gotBody []byte
}

func (f *family) Name() string              { return "words" }
func (f *family) Service() string           { return "words-service" }
func (f *family) BodyLimit() int64          { return f.limit }
func (f *family) Owns(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/words/") }
func (f *family) Resolve(_ *http.Request, body []byte) (awsapi.Call, error) {
	f.gotBody = body
	call := f.call
	call.Serve = f.serve
	return call, f.refuse
}

func (f *family) WriteError(w http.ResponseWriter, operation string, err error) awsapi.Exception {
	e := awsapi.Exception{Status: http.StatusInternalServerError, Code: "Fault", Message: fault.From(err).Msg}
	if fault.Is(err, fault.Invalid) {
		e.Status = http.StatusBadRequest
	}
	if refused, ok := errors.AsType[*awsapi.RefusedError](err); ok {
		e = awsapi.Exception{Status: http.StatusForbidden, Code: fmt.Sprintf("Refused%d", refused.Reason), Message: refused.Msg}
	}
	w.WriteHeader(e.Status)
	fmt.Fprintf(w, "%s %s: %s", operation, e.Code, e.Message)
	return e
}

// verifier lets everybody in who does not carry an X-Forged header.
type verifier struct {
	key     *account.Key
	service string
	body    []byte
}

func (v *verifier) Verify(r *http.Request, service string, body []byte) (account.Principal, error) {
	v.service, v.body = service, body
	if r.Header.Get("X-Forged") != "" {
		return account.Principal{}, &awsapi.RefusedError{Reason: awsapi.WrongSignature, Msg: "forged", Key: strings.Repeat("K", 200)}
	}
	return account.Principal{Key: v.key, Region: "us-east-1"}, nil
}

type rig struct {
	family   *family
	verifier *verifier
	options  awsapi.Options
	log      bytes.Buffer
	registry *prometheus.Registry
	now      time.Time
}

func newRig() *rig {
	g := &rig{
		family: &family{
			call: awsapi.Call{Operation: "Speak"},
			serve: func(_ context.Context, w http.ResponseWriter) error {
				_, err := io.WriteString(w, "spoken")
				return err
			},
		},
		verifier: &verifier{key: &account.Key{ID: "AKID", Secret: "hush", Account: &account.Account{ID: "123456789012"}}},
		registry: prometheus.NewRegistry(),
		now:      time.Date(2026, 11, 21, 10, 30, 0, 0, time.UTC),
	}
	g.options = awsapi.Options{
		Families: []awsapi.Family{g.family}, Verifier: g.verifier,
		Log: slog.New(slog.NewJSONHandler(&g.log, nil)), Metrics: awsapi.NewMetrics(g.registry),
		Now: func() time.Time { return g.now },
	}
	return g
}

func (g *rig) do(tb testing.TB, h *awsapi.Handler, r *http.Request) *httptest.ResponseRecorder {
	tb.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func (g *rig) post(tb testing.TB, body string) *httptest.ResponseRecorder {
	tb.Helper()
	return g.do(tb, awsapi.NewHandler(g.options), httptest.NewRequestWithContext(tb.Context(), http.MethodPost, "/words/x?secret=1", strings.NewReader(body)))
}

// line returns the only line of the log, without time and request ID.
func (g *rig) line(tb testing.TB) map[string]any {
	tb.Helper()
	if n := strings.Count(g.log.String(), "\n"); n != 1 {
		tb.Fatalf("the log has %d lines, want 1:\n%s", n, &g.log)
	}
	var line map[string]any
	if err := json.Unmarshal(g.log.Bytes(), &line); err != nil {
		tb.Fatal(err)
	}
	delete(line, "time")
	delete(line, "request")
	return line
}

// requests returns the request counter, by its labels.
func (g *rig) requests(tb testing.TB) map[string]float64 {
	tb.Helper()
	metrics, err := g.registry.Gather()
	if err != nil {
		tb.Fatal(err)
	}
	got := map[string]float64{}
	for _, m := range metrics {
		if m.GetName() != "tidings_api_requests_total" {
			continue
		}
		for _, series := range m.GetMetric() {
			labels := map[string]string{}
			for _, l := range series.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			got[fmt.Sprintf("%s %s %s %s", labels["family"], labels["operation"], labels["status"], labels["exception"])] = series.GetCounter().GetValue()
		}
	}
	return got
}

var uuid = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

func TestARequestThatSucceeds(t *testing.T) {
	t.Parallel()
	g := newRig()
	var inside string
	g.family.serve = func(ctx context.Context, w http.ResponseWriter) error {
		inside = awsapi.RequestID(ctx)
		p, _ := account.FromContext(ctx)
		_, err := fmt.Fprintf(w, "spoken for %s", p.Tenant())
		g.now = g.now.Add(3 * time.Millisecond)
		return err
	}
	w := g.post(t, "+14255550159 hello")
	if w.Code != http.StatusOK || w.Body.String() != "spoken for 123456789012/us-east-1" {
		t.Errorf("reply = %d %q, want 200 and the tenant", w.Code, w.Body)
	}
	if id := w.Header().Get("x-amzn-RequestId"); !uuid.MatchString(id) || id != inside {
		t.Errorf("request ID = %q outside, %q inside, want one UUID", id, inside)
	}
	if string(g.verifier.body) != "+14255550159 hello" || string(g.family.gotBody) != "+14255550159 hello" || g.verifier.service != "words-service" {
		t.Errorf("Verify got %q for %q, Resolve got %q; want the body and the family's service", g.verifier.body, g.verifier.service, g.family.gotBody)
	}
	want := map[string]any{
		"level": "INFO", "msg": "request", "method": "POST", "family": "words", "operation": "Speak", "account": "123456789012",
		"region": "us-east-1", "key": "AKID", "status": 200.0, "bytes": 33.0, "duration": 3e6,
	}
	if diff := cmp.Diff(want, g.line(t)); diff != "" {
		t.Errorf("the line in the log (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]float64{"words Speak 2xx ": 1}, g.requests(t)); diff != "" {
		t.Errorf("tidings_api_requests_total (-want +got):\n%s", diff)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		arrange func(g *rig, r *http.Request)
		body    string
		want    string
		counted string
	}{
		"body as large as allowed": {
			func(g *rig, _ *http.Request) { g.options.BodyLimit = 5 }, "12345", "spoken", "words Speak 2xx ",
		},
		"body too large": {
			func(g *rig, _ *http.Request) { g.options.BodyLimit = 4 }, "12345", " Refused3: The request body must be at most 4 bytes.", "words unknown 4xx Refused3",
		},
		"body too large, of unknown length": {
			func(g *rig, r *http.Request) { g.options.BodyLimit, r.ContentLength = 4, -1 }, "12345",
			" Refused3: The request body must be at most 4 bytes.", "words unknown 4xx Refused3",
		},
		"body as large as the family allows": {
			func(g *rig, _ *http.Request) { g.options.BodyLimit, g.family.limit = 4, 5 }, "12345", "spoken", "words Speak 2xx ",
		},
		"body too large for the family": {
			func(g *rig, _ *http.Request) { g.family.limit = 4 }, "12345", " Refused3: The request body must be at most 4 bytes.", "words unknown 4xx Refused3",
		},
		"body cut off": {
			func(_ *rig, r *http.Request) { r.Body = io.NopCloser(io.MultiReader(r.Body, broken{})) }, "12345",
			" Refused4: The request body did not arrive whole.", "words unknown 4xx Refused4",
		},
		"no family": {
			func(_ *rig, r *http.Request) { r.URL.Path = "/other" }, "",
			" Refused1: This server has no such API: check the path of the endpoint URL.", "unknown unknown 4xx Refused1",
		},
		"no operation": {
			func(g *rig, _ *http.Request) {
				g.family.call, g.family.refuse = awsapi.Call{}, &awsapi.RefusedError{Reason: awsapi.WrongMethod, Msg: "no"}
			}, "", " Refused2: no", "words unknown 4xx Refused2",
		},
		"forged": {
			func(_ *rig, r *http.Request) { r.Header.Set("X-Forged", "1") }, "", "Speak Refused7: forged", "words Speak 4xx Refused7",
		},
		"forged, but open to all": {
			func(g *rig, r *http.Request) { r.Header.Set("X-Forged", "1"); g.family.call.Open = true }, "", "spoken", "words Speak 2xx ",
		},
		"forbidden": {
			func(g *rig, _ *http.Request) { g.verifier.key.Allow = []string{"words-service:Get*", "other:*"} }, "",
			"Speak Refused11: User: arn:aws:iam::123456789012:access-key/AKID is not authorized to perform: words-service:Speak", "words Speak 4xx Refused11",
		},
		"forbidden, with a resource": {
			func(g *rig, _ *http.Request) {
				g.verifier.key.Allow, g.family.call.Resource = []string{"other:*"}, "apps/1/events"
			}, "",
			"Speak Refused11: User: arn:aws:iam::123456789012:access-key/AKID is not authorized to perform: words-service:Speak" +
				" on resource: arn:aws:words-service:us-east-1:123456789012:apps/1/events", "words Speak 4xx Refused11",
		},
		"allowed": {
			func(g *rig, _ *http.Request) { g.verifier.key.Allow = []string{"words-service:S*"} }, "", "spoken", "words Speak 2xx ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newRig()
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/words/x", strings.NewReader(c.body))
			c.arrange(g, r)
			w := g.do(t, awsapi.NewHandler(g.options), r)
			if w.Body.String() != c.want {
				t.Errorf("reply = %q, want %q", w.Body, c.want)
			}
			if diff := cmp.Diff(map[string]float64{c.counted: 1}, g.requests(t)); diff != "" {
				t.Errorf("tidings_api_requests_total (-want +got):\n%s", diff)
			}
			if !uuid.MatchString(w.Header().Get("x-amzn-RequestId")) {
				t.Errorf("request ID = %q, want a UUID", w.Header().Get("x-amzn-RequestId"))
			}
			if key, _ := g.line(t)["key"].(string); len(key) > 128 {
				t.Errorf("the log has a key ID of %d characters, want at most 128", len(key))
			}
		})
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestAnOperationThatPanics(t *testing.T) {
	t.Parallel()
	g := newRig()
	g.family.serve = func(context.Context, http.ResponseWriter) error { panic("lost my head") }
	w := g.post(t, "")
	if w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "head") {
		t.Errorf("reply = %d %q, want 500 without the panic's words", w.Code, w.Body)
	}
	line := g.line(t)
	if cause, _ := line["error"].(string); line["level"] != "ERROR" || line["status"] != 500.0 || !strings.Contains(cause, "lost my head") || !strings.Contains(cause, "handler_test.go") {
		t.Errorf("log = %v, want an error of status 500 with the panic and its stack", line)
	}
}

func TestAnOperationThatPanicsHalfway(t *testing.T) {
	t.Parallel()
	g := newRig()
	g.family.serve = func(_ context.Context, w http.ResponseWriter) error {
		_, _ = io.WriteString(w, "half")
		panic("lost my head")
	}
	if w := g.post(t, ""); w.Body.String() != "half" {
		t.Errorf("reply = %q, want what was written before", w.Body)
	}
	if line := g.line(t); line["level"] != "ERROR" || line["error"] == nil {
		t.Errorf("log = %v, want an error with its cause", line)
	}
}

func TestAbortHandlerIsLeftToTheServer(t *testing.T) {
	t.Parallel()
	g := newRig()
	g.family.serve = func(context.Context, http.ResponseWriter) error { panic(http.ErrAbortHandler) }
	defer func() {
		if err, ok := recover().(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
			t.Errorf("panic = %v, want http.ErrAbortHandler", err)
		}
	}()
	g.post(t, "")
}

// TestTheLogKeepsSecrets lets a fault's message and its cause name what no log may show.
func TestTheLogKeepsSecrets(t *testing.T) {
	t.Parallel()
	g := newRig()
	g.family.serve = func(context.Context, http.ResponseWriter) error {
		f := fault.New(fault.Invalid, "", "+14255550159 is on the block list.")
		f.Err = errors.New("+14255550159 was found")
		return f
	}
	g.post(t, "+14255550159")
	if s := g.log.String(); strings.Contains(s, "4255550159") || strings.Contains(s, "secret") || strings.Contains(s, "hush") {
		t.Errorf("log = %s, which tells a phone number, the query or the key's secret", s)
	}
}

func TestTheCauseOfAnInternalErrorIsLogged(t *testing.T) {
	t.Parallel()
	g := newRig()
	g.family.serve = func(context.Context, http.ResponseWriter) error { return errors.New("disk on fire") }
	if w := g.post(t, ""); strings.Contains(w.Body.String(), "fire") {
		t.Errorf("reply = %q, want no cause", w.Body)
	}
	if line := g.line(t); line["error"] != "disk on fire" || line["exception"] != "Fault" {
		t.Errorf("log = %v, want the cause and the exception", line)
	}
}

func TestAClientThatHangsUpIsNoFaultOfOurs(t *testing.T) {
	t.Parallel()
	g := newRig()
	ctx, hangUp := context.WithCancel(t.Context())
	g.family.serve = func(ctx context.Context, _ http.ResponseWriter) error { hangUp(); return ctx.Err() }
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/words/x", http.NoBody)
	if w := g.do(t, awsapi.NewHandler(g.options), r); w.Body.Len() != 0 {
		t.Errorf("answered %q to nobody", w.Body)
	}
	if line := g.line(t); line["level"] != "INFO" || line["exception"] != "Abandoned" {
		t.Errorf("log = %v, want an abandoned request at INFO", line)
	}
	if got := g.requests(t)["words Speak 4xx Abandoned"]; got != 1 {
		t.Errorf("requests = %v, want one abandoned", g.requests(t))
	}
}

func TestRate(t *testing.T) {
	t.Parallel()
	g := newRig()
	g.family.call.Rate = 1
	h := awsapi.NewHandler(g.options)
	try := func() int {
		return g.do(t, h, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/words/x", nil)).Code
	}
	first, second := try(), try()
	g.now = g.now.Add(999 * time.Millisecond)
	soon := try()
	g.now = g.now.Add(time.Millisecond)
	later := try()
	if diff := cmp.Diff([]int{200, 500, 500, 200}, []int{first, second, soon, later}); diff != "" {
		t.Errorf("status of requests at 0, 0, 0.999 and 1 s (-want +got):\n%s", diff)
	}
	g.verifier.key = &account.Key{ID: "OTHER", Account: &account.Account{ID: "210987654321"}}
	if got := try(); got != 200 {
		t.Errorf("status for another account = %d, want 200", got)
	}
	g.family.call.Operation = "Listen"
	if got := try(); got != 200 {
		t.Errorf("status for another operation = %d, want 200", got)
	}
}
