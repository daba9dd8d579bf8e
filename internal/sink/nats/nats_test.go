package natssink

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tidings/internal/arn"
	"tidings/internal/sink"
)

func TestSettingsThatCannotWork(t *testing.T) {
	t.Parallel()
	good := Settings{URL: "nats://nats.example:4222", Subject: "events"}
	with := func(change func(*Settings)) Settings {
		s := good
		change(&s)
		return s
	}
	for name, tc := range map[string]struct {
		settings Settings
		want     []string
	}{
		"nothing":            {Settings{}, []string{"url: write it as", `subject: "" is no subject`}},
		"no scheme":          {with(func(s *Settings) { s.URL = "nats.example:4222" }), []string{"url: write it as nats://host:port"}},
		"second is none":     {with(func(s *Settings) { s.URL = "nats://a:4222,http://b" }), []string{"url: write it as"}},
		"password in URL":    {with(func(s *Settings) { s.URL = "nats://user:hunter2@a:4222" }), []string{"url: must not hold a user or a password"}},
		"a broken URL":       {with(func(s *Settings) { s.URL = "nats://user:hunter2@[::1" }), []string{"url: write it as"}},
		"a path":             {with(func(s *Settings) { s.URL = "nats://a:4222/x" }), []string{"nothing stands behind"}},
		"wildcard":           {with(func(s *Settings) { s.Subject = "events.>" }), []string{`"events.>" is no subject to publish to`}},
		"star":               {with(func(s *Settings) { s.Subject = "events.*" }), []string{"no subject to publish to"}},
		"empty token":        {with(func(s *Settings) { s.Subject = "events..calls" }), []string{"no subject to publish to"}},
		"space":              {with(func(s *Settings) { s.Subject = "events calls" }), []string{"no subject to publish to"}},
		"line break":         {with(func(s *Settings) { s.Subject = "a\r\nPUB b" }), []string{"no subject to publish to"}},
		"of the server":      {with(func(s *Settings) { s.Subject = "$JS.API.STREAM.DELETE.X" }), []string{"belongs to the server"}},
		"an inbox":           {with(func(s *Settings) { s.Subject = "_INBOX.x" }), []string{"belongs to the server"}},
		"unknown place":      {with(func(s *Settings) { s.Subject = "{set}" }), []string{"subject: {set is no placeholder"}},
		"two kinds":          {with(func(s *Settings) { s.Token, s.Username, s.Password = "hunter2", "u", "hunter2" }), []string{"the server takes one"}},
		"half a user":        {with(func(s *Settings) { s.Password = "hunter2" }), []string{"both a user and a password"}},
		"no such file":       {with(func(s *Settings) { s.Credentials = filepath.Join(t.TempDir(), "none.creds") }), []string{"credentials:", "none.creds"}},
		"several":            {Settings{URL: "x", Subject: "{", Password: "hunter2"}, []string{"url:", "subject:", "both a user"}},
		"a subject too long": {with(func(s *Settings) { s.Subject = strings.Repeat("x", 1_025) }), []string{"no subject to publish to"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := New(tc.settings)
			for _, want := range tc.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("New = %v, want an error with %q", err, want)
				}
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("New = %v, which tells a secret", err)
			}
		})
	}
	newDriver(t, good)
	newDriver(t, with(func(s *Settings) { s.URL, s.Token = "tls://a:4222, nats://[::1]:4223", "t" }))
}

func TestNamesOfSubjects(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ template, arn, want string }{
		{"calls", "arn:aws:sns:us-east-1:123456789012:alerts", "calls"},
		{"{service}.{region}.{account}.{name}", "arn:aws:sns:us-east-1:123456789012:alerts", "sns.us-east-1.123456789012.alerts"},
		{"a.{name}.b", "arn:aws:kinesis:us-east-1:123456789012:stream/my.events-1", "a.my_events-1.b"},
		{"a.{name}", "arn:aws:logs:us-east-1:123456789012:log-group:/voice/>*:*", "a._voice___"},
		{"{name}", "arn:aws:sns:us-east-1:123456789012:" + strings.Repeat("x", 1_025), ""},
	} {
		a, err := arn.Parse(tc.arn)
		if err != nil {
			t.Fatal(err)
		}
		d := newDriver(t, Settings{URL: "nats://a:1", Subject: tc.template})
		checked := d.Check(sink.Target{ARN: a})
		s, err := d.Open(sink.Target{ARN: a})
		if (checked == nil) != (err == nil) || (err == nil) != (tc.want != "") {
			t.Errorf("%s for %s: Check = %v, Open = %v, want the subject %q", tc.template, tc.arn, checked, err, tc.want)
		}
		if err != nil {
			continue
		}
		if got := s.(*subject).name; got != tc.want {
			t.Errorf("%s for %s is %q, want %q", tc.template, tc.arn, got, tc.want)
		}
		if err := s.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
	}
}

