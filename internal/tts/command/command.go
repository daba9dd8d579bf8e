// Package command speaks with any program that reads a text, or SSML, on its standard
// input and writes sound to its standard output: Piper, a script around a company's own
// engine, and the like. It is run once for every text.
//
// Nothing of a message is ever an argument: a program is started with what the operator
// wrote, where placeholders stand for values out of tables. It has an environment of its
// own, a deadline, a bound on what it may write, and a process group that ends with it.
// What a program makes of a text is its own affair: one that obeys commands in its input
// does not belong here.
package command

import (
	"context"
	"fmt"
	"math"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"tidings/internal/fault"
	"tidings/internal/tts"
	"tidings/internal/tts/wav"
	"tidings/internal/voice"
)

const (
	// DefaultTimeout is how long one text may take. A neural engine on a slow machine
	// speaks ten times as fast as one listens; the longest message takes 5 minutes.
	DefaultTimeout = 60 * time.Second

	// DefaultMaxBytes is what a program may write: 5½ minutes of 48,000 samples a second
	// with two channels of 16 bits.
	DefaultMaxBytes = 64 << 20
)

// Options say which program speaks, and how it is told what to do.
type Options struct {
	// Run is the program and its arguments, without a shell. The program is looked for in
	// the search path of the server. In the arguments,
	//   {voice}     is the value that Voices has,
	//   {language}  the code of the language, such as "en-US",
	//   {gender}    "female" or "male",
	//   {rate}      how fast, "1" is normal and "2" twice as fast,
	//   {stretch}   the same turned round, "0.5" is twice as fast, as Piper's --length_scale,
	//   {pitch}     how high, "1" is normal and "2" an octave higher.
	// Without {rate} or {stretch} a text is spoken at the usual speed, without {pitch} as high
	// as usual.
	Run []string

	// Voices has the value of {voice} by voice ID ("Joanna"), by language code ("en-US", or
	// "en" for all kinds of English), or for all others ("*"). The ID counts first for the
	// voice's own language, the language for any other that it has to speak. Empty = the
	// value is the voice ID itself.
	Voices map[string]string

	// SSML says that the program takes SSML documents, and nothing else. They are given to it
	// as the client wrote them, after they were found valid.
	SSML bool

	// Rate is how many samples a second the program writes, 16 bits each with the low byte
	// first, one channel, without a header; 0 = it writes a WAV file.
	Rate int

	Timeout  time.Duration // of one text; 0 = DefaultTimeout
	MaxBytes int           // that the program may write; 0 = DefaultMaxBytes

	// Env is added to the environment of the program, "NAME=value". It has otherwise only
	// PATH with the usual directories and LC_ALL=C.UTF-8, no HOME, and nothing of the server's.
	Env []string

	// Version is part of the key under which speech is kept, together with everything above:
	// change it when the program sounds different. "" = the size and the time of the program
	// and of all files that Run and Voices name.
	Version string
}

// engine runs a program. It is safe for concurrent use.
type engine struct {
	options Options
	path    string
	version string
}

// documents is an engine whose program takes SSML.
type documents struct{ *engine }

var (
	_ tts.Engine         = (*engine)(nil)
	_ tts.DocumentEngine = documents{}
)

// New returns an engine, which is a tts.DocumentEngine if Options.SSML says so. It fails if
// the program is not there, in words for an operator, and does not run it.
func New(o Options) (tts.Engine, error) {
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = DefaultMaxBytes
	}
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("speech engine command: %w", err)
	}
	path, err := exec.LookPath(o.Run[0])
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return nil, fmt.Errorf("speech engine command: %w", err)
	}
	e := &engine{options: o, path: path, version: o.fingerprint(path)}
	if o.SSML {
		return documents{e}, nil
	}
	return e, nil
}

// Name is the name of the engine.
func (e *engine) Name() string { return "command" }

// Version stands for everything that decides how the program sounds.
func (e *engine) Version() string { return e.version }

// Check fails with fault.Invalid if Options.Voices has nothing for the language.
func (e *engine) Check(_, language string) error {
	for _, v := range voice.Voices() {
		if _, ok := e.options.voice(v, language); ok && v.Speaks(language) {
			return nil
		}
	}
	return fault.New(fault.Invalid, fault.VoiceMessage,
		"The speech engine of this server has no voice for the language %s. Choose another language, or ask its operator for a voice.", language)
}

// Speak speaks the phrase. The program gets its text on one line, or as an SSML document;
// phonemes and whisper reach only a program that takes SSML.
func (e *engine) Speak(ctx context.Context, p tts.Phrase) (wav.Sound, error) {
	p.Text = clean(p.Text)
	if p.Text == "" {
		return wav.Sound{Rate: silenceRate}, nil
	}
	if !e.options.SSML {
		return e.speak(ctx, p.Text, p)
	}
	lang := p.Language
	if info, ok := voice.VoiceByID(p.Voice); ok && !info.Speaks(p.Language) {
		lang = info.Language
	}
	document := p.SSML(lang)
	p.Rate, p.Pitch = 1, 1 // the document says it
	return e.speak(ctx, document, p)
}

// silenceRate is the rate of a text that has nothing to speak.
const silenceRate = 8000

// SpeakDocument has the program speak a document.
func (e documents) SpeakDocument(ctx context.Context, document, voiceID, language string) (wav.Sound, error) {
	return e.speak(ctx, document, tts.Phrase{Voice: voiceID, Language: language})
}

// speak runs the program with a text as its input.
func (e *engine) speak(ctx context.Context, input string, p tts.Phrase) (wav.Sound, error) {
	args, err := e.arguments(p)
	if err != nil {
		return wav.Sound{}, fmt.Errorf("speech engine command: %w", err)
	}
	out, err := e.run(ctx, input+"\n", args)
	if err != nil {
		return wav.Sound{}, fmt.Errorf("speech engine %s with voice %s in %s: %w", e.path, p.Voice, p.Language, err)
	}
	sound, err := e.decode(out)
	if err != nil {
		return wav.Sound{}, fmt.Errorf("speech engine %s with voice %s in %s: %w", e.path, p.Voice, p.Language, err)
	}
	return sound, nil
}

// decode makes sound of what the program wrote. What is longer than any message is cut.
func (e *engine) decode(out *output) (wav.Sound, error) {
	var sound wav.Sound
	if e.options.Rate != 0 {
		sound = wav.Sound{Rate: e.options.Rate, PCM: out.data[:len(out.data)/2*2]}
	} else {
		var err error
		if sound, err = readWAV(out.data); err != nil {
			return wav.Sound{}, err
		}
	}
	switch {
	case out.overflowed && sound.Duration() < tts.MaxSpeech:
		return wav.Sound{}, fmt.Errorf("it wrote more than %d bytes", e.options.MaxBytes)
	case e.options.Rate != 0 && sound.Samples() == 0:
		return wav.Sound{}, errSilent
	}
	return sound.Cut(tts.MaxSpeech), nil
}

// factor writes a share for an argument.
func factor(share float64) string {
	if share <= 0 || math.IsNaN(share) || math.IsInf(share, 0) {
		share = 1
	}
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.3f", share), "0"), ".")
}
