package ses

import "time"

// The shapes of the wire. Names are those of the API Reference, letter by letter.

type empty struct{}

type configurationSet struct {
	Name string
}

type createSetInput struct {
	ConfigurationSet *configurationSet
}

type setInput struct {
	ConfigurationSetName string
}

type describeSetInput struct {
	ConfigurationSetName           string
	ConfigurationSetAttributeNames []string
}

type describeSetOutput struct {
	ConfigurationSet  configurationSet
	EventDestinations []eventDestination
	TrackingOptions   *trackingOptions
	DeliveryOptions   *deliveryOptions
	ReputationOptions *reputationOptions
}

type listInput struct {
	NextToken string
	MaxItems  *int
}

type listSetsOutput struct {
	ConfigurationSets []configurationSet
	NextToken         string
}

type destinationInput struct {
	ConfigurationSetName string
	EventDestination     *eventDestination
}

type deleteDestinationInput struct {
	ConfigurationSetName string
	EventDestinationName string
}

type eventDestination struct {
	Name                       string
	Enabled                    bool
	MatchingEventTypes         []string
	KinesisFirehoseDestination *kinesisFirehoseDestination
	CloudWatchDestination      *cloudWatchDestination
	SNSDestination             *snsDestination
}

type kinesisFirehoseDestination struct {
	IAMRoleARN        string
	DeliveryStreamARN string
}

type cloudWatchDestination struct {
	DimensionConfigurations []dimension
}

type dimension struct {
	DimensionName         string
	DimensionValueSource  string
	DefaultDimensionValue string
}

type snsDestination struct {
	TopicARN string
}

type trackingInput struct {
	ConfigurationSetName string
	TrackingOptions      *trackingOptions
}

type trackingOptions struct {
	CustomRedirectDomain string
}

type deliveryInput struct {
	ConfigurationSetName string
	DeliveryOptions      *deliveryOptions
}

type deliveryOptions struct {
	TlsPolicy string
}

type reputationOptions struct {
	SendingEnabled           bool
	ReputationMetricsEnabled bool
	LastFreshStart           time.Time
}

type enableInput struct {
	ConfigurationSetName string
	Enabled              *bool
}

type template struct {
	TemplateName string
	SubjectPart  string
	TextPart     string
	HtmlPart     string
}

type templateInput struct {
	Template *template
}

type templateNameInput struct {
	TemplateName string
}

type getTemplateOutput struct {
	Template template
}

type listTemplatesOutput struct {
	TemplatesMetadata []templateMetadata
	NextToken         string
}

type templateMetadata struct {
	Name             string
	CreatedTimestamp time.Time
}

type renderInput struct {
	TemplateName string
	TemplateData *string
}

type renderOutput struct {
	RenderedTemplate string
}

type quotaOutput struct {
	Max24HourSend   float64
	MaxSendRate     float64
	SentLast24Hours float64
}

type statisticsOutput struct {
	SendDataPoints []dataPoint
}

type dataPoint struct {
	Timestamp        time.Time
	DeliveryAttempts int64
	Bounces          int64
	Complaints       int64
	Rejects          int64
}

type sendingEnabledInput struct {
	Enabled bool
}

type sendingEnabledOutput struct {
	Enabled bool
}
