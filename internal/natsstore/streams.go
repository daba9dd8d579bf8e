package natsstore

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Streams, consumers and buckets. Only this package knows the names.
const (
	streamMessages    = "MESSAGES"
	streamEvents      = "EVENTS"
	streamParked      = "PARKED"
	streamDeadLetters = "DEADLETTERS"
	bucketSets        = "CONFIG"
	bucketMeta        = "META"

	subjectMessages      = "messages.voice"
	subjectEvents        = "events"
	prefixParked         = "parked."
	prefixLetters        = "deadletters.pack."
	prefixLettersRemoved = "deadletters.removed."

	consumerVoice  = "voice"
	consumerFanout = "fanout"
)

const (
	// dedupeWindow is how long the server remembers the IDs of packs. It must outlast
	// all attempts to publish one pack (publishAttempts times publishTimeout), and it is
	// short because the server keeps each ID in memory.
	dedupeWindow = 15 * time.Second

	// markerTTL is how long a deleted configuration set or app leaves a trace in its bucket: long
	// enough for every watcher to see it.
	markerTTL = time.Hour

	// requests to the embedded server that take longer than this have met a fault.
	requestTimeout = 10 * time.Second
)

// storageParts is how many streams there are, buckets included. Each may grow to the whole
// bound; the space guard holds them to it together.
const storageParts = 6

func (s *Store) streamConfigs() []jetstream.StreamConfig {
	base := jetstream.StreamConfig{
		Storage:     jetstream.FileStorage,
		Retention:   jetstream.LimitsPolicy,
		Discard:     jetstream.DiscardNew,
		MaxBytes:    s.opts.MaxBytes,
		Duplicates:  dedupeWindow,
		AllowDirect: true,
		Replicas:    1,
	}
	messages, events, parked, letters := base, base, base, base
	messages.Name, messages.Subjects = streamMessages, []string{subjectMessages}
	events.Name, events.Subjects = streamEvents, []string{subjectEvents}
	parked.Name, parked.Subjects = streamParked, []string{prefixParked + ">"}
	letters.Name, letters.Subjects = streamDeadLetters, []string{prefixLetters + "*", prefixLettersRemoved + "*"}
	// A later note of what was removed from a pack of dead letters replaces the former.
	letters.MaxMsgsPerSubject = 1
	return []jetstream.StreamConfig{messages, events, parked, letters}
}

func (s *Store) bucketConfigs() []jetstream.KeyValueConfig {
	return []jetstream.KeyValueConfig{
		{Bucket: bucketSets, History: 1, MaxBytes: s.opts.MaxBytes, LimitMarkerTTL: markerTTL},
		{Bucket: bucketMeta, History: 1, MaxBytes: s.opts.MaxBytes, LimitMarkerTTL: markerTTL},
	}
}

func (s *Store) consumerConfig(name string) jetstream.ConsumerConfig {
	maxPending := maxMessagePacks
	if name == consumerFanout {
		maxPending = maxEventPacks
	}
	return jetstream.ConsumerConfig{
		Durable:       name,
		DeliverPolicy: jetstream.DeliverAllPolicy,
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       s.tune.ackWait,
		MaxAckPending: maxPending,
	}
}

// provide creates or adapts all streams, buckets and consumers, side by side: each costs a
// few synced writes.
func (s *Store) provide(ctx context.Context, sess *session) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	var (
		all   sync.WaitGroup
		mu    sync.Mutex
		first error
	)
	start := func(what string, f func() error) {
		all.Go(func() {
			if err := f(); err != nil {
				mu.Lock()
				defer mu.Unlock()
				first = fmt.Errorf("provide %s: %w", what, err)
			}
		})
	}
	for _, cfg := range s.streamConfigs() {
		start("stream "+cfg.Name, func() error { return s.provideStream(ctx, sess, cfg, &mu) })
	}
	for _, cfg := range s.bucketConfigs() {
		start("bucket "+cfg.Bucket, func() error {
			kv, err := sess.js.CreateOrUpdateKeyValue(ctx, cfg)
			mu.Lock()
			defer mu.Unlock()
			if cfg.Bucket == bucketSets {
				sess.sets = kv
			} else {
				sess.meta = kv
			}
			return err
		})
	}
	all.Wait()
	return first
}

// provideStream provides one stream with its durable consumer, if it has one. mu guards
// the session's maps.
func (s *Store) provideStream(ctx context.Context, sess *session, cfg jetstream.StreamConfig, mu *sync.Mutex) error {
	st, err := sess.js.CreateOrUpdateStream(ctx, cfg)
	if err != nil {
		return err
	}
	mu.Lock()
	sess.streams[cfg.Name] = st
	sess.last[cfg.Name] = st.CachedInfo().State.LastSeq
	mu.Unlock()
	name := consumerOf(cfg.Name)
	if name == "" {
		return nil
	}
	_, err = st.CreateOrUpdateConsumer(ctx, s.consumerConfig(name))
	return err
}

// consumerOf names the durable consumer of a stream; "" = it has none.
func consumerOf(stream string) string {
	switch stream {
	case streamMessages:
		return consumerVoice
	case streamEvents:
		return consumerFanout
	}
	return ""
}
