//go:build unix

package espeak

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tidings/internal/tts"
	"tidings/internal/tts/wav"
)

// The programs stand in for an espeak-ng that misbehaves. They are kept in the repository:
// a file that a test has just written cannot be run while another test starts a process.

func program(tb testing.TB, name string, timeout time.Duration) *Engine {
	tb.Helper()
	path, err := filepath.Abs(filepath.Join("testdata", name))
	if err != nil {
		tb.Fatal(err)
	}
	return &Engine{path: path, version: "1", timeout: timeout}
}

func TestRunEndsAProgramThatHangs(t *testing.T) {
	t.Parallel()
	// The program's own child holds standard output open: killing only the program would
	// leave run waiting for it.
	e := program(t, "hang.sh", 300*time.Millisecond)
	_, err := e.Speak(t.Context(), tts.Phrase{Text: "Hello", Voice: "Joanna", Language: "en-US"})
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "stopped after 300ms") {
		t.Errorf("Speak = %v, want context.DeadlineExceeded after 300ms", err)
	}
}

func TestRunEndsWithItsCaller(t *testing.T) {
	t.Parallel()
	e := program(t, "hang.sh", time.Hour)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	cancelled, stop := context.WithCancel(context.Background())
	context.AfterFunc(ctx, stop)
	if _, err := e.Speak(cancelled, tts.Phrase{Text: "Hello", Voice: "Joanna", Language: "en-US"}); !errors.Is(err, context.Canceled) {
		t.Errorf("Speak = %v, want context.Canceled", err)
	}
}

func TestRunCutsEndlessSpeech(t *testing.T) {
	t.Parallel()
	e := program(t, "endless.sh", time.Minute)
	sound, err := e.Speak(t.Context(), tts.Phrase{Text: "Hello", Voice: "Joanna", Language: "en-US"})
	if err != nil || sound.Duration() != MaxSpeech {
		t.Errorf("Speak = %v of sound, %v, want %v", sound.Duration(), err, MaxSpeech)
	}
}

func TestRunGivesNothingOfTheEnvironment(t *testing.T) {
	t.Parallel()
	e := program(t, "environment.sh", time.Minute)
	_, err := e.Speak(t.Context(), tts.Phrase{Text: "Hello", Voice: "Joanna", Language: "en-US"})
	if err == nil || !strings.Contains(err.Error(), "LC_ALL=C.UTF-8") {
		t.Fatalf("Speak = %v, want the environment as the complaint", err)
	}
	for _, name := range []string{"HOME=", "USER=", "GOPATH=", "GOCACHE="} {
		if strings.Contains(err.Error(), name) {
			t.Errorf("the environment has %s: %v", name, err)
		}
	}
}

func TestRunReportsACrash(t *testing.T) {
	t.Parallel()
	e := program(t, "crash.sh", time.Minute)
	_, err := e.Speak(t.Context(), tts.Phrase{Text: "Hello", Voice: "Joanna", Language: "en-US"})
	if err == nil || !strings.Contains(err.Error(), "signal: segmentation fault") || !strings.Contains(err.Error(), "Joanna") {
		t.Errorf("Speak = %v, want an error with the signal and the voice", err)
	}
}

func TestSpeakTriesAgainInPlainWordsAfterACrash(t *testing.T) {
	t.Parallel()
	e := program(t, "fragile.sh", time.Minute)
	sound, err := e.Speak(t.Context(), tts.Phrase{Text: "1 + 1 = 2", Voice: "Joanna", Language: "en-US"})
	if err != nil || sound.Samples() != len("1   1   2")/2 {
		t.Errorf("Speak = %d samples, %v, want the text without its symbols", sound.Samples(), err)
	}
}

func TestRunSpeaksOnlyWhatComesOnStandardInput(t *testing.T) {
	t.Parallel()
	e := program(t, "input.sh", time.Minute)
	_, err := e.Speak(t.Context(), tts.Phrase{Text: "--version [[x]] $(id) `id`", Voice: "Joanna", Language: "en-US"})
	const want = "[-b 1 -v en-us+f2 --stdin --stdout] [--version [ [x]] $(id) `id`]"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("the program was run with %v, want %s", err, want)
	}
}

// TestEndlessHeader keeps endless.wav what Write makes, for the script that sends it.
func TestEndlessHeader(t *testing.T) {
	t.Parallel()
	var want bytes.Buffer
	if err := (wav.Sound{Rate: rate}).Write(&want); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("testdata/header.wav")
	if err != nil || !bytes.Equal(got, want.Bytes()) {
		t.Errorf("testdata/header.wav = %q, %v, want %q", got, err, want.Bytes())
	}
}
