package oracle

import (
	std "cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// scenario is a list of steps that every client must go through with the same results.
type scenario struct {
	Service string            `json:"service"` // as boto3 calls it; "" = pinpoint-sms-voice
	Quotas  string            `json:"quotas"`
	Config  map[string]any    `json:"config"` // of the server; none = its defaults
	Env     map[string]string `json:"env"`    // of the server
	Steps   []step            `json:"steps"`
	// Records are what the file destinations must hold in the end, by SERVICE/NAME.
	Records map[string][]any `json:"records"`
}

// start runs a server as the scenario wants it.
func (s scenario) start(t testing.TB) *server {
	t.Helper()
	return start(t, options{quotas: s.Quotas, config: s.Config, env: s.Env})
}

// calls counts the calls that a client makes of the scenario, walks as one.
func (s scenario) calls() int {
	n := 0
	for _, st := range s.Steps {
		n += len(st.repetitions())
	}
	return n
}

// step is one call. In a string of In or of an expectation, {n} is the number of the
// repetition, in three digits, and {NAME} what an earlier step saved under that name. An
// expected string that begins with ~ is a regular expression, * stands for anything, and #
// for any number. {"$blob": TEXT} in In stands for the bytes of a text, {"$time": TEXT} for a
// time of RFC 3339, which clients take in ways of their own.
type step struct {
	Title       string         `json:"title"`
	Service     string         `json:"service"` // "" = that of the scenario
	Call        string         `json:"call"`
	In          map[string]any `json:"in"`
	Times       int            `json:"times"`       // 0 = once
	Credentials []string       `json:"credentials"` // key ID, secret, session token; none = the test key
	Region      string         `json:"region"`      // "" = us-east-1
	Out         any            `json:"out"`         // of a success
	Status      int            `json:"status"`      // of a success; 0 = 200
	Error       *wantError     `json:"error"`
	// Save keeps members of the result, by a name in capital letters: "Application.Id".
	Save map[string]string `json:"save"`
	// Walk follows NextToken to the end and compares the names of all pages with Out.
	Walk bool   `json:"walk"`
	List string `json:"list"` // the member that holds a page's elements; "" = ConfigurationSets
	CLI  bool   `json:"cli"`  // also run through the command line, which takes a second a call
}

type wantError struct {
	Code    string `json:"code"`
	Status  int    `json:"status"`
	Message string `json:"message"`
	// Members are further members of the error, as far as a client shows them.
	Members map[string]any `json:"members"`
	// Untyped is an error that AWS's model does not have for the operation.
	Untyped bool `json:"untyped"`
}

// outcome is what a call came to.
type outcome struct {
	out     any // as decoded from JSON, without what is empty
	code    string
	status  int
	message string
	members map[string]any // of an error; nil = the client does not show them
	untyped bool           // the client has no type for the error
}

// The services, as boto3 calls them.
const (
	voiceService    = "pinpoint-sms-voice"
	pinpointService = "pinpoint"
	sesService      = "ses"
	emailService    = "pinpoint-email"
	sesV2Service    = "sesv2"
)

// allServices are those that the JavaScript client and the command line go through.
var allServices = []string{voiceService, pinpointService, sesService, emailService, sesV2Service}

// scenarios reads those of a service.
func scenarios(t testing.TB, service string) map[string]scenario {
	t.Helper()
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("find the scenarios: %v, %v", files, err)
	}
	all := map[string]scenario{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatalf("read a scenario: %v", err)
		}
		var s scenario
		d := json.NewDecoder(strings.NewReader(string(text)))
		d.DisallowUnknownFields()
		if err := d.Decode(&s); err != nil {
			t.Fatalf("decode %s: %v", file, err)
		}
		s.Service = std.Or(s.Service, voiceService)
		for i := range s.Steps {
			s.Steps[i].Service = std.Or(s.Steps[i].Service, s.Service)
		}
		if s.Service == service {
			all[strings.TrimSuffix(filepath.Base(file), ".json")] = s
		}
	}
	return all
}

// repetitions returns the step once for each of its times, with its number filled in.
func (s step) repetitions() []step {
	if s.Times == 0 {
		return []step{s}
	}
	all := make([]step, s.Times)
	for i := range all {
		n := fmt.Sprintf("%03d", i+1)
		all[i] = s.with(map[string]string{"n": n})
		all[i].Title = fmt.Sprintf("%s, %s", s.Title, n)
	}
	return all
}

// with returns the step with the values filled in, by their names.
func (s step) with(values map[string]string) step {
	var pairs []string
	for name, value := range values {
		pairs = append(pairs, "{"+name+"}", value)
	}
	r := strings.NewReplacer(pairs...)
	s.In, _ = fill(s.In, r).(map[string]any)
	s.Out = fill(s.Out, r)
	if s.Error != nil {
		e := *s.Error
		e.Message = r.Replace(e.Message)
		s.Error = &e
	}
	return s
}

// save adds to the values what the step keeps of its result.
func (s step) save(t testing.TB, values map[string]string, got outcome) {
	t.Helper()
	for name, path := range s.Save {
		v := got.out
		for member := range strings.SplitSeq(path, ".") {
			object, _ := v.(map[string]any)
			v = object[member]
		}
		text, ok := v.(string)
		if !ok {
			t.Fatalf("%s: %s is %v, want a string to keep", s.Title, path, v)
		}
		values[name] = text
	}
}

func fill(v any, r *strings.Replacer) any {
	switch v := v.(type) {
	case string:
		return r.Replace(v)
	case []any:
		filled := make([]any, len(v))
		for i := range v {
			filled[i] = fill(v[i], r)
		}
		return filled
	case map[string]any:
		filled := make(map[string]any, len(v))
		for k := range v {
			filled[r.Replace(k)] = fill(v[k], r)
		}
		return filled
	}
	return v
}

// compare tells what is wrong with the outcome; "" = nothing.
func (s step) compare(got outcome) string {
	if s.Error == nil {
		if got.code != "" {
			return fmt.Sprintf("%s = %d %s %q, want a success", s.Call, got.status, got.code, got.message)
		}
		if problem := match(s.Out, got.out); problem != "" {
			return s.Call + problem
		}
		if want := std.Or(s.Status, 200); got.status != 0 && got.status != want {
			return fmt.Sprintf("%s = %d, want %d", s.Call, got.status, want)
		}
		return ""
	}
	want := s.Error
	if got.code != want.Code || got.status != want.Status {
		return fmt.Sprintf("%s = %d %s %q, want %d %s", s.Call, got.status, got.code, got.message, want.Status, want.Code)
	}
	if problem := match(want.Message, got.message); problem != "" {
		return s.Call + ": message" + problem
	}
	if got.untyped && !want.Untyped {
		return fmt.Sprintf("%s = %s, for which the client has no type", s.Call, got.code)
	}
	for name, value := range want.Members {
		if problem := match(value, got.members[name]); got.members != nil && problem != "" {
			return s.Call + ": " + name + problem
		}
	}
	return ""
}
