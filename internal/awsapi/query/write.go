package query

import (
	"errors"
	"math"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"tidings/internal/awsapi"
	"tidings/internal/fault"
)

// writeOutput answers with the output of the operation, a pointer to a struct.
func (f *Family) writeOutput(w http.ResponseWriter, o *Operation, output any, request string) {
	b := make([]byte, 0, 512)
	b = append(b, '<')
	b = append(b, o.Name...)
	b = append(b, `Response xmlns="`...)
	b = append(b, f.config.Namespace...)
	b = append(b, `">`...)
	if o.output != nil {
		b = appendOpen(b, o.Name+"Result")
		b = o.output.appendFields(b, reflect.ValueOf(output).Elem())
		b = appendClose(b, o.Name+"Result")
	}
	b = append(b, "<ResponseMetadata>"...)
	b = appendClose(appendText(appendOpen(b, "RequestId"), request), "RequestId")
	b = append(b, "</ResponseMetadata>"...)
	b = appendClose(b, o.Name+"Response")
	write(w, http.StatusOK, b)
}

// WriteError answers with the exception that err is in this family.
func (f *Family) WriteError(w http.ResponseWriter, operation string, err error) awsapi.Exception {
	var e Exception
	if refused, ok := errors.AsType[*awsapi.RefusedError](err); ok {
		e.Exception = refusal(refused)
		if len(refused.Allow) > 0 {
			w.Header().Set("Allow", strings.Join(refused.Allow, ", "))
		}
	} else {
		var input any
		if call, ok := errors.AsType[*callError](err); ok {
			input = call.input
		}
		e = f.config.Exception(operation, input, fault.From(err))
	}
	if e.RetryAfter > 0 { // RFC 9110 10.2.3: whole seconds
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(e.RetryAfter.Seconds()))))
	}
	write(w, e.Status, f.appendError(nil, e, w.Header().Get(awsapi.RequestIDHeader)))
	return e.Exception
}

// appendError appends the body of a reply that tells of an exception.
// Source: Smithy documentation, "AWS Query protocol", Operation error serialization.
func (f *Family) appendError(b []byte, e Exception, request string) []byte {
	culprit := "Sender"
	if e.Status >= http.StatusInternalServerError {
		culprit = "Receiver"
	}
	b = append(b, `<ErrorResponse xmlns="`...)
	b = append(b, f.config.Namespace...)
	b = append(b, `"><Error>`...)
	for _, m := range append([]Member{{"Type", culprit}, {"Code", e.Code}, {"Message", e.Message}}, e.Members...) {
		b = appendClose(appendText(appendOpen(b, m.Name), m.Value), m.Name)
	}
	b = append(b, "</Error>"...)
	b = appendClose(appendText(appendOpen(b, "RequestId"), request), "RequestId")
	return append(b, "</ErrorResponse>"...)
}

// refusal is the exception for a request that no operation saw.
// Source: SES API Reference and Amazon SQS API Reference, "Common Errors". SignatureDoesNotMatch, RequestEntityTooLarge and
// MethodNotAllowed are on neither page; other AWS services have them.
func refusal(r *awsapi.RefusedError) awsapi.Exception {
	e := awsapi.Exception{Status: http.StatusForbidden, Message: r.Msg}
	switch r.Reason {
	case awsapi.UnknownOperation:
		e.Status, e.Code = http.StatusBadRequest, "InvalidAction"
		if errors.Is(r.Err, errNoAction) {
			e.Code = "MissingAction"
		}
	case awsapi.WrongMethod:
		e.Status, e.Code = http.StatusMethodNotAllowed, "MethodNotAllowed"
	case awsapi.TooLarge:
		e.Status, e.Code = http.StatusRequestEntityTooLarge, "RequestEntityTooLarge"
	case awsapi.BadRequest:
		e.Status, e.Code = http.StatusBadRequest, "MalformedQueryString"
	case awsapi.NotSigned:
		e.Code = "MissingAuthenticationToken"
	case awsapi.IncompleteSignature:
		e.Status, e.Code = http.StatusBadRequest, "IncompleteSignature"
	case awsapi.WrongSignature:
		e.Code = "SignatureDoesNotMatch"
	case awsapi.WrongTime:
		e.Status, e.Code = http.StatusBadRequest, "RequestExpired"
	case awsapi.UnknownKey:
		e.Code = "UnrecognizedClientException"
	case awsapi.ExpiredKey:
		e.Code = "ExpiredTokenException"
	case awsapi.Forbidden:
		e.Code = "AccessDeniedException"
	}
	return e
}

func write(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "text/xml")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that has gone is told nothing
}
