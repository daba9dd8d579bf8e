package awscli

import (
	"encoding/json"
	"io"

	"tidings/internal/configset"
)

// The shapes that are printed. Names and order are those of the AWS CLI.
type (
	applicationsResponse struct{ ApplicationsResponse items }
	items                struct{ Item []application }
	application          struct {
		Arn          string `json:",omitempty"`
		Id           string
		Name         string
		Tags         map[string]string `json:"tags"`
		CreationDate string            `json:",omitempty"`
	}

	eventStreamResponse struct{ EventStream eventStream }
	eventStream         struct {
		ApplicationId        string
		DestinationStreamArn string
		LastModifiedDate     string `json:",omitempty"`
		LastUpdatedBy        string `json:",omitempty"`
		RoleArn              string
	}

	setNames struct{ ConfigurationSets []string }
	setList  struct{ ConfigurationSets []setName }
	setName  struct{ Name string }

	// voiceSet has one member more than AWS prints, so that it can be read again by itself.
	voiceSet struct {
		ConfigurationSetName string
		EventDestinations    []voiceDestination
	}
	voiceDestination struct {
		CloudWatchLogsDestination  *logsDestination `json:",omitempty"`
		Enabled                    bool
		KinesisFirehoseDestination *hoseDestination `json:",omitempty"`
		MatchingEventTypes         []string
		Name                       string
		SnsDestination             *topicDestination `json:",omitempty"`
	}
	logsDestination  struct{ IamRoleArn, LogGroupArn string }
	hoseDestination  struct{ DeliveryStreamArn, IamRoleArn string }
	topicDestination struct{ TopicArn string }

	emailSet struct {
		ConfigurationSet  setName
		EventDestinations []emailDestination
	}
	emailDestination struct {
		Name                       string
		Enabled                    bool
		MatchingEventTypes         []string
		KinesisFirehoseDestination *emailHoseDestination  `json:",omitempty"`
		CloudWatchDestination      *metricsDestination    `json:",omitempty"`
		SNSDestination             *emailTopicDestination `json:",omitempty"`
		PinpointDestination        *appDestination        `json:",omitempty"` // as version 2 of the API has it; version 1 has none
	}
	emailHoseDestination  struct{ IAMRoleARN, DeliveryStreamARN string }
	emailTopicDestination struct{ TopicARN string }
	appDestination        struct{ ApplicationArn string }
	metricsDestination    struct{ DimensionConfigurations []dimension }
	dimension             struct{ DimensionName, DimensionValueSource, DefaultDimensionValue string }
)

// Print writes the batch as the AWS CLI would: the list, and a document for each event
// stream or configuration set. A Reader reads it again.
func Print(w io.Writer, b Batch) error {
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	out.SetIndent("", "    ")
	for _, document := range b.documents() {
		if err := out.Encode(document); err != nil {
			return err
		}
	}
	return nil
}

func (b *Batch) documents() []any {
	switch b.Service {
	case Pinpoint:
		return b.pinpoint()
	case SMSVoice:
		list := setNames{[]string{}}
		all := []any{}
		for _, s := range b.Sets {
			list.ConfigurationSets = append(list.ConfigurationSets, s.Name)
			one := voiceSet{s.Name, []voiceDestination{}}
			for _, d := range s.Destinations {
				one.EventDestinations = append(one.EventDestinations, d.voice())
			}
			all = append(all, one)
		}
		return append([]any{list}, all...)
	case SES:
		list := setList{[]setName{}}
		all := []any{}
		for _, s := range b.Sets {
			list.ConfigurationSets = append(list.ConfigurationSets, setName{s.Name})
			one := emailSet{setName{s.Name}, []emailDestination{}}
			for _, d := range s.Destinations {
				one.EventDestinations = append(one.EventDestinations, d.email())
			}
			all = append(all, one)
		}
		return append([]any{list}, all...)
	}
	return nil
}

func (b *Batch) pinpoint() []any {
	list := applicationsResponse{items{[]application{}}}
	for _, a := range b.Apps {
		list.ApplicationsResponse.Item = append(list.ApplicationsResponse.Item, a.wire())
	}
	all := []any{list}
	for _, s := range b.Streams {
		all = append(all, eventStreamResponse{s.wire()})
	}
	return all
}

func (a *App) wire() application {
	w := application{Arn: a.ARN, Id: a.ID, Name: a.Name, Tags: a.Tags, CreationDate: formatTime(a.Created)}
	if w.Tags == nil {
		w.Tags = map[string]string{}
	}
	return w
}

func (s *Stream) wire() eventStream {
	return eventStream{
		ApplicationId: s.App, DestinationStreamArn: s.ARN, RoleArn: s.Role,
		LastModifiedDate: formatTime(s.Modified), LastUpdatedBy: s.By,
	}
}

// voice is d in the shape of the SMS and Voice API, which has no other kinds.
func (d *Destination) voice() voiceDestination {
	w := voiceDestination{Name: d.Name, Enabled: d.Enabled, MatchingEventTypes: notNil(d.Types)}
	switch d.Kind {
	case configset.CloudWatchLogs:
		w.CloudWatchLogsDestination = &logsDestination{IamRoleArn: d.Role, LogGroupArn: d.ARN}
	case configset.KinesisFirehose:
		w.KinesisFirehoseDestination = &hoseDestination{DeliveryStreamArn: d.ARN, IamRoleArn: d.Role}
	case configset.SNS:
		w.SnsDestination = &topicDestination{TopicArn: d.ARN}
	case configset.CloudWatch, configset.KinesisStream, configset.Pinpoint:
	}
	return w
}

// email is d in the shape of the SES API, which has no other kinds but in version 2.
func (d *Destination) email() emailDestination {
	w := emailDestination{Name: d.Name, Enabled: d.Enabled, MatchingEventTypes: notNil(d.Types)}
	switch d.Kind {
	case configset.CloudWatch:
		w.CloudWatchDestination = &metricsDestination{[]dimension{}}
		for _, dim := range d.Dimensions {
			all := &w.CloudWatchDestination.DimensionConfigurations
			*all = append(*all, dimension{dim.Name, string(dim.Source), dim.Default})
		}
	case configset.KinesisFirehose:
		w.KinesisFirehoseDestination = &emailHoseDestination{IAMRoleARN: d.Role, DeliveryStreamARN: d.ARN}
	case configset.SNS:
		w.SNSDestination = &emailTopicDestination{TopicARN: d.ARN}
	case configset.Pinpoint:
		w.PinpointDestination = &appDestination{ApplicationArn: d.ARN}
	case configset.CloudWatchLogs, configset.KinesisStream:
	}
	return w
}

func notNil(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}
