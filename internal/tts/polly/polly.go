// Package polly speaks with Amazon Polly, through the AWS SDK. Documents are sent as the
// client wrote them; Polly is the one engine whose SSML the API describes.
//
// Sound comes as PCM with 16,000 samples a second, the most that Polly gives in that form.
// Half of that would do for a telephone, but costs the same, and what goes down to 8,000 by our own
// filter sounds no worse.
//
// Every request is paid for by its characters. What was spoken once is kept by package tts,
// so this package keeps nothing.
package polly

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/polly"
	"github.com/aws/aws-sdk-go-v2/service/polly/types"

	"tidings/internal/fault"
	"tidings/internal/tts"
	"tidings/internal/tts/wav"
	"tidings/internal/voice"
)

const (
	// MaxCharacters is what a text may have.
	// Source: Amazon Polly Developer Guide, "Quotas in Amazon Polly", SynthesizeSpeech:
	// 3,000 billed characters, 6,000 with the tags of SSML.
	MaxCharacters = 3000

	rate     = 16000 // samples a second
	maxBytes = int64(tts.MaxSpeech/time.Second) * rate * 2

	// revision is part of the version: raise it when this package makes something else of a
	// text, or kept speech would stay as it was.
	revision = 1
)

// Kind is one of the engines that Polly has. The empty one is the standard engine for voices that
// have it, as it was in the voice channel of Amazon Pinpoint, and for others the first they have of neural,
// generative and long-form.
type Kind string

// The kinds of engines.
// Source: Amazon Polly API Reference, "SynthesizeSpeech", Engine.
const (
	Standard   Kind = "standard"
	Neural     Kind = "neural"
	Generative Kind = "generative"
	LongForm   Kind = "long-form"
)

// Engine speaks with Polly. It is safe for concurrent use and needs no closing.
type Engine struct {
	client  *polly.Client
	options Options
}

var _ tts.DocumentEngine = (*Engine)(nil)

// Name is the name of the engine.
func (e *Engine) Name() string { return "polly" }

// Version stands for what decides how a voice sounds, as far as it is ours to decide.
func (e *Engine) Version() string {
	kind := e.options.Kind
	if kind == "" {
		kind = "auto"
	}
	return fmt.Sprintf("%s-%d-r%d", kind, rate, revision)
}

// Check fails with fault.Invalid if the text is longer than Polly takes.
func (e *Engine) Check(text, _ string) error {
	if n := utf8.RuneCountInString(text); n > MaxCharacters {
		return fault.New(fault.Invalid, fault.VoiceMessage,
			"The text has %d characters; Amazon Polly, which this server speaks with, takes %d.", n, MaxCharacters)
	}
	return nil
}

// Speak speaks the phrase: as plain text if that says it all, and else as SSML.
func (e *Engine) Speak(ctx context.Context, p tts.Phrase) (wav.Sound, error) {
	info, ok := voice.VoiceByID(p.Voice)
	if !ok {
		return wav.Sound{}, fmt.Errorf("amazon polly: voice %q is not known", p.Voice)
	}
	p.Text = clean(p.Text)
	if p.Text == "" {
		return wav.Sound{Rate: rate}, nil
	}
	lang := info.Language
	if info.Speaks(p.Language) {
		lang = p.Language
	}
	if e.kinds(info)[0] != Standard {
		// Source: Amazon Polly Developer Guide, "Supported SSML tags": only standard voices have these.
		p.Pitch, p.Whisper = 0, false
	}
	if plain(p) && p.Language == lang {
		return e.speak(ctx, info, lang, types.TextTypeText, p.Text)
	}
	return e.speak(ctx, info, lang, types.TextTypeSsml, p.SSML(lang))
}

// SpeakDocument speaks a document. It fails with fault.Invalid for tags that the voice does
// not have: neural voices know fewer than standard ones.
func (e *Engine) SpeakDocument(ctx context.Context, document, voiceID, language string) (wav.Sound, error) {
	info, ok := voice.VoiceByID(voiceID)
	if !ok || !info.Speaks(language) {
		return wav.Sound{}, fmt.Errorf("amazon polly: voice %q does not speak %q", voiceID, language)
	}
	return e.speak(ctx, info, language, types.TextTypeSsml, document)
}

// plain reports whether the text of a phrase is all there is to it.
func plain(p tts.Phrase) bool {
	usual := func(share float64) bool { return share == 0 || share == 1 }
	return usual(p.Rate) && usual(p.Pitch) && !p.Whisper && p.Phonemes == ""
}

// clean leaves out what is no text. White space stays: a new line is a pause.
func clean(text string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && !unicode.IsSpace(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "")))
}

// kinds are the engines that a voice is tried with.
func (e *Engine) kinds(v voice.VoiceInfo) []Kind {
	switch {
	case e.options.Kind != "":
		return []Kind{e.options.Kind}
	case v.Standard:
		return []Kind{Standard}
	}
	return []Kind{Neural, Generative, LongForm}
}

// speak asks for speech, with the first kind of engine that the voice has.
func (e *Engine) speak(ctx context.Context, v voice.VoiceInfo, language string, form types.TextType, text string) (wav.Sound, error) {
	ctx, cancel := context.WithTimeout(ctx, e.options.Timeout)
	defer cancel()
	in := &polly.SynthesizeSpeechInput{
		OutputFormat: types.OutputFormatPcm,
		SampleRate:   new(fmt.Sprint(rate)),
		Text:         &text,
		TextType:     form,
		VoiceId:      types.VoiceId(v.ID),
	}
	if language != v.Language {
		in.LanguageCode = types.LanguageCode(language)
	}
	var err error
	for _, kind := range e.kinds(v) {
		in.Engine = types.Engine(kind)
		var pcm []byte
		if pcm, err = e.synthesize(ctx, in); err == nil {
			return wav.Sound{Rate: rate, PCM: pcm}, nil
		}
		if !lacksEngine(err) {
			break
		}
	}
	return wav.Sound{}, e.explain(err, in)
}

// synthesize makes a request and reads all of its sound. The SDK tries again what fails
// before the sound begins; what breaks off in the middle is tried again here.
func (e *Engine) synthesize(ctx context.Context, in *polly.SynthesizeSpeechInput) ([]byte, error) {
	for attempt := 1; ; attempt++ {
		out, err := e.client.SynthesizeSpeech(ctx, in)
		if err != nil {
			return nil, err
		}
		pcm, err := read(out)
		if err == nil || attempt >= e.options.MaxAttempts || ctx.Err() != nil || errors.Is(err, errNotSound) {
			return pcm, err
		}
	}
}

var errNotSound = errors.New("the answer is no sound")

// read reads the sound of an answer, and no more than a message may have.
func read(out *polly.SynthesizeSpeechOutput) ([]byte, error) {
	defer func() { _ = out.AudioStream.Close() }() // all that was wanted has been read
	said := ""
	if out.ContentType != nil {
		said = *out.ContentType
	}
	if kind, _, err := mime.ParseMediaType(said); err != nil || kind != "audio/pcm" {
		return nil, fmt.Errorf("%w: its content type is %.40q, want audio/pcm", errNotSound, said)
	}
	pcm, err := io.ReadAll(io.LimitReader(out.AudioStream, maxBytes))
	if err != nil {
		return nil, fmt.Errorf("read the sound: %w", err)
	}
	if len(pcm) < 2 {
		return nil, fmt.Errorf("%w: it is empty", errNotSound)
	}
	return pcm[:len(pcm)/2*2], nil
}
