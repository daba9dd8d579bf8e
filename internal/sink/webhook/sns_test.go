package webhook

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"tidings/internal/event"
	"tidings/internal/sink"

	"github.com/google/go-cmp/cmp"
)

const record = `{"eventType":"ANSWERED","text":"naïve \"quoted\"\n<&> 日本"}`

// rig is a consumer, and what delivers to it.
type rig struct {
	*consumer
	notes  *notebook
	topics *Topics
	driver *Driver
	sink   sink.Sink
}

func newRig(tb testing.TB, change func(*Settings)) *rig {
	tb.Helper()
	r := &rig{consumer: newConsumer(tb), notes: &notebook{}}
	r.topics = newTopics(tb, r.notes)
	settings := Settings{URL: r.URL + "/{name}", Format: FormatSNS, Topics: r.topics, AllowPrivate: true}
	if change != nil {
		change(&settings)
	}
	r.driver = newDriver(tb, settings)
	r.sink = openSink(tb, r.driver)
	return r
}

// at moves the clock of the topics.
func (r *rig) at(d time.Duration) {
	now := time.Now().Add(d)
	r.topics.now = func() time.Time { return now }
}

// last returns the last message of a type.
func (r *rig) last(tb testing.TB, kind string) snsMessage {
	tb.Helper()
	all := r.messages(tb, kind)
	if len(all) == 0 {
		tb.Fatalf("no %s has come", kind)
	}
	return all[len(all)-1]
}

// count checks how many messages of each type have come.
func (r *rig) count(tb testing.TB, notifications, confirmations, farewells int) {
	tb.Helper()
	got := map[string]int{}
	for _, kind := range []string{typeNotification, typeConfirmation, typeUnsubscribed} {
		got[kind] = len(r.messages(tb, kind))
	}
	want := map[string]int{typeNotification: notifications, typeConfirmation: confirmations, typeUnsubscribed: farewells}
	if !maps.Equal(got, want) {
		tb.Errorf("messages %v, want %v", got, want)
	}
}

func TestNotification(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	deliver(t, r.sink, record)
	deliver(t, r.sink, record) // again, as after a lost answer
	m := r.last(t, typeNotification)
	all := r.got()
	if !slices.Equal(all[1].body, all[2].body) {
		t.Errorf("the repeat differs: %s, then %s", all[1].body, all[2].body)
	}
	if uri := all[1].uri; uri != "/alerts" {
		t.Errorf("posted to %s, want /alerts", uri)
	}
	uuid := `[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`
	public := regexp.QuoteMeta(*r.topics.public.Load())
	for _, tc := range []struct{ name, got, want string }{
		{"method", m.method, `POST`},
		{"Content-Type", m.contentType, `text/plain; charset=UTF-8`},
		{"User-Agent", m.userAgent, `Amazon Simple Notification Service Agent`},
		{"x-amz-sns-message-type", m.messageType, `Notification`},
		{"x-amz-sns-message-id", m.messageID, regexp.QuoteMeta(m.MessageId)},
		{"x-amz-sns-topic-arn", m.topicARN, `arn:aws:sns:us-east-1:123456789012:alerts`},
		{"x-amz-sns-subscription-arn", m.subscriptionARN, `arn:aws:sns:us-east-1:123456789012:alerts:` + uuid},
		{"MessageId", m.MessageId, uuid},
		{"TopicArn", m.TopicArn, `arn:aws:sns:us-east-1:123456789012:alerts`},
		{"Message", m.Message, regexp.QuoteMeta(record)},
		{"Timestamp", m.Timestamp, `2026-11-05T14:00:00\.123Z`},
		{"SigningCertURL", m.SigningCertURL, public + `/sns/SimpleNotificationService-[0-9a-f]{32}\.pem`},
		{"UnsubscribeURL", m.UnsubscribeURL, public + `/sns/unsubscribe\?Action=Unsubscribe&SubscriptionArn=arn%3Aaws%3A.*&Token=[0-9a-f]{64}`},
		{"Token", m.Token, ``},
		{"SubscribeURL", m.SubscribeURL, ``},
	} {
		if !regexp.MustCompile(`^` + tc.want + `$`).MatchString(tc.got) {
			t.Errorf("%s is %q, want %s", tc.name, tc.got, tc.want)
		}
	}
	var members map[string]string
	if err := json.Unmarshal(m.body, &members); err != nil {
		t.Fatalf("body %s: %v", m.body, err)
	}
	want := []string{"Message", "MessageId", "Signature", "SignatureVersion", "SigningCertURL", "Timestamp", "TopicArn", "Type", "UnsubscribeURL"}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(members))); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
}

