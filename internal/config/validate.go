package config

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"tidings/internal/arn"
	"tidings/internal/quota"
)

// Validate checks the whole configuration and resolves its secrets in place. Its error is
// a Problems with everything that is wrong.
func (c *Config) Validate(getenv func(string) string) error {
	var p Problems
	c.checkListeners(&p, getenv)
	oneOf(&p, "quotas", string(c.Quotas), string(quota.Production), string(quota.Sandbox), string(quota.Off))
	if c.Data == "" {
		p.add("data", c.Data, "name a directory")
	}
	c.checkAccounts(&p, getenv)
	c.checkVoice(&p)
	c.checkSIP(&p, getenv)
	c.checkSpeech(&p, getenv)
	c.checkEmail(&p, getenv)
	c.checkDestinations(&p, getenv)
	c.checkDelivery(&p)
	c.checkStorage(&p)
	between(&p, "pinpoint.max_bytes", c.Pinpoint.MaxBytes, 16<<20, 1<<50)
	between(&p, "pinpoint.cache_bytes", c.Pinpoint.CacheBytes, 1<<20, 1<<50)
	oneOf(&p, "log.level", c.Log.Level, "debug", "info", "warn", "error")
	oneOf(&p, "log.format", c.Log.Format, "auto", "text", "json")
	return p.err()
}

func oneOf(p *Problems, key, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		p.add(key, value, "must be one of %s", strings.Join(allowed, ", "))
	}
}

func between[T int | int64 | float64 | time.Duration | Size](p *Problems, key string, value, low, high T) {
	if value < low || value > high {
		p.add(key, value, "must be between %v and %v", low, high)
	}
}

func (c *Config) checkListeners(p *Problems, getenv func(string) string) {
	if loopback, ok := checkAddress(p, "listen", c.Listen); ok && !loopback && len(c.Accounts) == 0 {
		p.add("listen", c.Listen, "not a loopback address, so configure accounts: without any, everybody may use the built-in test key")
	}
	resolve(p, "admin_token", &c.AdminToken, getenv)
	if loopback, ok := checkAddress(p, "admin", c.Admin); ok && !loopback && c.AdminToken == "" {
		p.add("admin", c.Admin, "not a loopback address, so set admin_token")
	}
	if (c.TLS.Certificate == "") != (c.TLS.Key == "") {
		p.add("tls", c.TLS.Certificate+c.TLS.Key, "name both the certificate and the key, or neither")
	}
	for key, file := range map[string]string{"tls.certificate": c.TLS.Certificate, "tls.key": c.TLS.Key} {
		if _, err := os.Stat(file); file != "" && err != nil {
			p.add(key, file, "%v", err)
		}
	}
}

func checkAddress(p *Problems, key, address string) (loopback, ok bool) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		p.add(key, address, "write it as host:port: %v", err)
		return false, false
	}
	return IsLoopback(host), true
}

// IsLoopback reports whether a listener on host can be reached from this machine only.
func IsLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

func resolve(p *Problems, key string, s *Secret, getenv func(string) string) {
	value, err := s.Resolve(getenv)
	if err != nil {
		p.add(key, string(*s), "%v", err) // only a reference can fail, and a reference is no secret
		return
	}
	*s = Secret(value)
}

func (c *Config) checkAccounts(p *Problems, getenv func(string) string) {
	ids, keys := map[string]bool{}, map[string]bool{}
	for i := range c.Accounts {
		a := &c.Accounts[i]
		at := fmt.Sprintf("accounts[%d]", i)
		if !arn.IsAccount(a.ID) {
			p.add(at+".id", a.ID, "an account ID has 12 digits (quote it, or YAML reads a number)")
		}
		if ids[a.ID] {
			p.add(at+".id", a.ID, "listed twice")
		}
		ids[a.ID] = true
		for name, n := range a.Quotas {
			if _, ok := quota.Row(name); !ok {
				p.add(at+".quotas."+string(name), n, "no such limit")
			} else if n < 0 {
				p.add(at+".quotas."+string(name), n, "must be 0 (no limit) or more")
			}
		}
		if len(a.Keys) == 0 {
			p.add(at+".keys", "", "an account without a key cannot be used")
		}
		for j := range a.Keys {
			k := &a.Keys[j]
			k.check(p, fmt.Sprintf("%s.keys[%d]", at, j), getenv)
			if keys[k.ID] {
				p.add(fmt.Sprintf("%s.keys[%d].id", at, j), k.ID, "listed twice")
			}
			keys[k.ID] = true
		}
	}
}

