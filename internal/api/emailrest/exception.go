package emailrest

import (
	"net/http"

	"tidings/internal/awsapi"
	"tidings/internal/email"
	"tidings/internal/fault"
)

// pinpointException is the exception of Pinpoint Email for a fault. Its API Reference has no
// exception for faults of the server: InternalServiceErrorException is that of its siblings.
//
// Source: Pinpoint Email API Reference, the errors of each operation: AlreadyExistsException
// and LimitExceededException are 400 here, other than in SMS and Voice.
func pinpointException(operation string, f *fault.Error) awsapi.Exception {
	e := awsapi.Exception{Message: f.Msg, RetryAfter: f.RetryAfter}
	if e.Code = sendingException(operation, f); e.Code != "" {
		e.Status = http.StatusBadRequest
		return e
	}
	switch f.Kind {
	case fault.Invalid:
		e.Status, e.Code = http.StatusBadRequest, "BadRequestException"
	case fault.NotFound:
		e.Status, e.Code = http.StatusNotFound, "NotFoundException"
	case fault.Exists:
		e.Status, e.Code = http.StatusBadRequest, "AlreadyExistsException"
	case fault.LimitExceeded:
		e.Status, e.Code = http.StatusBadRequest, "LimitExceededException"
	case fault.Throttled:
		e.Status, e.Code = http.StatusTooManyRequests, "TooManyRequestsException"
	case fault.Denied:
		e.Status, e.Code = http.StatusForbidden, "AccessDeniedException"
	case fault.Internal, fault.Unavailable:
		e.Status, e.Code = http.StatusInternalServerError, "InternalServiceErrorException"
	}
	return e
}

// v2Exception is the exception of the SES API v2 for a fault. It has what Pinpoint Email has,
// and InvalidNextTokenException, which one operation models.
//
// Source: SES API v2 Reference, the errors of each operation.
func v2Exception(operation string, f *fault.Error) awsapi.Exception {
	e := pinpointException(operation, f)
	if operation == listSuppressed && f.Resource == fault.PaginationToken {
		e.Code = "InvalidNextTokenException"
	}
	return e
}

// sendingException is the exception of both APIs for what keeps a mail from being sent; "" =
// the fault is none of that.
func sendingException(operation string, f *fault.Error) string {
	switch f.Resource {
	case fault.SetSending, fault.AccountSending:
		return "SendingPausedException"
	case fault.EmailMessage, fault.EmailIdentity:
		sends := operation == sendEmail || operation == sendBulkEmail
		if sends && (f.Kind == fault.Invalid || f.Kind == fault.Denied || f.Kind == fault.NotFound) {
			return "MessageRejected"
		}
	}
	return ""
}

// bulkStatus is the word for what became of one mail of many.
// Source: SES API v2 Reference, "BulkEmailEntryResult", Status.
func bulkStatus(r email.BulkResult) string {
	if r.Err == nil {
		return "SUCCESS"
	}
	f := fault.From(r.Err)
	switch f.Resource {
	case fault.SetSending:
		return "CONFIGURATION_SET_SENDING_PAUSED"
	case fault.AccountSending:
		return "ACCOUNT_SENDING_PAUSED"
	case fault.SendingRate:
		return "ACCOUNT_THROTTLED"
	case fault.SendingQuota:
		return "ACCOUNT_DAILY_QUOTA_EXCEEDED"
	}
	switch f.Kind {
	case fault.NotFound:
		return missingStatus(f.Resource)
	case fault.Invalid:
		if f.Resource == fault.EmailMessage || f.Resource == fault.EmailIdentity {
			return "MESSAGE_REJECTED"
		}
		return "INVALID_PARAMETER"
	case fault.Denied:
		return "MESSAGE_REJECTED"
	case fault.Throttled:
		return "ACCOUNT_THROTTLED"
	case fault.Internal, fault.Unavailable:
		return "TRANSIENT_FAILURE"
	case fault.Exists, fault.LimitExceeded: // nothing is made by sending
	}
	return "FAILED"
}

// missingStatus is the word for a mail that names something that does not exist.
func missingStatus(resource string) string {
	switch resource {
	case fault.ConfigurationSet:
		return "CONFIGURATION_SET_NOT_FOUND"
	case fault.EmailTemplate:
		return "TEMPLATE_NOT_FOUND"
	case fault.EmailIdentity:
		return "MESSAGE_REJECTED"
	default:
		return "INVALID_PARAMETER"
	}
}
