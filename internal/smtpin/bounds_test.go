package smtpin_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net/textproto"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"tidings/internal/smtpin"
)

func TestTooManyConnections(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]smtpin.Settings{
		"all":        {MaxConnections: 2},
		"an address": {MaxPerAddress: 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			registry := prometheus.NewRegistry()
			s.Metrics = smtpin.NewMetrics(registry)
			address := submission(t, smtpin.Submission{Settings: s, Sender: &sender{}})
			one, two := dial(t, address), dial(t, address)
			one.expect("220")
			two.expect("220")
			dial(t, address).expect("421 Too many concurrent SMTP connections")
			one.say("QUIT", "221")
			if _, err := one.ReadLine(); !errors.Is(err, io.EOF) {
				t.Errorf("after QUIT = %v, want the end", err)
			}
			dial(t, address).expect("220")
			if n := count(t, registry, "tidings_smtpin_connections_total", "submission"); n != 3 {
				t.Errorf("connections = %v, want 3", n)
			}
			if n := count(t, registry, "tidings_smtpin_connections_refused_total", "submission"); n != 1 {
				t.Errorf("refused connections = %v, want 1", n)
			}
		})
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	t.Parallel()
	server, client := certificate(t)
	server.MinVersion = tls.VersionTLS10
	address := submission(t, smtpin.Submission{Settings: smtpin.Settings{TLS: server}, Implicit: true, Sender: &sender{}})
	client.MaxVersion = tls.VersionTLS11
	client.MinVersion = tls.VersionTLS10
	d := tls.Dialer{Config: client}
	if c, err := d.DialContext(t.Context(), "tcp", address); err == nil {
		c.Close()
		t.Error("a connection with TLS 1.1 was accepted")
	}
}

// TestChatterEnds: whoever only talks is cut off.
func TestChatterEnds(t *testing.T) {
	t.Parallel()
	c := dial(t, submission(t, smtpin.Submission{Sender: &sender{}}))
	c.expect("220")
	go func() {
		noops := []byte(strings.Repeat("NOOP\r\n", 1000))
		for {
			if _, err := c.raw.Write(noops); err != nil {
				return
			}
		}
	}()
	for n := 0; ; n++ {
		line, err := c.ReadLine()
		if err != nil || strings.HasPrefix(line, "421") {
			return
		}
		if n > 256<<10/len("NOOP\r\n") {
			t.Fatalf("%d commands without a message were answered", n)
		}
	}
}

func TestMistakesEndTheConnection(t *testing.T) {
	t.Parallel()
	c := dial(t, submission(t, smtpin.Submission{Sender: &sender{}}))
	c.expect("220")
	c.say("EHLO client", "250")
	for range 19 {
		c.say("MAIL FROM:<a@example.com>", "530 Authentication required")
	}
	c.say("MAIL FROM:<a@example.com>", "421")
	if line, err := c.ReadLine(); err == nil {
		t.Errorf("reply = %q, want the end", line)
	}
}

func TestLongLineEnds(t *testing.T) {
	t.Parallel()
	to := &sender{}
	c := dial(t, submission(t, smtpin.Submission{Sender: to}))
	ready(c)
	go func() { _, _ = io.Copy(c.raw, io.LimitReader(endless('x'), 1<<20)) }()
	c.expect("554 5.6.0 A line of the message is too long")
	if to.count() != 0 {
		t.Errorf("%d mails were sent, want none", to.count())
	}
}

// endless is a reader of one octet, over and over.
type endless byte

func (e endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(e)
	}
	return len(p), nil
}

// TestLongMessage: a message that is too long is refused, whether its length is said before or not, and the next one is taken.
func TestLongMessage(t *testing.T) {
	t.Parallel()
	to := &sender{}
	registry := prometheus.NewRegistry()
	c := dial(t, submission(t, smtpin.Submission{Settings: smtpin.Settings{MaxBytes: 100 << 10, Metrics: smtpin.NewMetrics(registry)}, Sender: to}))
	ready(c)
	c.say(strings.Repeat(strings.Repeat("x", 100)+"\r\n", 1100)+".", "552 Message is too long.")
	c.say("MAIL FROM:<a@example.com> SIZE=102401", "552")
	c.say("MAIL FROM:<a@example.com> SIZE=102400", "250")
	c.say("RCPT TO:<b@example.com>", "250")
	c.say("DATA", "354")
	c.say("hello\r\n.", "250 Ok")
	to.only(t)
	if n := count(t, registry, "tidings_smtpin_messages_total", "submission", "failed"); n != 1 {
		t.Errorf("failed messages = %v, want 1", n)
	}
}

