package smtpin

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/emersion/go-smtp"
)

// Settings are what all listeners have.
type Settings struct {
	Listen string // address: ":587"
	Hello  string // name of this server, for its greeting; "" = localhost
	// TLS is for STARTTLS, or for connections that begin with it; nil = none. Versions before 1.2 are refused (RFC 8314 4.1).
	TLS            *tls.Config
	MaxBytes       int64 // of a message; 0 = 40 MiB
	MaxConnections int   // 0 = 1,000
	MaxPerAddress  int   // connections of one IP address, or of one /64 of IPv6; 0 = 100
	MaxMemory      int64 // that messages under way may take together; 0 = 512 MiB
	Log            *slog.Logger
	Metrics        *Metrics         // nil = nothing is counted
	Now            func() time.Time // nil = time.Now
}

// withDefaults returns the settings with what is not set.
func (s Settings) withDefaults() Settings {
	s.Hello = cmp.Or(s.Hello, "localhost")
	// Source: SES Developer Guide, "Service quotas in Amazon SES": 40 MB with SMTP.
	s.MaxBytes = cmp.Or(s.MaxBytes, 40<<20)
	s.MaxConnections = cmp.Or(s.MaxConnections, 1000)
	s.MaxPerAddress = cmp.Or(s.MaxPerAddress, 100)
	s.MaxMemory = cmp.Or(s.MaxMemory, 512<<20)
	if s.TLS != nil {
		s.TLS = s.TLS.Clone()
		s.TLS.MinVersion = max(s.TLS.MinVersion, tls.VersionTLS12)
	}
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	if s.Now == nil {
		s.Now = time.Now
	}
	return s
}

// Listener takes mail in. It is open from the beginning, and works once Run is called.
type Listener struct {
	s      Settings
	name   string
	guard  *guard
	ln     net.Listener // guard, or TLS on top of it
	server *smtp.Server
	memory atomic.Int64 // that messages under way take
	// work is the context of what is done for messages. It outlives that of Run by drain, so that they can be finished.
	work  context.Context
	abort context.CancelFunc
}

// drain is how long messages that are under way may take when the listener stops.
const drain = 10 * time.Second

// open makes a listener on ln, whose sessions are what newSession makes.
func open(ln net.Listener, name string, s Settings, implicit bool, newSession func(*Listener, *smtp.Conn) smtp.Session) *Listener {
	l := &Listener{s: s, name: name, guard: newGuard(ln, name, s, implicit)}
	l.work, l.abort = context.WithCancel(context.Background())
	l.ln = l.guard
	if implicit {
		l.ln = tls.NewListener(l.guard, s.TLS)
	}
	l.server = smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return newSession(l, c), nil }))
	l.server.Domain = s.Hello
	l.server.TLSConfig = s.TLS
	l.server.MaxMessageBytes = s.MaxBytes
	l.server.MaxLineLength = maxLine
	l.server.ReadTimeout = idle
	l.server.WriteTimeout = writeTime
	l.server.ErrorLog = slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug)
	return l
}

// Addr is where it listens.
func (l *Listener) Addr() net.Addr { return l.guard.Addr() }

// Close closes a listener that was never run.
func (l *Listener) Close() error {
	l.abort()
	return l.guard.Close()
}

// Run takes mail until ctx ends, then lets messages that are under way finish for up to ten seconds.
func (l *Listener) Run(ctx context.Context) error {
	defer l.abort()
	served := make(chan error, 1)
	go func() { served <- l.server.Serve(l.ln) }()
	var broken error
	select {
	case <-ctx.Done():
		l.guard.stop()
		broken = <-served
	case broken = <-served:
		l.guard.stop()
	}
	var failure error
	if ctx.Err() == nil || !errors.Is(broken, net.ErrClosed) {
		failure = fmt.Errorf("accept connections on %s: %w", l.Addr(), broken)
	}
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		_ = l.server.Shutdown(context.Background()) // says only that the socket is closed already
	}()
	timer := time.NewTimer(drain)
	defer timer.Stop()
	select {
	case <-finished:
	case <-timer.C:
		l.abort()
		l.guard.drop()
		<-finished
	}
	l.guard.wait()
	return failure
}

var (
	errTooLong  = as(552, "Message is too long.")
	errTimeout  = as(451, "Timeout waiting for data from client")
	errBroken   = as(454, "Temporary service failure") // SES: it did not receive the message whole
	errBusy     = enhanced(452, smtp.EnhancedCode{4, 3, 1}, "Too many messages under way")
	errLine     = enhanced(554, smtp.EnhancedCode{5, 6, 0}, "A line of the message is too long")
	errStopping = enhanced(421, smtp.EnhancedCode{4, 3, 2}, "The server is stopping")
	errTooMany  = enhanced(421, smtp.EnhancedCode{4, 7, 0}, "Too many errors")
)

// receive reads a message and works on it.
func (l *Listener) receive(top net.Conn, r io.Reader, work func(ctx context.Context, raw []byte) *smtp.SMTPError) error {
	c := beneath(top)
	finish, ok := c.begin()
	if !ok {
		return errStopping
	}
	defer finish()
	var taken int64
	defer func() { l.memory.Add(-taken) }()
	var raw bytes.Buffer
	for {
		const block = 64 << 10
		taken += block
		if l.memory.Add(block) > l.s.MaxMemory {
			_, _ = io.Copy(io.Discard, r) // what fails here fails again below
			l.s.Metrics.message(l.name, failed)
			return errBusy
		}
		_, err := io.CopyN(&raw, r, block)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			l.s.Metrics.message(l.name, failed)
			return l.unread(c, err)
		}
	}
	if _, chunks := r.(*io.PipeReader); chunks && !c.whole(top) {
		c.hangUp()
		l.s.Metrics.message(l.name, failed)
		return errBroken
	}
	return work(l.work, raw.Bytes())
}

// unread says why a message could not be read to its end.
func (l *Listener) unread(c *conn, err error) error {
	switch {
	case errors.Is(err, smtp.ErrDataTooLarge):
		c.allow(l.s.MaxBytes)
		return errTooLong
	case errors.Is(err, smtp.ErrTooLongLine):
		return errLine
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errTimeout
	}
	return errBroken
}
