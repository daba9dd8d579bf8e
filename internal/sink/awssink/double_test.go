package awssink

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tidings/internal/account"
	"tidings/internal/arn"
	"tidings/internal/awsapi"
	"tidings/internal/awsapi/sigv4"
	"tidings/internal/event"
	"tidings/internal/sink"
	"tidings/internal/tenant"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The server's own key, as the double knows it.
const (
	ownKey     = "AKIDOWN"
	ownSecret  = "own/secret+of+the+server"
	theAccount = "123456789012"
	theRegion  = "eu-central-1"
	theRole    = "arn:aws:iam::123456789012:role/events/publisher"
)

// double is AWS: SNS, Firehose, Kinesis, CloudWatch Logs and STS behind one endpoint, each
// with its real protocol and limits. It verifies every signature. It is strict where AWS is.
type double struct {
	server *httptest.Server

	mu          sync.Mutex
	now         func() time.Time
	keys        map[string]*account.Key
	script      []answer // for the next requests
	always      answer   // for those behind them; nil = the real answer
	calls       []string // "sns.Publish", in the order of their arrival
	forms       []url.Values
	records     [][]byte // what has arrived for good
	partitions  []string // the keys of what Kinesis has
	metrics     []metricSeen
	namespaces  []string // that metrics were put into
	groups      map[string]map[string][]logged
	life        time.Duration // of the credentials of roles
	assumed     int
	connections int
	signatures  map[string]int
}

// logged is an event in a log stream.
type logged struct {
	Time int64  `json:"timestamp"`
	Text string `json:"message"`
}

// request is one that the double has verified.
type request struct {
	service, operation string
	form               url.Values // of the query protocol
	body               []byte
	key                *account.Key
}

// answer answers a request in place of the service. It reports false for the real answer.
type answer func(w http.ResponseWriter, r *request) bool

func newDouble(tb testing.TB) *double {
	tb.Helper()
	d := &double{
		now: time.Now, life: time.Hour, signatures: map[string]int{},
		keys:   map[string]*account.Key{ownKey: {ID: ownKey, Secret: ownSecret, Account: &account.Account{ID: theAccount}}},
		groups: map[string]map[string][]logged{"/voice/calls": {}},
	}
	d.server = httptest.NewUnstartedServer(http.HandlerFunc(d.serve))
	d.server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			d.mu.Lock()
			d.connections++
			d.mu.Unlock()
		}
	}
	d.server.Start()
	tb.Cleanup(d.server.Close)
	return d
}

func (d *double) serve(w http.ResponseWriter, hr *http.Request) {
	body, err := io.ReadAll(hr.Body)
	if err != nil {
		return // the client has gone
	}
	r := identify(hr, body)
	d.mu.Lock()
	d.calls = append(d.calls, r.service+"."+r.operation)
	d.forms = append(d.forms, r.form)
	now := d.now
	keys := make([]*account.Key, 0, len(d.keys))
	for _, k := range d.keys {
		keys = append(keys, k)
	}
	next := d.always
	if len(d.script) > 0 {
		next, d.script = d.script[0], d.script[1:]
	}
	d.signatures[hr.Header.Get("Authorization")]++
	d.mu.Unlock()
	w.Header().Set("Date", now().UTC().Format(http.TimeFormat))
	scope := r.service
	if scope == "cloudwatch" {
		scope = "monitoring"
	}
	principal, err := sigv4.New(account.NewDirectory(keys...), now).Verify(hr, scope, body)
	if err != nil {
		r.refuse(w, err)
		return
	}
	if principal.Region != theRegion {
		r.fail(w, http.StatusForbidden, "SignatureDoesNotMatch", "Credential should be scoped to a valid region.")
		return
	}
	r.key = principal.Key
	if next != nil && next(w, r) {
		return
	}
	d.perform(w, r)
}

// identify finds out what is asked for, and by which protocol.
func identify(hr *http.Request, body []byte) *request {
	r := &request{body: body}
	if target := hr.Header.Get("X-Amz-Target"); target != "" {
		prefix, operation, _ := strings.Cut(target, ".")
		r.operation = operation
		r.service = map[string]string{"Firehose_20150804": "firehose", "Kinesis_20131202": "kinesis", "Logs_20140328": "logs"}[prefix]
		return r
	}
	r.form, _ = url.ParseQuery(string(body))
	r.operation = r.form.Get("Action")
	r.service = map[string]string{"2010-03-31": "sns", "2011-06-15": "sts", "2010-08-01": "cloudwatch"}[r.form.Get("Version")]
	return r
}

