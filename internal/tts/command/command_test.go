//go:build unix

package command

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tidings/internal/fault"
	"tidings/internal/tts"
	"tidings/internal/tts/wav"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The programs are kept in the repository: a file that a test has just written cannot be run
// while another test starts a process.

func newEngine(tb testing.TB, o Options) tts.Engine {
	tb.Helper()
	o.Run[0] = script(tb, o.Run[0])
	e, err := New(o)
	if err != nil {
		tb.Fatalf("New = %v", err)
	}
	return e
}

// script is the path of a program of testdata, or a program of the system.
func script(tb testing.TB, name string) string {
	tb.Helper()
	if !strings.HasSuffix(name, ".sh") {
		return name
	}
	path, err := filepath.Abs(filepath.Join("testdata", name))
	if err != nil {
		tb.Fatal(err)
	}
	return path
}

func run(args ...string) []string { return args }

func phrase(text string) tts.Phrase {
	return tts.Phrase{Text: text, Voice: "Joanna", Language: "en-US"}
}

func TestSpeak(t *testing.T) {
	t.Parallel()
	const text = "Hello,\n\tworld  "
	for name, tc := range map[string]struct {
		options Options
		rate    int
		want    string // what was read
	}{
		"a WAV file":  {Options{Run: run("say.sh")}, 22050, "Hello, world\n"},
		"raw samples": {Options{Run: run("raw.sh"), Rate: 16000}, 16000, "Hello, world\n"},
		"SSML":        {Options{Run: run("raw.sh"), Rate: 16000, SSML: true}, 16000, "<speak>Hello, world</speak>\n"},
		"deaf":        {Options{Run: run("deaf.sh")}, 22050, "abcd"},
		"noisy":       {Options{Run: run("noisy.sh")}, 22050, "Hello, world\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := newEngine(t, tc.options).Speak(t.Context(), phrase(text))
			if want := tc.want[:len(tc.want)/2*2]; err != nil || got.Rate != tc.rate || string(got.PCM) != want {
				t.Errorf("Speak = %d Hz and %q, %v, want %d Hz and %q", got.Rate, got.PCM, err, tc.rate, want)
			}
		})
	}
}

func TestSpeakNothing(t *testing.T) {
	t.Parallel()
	e := newEngine(t, Options{Run: run("show.sh")})
	for _, text := range []string{"", " \n", "\x00\u200b"} {
		if got, err := e.Speak(t.Context(), phrase(text)); err != nil || got.Samples() != 0 || got.Rate == 0 {
			t.Errorf("Speak(%q) = %d samples at %d Hz, %v, want silence without the program", text, got.Samples(), got.Rate, err)
		}
	}
}

// TestSpeakDocument: the document reaches the program as it is, and only an engine that
// takes documents is a DocumentEngine.
func TestSpeakDocument(t *testing.T) {
	t.Parallel()
	const document = `<speak>Hello <break time="1s"/> [[world]] &amp;</speak>`
	e, ok := newEngine(t, Options{Run: run("raw.sh"), Rate: 8000, SSML: true}).(tts.DocumentEngine)
	if !ok {
		t.Fatal("an engine with SSML is no tts.DocumentEngine")
	}
	got, err := e.SpeakDocument(t.Context(), document, "Aditi", "hi-IN")
	if err != nil || string(got.PCM) != (document + "\n")[:len(got.PCM)] || len(got.PCM) < len(document) {
		t.Errorf("SpeakDocument = %q, %v, want the document", got.PCM, err)
	}
	if _, ok := newEngine(t, Options{Run: run("raw.sh"), Rate: 8000}).(tts.DocumentEngine); ok {
		t.Error("an engine without SSML is a tts.DocumentEngine")
	}
}