// message is what a consumer sees.
type message struct{ Subject, Data, ID, Type, Account, Region, MsgID string }

func TestMessages(t *testing.T) {
	t.Parallel()
	f := newFar(t)
	s := openSink(t, newDriver(t, f.settings()), "alerts")
	batch := batchOf(`{"n":0}`, `{"n":1}`)
	batch[1].ID = "a line\r\nInjected: yes"
	if err := s.Deliver(t.Context(), batch); err != nil {
		t.Fatalf("Deliver = %v", err)
	}
	var got []message
	for _, m := range f.stored(t, theStream) {
		got = append(got, message{
			m.Subject, string(m.Data), m.Header.Get("Tidings-Id"), m.Header.Get("Tidings-Type"),
			m.Header.Get("Tidings-Account"), m.Header.Get("Tidings-Region"), m.Header.Get("Nats-Msg-Id"),
		})
		if m.Header.Get("Injected") != "" {
			t.Errorf("an ID has brought a header of its own: %v", m.Header)
		}
	}
	first, second := batch[0].ID, "a line  Injected: yes"
	want := []message{
		{theSubject, `{"n":0}`, first, "voice.answered", "123456789012", "us-east-1", first},
		{theSubject, `{"n":1}`, second, "voice.answered", "123456789012", "us-east-1", second},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
}

// TestAStreamDropsRepeats, and a repeat is a success.
func TestAStreamDropsRepeats(t *testing.T) {
	t.Parallel()
	f := newFar(t)
	s := openSink(t, newDriver(t, f.settings()), "alerts")
	batch := batchOf(`{"n":0}`, `{"n":1}`)
	for range 3 {
		if err := s.Deliver(t.Context(), batch); err != nil {
			t.Fatalf("Deliver = %v", err)
		}
	}
	if got := len(f.received(t)); got != 2 {
		t.Errorf("%d messages are stored, want 2", got)
	}
}

// TestSubjectsShareAConnection, which lives as long as anybody needs it.
func TestSubjectsShareAConnection(t *testing.T) {
	t.Parallel()
	f := newFar(t)
	d := newDriver(t, f.settings())
	alerts, other := openSink(t, d, "alerts"), openSink(t, d, "other")
	deliver := func(when string) {
		t.Helper()
		for name, s := range map[string]sink.Sink{"alerts": alerts, "other": other} {
			if err := s.Deliver(t.Context(), batchOf(`{}`)); err != nil {
				t.Errorf("Deliver to %s, %s = %v", name, when, err)
			}
		}
	}
	deliver("first")
	for range 2 {
		if err := d.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
	}
	if _, err := d.Open(target("alerts")); err == nil {
		t.Error("Open on a closed driver worked")
	}
	deliver("with the driver closed")
	for range 2 {
		if err := alerts.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
	}
	if err := other.Deliver(t.Context(), batchOf(`{"n":2}`)); err != nil {
		t.Errorf("Deliver after another subject was closed = %v", err)
	}
	if got := f.proxy.count(t); got != 1 {
		t.Errorf("%d connections, want 1", got)
	}
	if err := other.Close(); err != nil {
		t.Errorf("Close = %v", err)
	}
	if d.current != nil {
		t.Error("the connection is there, though nobody can need it")
	}
	if err := other.Deliver(t.Context(), batchOf(`{}`)); err == nil {
		t.Error("Deliver after everything was closed worked")
	}
}
