package webhook

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Notes keeps small values durably, by keys of letters, digits, hyphens and underscores.
type Notes interface {
	// Note returns nil if nothing is noted under the key.
	Note(ctx context.Context, key string) ([]byte, error)
	// SetNote is durable on return.
	SetNote(ctx context.Context, key string, value []byte) error
}

// The keys of our notes.
const (
	signerNote       = "sns-signer"
	subscriptionNote = "sns-subscription-" // and the ID
)

// Topics stands in for SNS towards the endpoints of format sns: it signs their messages,
// remembers who has subscribed, and serves what the messages point to. It is safe for
// concurrent use. There must be one per store of notes.
type Topics struct {
	notes     Notes
	log       *slog.Logger
	now       func() time.Time
	signing   atomic.Pointer[signer] // nil = none was needed yet
	making    chan struct{}          // is taken by who makes a signer
	public    atomic.Pointer[string] // where Handler is reached
	confirmed atomic.Pointer[func(topic string)]

	mu   sync.Mutex
	subs map[string]*subscription // those in use, by ID
}

// OpenTopics reads what was noted of former runs. publicURL is where the endpoints reach
// the server that Handler is mounted on, such as "https://tidings.example"; it may be ""
// until SetPublicURL, and nothing is sent before. A nil log discards.
func OpenTopics(ctx context.Context, notes Notes, publicURL string, log *slog.Logger) (*Topics, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	t := &Topics{notes: notes, log: log, now: time.Now, making: make(chan struct{}, 1), subs: map[string]*subscription{}}
	if publicURL != "" {
		if err := t.SetPublicURL(publicURL); err != nil {
			return nil, err
		}
	}
	note, err := notes.Note(ctx, signerNote)
	if err != nil {
		return nil, fmt.Errorf("read the key that signs SNS messages: %w", err)
	}
	if note != nil {
		s, err := decodeSigner(note)
		if err != nil {
			return nil, err
		}
		t.signing.Store(s)
	}
	return t, nil
}

// SetPublicURL says where the endpoints reach Handler. What was sent before still points to
// the former URL.
func (t *Topics) SetPublicURL(s string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return fmt.Errorf("public URL: %w", err)
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "", u.RawQuery != "", u.Fragment != "", u.User != nil:
		return fmt.Errorf("public URL %q: write it as https://host", u.Redacted())
	}
	t.public.Store(new(strings.TrimSuffix(u.String(), "/")))
	return nil
}

// OnConfirmed has f called with the ARN of the topic whenever a subscription was confirmed,
// so that what waits for it can be sent at once. It must not block.
func (t *Topics) OnConfirmed(f func(topic string)) { t.confirmed.Store(&f) }

// link makes a URL that Handler answers.
func (t *Topics) link(path string, query url.Values) (string, error) {
	base := t.public.Load()
	if base == nil {
		return "", errors.New("public_url is not known, and SNS messages must point to it")
	}
	if len(query) == 0 {
		return *base + path, nil
	}
	return *base + path + "?" + query.Encode(), nil
}

// seal signs a message and returns its body.
func (t *Topics) seal(ctx context.Context, m *message) ([]byte, error) {
	s, err := t.signer(ctx)
	if err != nil {
		return nil, err
	}
	certificate, err := t.link("/sns/"+certificateFile(s.certificates[0]), nil)
	if err != nil {
		return nil, err
	}
	if m.kind == typeNotification {
		m.unsubscribe, err = t.link("/sns/unsubscribe", url.Values{
			"Action": {"Unsubscribe"}, "SubscriptionArn": {m.subscription}, "Token": {s.unsubscribeToken(m.subscription)},
		})
	} else {
		m.subscribe, err = t.link("/sns/confirm", url.Values{
			"Action": {"ConfirmSubscription"}, "TopicArn": {m.topic}, "Token": {m.token},
		})
	}
	if err != nil {
		return nil, err
	}
	signature, err := s.sign(m.canonical())
	if err != nil {
		return nil, err
	}
	return m.encode(signature, certificate), nil
}

// subscribe returns the subscription of an endpoint to a topic, for a user who must release it.
func (t *Topics) subscribe(topic, endpoint string) *subscription {
	u := nameUUID("subscription\x00" + topic + "\x00" + endpoint)
	s := t.acquire(hex.EncodeToString(u[:]))
	s.of(topic)
	return s
}

// acquire returns the subscription with the ID, which need not exist, for a user who must
// release it. While it has users it is the only one with the ID.
func (t *Topics) acquire(id string) *subscription {
	t.mu.Lock()
	defer t.mu.Unlock()
	s, ok := t.subs[id]
	if !ok {
		s = &subscription{topics: t, id: id, turn: make(chan struct{}, 1), sinks: map[*snsSink]bool{}}
		t.subs[id] = s
	}
	s.users++
	return s
}

func (t *Topics) release(s *subscription) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s.users--; s.users == 0 {
		delete(t.subs, s.id)
	}
}
