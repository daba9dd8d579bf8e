package awscli

import "fmt"

// expected is what the documents of a service are.
var expected = map[Service]string{
	Pinpoint: "aws pinpoint get-apps and aws pinpoint get-event-stream",
	SMSVoice: "aws pinpoint-sms-voice list-configuration-sets and get-configuration-set-event-destinations",
	SES:      "aws ses list-configuration-sets and aws ses describe-configuration-set",
}

// foreign says what a document is that is none of the service, as far as that can be seen.
func foreign(service Service, o *object) string {
	origin := func(command string, of Service) string {
		return fmt.Sprintf("this is what %s prints; use tidings import %s", command, of)
	}
	one, _ := o.first("ConfigurationSets").(map[string]any)
	switch {
	case o.has("ApplicationsResponse"), o.has("ApplicationResponse"), o.has("EventStream"), o.has("DestinationStreamArn"):
		return origin("aws pinpoint", Pinpoint)
	case o.has("ConfigurationSet"):
		return origin("aws ses describe-configuration-set", SES)
	case one["ConfigurationSetName"] != nil, one["ConfigurationSetArn"] != nil:
		return "this is what aws pinpoint-sms-voice-v2 prints, an API that is not served here"
	case one["Name"] != nil:
		return origin("aws ses list-configuration-sets", SES)
	case o.has("ConfigurationSets"):
		return origin("aws pinpoint-sms-voice list-configuration-sets", SMSVoice)
	case o.has("EventDestinations"):
		return "the document does not name its configuration set: it is what aws pinpoint-sms-voice prints (use tidings import sms-voice), aws sesv2 or aws pinpoint-email; of these sets save what aws ses describe-configuration-set prints"
	case o.has("__type"), o.has("Error"), o.has("Message"), o.has("message"):
		return "this is an error that AWS has answered"
	}
	return fmt.Sprintf("this is not what %s print", expected[service])
}
