// Package espeak speaks text with espeak-ng, a program that many systems have a package
// of. It is run once for every text and never linked.
//
// espeak-ng trusts its input: its own SSML runs shell commands, "[[" opens a phoneme
// language that crashes it, and control characters are commands. So it gets plain text
// only, cleaned, on its standard input, or phonemes that were translated from IPA sign by sign;
// which voice speaks is looked up in a table; and the process has an empty environment, limits,
// and a deadline.
package espeak

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
	"unicode"

	"tidings/internal/fault"
	"tidings/internal/tts"
	"tidings/internal/tts/wav"
	"tidings/internal/voice"
)

const (
	// Timeout is how long one text may take. The longest message that the API takes,
	// 6,000 characters, needs about a second.
	Timeout = 15 * time.Second

	// MaxSpeech is how much speech one text may give; the rest is cut off. It is a little
	// above the 5 minutes that a voice message may last.
	MaxSpeech = 330 * time.Second

	rate     = 22050 // samples a second, of every voice of espeak-ng
	maxBytes = wav.HeaderSize + int(MaxSpeech/time.Second)*rate*2

	// revision is part of the version: raise it when the tables or the cleaning change, or cached speech would keep its old sound.
	revision = 2
)

// Engine speaks with espeak-ng. It is safe for concurrent use.
type Engine struct {
	path    string
	version string
	timeout time.Duration
}

// Find returns an engine that runs the program at path, or the one named espeak-ng in the
// search path if path is "". It fails with exec.ErrNotFound if there is none, in words that
// say how to get it.
func Find(path string) (*Engine, error) {
	name := path
	if name == "" {
		name = "espeak-ng"
	}
	found, err := exec.LookPath(name)
	if err != nil && path == "" {
		return nil, fmt.Errorf("espeak-ng is not installed; install it with \"apt-get install espeak-ng\" "+
			"(Debian, Ubuntu), \"dnf install espeak-ng\" (Fedora), \"apk add espeak-ng\" (Alpine) or "+
			"\"brew install espeak-ng\" (macOS): %w", err)
	}
	if err != nil {
		return nil, fmt.Errorf("speech engine %s: %w", path, err)
	}
	if found, err = filepath.Abs(found); err != nil {
		return nil, fmt.Errorf("speech engine %s: %w", path, err)
	}
	e := &Engine{path: found, timeout: Timeout}
	out, err := e.run(context.Background(), "", "--version")
	if err != nil {
		return nil, fmt.Errorf("ask %s for its version: %w", found, err)
	}
	m := versionForm.FindSubmatch(out)
	if m == nil {
		return nil, fmt.Errorf("%s is not espeak-ng: asked for its version it says %.80q", found, out)
	}
	e.version = fmt.Sprintf("%s-r%d", m[1], revision)
	return e, nil
}

var versionForm = regexp.MustCompile(`^eSpeak NG text-to-speech: ([0-9A-Za-z.-]+)`)

// Name is the name of the engine.
func (e *Engine) Name() string { return "espeak-ng" }

// Version is the version of the program, and of what this package makes of it.
func (e *Engine) Version() string { return e.version }

// Check fails with fault.Invalid if the engine cannot speak the text. It takes microseconds.
func (e *Engine) Check(text, language string) error {
	// The Japanese voice reads kana, and says "Chinese letter" for every kanji.
	if language != "ja-JP" {
		return nil
	}
	for _, r := range text {
		if unicode.Is(unicode.Han, r) {
			return fault.New(fault.Invalid, fault.VoiceMessage,
				"The speech engine espeak-ng, which this server uses, cannot read Japanese with kanji such as %q. Write the text in hiragana or katakana.", r)
		}
	}
	return nil
}

