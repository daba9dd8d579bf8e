package tts

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"tidings/internal/tts/wav"
	"tidings/internal/voice"
)

// turns are what one message gets of the engine. Turns are taken by phrase, not by message, so that
// one message of many phrases does not hold up the others.
type turns struct {
	s *Synthesizer

	mu   sync.Mutex
	left time.Duration // that the engine may still speak
}

// take waits for a turn and has the engine do something in it.
func (t *turns) take(ctx context.Context, do func(context.Context) (wav.Sound, error)) (sound wav.Sound, err error) {
	select {
	case t.s.slots <- struct{}{}:
		defer func() { <-t.s.slots }()
	case <-ctx.Done():
		return wav.Sound{}, ctx.Err()
	}
	t.mu.Lock()
	left := t.left
	t.mu.Unlock()
	limited, cancel := context.WithTimeout(ctx, left)
	defer cancel()
	start := time.Now()
	defer func() {
		t.mu.Lock()
		t.left -= time.Since(start)
		t.mu.Unlock()
		// A panic costs one message. It must not leave the goroutine it is in.
		if p := recover(); p != nil {
			err = fmt.Errorf("%s: panic: %v\n%s", t.s.engine.Name(), p, debug.Stack())
		}
	}()
	sound, err = do(limited)
	switch {
	case err != nil && limited.Err() != nil && ctx.Err() == nil:
		return wav.Sound{}, fmt.Errorf("speaking the message takes more than %v: %w", t.s.timeout, err)
	case err != nil:
		return wav.Sound{}, err
	case sound.Rate <= 0 || sound.Rate > wav.MaxRate:
		return wav.Sound{}, fmt.Errorf("%s speaks at %d samples a second", t.s.engine.Name(), sound.Rate)
	}
	return sound, nil
}

// document has an engine speak a whole document, and levels it.
func (t *turns) document(ctx context.Context, engine DocumentEngine, c voice.Content) (wav.Sound, error) {
	sound, err := t.take(ctx, func(ctx context.Context) (wav.Sound, error) {
		return engine.SpeakDocument(ctx, c.Text, c.Voice, c.Language)
	})
	if err != nil {
		return wav.Sound{}, err
	}
	m := mix{}
	m.speech(sound, ssmlPlain)
	return m.finish(), nil
}

// phrase speaks a phrase. What an engine cannot do with its phonemes, it does with its letters.
func (t *turns) phrase(ctx context.Context, p Phrase) (wav.Sound, error) {
	speak := func(ctx context.Context) (wav.Sound, error) { return t.s.engine.Speak(ctx, p) }
	sound, err := t.take(ctx, speak)
	if err == nil || p.Phonemes == "" || ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) {
		return sound, err
	}
	t.s.log.Warn("the engine failed with phonemes: the text is spoken without", "engine", t.s.engine.Name(), "language", p.Language, "error", err)
	p.Phonemes = ""
	return t.take(ctx, speak)
}

// line is a row of phrases that are spoken some at a time and taken in order.
type line struct {
	ctx     context.Context
	stop    context.CancelFunc
	turns   *turns
	phrases []Phrase
	sounds  []chan spokenPhrase
	taken   int
	running sync.WaitGroup
}

type spokenPhrase struct {
	sound wav.Sound
	err   error
}

// line begins to speak phrases. The caller closes it.
func (t *turns) line(ctx context.Context, phrases []Phrase) *line {
	l := &line{turns: t, phrases: phrases}
	l.ctx, l.stop = context.WithCancel(ctx)
	return l
}

// next waits for the next phrase. As many as there are slots are under way meanwhile.
func (l *line) next() (wav.Sound, error) {
	for len(l.sounds) < min(len(l.phrases), l.taken+cap(l.turns.s.slots)) {
		p := l.phrases[len(l.sounds)]
		done := make(chan spokenPhrase, 1)
		l.sounds = append(l.sounds, done)
		l.running.Go(func() {
			sound, err := l.turns.phrase(l.ctx, p)
			done <- spokenPhrase{sound, err}
		})
	}
	got := <-l.sounds[l.taken]
	l.sounds[l.taken] = nil // the sound can be forgotten when its caller does
	l.taken++
	return got.sound, got.err
}

// close stops what is under way and waits for it.
func (l *line) close() {
	l.stop()
	l.running.Wait()
}
