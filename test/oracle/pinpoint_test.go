package oracle

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	pinpointv2 "github.com/aws/aws-sdk-go-v2/service/pinpoint"
	"github.com/aws/aws-sdk-go-v2/service/pinpoint/types"
	"github.com/aws/aws-sdk-go/service/pinpoint"
	"github.com/aws/smithy-go"
)

// pinpointV1 carries out a step with the AWS SDK for Go, version 1.
func pinpointV1(t testing.TB, url string, s step) outcome {
	t.Helper()
	c := pinpoint.New(newSession(t, url, cmp.Or(s.Region, testRegion), s.Credentials...))
	got := call(t, c, s.Call, s.In)
	got.out = asOnTheWire(got.out)
	return got
}

// clientV2 makes a client of the AWS SDK for Go, version 2, which does not retry.
func clientV2(s *server) *pinpointv2.Client { return newV2(s.API, step{}) }

func newV2(url string, s step) *pinpointv2.Client {
	return pinpointv2.New(pinpointv2.Options{
		BaseEndpoint: &url, Region: cmp.Or(s.Region, testRegion), Credentials: credentialsV2(s.Credentials...), Retryer: aws.NopRetryer{},
	})
}

// credentialsV2 are those of the test, unless others are given: key ID, secret, session token.
func credentialsV2(creds ...string) aws.CredentialsProvider {
	key := slices.Concat(creds, []string{testKey, testSecret, ""}[len(creds):])
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: key[0], SecretAccessKey: key[1], SessionToken: key[2]}, nil
	})
}

// pinpointV2 carries out a step with the AWS SDK for Go, version 2. As with version 1, JSON
// serves to fill the SDK's types and to read them.
func pinpointV2(t testing.TB, url string, s step) outcome {
	t.Helper()
	got, err := callV2(t, newV2(url, s), s.Call, s.In)
	if err != nil {
		return failureV2(t, s.Call, err)
	}
	out, _ := asOnTheWire(got).(map[string]any)
	return outcome{out: out}
}

// callV2 calls an operation of version 2 by its name.
func callV2(t testing.TB, c any, operation string, in map[string]any) (map[string]any, error) {
	t.Helper()
	method := reflect.ValueOf(c).MethodByName(operation)
	if !method.IsValid() {
		t.Fatalf("the SDK has no operation %s", operation)
	}
	input := reflect.New(method.Type().In(1).Elem())
	text, err := json.Marshal(in)
	if err == nil {
		err = json.Unmarshal(text, input.Interface())
	}
	if err != nil {
		t.Fatalf("fill the input of %s: %v", operation, err)
	}
	results := method.Call([]reflect.Value{reflect.ValueOf(t.Context()), input})
	if err, failed := reflect.TypeAssert[error](results[1]); failed {
		return nil, err
	}
	if text, err = json.Marshal(results[0].Interface()); err != nil {
		t.Fatalf("read the output of %s: %v", operation, err)
	}
	out, _ := withoutNulls(decode(t, string(text))).(map[string]any)
	delete(out, "ResultMetadata")
	return out, nil
}

// modelledV2 are the SDK's own types for the errors of the API.
var modelledV2 = map[string]error{
	"BadRequestException":          &types.BadRequestException{},
	"ForbiddenException":           &types.ForbiddenException{},
	"InternalServerErrorException": &types.InternalServerErrorException{},
	"MethodNotAllowedException":    &types.MethodNotAllowedException{},
	"NotFoundException":            &types.NotFoundException{},
	"PayloadTooLargeException":     &types.PayloadTooLargeException{},
	"TooManyRequestsException":     &types.TooManyRequestsException{},
}

// withoutErrors are operations that AWS's model of the API gives no errors.
var withoutErrors = []string{"ListTagsForResource", "TagResource", "UntagResource"}

func failureV2(t testing.TB, operation string, err error) outcome {
	t.Helper()
	api, ok := errors.AsType[smithy.APIError](err)
	response, answered := errors.AsType[*awshttp.ResponseError](err)
	if !ok || !answered {
		t.Fatalf("%s: %v, want an answer of the server", operation, err)
	}
	if response.RequestID == "" {
		t.Errorf("%s: the answer %v has no request ID", operation, err)
	}
	if want, ok := modelledV2[api.ErrorCode()]; ok && !slices.Contains(withoutErrors, operation) {
		if reflect.TypeOf(api) != reflect.TypeOf(want) {
			t.Errorf("%s: the SDK made a %T of %s, want a %T", operation, api, api.ErrorCode(), want)
		} else if id, _ := reflect.TypeAssert[*string](reflect.ValueOf(api).Elem().FieldByName("RequestID")); id == nil || *id != response.RequestID {
			t.Errorf("%s: the member RequestID of %v is not the request's %s", operation, err, response.RequestID)
		}
	}
	return outcome{code: api.ErrorCode(), status: response.HTTPStatusCode(), message: api.ErrorMessage()}
}

