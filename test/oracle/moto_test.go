package oracle

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/aws/credentials/stscreds"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go/service/firehose"
	"github.com/aws/aws-sdk-go/service/pinpointsmsvoice"
	"github.com/aws/aws-sdk-go/service/s3"
	"github.com/aws/aws-sdk-go/service/sns"
	"github.com/aws/aws-sdk-go/service/sqs"
	"github.com/google/go-cmp/cmp"
)

// otherAccount owns what a role of that account has to be assumed for.
const otherAccount = "210987654321"

// emulator is moto: SNS, SQS, Firehose, S3, CloudWatch Logs and STS, that keep what they get.
type emulator struct{ url string }

func pythonWithMoto(t testing.TB) string {
	t.Helper()
	for _, python := range []string{"python3", "/usr/bin/python3"} {
		if exec.CommandContext(t.Context(), python, "-c", "import moto.server, flask").Run() == nil {
			return python
		}
	}
	t.Skip("moto is not installed (pip install 'moto[server]')")
	return ""
}

var motoListens = regexp.MustCompile(`Running on (http://127\.0\.0\.1:\d+)`)

// startMoto starts moto on a free port. It is ended with the test.
func startMoto(t testing.TB) *emulator {
	t.Helper()
	process := exec.Command(pythonWithMoto(t), "-m", "moto.server", "-H", "127.0.0.1", "-p", "0")
	process.Env = append(os.Environ(), "PYTHONUNBUFFERED=1")
	out, err := process.StderrPipe()
	if err == nil {
		err = process.Start()
	}
	if err != nil {
		t.Fatalf("start moto: %v", err)
	}
	lines := bufio.NewReader(out)
	drained := make(chan struct{})
	t.Cleanup(func() {
		_ = process.Process.Kill()
		<-drained
		_ = process.Wait() // it was killed
	})
	var said strings.Builder
	for {
		line, err := lines.ReadString('\n')
		said.WriteString(line)
		if found := motoListens.FindStringSubmatch(line); found != nil {
			go func() {
				defer close(drained)
				_, _ = io.Copy(io.Discard, lines)
			}()
			return &emulator{url: found[1]}
		}
		if err != nil {
			close(drained)
			t.Fatalf("moto does not listen: %v\n%s", err, said.String())
		}
	}
}

// session is how the SDK reaches the emulator, as somebody of the test account; with a
// role, as that role.
func (e *emulator) session(t testing.TB, role string) *session.Session {
	t.Helper()
	s, err := session.NewSession(&aws.Config{
		Endpoint: &e.url, Region: new(testRegion), S3ForcePathStyle: new(true), HTTPClient: &http.Client{},
		Credentials: credentials.NewStaticCredentials(testKey, testSecret, ""),
	})
	if err != nil {
		t.Fatalf("make a session: %v", err)
	}
	if role != "" {
		s = s.Copy(&aws.Config{Credentials: stscreds.NewCredentials(s, role)})
	}
	return s
}

// place is a topic, a delivery stream and a log group at the emulator, and where their
// content can be read.
type place struct {
	queue, bucket, group       *string
	queues                     *sqs.SQS
	objects                    *s3.S3
	logs                       *cloudwatchlogs.CloudWatchLogs
	topicARN, hoseARN, logsARN string
	role                       string
}

// prepare makes a topic with a queue behind it in the test account, and a delivery stream
// with a bucket behind it and a log group in the account of the role.
func (e *emulator) prepare(t testing.TB, account string) *place {
	t.Helper()
	p := &place{
		bucket: new("calls-" + account), group: new("/voice/calls"), role: "arn:aws:iam::" + account + ":role/publisher",
		hoseARN: "arn:aws:firehose:" + testRegion + ":" + account + ":deliverystream/calls",
		logsARN: "arn:aws:logs:" + testRegion + ":" + account + ":log-group:/voice/calls",
	}
	own, theirs := e.session(t, ""), e.session(t, "")
	if account != testAccount {
		theirs = e.session(t, p.role)
	}
	p.queues, p.objects, p.logs = sqs.New(own), s3.New(theirs), cloudwatchlogs.New(theirs)
	topic, err := sns.New(own).CreateTopicWithContext(t.Context(), &sns.CreateTopicInput{Name: new("calls")})
	must(t, "create the topic", err)
	p.topicARN = *topic.TopicArn
	queue, err := p.queues.CreateQueueWithContext(t.Context(), &sqs.CreateQueueInput{QueueName: new("calls")})
	must(t, "create the queue", err)
	p.queue = queue.QueueUrl
	_, err = sns.New(own).SubscribeWithContext(t.Context(), &sns.SubscribeInput{
		TopicArn: topic.TopicArn, Protocol: new("sqs"), Endpoint: new("arn:aws:sqs:" + testRegion + ":" + testAccount + ":calls"),
	})
	must(t, "subscribe the queue", err)
	_, err = p.objects.CreateBucketWithContext(t.Context(), &s3.CreateBucketInput{Bucket: p.bucket})
	must(t, "create the bucket", err)
	_, err = firehose.New(theirs).CreateDeliveryStreamWithContext(t.Context(), &firehose.CreateDeliveryStreamInput{
		DeliveryStreamName: new("calls"),
		ExtendedS3DestinationConfiguration: &firehose.ExtendedS3DestinationConfiguration{
			BucketARN: new("arn:aws:s3:::" + *p.bucket), RoleARN: &p.role, Prefix: new("events/"),
		},
	})
	must(t, "create the delivery stream", err)
	_, err = p.logs.CreateLogGroupWithContext(t.Context(), &cloudwatchlogs.CreateLogGroupInput{LogGroupName: p.group})
	must(t, "create the log group", err)
	return p
}