func TestArgumentsAreOfTables(t *testing.T) {
	t.Parallel()
	all := run("show.sh", "-v{voice}", "{language}", "{gender}", "{rate}/{stretch}/{pitch}", "{}", "${HOME}", "$(id)")
	voices := map[string]string{"Joanna": "amy {rate}.onnx", "fr": "siwis.onnx", "fr-CA": "quebec.onnx", "hi-IN": "rohan.onnx", "Matthew": "joe.onnx"}
	plain := func(voice, language string) tts.Phrase {
		return tts.Phrase{Text: "--x {voice} `id`", Voice: voice, Language: language}
	}
	fast := plain("joanna", "en-US")
	fast.Rate, fast.Pitch = 1.25, 0.5
	for name, tc := range map[string]struct {
		phrase tts.Phrase
		ssml   bool
		want   string
	}{
		"own language":     {plain("Joanna", "en-US"), false, "[-vamy {rate}.onnx][en-US][female][1/1/1][{}][${HOME}][$(id)]--x {voice} `id`"},
		"another language": {plain("Joanna", "fr-FR"), false, "[-vsiwis.onnx][fr-FR][female][1/1/1]"},
		"exact language":   {plain("Joanna", "fr-CA"), false, "[-vquebec.onnx][fr-CA]"},
		"second language":  {plain("Aditi", "hi-IN"), false, "[-vrohan.onnx][hi-IN]"},
		"voice abroad":     {plain("Matthew", "de-DE"), false, "[-vjoe.onnx][de-DE][male]"},
		"rate and pitch":   {fast, false, "[1.25/0.8/0.5]"},
		"rate in SSML":     {fast, true, `[1/1/1][{}][${HOME}][$(id)]<speak><prosody rate="125%" pitch="-33%">--x {voice} ` + "`id`</prosody></speak>"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t, Options{Run: append([]string(nil), all...), Voices: voices, SSML: tc.ssml, Env: []string{"HOME=/x"}})
			_, err := e.Speak(t.Context(), tc.phrase)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("the program was run with %v, want %s", err, tc.want)
			}
		})
	}
	e := newEngine(t, Options{Run: run("show.sh", "{voice}"), Voices: map[string]string{"de": "x"}})
	for _, p := range []tts.Phrase{plain("Joanna", "en-US"), plain("../x", "en-US"), plain("Joanna", "-x")} {
		if _, err := e.Speak(t.Context(), p); err == nil || strings.Contains(err.Error(), "[") {
			t.Errorf("Speak with %s in %s = %v, want an error without running the program", p.Voice, p.Language, err)
		}
	}
	e = newEngine(t, Options{Run: run("show.sh", "{voice}")})
	if _, err := e.Speak(t.Context(), plain("JOANNA", "en-US")); err == nil || !strings.Contains(err.Error(), "[Joanna]") {
		t.Errorf("without a table of voices, the program was run with %v, want [Joanna]", err)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		voices   map[string]string
		language string
		ok       bool
	}{
		{nil, "ja-JP", true},
		{nil, "xx-XX", false},
		{map[string]string{"*": "x"}, "ja-JP", true},
		{map[string]string{"ja": "x"}, "ja-JP", true},
		{map[string]string{"ja-JP": "x"}, "ja-JP", true},
		{map[string]string{"Mizuki": "x"}, "ja-JP", true},
		{map[string]string{"Joanna": "x", "en": "y"}, "ja-JP", false},
	} {
		err := newEngine(t, Options{Run: run("say.sh", "{voice}"), Voices: tc.voices}).Check("x", tc.language)
		if tc.ok && err != nil || !tc.ok && !fault.Is(err, fault.Invalid) {
			t.Errorf("Check of %s with %v = %v, want ok: %v", tc.language, tc.voices, err, tc.ok)
		}
	}
}

