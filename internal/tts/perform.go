package tts

import (
	"context"
	"time"

	"tidings/internal/ssml"
	"tidings/internal/tts/wav"
	"tidings/internal/voice"
)

const (
	// maxHurry is how much faster than usual <prosody amazon:max-duration> makes a text.
	// Source: Amazon Polly Developer Guide, "Setting a maximum duration for synthesized speech".
	maxHurry = 5

	// tries is how often such a text is spoken at the most: at its normal rate, faster, and once
	// more with what was learned, since engines do not keep to a rate exactly.
	tries = 3

	// reserve is by how much more than needed a text is hurried.
	reserve = 1.02
)

// perform speaks the pieces, up to MaxSpeech, and puts them together.
func (t *turns) perform(ctx context.Context, c voice.Content, pieces []ssml.Piece) (wav.Sound, error) {
	var phrases []Phrase
	for _, p := range pieces {
		if p.Text != "" {
			phrases = append(phrases, phrase(p, c, 1))
		}
	}
	l := t.line(ctx, phrases)
	defer l.close()
	var m mix
	for part := range parts(pieces) {
		if m.length >= MaxSpeech {
			break
		}
		sounds := make([]wav.Sound, len(part))
		if err := takeTexts(l, part, sounds); err != nil {
			return wav.Sound{}, err
		}
		if err := t.hurry(ctx, c, part, sounds); err != nil {
			return wav.Sound{}, err
		}
		for i, p := range part {
			m.add(p, sounds[i])
		}
	}
	return m.finish(), nil
}

// takeTexts takes the sounds of the texts among the pieces.
func takeTexts(l *line, part []ssml.Piece, sounds []wav.Sound) error {
	for i, p := range part {
		if p.Text == "" {
			continue
		}
		sound, err := l.next()
		if err != nil {
			return err
		}
		sounds[i] = lengthened(sound, p.Style.Tract)
	}
	return nil
}

// hurry speaks the texts of a group again, faster, if it lasts longer than it may.
func (t *turns) hurry(ctx context.Context, c voice.Content, part []ssml.Piece, sounds []wav.Sound) error {
	most := part[0].Style.Most
	if most <= 0 {
		return nil
	}
	factor := 1.0
	for range tries - 1 {
		words, rest := lengths(part, sounds)
		if words == 0 || words+rest <= most || factor >= maxHurry {
			return nil
		}
		room := max(most-rest, words/(2*maxHurry)) // pauses alone may be too long
		factor = min(factor*reserve*float64(words)/float64(room), maxHurry)
		var phrases []Phrase
		for _, p := range part {
			if p.Text != "" {
				phrases = append(phrases, phrase(p, c, factor))
			}
		}
		if err := t.again(ctx, phrases, part, sounds); err != nil {
			return err
		}
		if faster, _ := lengths(part, sounds); faster >= words {
			return nil // the engine has but one rate
		}
	}
	return nil
}

func (t *turns) again(ctx context.Context, phrases []Phrase, part []ssml.Piece, sounds []wav.Sound) error {
	l := t.line(ctx, phrases)
	defer l.close()
	return takeTexts(l, part, sounds)
}

// lengths is how long the texts of a group last, and the pauses and tones between them.
func lengths(part []ssml.Piece, sounds []wav.Sound) (words, rest time.Duration) {
	for i, p := range part {
		words += sounds[i].Duration()
		rest += p.Pause + p.Tone
	}
	return words, rest
}