func must(t testing.TB, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// subscribe makes a configuration set whose events go to the place, and to a file.
func (p *place) subscribe(t testing.TB, c *pinpointsmsvoice.PinpointSMSVoice) {
	t.Helper()
	_, err := c.CreateConfigurationSetWithContext(t.Context(), &pinpointsmsvoice.CreateConfigurationSetInput{ConfigurationSetName: new("calls")})
	must(t, "create the set", err)
	for name, d := range map[string]*pinpointsmsvoice.EventDestinationDefinition{
		"file":     {SnsDestination: &pinpointsmsvoice.SnsDestination{TopicArn: new("arn:aws:sns:" + testRegion + ":" + testAccount + ":copy")}},
		"topic":    {SnsDestination: &pinpointsmsvoice.SnsDestination{TopicArn: &p.topicARN}},
		"firehose": {KinesisFirehoseDestination: &pinpointsmsvoice.KinesisFirehoseDestination{DeliveryStreamArn: &p.hoseARN, IamRoleArn: &p.role}},
		"logs":     {CloudWatchLogsDestination: &pinpointsmsvoice.CloudWatchLogsDestination{LogGroupArn: &p.logsARN, IamRoleArn: &p.role}},
	} {
		d.Enabled, d.MatchingEventTypes = new(true), aws.StringSlice(pinpointsmsvoice.EventType_Values())
		_, err := c.CreateConfigurationSetEventDestinationWithContext(t.Context(), &pinpointsmsvoice.CreateConfigurationSetEventDestinationInput{
			ConfigurationSetName: new("calls"), EventDestinationName: &name, EventDestination: d,
		})
		must(t, "create the event destination "+name, err)
	}
}

// envelope is what SNS puts around a message.
type envelope struct {
	Type, TopicArn, Message string
	Subject                 *string
}

// readQueue takes what waits in the queue, out of the envelopes of SNS.
func (p *place) readQueue(t testing.TB) []string {
	t.Helper()
	var all []string
	for _, e := range p.readEnvelopes(t) {
		all = append(all, e.Message)
	}
	return all
}

func (p *place) readEnvelopes(t testing.TB) []envelope {
	t.Helper()
	var all []envelope
	for {
		out, err := p.queues.ReceiveMessageWithContext(t.Context(), &sqs.ReceiveMessageInput{
			QueueUrl: p.queue, MaxNumberOfMessages: new(int64(10)), WaitTimeSeconds: new(int64(0)),
		})
		must(t, "receive from the queue", err)
		if len(out.Messages) == 0 {
			return all
		}
		for _, m := range out.Messages {
			var e envelope
			if err := json.Unmarshal([]byte(*m.Body), &e); err != nil || e.Type != "Notification" || e.TopicArn != p.topicARN {
				t.Fatalf("the queue has %q, %v, want a notification of %s", *m.Body, err, p.topicARN)
			}
			all = append(all, e)
			_, err := p.queues.DeleteMessageWithContext(t.Context(), &sqs.DeleteMessageInput{QueueUrl: p.queue, ReceiptHandle: m.ReceiptHandle})
			must(t, "delete from the queue", err)
		}
	}
}

// readBucket reads all objects that Firehose has written, and splits them as readers do.
func (p *place) readBucket(t testing.TB) []string {
	t.Helper()
	var keys, all []string
	err := p.objects.ListObjectsV2PagesWithContext(t.Context(), &s3.ListObjectsV2Input{Bucket: p.bucket},
		func(page *s3.ListObjectsV2Output, _ bool) bool {
			for _, o := range page.Contents {
				keys = append(keys, *o.Key)
			}
			return true
		})
	must(t, "list the bucket", err)
	for _, key := range keys {
		out, err := p.objects.GetObjectWithContext(t.Context(), &s3.GetObjectInput{Bucket: p.bucket, Key: &key})
		must(t, "get "+key, err)
		text, err := io.ReadAll(out.Body)
		_ = out.Body.Close()
		must(t, "read "+key, err)
		for line := range bytes.Lines(text) {
			whole, complete := bytes.CutSuffix(line, []byte("\n"))
			if !complete {
				t.Errorf("%s ends with %q, want a newline behind each record", key, line)
			}
			all = append(all, string(whole))
		}
	}
	return all
}

// readLogs reads all streams of the group. It checks that each event has the time that its
// record tells.
func (p *place) readLogs(t testing.TB) []string {
	t.Helper()
	streams, err := p.logs.DescribeLogStreamsWithContext(t.Context(), &cloudwatchlogs.DescribeLogStreamsInput{LogGroupName: p.group})
	must(t, "describe the log streams", err)
	var all []string
	for _, s := range streams.LogStreams {
		if name := *s.LogStreamName; !strings.HasPrefix(name, "calls/logs/20") || len(name) != len("calls/logs/2026/11/05") {
			t.Errorf("a log stream is called %q, want calls/logs/YYYY/MM/DD", name)
		}
		err := p.logs.GetLogEventsPagesWithContext(t.Context(), &cloudwatchlogs.GetLogEventsInput{
			LogGroupName: p.group, LogStreamName: s.LogStreamName, StartFromHead: new(true),
		}, func(page *cloudwatchlogs.GetLogEventsOutput, _ bool) bool {
			for _, e := range page.Events {
				if want := fmt.Sprintf(`"eventTimestamp":%d,`, *e.Timestamp); !strings.Contains(*e.Message, want) {
					t.Errorf("the event %q has the time %d", *e.Message, *e.Timestamp)
				}
				all = append(all, *e.Message)
			}
			return len(page.Events) > 0
		})
		must(t, "get the events of "+*s.LogStreamName, err)
	}
	return all
}

// callEverybody calls each phone of the simulator some times, and returns how many events
// that makes.
func callEverybody(t testing.TB, c *pinpointsmsvoice.PinpointSMSVoice, times int) int {
	t.Helper()
	events := 0
	for range times {
		for _, p := range simulatedPhones(t) {
			sendTo(t, c, "calls", p.Number)
			events += len(p.Events)
		}
	}
	return events
}

// count makes a set of lines that knows how often each came.
func count(lines []string) map[string]int {
	all := map[string]int{}
	for _, l := range lines {
		all[l]++
	}
	return all
}

// compare waits until each service has all events, and holds them to the file's lines.
func (p *place) compare(t *testing.T, s *server, events int) {
	began := time.Now()
	var want []string
	await(t, "the events in the file", func() bool {
		want = nil
		for _, r := range delivered(t, s.data, "sns", "copy") {
			want = append(want, r.line)
		}
		return len(want) >= events
	}, func() string { return fmt.Sprintf("%d of %d", len(want), events) })
	var queued []string
	for service, read := range map[string]func() []string{
		"SQS":  func() []string { queued = append(queued, p.readQueue(t)...); return queued },
		"S3":   func() []string { return p.readBucket(t) },
		"Logs": func() []string { return p.readLogs(t) },
	} {
		var got []string
		await(t, "the events in "+service, func() bool {
			got = read()
			return len(count(got)) >= events
		}, func() string { return fmt.Sprintf("%d of %d", len(got), events) })
		if diff := cmp.Diff(count(want), count(got)); diff != "" {
			t.Errorf("%s has other events than the file (-file +%s):\n%s", service, service, diff)
		}
		t.Logf("%s: %d of %d events, byte for byte, within %v", service, len(got), events, time.Since(began).Round(time.Millisecond))
	}
}

// TestEmulatorWithTheDefaultChain delivers with credentials that the environment holds.
func TestEmulatorWithTheDefaultChain(t *testing.T) {
	t.Parallel()
	e := startMoto(t)
	p := e.prepare(t, testAccount)
	s := start(t, options{
		config: map[string]any{
			"destinations": []any{
				map[string]any{"match": "arn:aws:sns:*:*:copy", "file": map[string]any{}},
				map[string]any{"match": "arn:aws:*:*:*:*", "aws": map[string]any{"endpoint": e.url}},
			},
			"voice": map[string]any{"simulator": map[string]any{"speed": 1_000}},
		},
		env: map[string]string{"AWS_ACCESS_KEY_ID": testKey, "AWS_SECRET_ACCESS_KEY": testSecret, "AWS_SESSION_TOKEN": ""},
	})
	c := client(t, s.API, testRegion)
	p.subscribe(t, c)
	p.compare(t, s, callEverybody(t, c, 5))
}

// TestEmulatorWithARole delivers into another account, which only the role can reach.
func TestEmulatorWithARole(t *testing.T) {
	t.Parallel()
	e := startMoto(t)
	p := e.prepare(t, otherAccount)
	s := start(t, options{
		config: map[string]any{
			"destinations": []any{
				map[string]any{"match": "arn:aws:sns:*:*:copy", "file": map[string]any{}},
				map[string]any{"match": "arn:aws:*:*:*:*", "aws": map[string]any{
					"endpoint": e.url, "assume_role": true, "external_id": "tidings/oracle",
					"access_key_id": testKey, "secret_access_key": "env:EMULATOR_SECRET",
				}},
			},
			"voice": map[string]any{"simulator": map[string]any{"speed": 1_000}},
		},
		env: map[string]string{"EMULATOR_SECRET": testSecret},
	})
	c := client(t, s.API, testRegion)
	p.subscribe(t, c)
	p.compare(t, s, callEverybody(t, c, 2))
}
