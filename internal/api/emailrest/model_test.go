package emailrest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"tidings/internal/awsapi/restjson"
	"tidings/internal/configset"
	"tidings/internal/email"
)

var (
	_ Sets = (*configset.Service)(nil)
	_ Mail = (*email.Service)(nil)
)

// model is what AWS's own model of an API says; see testdata/model.py.
type model struct {
	Operations map[string]struct {
		Method, Path                 string
		Query, Input, Output, Errors []string
	}
	Errors map[string]int // the exceptions and their status
}

const putSigning = "PutEmailIdentityDkimSigningAttributes"

// both are the APIs by their names in the model and in the scenarios.
func both(tb testing.TB) map[string]struct {
	api    *API
	routes []restjson.Route
	model  model
} {
	tb.Helper()
	text, err := os.ReadFile("testdata/model.json")
	if err != nil {
		tb.Fatal(err)
	}
	var m map[string]model
	if err := json.Unmarshal(text, &m); err != nil {
		tb.Fatal(err)
	}
	moved := m["v2"].Operations[putSigning]
	moved.Path = strings.Replace(moved.Path, "/v2/", "/v1/", 1) // where SDKs up to 2024 have it
	m["pinpoint"].Operations[putSigning] = moved
	pinpoint, v2 := NewPinpointEmail(Config{}), NewV2(Config{})
	return map[string]struct {
		api    *API
		routes []restjson.Route
		model  model
	}{
		"pinpoint": {pinpoint, pinpoint.pinpointRoutes(), m["pinpoint"]},
		"v2":       {v2, v2.v2Routes(), m["v2"]},
	}
}

// TestEachOperationIsServedOrRefusedByName asks for each operation of the model where the model
// has it.
func TestEachOperationIsServedOrRefusedByName(t *testing.T) {
	t.Parallel()
	for which, b := range both(t) {
		served := b.api.Operations()
		for name, op := range b.model.Operations {
			call, err := b.api.Resolve(httptest.NewRequestWithContext(t.Context(), op.Method, op.Path, nil), nil)
			if slices.Contains(served, name) {
				if err != nil || call.Operation != name {
					t.Errorf("%s: %s %s = %q, %v, want %s", which, op.Method, op.Path, call.Operation, err, name)
				}
				continue
			}
			if err == nil || !strings.Contains(err.Error(), "it has no ") {
				t.Errorf("%s: %s %s = %q, %v, want a refusal that says what %s needs", which, op.Method, op.Path, call.Operation, err, name)
			}
		}
		for _, name := range served {
			if _, ok := b.model.Operations[name]; !ok {
				t.Errorf("%s: %s is served, and not in the model", which, name)
			}
		}
	}
}

// ignored are the members of requests that have no effect here, whatever leads to them; see
// docs/compatibility.md.
var ignored = []string{
	"OverallConfidenceThreshold", "ConfidenceVerdictThreshold", // of what can only be DISABLED
	"EventBusArn", // of what is refused
	"ListManagementOptions", "ContactListName", "TopicName", "FeedbackForwardingEmailAddressIdentityArn",
	"DomainSigningAttributesOrigin", // says what the key says
	"ProductionAccessEnabled",       // the configuration says it
}

// TestInputsHaveTheMembersOfTheModel compares the fields of each input with the model.
func TestInputsHaveTheMembersOfTheModel(t *testing.T) {
	t.Parallel()
	for which, b := range both(t) {
		for _, route := range b.routes {
			op := b.model.Operations[route.Operation.Name]
			if route.Path != op.Path && strings.HasPrefix(route.Path, "/v2/email/list-") {
				continue // of a newer model; testdata/v2-filters.txtar has what it reads
			}
			body, query := fields(reflect.TypeOf(route.Operation.NewInput()).Elem(), "")
			missing := slices.DeleteFunc(slices.Clone(op.Input), func(member string) bool {
				return slices.Contains(body, member) || slices.Contains(ignored, member[strings.LastIndexByte(member, '.')+1:])
			})
			if len(missing) > 0 {
				t.Errorf("%s: %s does not read %q", which, route.Operation.Name, missing)
			}
			if which == "v2" { // Pinpoint Email takes what its younger sister reads, too, and leaves it
				if more := slices.DeleteFunc(body, func(member string) bool { return slices.Contains(op.Input, member) }); len(more) > 0 {
					t.Errorf("%s: %s reads %q, which the model has not", which, route.Operation.Name, more)
				}
			}
			if diff := cmp.Diff(op.Query, append([]string{}, query...)); diff != "" {
				t.Errorf("%s: parameters of %s (-model +here):\n%s", which, route.Operation.Name, diff)
			}
		}
	}
}

