package oracle

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	sesclient "github.com/aws/aws-sdk-go-v2/service/ses"
	sesv2client "github.com/aws/aws-sdk-go-v2/service/sesv2"
	"github.com/aws/aws-sdk-go/service/pinpointemail"
	"github.com/aws/aws-sdk-go/service/ses"
	"github.com/aws/aws-sdk-go/service/sesv2"
	"github.com/aws/smithy-go"
)

// sesClient makes a client of SES version 1, of the AWS SDK for Go, version 2. It does not retry.
func sesClient(url, region string, creds ...string) *sesclient.Client {
	return sesclient.New(sesclient.Options{
		BaseEndpoint: &url, Region: region, Credentials: credentialsV2(creds...), Retryer: aws.NopRetryer{},
	})
}

// sesV2Client makes a client of the SES API v2, of the AWS SDK for Go, version 2. It does not retry.
func sesV2Client(url, region string, creds ...string) *sesv2client.Client {
	return sesv2client.New(sesv2client.Options{
		BaseEndpoint: &url, Region: region, Credentials: credentialsV2(creds...), Retryer: aws.NopRetryer{},
	})
}

// mailV1 carries out a step of e-mail with the AWS SDK for Go, version 1.
func mailV1(t testing.TB, url string, s step) outcome {
	t.Helper()
	config := newSession(t, url, cmp.Or(s.Region, testRegion), s.Credentials...)
	var c any
	switch s.Service {
	case sesService:
		c = ses.New(config)
	case emailService:
		c = pinpointemail.New(config)
	case pinpointService:
		return pinpointV1(t, url, s)
	default:
		c = sesv2.New(config)
	}
	s.In, _ = plain(s.In).(map[string]any)
	return s.walk(func(in map[string]any) outcome { return call(t, c, s.Call, in) })
}

// mailV2 carries out a step of e-mail with the AWS SDK for Go, version 2, as far as that has the service.
func mailV2(t testing.TB, url string, s step) outcome {
	t.Helper()
	var c any
	switch region := cmp.Or(s.Region, testRegion); s.Service {
	case sesService:
		c = sesClient(url, region, s.Credentials...)
	case sesV2Service:
		c = sesV2Client(url, region, s.Credentials...)
	default:
		return mailV1(t, url, s)
	}
	s.In, _ = plain(s.In).(map[string]any)
	return s.walk(func(in map[string]any) outcome {
		out, err := callV2(t, c, s.Call, in)
		if err != nil {
			return mailFailure(t, s.Call, err)
		}
		return outcome{out: withoutEmpty(out)}
	})
}

// mailFailure reads an error, with its members if the SDK has a type for it.
func mailFailure(t testing.TB, operation string, err error) outcome {
	t.Helper()
	api, ok := errors.AsType[smithy.APIError](err)
	response, answered := errors.AsType[*awshttp.ResponseError](err)
	if !ok || !answered {
		t.Fatalf("%s: %v, want an answer of the server", operation, err)
	}
	if response.RequestID == "" {
		t.Errorf("%s: the answer %v has no request ID", operation, err)
	}
	got := outcome{code: api.ErrorCode(), status: response.HTTPStatusCode(), message: api.ErrorMessage()}
	if _, got.untyped = errors.AsType[*smithy.GenericAPIError](err); got.untyped {
		return got
	}
	text, err := json.Marshal(api)
	if err != nil {
		t.Fatalf("read the error of %s: %v", operation, err)
	}
	got.members, _ = decode(t, string(text)).(map[string]any)
	return got
}

// withoutEmpty removes the words that version 2 has as empty strings where the answer has none.
func withoutEmpty(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			if v[k] = withoutEmpty(v[k]); v[k] == "" {
				delete(v, k)
			}
		}
	case []any:
		for i := range v {
			v[i] = withoutEmpty(v[i])
		}
	}
	return v
}

// plain turns what stands for bytes and for times into what JSON has for them.
func plain(v any) any {
	switch v := v.(type) {
	case map[string]any:
		if text, ok := v["$blob"].(string); ok {
			return base64.StdEncoding.EncodeToString([]byte(text))
		}
		if text, ok := v["$time"].(string); ok {
			return text
		}
		out := make(map[string]any, len(v))
		for k := range v {
			out[k] = plain(v[k])
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = plain(v[i])
		}
		return out
	}
	return v
}