// TestMemory: messages under way take no more memory than allowed, and what they took is given back.
func TestMemory(t *testing.T) {
	t.Parallel()
	to := &sender{}
	c := dial(t, submission(t, smtpin.Submission{Settings: smtpin.Settings{MaxMemory: 128 << 10}, Sender: to}))
	ready(c)
	c.say(strings.Repeat(strings.Repeat("x", 100)+"\r\n", 2000)+".", "452 4.3.1")
	for range 3 {
		c.say("MAIL FROM:<a@example.com>", "250")
		c.say("RCPT TO:<b@example.com>", "250")
		c.say("DATA", "354")
		c.say("hello\r\n.", "250 Ok")
	}
}

// TestChunks is RFC 3030.
func TestChunks(t *testing.T) {
	t.Parallel()
	to := &sender{}
	c := dial(t, submission(t, smtpin.Submission{Sender: to}))
	c.expect("220")
	c.say("EHLO client", "250")
	c.say(plain(keyID, smtpin.Password(secret, "us-east-1")), "235")
	c.say("MAIL FROM:<a@example.com>", "250")
	c.say("RCPT TO:<b@example.com>", "250")
	const one, two = "BDAT 7\r\nhello\r\n", "BDAT 6 LAST\r\n.\r\n.\r\n"
	if _, err := io.WriteString(c.raw, one+two); err != nil {
		t.Fatal(err)
	}
	c.expect("250")
	c.expect("250 Ok " + messageID)
	if got, want := string(to.only(t).request.Raw.Data), "hello\r\n.\r\n.\r\n"; got != want {
		t.Errorf("message = %q, want %q", got, want)
	}
}

// TestBrokenMessage: a message whose connection breaks is not sent.
func TestBrokenMessage(t *testing.T) {
	t.Parallel()
	server, client := certificate(t)
	for name, half := range map[string]string{"DATA": "DATA\r\nhello", "BDAT": "BDAT 100 LAST\r\nhello"} {
		for encryption, config := range map[string]*tls.Config{"": nil, " with TLS": server} {
			t.Run(name+encryption, func(t *testing.T) {
				t.Parallel()
				to := &sender{}
				address := submission(t, smtpin.Submission{Settings: smtpin.Settings{TLS: config}, Implicit: config != nil, Sender: to})
				c := dial(t, address)
				if config != nil {
					encrypted := tls.Client(c.raw, client)
					c.raw, c.Conn = encrypted, textproto.NewConn(encrypted)
				}
				c.expect("220")
				c.say("EHLO client", "250")
				c.say(plain(keyID, smtpin.Password(secret, "us-east-1")), "235")
				c.say("MAIL FROM:<a@example.com>", "250")
				c.say("RCPT TO:<b@example.com>", "250")
				if _, err := io.WriteString(c.raw, half); err != nil {
					t.Fatal(err)
				}
				if err := c.raw.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
					t.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, c.raw); err != nil {
					t.Fatal(err)
				}
				if to.count() != 0 {
					t.Errorf("%d mails were sent, want none", to.count())
				}
			})
		}
	}
}

// TestChunksWithTLS: with TLS, too, a message that came whole is sent, and the connection is good for another.
func TestChunksWithTLS(t *testing.T) {
	t.Parallel()
	server, client := certificate(t)
	to := &sender{}
	c := dial(t, submission(t, smtpin.Submission{Settings: smtpin.Settings{TLS: server}, Implicit: true, Sender: to}))
	encrypted := tls.Client(c.raw, client)
	c.raw, c.Conn = encrypted, textproto.NewConn(encrypted)
	c.expect("220")
	c.say("EHLO client", "250")
	c.say(plain(keyID, smtpin.Password(secret, "us-east-1")), "235")
	for range 2 {
		c.say("MAIL FROM:<a@example.com>", "250")
		c.say("RCPT TO:<b@example.com>", "250")
		c.say("BDAT 7 LAST\r\nhello", "250 Ok "+messageID)
	}
	if to.count() != 2 {
		t.Errorf("%d mails were sent, want 2", to.count())
	}
}
