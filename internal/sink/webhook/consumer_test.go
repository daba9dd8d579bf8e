package webhook

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// notebook keeps notes in memory.
type notebook struct {
	mu    sync.Mutex
	notes map[string][]byte
	fail  error // of every write, if not nil
}

func (n *notebook) Note(_ context.Context, key string) ([]byte, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.notes[key], nil
}

func (n *notebook) SetNote(_ context.Context, key string, value []byte) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.fail != nil {
		return n.fail
	}
	if n.notes == nil {
		n.notes = map[string][]byte{}
	}
	n.notes[key] = value
	return nil
}

func (n *notebook) breaks(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.fail = err
}

// someSigner saves each test the making of a key.
var someSigner = sync.OnceValues(func() ([]byte, error) {
	s, err := newSigner(time.Now(), nil)
	if err != nil {
		return nil, err
	}
	return s.encode()
})

// newTopics opens Topics whose Handler is served at the public URL.
func newTopics(tb testing.TB, n *notebook) *Topics {
	tb.Helper()
	note, err := someSigner()
	if err != nil {
		tb.Fatalf("newSigner = %v", err)
	}
	first := map[string][]byte{signerNote: note}
	maps.Copy(first, n.notes)
	n.notes = first
	t, err := OpenTopics(tb.Context(), n, "", nil)
	if err != nil {
		tb.Fatalf("OpenTopics = %v", err)
	}
	public := httptest.NewServer(t.Handler())
	tb.Cleanup(public.Close)
	if err := t.SetPublicURL(public.URL); err != nil {
		tb.Fatalf("SetPublicURL(%q) = %v", public.URL, err)
	}
	return t
}

// snsMessage is an SNS message as a consumer reads it.
type snsMessage struct {
	Type, MessageId, Token, TopicArn, Subject, Message, SubscribeURL, Timestamp       string
	SignatureVersion, Signature, SigningCertURL, UnsubscribeURL                       string
	messageType, messageID, topicARN, subscriptionARN, contentType, userAgent, method string
	body                                                                              []byte
}

// consumer is an endpoint written for SNS: it verifies what comes and confirms its
// subscriptions.
type consumer struct {
	*farEnd
	confirm bool // its subscriptions, within the request
}

func newConsumer(tb testing.TB) *consumer {
	tb.Helper()
	c := &consumer{farEnd: newFarEnd(tb), confirm: true}
	c.answers(func(w http.ResponseWriter, r *http.Request) {
		var m snsMessage
		if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		if m.Type == typeConfirmation && c.confirm {
			if _, code := visit(tb, m.SubscribeURL); code != http.StatusOK {
				w.WriteHeader(http.StatusBadRequest)
			}
		}
	})
	return c
}

// messages returns the messages of a type so far, each verified.
func (c *consumer) messages(tb testing.TB, kind string) []snsMessage {
	tb.Helper()
	var all []snsMessage
	for _, r := range c.got() {
		var m snsMessage
		if err := json.Unmarshal(r.body, &m); err != nil {
			tb.Fatalf("body %s: %v", r.body, err)
		}
		if m.Type != kind {
			continue
		}
		m.messageType, m.messageID = r.header.Get("x-amz-sns-message-type"), r.header.Get("x-amz-sns-message-id")
		m.topicARN, m.subscriptionARN = r.header.Get("x-amz-sns-topic-arn"), r.header.Get("x-amz-sns-subscription-arn")
		m.contentType, m.userAgent, m.method, m.body = r.header.Get("Content-Type"), r.header.Get("User-Agent"), r.method, r.body
		m.verify(tb)
		all = append(all, m)
	}
	return all
}

// verify checks the signature as the Developer Guide says, written a second time.
func (m *snsMessage) verify(tb testing.TB) {
	tb.Helper()
	text := "Message\n" + m.Message + "\nMessageId\n" + m.MessageId + "\n"
	if m.Subject != "" {
		text += "Subject\n" + m.Subject + "\n"
	}
	if m.Type == typeNotification {
		text += "Timestamp\n" + m.Timestamp + "\nTopicArn\n" + m.TopicArn + "\nType\n" + m.Type + "\n"
	} else {
		text += "SubscribeURL\n" + m.SubscribeURL + "\nTimestamp\n" + m.Timestamp + "\nToken\n" + m.Token +
			"\nTopicArn\n" + m.TopicArn + "\nType\n" + m.Type + "\n"
	}
	certificate, code := visit(tb, m.SigningCertURL)
	block, _ := pem.Decode(certificate)
	if block == nil {
		tb.Fatalf("SigningCertURL %s answers %d %q", m.SigningCertURL, code, certificate)
	}
	parsed, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		tb.Fatalf("ParseCertificate = %v", err)
	}
	key, ok := parsed.PublicKey.(*rsa.PublicKey)
	if !ok {
		tb.Fatalf("the certificate's key is a %T, want RSA", parsed.PublicKey)
	}
	signature, err := base64.StdEncoding.DecodeString(m.Signature)
	if err != nil {
		tb.Fatalf("Signature %q: %v", m.Signature, err)
	}
	sum := sha1.Sum([]byte(text))
	if err := rsa.VerifyPKCS1v15(key, crypto.SHA1, sum[:], signature); err != nil || m.SignatureVersion != "1" {
		tb.Errorf("the signature (version %q) of %s: %v", m.SignatureVersion, m.body, err)
	}
}

// visit gets a URL.
func visit(tb testing.TB, url string) (body []byte, code int) {
	tb.Helper()
	r, err := http.Get(url)
	if err != nil {
		tb.Errorf("Get(%q) = %v", url, err)
		return nil, 0
	}
	defer r.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	if body, err = io.ReadAll(r.Body); err != nil {
		tb.Errorf("Get(%q) = %v", url, err)
	}
	return body, r.StatusCode
}
