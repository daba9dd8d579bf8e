package config_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tidings/internal/config"
)

// destination reads one entry of the list of destinations.
func destination(t *testing.T, text string) (*config.Destination, []string) {
	t.Helper()
	c, err := config.Load(write(t, "destinations:\n  - match: \"*\"\n    "+text+"\n"), none)
	if err != nil {
		t.Fatalf("Load(%s) = %v", text, err)
	}
	var keys []string
	if problems, ok := errors.AsType[config.Problems](c.Validate(none)); ok {
		if strings.Contains(problems.Error(), "hunter2") {
			t.Errorf("%q tells a secret", problems.Error())
		}
		for _, p := range problems {
			keys = append(keys, strings.TrimPrefix(p.Key, "destinations[0]"))
		}
	}
	slices.Sort(keys)
	return &c.Destinations[0], keys
}

func TestValidateChecksKafkaAndNATS(t *testing.T) {
	t.Parallel()
	file := write(t, "x")
	for _, tc := range []struct {
		text string
		want []string // the keys that are wrong
	}{
		{`kafka: {brokers: ["a:9092", "[::1]:9092"], topic: calls}`, nil},
		{`kafka: {brokers: ["a:9092"], topic: "calls.{name}", tls: true, compression: zstd, sasl: {mechanism: plain, username: u, password: hunter2}}`, nil},
		{`kafka: {brokers: ["a:9092"], topic: calls, tls: {ca: "` + file + `", certificate: "` + file + `", key: "` + file + `"}}`, nil},
		{`kafka: {}`, []string{".kafka.brokers", ".kafka.topic"}},
		{`kafka: {brokers: ["a:9092", b], topic: calls, compression: zip}`, []string{".kafka.brokers[1]", ".kafka.compression"}},
		{`kafka: {brokers: ["a:9092"], topic: calls, sasl: {mechanism: gssapi, password: "env:UNSET"}}`, []string{".kafka.sasl", ".kafka.sasl.mechanism", ".kafka.sasl.password"}},
		{`kafka: {brokers: ["a:9092"], topic: calls, tls: {ca: /no/such/file, key: "` + file + `"}}`, []string{".kafka.tls", ".kafka.tls.ca"}},

		{`nats: {url: "nats://a:4222", subject: events}`, nil},
		{`nats: {url: "nats://a:4222,tls://b:4222", subject: "events.{account}.{name}", stream: false, user: u, password: hunter2, tls: {server_name: nats}}`, nil},
		{`nats: {url: "tls://a", subject: events, credentials: "` + file + `"}`, nil},
		{`nats: {}`, []string{".nats.subject", ".nats.url"}},
		{`nats: {url: "nats://a:4222,b:4222,nats://u:hunter2@c", subject: events}`, []string{".nats.url", ".nats.url"}},
		{`nats: {url: "nats://a", subject: e, token: hunter2, user: u, password: hunter2}`, []string{".nats"}},
		{`nats: {url: "nats://a", subject: e, user: u, token: "env:UNSET", credentials: /no/such/file, tls: {certificate: "` + file + `"}}`, []string{".nats", ".nats.credentials", ".nats.tls", ".nats.token", ".nats.user"}},

		{`nats: {url: "nats://a", subject: e}` + "\n    kafka: {brokers: [\"a:1\"], topic: t}", []string{""}},
	} {
		_, got := destination(t, tc.text)
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("problems of %s (-want +got):\n%s", tc.text, diff)
		}
	}
}

func TestTLSIsTrueOrAMapping(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]config.ClientTLS{
		"true":                            {On: true},
		"false":                           {},
		"{}":                              {On: true},
		"{ca: a, certificate: b, key: c}": {On: true, CA: "a", Certificate: "b", Key: "c"},
		"{server_name: a}":                {On: true, ServerName: "a"},
	} {
		d, _ := destination(t, `kafka: {brokers: ["a:1"], topic: t, tls: `+text+`}`)
		if d.Kafka.TLS != want {
			t.Errorf("tls: %s is %+v, want %+v", text, d.Kafka.TLS, want)
		}
	}
	for _, text := range []string{"maybe", "{cax: a}", "[true]", "{on: true}"} {
		path := write(t, `destinations: [{match: "*", kafka: {brokers: ["a:1"], topic: t, tls: `+text+`}}]`)
		if _, err := config.Load(path, none); err == nil {
			t.Errorf("Load with tls: %s = nil, want an error", text)
		}
	}
}

func TestStreamIsTheDefault(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{"": true, ", stream: true": true, ", stream: false": false} {
		d, _ := destination(t, `nats: {url: "nats://a", subject: e`+text+`}`)
		if got := d.NATS.Stream == nil || *d.NATS.Stream; got != want {
			t.Errorf("with %q, a stream is wanted: %v, want %v", text, got, want)
		}
	}
}
