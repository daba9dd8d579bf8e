package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tidings/internal/config"
)

func none(string) string { return "" }

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tidings.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestDefaultIsValid(t *testing.T) {
	t.Parallel()
	c := config.Default()
	if err := c.Validate(none); err != nil {
		t.Errorf("the defaults are not valid:\n%v", err)
	}
	if c.Listen != "127.0.0.1:4570" || c.Voice.Lines != 10000 || c.Storage.MaxBytes != 10<<30 || c.Delivery.GiveUp != 24*time.Hour {
		t.Errorf("Default() = %+v", c)
	}
}

func TestLoadLaysFileAndEnvironmentOverDefaults(t *testing.T) {
	t.Parallel()
	path := write(t, "listen: 127.0.0.1:1\nvoice: {simulator: {speed: 60}}\nstorage: {max_bytes: 1GiB, keep_events_bytes: 64MiB}\n")
	env := map[string]string{"TIDINGS_LISTEN": "127.0.0.1:2", "TIDINGS_VOICE_LINES": "7", "TIDINGS_DELIVERY_BACKOFF": "250ms"}
	c, err := config.Load(path, func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != "127.0.0.1:2" || c.Voice.Lines != 7 || c.Voice.Simulator.Speed != 60 || c.Storage.MaxBytes != 1<<30 || c.Delivery.Backoff != 250*time.Millisecond {
		t.Errorf("Load = %+v", c)
	}
	if c.Voice.EventWords != "v1" {
		t.Errorf("a key that the file leaves out lost its default: %q", c.Voice.EventWords)
	}
}

func TestLoadRefusesUnknownKeysAndWrongTypes(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"lissten: x\n", "voice: {lines: many}\n", "voice: [1]\n", "storage: {max_bytes: 12 parsecs}\n", "\t:\n"} {
		if _, err := config.Load(write(t, text), none); err == nil {
			t.Errorf("Load(%q) = nil, want an error", text)
		}
	}
	if _, err := config.Load("", func(name string) string {
		return map[string]string{"TIDINGS_VOICE_LINES": "many"}[name]
	}); err == nil || !strings.Contains(err.Error(), "TIDINGS_VOICE_LINES") {
		t.Errorf("Load with TIDINGS_VOICE_LINES=many = %v, want it named", err)
	}
}

func TestValidateReportsEveryProblem(t *testing.T) {
	t.Parallel()
	c, err := config.Load(write(t, `
listen: 0.0.0.0:4570
admin: 0.0.0.0:4571
quotas: generous
accounts: []
voice: {lines: 0, event_words: v3, call_instructions: sing, simulator: {speed: 0}}
delivery: {backoff: 1m, backoff_max: 1s}
destinations: [{match: everything}]
log: {level: loud}
`), none)
	if err != nil {
		t.Fatal(err)
	}
	err = c.Validate(none)
	for _, key := range []string{
		"listen", "admin", "quotas", "voice.lines", "voice.event_words", "voice.call_instructions",
		"voice.simulator.speed", "delivery.backoff_max", "destinations[0].match", "destinations[0]", "log.level",
	} {
		if err == nil || !strings.Contains("\n"+err.Error(), "\n"+key+" = ") {
			t.Errorf("Validate does not report %s:\n%v", key, err)
		}
	}
}

func TestValidateChecksAccounts(t *testing.T) {
	t.Parallel()
	c, err := config.Load(write(t, `
accounts:
  - id: "12"
    quotas: {no_such_limit: 1, configuration_sets: -1}
    keys:
      - {id: "A", secret: "env:UNSET"}
      - {id: "A", secret: "s", expires: "tomorrow", allow: ["sms-voice"]}
  - id: "123456789012"
`), none)
	if err != nil {
		t.Fatal(err)
	}
	problems, ok := errors.AsType[config.Problems](c.Validate(none))
	if !ok || len(problems) != 8 {
		t.Errorf("Validate found %d problems, want 8:\n%v", len(problems), problems)
	}
}

func TestSecrets(t *testing.T) {
	t.Parallel()
	file := write(t, "from the file\n")
	for ref, want := range map[config.Secret]string{
		"plain": "plain", "env:NAME": "from the environment", config.Secret("file:" + file): "from the file",
	} {
		got, err := ref.Resolve(func(name string) string { return map[string]string{"NAME": "from the environment"}[name] })
		if err != nil || got != want {
			t.Errorf("Resolve(%s) = %q, %v, want %q", string(ref), got, err, want)
		}
	}
	if got := config.Secret("hunter2").String(); strings.Contains(got, "hunter") {
		t.Errorf("a secret prints as %q", got)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add("listen: 127.0.0.1:1\n")
	f.Add("accounts: [{id: \"123456789012\", keys: [{id: a, secret: b}]}]\n")
	f.Add("storage: {max_bytes: 9999999999TiB}\n")
	f.Add(string(config.DefaultText()))
	f.Fuzz(func(t *testing.T, text string) {
		c, err := config.Load(write(t, text), none)
		if err != nil {
			return
		}
		if err := c.Validate(none); err != nil && len(err.Error()) == 0 {
			t.Fatal("an error without a text")
		}
	})
}
