package smsvoice

import (
	"net/http"

	"tidings/internal/awsapi"
	"tidings/internal/fault"
)

// exception is the exception of this API for a fault.
//
// The API Reference of 2019 calls the last one InternalServerErrorException in its tables
// and InternalServiceErrorException in its samples; every SDK has only the second.
//
// Source: SMS and Voice API Reference, the response classes of each resource; for
// SendVoiceMessage it has no 404, so a missing set is a bad request there. For Denied it
// has nothing: AccessDeniedException is what all AWS services send.
func exception(operation string, f *fault.Error) awsapi.Exception {
	e := awsapi.Exception{Message: f.Msg, RetryAfter: f.RetryAfter}
	switch f.Kind {
	case fault.Invalid:
		e.Status, e.Code = http.StatusBadRequest, "BadRequestException"
	case fault.NotFound:
		e.Status, e.Code = http.StatusNotFound, "NotFoundException"
		if operation == sendVoiceMessage {
			e.Status, e.Code = http.StatusBadRequest, "BadRequestException"
		}
	case fault.Exists:
		e.Status, e.Code = http.StatusConflict, "AlreadyExistsException"
	case fault.LimitExceeded:
		e.Status, e.Code = http.StatusPreconditionFailed, "LimitExceededException"
	case fault.Throttled:
		e.Status, e.Code = http.StatusTooManyRequests, "TooManyRequestsException"
	case fault.Denied:
		e.Status, e.Code = http.StatusForbidden, "AccessDeniedException"
	case fault.Internal, fault.Unavailable:
		e.Status, e.Code = http.StatusInternalServerError, "InternalServiceErrorException"
	}
	return e
}
