package webhook

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// How subscriptions are confirmed.
const (
	tokenLife  = 3 * 24 * time.Hour // of the token of a confirmation
	askEvery   = 3 * time.Minute    // while a confirmation is awaited, it is asked for again
	tokenBytes = 32                 // that nobody can guess
)

// state is how an endpoint stands to a topic. It is noted by name.
type state string

const (
	statePending      state = "pending" // asked to confirm, or not yet asked
	stateConfirmed    state = "confirmed"
	stateUnsubscribed state = "unsubscribed"
)

// standing is what is noted of a subscription.
type standing struct {
	Topic    string    `json:"topic"`
	State    state     `json:"state"`
	Token    string    `json:"token,omitempty"`    // confirms it; begins with the subscription's ID
	Made     time.Time `json:"made,omitzero"`      // the token
	Farewell bool      `json:"farewell,omitempty"` // an UnsubscribeConfirmation is owed
}

// errToken is the answer to all tokens that are not the right one.
var errToken = errors.New("no such token")

// subscription is that of one endpoint to one topic.
type subscription struct {
	topics *Topics
	id     string // 32 hexadecimal digits
	users  int    // guarded by topics.mu

	turn  chan struct{} // is taken by who asks for a confirmation, or says farewell
	asked time.Time     // when the endpoint last took the question; guarded by turn

	mu    sync.Mutex
	topic string // ARN; "" = nobody who knows it has come yet
	known bool   // now holds what is noted
	now   standing
	sinks map[*snsSink]bool // that are open
}

// subscriptionARN is the ARN of the subscription with the ID.
// Source: Service Authorization Reference, "Actions, resources, and condition keys for
// Amazon SNS": the topic's ARN, a colon, an ID.
func subscriptionARN(topic, id string) string {
	var u [16]byte
	_, _ = hex.Decode(u[:], []byte(id)) // an ID is hexadecimal
	return topic + ":" + formatUUID(u)
}

// of says which topic the subscription is to. Only who derived the ID from it knows.
func (s *subscription) of(topic string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.topic = topic
}

// standing returns what is noted.
func (s *subscription) standing(ctx context.Context) (standing, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.load(ctx)
	return s.now, err
}

// load reads the note once. s.mu is held.
func (s *subscription) load(ctx context.Context) error {
	if s.known {
		return nil
	}
	note, err := s.topics.notes.Note(ctx, subscriptionNote+s.id)
	if err != nil {
		return fmt.Errorf("read the subscription: %w", err)
	}
	s.now = standing{State: statePending}
	if note != nil {
		if err := json.Unmarshal(note, &s.now); err != nil {
			return fmt.Errorf("read the subscription: %w", err)
		}
	}
	s.known = true
	return nil
}

// save notes what is to be. s.mu is held.
func (s *subscription) save(ctx context.Context, next standing) error {
	if s.topic != "" {
		next.Topic = s.topic
	}
	note, err := json.Marshal(next)
	if err != nil {
		return fmt.Errorf("write the subscription: %w", err)
	}
	if err := s.topics.notes.SetNote(ctx, subscriptionNote+s.id, note); err != nil {
		s.known = false // it may have been written all the same
		return fmt.Errorf("write the subscription: %w", err)
	}
	s.now = next
	return nil
}

// token returns the token to confirm with, making one if there is none that is still good.
func (s *subscription) token(ctx context.Context) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.load(ctx); err != nil {
		return "", err
	}
	if s.fresh() {
		return s.now.Token, nil
	}
	next := s.now
	next.Token, next.Made = s.newToken(), s.topics.now()
	return next.Token, s.save(ctx, next)
}

// fresh reports whether the token is good. A clock that was set back does not make it last
// longer. s.mu is held.
func (s *subscription) fresh() bool {
	age := s.topics.now().Sub(s.now.Made)
	return s.now.Token != "" && age < tokenLife && age > -tokenLife
}

// newToken makes a token. Its beginning tells which subscription it is of.
func (s *subscription) newToken() string {
	random := make([]byte, tokenBytes)
	_, _ = rand.Read(random) // never fails
	return s.id + hex.EncodeToString(random)
}

// confirm makes the subscription a confirmed one, and does nothing if it is. It fails with
// errToken if the token or the topic is not the right one.
func (s *subscription) confirm(ctx context.Context, topic, token string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.load(ctx); err != nil {
		return err
	}
	right := subtle.ConstantTimeCompare([]byte(token), []byte(s.now.Token)) == 1
	if !right || !s.fresh() || topic != s.now.Topic {
		return errToken
	}
	if s.now.State == stateConfirmed {
		return nil
	}
	next := s.now
	next.State, next.Farewell = stateConfirmed, false
	return s.save(ctx, next)
}

// unsubscribe ends the subscription, of which the caller has shown that it may.
func (s *subscription) unsubscribe(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.load(ctx); err != nil {
		return err
	}
	if s.now.State == stateUnsubscribed {
		return nil
	}
	next := s.now
	next.State, next.Farewell = stateUnsubscribed, true
	next.Token, next.Made = s.newToken(), s.topics.now()
	return s.save(ctx, next)
}

// parted notes that the endpoint knows that it is unsubscribed.
func (s *subscription) parted(ctx context.Context, token string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.known || s.now.Token != token || !s.now.Farewell {
		return nil // it has subscribed again meanwhile
	}
	next := s.now
	next.Farewell = false
	return s.save(ctx, next)
}

// join and part say which sinks could post to the endpoint.
func (s *subscription) join(k *snsSink) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sinks[k] = true
}

func (s *subscription) part(k *snsSink) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sinks, k)
}

// farewell has one of the open sinks tell the endpoint that it is unsubscribed. Without
// any, the next delivery does.
func (s *subscription) farewell() {
	s.mu.Lock()
	sinks := slices.Collect(maps.Keys(s.sinks))
	s.mu.Unlock()
	for _, k := range sinks {
		held := s.topics.acquire(s.id) // the sink may be closed before it is done
		if k.driver.later(func(ctx context.Context) {
			defer s.topics.release(held)
			k.farewellSoon(ctx)
		}) {
			return
		}
		s.topics.release(held)
	}
}