func TestPrograms(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		options Options
		want    []string // that the error holds
	}{
		"crash":          {Options{Run: run("crash.sh")}, []string{"signal: segmentation fault", "Joanna in en-US"}},
		"fails, noisy":   {Options{Run: run("noisy.sh", "fail")}, []string{"exit status 3", "a warning", "no such model"}},
		"nothing":        {Options{Run: run("silent.sh")}, []string{"wrote no sound", "nothing to do"}},
		"nothing, raw":   {Options{Run: run("silent.sh"), Rate: 8000}, []string{"wrote no sound"}},
		"not WAV":        {Options{Run: run("raw.sh")}, []string{`not a WAV file: it begins with "Hello\n"`}},
		"too much":       {Options{Run: run("endless.sh"), MaxBytes: 1 << 20}, []string{"wrote more than 1048576 bytes"}},
		"too much noise": {Options{Run: run("play.sh", "/dev/zero"), MaxBytes: 1 << 20}, []string{"not a WAV file"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := newEngine(t, tc.options).Speak(t.Context(), phrase("Hello"))
			for _, want := range tc.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("Speak = %v, want an error with %q", err, want)
				}
			}
			if err != nil && len(err.Error()) > complaintMax+300 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
		})
	}
}

func TestLongSpeechIsCut(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]Options{
		"WAV": {Run: run("endless.sh")},
		"raw": {Run: run("play.sh", "/dev/zero"), Rate: 8000},
	} {
		got, err := newEngine(t, o).Speak(t.Context(), phrase("Hello"))
		if err != nil || got.Duration() != tts.MaxSpeech {
			t.Errorf("%s: Speak = %v of sound, %v, want %v", name, got.Duration(), err, tts.MaxSpeech)
		}
	}
}

// TestADeafProgramIsNoError: it ends before it was given all of a text that no pipe holds.
func TestADeafProgramIsNoError(t *testing.T) {
	t.Parallel()
	got, err := newEngine(t, Options{Run: run("deaf.sh")}).Speak(t.Context(), phrase(strings.Repeat("word ", 100_000)))
	if err != nil || got.Samples() != 2 {
		t.Errorf("Speak = %d samples, %v, want 2", got.Samples(), err)
	}
}

// fifo is a file that a program and its children hold open.
type fifo struct {
	path string
	f    *os.File // open for writing, too, so that it has no end
}

func newFIFO(tb testing.TB) *fifo {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		tb.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|syscall.O_NONBLOCK, 0)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = f.Close() })
	return &fifo{path, f}
}

// begun waits until the program has written to it.
func (p *fifo) begun(tb testing.TB) {
	tb.Helper()
	said := make([]byte, len("begun\n"))
	if err := p.f.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		tb.Fatal(err)
	}
	if _, err := io.ReadFull(p.f, said); err != nil || string(said) != "begun\n" {
		tb.Errorf("the FIFO has %q, %v, want that the program has begun", said, err)
	}
}

// gone waits until nobody holds it any more.
func (p *fifo) gone(tb testing.TB) {
	tb.Helper()
	f, err := os.OpenFile(p.path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err == nil {
		defer f.Close()
		err = errors.Join(p.f.Close(), f.SetReadDeadline(time.Now().Add(20*time.Second)))
	}
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := io.ReadAll(f); err != nil {
		tb.Errorf("somebody holds the FIFO: %v", err)
	}
}

func TestTimeoutEndsTheWholeGroup(t *testing.T) {
	t.Parallel()
	p := newFIFO(t)
	e := newEngine(t, Options{Run: run("hang.sh"), Timeout: 2 * time.Second, Env: []string{"FIFO=" + p.path}})
	_, err := e.Speak(t.Context(), phrase("Hello"))
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "stopped after 2s") || !strings.Contains(err.Error(), "still thinking") {
		t.Errorf("Speak = %v, want context.DeadlineExceeded after 2s", err)
	}
	p.begun(t)
	p.gone(t)
}

func TestCallerEndsTheWholeGroup(t *testing.T) {
	t.Parallel()
	p := newFIFO(t)
	e := newEngine(t, Options{Run: run("hang.sh"), Timeout: time.Hour, Env: []string{"FIFO=" + p.path}})
	ctx, cancel := context.WithCancel(t.Context())
	var watch sync.WaitGroup
	watch.Go(func() {
		defer cancel()
		p.begun(t)
	})
	if _, err := e.Speak(ctx, phrase("Hello")); !errors.Is(err, context.Canceled) {
		t.Errorf("Speak = %v, want context.Canceled", err)
	}
	watch.Wait()
	p.gone(t)
}

