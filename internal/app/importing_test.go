package app

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tidings/internal/admin"
	"tidings/internal/awscli"
	"tidings/internal/config"
	"tidings/internal/configset"
	"tidings/internal/event"
	"tidings/internal/fanout"
	"tidings/internal/quota"
)

var (
	here  = awscli.Owner{Account: testAccount, Region: "us-east-1"}
	there = awscli.Owner{Account: testAccount, Region: "eu-west-1"}
)

const (
	topicARN  = "arn:aws:sns:us-east-1:123456789012:alerts"
	hoseARN   = "arn:aws:firehose:us-east-1:123456789012:deliverystream/all"
	streamARN = "arn:aws:kinesis:us-east-1:123456789012:stream/all"
	roleARN   = "arn:aws:iam::123456789012:role/all"
)

// opened is a server that does not run, with at most two sets and two apps.
func opened(t *testing.T) *App {
	t.Helper()
	cfg := settings(t)
	cfg.Accounts = []config.Account{{
		ID: testAccount, Keys: []config.Key{{ID: "key", Secret: "secret"}},
		Quotas: map[quota.Name]int64{quota.ConfigurationSets: 2, quota.Apps: 2, quota.EventDestinations: 3},
	}}
	a, err := New(t.Context(), cfg, "test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.close(); err != nil {
			t.Errorf("close = %v", err)
		}
	})
	return a
}

func id(n int) string { return fmt.Sprintf("%032x", n) }

func appsBatch() awscli.Batch {
	created := time.Date(2019, 9, 18, 22, 35, 28, 512e6, time.UTC)
	return awscli.Batch{
		Service: awscli.Pinpoint,
		Apps: []awscli.App{
			{Owner: here, ID: id(1), Name: "shop", Tags: map[string]string{"k": "v"}, Created: created},
			{Owner: here, ID: "none", Name: "no ID"},
			{Owner: here, ID: id(2), Name: "test"},
			{Owner: here, ID: id(3), Name: "one too many"},
			{Owner: there, ID: id(3), Name: "elsewhere"},
			{Owner: awscli.Owner{Account: "1", Region: "us-east-1"}, ID: id(4), Name: "x"},
			{Owner: awscli.Owner{Account: testAccount, Region: "US East"}, ID: id(5), Name: "x"},
		},
		Streams: []awscli.Stream{
			{Owner: here, App: id(1), ARN: streamARN, Role: roleARN, Modified: created, By: "jane"},
			{Owner: here, App: id(2), ARN: topicARN, Role: roleARN},
			{Owner: here, App: id(3), ARN: streamARN, Role: roleARN},
			{Owner: there, App: id(3), ARN: hoseARN, Role: roleARN},
		},
	}
}

func voiceBatch() awscli.Batch {
	topic := awscli.Destination{Name: "topic", Enabled: true, Types: []string{"ANSWERED", "BUSY"}, Kind: configset.SNS, ARN: topicARN}
	hose := awscli.Destination{Name: "hose", Types: []string{"FAILED"}, Kind: configset.KinesisFirehose, ARN: hoseARN, Role: roleARN}
	none := awscli.Destination{Name: "none", Types: []string{"FAILED"}}
	email := awscli.Destination{Name: "email", Types: []string{"send"}, Kind: configset.SNS, ARN: topicARN}
	extra, more := topic, topic
	extra.Name, more.Name = "extra", "more"
	return awscli.Batch{Service: awscli.SMSVoice, Sets: []awscli.Set{
		{Owner: here, Name: "calls", Destinations: []awscli.Destination{topic, none, hose, email, extra, more}, Whole: true},
		{Owner: here, Name: "a b", Destinations: []awscli.Destination{topic}},
		{Owner: here, Name: "empty"},
		{Owner: here, Name: "one-too-many", Destinations: []awscli.Destination{topic}},
		{Owner: there, Name: "calls"},
	}}
}

// take imports and fails the test on an error.
func take(t testing.TB, a *App, in admin.Import) admin.Imported {
	t.Helper()
	done, err := a.Import(t.Context(), in)
	if err != nil {
		t.Fatalf("Import = %v, want nil", err)
	}
	return done
}

func export(t testing.TB, a *App, service awscli.Service, owner awscli.Owner) awscli.Batch {
	t.Helper()
	b, err := a.Export(t.Context(), service, owner)
	if err != nil {
		t.Fatalf("Export = %v, want nil", err)
	}
	return b
}

