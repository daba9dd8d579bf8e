package command

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"tidings/internal/tts"
	"tidings/internal/tts/wav"
	"tidings/internal/voice"
)

// placeholder matches whatever looks like one, so that a misspelt one is found.
var placeholder = regexp.MustCompile(`\{[a-z]+\}`)

var placeholders = []string{"{voice}", "{language}", "{gender}", "{rate}", "{stretch}", "{pitch}"}

// check says which option cannot work.
func (o *Options) check() error {
	if len(o.Run) == 0 || o.Run[0] == "" {
		return errors.New("no program to run")
	}
	if placeholder.MatchString(o.Run[0]) {
		return fmt.Errorf("the program itself, %q, cannot depend on a placeholder", o.Run[0])
	}
	for _, arg := range o.Run[1:] {
		for _, p := range placeholder.FindAllString(arg, -1) {
			if !slices.Contains(placeholders, p) {
				return fmt.Errorf("argument %q: there is no placeholder %s, only %s", arg, p, strings.Join(placeholders, ", "))
			}
		}
	}
	for key, value := range o.Voices {
		if !isVoiceKey(key) {
			return fmt.Errorf("voices: %q is neither a voice ID nor a language code nor \"*\"", key)
		}
		if value == "" {
			return fmt.Errorf("voices: %q has no value", key)
		}
	}
	for _, s := range slices.Concat(o.Run, slices.Collect(maps.Values(o.Voices)), o.Env) {
		if strings.ContainsRune(s, 0) {
			return fmt.Errorf("%q: an argument cannot hold a zero byte", s)
		}
	}
	for _, pair := range o.Env {
		if name, _, ok := strings.Cut(pair, "="); !ok || name == "" {
			return fmt.Errorf("environment: %.20q is not NAME=value", pair)
		}
	}
	if o.Rate < 0 || o.Rate > wav.MaxRate {
		return fmt.Errorf("rate: %d samples a second, want 0 to %d", o.Rate, wav.MaxRate)
	}
	if o.Timeout < 0 || o.MaxBytes < 0 {
		return fmt.Errorf("neither the timeout, %v, nor the bytes, %d, may be negative", o.Timeout, o.MaxBytes)
	}
	return nil
}

// isVoiceKey reports whether Voices may have an entry of this key.
func isVoiceKey(key string) bool {
	return key == "*" || slices.ContainsFunc(voice.Voices(), func(v voice.VoiceInfo) bool {
		return v.ID == key || slices.ContainsFunc(v.Languages(), func(code string) bool {
			return code == key || family(code) == key
		})
	})
}

// family is what kinds of one language share: "en" of "en-US".
func family(code string) string {
	family, _, _ := strings.Cut(code, "-")
	return family
}

// voice is the value of {voice}.
func (o *Options) voice(v voice.VoiceInfo, language string) (string, bool) {
	if len(o.Voices) == 0 {
		return v.ID, true
	}
	keys := []string{language, family(language), v.ID, "*"}
	if v.Language == language {
		keys = []string{v.ID, language, family(language), "*"}
	}
	for _, key := range keys {
		if value, ok := o.Voices[key]; ok {
			return value, true
		}
	}
	return "", false
}

// arguments are what the program is started with for a phrase. All values are out of
// tables, or numbers.
func (e *engine) arguments(p tts.Phrase) ([]string, error) {
	info, ok := voice.VoiceByID(p.Voice)
	if !ok {
		return nil, fmt.Errorf("voice %q is not known", p.Voice)
	}
	if !isLanguage(p.Language) {
		return nil, fmt.Errorf("language %q is not known", p.Language)
	}
	value, ok := e.options.voice(info, p.Language)
	if !ok {
		return nil, fmt.Errorf("there is no voice for %s in %s", info.ID, p.Language)
	}
	rate := p.Rate
	if rate <= 0 {
		rate = 1
	}
	fill := strings.NewReplacer(
		"{voice}", value, "{language}", p.Language, "{gender}", strings.ToLower(string(info.Gender)),
		"{rate}", factor(rate), "{stretch}", factor(1/rate), "{pitch}", factor(p.Pitch),
	)
	args := make([]string, 0, len(e.options.Run)-1)
	for _, arg := range e.options.Run[1:] {
		args = append(args, fill.Replace(arg))
	}
	return args, nil
}

func isLanguage(code string) bool {
	return slices.ContainsFunc(voice.Voices(), func(v voice.VoiceInfo) bool { return v.Speaks(code) })
}

// fingerprint is the version of an engine with these options.
func (o *Options) fingerprint(path string) string {
	var all strings.Builder
	write := func(what string, values ...string) {
		fmt.Fprintf(&all, "%s %q\n", what, values)
	}
	write("run", o.Run...)
	for _, key := range slices.Sorted(maps.Keys(o.Voices)) {
		write("voice", key, o.Voices[key])
	}
	write("env", o.Env...)
	write("input and output", fmt.Sprint(o.SSML), fmt.Sprint(o.Rate))
	write("version", o.Version)
	if o.Version == "" {
		for _, name := range o.files(path) {
			write("file", fileState(name))
		}
	}
	sum := sha256.Sum256([]byte(all.String()))
	return hex.EncodeToString(sum[:12])
}

// files are the names of all files that Run and Voices may mean.
func (o *Options) files(path string) []string {
	values := slices.Sorted(maps.Values(o.Voices))
	names := append([]string{path}, values...)
	for _, arg := range o.Run[1:] {
		names = append(names, arg)
		for _, value := range values {
			names = append(names, strings.ReplaceAll(arg, "{voice}", value))
		}
	}
	return names
}

// fileState changes when a file does; "" = there is none of this name.
func fileState(name string) string {
	info, err := os.Stat(name)
	if err != nil || !info.Mode().IsRegular() {
		return ""
	}
	return fmt.Sprintf("%d %s", info.Size(), info.ModTime().UTC().Format(time.RFC3339Nano))
}