// Speak speaks the phrase with a voice of voice.Voices, in any language that one of them
// speaks. Whatever the text holds, it is spoken as text; phonemes are used where the language's
// are known here. If the program crashes on phonemes, Speak fails.
func (e *Engine) Speak(ctx context.Context, p tts.Phrase) (wav.Sound, error) {
	if err := e.Check(p.Text, p.Language); err != nil {
		return wav.Sound{}, err
	}
	args, err := arguments(p)
	if err != nil {
		return wav.Sound{}, err
	}
	out, err := e.speak(ctx, p, args)
	if err != nil {
		return wav.Sound{}, fmt.Errorf("espeak-ng with voice %s in %s: %w", p.Voice, p.Language, err)
	}
	if out == nil {
		return wav.Sound{Rate: rate}, nil
	}
	sound, err := wav.Read(bytes.NewReader(out))
	if err != nil {
		return wav.Sound{}, fmt.Errorf("espeak-ng with voice %s in %s: %w", p.Voice, p.Language, err)
	}
	return sound, nil
}

// speak returns what the program writes, or nil if there is nothing to speak.
func (e *Engine) speak(ctx context.Context, p tts.Phrase, args []string) ([]byte, error) {
	if p.Phonemes != "" {
		if input, ok := phonetic(p.Text, p.Phonemes, p.Language); ok {
			return e.run(ctx, input, args...)
		}
	}
	text := clean(p.Text)
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	out, err := e.run(ctx, text, args...)
	if crashed(err) {
		// Its parsers of numbers and symbols have bugs that differ by language.
		out, err = e.run(ctx, plain(text), args...)
	}
	return out, err
}

// crashed reports whether the program did not end by itself.
func crashed(err error) bool {
	exit, ok := errors.AsType[*exec.ExitError](err)
	return ok && exit.ExitCode() == -1
}

var _ tts.Engine = (*Engine)(nil)

// arguments are what the program is started with: nothing of the request is among them but
// numbers, only what the tables have for it.
func arguments(p tts.Phrase) ([]string, error) {
	base, ok := languages[p.Language]
	if !ok {
		return nil, fmt.Errorf("espeak-ng: language %q is not known", p.Language)
	}
	info, ok := voice.VoiceByID(p.Voice)
	if !ok {
		return nil, fmt.Errorf("espeak-ng: voice %q is not known", p.Voice)
	}
	v, ok := variants[info.ID]
	if !ok {
		return nil, fmt.Errorf("espeak-ng: voice %s has no variant", info.ID)
	}
	name, options := manner(p, v)
	if name != "" {
		base += "+" + name
	}
	return append([]string{"-b", "1", "-v", base, "--stdin", "--stdout"}, options...), nil
}

// run starts the program with text on its standard input and returns what it writes, up
// to maxBytes.
func (e *Engine) run(ctx context.Context, text string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, e.timeout)
	defer cancel()
	out := &capped{most: maxBytes, full: cancel}
	complaint := &capped{most: 1 << 10}
	cmd := exec.CommandContext(ctx, e.path, args...)
	cmd.Env = []string{"LC_ALL=C.UTF-8"}
	cmd.Stdin = strings.NewReader(text)
	cmd.Stdout, cmd.Stderr = out, complaint
	cmd.WaitDelay = time.Second
	isolate(cmd)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	restrict(cmd.Process.Pid)
	err := cmd.Wait()
	switch {
	case out.overflowed:
		return out.data, nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return nil, fmt.Errorf("stopped after %v at the most: %w", e.timeout, ctx.Err())
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil && len(complaint.data) > 0:
		return nil, fmt.Errorf("%w: %s", err, strings.TrimSpace(strings.ToValidUTF8(string(complaint.data), "?")))
	}
	return out.data, err
}

// capped keeps what is written to it up to a number of bytes, and forgets the rest.
type capped struct {
	most       int
	full       func() // called when more comes; nil = nothing is called
	data       []byte
	overflowed bool
}

// Write never fails: an error would make exec report it in place of the program's own.
func (c *capped) Write(p []byte) (int, error) {
	keep := min(len(p), c.most-len(c.data))
	c.data = append(c.data, p[:keep]...)
	if keep < len(p) && !c.overflowed {
		c.overflowed = true
		if c.full != nil {
			c.full()
		}
	}
	return len(p), nil
}
