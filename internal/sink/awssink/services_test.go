package awssink

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"tidings/internal/account"
)

// perform gives the real answer, as far as AWS's is known.
func (d *double) perform(w http.ResponseWriter, r *request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	perform, ok := map[string]func(http.ResponseWriter, *request){
		"sns.Publish": d.publish, "sns.PublishBatch": d.publishBatch, "firehose.PutRecordBatch": d.putRecordBatch,
		"kinesis.PutRecords": d.putRecords, "logs.PutLogEvents": d.putLogEvents, "logs.CreateLogStream": d.createLogStream, "sts.AssumeRole": d.assumeRole,
		"cloudwatch.PutMetricData": d.putMetricData,
	}[r.service+"."+r.operation]
	if !ok {
		r.fail(w, http.StatusBadRequest, "InvalidAction", r.service+"."+r.operation)
		return
	}
	perform(w, r)
}

// poison marks a record that every service refuses for good.
const poison = `"poison"`

func (d *double) publish(w http.ResponseWriter, r *request) {
	message := r.form.Get("Message")
	switch {
	case r.form.Get("TopicArn") != "arn:aws:sns:eu-central-1:123456789012:alerts" && r.form.Get("MessageGroupId") == "":
		r.fail(w, http.StatusNotFound, "NotFound", "Topic does not exist")
	case message == "":
		r.fail(w, http.StatusBadRequest, "InvalidParameter", "Invalid parameter: Empty message")
	case len(message) > 262_144 || strings.Contains(message, poison):
		r.fail(w, http.StatusBadRequest, "InvalidParameter", "Invalid parameter: Message too long")
	default:
		d.records = append(d.records, []byte(message))
		fmt.Fprint(w, `<PublishResponse><PublishResult><MessageId>m-1</MessageId></PublishResult><ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata></PublishResponse>`)
	}
}

// batchEntry is an entry of a PublishBatch.
type batchEntry struct{ ID, Message, Group, Deduplication string }

func (r *request) entries() []batchEntry {
	var all []batchEntry
	for i := 1; ; i++ {
		prefix := "PublishBatchRequestEntries.member." + strconv.Itoa(i) + "."
		if !r.form.Has(prefix + "Id") {
			return all
		}
		all = append(all, batchEntry{
			r.form.Get(prefix + "Id"), r.form.Get(prefix + "Message"),
			r.form.Get(prefix + "MessageGroupId"), r.form.Get(prefix + "MessageDeduplicationId"),
		})
	}
}

func (d *double) publishBatch(w http.ResponseWriter, r *request) {
	size := 0
	seen := map[string]bool{}
	for _, e := range r.entries() {
		size += len(e.Message)
		if seen[e.ID] {
			r.fail(w, http.StatusBadRequest, "BatchEntryIdsNotDistinct", "Two or more batch entries in the request have the same Id.")
			return
		}
		seen[e.ID] = true
	}
	switch {
	case len(seen) > 10:
		r.fail(w, http.StatusBadRequest, "TooManyEntriesInBatchRequest", "The batch request contains more entries than permissible.")
		return
	case size > 262_144:
		r.fail(w, http.StatusBadRequest, "BatchRequestTooLong", "The length of all the messages put together is more than the limit.")
		return
	}
	var successful, failed strings.Builder
	for _, e := range r.entries() {
		if strings.Contains(e.Message, poison) {
			failed.WriteString(member(e.ID, "InvalidParameter", "Invalid parameter: Message too long", true))
			continue
		}
		d.records = append(d.records, []byte(e.Message))
		fmt.Fprintf(&successful, `<member><Id>%s</Id><MessageId>m-%s</MessageId></member>`, e.ID, e.ID)
	}
	writeBatchResult(w, successful.String(), failed.String())
}

func member(id, code, text string, sender bool) string {
	return fmt.Sprintf(`<member><Id>%s</Id><Code>%s</Code><Message>%s</Message><SenderFault>%v</SenderFault></member>`, id, code, text, sender)
}

func writeBatchResult(w io.Writer, successful, failed string) {
	fmt.Fprintf(w, `<PublishBatchResponse><PublishBatchResult><Successful>%s</Successful><Failed>%s</Failed></PublishBatchResult></PublishBatchResponse>`, successful, failed)
}

// putRecordBatchInput is the body of a PutRecordBatch.
type putRecordBatchInput struct {
	DeliveryStreamName string
	Records            []struct{ Data []byte }
}

