package tts_test

import (
	"context"
	"slices"
	"sync"
	"time"

	"tidings/internal/tts"
	"tidings/internal/tts/wav"
)

const (
	fakeRate   = 8000
	perLetter  = 100 * time.Millisecond
	fakeSample = 3000 // every sample the fake speaks; silence is 0
)

// fakeEngine takes 100 ms of speech for every letter, less at higher rates.
type fakeEngine struct {
	version string
	before  func(ctx context.Context, p tts.Phrase) error // nil = nothing happens before it speaks
	check   error
	steady  bool                     // overlooks rates
	rate    func(p tts.Phrase) int   // samples a second; nil = fakeRate
	sample  func(p tts.Phrase) int16 // nil = one for all

	mu      sync.Mutex
	phrases []tts.Phrase // what it was given to speak
}

func (e *fakeEngine) Name() string               { return "fake" }
func (e *fakeEngine) Version() string            { return e.version }
func (e *fakeEngine) Check(string, string) error { return e.check }

func (e *fakeEngine) Speak(ctx context.Context, p tts.Phrase) (wav.Sound, error) {
	e.mu.Lock()
	e.phrases = append(e.phrases, p)
	e.mu.Unlock()
	if e.before != nil {
		if err := e.before(ctx, p); err != nil {
			return wav.Sound{}, err
		}
	}
	d := time.Duration(len(p.Text)) * perLetter
	if !e.steady && p.Rate != 0 {
		d = time.Duration(float64(d) / p.Rate)
	}
	rate, sample := fakeRate, int16(fakeSample)
	if e.rate != nil {
		rate = e.rate(p)
	}
	if e.sample != nil {
		sample = e.sample(p)
	}
	return wav.New(rate, slices.Repeat([]int16{sample}, wav.Samples(d, rate))), nil
}

// spoken are the texts it was given.
func (e *fakeEngine) spoken() []string {
	var texts []string
	for _, p := range e.given() {
		texts = append(texts, p.Text)
	}
	return texts
}

func (e *fakeEngine) given() []tts.Phrase {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.phrases)
}