func (k *Key) check(p *Problems, at string, getenv func(string) string) {
	if k.ID == "" || strings.ContainsAny(k.ID, "/, =") {
		p.add(at+".id", k.ID, "an access key ID is not empty and holds no slash, comma, blank or equals sign")
	}
	resolve(p, at+".secret", &k.Secret, getenv)
	if k.Secret == "" {
		p.add(at+".secret", "", "must not be empty")
	}
	resolve(p, at+".session_token", &k.SessionToken, getenv)
	if k.Expires != "" {
		t, err := time.Parse(time.RFC3339, k.Expires)
		if err != nil {
			p.add(at+".expires", k.Expires, "write it as 2026-12-31T23:59:59Z")
		}
		k.ExpiresAt = t
	}
	for _, action := range k.Allow {
		service, name, ok := strings.Cut(action, ":")
		if action != "*" && (!ok || service == "" || name == "" || strings.Contains(strings.TrimSuffix(action, "*"), "*")) {
			p.add(at+".allow", action, "write service:Operation, service:*, or *; a star only at the end")
		}
	}
}

func (c *Config) checkVoice(p *Problems) {
	oneOf(p, "voice.call_instructions", c.Voice.CallInstructions, "refuse", "plain")
	oneOf(p, "voice.event_words", c.Voice.EventWords, "v1", "v2")
	between(p, "voice.lines", c.Voice.Lines, 1, 1_000_000)
	between(p, "voice.drain", c.Voice.Drain, 0, time.Hour)
	between(p, "voice.simulator.speed", c.Voice.Simulator.Speed, 0.01, 1e9)
	between(p, "voice.simulator.keep_recordings", c.Voice.Simulator.KeepRecordings, 0, 10*365*24*time.Hour)
}

func (c *Config) checkSpeech(p *Problems, getenv func(string) string) {
	s := &c.Speech
	oneOf(p, "speech.engine", s.Engine, "auto", "espeak", "polly", "command", "estimate")
	between(p, "speech.cache_bytes", s.CacheBytes, 1<<20, 1<<50)
	between(p, "speech.concurrency", s.Concurrency, 0, 1024)
	between(p, "speech.timeout", s.Timeout, time.Second, 10*time.Minute)
	oneOf(p, "speech.polly.engine", s.Polly.Engine, "auto", "standard", "neural", "long-form", "generative")
	if s.Polly.Endpoint != "" {
		checkURL(p, "speech.polly.endpoint", s.Polly.Endpoint)
	}
	resolve(p, "speech.polly.secret_access_key", &s.Polly.SecretKey, getenv)
	resolve(p, "speech.polly.session_token", &s.Polly.SessionToken, getenv)
	if (s.Polly.AccessKeyID == "") != (s.Polly.SecretKey == "") {
		p.add("speech.polly", s.Polly.AccessKeyID, "give both access_key_id and secret_access_key, or neither for the default chain")
	}
	if (s.Engine == "command") != (len(s.Command.Run) > 0) {
		p.add("speech.command.run", strings.Join(s.Command.Run, " "), "belongs to speech.engine: command; give both or neither")
	}
	between(p, "speech.command.rate", s.Command.Rate, 0, 192_000)
	for i, v := range s.Command.Env {
		if name, _, ok := strings.Cut(v, "="); !ok || name == "" {
			p.add(fmt.Sprintf("speech.command.env[%d]", i), name, "write NAME=VALUE")
		}
	}
}

func (c *Config) checkDelivery(p *Problems) {
	d := c.Delivery
	between(p, "delivery.timeout", d.Timeout, 100*time.Millisecond, 10*time.Minute)
	between(p, "delivery.backoff", d.Backoff, 10*time.Millisecond, time.Hour)
	between(p, "delivery.backoff_max", d.BackoffMax, d.Backoff, 24*time.Hour)
	between(p, "delivery.give_up", d.GiveUp, time.Second, 365*24*time.Hour)
	between(p, "delivery.concurrency", d.Concurrency, 1, 1_000)
}

func (c *Config) checkStorage(p *Problems) {
	s := c.Storage
	between(p, "storage.max_bytes", s.MaxBytes, 64<<20, 1<<50)
	between(p, "storage.reserve_bytes", s.ReserveBytes, 1<<20, 1<<50)
	between(p, "storage.keep_events", s.KeepEvents, time.Minute, 10*365*24*time.Hour)
	between(p, "storage.keep_events_bytes", s.KeepEventsBytes, 1<<20, s.MaxBytes)
}
