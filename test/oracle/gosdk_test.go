package oracle

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/awserr"
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/pinpoint"
	"github.com/aws/aws-sdk-go/service/pinpointemail"
	"github.com/aws/aws-sdk-go/service/pinpointsmsvoice"
	"github.com/aws/aws-sdk-go/service/sesv2"
)

// client makes a client of the AWS SDK for Go, version 1: of the Go SDKs the one that has
// this API. It does not retry, so that each answer is seen.
func client(t testing.TB, url, region string, creds ...string) *pinpointsmsvoice.PinpointSMSVoice {
	t.Helper()
	return pinpointsmsvoice.New(newSession(t, url, region, creds...))
}

func newSession(t testing.TB, url, region string, creds ...string) *session.Session {
	t.Helper()
	creds = slices.Concat(creds, []string{testKey, testSecret, ""}[len(creds):])
	s, err := session.NewSession(&aws.Config{
		Endpoint:    new(url),
		Region:      new(region),
		Credentials: credentials.NewStaticCredentials(creds[0], creds[1], creds[2]),
		MaxRetries:  new(0),
		HTTPClient:  &http.Client{},
	})
	if err != nil {
		t.Fatalf("make a client: %v", err)
	}
	return s
}

// goClients are ways of carrying out a step with the SDKs for Go, by service and version.
var goClients = map[string]map[string]func(t testing.TB, url string, s step) outcome{
	voiceService: {
		"v1": func(t testing.TB, url string, s step) outcome {
			return perform(t, client(t, url, cmp.Or(s.Region, testRegion), s.Credentials...), s)
		},
	},
	pinpointService: {"v1": pinpointV1, "v2": pinpointV2},
	sesService:      {"v1": mailV1, "v2": mailV2},
	emailService:    {"v1": mailV1},
	sesV2Service:    {"v1": mailV1, "v2": mailV2},
}

func TestGoSDK(t *testing.T) {
	t.Parallel()
	for service, clients := range goClients {
		for version, carryOut := range clients {
			for name, sc := range scenarios(t, service) {
				t.Run(version+"/"+name, func(t *testing.T) {
					t.Parallel()
					s, values := sc.start(t), map[string]string{}
					for _, st := range sc.Steps {
						for _, r := range st.repetitions() {
							r = r.with(values)
							got := carryOut(t, s.API, r)
							if problem := r.compare(got); problem != "" {
								t.Errorf("%s: %s", r.Title, problem)
							}
							r.save(t, values, got)
						}
					}
					sc.checkRecords(t, s)
				})
			}
		}
	}
}

// TestOneNumberPerSecond sends from one number faster than a number may: one message a
// second. The daily limits are in the scenarios.
func TestOneNumberPerSecond(t *testing.T) {
	t.Parallel()
	s := start(t, options{quotas: "production"})
	const messages = 4
	results := make(chan error, messages)
	for i := range messages {
		c := client(t, s.API, testRegion)
		go func() {
			_, err := c.SendVoiceMessageWithContext(t.Context(), message("", fmt.Sprintf("+1425555%04d", i)))
			results <- err
		}()
	}
	refused := 0
	for range messages {
		err := <-results
		if _, throttled := errors.AsType[*pinpointsmsvoice.TooManyRequestsException](err); throttled {
			refused++
		} else if err != nil {
			t.Errorf("send: %v, want a success or a TooManyRequestsException", err)
		}
	}
	if refused == 0 || refused == messages {
		t.Errorf("%d of %d messages at once were refused, want some and not all", refused, messages)
	}
}

// perform carries out the step, all pages of it if it is a walk.
func perform(t testing.TB, c *pinpointsmsvoice.PinpointSMSVoice, s step) outcome {
	t.Helper()
	return s.walk(func(in map[string]any) outcome { return call(t, c, s.Call, in) })
}

// walk makes the call of the step, or, of a walk, all of them.
func (s step) walk(call func(in map[string]any) outcome) outcome {
	if !s.Walk {
		return call(s.In)
	}
	member := cmp.Or(s.List, "ConfigurationSets")
	in, names := map[string]any{}, []any{}
	maps.Copy(in, s.In)
	for {
		got := call(in)
		if got.code != "" {
			return got
		}
		page, _ := got.out.(map[string]any)
		list, _ := page[member].([]any)
		names = append(names, list...)
		token, more := page["NextToken"]
		if !more {
			return outcome{out: map[string]any{member: names}}
		}
		in["NextToken"] = token
	}
}

