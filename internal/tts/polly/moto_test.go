package polly

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"tidings/internal/fault"
	"tidings/internal/tts"
	"tidings/internal/voice"
)

var motoListens = regexp.MustCompile(`Running on (http://127\.0\.0\.1:\d+)`)

// startMoto starts moto, an emulator of AWS that we did not write, and returns its URL.
func startMoto(t *testing.T) string {
	t.Helper()
	python := ""
	for _, name := range []string{"python3", "/usr/bin/python3"} {
		if exec.CommandContext(t.Context(), name, "-c", "import moto.server, flask").Run() == nil {
			python = name
			break
		}
	}
	if python == "" {
		t.Skip("moto is not installed (pip install 'moto[server]')")
	}
	process := exec.Command(python, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0")
	process.Env = append(os.Environ(), "PYTHONUNBUFFERED=1")
	out, err := process.StderrPipe()
	if err == nil {
		err = process.Start()
	}
	if err != nil {
		t.Fatalf("start moto: %v", err)
	}
	url, drained := make(chan string, 1), make(chan struct{})
	go func() {
		defer close(drained)
		defer close(url)
		lines := bufio.NewReader(out)
		for {
			line, err := lines.ReadString('\n')
			if found := motoListens.FindStringSubmatch(line); found != nil {
				url <- found[1]
				break
			}
			if err != nil {
				return
			}
		}
		_, _ = io.Copy(io.Discard, lines)
	}()
	t.Cleanup(func() {
		_ = process.Process.Kill()
		<-drained
		_ = process.Wait() // it was killed
	})
	where, ok := <-url
	if !ok {
		t.Fatal("moto does not listen")
	}
	return where
}

// TestMoto holds our requests to an emulator that checks them by its own tables. Its list
// of voices is older than ours.
func TestMoto(t *testing.T) {
	t.Parallel()
	e := engine(t, Options{Region: theRegion, Endpoint: startMoto(t), AccessKeyID: theKey, SecretAccessKey: theSecret, Timeout: 30 * time.Second})
	known := 0
	for _, v := range voice.Voices() {
		got, err := e.Speak(t.Context(), tts.Phrase{Text: "Hello", Voice: v.ID, Language: v.Language})
		switch {
		case err == nil && got.Samples() == 4: // all that it ever says
			known++
		case err == nil || !strings.Contains(err.Error(), "Not one of "):
			t.Errorf("Speak with %s = %d samples, %v, want 4 samples, or that it does not know the voice", v.ID, got.Samples(), err)
		}
	}
	if known < 80 {
		t.Errorf("moto knows %d of our %d voices, want 80 at least", known, len(voice.Voices()))
	}
	t.Logf("moto knows %d of our %d voices", known, len(voice.Voices()))
	if _, err := e.SpeakDocument(t.Context(), "<speak>Hello</speak>", "Aditi", "hi-IN"); err != nil {
		t.Errorf("SpeakDocument = %v", err)
	}
	long := "<speak>" + strings.Repeat("x", 3000) + "</speak>"
	if _, err := e.SpeakDocument(t.Context(), long, "Joanna", "en-US"); !fault.Is(err, fault.Invalid) {
		t.Errorf("SpeakDocument of what moto finds too long = %v, want fault.Invalid", err)
	}
}
