package pinpoint

// Batch is what a request to put events has: several endpoints, with several events each.
type Batch struct {
	Request string // ID of the request; "" = one is made up
	Size    int    // bytes of the request; 0 = not known
	Items   []Item
}

// Item is what happened at one endpoint.
type Item struct {
	Endpoint string          // its ID
	Change   *EndpointChange // nil = the request has none, though it must
	Events   []Event
}

// Event is what a client reports. Its members are as the client has sent them.
type Event struct {
	ID                        string // what the client calls it in the request
	Type                      string // "_session.start", "purchase"
	Timestamp                 string // ISO 8601
	AppPackageName, AppTitle  *string
	AppVersionCode            *string
	ClientSDKVersion, SDKName *string
	Attributes                map[string]string
	Metrics                   map[string]float64
	Session                   *Session // nil = none
}

// Session is the session during which an event happened.
type Session struct {
	ID    string
	Start string  // ISO 8601
	Stop  *string // ISO 8601
}

// Result says what became of one event, or of one endpoint.
type Result struct {
	Status  int // 202 accepted, 400 refused
	Message string
}

// ItemResult is what became of an Item: its endpoint, and its events in the same order.
type ItemResult struct {
	Endpoint Result
	Events   []Result
}
