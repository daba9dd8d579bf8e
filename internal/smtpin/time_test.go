package smtpin_test

import (
	"context"
	"errors"
	"net"
	"net/textproto"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tidings/internal/smtpin"
)

// pipes is a listener in memory, so that time can be simulated.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

func (p *pipes) dial(tb testing.TB) *talk {
	tb.Helper()
	client, server := net.Pipe()
	p.conns <- server
	tb.Cleanup(func() { _ = client.Close() })
	return &talk{tb: tb, Conn: textproto.NewConn(client), raw: client}
}

// piped runs a submission listener in memory. What done gives is what Run returned.
func piped(t *testing.T, s smtpin.Submission) (p *pipes, stop func(), done <-chan error) {
	t.Helper()
	p = newPipes()
	s.Accounts, s.Insecure = accounts, true
	l := smtpin.SubmissionOn(p, s)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	return p, stop, ended
}

// ready says everything that comes before the message itself.
func ready(c *talk) {
	c.tb.Helper()
	c.expect("220")
	c.say("EHLO client", "250")
	c.say(plain(keyID, smtpin.Password(secret, "us-east-1")), "235")
	c.say("MAIL FROM:<a@example.com>", "250")
	c.say("RCPT TO:<b@example.com>", "250")
	c.say("DATA", "354")
}

func TestIdleConnectionEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, stop, done := piped(t, smtpin.Submission{Sender: &sender{}})
		c := p.dial(t)
		c.expect("220")
		time.Sleep(4 * time.Minute)
		c.say("NOOP", "250")
		began := time.Now()
		c.expect("421")
		if took := time.Since(began); took != 5*time.Minute {
			t.Errorf("the connection ended after %v, want 5m", took)
		}
		// Octets that make no line buy no time.
		c = p.dial(t)
		c.expect("220")
		began = time.Now()
		var writer sync.WaitGroup
		writer.Go(func() { drip(c, "N") })
		c.expect("501")
		if line, err := c.ReadLine(); err == nil {
			t.Errorf("reply = %q, want the end", line)
		}
		if took := time.Since(began); took != 5*time.Minute {
			t.Errorf("the connection ended after %v, want 5m", took)
		}
		writer.Wait()
		stop()
		if err := <-done; err != nil {
			t.Errorf("Run = %v, want nil", err)
		}
	})
}

// drip writes a piece each minute until the connection ends.
func drip(c *talk, piece string) {
	for {
		if _, err := c.raw.Write([]byte(piece)); err != nil {
			return
		}
		time.Sleep(time.Minute)
	}
}

func TestSlowMessageEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		to := &sender{}
		p, stop, done := piped(t, smtpin.Submission{Sender: to})
		c := p.dial(t)
		ready(c)
		began := time.Now()
		var writer sync.WaitGroup
		writer.Go(func() { drip(c, "a\r\n") })
		c.expect("451 Timeout waiting for data from client")
		if took := time.Since(began); took != 15*time.Minute {
			t.Errorf("the message was given up after %v, want 15m", took)
		}
		stop()
		writer.Wait()
		if err := <-done; err != nil || to.count() != 0 {
			t.Errorf("Run = %v, %d mails sent, want nil and none", err, to.count())
		}
	})
}

func TestWrongCredentialsWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, stop, done := piped(t, smtpin.Submission{Sender: &sender{}})
		c := p.dial(t)
		c.expect("220")
		c.say("EHLO client", "250")
		for i, want := range []string{"535", "535", "421"} {
			began := time.Now()
			c.say(plain(keyID, "wrong"), want)
			if took := time.Since(began); took != time.Duration(i+1)*time.Second {
				t.Errorf("refusal %d took %v, want %ds", i+1, took, i+1)
			}
		}
		stop()
		<-done
	})
}

// TestStop: those that wait are told, a message under way is finished.
func TestStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		to := &sender{hold: make(chan struct{}), busy: make(chan struct{})}
		p, stop, done := piped(t, smtpin.Submission{Sender: to})
		waits, sends := p.dial(t), p.dial(t)
		waits.expect("220")
		ready(sends)
		if err := sends.PrintfLine("hello\r\n."); err != nil {
			t.Fatal(err)
		}
		<-to.busy
		stop()
		waits.expect("421")
		close(to.hold)
		sends.expect("250 Ok " + messageID)
		sends.expect("421")
		if err := <-done; err != nil {
			t.Errorf("Run = %v, want nil", err)
		}
	})
}

// TestStopGivesUp: a message that takes too long is given up, and its client is not told that it was accepted.
func TestStopGivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		to := &sender{hold: make(chan struct{}), busy: make(chan struct{})}
		p, stop, done := piped(t, smtpin.Submission{Sender: to})
		c := p.dial(t)
		ready(c)
		if err := c.PrintfLine("hello\r\n."); err != nil {
			t.Fatal(err)
		}
		<-to.busy
		began := time.Now()
		stop()
		if err := <-done; err != nil {
			t.Errorf("Run = %v, want nil", err)
		}
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("Run took %v to stop, want 10s", took)
		}
		if to.count() != 0 {
			t.Errorf("%d mails were sent, want none", to.count())
		}
	})
}

// far is a connection from somewhere else.
type far struct {
	net.Conn
	from *net.TCPAddr
}

func (f far) RemoteAddr() net.Addr { return f.from }

// TestOneSiteOfIPv6: addresses of one /64 count together, but a mail comes from its own.
func TestOneSiteOfIPv6(t *testing.T) {
	t.Parallel()
	to := &sender{}
	p, stop, done := piped(t, smtpin.Submission{Settings: smtpin.Settings{MaxPerAddress: 1}, Sender: to})
	var all []net.Conn
	from := func(ip string) *talk {
		client, server := net.Pipe()
		all = append(all, client)
		p.conns <- far{server, &net.TCPAddr{IP: net.ParseIP(ip), Port: 25}}
		return &talk{tb: t, Conn: textproto.NewConn(client), raw: client}
	}
	first := from("2001:db8::1")
	ready(first)
	from("2001:db8::2").expect("421 Too many concurrent SMTP connections")
	from("2001:db8:0:1::2").expect("220")
	from("::ffff:192.0.2.1").expect("220")
	from("192.0.2.1").expect("421")
	first.say("hello\r\n.", "250")
	if got := to.only(t).request.Origin.IP; got != "2001:db8::1" {
		t.Errorf("Origin.IP = %q, want the address itself", got)
	}
	for _, c := range all {
		c.Close()
	}
	stop()
	if err := <-done; err != nil {
		t.Errorf("Run = %v, want nil", err)
	}
}

// broken is a listener that fails.
type broken struct{ net.Listener }

var errBroken = errors.New("no more sockets")

func (broken) Accept() (net.Conn, error) { return nil, errBroken }

func TestRunTellsWhenItCannotListen(t *testing.T) {
	t.Parallel()
	l := smtpin.SubmissionOn(broken{newPipes()}, smtpin.Submission{Accounts: accounts, Insecure: true})
	if err := l.Run(t.Context()); !errors.Is(err, errBroken) {
		t.Errorf("Run = %v, want %v", err, errBroken)
	}
}
