package smsvoice

// The shapes of the wire. Names are those of the API Reference, letter by letter.

type empty struct{}

type createSetInput struct {
	ConfigurationSetName string
}

type listSetsInput struct {
	PageSize  string `query:"PageSize" json:"-"`
	NextToken string `query:"NextToken" json:"-"`
}

type listSetsOutput struct {
	ConfigurationSets []string
	NextToken         string `json:",omitempty"`
}

type setInput struct {
	ConfigurationSetName string `uri:"ConfigurationSetName" json:"-"`
}

type destinationInput struct {
	ConfigurationSetName string `uri:"ConfigurationSetName" json:"-"`
	EventDestinationName string `uri:"EventDestinationName" json:"-"`
}

type createDestinationInput struct {
	ConfigurationSetName string `uri:"ConfigurationSetName" json:"-"`
	EventDestinationName string
	EventDestination     *eventDestinationDefinition
}

type updateDestinationInput struct {
	ConfigurationSetName string `uri:"ConfigurationSetName" json:"-"`
	EventDestinationName string `uri:"EventDestinationName" json:"-"`
	EventDestination     *eventDestinationDefinition
}

type destinationsOutput struct {
	EventDestinations []eventDestination
}

// eventDestinationDefinition is an event destination in requests: without its name.
type eventDestinationDefinition struct {
	CloudWatchLogsDestination  *cloudWatchLogsDestination `json:",omitempty"`
	Enabled                    bool
	KinesisFirehoseDestination *kinesisFirehoseDestination `json:",omitempty"`
	MatchingEventTypes         []string
	SnsDestination             *snsDestination `json:",omitempty"`
}

// eventDestination is an event destination in replies.
type eventDestination struct {
	eventDestinationDefinition

	Name string
}

type cloudWatchLogsDestination struct {
	IamRoleArn  string
	LogGroupArn string
}

type kinesisFirehoseDestination struct {
	DeliveryStreamArn string
	IamRoleArn        string
}

type snsDestination struct {
	TopicArn string
}

type sendMessageInput struct {
	CallerId               string
	ConfigurationSetName   string
	Content                *voiceMessageContent
	DestinationPhoneNumber string
	OriginationPhoneNumber string
}

type voiceMessageContent struct {
	CallInstructionsMessage *callInstructionsMessage
	PlainTextMessage        *spokenMessage
	SSMLMessage             *spokenMessage
}

type callInstructionsMessage struct {
	Text string
}

// spokenMessage is a PlainTextMessageType and an SSMLMessageType: they look alike.
type spokenMessage struct {
	LanguageCode string
	Text         string
	VoiceId      string
}

type sendMessageOutput struct {
	MessageId string
}
