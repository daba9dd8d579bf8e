package tts

import (
	"context"

	"tidings/internal/tts/wav"
)

// Phrase is a text that is spoken in one breath: without markup, in one voice, one language and
// one manner.
type Phrase struct {
	Text     string
	Voice    string // a voice ID of voice.Voices, such as "Joanna"
	Language string // a language code of Polly, such as "en-US"; the voice need not speak it by itself
	// Rate is how fast the text is spoken, and Pitch how high, as a share of what is usual
	// for the voice: 1 is normal, 2 twice as fast or one octave higher. 0 means 1.
	Rate, Pitch float64
	Whisper     bool
	// Phonemes is how the words of Text are pronounced, in the International Phonetic Alphabet, or,
	// for Mandarin, in pinyin with the tones as numbers, such as "bo2"; "" leaves it to the
	// engine. Punctuation at the end of Text is not among them, and still makes the melody. An
	// engine that cannot use them speaks Text.
	Phonemes string
}

// Engine speaks one phrase at a time. It is safe for concurrent use.
type Engine interface {
	// Name and Version together say how the engine sounds: speech is kept under them.
	Name() string
	Version() string
	// Check fails, with a fault for the client, if Speak could not speak the text. It
	// does not take noticeable time.
	Check(text, language string) error
	// Speak speaks the phrase, whatever its text holds, as text. It does what it can of
	// rate, pitch, whisper and phonemes, and leaves out what it cannot. Rates of up to 10 are asked
	// for. If it fails with phonemes, it is asked once more, without. Level and everything
	// else is done to the sound later.
	Speak(ctx context.Context, p Phrase) (wav.Sound, error)
}

// DocumentEngine is an Engine that understands SSML by itself. It is given documents whole,
// and texts without markup as phrases.
type DocumentEngine interface {
	Engine
	// SpeakDocument speaks a document that package ssml has found valid, with a voice and in
	// a language of voice.Voices.
	SpeakDocument(ctx context.Context, document, voiceID, language string) (wav.Sound, error)
}