// call calls an operation by its name. The SDK's input and output types have the members
// of the API under the API's names, so JSON serves to fill and to read them.
func call(t testing.TB, c any, operation string, in map[string]any) outcome {
	t.Helper()
	method := reflect.ValueOf(c).MethodByName(operation + "WithContext")
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
		return failure(t, operation, err)
	}
	text, err = json.Marshal(results[0].Interface())
	if err != nil {
		t.Fatalf("read the output of %s: %v", operation, err)
	}
	return outcome{out: withoutNulls(decode(t, string(text)))}
}

// ofQuery is of the type that version 1 has for all errors of the Query protocol.
var ofQuery error = awserr.NewRequestFailure(awserr.New("", "", nil), 0, "")

// modelled are the SDK's own types for the errors of the APIs.
var modelled = map[string][]error{
	pinpointsmsvoice.ErrCodeAlreadyExistsException:        {&pinpointsmsvoice.AlreadyExistsException{}, &pinpointemail.AlreadyExistsException{}, &sesv2.AlreadyExistsException{}},
	pinpointsmsvoice.ErrCodeBadRequestException:           {&pinpointsmsvoice.BadRequestException{}, &pinpoint.BadRequestException{}, &pinpointemail.BadRequestException{}, &sesv2.BadRequestException{}},
	pinpointsmsvoice.ErrCodeInternalServiceErrorException: {&pinpointsmsvoice.InternalServiceErrorException{}},
	pinpointsmsvoice.ErrCodeLimitExceededException:        {&pinpointsmsvoice.LimitExceededException{}, &pinpointemail.LimitExceededException{}, &sesv2.LimitExceededException{}},
	pinpointsmsvoice.ErrCodeNotFoundException:             {&pinpointsmsvoice.NotFoundException{}, &pinpoint.NotFoundException{}, &pinpointemail.NotFoundException{}, &sesv2.NotFoundException{}},
	pinpointsmsvoice.ErrCodeTooManyRequestsException:      {&pinpointsmsvoice.TooManyRequestsException{}, &pinpoint.TooManyRequestsException{}, &pinpointemail.TooManyRequestsException{}, &sesv2.TooManyRequestsException{}},
	pinpoint.ErrCodeForbiddenException:                    {&pinpoint.ForbiddenException{}},
	pinpoint.ErrCodeInternalServerErrorException:          {&pinpoint.InternalServerErrorException{}},
	pinpoint.ErrCodePayloadTooLargeException:              {&pinpoint.PayloadTooLargeException{}},
	pinpointemail.ErrCodeMessageRejected:                  {&pinpointemail.MessageRejected{}, &sesv2.MessageRejected{}, ofQuery},
	pinpointemail.ErrCodeSendingPausedException:           {&pinpointemail.SendingPausedException{}, &sesv2.SendingPausedException{}},
	sesv2.ErrCodeInvalidNextTokenException:                {&sesv2.InvalidNextTokenException{}},
}

func failure(t testing.TB, operation string, err error) outcome {
	t.Helper()
	f, ok := errors.AsType[awserr.RequestFailure](err)
	if !ok {
		t.Fatalf("%s: %v, want an answer of the server", operation, err)
	}
	if f.RequestID() == "" {
		t.Errorf("%s: the answer %v has no request ID", operation, err)
	}
	if want := modelled[f.Code()]; len(want) > 0 && !slices.ContainsFunc(want, func(w error) bool { return reflect.TypeOf(err) == reflect.TypeOf(w) }) {
		t.Errorf("%s: the SDK made a %T of %s, want one of %T", operation, err, f.Code(), want)
	}
	return outcome{code: f.Code(), status: f.StatusCode(), message: f.Message()}
}

// withoutNulls removes the members that the SDK's types have and the answer had not.
func withoutNulls(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			if v[k] == nil {
				delete(v, k)
			} else {
				v[k] = withoutNulls(v[k])
			}
		}
	case []any:
		for i := range v {
			v[i] = withoutNulls(v[i])
		}
	}
	return v
}
