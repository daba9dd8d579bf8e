package pinpoint

import "tidings/internal/pinpoint"

// The shapes of the wire. Names are those of the API Reference, letter by letter; the
// object that the SDKs wrap around a body (ApplicationResponse, EventStream, …) never
// travels.
//
// Source: Amazon Pinpoint API Reference, version 2016-12-01.

type empty struct{}

// messageBody is the body of errors and of updates.
type messageBody struct {
	Message   string
	RequestID string
}

type appInput struct {
	ID string `uri:"application-id" json:"-"`
}

type createAppInput struct {
	Name string
	Tags map[string]string `json:"tags"`
}

type application struct {
	Arn          string
	CreationDate string
	Id           string
	Name         string
	Tags         map[string]string `json:"tags"`
}

type getAppsInput struct {
	PageSize string `query:"page-size" json:"-"`
	Token    string `query:"token" json:"-"`
}

type applications struct {
	Item      []application
	NextToken string `json:",omitempty"`
}

type tagsInput struct {
	ARN string `uri:"resource-arn" json:"-"`
}

type tagInput struct {
	ARN  string            `uri:"resource-arn" json:"-"`
	Tags map[string]string `json:"tags"`
}

type untagInput struct {
	ARN  string   `uri:"resource-arn" json:"-"`
	Keys []string `query:"tagKeys" json:"-"`
}

type tagsModel struct {
	Tags map[string]string `json:"tags"`
}

type putStreamInput struct {
	ID string `uri:"application-id" json:"-"`
	writeEventStream
}

type writeEventStream struct {
	DestinationStreamArn string
	RoleArn              string
}

// eventStream has no ExternalId, which the API calls deprecated.
type eventStream struct {
	ApplicationId        string
	DestinationStreamArn string
	LastModifiedDate     string
	LastUpdatedBy        string
	RoleArn              string
}

// putEventsInput has an EventsRequest for its body.
type putEventsInput struct {
	ID    string `uri:"application-id" json:"-"`
	Items []pinpoint.Item
	Size  int // of the body in bytes
}

// ReadBody reads the body. See restjson.BodyReader.
func (in *putEventsInput) ReadBody(body []byte) error {
	r := newReader(body)
	in.Items, in.Size = readBatch(r), len(body)
	return r.end()
}

type endpointInput struct {
	App string `uri:"application-id" json:"-"`
	ID  string `uri:"endpoint-id" json:"-"`
}

// updateEndpointInput has an EndpointRequest for its body.
type updateEndpointInput struct {
	App    string `uri:"application-id" json:"-"`
	ID     string `uri:"endpoint-id" json:"-"`
	Change *pinpoint.EndpointChange
}

// ReadBody reads the body. See restjson.BodyReader.
func (in *updateEndpointInput) ReadBody(body []byte) error {
	r := newReader(body)
	in.Change = readEndpoint(r)
	return r.end()
}

// updateEndpointsInput has an EndpointBatchRequest for its body.
type updateEndpointsInput struct {
	App     string `uri:"application-id" json:"-"`
	Changes []pinpoint.NamedChange
}

// ReadBody reads the body. See restjson.BodyReader.
func (in *updateEndpointsInput) ReadBody(body []byte) error {
	r := newReader(body)
	in.Changes = readEndpoints(r)
	return r.end()
}

type userInput struct {
	App  string `uri:"application-id" json:"-"`
	User string `uri:"user-id" json:"-"`
}

type endpoints struct {
	Item []endpoint
}

type validateInput struct {
	IsoCountryCode string
	PhoneNumber    string
}

// validated has no County and no ZipCode: the tables know neither.
type validated struct {
	Carrier                     string `json:",omitempty"`
	City                        string `json:",omitempty"`
	CleansedPhoneNumberE164     string `json:",omitempty"`
	CleansedPhoneNumberNational string `json:",omitempty"`
	Country                     string `json:",omitempty"`
	CountryCodeIso2             string `json:",omitempty"`
	CountryCodeNumeric          string `json:",omitempty"`
	OriginalCountryCodeIso2     string `json:",omitempty"`
	OriginalPhoneNumber         string `json:",omitempty"`
	PhoneType                   string `json:",omitempty"`
	PhoneTypeCode               int
	Timezone                    string `json:",omitempty"`
}

type updateSettingsInput struct {
	ID string `uri:"application-id" json:"-"`

	CampaignHook             *campaignHook
	CloudWatchMetricsEnabled bool
	EventTaggingEnabled      bool
	JourneyLimits            *journeyLimits
	Limits                   *campaignLimits
	QuietTime                *quietTime
}

type settingsResource struct {
	ApplicationId string
	settings
}

// settings are kept in this form. The objects are there even if nothing is set: Terraform
// reads their members without asking.
type settings struct {
	CampaignHook     campaignHook
	JourneyLimits    *journeyLimits `json:",omitempty"`
	LastModifiedDate string         `json:",omitempty"`
	Limits           campaignLimits
	QuietTime        quietTime
}

type campaignHook struct {
	LambdaFunctionName string `json:",omitempty"`
	Mode               string `json:",omitempty"`
	WebUrl             string `json:",omitempty"`
}

type campaignLimits struct {
	Daily             *int64 `json:",omitempty"`
	MaximumDuration   *int64 `json:",omitempty"`
	MessagesPerSecond *int64 `json:",omitempty"`
	Session           *int64 `json:",omitempty"`
	Total             *int64 `json:",omitempty"`
}

type journeyLimits struct {
	DailyCap     *int64        `json:",omitempty"`
	TimeframeCap *timeframeCap `json:",omitempty"`
	TotalCap     *int64        `json:",omitempty"`
}

type timeframeCap struct {
	Cap  *int64 `json:",omitempty"`
	Days *int64 `json:",omitempty"`
}

type quietTime struct {
	End   string `json:",omitempty"`
	Start string `json:",omitempty"`
}

// endpoint is an EndpointResponse.
type endpoint struct {
	Address        *string `json:",omitempty"`
	ApplicationId  string
	Attributes     map[string][]string `json:",omitempty"`
	ChannelType    *string             `json:",omitempty"`
	CohortId       string
	CreationDate   string
	Demographic    *demographic `json:",omitempty"`
	EffectiveDate  string
	EndpointStatus string
	Id             string
	Location       *location          `json:",omitempty"`
	Metrics        map[string]float64 `json:",omitempty"`
	OptOut         string
	RequestId      string `json:",omitempty"`
	User           *user  `json:",omitempty"`
}

type demographic struct {
	AppVersion      *string `json:",omitempty"`
	Locale          *string `json:",omitempty"`
	Make            *string `json:",omitempty"`
	Model           *string `json:",omitempty"`
	ModelVersion    *string `json:",omitempty"`
	Platform        *string `json:",omitempty"`
	PlatformVersion *string `json:",omitempty"`
	Timezone        *string `json:",omitempty"`
}

type location struct {
	City       *string  `json:",omitempty"`
	Country    *string  `json:",omitempty"`
	Latitude   *float64 `json:",omitempty"`
	Longitude  *float64 `json:",omitempty"`
	PostalCode *string  `json:",omitempty"`
	Region     *string  `json:",omitempty"`
}

type user struct {
	UserAttributes map[string][]string `json:",omitempty"`
	UserId         *string             `json:",omitempty"`
}
