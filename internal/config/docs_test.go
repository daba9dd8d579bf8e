package config

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// TestEveryKeyIsDocumented holds the table of keys in docs/configuration.md to the code.
func TestEveryKeyIsDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]string{} // key to default
	for _, row := range regexp.MustCompile("(?m)^\\| ((?:`[a-z_.]+`(?:, )?)+) \\| ([^|]+) \\|").FindAllStringSubmatch(string(text), -1) {
		for key := range strings.SplitSeq(row[1], ", ") {
			documented[strings.Trim(key, "`")] = row[2]
		}
	}
	known := map[string]bool{
		"accounts": true, "voice.simulator.numbers": true, "destinations": true, "sip.trunks": true, "voice.guards.prefixes": true,
		"speech.command.run": true, "speech.command.voices": true, "speech.command.env": true,
		"email.identities": true, "email.allowed_domains": true, "email.dkim": true, "email.bounces.addresses": true,
		"email.submission.regions": true, "email.simulator.domains": true,
	}
	eachKey(reflect.ValueOf(Default()).Elem(), "", func(key string, field reflect.Value) {
		known[key] = true
		want := fmt.Sprint(field.Interface())
		got, ok := documented[key]
		switch {
		case !ok:
			t.Errorf("docs/configuration.md does not list %s", key)
		case key == "public_url", want == "" && got == "none":
		case got != want && got != strings.TrimSuffix(strings.TrimSuffix(want, "0s"), "0m"):
			t.Errorf("docs/configuration.md says that %s is %q by default, want %q", key, got, want)
		}
	})
	for key := range documented {
		if !known[key] {
			t.Errorf("docs/configuration.md lists %s, which does not exist", key)
		}
	}
}