// summary is what became of each thing, with the beginning of the reason.
func summary(done admin.Imported) (lines []string) {
	for _, i := range done.Items {
		lines = append(lines, strings.TrimSuffix(fmt.Sprintf("%s %s %s/%s: %.40s", i.Result, i.Kind, i.Region, i.Name, i.Reason), ": "))
	}
	return lines
}

func same(t testing.TB, what string, want, got any, options ...cmp.Option) {
	t.Helper()
	if diff := cmp.Diff(want, got, options...); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestImportApps(t *testing.T) {
	t.Parallel()
	a := opened(t)
	same(t, "import", []string{
		"created app us-east-1/" + id(1),
		"refused app us-east-1/none: The ID of an app must be 32 hexadecimal ",
		"created app us-east-1/" + id(2),
		"refused app us-east-1/" + id(3) + ": An account has at most 2 apps in a regio",
		"created app eu-west-1/" + id(3),
		"refused app us-east-1/" + id(4) + `: "1" is no account: an account has 12 dig`,
		"refused app US East/" + id(5) + `: "US East" is no region.`,
		"created event stream us-east-1/" + id(1),
		"refused event stream us-east-1/" + id(2) + ": DestinationStreamArn must have the form ",
		"refused event stream us-east-1/" + id(3) + ": There is no app with this ID; import it ",
		"created event stream eu-west-1/" + id(3),
	}, summary(take(t, a, admin.Import{Batch: appsBatch()})))

	got := export(t, a, awscli.Pinpoint, here)
	want := appsBatch()
	want.Apps, want.Streams = []awscli.App{want.Apps[0], want.Apps[2]}, want.Streams[:1]
	want.Apps[0].ARN, want.Apps[1].ARN = "arn:aws:mobiletargeting:us-east-1:123456789012:apps/"+id(1), "arn:aws:mobiletargeting:us-east-1:123456789012:apps/"+id(2)
	want.Apps[1].Created = got.Apps[1].Created // now
	same(t, "export", want, got, cmpopts.EquateEmpty())

	// Again, now with other names and roles.
	again := appsBatch()
	again.Apps, again.Streams = again.Apps[:1], again.Streams[:1]
	same(t, "import again", []string{"unchanged app us-east-1/" + id(1), "unchanged event stream us-east-1/" + id(1)}, summary(take(t, a, admin.Import{Batch: again})))
	again.Apps[0].Name, again.Apps[0].Tags, again.Streams[0].Role = "store", nil, "arn:aws:iam::123456789012:role/other"
	done := take(t, a, admin.Import{Batch: again})
	same(t, "import of others", []string{"would change app us-east-1/" + id(1), "would change event stream us-east-1/" + id(1)}, summary(done))
	same(t, "differences", []awscli.Difference{{Member: "Name", Old: "shop", New: "store"}}, done.Items[0].Changes)
	same(t, "what was left alone", got, export(t, a, awscli.Pinpoint, here))
	same(t, "import in place", []string{"changed app us-east-1/" + id(1), "changed event stream us-east-1/" + id(1)}, summary(take(t, a, admin.Import{Batch: again, Replace: true})))
	want.Apps[0].Name, want.Streams[0].Role = "store", again.Streams[0].Role
	same(t, "export of what was replaced", want, export(t, a, awscli.Pinpoint, here), cmpopts.EquateEmpty())

	// Changes obey the rules, whether they are made or not.
	again.Apps[0].Name, again.Streams[0].Role = strings.Repeat("x", 300), "nobody"
	for _, in := range []admin.Import{{Batch: again}, {Batch: again, Replace: true}, {Batch: again, DryRun: true}} {
		same(t, "changes against the rules", []string{
			"refused app us-east-1/" + id(1) + ": The name of an app has at most 256 chara",
			"refused event stream us-east-1/" + id(1) + `: The IAM role ARN "nobody" is wrong: an A`,
		}, summary(take(t, a, in)))
	}
}

func TestImportSets(t *testing.T) {
	t.Parallel()
	a := opened(t)
	same(t, "import", []string{
		"created configuration set us-east-1/calls",
		"created event destination us-east-1/calls/topic",
		"refused event destination us-east-1/calls/none: Exactly one destination must be specifie",
		"created event destination us-east-1/calls/hose",
		`refused event destination us-east-1/calls/email: "send" is not an event type; the event t`,
		"created event destination us-east-1/calls/extra",
		"refused event destination us-east-1/calls/more: Event destination limit exceeded for con",
		"refused configuration set us-east-1/a b: The name of the configuration set must b",
		"refused event destination us-east-1/a b/topic: The name of the configuration set must b",
		"created configuration set us-east-1/empty",
		"refused configuration set us-east-1/one-too-many: Configuration set limit exceeded.",
		"refused event destination us-east-1/one-too-many/topic: Configuration set limit exceeded.",
		"created configuration set eu-west-1/calls",
	}, summary(take(t, a, admin.Import{Batch: voiceBatch()})))

	calls := voiceBatch().Sets[0]
	calls.Destinations = []awscli.Destination{calls.Destinations[0], calls.Destinations[2], calls.Destinations[4]}
	want := awscli.Batch{Service: awscli.SMSVoice, Sets: []awscli.Set{calls, {Owner: here, Name: "empty", Whole: true}}}
	same(t, "export", want, export(t, a, awscli.SMSVoice, here))

	changed := voiceBatch()
	changed.Sets = changed.Sets[:1]
	d := changed.Sets[0].Destinations[:1]
	d[0].Types, d[0].Enabled = []string{"BUSY", "ANSWERED"}, false
	changed.Sets[0].Destinations = d
	done := take(t, a, admin.Import{Batch: changed})
	same(t, "import of another", []string{"unchanged configuration set us-east-1/calls", "would change event destination us-east-1/calls/topic"}, summary(done))
	same(t, "differences", []awscli.Difference{{Member: "Enabled", Old: "true", New: "false"}}, done.Items[1].Changes)
	same(t, "warnings", []string{
		`configuration set "calls" has an event destination "hose" here that it does not have in the files; it stays`,
		`configuration set "calls" has an event destination "extra" here that it does not have in the files; it stays`,
	}, done.Warnings)
	same(t, "what was left alone", want, export(t, a, awscli.SMSVoice, here))
	take(t, a, admin.Import{Batch: changed, Replace: true})
	want.Sets[0].Destinations[0] = d[0]
	same(t, "export of what was replaced", want, export(t, a, awscli.SMSVoice, here))
}

// TestADryRunSaysWhatWillBe, and changes nothing.
func TestADryRunSaysWhatWillBe(t *testing.T) {
	t.Parallel()
	for _, batch := range []awscli.Batch{appsBatch(), voiceBatch(), emailBatch()} {
		a := opened(t)
		before := export(t, a, batch.Service, here)
		dry := take(t, a, admin.Import{Batch: batch, DryRun: true})
		same(t, "what a dry run has changed", before, export(t, a, batch.Service, here))
		wet := take(t, a, admin.Import{Batch: batch})
		for i := range dry.Items {
			if dry.Items[i].Result == admin.ImportWouldCreate {
				dry.Items[i].Result = admin.ImportCreated
			}
		}
		same(t, "a dry run of "+string(batch.Service), dry, wet)

		// The same once more, with everything changed.
		for i := range batch.Apps {
			batch.Apps[i].Name += "!"
		}
		for i := range batch.Streams {
			batch.Streams[i].By += "!"
		}
		for i := range batch.Sets {
			for j := range batch.Sets[i].Destinations {
				d := &batch.Sets[i].Destinations[j]
				d.Enabled = !d.Enabled
			}
		}
		dry = take(t, a, admin.Import{Batch: batch, DryRun: true, Replace: true})
		wet = take(t, a, admin.Import{Batch: batch, Replace: true})
		if wet.Count(admin.ImportChanged) == 0 {
			t.Errorf("an import of other things of %s changed nothing", batch.Service)
		}
		for i := range dry.Items {
			if dry.Items[i].Result == admin.ImportWouldChange {
				dry.Items[i].Result = admin.ImportChanged
			}
		}
		same(t, "a dry run that replaces, of "+string(batch.Service), dry, wet)
	}
}

func emailBatch() awscli.Batch {
	return awscli.Batch{Service: awscli.SES, Sets: []awscli.Set{{Owner: here, Name: "news", Whole: true, Destinations: []awscli.Destination{
		{
			Name: "metrics", Enabled: true, Kind: configset.CloudWatch,
			Types:      []string{"send", "reject", "bounce", "complaint", "delivery", "open", "click", "renderingFailure"},
			Dimensions: []configset.Dimension{{Name: "campaign", Source: configset.LinkTag, Default: "none"}},
		},
		{Name: "topic", Types: []string{"bounce"}, Kind: configset.SNS, ARN: topicARN},
		{Name: "hose", Types: []string{"open"}, Kind: configset.KinesisFirehose, ARN: hoseARN, Role: roleARN},
	}}}}
}

func TestImportEmail(t *testing.T) {
	t.Parallel()
	a := opened(t)
	done := take(t, a, admin.Import{Batch: emailBatch()})
	if n := done.Count(admin.ImportCreated); n != 4 || len(done.Items) != 4 {
		t.Errorf("Import = %q, want the set and all it has", summary(done))
	}
	if len(done.Warnings) != 0 {
		t.Errorf("warnings = %q, want none", done.Warnings)
	}
	same(t, "export", emailBatch(), export(t, a, awscli.SES, awscli.Owner{}))
	if b := export(t, a, awscli.SMSVoice, awscli.Owner{}); len(b.Sets) != 0 {
		t.Errorf("the sets of calls are %+v, want none", b.Sets)
	}
	// Operators see where metrics go.
	list, _ := operator{a}.List()
	if len(list) != 3 || !slices.ContainsFunc(list, func(s fanout.SubscriberStatus) bool {
		return s.Destination == here.Account+"/us-east-1/email/news/metrics"
	}) {
		t.Errorf("List = %+v, want the three event destinations", list)
	}
	bad := emailBatch()
	bad.Sets[0].Destinations[0].Dimensions = nil
	bad.Sets[0].Destinations[1].Types = []string{"BUSY"}
	same(t, "bad ones", []string{
		"unchanged configuration set us-east-1/news",
		"refused event destination us-east-1/news/metrics: A CloudWatch destination has 1 to 10 dim",
		`refused event destination us-east-1/news/topic: "BUSY" is not an event type; the event t`,
		"unchanged event destination us-east-1/news/hose",
	}, summary(take(t, a, admin.Import{Batch: bad})))
	for _, word := range []string{"send", "reject", "bounce", "complaint", "delivery", "open", "click", "renderingFailure"} {
		kind, err := eventType(awscli.SES, word)
		if err != nil || kind.Channel() != string(configset.Email) || eventWord(awscli.SES, kind) != word {
			t.Errorf("%q is %q, whose word is %q", word, kind, eventWord(awscli.SES, kind))
		}
	}
	if got := eventWord(awscli.SES, event.Type("email.later")); got != "email.later" {
		t.Errorf("the word of a later version's type = %q, want our own", got)
	}
}

func TestWhoseToExport(t *testing.T) {
	t.Parallel()
	a := opened(t)
	stranger := awscli.Owner{Account: "999999999999", Region: "ap-south-1"}
	batch := awscli.Batch{Service: awscli.SMSVoice}
	for _, o := range []awscli.Owner{here, there, stranger} {
		batch.Sets = append(batch.Sets, awscli.Set{Owner: o, Name: "x"})
	}
	done := take(t, a, admin.Import{Batch: batch})
	same(t, "warnings", []string{"account 999999999999 is not among the accounts of the configuration: until it is, nobody can use what is imported for it"}, done.Warnings)
	for owner, want := range map[awscli.Owner]string{
		{}:                      "123456789012/eu-west-1, 123456789012/us-east-1, 999999999999/ap-south-1.",
		{Account: testAccount}:  "123456789012/eu-west-1, 123456789012/us-east-1.",
		{Region: "us-east-1"}:   "",
		{Region: "nowhere"}:     "",
		stranger:                "",
		{Account: "9999999999"}: "",
	} {
		b, err := a.Export(t.Context(), awscli.SMSVoice, owner)
		if want == "" {
			if err != nil || len(b.Sets) > 1 || b.Service != awscli.SMSVoice {
				t.Errorf("Export of %+v = %+v, %v, want one or none", owner, b, err)
			}
			continue
		}
		if err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("Export of %+v = %v, want %q", owner, err, want)
		}
	}
}

func TestWhatIsNoImport(t *testing.T) {
	t.Parallel()
	a := opened(t)
	for _, b := range []awscli.Batch{
		{},
		{Service: "sqs"},
		{Service: awscli.Pinpoint, Sets: voiceBatch().Sets},
		{Service: awscli.SES, Apps: appsBatch().Apps},
		{Service: awscli.SMSVoice, Streams: appsBatch().Streams},
	} {
		if done, err := a.Import(t.Context(), admin.Import{Batch: b}); err == nil || len(done.Items) > 0 {
			t.Errorf("Import of %q = %+v, %v, want it refused as a whole", b.Service, done, err)
		}
	}
	if _, err := a.Export(t.Context(), "sqs", awscli.Owner{}); err == nil {
		t.Error("Export of an unknown service = nil, want an error")
	}
	// A store that has failed is not the fault of what is imported.
	if err := a.store.Close(); err != nil {
		t.Fatal(err)
	}
	for _, b := range []awscli.Batch{appsBatch(), voiceBatch()} {
		if done, err := a.Import(t.Context(), admin.Import{Batch: b}); err == nil || len(done.Items) > 0 {
			t.Errorf("Import into a closed store = %+v, %v, want an error", done, err)
		}
	}
}