func TestAChildThatHoldsTheOutput(t *testing.T) {
	t.Parallel()
	p := newFIFO(t)
	e := newEngine(t, Options{Run: run("holding.sh"), Timeout: time.Hour, Env: []string{"FIFO=" + p.path}})
	if _, err := e.Speak(t.Context(), phrase("Hello")); !errors.Is(err, errHolding) {
		t.Errorf("Speak = %v, want %v", err, errHolding)
	}
	p.begun(t)
	p.gone(t)
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	e := newEngine(t, Options{Run: run("environment.sh"), Env: []string{"MODELS=/m", "LC_ALL=de_DE.UTF-8"}})
	_, err := e.Speak(t.Context(), phrase("Hello"))
	for _, want := range []string{"PATH=/usr/local/bin:/usr/bin:/bin", "MODELS=/m", "LC_ALL=de_DE.UTF-8"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the environment is %v, want %s in it", err, want)
		}
	}
	for _, name := range []string{"HOME=", "USER=", "GOPATH=", "GOCACHE=", "C.UTF-8"} {
		if strings.Contains(err.Error(), name) {
			t.Errorf("the environment has %s: %v", name, err)
		}
	}
}

func TestEspeak(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("espeak-ng"); err != nil {
		t.Skip("espeak-ng is not installed")
	}
	for name, tc := range map[string]struct {
		options Options
		say     func(tts.Engine) (wav.Sound, error)
	}{
		"text": {
			Options{Run: run("espeak-ng", "--stdin", "--stdout", "-v", "{voice}"), Voices: map[string]string{"en-US": "en-us"}},
			func(e tts.Engine) (wav.Sound, error) { return e.Speak(t.Context(), phrase("Hello, world.")) },
		},
		"SSML": {
			Options{Run: run("espeak-ng", "-m", "--stdin", "--stdout"), SSML: true},
			func(e tts.Engine) (wav.Sound, error) {
				return e.(tts.DocumentEngine).SpeakDocument(t.Context(), `<speak>Hello, world.</speak>`, "Joanna", "en-US")
			},
		},
		"a pipe of programs": {
			Options{Run: run("sh", "-c", "espeak-ng --stdin --stdout -v {voice} | sox -t wav - -t wav -b 24 -c 2 -"), Voices: map[string]string{"*": "en-us"}},
			func(e tts.Engine) (wav.Sound, error) { return e.Speak(t.Context(), phrase("Hello, world.")) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if strings.Contains(strings.Join(tc.options.Run, " "), "sox") {
				if _, err := exec.LookPath("sox"); err != nil {
					t.Skip("sox is not installed")
				}
			}
			got, err := tc.say(newEngine(t, tc.options))
			if err != nil || got.Rate != 22050 || got.Duration() < 500*time.Millisecond || got.Duration() > 4*time.Second {
				t.Errorf("Speak = %v at %d Hz, %v, want a second or so at 22050 Hz", got.Duration(), got.Rate, err)
			}
		})
	}
}

// BenchmarkSpeak is what a text costs, beside BenchmarkExec with the same program.
func BenchmarkSpeak(b *testing.B) {
	e := newEngine(b, Options{Run: run("say.sh")})
	p := phrase("Your appointment is tomorrow at nine thirty in the morning.")
	for b.Loop() {
		if _, err := e.Speak(b.Context(), p); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkExec only runs the program.
func BenchmarkExec(b *testing.B) {
	path := script(b, "say.sh")
	for b.Loop() {
		cmd := exec.CommandContext(b.Context(), path)
		cmd.Stdin = strings.NewReader("Your appointment is tomorrow at nine thirty in the morning.\n")
		if _, err := cmd.Output(); err != nil {
			b.Fatal(err)
		}
	}
}
