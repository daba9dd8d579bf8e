package email

// Request is a mail to be sent, as a client asked for it.
type Request struct {
	Operation  string // the API's name for what was called, for the tag ses:operation: "SendEmail"
	Origin     Origin
	From       string // who sends: an address, perhaps with a name; "" = the From field of Raw
	FromARN    string // of the identity; "" = its own
	To, Cc     []string
	Bcc        []string
	ReplyTo    []string
	ReturnPath string // where copies of bounces and complaints go; "" = nowhere
	Set        string // configuration set; "" = that of the header of Raw, then that of the identity, then none
	Tags       []Tag
	Headers    []Header // added to the header of Simple and Templated content
	// Large says that the door takes mails of up to quota.EmailBytesV2: SES version 2 and SMTP. Others take quota.EmailBytes.
	Large bool

	// Exactly one of these is set.
	Simple    *Simple
	Raw       *Raw
	Templated *Templated
}

// Origin is where a request came from.
type Origin struct {
	IP, TLS string // as awsapi.Origin
	Caller  string // who signed it
}

// Tag is a name and a value by which events are told apart.
type Tag struct{ Name, Value string }

// Text is a text and the character set that the client wants it sent in; "" = UTF-8 if it needs that, else ASCII.
type Text struct{ Data, Charset string }

// Attachment is a file that goes with Simple content.
type Attachment struct {
	Name, Type, ID, Description string
	Inline                      bool
	Encoding                    string // Content-Transfer-Encoding that the client wants; "" = ours to choose
	Data                        []byte
}

// Simple is content that the server makes a message of. At least one of Text and HTML must be set.
type Simple struct {
	Subject     Text
	Text, HTML  *Text
	Attachments []Attachment
}

// Raw is a whole message.
type Raw struct {
	Data []byte
	// Envelope are the recipients; nil = those of the header.
	Envelope []string
}

// Templated is content made from a template: a stored one by its name, or one in the request.
type Templated struct {
	Name        string
	Inline      *Template // "" for its Name; nil = the stored one
	Data        string    // JSON object
	Attachments []Attachment
}

// Bulk is one template for many mails.
type Bulk struct {
	Request             // without recipients; its Templated has the default data, its Tags the default tags
	Entries []BulkEntry // one mail each
}

// BulkEntry is one mail of a Bulk.
type BulkEntry struct {
	To, Cc, Bcc []string
	Data        string // JSON object, laid over the default data; "" = none
	Tags        []Tag  // instead of the default tags, if there are any
	Headers     []Header
}

// BulkResult is what became of an entry: its message's ID, or why there is none.
type BulkResult struct {
	ID  string
	Err error // a fault
}

// BounceRequest asks for a bounce message to the sender of a mail that was received elsewhere.
type BounceRequest struct {
	Origin      Origin
	Original    string // Message-ID of that mail
	Sender      string // who bounces
	SenderARN   string
	Explanation string
	Set         string
	Recipients  []BouncedRecipient
}

// BouncedRecipient is a recipient of the mail that is bounced.
type BouncedRecipient struct {
	Recipient string
	Kind      string // BounceType of the API: DoesNotExist, MessageTooLarge, ExceededQuota, ContentRejected, Undefined, TemporaryFailure; "" = by Status
	Action    string // RFC 3464; "" = by Kind
	Status    string // RFC 3463; "" = by Kind
	Text      string // diagnostic
}