// TestNotificationOfMail has the subject that SES gives its notifications, and signs it, too.
func TestNotificationOfMail(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	d := sink.Delivery{ID: "m/send/d", Event: event.Event{ID: "m/send", Type: event.EmailSend, Time: time.Now(), Record: []byte(`{"eventType":"Send"}`)}}
	if err := r.sink.Deliver(t.Context(), []sink.Delivery{d}); err != nil {
		t.Fatalf("Deliver = %v", err)
	}
	if m := r.last(t, typeNotification); m.Subject != "Amazon SES Email Event Notification" || m.Message != `{"eventType":"Send"}` {
		t.Errorf("notification %+v", m)
	}
}

func TestSubscriptionConfirmation(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	deliver(t, r.sink, record)
	r.count(t, 1, 1, 0)
	m := r.last(t, typeConfirmation)
	if want := "You have chosen to subscribe to the topic arn:aws:sns:us-east-1:123456789012:alerts.\nTo confirm the subscription, visit the SubscribeURL included in this message."; m.Message != want {
		t.Errorf("Message is %q, want %q", m.Message, want)
	}
	if !strings.HasSuffix(m.SubscribeURL, "/sns/confirm?Action=ConfirmSubscription&Token="+m.Token+"&TopicArn=arn%3Aaws%3Asns%3Aus-east-1%3A123456789012%3Aalerts") {
		t.Errorf("SubscribeURL is %q", m.SubscribeURL)
	}
	if m.messageType != typeConfirmation || m.subscriptionARN != "" || m.UnsubscribeURL != "" || m.messageID != m.MessageId {
		t.Errorf("the confirmation has type %q, subscription %q, UnsubscribeURL %q", m.messageType, m.subscriptionARN, m.UnsubscribeURL)
	}
}

// Nothing is sent before the endpoint has confirmed, nothing is lost meanwhile, and the
// endpoint is not pestered.
func TestDeliveriesWaitForTheConfirmation(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.confirm = false
	var confirmed []string
	r.topics.OnConfirmed(func(topic string) { confirmed = append(confirmed, topic) })
	for range 3 {
		err := r.sink.Deliver(t.Context(), batchOf(record))
		wantTemporary(t, err, "waiting for", "to confirm its subscription by visiting SubscribeURL")
		if d := sink.Delay(err); d <= 0 || d > 5*time.Second {
			t.Errorf("Delay = %v, want a few seconds", d)
		}
	}
	r.count(t, 0, 1, 0)
	r.at(askEvery + time.Second)
	wantTemporary(t, r.sink.Deliver(t.Context(), batchOf(record)), "waiting")
	r.count(t, 0, 2, 0)
	all := r.messages(t, typeConfirmation)
	if all[0].Token != all[1].Token || all[0].MessageId != all[1].MessageId {
		t.Error("the second question has another token or MessageId")
	}
	for range 2 { // visiting twice does no harm
		body, code := visit(t, all[0].SubscribeURL)
		if code != http.StatusOK || !strings.Contains(string(body), "<SubscriptionArn>"+target().ARN.String()+":") {
			t.Fatalf("SubscribeURL answers %d %s", code, body)
		}
	}
	if len(confirmed) == 0 || confirmed[0] != target().ARN.String() {
		t.Errorf("OnConfirmed was called with %q", confirmed)
	}
	deliver(t, r.sink, record)
	r.count(t, 1, 2, 0)
}

func TestTokensExpire(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.confirm = false
	wantTemporary(t, r.sink.Deliver(t.Context(), batchOf(record)), "waiting")
	first := r.last(t, typeConfirmation)
	r.at(tokenLife + time.Minute)
	if body, code := visit(t, first.SubscribeURL); code != http.StatusBadRequest || !strings.Contains(string(body), "<Code>InvalidParameter</Code>") {
		t.Errorf("an expired SubscribeURL answers %d %s", code, body)
	}
	wantTemporary(t, r.sink.Deliver(t.Context(), batchOf(record)), "waiting")
	second := r.last(t, typeConfirmation)
	if second.Token == first.Token {
		t.Error("the expired token was sent again")
	}
	if _, code := visit(t, first.SubscribeURL); code != http.StatusBadRequest {
		t.Errorf("the first SubscribeURL answers %d", code)
	}
	if _, code := visit(t, second.SubscribeURL); code != http.StatusOK {
		t.Errorf("the second SubscribeURL answers %d", code)
	}
	deliver(t, r.sink, record)
}

func TestAnEndpointThatIsDownIsAskedAgainAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	usual := r.answer
	r.answers(status(http.StatusBadGateway))
	wantTemporary(t, r.sink.Deliver(t.Context(), batchOf(record)), "confirmation of the subscription", "502")
	r.answers(usual)
	deliver(t, r.sink, record)
	r.count(t, 1, 1, 0)
}

