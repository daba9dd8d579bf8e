package webhook

import (
	"encoding/xml"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func TestHandlerRefuses(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	deliver(t, r.sink, record)
	confirmation, notification := r.last(t, typeConfirmation), r.last(t, typeNotification)
	topic, subscription := confirmation.TopicArn, notification.subscriptionARN
	token := confirmation.Token
	flipped := token[:len(token)-1] + "0"
	if flipped == token {
		flipped = token[:len(token)-1] + "1"
	}
	unsubscribe := mustParse(t, notification.UnsubscribeURL).Query().Get("Token")
	for _, tc := range []struct {
		method, path string
		query        url.Values
		want         int
	}{
		{"GET", "/", nil, 404},
		{"GET", "/sns", nil, 404},
		{"GET", "/sns/", nil, 404},
		{"GET", "/sns/x.pem", nil, 404},
		{"GET", "/sns/SimpleNotificationService-" + strings.Repeat("0", 32) + ".pem", nil, 404},
		{"GET", "/sns/confirm/x", nil, 404},
		{"POST", "/sns/confirm", url.Values{"TopicArn": {topic}, "Token": {token}}, 405},
		{"HEAD", "/sns/confirm", url.Values{"TopicArn": {topic}, "Token": {token}}, 405},
		{"HEAD", "/sns/unsubscribe", url.Values{"SubscriptionArn": {subscription}, "Token": {unsubscribe}}, 405},
		{"DELETE", mustParse(t, notification.SigningCertURL).Path, nil, 405},
		{"GET", "/sns/confirm", nil, 400},
		{"GET", "/sns/confirm", url.Values{"TopicArn": {topic}}, 400},
		{"GET", "/sns/confirm", url.Values{"TopicArn": {"x"}, "Token": {token}}, 400},
		{"GET", "/sns/confirm", url.Values{"TopicArn": {topic + "2"}, "Token": {token}}, 400},
		{"GET", "/sns/confirm", url.Values{"TopicArn": {topic}, "Token": {flipped}}, 400},
		{"GET", "/sns/confirm", url.Values{"TopicArn": {topic}, "Token": {strings.ToUpper(token)}}, 400},
		{"GET", "/sns/confirm", url.Values{"TopicArn": {topic}, "Token": {token[:32]}}, 400},
		{"GET", "/sns/confirm", url.Values{"TopicArn": {topic}, "Token": {strings.Repeat("0", len(token))}}, 400},
		{"GET", "/sns/confirm", url.Values{"TopicArn": {topic}, "Token": {strings.Repeat("é", len(token)/2)}}, 400},
		{"GET", "/sns/unsubscribe", nil, 400},
		{"GET", "/sns/unsubscribe", url.Values{"SubscriptionArn": {subscription}}, 400},
		{"GET", "/sns/unsubscribe", url.Values{"SubscriptionArn": {subscription + "0"}, "Token": {unsubscribe}}, 400},
		{"GET", "/sns/unsubscribe", url.Values{"SubscriptionArn": {subscription}, "Token": {unsubscribe[1:] + "0"}}, 400},
		{"GET", "/sns/unsubscribe", url.Values{"SubscriptionArn": {topic}, "Token": {""}}, 400},
		{"GET", "/sns/confirm", url.Values{"TopicArn": {topic}, "Token": {token}}, 200},
		{"GET", "/sns/unsubscribe", url.Values{"SubscriptionArn": {subscription}, "Token": {unsubscribe}}, 200},
	} {
		w := httptest.NewRecorder()
		r.topics.Handler().ServeHTTP(w, httptest.NewRequest(tc.method, tc.path+"?"+tc.query.Encode(), nil))
		if w.Code != tc.want {
			t.Errorf("%s %s?%s answers %d %s, want %d", tc.method, tc.path, tc.query.Encode(), w.Code, w.Body, tc.want)
		}
		if tc.want == http.StatusBadRequest {
			var answer errorResponse
			if err := xml.Unmarshal(w.Body.Bytes(), &answer); err != nil || answer.Code != "InvalidParameter" || answer.Type != "Sender" {
				t.Errorf("%s?%s answers %s, %v", tc.path, tc.query.Encode(), w.Body, err)
			}
		}
	}
	r.driver.background.Wait()
	if len(r.topics.subs) != 1 {
		t.Errorf("%d subscriptions are held, want the one that is open", len(r.topics.subs))
	}
}

func TestHandlerBeforeAnyKey(t *testing.T) {
	t.Parallel()
	topics, err := OpenTopics(t.Context(), &notebook{}, "", nil)
	if err != nil {
		t.Fatalf("OpenTopics = %v", err)
	}
	for path, want := range map[string]int{
		"/sns/x.pem": 404, "/sns/unsubscribe?SubscriptionArn=x&Token=": 400,
	} {
		w := httptest.NewRecorder()
		topics.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != want {
			t.Errorf("%s answers %d, want %d", path, w.Code, want)
		}
	}
}

func mustParse(tb testing.TB, s string) *url.URL {
	tb.Helper()
	u, err := url.Parse(s)
	if err != nil {
		tb.Fatalf("Parse(%q) = %v", s, err)
	}
	return u
}