// asOnTheWire gives members the spelling of the wire, which the Go SDKs capitalise, and
// removes the words that version 2 has as empty strings where the answer has none.
func asOnTheWire(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range maps.Clone(v) {
			v[k] = asOnTheWire(v[k])
		}
		if tags, ok := v["Tags"]; ok {
			delete(v, "Tags")
			v["tags"] = tags
		}
		for _, word := range []string{"ChannelType", "Mode"} {
			if v[word] == "" {
				delete(v, word)
			}
		}
	case []any:
		for i := range v {
			v[i] = asOnTheWire(v[i])
		}
	}
	return v
}

// checkRecords compares what the destinations received with what the scenario wants of
// them, in its order.
func (s scenario) checkRecords(t testing.TB, srv *server) {
	t.Helper()
	for target, want := range s.Records {
		service, name, _ := strings.Cut(target, "/")
		var got []any
		await(t, target, func() bool {
			got = nil
			for _, line := range deliveredLines(t, srv.data, service, name) {
				got = append(got, decode(t, line))
			}
			return len(got) >= len(want)
		}, func() string { return fmt.Sprintf("%d of %d records are there", len(got), len(want)) })
		if problem := match(want, got); problem != "" {
			t.Errorf("the records of %s%s", target, problem)
		}
	}
}

// deliveredLines reads what the file destination of a target holds, in the order of
// delivery.
func deliveredLines(t testing.TB, data, service, target string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(data, "destinations", service, testRegion, testAccount, target, "*", "*", "*", "*.ndjson"))
	if err != nil {
		t.Fatalf("find the files of %s: %v", target, err)
	}
	var all []string
	for _, file := range files { // sorted, so by time
		all = append(all, readLines(t, file)...)
	}
	return all
}

// TestOddPinpointRequests sends what no SDK can be made to send.
func TestOddPinpointRequests(t *testing.T) {
	t.Parallel()
	s := start(t, options{})
	app := createApp(t, s, "odd")
	const apps = "/v1/apps"
	tests := []struct {
		name    string
		request request
		status  int
		code    string // "" = a success
		message string // a part of it
	}{
		{"a good one", request{}, 200, "", ""},
		{"signed for the name of the endpoint", request{service: "pinpoint"}, 403, "InvalidSignatureException", "mobiletargeting"},
		{"signed for SMS and Voice", request{service: "sms-voice"}, 403, "InvalidSignatureException", "mobiletargeting"},
		{"not signed", request{unsigned: true}, 403, "MissingAuthenticationTokenException", "uthentication"},
		{"no such method", request{method: http.MethodPatch}, 405, "MethodNotAllowedException", "GET, OPTIONS, POST"},
		{"no such method of a stream", request{method: http.MethodPut, path: apps + "/" + app + "/eventstream"}, 405, "MethodNotAllowedException", "DELETE, GET, OPTIONS, POST"},
		{"no such method of events", request{path: apps + "/" + app + "/events"}, 405, "MethodNotAllowedException", "OPTIONS, POST"},
		{"an operation that is not served", request{path: apps + "/" + app + "/campaigns"}, 404, "UnknownOperationException", "path"},
		{"a slash too many", request{path: apps + "/"}, 404, "UnknownOperationException", "path"},
		{"an app that cannot be", request{path: apps + "/..%2F..%2Fetc"}, 404, "NotFoundException", ""},
		{"no JSON", request{method: http.MethodPost, path: apps, body: `{"Name":`}, 400, "BadRequestException", "JSON"},
		{"JSON of the wrong type", request{method: http.MethodPost, path: apps, body: `{"Name":7}`}, 400, "BadRequestException", "Name"},
		{"an array", request{method: http.MethodPost, path: apps, body: `[]`}, 400, "BadRequestException", ""},
		{"no UTF-8", request{method: http.MethodPost, path: apps, body: "{\"Name\":\"\xff\"}"}, 400, "BadRequestException", "UTF-8"},
		{"events of the wrong type", request{method: http.MethodPost, path: apps + "/" + app + "/events", body: `{"BatchItem":{"e":{"Endpoint":{},"Events":{"1":{"EventType":7}}}}}`}, 400, "BadRequestException", "EventType"},
		{"members nobody knows", request{method: http.MethodPost, path: apps + "/" + app + "/events", body: `{"Batch":{},"BatchItem":{"e":{"Endpoint":{"Colour":"red"},"Events":{}}}}`}, 202, "", ""},
		{"a body of 7 MB", request{method: http.MethodPost, path: apps, body: `{"Name":"large"}` + strings.Repeat(" ", 7_000_000-16)}, 201, "", ""},
		{"a byte more", request{method: http.MethodPost, path: apps, body: `{"Name":"large"}` + strings.Repeat(" ", 7_000_000-15)}, 413, "PayloadTooLargeException", "7000000"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			q := tt.request
			q.service, q.path = cmp.Or(q.service, "mobiletargeting"), cmp.Or(q.path, apps)
			got := q.send(t, s)
			if got.status != tt.status || got.code != tt.code || !strings.Contains(got.message, tt.message) {
				t.Errorf("answer = %d %s %q, want %d %s with %q\n%s", got.status, got.code, got.message, tt.status, tt.code, tt.message, got.body)
			}
			id := got.header.Get("X-Amzn-RequestId")
			if id == "" {
				t.Errorf("the answer has no X-Amzn-RequestId: %v", got.header)
			}
			if tt.code != "" && (got.message == "" || !strings.Contains(got.body, `"RequestID":"`+id+`"`) || got.header.Get("Content-Type") != "application/json") {
				t.Errorf("the error is not a MessageBody with the request's ID %s: %v %s", id, got.header, got.body)
			}
		})
	}
}