// fields are the members below a type that come from the body, and those from the query.
func fields(t reflect.Type, prefix string) (body, query []string) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice && t.Elem().Kind() != reflect.Uint8 || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || t == reflect.TypeFor[restjson.Time]() {
		return nil, nil
	}
	for f := range t.Fields() {
		switch {
		case f.Tag.Get("query") != "":
			query = append(query, f.Tag.Get("query"))
		case f.Tag.Get("uri") != "":
		case f.Anonymous:
			more, _ := fields(f.Type, prefix)
			body = append(body, more...)
		default:
			more, _ := fields(f.Type, prefix+f.Name+".")
			body = append(append(body, prefix+f.Name), more...)
		}
	}
	slices.Sort(query)
	return body, query
}

// leftOut are members of replies that this server never has, whatever leads to them.
var leftOut = []string{
	"ArchivingOptions", "ArchiveArn", "EventBridgeDestination", "EventBusArn",
	"ValidationOptions", "ValidationAttributes", "ConditionThreshold", "ConditionThresholdEnabled", "OverallConfidenceThreshold", "ConfidenceVerdictThreshold",
	"ReviewDetails", "Status", "CaseId", "DashboardAttributes", "EngagementMetrics", "GuardianAttributes", "OptimizedSharedDelivery", "SigningHostedZone", "LastKeyGenerationTimestamp",
	"VerificationInfo", "LastCheckedTimestamp", "LastSuccessTimestamp", "ErrorType", "SOARecord", "PrimaryNameServer", "AdminEmail", "SerialNumber",
}

// unmodelled are exceptions that the models have not, and their status.
var unmodelled = map[string]int{
	"AccessDeniedException": http.StatusForbidden, "MissingAuthenticationTokenException": http.StatusForbidden,
	"UnknownOperationException": http.StatusNotFound, "MethodNotAllowedException": http.StatusMethodNotAllowed,
	"InternalServiceErrorException": http.StatusInternalServerError, // modelled in the API v2 only
}

// TestRepliesAgreeWithTheModel holds all replies of the scenarios to the models: no reply has
// more members, and together they have all.
func TestRepliesAgreeWithTheModel(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	all := both(t)
	seen := map[string][]string{} // by API and operation
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		which, _, _ := strings.Cut(filepath.Base(file), "-")
		scenario := txtar.Parse(text)
		for i, f := range scenario.Files {
			if !strings.HasPrefix(f.Name, "request ") {
				continue
			}
			where := file + ": " + f.Name
			words := strings.Fields(string(f.Data))
			status, exception, body := readReply(t, scenario.Files[i+1].Data)
			call, err := all[which].api.Resolve(httptest.NewRequestWithContext(t.Context(), words[0], words[1], nil), nil)
			switch {
			case status != http.StatusOK:
				if want, ok := all[which].model.Errors[exception]; want != status && (ok || unmodelled[exception] != status) {
					t.Errorf("%s is answered by %d %s, which the model has not", where, status, exception)
				}
			case err != nil:
				t.Errorf("%s = %v, want an operation", where, err)
			case !call.Open:
				op := which + "/" + call.Operation
				seen[op] = append(seen[op], members(body, "")...)
			}
		}
	}
	for which, b := range all {
		for _, name := range b.api.Operations() {
			want := b.model.Operations[name].Output
			got := slices.Compact(slices.Sorted(slices.Values(seen[which+"/"+name])))
			want = slices.DeleteFunc(slices.Clone(want), func(member string) bool {
				last := member[strings.LastIndexByte(member, '.')+1:]
				return !slices.Contains(got, member) && slices.Contains(leftOut, last)
			})
			got = slices.DeleteFunc(got, func(member string) bool { return strings.HasPrefix(member, "Policies.") }) // names of a map
			if diff := cmp.Diff(want, append([]string{}, got...)); diff != "" {
				t.Errorf("%s: replies of %s (-model +here):\n%s", which, name, diff)
			}
		}
	}
}

// readReply takes a reply of a scenario apart.
func readReply(tb testing.TB, data []byte) (status int, exception string, body any) {
	tb.Helper()
	head, text, _ := bytes.Cut(data, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	status, err := strconv.Atoi(lines[0])
	if err != nil {
		tb.Fatalf("%q begins with no status", data)
	}
	for _, line := range lines[1:] {
		if value, ok := strings.CutPrefix(line, "X-Amzn-Errortype: "); ok {
			exception = value
		}
	}
	if len(bytes.TrimSpace(text)) > 0 {
		if err := json.Unmarshal(text, &body); err != nil {
			tb.Fatalf("the reply %s: %v", text, err)
		}
	}
	return status, exception, body
}

// members are the names of the members below a value, as in "Tags.Key".
func members(v any, prefix string) []string {
	var all []string
	switch v := v.(type) {
	case []any:
		for _, one := range v {
			all = append(all, members(one, prefix)...)
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			all = append(append(all, prefix+name), members(v[name], fmt.Sprint(prefix, name, "."))...)
		}
	}
	return all
}
