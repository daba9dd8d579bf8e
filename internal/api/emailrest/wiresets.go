package emailrest

import "tidings/internal/awsapi/restjson"

// The shapes of configuration sets and event destinations on the wire. Names are those of the
// API References, letter by letter. A boolean that is absent is false: the AWS SDK for Go v2
// leaves false out.

type empty struct{}

type tag struct{ Key, Value string }

type pageInput struct {
	NextToken string `query:"NextToken" json:"-"`
	PageSize  string `query:"PageSize" json:"-"`
}

type setInput struct {
	ConfigurationSetName string `uri:"ConfigurationSetName" json:"-"`
}

type trackingOptions struct {
	CustomRedirectDomain string `json:",omitempty"`
	HttpsPolicy          string `json:",omitempty"` // API v2
}

type deliveryOptions struct {
	MaxDeliverySeconds *int64 `json:",omitempty"` // API v2
	SendingPoolName    string `json:",omitempty"`
	TlsPolicy          string `json:",omitempty"`
}

type reputationOptions struct {
	LastFreshStart           restjson.Time `json:",omitzero"`
	ReputationMetricsEnabled bool
}

type sendingOptions struct{ SendingEnabled bool }

// suppressionOptions has no reasons, which is like having no such options, or an empty list
// of them, which is another thing.
type suppressionOptions struct {
	SuppressedReasons []string           `json:",omitzero"`
	ValidationOptions *validationOptions `json:",omitempty"`
}

// validationOptions are those of a set, and those of an account, which look alike.
type validationOptions struct {
	ConditionThreshold *struct{ ConditionThresholdEnabled string }
}

type vdmOptions struct {
	DashboardOptions *dashboardOptions `json:",omitempty"`
	GuardianOptions  *guardianOptions  `json:",omitempty"`
}

type dashboardOptions struct{ EngagementMetrics string }

type guardianOptions struct{ OptimizedSharedDelivery string }

type archivingOptions struct{ ArchiveArn string }

// setOptions are the options that both APIs and the reply have.
type setOptions struct {
	DeliveryOptions    *deliveryOptions    `json:",omitempty"`
	ReputationOptions  *reputationOptions  `json:",omitempty"`
	SendingOptions     *sendingOptions     `json:",omitempty"`
	SuppressionOptions *suppressionOptions `json:",omitempty"` // API v2
	Tags               []tag
	TrackingOptions    *trackingOptions `json:",omitempty"`
	VdmOptions         *vdmOptions      `json:",omitempty"` // API v2
}

type createSetInput struct {
	setOptions

	ArchivingOptions     *archivingOptions
	ConfigurationSetName string
}

type getSetOutput struct {
	setOptions

	ConfigurationSetName string
}

type listSetsOutput struct {
	ConfigurationSets []string
	NextToken         string `json:",omitempty"`
}

type putSendingInput struct {
	sendingOptions

	ConfigurationSetName string `uri:"ConfigurationSetName" json:"-"`
}

type putTrackingInput struct {
	trackingOptions

	ConfigurationSetName string `uri:"ConfigurationSetName" json:"-"`
}

type putDeliveryInput struct {
	deliveryOptions

	ConfigurationSetName string `uri:"ConfigurationSetName" json:"-"`
}

type putReputationInput struct {
	ConfigurationSetName     string `uri:"ConfigurationSetName" json:"-"`
	ReputationMetricsEnabled bool
}

type putSetSuppressionInput struct {
	suppressionOptions

	ConfigurationSetName string `uri:"ConfigurationSetName" json:"-"`
}

type putVDMInput struct {
	ConfigurationSetName string `uri:"ConfigurationSetName" json:"-"`
	VdmOptions           *vdmOptions
}

type putArchivingInput struct {
	archivingOptions

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

type destinationsOutput struct{ EventDestinations []eventDestination }

// eventDestinationDefinition is an event destination in requests: without its name.
type eventDestinationDefinition struct {
	CloudWatchDestination      *cloudWatchDestination `json:",omitempty"`
	Enabled                    bool
	EventBridgeDestination     *struct{}                   `json:",omitempty"` // API v2
	KinesisFirehoseDestination *kinesisFirehoseDestination `json:",omitempty"`
	MatchingEventTypes         []string
	PinpointDestination        *pinpointDestination `json:",omitempty"`
	SnsDestination             *snsDestination      `json:",omitempty"`
}

// eventDestination is an event destination in replies.
type eventDestination struct {
	eventDestinationDefinition

	Name string
}

type cloudWatchDestination struct{ DimensionConfigurations []dimension }

type dimension struct{ DefaultDimensionValue, DimensionName, DimensionValueSource string }

type kinesisFirehoseDestination struct{ DeliveryStreamArn, IamRoleArn string }

type pinpointDestination struct{ ApplicationArn string }

type snsDestination struct{ TopicArn string }
