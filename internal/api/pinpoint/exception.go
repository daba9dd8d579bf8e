package pinpoint

import (
	"net/http"

	"tidings/internal/awsapi"
	"tidings/internal/fault"
)

// exception is the exception of this API for a fault. SMS and Voice calls the last one
// InternalServiceErrorException; this API never did.
//
// Source: Pinpoint API Reference, the response classes of each resource. It has no
// exception for too many apps: BadRequestException is the one that no client retries.
func exception(_ string, f *fault.Error) awsapi.Exception {
	e := awsapi.Exception{Message: f.Msg, RetryAfter: f.RetryAfter}
	switch f.Kind {
	case fault.Invalid, fault.LimitExceeded:
		e.Status, e.Code = http.StatusBadRequest, "BadRequestException"
	case fault.Denied:
		e.Status, e.Code = http.StatusForbidden, "ForbiddenException"
	case fault.NotFound:
		e.Status, e.Code = http.StatusNotFound, "NotFoundException"
	case fault.Exists:
		e.Status, e.Code = http.StatusConflict, "ConflictException"
	case fault.Throttled:
		e.Status, e.Code = http.StatusTooManyRequests, "TooManyRequestsException"
	case fault.Internal, fault.Unavailable:
		e.Status, e.Code = http.StatusInternalServerError, "InternalServerErrorException"
	}
	return e
}
