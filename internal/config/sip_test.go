package config_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tidings/internal/config"
)

// problemsOf returns the keys that Validate complains about after change.
func problemsOf(t *testing.T, change func(*config.Config)) []string {
	t.Helper()
	c := config.Default()
	change(c)
	err := c.Validate(func(string) string { return "" })
	if err == nil {
		return nil
	}
	problems, ok := errors.AsType[config.Problems](err)
	if !ok {
		t.Fatalf("Validate = %v, want Problems", err)
	}
	var keys []string
	for _, p := range problems {
		keys = append(keys, p.Key)
	}
	slices.Sort(keys)
	return keys
}

func TestValidateChecksSIP(t *testing.T) {
	t.Parallel()
	trunk := config.Trunk{Name: "a", Server: "127.0.0.1:5070", Prefixes: []string{"+"}}
	with := func(change func(*config.Trunk)) func(*config.Config) {
		return func(c *config.Config) {
			one := trunk
			change(&one)
			c.SIP.Trunks = []config.Trunk{one}
		}
	}
	tests := []struct {
		name   string
		change func(*config.Config)
		want   []string
	}{
		{"a trunk", with(func(*config.Trunk) {}), nil},
		{"any ports", func(c *config.Config) { c.SIP.RTPPorts = "any" }, nil},
		{"addresses", func(c *config.Config) { c.SIP.Listen, c.SIP.PublicAddress = "5060", "me.example" }, []string{"sip.listen", "sip.public_address"}},
		{"ports backward", func(c *config.Config) { c.SIP.RTPPorts = "400-300" }, []string{"sip.rtp_ports"}},
		{"one port", func(c *config.Config) { c.SIP.RTPPorts = "400-400" }, []string{"sip.rtp_ports"}},
		{"too high a port", func(c *config.Config) { c.SIP.RTPPorts = "400-70000" }, []string{"sip.rtp_ports"}},
		{"times", func(c *config.Config) {
			c.SIP.RingTimeout, c.SIP.AnswerTimeout, c.SIP.Tail, c.SIP.GreetingDelay = 0, time.Hour, -1, time.Hour
		}, []string{"sip.answer_timeout", "sip.greeting_delay", "sip.ring_timeout", "sip.tail"}},
		{"no trunk to call through", func(c *config.Config) { c.Voice.Carrier = "sip" }, []string{"voice.carrier"}},
		{
			"guards", func(c *config.Config) { c.Voice.Guards = config.Guards{Prefixes: []string{"1", "+0"}, CallsPerDay: -1} },
			[]string{"voice.guards.calls_per_day", "voice.guards.prefixes[0]", "voice.guards.prefixes[1]"},
		},
		{"spellings", with(func(t *config.Trunk) {
			t.Transport, t.CallerID, t.Prefixes, t.Allow, t.Password = "sctp", "x", []string{"49"}, []string{"10.0.0.1"}, "env:NOT_SET"
		}), []string{"sip.trunks[0].allow[0]", "sip.trunks[0].caller_id", "sip.trunks[0].password", "sip.trunks[0].prefixes[0]", "sip.trunks[0].transport"}},
		{
			"TLS", with(func(t *config.Trunk) { t.TLS = config.TrunkTLS{CA: "/no/such/file", Certificate: "/no/such/file"} }),
			[]string{"sip.trunks[0].tls", "sip.trunks[0].tls", "sip.trunks[0].tls.ca", "sip.trunks[0].tls.certificate"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, problemsOf(t, tt.change)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPortRange(t *testing.T) {
	t.Parallel()
	first, last, err := config.PortRange("20000-39999").Bounds()
	if first != 20000 || last != 39999 || err != nil {
		t.Errorf("Bounds = %d, %d, %v, want 20000, 39999, nil", first, last, err)
	}
}

func TestValidateChecksSpeech(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*config.Speech)
		want   []string
	}{
		{"Polly", func(s *config.Speech) { s.Engine, s.Polly.Region = "polly", "us-east-1" }, nil},
		{"a command", func(s *config.Speech) { s.Engine, s.Command.Run = "command", []string{"piper"} }, nil},
		{"half a key", func(s *config.Speech) { s.Engine, s.Polly.AccessKeyID = "polly", "AKIDEXAMPLE" }, []string{"speech.polly"}},
		{"a secret that is not there", func(s *config.Speech) { s.Polly.SecretKey = "env:NOT_SET" }, []string{"speech.polly", "speech.polly.secret_access_key"}},
		{"an engine of Polly", func(s *config.Speech) { s.Polly.Engine = "best" }, []string{"speech.polly.engine"}},
		{"a command that is not used", func(s *config.Speech) { s.Command.Run = []string{"piper"} }, []string{"speech.command.run"}},
		{"no command", func(s *config.Speech) { s.Engine = "command" }, []string{"speech.command.run"}},
		{"environment", func(s *config.Speech) { s.Command.Env = []string{"A=1", "B", "=c"} }, []string{"speech.command.env[1]", "speech.command.env[2]"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := problemsOf(t, func(c *config.Config) { tt.change(&c.Speech) })
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}