func (d *double) putRecordBatch(w http.ResponseWriter, r *request) {
	var in putRecordBatchInput
	if err := json.Unmarshal(r.body, &in); err != nil {
		r.fail(w, http.StatusBadRequest, "SerializationException", err.Error())
		return
	}
	size := 0
	for _, record := range in.Records {
		size += len(record.Data)
	}
	switch {
	case in.DeliveryStreamName != "calls":
		r.fail(w, http.StatusBadRequest, "ResourceNotFoundException", "Firehose "+in.DeliveryStreamName+" under account 123456789012 not found.")
		return
	case len(in.Records) == 0 || len(in.Records) > 500 || size > 4<<20:
		r.fail(w, http.StatusBadRequest, "InvalidArgumentException", "Records size exceeds 4 MB limit")
		return
	}
	type entry struct{ RecordId, ErrorCode, ErrorMessage *string }
	out := struct {
		FailedPutCount   int
		RequestResponses []entry
	}{}
	for i, record := range in.Records {
		if strings.Contains(string(record.Data), poison) {
			out.FailedPutCount++
			out.RequestResponses = append(out.RequestResponses, entry{ErrorCode: new("InvalidArgumentException"), ErrorMessage: new("Record size exceeds limit")})
			continue
		}
		d.records = append(d.records, record.Data)
		out.RequestResponses = append(out.RequestResponses, entry{RecordId: new(strconv.Itoa(i))})
	}
	_ = json.NewEncoder(w).Encode(out)
}

// putRecordsInput is the body of a PutRecords.
type putRecordsInput struct {
	StreamARN string
	Records   []struct {
		Data         []byte
		PartitionKey string
	}
}

func (d *double) putRecords(w http.ResponseWriter, r *request) {
	var in putRecordsInput
	if err := json.Unmarshal(r.body, &in); err != nil {
		r.fail(w, http.StatusBadRequest, "SerializationException", err.Error())
		return
	}
	size := 0
	for i, record := range in.Records {
		size += len(record.Data) + len(record.PartitionKey)
		if n := utf8.RuneCountInString(record.PartitionKey); n < 1 || n > 256 {
			r.fail(w, http.StatusBadRequest, "ValidationException", fmt.Sprintf("1 validation error detected: Value at 'records.%d.member.partitionKey' failed to satisfy constraint", i+1))
			return
		}
	}
	switch {
	case in.StreamARN != "arn:aws:kinesis:eu-central-1:123456789012:stream/events":
		r.fail(w, http.StatusBadRequest, "ResourceNotFoundException", "Stream "+in.StreamARN+" under account 123456789012 not found.")
		return
	case len(in.Records) == 0 || len(in.Records) > 500 || size > 10<<20 || len(in.Records) > 1 && size > 5<<20:
		r.fail(w, http.StatusBadRequest, "InvalidArgumentException", "Records size exceeds 5 MB limit")
		return
	}
	type entry struct{ SequenceNumber, ShardId, ErrorCode, ErrorMessage *string }
	out := struct {
		FailedRecordCount int
		Records           []entry
	}{}
	for i, record := range in.Records {
		if strings.Contains(string(record.Data), poison) {
			out.FailedRecordCount++
			out.Records = append(out.Records, entry{ErrorCode: new("InvalidArgumentException"), ErrorMessage: new("Record size exceeds limit")})
			continue
		}
		d.records = append(d.records, record.Data)
		d.partitions = append(d.partitions, record.PartitionKey)
		out.Records = append(out.Records, entry{SequenceNumber: new(strconv.Itoa(i + 1)), ShardId: new("shardId-000000000000")})
	}
	_ = json.NewEncoder(w).Encode(out)
}

// putLogEventsInput is the body of a PutLogEvents.
type putLogEventsInput struct {
	Group  string   `json:"logGroupName"`
	Stream string   `json:"logStreamName"`
	Events []logged `json:"logEvents"`
}

func (d *double) putLogEvents(w http.ResponseWriter, r *request) {
	var in putLogEventsInput
	if err := json.Unmarshal(r.body, &in); err != nil {
		r.fail(w, http.StatusBadRequest, "SerializationException", err.Error())
		return
	}
	size := 0
	for i, e := range in.Events {
		size += len(e.Text) + 26
		if i > 0 && e.Time < in.Events[i-1].Time {
			r.fail(w, http.StatusBadRequest, "InvalidParameterException", "Log events in a single PutLogEvents request must be in chronological order.")
			return
		}
		if strings.Contains(e.Text, poison) {
			r.fail(w, http.StatusBadRequest, "InvalidParameterException", "Log event too large: 1048600 bytes exceeds limit of 1048576")
			return
		}
	}
	switch streams, ok := d.groups[in.Group]; {
	case len(in.Events) == 0 || len(in.Events) > 10_000 || size > 1<<20:
		r.fail(w, http.StatusBadRequest, "InvalidParameterException", fmt.Sprintf("Upload too large: %d bytes exceeds limit of 1048576", size))
	case in.Events[len(in.Events)-1].Time-in.Events[0].Time > 24*time.Hour.Milliseconds():
		r.fail(w, http.StatusBadRequest, "InvalidParameterException", "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.")
	case !ok:
		r.fail(w, http.StatusBadRequest, "ResourceNotFoundException", "The specified log group does not exist.")
	case streams[in.Stream] == nil:
		r.fail(w, http.StatusBadRequest, "ResourceNotFoundException", "The specified log stream does not exist.")
	default:
		for _, e := range in.Events {
			streams[in.Stream] = append(streams[in.Stream], e)
			d.records = append(d.records, []byte(e.Text))
		}
		fmt.Fprint(w, `{"nextSequenceToken":"1"}`)
	}
}

