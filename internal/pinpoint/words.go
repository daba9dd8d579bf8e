package pinpoint

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"tidings/internal/quota"
)

// maxWordsInMemory bounds the words of all apps that are kept in memory, at about 40 bytes
// each. Beyond it those of some apps are forgotten, and read again at need.
const maxWordsInMemory = 1 << 20

// vocabularies knows which words each app has used: the limits count them.
type vocabularies struct {
	mu   sync.RWMutex
	of   map[AppKey]*vocabulary
	size atomic.Int64 // words in all of them
}

// vocabulary is what one app has used.
type vocabulary struct {
	mu    sync.RWMutex
	size  *atomic.Int64 // of all; nil once it was forgotten
	known map[Word]struct{}
	count map[WordKind]int64
}

// get returns the app's vocabulary, from memory or from the store.
func (v *vocabularies) get(ctx context.Context, store EndpointStore, app AppKey) (*vocabulary, error) {
	v.mu.RLock()
	have := v.of[app]
	v.mu.RUnlock()
	if have != nil {
		return have, nil
	}
	words, err := store.Words(ctx, app)
	if err != nil {
		return nil, fmt.Errorf("read the words of app %s: %w", app.App, err)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if have := v.of[app]; have != nil {
		return have, nil
	}
	if v.of == nil {
		v.of = map[AppKey]*vocabulary{}
	}
	for other, voc := range v.of {
		if v.size.Load()+int64(len(words)) <= maxWordsInMemory {
			break
		}
		v.drop(other, voc)
	}
	fresh := &vocabulary{size: &v.size, known: make(map[Word]struct{}, len(words)), count: make(map[WordKind]int64, len(wordKinds))}
	for _, w := range words {
		fresh.add(w)
	}
	v.of[app] = fresh
	return fresh, nil
}

// forget drops what is known of an app.
func (v *vocabularies) forget(app AppKey) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if had := v.of[app]; had != nil {
		v.drop(app, had)
	}
}

// drop forgets a vocabulary. The caller has the lock.
func (v *vocabularies) drop(app AppKey, voc *vocabulary) {
	voc.mu.Lock()
	defer voc.mu.Unlock()
	v.size.Add(-int64(len(voc.known)))
	voc.size = nil
	delete(v.of, app)
}

// add notes a word. The caller has the lock, or v to itself.
func (v *vocabulary) add(w Word) {
	if _, ok := v.known[w]; ok {
		return
	}
	v.known[w] = struct{}{}
	v.count[w.Kind]++
	if v.size != nil {
		v.size.Add(1)
	}
}

// wordKinds are the kinds of words.
var wordKinds = [...]WordKind{EventTypeWord, AttributeKeyWord, MetricKeyWord}

// standardPrefix begins the types of events that Amazon Pinpoint itself knows, which are not
// counted.
// Source: Amazon Pinpoint Developer Guide, "App events": _session.start and others.
const standardPrefix = "_"

// wordLimits are the limits of one account, by kind. Where there is none, words are not counted,
// so that they do not fill memory and disk without end.
type wordLimits struct{ types, attributes, metrics int64 }

func newWordLimits(l quota.Limits) wordLimits {
	return wordLimits{l.Of(quota.EventTypes), l.Of(quota.EventAttributes), l.Of(quota.EventMetrics)}
}

// each calls visit with the words of the event that count, until it returns false.
func (l *wordLimits) each(e *Event, visit func(Word) bool) {
	if l.types != quota.Unlimited && !strings.HasPrefix(e.Type, standardPrefix) && !visit(Word{EventTypeWord, hash(e.Type)}) {
		return
	}
	if l.attributes != quota.Unlimited {
		for key := range e.Attributes {
			if !visit(Word{AttributeKeyWord, hash(key)}) {
				return
			}
		}
	}
	if l.metrics != quota.Unlimited {
		for key := range e.Metrics {
			if !visit(Word{MetricKeyWord, hash(key)}) {
				return
			}
		}
	}
}

// of returns the limit of a kind, and what the client is told of it.
func (l *wordLimits) of(k WordKind) (limit int64, what string) {
	switch k {
	case EventTypeWord:
		return l.types, "custom event types"
	case AttributeKeyWord:
		return l.attributes, "attribute keys"
	case MetricKeyWord:
		return l.metrics, "metric keys"
	}
	return quota.Unlimited, ""
}

// knows reports whether all words of all events are known: then nothing is to be counted.
func (v *vocabulary) knows(all []happening, limits *wordLimits) bool {
	v.mu.RLock()
	defer v.mu.RUnlock()
	for i := range all {
		known := true
		limits.each(all[i].Event, func(w Word) bool {
			_, known = v.known[w]
			return known
		})
		if !known {
			return false
		}
	}
	return true
}

// learn notes the words of the event and returns those that are new. If they would exceed a
// limit, it notes none and returns a sentence for the client.
func (v *vocabulary) learn(e *Event, limits *wordLimits) (fresh []Word, refusal string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	limits.each(e, func(w Word) bool {
		if _, ok := v.known[w]; !ok {
			fresh = append(fresh, w)
		}
		return true
	})
	for _, kind := range wordKinds {
		more := int64(0)
		for _, w := range fresh {
			if w.Kind == kind {
				more++
			}
		}
		if limit, what := limits.of(kind); more > 0 && v.count[kind]+more > limit {
			return nil, fmt.Sprintf("The app has used %d of at most %d %s, and this event has %d more.", v.count[kind], limit, what, more)
		}
	}
	for _, w := range fresh {
		v.add(w)
	}
	return fresh, ""
}

// hash is FNV-1a, 64 bits: it is kept on disk and must never change.
// Source: RFC 9923, "The FNV Non-Cryptographic Hash Algorithm".
func hash(s string) uint64 {
	const (
		offset = 14695981039346656037
		prime  = 1099511628211
	)
	h := uint64(offset)
	for i := range len(s) {
		h ^= uint64(s[i])
		h *= prime
	}
	return h
}
