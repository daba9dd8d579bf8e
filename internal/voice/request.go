package voice

// Request is a voice message as a client asks for it: nothing has been checked yet.
type Request struct {
	Destination string // DestinationPhoneNumber
	Origination string // OriginationPhoneNumber
	CallerID    string // CallerId; "" = the callee sees Origination
	Set         string // ConfigurationSetName; "" = none, no events are published
	// Content has the zero Kind when the client gave no content, or more than one.
	Content Content
}