// refuse answers as AWS does to a signature that is wrong.
func (r *request) refuse(w http.ResponseWriter, err error) {
	codes := map[awsapi.Reason][2]string{
		awsapi.ExpiredKey: {"ExpiredToken", "ExpiredTokenException"},
		awsapi.UnknownKey: {"InvalidClientTokenId", "UnrecognizedClientException"},
	}
	code := [2]string{"SignatureDoesNotMatch", "InvalidSignatureException"}
	if refused, ok := errors.AsType[*awsapi.RefusedError](err); ok {
		if c, ok := codes[refused.Reason]; ok {
			code = c
		}
	}
	which := 0
	if r.form == nil {
		which = 1
	}
	r.fail(w, http.StatusForbidden, code[which], err.Error())
}

// fail answers with an error in the protocol of the request.
func (r *request) fail(w http.ResponseWriter, status int, code, text string) {
	if r.form == nil {
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]string{"__type": code, "message": text})
		return
	}
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(status)
	var escaped bytes.Buffer
	_ = xml.EscapeText(&escaped, []byte(text))
	fmt.Fprintf(w, `<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>r-1</RequestId></ErrorResponse>`, code, escaped.String())
}

// failing is an answer with an error.
func failing(status int, code, text string) answer {
	return func(w http.ResponseWriter, r *request) bool {
		r.fail(w, status, code, text)
		return true
	}
}

// saying is an answer of any kind.
func saying(status int, contentType, body string) answer {
	return func(w http.ResponseWriter, _ *request) bool {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
		return true
	}
}

// then makes the double give these answers to the next requests.
func (d *double) then(answers ...answer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.script = append(d.script, answers...)
}

// say makes the double give this answer to all requests; nil = the real one.
func (d *double) say(a answer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.always = a
}

func (d *double) received(testing.TB) [][]byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.records)
}

func (d *double) contacts(testing.TB) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.connections
}

// took returns the calls since the last time, and forgets them.
func (d *double) took() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	calls := d.calls
	d.calls = nil
	return calls
}

// hang lets no request be answered until release is called, nor the client's end of it.
func (d *double) hang(testing.TB) (<-chan struct{}, func()) {
	reached, hold := make(chan struct{}), make(chan struct{})
	var once sync.Once
	d.say(func(http.ResponseWriter, *request) bool {
		once.Do(func() { close(reached) })
		<-hold
		return false
	})
	return reached, func() {
		d.say(nil)
		close(hold)
	}
}

// settings of a driver that knows the double's key.
func (d *double) settings() Settings {
	return Settings{Endpoint: d.server.URL, AccessKeyID: ownKey, SecretAccessKey: ownSecret}
}

func newDriver(tb testing.TB, s Settings) *Driver {
	tb.Helper()
	driver, err := New(s)
	if err != nil {
		tb.Fatalf("New(%+v) = %v", s, err)
	}
	tb.Cleanup(func() {
		if err := driver.Close(); err != nil {
			tb.Errorf("Close = %v", err)
		}
	})
	return driver
}

func openSink(tb testing.TB, driver *Driver, t sink.Target) sink.Sink {
	tb.Helper()
	s, err := driver.Open(t)
	if err != nil {
		tb.Fatalf("Open(%v) = %v", t.ARN, err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Errorf("Close = %v", err)
		}
	})
	return s
}

// targets are one of each service.
func targets() map[string]sink.Target {
	return map[string]sink.Target{
		"sns": target("sns", "alerts"), "firehose": target("firehose", "deliverystream/calls"),
		"kinesis": target("kinesis", "stream/events"), "logs": target("logs", "log-group:/voice/calls"),
	}
}

func target(service, resource string) sink.Target {
	return sink.Target{
		Tenant: tenant.Tenant{Account: theAccount, Region: theRegion}, Role: theRole,
		ARN: arn.ARN{Partition: "aws", Service: service, Region: theRegion, Account: theAccount, Resource: resource},
	}
}

// batchOf makes deliveries of records, a second apart.
func batchOf(records ...string) []sink.Delivery {
	batch := make([]sink.Delivery, len(records))
	began := time.Now().UTC().Truncate(24 * time.Hour)
	for i, r := range records {
		message := fmt.Sprintf("message-%d", i)
		batch[i] = sink.Delivery{
			ID: message + "/answered/d", Set: "set", Destination: "d",
			Event: event.Event{
				ID: message + "/answered", Type: event.VoiceAnswered, Time: began.Add(time.Duration(i) * time.Second),
				Set: "set", Message: message, Record: []byte(r),
			},
		}
	}
	return batch
}

func texts(records [][]byte) []string {
	all := make([]string, len(records))
	for i, r := range records {
		all[i] = string(r)
	}
	return all
}

// recorder is a network on which nobody answers.
type recorder struct{ last string }

func (r *recorder) RoundTrip(hr *http.Request) (*http.Response, error) {
	r.last = hr.URL.Scheme + "://" + hr.URL.Host
	return nil, errors.New("nobody is there")
}