func (d *double) createLogStream(w http.ResponseWriter, r *request) {
	var in putLogEventsInput
	if err := json.Unmarshal(r.body, &in); err != nil {
		r.fail(w, http.StatusBadRequest, "SerializationException", err.Error())
		return
	}
	switch streams, ok := d.groups[in.Group]; {
	case len(in.Stream) < 1 || len(in.Stream) > 512 || strings.ContainsAny(in.Stream, ":*"):
		r.fail(w, http.StatusBadRequest, "InvalidParameterException", "Value at 'logStreamName' failed to satisfy constraint")
	case !ok:
		r.fail(w, http.StatusBadRequest, "ResourceNotFoundException", "The specified log group does not exist.")
	case streams[in.Stream] != nil:
		r.fail(w, http.StatusBadRequest, "ResourceAlreadyExistsException", "The specified log stream already exists")
	default:
		streams[in.Stream] = []logged{}
	}
}

// roleToken is what the session token of a role looks like: long.
var roleToken = strings.Repeat("FwoGZXIvYXdzEBYaDHqa0AP", 12)

func (d *double) assumeRole(w http.ResponseWriter, r *request) {
	if r.form.Get("RoleArn") != theRole {
		r.fail(w, http.StatusForbidden, "AccessDenied", "User: arn:aws:iam::123456789012:user/tidings is not authorized to perform: sts:AssumeRole on resource: "+r.form.Get("RoleArn"))
		return
	}
	d.assumed++
	expires := d.now().Add(d.life)
	k := &account.Key{
		ID: fmt.Sprintf("ASIAROLE%d", d.assumed), Secret: fmt.Sprintf("secret/of/role/%d", d.assumed), SessionToken: roleToken,
		Account: &account.Account{ID: theAccount}, Expires: expires,
	}
	d.keys[k.ID] = k
	type keys struct {
		XMLName                                    xml.Name `xml:"Credentials"`
		AccessKeyId, SecretAccessKey, SessionToken string
		Expiration                                 time.Time
	}
	text, _ := xml.Marshal(keys{AccessKeyId: k.ID, SecretAccessKey: k.Secret, SessionToken: roleToken, Expiration: expires.UTC()})
	fmt.Fprintf(w, `<AssumeRoleResponse><AssumeRoleResult><AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/publisher/tidings</Arn><AssumedRoleId>x</AssumedRoleId></AssumedRoleUser>%s</AssumeRoleResult></AssumeRoleResponse>`, text)
}

// metricSeen is one member of a PutMetricData.
type metricSeen struct {
	Name, Dimensions, Time, Value, Count string
}

// putMetricData takes metrics as CloudWatch does: all of them, or none.
func (d *double) putMetricData(w http.ResponseWriter, r *request) {
	var all []metricSeen
	for i := 1; ; i++ {
		prefix := fmt.Sprintf("MetricData.member.%d.", i)
		if !r.form.Has(prefix + "MetricName") {
			break
		}
		m := metricSeen{
			Name: r.form.Get(prefix + "MetricName"), Time: r.form.Get(prefix + "Timestamp"),
			Value: r.form.Get(prefix + "Values.member.1"), Count: r.form.Get(prefix + "Counts.member.1"),
		}
		for n := 1; r.form.Has(fmt.Sprintf("%sDimensions.member.%d.Name", prefix, n)); n++ {
			at := fmt.Sprintf("%sDimensions.member.%d.", prefix, n)
			m.Dimensions += r.form.Get(at+"Name") + "=" + r.form.Get(at+"Value") + ";"
		}
		all = append(all, m)
	}
	if len(all) == 0 || len(all) > 1_000 {
		r.fail(w, http.StatusBadRequest, "ValidationError", "The collection MetricData must have 1 to 1000 members.")
		return
	}
	d.namespaces = append(d.namespaces, r.form.Get("Namespace"))
	d.metrics = append(d.metrics, all...)
	fmt.Fprint(w, `<PutMetricDataResponse><ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata></PutMetricDataResponse>`)
}
