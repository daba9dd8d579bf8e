package ses

import (
	"net/http"

	"tidings/internal/awsapi"
	"tidings/internal/awsapi/query"
	"tidings/internal/fault"
)

// subject is what an input names, for the members of exceptions.
type subject struct{ set, destination, template, identity string }

// exception is the exception of this API for a fault.
//
// Source: SES API Reference, the errors of each operation, and "Common Errors". Their codes are those of the service model, which
// drops the suffix Exception from all but a few. What SES does not document is InvalidParameterValue, as the service itself answers to most
// of what it does not like.
func exception(operation string, input any, f *fault.Error) query.Exception {
	e := query.Exception{Exception: awsapi.Exception{Status: http.StatusBadRequest, Message: f.Msg, RetryAfter: f.RetryAfter}}
	s := subjectOf(input)
	switch f.Resource {
	case fault.SetSending:
		e.Code, e.Members = "ConfigurationSetSendingPausedException", s.ofSet()
		return e
	case fault.AccountSending:
		e.Code = "AccountSendingPausedException"
		return e
	case fault.SendingRate, fault.SendingQuota:
		e.Code = "Throttling"
		return e
	}
	switch f.Kind {
	case fault.Invalid:
		e.Code, e.Members = invalidCode(operation, input, s, f.Resource)
	case fault.NotFound:
		e.Code, e.Members = notFoundCode(operation, s, f.Resource)
		switch {
		case f.Resource == fault.EventDestination:
			e.Message = noDestination(s.set)
		case f.Resource == fault.EmailIdentity && s.identity != "":
			e.Message = "Identity " + fault.Shorten(s.identity) + " is not verified or does not exist."
		}
	case fault.Exists:
		e.Code, e.Members = existsCode(s, f.Resource)
	case fault.LimitExceeded:
		e.Code = "LimitExceeded"
	case fault.Throttled:
		e.Code = "Throttling"
	case fault.Denied:
		e.Status, e.Code = http.StatusForbidden, "AccessDeniedException"
		if f.Resource == fault.EmailIdentity || f.Resource == fault.EmailMessage {
			e.Status, e.Code = http.StatusBadRequest, "MessageRejected"
		}
	case fault.Internal:
		e.Status, e.Code = http.StatusInternalServerError, "InternalFailure"
	case fault.Unavailable:
		e.Status, e.Code = http.StatusServiceUnavailable, "ServiceUnavailable"
	}
	return e
}

// invalidCode is the code for a request that is wrong.
func invalidCode(operation string, input any, s subject, resource string) (string, []query.Member) {
	switch resource {
	case "":
		return "ValidationError", nil
	case fault.ConfigurationSet:
		if operation == createConfigurationSet {
			return "InvalidConfigurationSet", nil
		}
		return "ValidationError", nil // elsewhere only a name that is missing
	case fault.EventDestination:
		if in, ok := input.(*destinationInput); ok {
			if code, ok := in.EventDestination.invalidDestination(); ok {
				return code, s.ofDestination()
			}
		}
	case fault.TrackingOptions:
		return "InvalidTrackingOptions", nil
	case fault.DeliveryOptions:
		return "InvalidDeliveryOptions", nil
	case fault.EmailTemplate:
		if operation == createTemplate || operation == updateTemplate {
			return "InvalidTemplate", s.ofTemplate()
		}
	case fault.RenderingData:
		if operation == testRenderTemplate {
			return "InvalidRenderingParameter", s.ofTemplate()
		}
	case fault.RenderingTag:
		if operation == testRenderTemplate {
			return "MissingRenderingAttribute", s.ofTemplate()
		}
	case fault.EmailMessage:
		return "MessageRejected", nil
	case fault.EmailIdentity:
		switch {
		case sends(operation):
			return "MessageRejected", nil
		case operation == putIdentityPolicy:
			return "InvalidPolicy", nil
		}
	}
	return "InvalidParameterValue", nil
}

// notFoundCode is the code for a request that names what does not exist.
func notFoundCode(operation string, s subject, resource string) (string, []query.Member) {
	switch resource {
	case fault.ConfigurationSet:
		return "ConfigurationSetDoesNotExist", s.ofSet()
	case fault.EventDestination:
		return "EventDestinationDoesNotExist", s.ofDestination()
	case fault.TrackingOptions:
		return "TrackingOptionsDoesNotExistException", s.ofSet()
	case fault.EmailTemplate:
		return "TemplateDoesNotExist", s.ofTemplate()
	case fault.EmailIdentity, fault.EmailMessage:
		if sends(operation) || operation == setNotificationTopic || operation == setForwarding || operation == setHeaders {
			return "MessageRejected", nil
		}
	}
	return "InvalidParameterValue", nil
}

// existsCode is the code for a request to make what exists.
func existsCode(s subject, resource string) (string, []query.Member) {
	switch resource {
	case fault.ConfigurationSet:
		return "ConfigurationSetAlreadyExists", s.ofSet()
	case fault.EventDestination:
		return "EventDestinationAlreadyExists", s.ofDestination()
	case fault.TrackingOptions:
		return "TrackingOptionsAlreadyExistsException", s.ofSet()
	case fault.EmailTemplate:
		return "AlreadyExists", named("Name", s.template)
	}
	return "AlreadyExists", nil
}

func sends(operation string) bool {
	switch operation {
	case sendEmail, sendRawEmail, sendTemplatedEmail, sendBulkTemplatedEmail, sendBounce:
		return true
	}
	return false
}

func (s subject) ofSet() []query.Member { return named("ConfigurationSetName", s.set) }

func (s subject) ofDestination() []query.Member {
	return append(s.ofSet(), named("EventDestinationName", s.destination)...)
}

func (s subject) ofTemplate() []query.Member { return named("TemplateName", s.template) }

// named is a member with this value; none if there is no value.
func named(name, value string) []query.Member {
	if value == "" {
		return nil
	}
	return []query.Member{{Name: name, Value: fault.Shorten(value)}}
}

// subjectOf is what the input of an operation names.
func subjectOf(input any) subject {
	var s subject
	switch in := input.(type) {
	case *createSetInput:
		if in.ConfigurationSet != nil {
			s.set = in.ConfigurationSet.Name
		}
	case *setInput:
		s.set = in.ConfigurationSetName
	case *describeSetInput:
		s.set = in.ConfigurationSetName
	case *destinationInput:
		s.set = in.ConfigurationSetName
		if in.EventDestination != nil {
			s.destination = in.EventDestination.Name
		}
	case *deleteDestinationInput:
		s.set, s.destination = in.ConfigurationSetName, in.EventDestinationName
	case *trackingInput:
		s.set = in.ConfigurationSetName
	case *deliveryInput:
		s.set = in.ConfigurationSetName
	case *enableInput:
		s.set = in.ConfigurationSetName
	case *templateInput:
		if in.Template != nil {
			s.template = in.Template.TemplateName
		}
	case *templateNameInput:
		s.template = in.TemplateName
	case *renderInput:
		s.template = in.TemplateName
	case *sendEmailInput:
		s.set = in.ConfigurationSetName
	case *sendRawInput:
		s.set = in.ConfigurationSetName
	case *sendTemplatedInput:
		s.set, s.template = in.ConfigurationSetName, in.Template
	case *sendBulkInput:
		s.set, s.template = in.ConfigurationSetName, in.Template
	case interface{ identity() string }:
		s.identity = in.identity()
	}
	return s
}
