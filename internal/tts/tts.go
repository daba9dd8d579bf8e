// Package tts turns the content of voice messages into speech. It takes markup apart with
// package ssml, has an engine speak the texts, joins them with pauses and tones at one level, and
// keeps the result as a WAV file, so that a campaign speaks each distinct text once.
//
// It gives markup to an engine only if that is a DocumentEngine, and it knows nothing of
// telephony.
package tts

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tidings/internal/fault"
	"tidings/internal/ssml"
	"tidings/internal/tts/wav"
	"tidings/internal/voice"
)

// MaxSpeech is how long a message may get, whatever its limit says: 5 minutes is what the
// voice channel allows, and a document of 6,000 characters can ask for an hour of pauses.
const MaxSpeech = 330 * time.Second

// Options are what a Synthesizer is made from. The zero value estimates.
type Options struct {
	Engine      Engine // nil = none is installed: durations are estimated
	Dir         string // where files are kept, made if missing; "" = no files
	CacheBytes  int64  // most bytes in Dir; 0 = DefaultCacheBytes
	Concurrency int    // phrases spoken at once, of all messages; 0 = GOMAXPROCS
	// Timeout is how long the engine may speak at one message, all phrases together. The time that
	// they wait for their turn does not count. 0 = DefaultTimeout.
	Timeout    time.Duration
	Log        *slog.Logger          // nil = nothing is logged
	Registerer prometheus.Registerer // nil = nothing is measured
}

const (
	// DefaultCacheBytes is about six hours of speech.
	DefaultCacheBytes = 1 << 30

	// DefaultTimeout is enough for a message of hundreds of phrases, with an engine that is
	// several times as fast as it speaks.
	DefaultTimeout = time.Minute
)

// Synthesizer is a voice.Synthesizer. It is safe for concurrent use and needs no closing.
type Synthesizer struct {
	engine  Engine
	slots   chan struct{}
	timeout time.Duration
	log     *slog.Logger
	cache   *cache
	flights flights
	metrics *metrics
}

var _ voice.Synthesizer = (*Synthesizer)(nil)

// New returns a synthesizer. It looks at the files that are in Dir, without reading them,
// and fails if it cannot use the directory.
func New(o Options) (*Synthesizer, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.CacheBytes <= 0 {
		o.CacheBytes = DefaultCacheBytes
	}
	if o.Concurrency <= 0 {
		o.Concurrency = runtime.GOMAXPROCS(0)
	}
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	s := &Synthesizer{engine: o.Engine, slots: make(chan struct{}, o.Concurrency), timeout: o.Timeout, log: o.Log}
	s.metrics = newMetrics(o.Registerer)
	if o.Engine == nil {
		return s, nil
	}
	var err error
	if s.cache, err = openCache(o.Dir, o.CacheBytes, s.metrics, o.Log); err != nil {
		return nil, fmt.Errorf("open speech cache: %w", err)
	}
	return s, nil
}

// Check fails with fault.Invalid if the content could not be spoken: its markup is wrong,
// or the engine cannot read its language. A message that passes can be accepted.
func (s *Synthesizer) Check(c voice.Content) error {
	pieces, err := piecesOf(c)
	if err != nil || s.engine == nil {
		return err
	}
	for _, p := range pieces {
		if p.Text == "" {
			continue
		}
		if err := s.engine.Check(p.Text, languageOf(p.Style.Language, c.Language)); err != nil {
			return err
		}
	}
	return nil
}

// Synthesize turns content into speech of at most limit; a limit of 0 or less is
// MaxSpeech. What lies behind the limit is neither in the duration nor in the file.
//
// The file is kept for at least Grace after this returns, so whoever plays it opens it by
// then. It must not be changed. With Options.Dir "" there is none.
func (s *Synthesizer) Synthesize(ctx context.Context, c voice.Content, limit time.Duration) (voice.Speech, error) {
	if limit <= 0 || limit > MaxSpeech {
		limit = MaxSpeech
	}
	pieces, err := piecesOf(c)
	if err != nil {
		return voice.Speech{}, err
	}
	if s.engine == nil {
		s.metrics.done(estimated)
		return voice.Speech{Duration: min(estimate(pieces), limit), Estimated: true}, nil
	}
	whole := s.keyOf(c, pieces)
	if speech, ok := s.cached(whole, limit); ok {
		s.metrics.done(hit)
		return speech, nil
	}
	// One text is spoken once, however many ask for it at the same time.
	err = s.flights.do(ctx, whole, func() error {
		if _, ok := s.cache.get(whole); ok {
			return nil
		}
		return s.speak(ctx, whole, c, pieces)
	})
	if err == nil {
		err = s.cut(whole, limit)
	}
	if err != nil {
		s.metrics.done(failed)
		return voice.Speech{}, fmt.Errorf("synthesize speech: %w", err)
	}
	speech, ok := s.cached(whole, limit)
	if !ok {
		s.metrics.done(failed)
		return voice.Speech{}, errors.New("synthesize speech: it vanished from the cache")
	}
	s.metrics.done(spoken)
	return speech, nil
}

// cached looks for speech that is no longer than limit.
func (s *Synthesizer) cached(whole key, limit time.Duration) (voice.Speech, bool) {
	if e, ok := s.cache.get(whole.cut(limit)); ok {
		return e.speech(), true
	}
	if e, ok := s.cache.get(whole); ok && e.duration() <= limit {
		return e.speech(), true
	}
	return voice.Speech{}, false
}

// cut makes the shortened speech, if the whole is longer than limit.
func (s *Synthesizer) cut(whole key, limit time.Duration) error {
	e, ok := s.cache.get(whole)
	if !ok || e.duration() <= limit {
		return nil
	}
	if e.path == "" {
		return s.cache.put(whole.cut(limit), wav.Sound{Rate: e.rate}, wav.Samples(limit, e.rate))
	}
	sound, err := wav.Load(e.path)
	if err != nil {
		return err
	}
	sound = sound.Cut(limit)
	return s.cache.put(whole.cut(limit), sound, sound.Samples())
}

// speak has the engine speak the content and puts the whole into the cache.
func (s *Synthesizer) speak(ctx context.Context, whole key, c voice.Content, pieces []ssml.Piece) error {
	defer s.metrics.measure(time.Now())
	t := &turns{s: s, left: s.timeout}
	var sound wav.Sound
	var err error
	if engine, ok := s.documents(c); ok {
		sound, err = t.document(ctx, engine, c)
	} else {
		sound, err = t.perform(ctx, c, pieces)
	}
	if err != nil {
		return err
	}
	return s.cache.put(whole, sound, sound.Samples())
}

// documents returns the engine if it is given this content whole.
func (s *Synthesizer) documents(c voice.Content) (DocumentEngine, bool) {
	engine, ok := s.engine.(DocumentEngine)
	return engine, ok && c.Kind == voice.SSML
}

// piecesOf is what is spoken. Only SSML is taken apart; all other content is spoken as it
// stands.
func piecesOf(c voice.Content) ([]ssml.Piece, error) {
	if c.Kind != voice.SSML {
		if c.Text == "" {
			return nil, nil
		}
		return []ssml.Piece{{Text: c.Text}}, nil
	}
	doc, err := ssml.Parse(c.Text)
	if err != nil {
		return nil, fault.New(fault.Invalid, fault.VoiceMessage, "The SSML is not valid at %v.", err)
	}
	return doc.Pieces(c.Language), nil
}
