package awssink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/middleware"
	logs "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	smithymiddleware "github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"tidings/internal/sink"
)

// The bounds of a batch, which may take more than one request.
const (
	groupCount = callCount
	// groupBytes leaves room for what CloudWatch Logs adds to 2,500 records. A batch of
	// more and smaller ones takes a second request.
	groupBytes = callBytes - 2_500*eventOverhead
)

// groupForm is the resource of a log group, with or without the star for all its streams.
// Source: CloudWatch Logs API Reference, "CreateLogGroup", logGroupName.
var groupForm = regexp.MustCompile(`^log-group:[.\-_/#A-Za-z0-9]{1,512}(:\*)?$`)

// group writes each event as a log event of its time, into the log stream of its
// configuration set, event destination and day; see streamName. The streams are created
// when they are needed, the group must exist: AWS's own publisher has the permissions to
// do just that. Source: AWS End User Messaging SMS User Guide, "Event destinations".
type group struct {
	caller *caller
	client *logs.Client
	logger *slog.Logger
	name   string
}

func openGroup(d *Driver, t sink.Target) sink.Sink {
	signer := d.signer(t)
	name := strings.TrimSuffix(strings.TrimPrefix(t.ARN.Resource, "log-group:"), ":*")
	return &group{
		caller: d.caller("logs", signer, badLogEvent),
		client: logs.NewFromConfig(d.config(signer, t.ARN.Region)),
		logger: d.settings.Logger.With("log_group", name),
		name:   name,
	}
}

// Limits bounds a batch.
func (*group) Limits() sink.Limits { return sink.Limits{Count: groupCount, Bytes: groupBytes} }

// Close has nothing to release.
func (*group) Close() error { return nil }

// Deliver puts the batch with as many requests as it takes, one after the other. What one
// of them says holds for its events alone.
func (g *group) Deliver(ctx context.Context, batch []sink.Delivery) error {
	result := &tally{size: len(batch)}
	for _, c := range cut(arrange(batch, result)) {
		if err := ctx.Err(); err != nil {
			result.request(c.indices(), err)
			continue
		}
		out, err := g.put(ctx, c)
		if err != nil {
			result.request(c.indices(), err)
			continue
		}
		for n, r := range rejections(out.RejectedLogEventsInfo, len(c)) {
			g.caller.metrics.wasRejected(r.name)
			result.fail(c[n].index, sink.Permanent(errors.New("logs PutLogEvents: the event was rejected, "+r.text)))
		}
	}
	return result.error()
}

// put puts a call's events, and once more after creating the stream if it is missing.
func (g *group) put(ctx context.Context, c call) (*logs.PutLogEventsOutput, error) {
	in := &logs.PutLogEventsInput{LogGroupName: &g.name, LogStreamName: &c[0].stream}
	in.LogEvents = make([]types.InputLogEvent, 0, len(c))
	for i := range c {
		in.LogEvents = append(in.LogEvents, types.InputLogEvent{Timestamp: &c[i].time, Message: &c[i].text})
	}
	put := func(ctx context.Context) (*logs.PutLogEventsOutput, error) {
		out, err := g.client.PutLogEvents(ctx, in)
		if err == nil && isEmpty(out.ResultMetadata) {
			err = errNoAnswer
		}
		return out, err
	}
	out, err := attempt(ctx, g.caller, "PutLogEvents", put)
	if _, missing := errors.AsType[*types.ResourceNotFoundException](err); !missing {
		return out, err
	}
	if err := g.create(ctx, c[0].stream); err != nil { // also if it is the group that is missing
		return nil, err
	}
	return attempt(ctx, g.caller, "PutLogEvents", put)
}

func (g *group) create(ctx context.Context, stream string) error {
	in := &logs.CreateLogStreamInput{LogGroupName: &g.name, LogStreamName: &stream}
	_, err := attempt(ctx, g.caller, "CreateLogStream", func(ctx context.Context) (*logs.CreateLogStreamOutput, error) {
		out, err := g.client.CreateLogStream(ctx, in)
		if _, exists := errors.AsType[*types.ResourceAlreadyExistsException](err); exists {
			return &logs.CreateLogStreamOutput{}, nil // somebody else was faster
		}
		return out, err
	})
	if err == nil {
		g.logger.Info("log stream created", "log_stream", stream)
	}
	return err
}

// isEmpty reports whether an answer had no body. The SDK takes that for success, but
// PutLogEvents always answers with an object.
func isEmpty(m smithymiddleware.Metadata) bool {
	r, ok := middleware.GetRawResponse(m).(*smithyhttp.Response)
	return ok && r.ContentLength == 0
}

// rejection is why CloudWatch Logs does not take an event, ever.
// Source: CloudWatch Logs API Reference, "RejectedLogEventsInfo" and "PutLogEvents".
type rejection struct{ name, text string }

var (
	tooNew = rejection{"too_new", "its time is more than 2 hours ahead"}
	tooOld = rejection{"too_old", "it is older than 14 days"}
	aged   = rejection{"expired", "it is older than the log group's retention"}
)

// rejections returns which of the n events of a call were rejected, by their place in it.
// The two ends are exclusive and the start is inclusive. An end of 0 would reject nothing
// and need not be there; since there are emulators that mean the first event by it, it
// counts as 1: a dead letter too many can be seen, an event too few can not.
func rejections(info *types.RejectedLogEventsInfo, n int) map[int]rejection {
	if info == nil {
		return nil
	}
	all := map[int]rejection{}
	if i := info.TooNewLogEventStartIndex; i != nil {
		for at := max(0, int(*i)); at < n; at++ {
			all[at] = tooNew
		}
	}
	for at := range end(info.TooOldLogEventEndIndex, n) {
		all[at] = tooOld
	}
	for at := range end(info.ExpiredLogEventEndIndex, n) {
		all[at] = aged
	}
	return all
}

func end(index *int32, n int) int {
	if index == nil {
		return 0
	}
	return min(max(1, int(*index)), n)
}

// badEventText matches what CloudWatch Logs says of events that it will never take: "Log
// event too large: …", "Upload too large: …", "Value at 'logEvents.1.member.message' …".
var badEventText = regexp.MustCompile(`(?i)^(Log event|Upload) too large|\blogEvents\.\d+\.member\.message\b`)

// badLogEvent reports whether CloudWatch Logs says that an event is malformed or too large.
// Source: CloudWatch Logs API Reference, "PutLogEvents", Errors.
func badLogEvent(code, text string) bool {
	switch code {
	case "InvalidParameterException", "ValidationException", "SerializationException":
		return badEventText.MatchString(text)
	}
	return false
}

// streamName names the stream of an event. Its day is in the name because the events of
// a request must not be more than 24 hours apart; so no request spans two days, however
// long its events have waited.
func streamName(d *sink.Delivery) string {
	at := d.Event.Time.UTC()
	return fmt.Sprintf("%s/%s/%04d/%02d/%02d", streamPart(d.Set), streamPart(d.Destination), at.Year(), at.Month(), at.Day())
}

// streamPart makes of a name what the name of a stream may hold.
// Source: CloudWatch Logs API Reference, "CreateLogStream", logStreamName.
func streamPart(name string) string {
	const most = 200
	if name == "" {
		return "-"
	}
	return notInStreams.ReplaceAllString(name[:min(len(name), most)], "_")
}

var notInStreams = regexp.MustCompile(`[^A-Za-z0-9._#-]`)