// TestPinpointOptions asks each resource what it can do, as browsers do.
func TestPinpointOptions(t *testing.T) {
	t.Parallel()
	s := start(t, options{config: map[string]any{"cors_origin": "https://console.example"}})
	for path, allowed := range map[string]string{
		"/v1/apps":                   "GET, OPTIONS, POST",
		"/v1/apps/id":                "DELETE, GET, OPTIONS",
		"/v1/apps/id/settings":       "GET, OPTIONS, PUT",
		"/v1/apps/id/eventstream":    "DELETE, GET, OPTIONS, POST",
		"/v1/apps/id/events":         "OPTIONS, POST",
		"/v1/apps/id/endpoints":      "OPTIONS, PUT",
		"/v1/apps/id/endpoints/a%2F": "DELETE, GET, OPTIONS, PUT",
		"/v1/apps/id/users/u":        "DELETE, GET, OPTIONS",
		"/v1/phone/number/validate":  "OPTIONS, POST",
		"/v1/tags/arn%3Aaws":         "DELETE, GET, OPTIONS, POST",
	} {
		got := request{method: http.MethodOptions, path: path, unsigned: true}.send(t, s)
		if got.status != http.StatusOK || got.body != "" {
			t.Errorf("OPTIONS %s = %d %q, want 200 and no body", path, got.status, got.body)
		}
		for name, want := range map[string]string{
			"Allow": allowed, "Access-Control-Allow-Methods": allowed, "Access-Control-Allow-Origin": "https://console.example",
		} {
			if value := got.header.Get(name); value != want {
				t.Errorf("OPTIONS %s: %s = %q, want %q", path, name, value, want)
			}
		}
	}
}

// createApp returns the ID of a new app.
func createApp(t testing.TB, s *server, name string) string {
	t.Helper()
	out, err := clientV2(s).CreateApp(t.Context(), &pinpointv2.CreateAppInput{CreateApplicationRequest: &types.CreateApplicationRequest{Name: &name}})
	if err != nil {
		t.Fatalf("create the app %s: %v", name, err)
	}
	return *out.ApplicationResponse.Id
}

// TestPinpointErrors provokes the errors that need more than a scenario can say.
func TestPinpointErrors(t *testing.T) {
	t.Parallel()
	s := start(t, options{config: map[string]any{"request_rates": true}})
	c := clientV2(s)
	large := strings.Repeat("x", 7_000_000)
	_, err := c.CreateApp(t.Context(), &pinpointv2.CreateAppInput{CreateApplicationRequest: &types.CreateApplicationRequest{Name: &large}})
	if _, ok := errors.AsType[*types.PayloadTooLargeException](err); !ok {
		t.Errorf("create an app with a name of 7 MB: %v, want a PayloadTooLargeException", err)
	}
	const requests = 60 // PhoneNumberValidate is documented with 20 a second
	failures := make(chan error, requests)
	for range requests {
		go func() {
			_, err := c.PhoneNumberValidate(t.Context(), &pinpointv2.PhoneNumberValidateInput{
				NumberValidateRequest: &types.NumberValidateRequest{PhoneNumber: new("+12065550142")},
			})
			failures <- err
		}()
	}
	refused := 0
	for range requests {
		err := <-failures
		if _, throttled := errors.AsType[*types.TooManyRequestsException](err); throttled {
			refused++
		} else if err != nil {
			t.Errorf("validate: %v, want a success or a TooManyRequestsException", err)
		}
	}
	if refused == 0 || refused == requests {
		t.Errorf("%d of %d requests at once were refused, want some and not all", refused, requests)
	}
}