func TestSubscriptionsSurviveARestart(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	deliver(t, r.sink, record)
	before := r.last(t, typeNotification)
	topics := newTopics(t, r.notes)
	d := newDriver(t, Settings{URL: r.URL + "/{name}", Format: FormatSNS, Topics: topics, AllowPrivate: true})
	deliver(t, openSink(t, d), record)
	r.count(t, 2, 1, 0)
	after := r.last(t, typeNotification)
	if before.MessageId != after.MessageId || before.Signature != after.Signature || before.subscriptionARN != after.subscriptionARN {
		t.Errorf("after the restart the notification is %s, before it was %s", after.body, before.body)
	}
	// Another endpoint of the same topic is another subscription.
	other := newDriver(t, Settings{URL: r.URL + "/other/{name}", Format: FormatSNS, Topics: topics, AllowPrivate: true})
	deliver(t, openSink(t, other), record)
	r.count(t, 3, 2, 0)
	if r.last(t, typeNotification).subscriptionARN == after.subscriptionARN {
		t.Error("two endpoints share a subscription")
	}
}

func TestUnsubscribe(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	deliver(t, r.sink, record)
	body, code := visit(t, r.last(t, typeNotification).UnsubscribeURL)
	if code != http.StatusOK || !strings.Contains(string(body), "<UnsubscribeResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\">") {
		t.Fatalf("UnsubscribeURL answers %d %s", code, body)
	}
	r.driver.background.Wait()
	r.count(t, 1, 1, 1) // told without waiting for a delivery
	wantPermanent(t, r.sink.Deliver(t.Context(), batchOf(record)), "has unsubscribed from "+target().ARN.String())
	r.count(t, 1, 1, 1)
	farewell := r.last(t, typeUnsubscribed)
	arn := r.last(t, typeNotification).subscriptionARN
	if farewell.subscriptionARN != arn || !strings.HasPrefix(farewell.Message, "You have chosen to deactivate subscription "+arn+".\n") {
		t.Errorf("farewell is %s", farewell.body)
	}
	if _, code := visit(t, r.last(t, typeConfirmation).SubscribeURL); code != http.StatusBadRequest {
		t.Errorf("the token from before answers %d", code)
	}
	if _, code := visit(t, farewell.SubscribeURL); code != http.StatusOK {
		t.Errorf("the farewell's SubscribeURL answers %d", code)
	}
	deliver(t, r.sink, record)
	r.count(t, 2, 1, 1)
}

// An endpoint that cannot be told at once is told with the next delivery.
func TestUnsubscribeWhileNothingIsOpen(t *testing.T) {
	t.Parallel()
	for _, unconfirmed := range []bool{false, true} {
		r := newRig(t, func(s *Settings) { s.Unconfirmed = unconfirmed })
		deliver(t, r.sink, record)
		if err := r.sink.Close(); err != nil {
			t.Fatalf("Close = %v", err)
		}
		visit(t, r.last(t, typeNotification).UnsubscribeURL)
		if len(r.topics.subs) > 0 {
			t.Errorf("%d subscriptions are held, want none", len(r.topics.subs))
		}
		if got := len(r.messages(t, typeUnsubscribed)); got != 0 {
			t.Errorf("%d farewells, want none yet", got)
		}
		again := openSink(t, r.driver)
		usual := r.answer
		r.answers(status(http.StatusBadGateway))
		wantPermanent(t, again.Deliver(t.Context(), batchOf(record)), "has unsubscribed")
		r.answers(usual)
		for range 2 {
			wantPermanent(t, again.Deliver(t.Context(), batchOf(record)), "has unsubscribed")
		}
		if got := len(r.messages(t, typeUnsubscribed)); got != 1 {
			t.Errorf("%d farewells, want 1", got)
		}
	}
}

func TestUnconfirmed(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(s *Settings) { s.Unconfirmed = true })
	r.confirm = false
	deliver(t, r.sink, record)
	r.count(t, 1, 0, 0)
}

func TestWithoutAPublicURLNothingIsSent(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.topics.public.Store(nil)
	wantTemporary(t, r.sink.Deliver(t.Context(), batchOf(record)), "public_url")
	if r.contacts.Load() != 0 {
		t.Error("the endpoint was turned to")
	}
}

func TestASubscriptionThatCannotBeKeptIsNotConfirmed(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.confirm = false
	full := errors.New("disk full")
	r.notes.breaks(full)
	wantTemporary(t, r.sink.Deliver(t.Context(), batchOf(record)), full.Error())
	r.notes.breaks(nil)
	wantTemporary(t, r.sink.Deliver(t.Context(), batchOf(record)), "waiting")
	r.notes.breaks(full)
	if body, code := visit(t, r.last(t, typeConfirmation).SubscribeURL); code != http.StatusInternalServerError || strings.Contains(string(body), "disk") {
		t.Errorf("SubscribeURL answers %d %s", code, body)
	}
	wantTemporary(t, r.sink.Deliver(t.Context(), batchOf(record)), "waiting")
	r.notes.breaks(nil)
	visit(t, r.last(t, typeConfirmation).SubscribeURL)
	deliver(t, r.sink, record)
}
