package restjson

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"

	"tidings/internal/awsapi"
	"tidings/internal/fault"
)

// errorTypeHeader names the exception. SDKs look at it before the body.
// Source: Smithy documentation, "AWS restJson1 protocol", Operation error serialization.
const errorTypeHeader = "x-amzn-ErrorType"

func writeOutput(w http.ResponseWriter, status int, output any) error {
	if status == http.StatusNoContent {
		w.WriteHeader(status)
		return nil
	}
	if appender, ok := output.(BodyAppender); ok {
		write(w, status, appender.AppendBody(nil))
		return nil
	}
	body, err := marshal(output)
	if err != nil {
		return fmt.Errorf("encode the output: %w", err)
	}
	write(w, status, body)
	return nil
}

// WriteError answers with the exception that err is in this family.
func (f *Family) WriteError(w http.ResponseWriter, operation string, err error) awsapi.Exception {
	var e awsapi.Exception
	if refused, ok := errors.AsType[*awsapi.RefusedError](err); ok {
		e = refusal(refused)
		if refused.Reason == awsapi.TooLarge {
			e.Code = cmp.Or(f.config.TooLarge, e.Code)
		}
		if len(refused.Allow) > 0 {
			w.Header().Set("Allow", strings.Join(refused.Allow, ", "))
		}
	} else {
		e = f.config.Exception(operation, fault.From(err))
	}
	if e.RetryAfter > 0 { // RFC 9110 10.2.3: whole seconds
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(e.RetryAfter.Seconds()))))
	}
	w.Header().Set(errorTypeHeader, e.Code)
	// Message in the API's own spelling: clients fill a modelled member from no other.
	content := struct {
		Lower     string `json:"message,omitempty"`
		Message   string `json:",omitempty"`
		RequestID string `json:",omitempty"`
	}{Message: e.Message}
	if f.config.LowerMessage {
		content.Lower, content.Message = e.Message, ""
	}
	if f.config.ErrorRequestID {
		content.RequestID = w.Header().Get(awsapi.RequestIDHeader)
	}
	body, failed := marshal(content)
	if failed != nil { // cannot be: a string always is JSON
		body = []byte("{}")
	}
	write(w, e.Status, body)
	return e
}

// refusal is the exception for a request that no operation saw. The names are those that
// AWS's JSON services send, where there is one; everything about the signature is a 403.
// Source: API Gateway Developer Guide, "Gateway response types" (the MISSING_ and INVALID_
// ones), for the status codes.
func refusal(r *awsapi.RefusedError) awsapi.Exception {
	e := awsapi.Exception{Message: r.Msg}
	switch r.Reason {
	case awsapi.UnknownOperation:
		e.Status, e.Code = http.StatusNotFound, "UnknownOperationException"
	case awsapi.WrongMethod:
		e.Status, e.Code = http.StatusMethodNotAllowed, "MethodNotAllowedException"
	case awsapi.TooLarge:
		e.Status, e.Code = http.StatusRequestEntityTooLarge, "RequestEntityTooLargeException"
	case awsapi.BadRequest:
		e.Status, e.Code = http.StatusBadRequest, "BadRequestException"
	case awsapi.NotSigned:
		e.Status, e.Code = http.StatusForbidden, "MissingAuthenticationTokenException"
	case awsapi.IncompleteSignature:
		e.Status, e.Code = http.StatusForbidden, "IncompleteSignatureException"
	case awsapi.WrongSignature, awsapi.WrongTime:
		e.Status, e.Code = http.StatusForbidden, "InvalidSignatureException"
	case awsapi.UnknownKey:
		e.Status, e.Code = http.StatusForbidden, "UnrecognizedClientException"
	case awsapi.ExpiredKey:
		e.Status, e.Code = http.StatusForbidden, "ExpiredTokenException"
	case awsapi.Forbidden:
		e.Status, e.Code = http.StatusForbidden, "AccessDeniedException"
	}
	return e
}

// marshal encodes v without the escapes that are for JSON inside HTML.
func marshal(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

func write(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that has gone is told nothing
}
