package oracle

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestScenariosCoverTheAPI holds the scenarios to the contract: every operation succeeds
// somewhere and every error that the API documents is provoked somewhere.
func TestScenariosCoverTheAPI(t *testing.T) {
	t.Parallel()
	t.Run(voiceService, func(t *testing.T) {
		t.Parallel()
		checkCoverage(t, voiceService, []string{
			"CreateConfigurationSet", "CreateConfigurationSetEventDestination", "DeleteConfigurationSet",
			"DeleteConfigurationSetEventDestination", "GetConfigurationSetEventDestinations",
			"ListConfigurationSets", "SendVoiceMessage", "UpdateConfigurationSetEventDestination",
		}, map[string]int{
			"AlreadyExistsException": 409, "BadRequestException": 400, "InternalServiceErrorException": 500,
			"LimitExceededException": 412, "NotFoundException": 404, "TooManyRequestsException": 429,
		})
	})
	t.Run(pinpointService, func(t *testing.T) {
		t.Parallel()
		checkCoverage(t, pinpointService, []string{
			"CreateApp", "DeleteApp", "DeleteEndpoint", "DeleteEventStream", "DeleteUserEndpoints", "GetApp",
			"GetApplicationSettings", "GetApps", "GetEndpoint", "GetEventStream", "GetUserEndpoints", "ListTagsForResource",
			"PhoneNumberValidate", "PutEventStream", "PutEvents", "TagResource", "UntagResource", "UpdateApplicationSettings",
			"UpdateEndpoint", "UpdateEndpointsBatch",
		}, map[string]int{
			// The others need a body, a pace or a method that no scenario has: TestOddPinpointRequests,
			// TestPinpointErrors.
			"BadRequestException": 400, "ForbiddenException": 403, "InternalServerErrorException": 500,
			"NotFoundException": 404,
		})
	})
	t.Run(sesService, func(t *testing.T) {
		t.Parallel()
		checkCoverage(t, sesService, []string{
			"CreateConfigurationSet", "CreateConfigurationSetEventDestination", "CreateConfigurationSetTrackingOptions", "CreateTemplate",
			"DeleteConfigurationSet", "DeleteConfigurationSetEventDestination", "DeleteConfigurationSetTrackingOptions", "DeleteIdentity",
			"DeleteIdentityPolicy", "DeleteTemplate", "DeleteVerifiedEmailAddress", "DescribeConfigurationSet",
			"GetAccountSendingEnabled", "GetIdentityDkimAttributes", "GetIdentityMailFromDomainAttributes",
			"GetIdentityNotificationAttributes", "GetIdentityPolicies", "GetIdentityVerificationAttributes", "GetSendQuota",
			"GetSendStatistics", "GetTemplate", "ListConfigurationSets", "ListIdentities", "ListIdentityPolicies", "ListTemplates",
			"ListVerifiedEmailAddresses", "PutConfigurationSetDeliveryOptions", "PutIdentityPolicy", "SendBounce",
			"SendBulkTemplatedEmail", "SendEmail", "SendRawEmail", "SendTemplatedEmail", "SetIdentityDkimEnabled",
			"SetIdentityFeedbackForwardingEnabled", "SetIdentityHeadersInNotificationsEnabled", "SetIdentityMailFromDomain",
			"SetIdentityNotificationTopic", "TestRenderTemplate", "UpdateAccountSendingEnabled", "UpdateConfigurationSetEventDestination",
			"UpdateConfigurationSetReputationMetricsEnabled", "UpdateConfigurationSetSendingEnabled",
			"UpdateConfigurationSetTrackingOptions", "UpdateTemplate", "VerifyDomainDkim", "VerifyDomainIdentity", "VerifyEmailAddress",
			"VerifyEmailIdentity",
		}, map[string]int{
			"AccountSendingPausedException": 400, "AlreadyExists": 400, "ConfigurationSetAlreadyExists": 400, "ConfigurationSetDoesNotExist": 400,
			"ConfigurationSetSendingPausedException": 400, "EventDestinationAlreadyExists": 400, "EventDestinationDoesNotExist": 400,
			"InvalidCloudWatchDestination": 400, "InvalidConfigurationSet": 400, "InvalidDeliveryOptions": 400, "InvalidFirehoseDestination": 400,
			"InvalidParameterValue": 400, "InvalidPolicy": 400, "InvalidRenderingParameter": 400, "InvalidSNSDestination": 400,
			"InvalidTemplate": 400, "InvalidTrackingOptions": 400, "LimitExceeded": 400, "MessageRejected": 400, "MissingRenderingAttribute": 400,
			"TemplateDoesNotExist": 400, "Throttling": 400, "TrackingOptionsAlreadyExistsException": 400, "TrackingOptionsDoesNotExistException": 400,
			"ValidationError": 400, "AccessDeniedException": 403, "SignatureDoesNotMatch": 403, "UnrecognizedClientException": 403,
		})
	})
	t.Run(emailService, func(t *testing.T) {
		t.Parallel()
		checkCoverage(t, emailService, []string{
			"CreateConfigurationSet", "CreateConfigurationSetEventDestination", "CreateEmailIdentity", "DeleteConfigurationSet",
			"DeleteConfigurationSetEventDestination", "DeleteEmailIdentity", "GetAccount", "GetConfigurationSet",
			"GetConfigurationSetEventDestinations", "GetEmailIdentity", "ListConfigurationSets", "ListEmailIdentities",
			"ListTagsForResource", "PutAccountSendingAttributes", "PutConfigurationSetDeliveryOptions",
			"PutConfigurationSetReputationOptions", "PutConfigurationSetSendingOptions", "PutConfigurationSetTrackingOptions",
			"PutEmailIdentityDkimAttributes", "PutEmailIdentityFeedbackAttributes",
			"PutEmailIdentityMailFromAttributes", "SendEmail", "TagResource", "UntagResource", "UpdateConfigurationSetEventDestination",
		}, map[string]int{
			"AlreadyExistsException": 400, "BadRequestException": 400, "NotFoundException": 404, "SendingPausedException": 400, "TooManyRequestsException": 429,
		})
	})
	t.Run(sesV2Service, func(t *testing.T) {
		t.Parallel()
		// PutConfigurationSetArchivingOptions is not in all clients: TestNewestSESV2.
		checkCoverage(t, sesV2Service, []string{
			"CreateConfigurationSet", "CreateConfigurationSetEventDestination", "CreateEmailIdentity", "CreateEmailIdentityPolicy",
			"CreateEmailTemplate", "DeleteConfigurationSet", "DeleteConfigurationSetEventDestination", "DeleteEmailIdentity",
			"DeleteEmailIdentityPolicy", "DeleteEmailTemplate", "DeleteSuppressedDestination", "GetAccount", "GetConfigurationSet",
			"GetConfigurationSetEventDestinations", "GetEmailIdentity", "GetEmailIdentityPolicies", "GetEmailTemplate",
			"GetSuppressedDestination", "ListConfigurationSets", "ListEmailIdentities", "ListEmailTemplates",
			"ListSuppressedDestinations", "ListTagsForResource", "PutAccountDetails", "PutAccountSendingAttributes",
			"PutAccountSuppressionAttributes", "PutConfigurationSetDeliveryOptions",
			"PutConfigurationSetReputationOptions", "PutConfigurationSetSendingOptions", "PutConfigurationSetSuppressionOptions",
			"PutConfigurationSetTrackingOptions", "PutConfigurationSetVdmOptions", "PutEmailIdentityConfigurationSetAttributes",
			"PutEmailIdentityDkimAttributes", "PutEmailIdentityDkimSigningAttributes", "PutEmailIdentityFeedbackAttributes",
			"PutEmailIdentityMailFromAttributes", "PutSuppressedDestination", "SendBulkEmail", "SendEmail", "TagResource",
			"TestRenderEmailTemplate", "UntagResource", "UpdateConfigurationSetEventDestination", "UpdateEmailIdentityPolicy",
			"UpdateEmailTemplate",
		}, map[string]int{
			"AccessDeniedException": 403, "AlreadyExistsException": 400, "BadRequestException": 400, "InvalidNextTokenException": 400, "InvalidSignatureException": 403,
			"LimitExceededException": 400, "MessageRejected": 400, "NotFoundException": 404, "SendingPausedException": 400, "TooManyRequestsException": 429,
		})
	})
}

func checkCoverage(t *testing.T, service string, operations []string, errors map[string]int) {
	t.Helper()
	succeeded, failed := map[string]bool{}, map[string]int{}
	for _, other := range allServices {
		for name, s := range scenarios(t, other) {
			for _, step := range s.Steps {
				if step.Service != service {
					continue
				}
				if step.Error == nil {
					succeeded[step.Call] = true
					continue
				}
				if _, documented := errors[step.Error.Code]; documented {
					failed[step.Error.Code] = step.Error.Status
				}
				if step.Error.Message == "" {
					t.Errorf("%s, %s: the step expects no message", name, step.Title)
				}
			}
		}
	}
	if diff := cmp.Diff(operations, slices.Sorted(maps.Keys(succeeded))); diff != "" {
		t.Errorf("operations that succeed in a scenario (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(errors, failed); diff != "" {
		t.Errorf("errors that a scenario provokes (-want +got):\n%s", diff)
	}
}
