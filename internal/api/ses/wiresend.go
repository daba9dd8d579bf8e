package ses

// The shapes of the operations that send. Names are those of the API Reference, letter by letter. Of members that are ignored
// there is no trace here.

type destination struct {
	ToAddresses  []string
	CcAddresses  []string
	BccAddresses []string
}

type content struct {
	Data    *string
	Charset string
}

type body struct {
	Text *content
	Html *content
}

type message struct {
	Subject *content
	Body    *body
}

type messageTag struct {
	Name  string
	Value string
}

type sendEmailInput struct {
	Source               string
	SourceArn            string
	Destination          *destination
	Message              *message
	ReplyToAddresses     []string
	ReturnPath           string
	Tags                 []messageTag
	ConfigurationSetName string
}

type rawMessage struct {
	Data *[]byte
}

type sendRawInput struct {
	Source               string
	Destinations         []string
	RawMessage           *rawMessage
	FromArn              string
	SourceArn            string
	Tags                 []messageTag
	ConfigurationSetName string
}

type sendTemplatedInput struct {
	Source               string
	SourceArn            string
	Destination          *destination
	ReplyToAddresses     []string
	ReturnPath           string
	Tags                 []messageTag
	ConfigurationSetName string
	Template             string
	TemplateData         *string
}

type sendOutput struct {
	MessageId string
}

type sendBulkInput struct {
	Source               string
	SourceArn            string
	ReplyToAddresses     []string
	ReturnPath           string
	ConfigurationSetName string
	DefaultTags          []messageTag
	Template             string
	DefaultTemplateData  *string
	Destinations         []bulkDestination
}

type bulkDestination struct {
	Destination             *destination
	ReplacementTags         []messageTag
	ReplacementTemplateData string
}

type sendBulkOutput struct {
	Status []bulkStatus
}

type bulkStatus struct {
	Status    string
	Error     string
	MessageId string
}

type sendBounceInput struct {
	OriginalMessageId        string
	BounceSender             string
	BounceSenderArn          string
	Explanation              string
	BouncedRecipientInfoList []bouncedRecipient
}

type bouncedRecipient struct {
	Recipient          string
	BounceType         string
	RecipientDsnFields *recipientDSN
}

type recipientDSN struct {
	Action         string
	Status         string
	DiagnosticCode string
}
