package smtpout

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"tidings/internal/email"
)

// security is what a connection has to be.
type security int

// From the least to the most: a better connection will do where a lesser one is asked for.
const (
	plain         security = iota // never encrypted
	opportunistic                 // encrypted where the server offers it, with whatever certificate (RFC 7435)
	verified                      // encrypted, and the certificate is the host's
)

// quitWait is how long a server has to say goodbye. RFC 5321 4.1.1.10 would have us wait for it; a server that is gone must not
// hold up the end of the process.
const quitWait = 2 * time.Second

// fair is how long a host must have had, for its silence to count against it.
const fair = 10 * time.Second

// session is a connection to a server, greeted and ready for mail. One goroutine at a time uses it.
type session struct {
	t       *Transport
	raw     net.Conn // TCP; closing it wakes whoever reads or writes
	conn    net.Conn // raw, or TLS over it
	r       *bufio.Reader
	w       *bufio.Writer // writes through block
	address netip.AddrPort
	place   place
	level   security
	ext     map[string]string // extensions that the server offers, by keyword in capitals
	sent    int               // transactions begun
	used    time.Time         // when the last transaction ended
	dirty   bool              // it must not be used again
}

// setupError says why there is no session.
type setupError struct {
	said said
	ours bool // the context ended too soon to tell anything of the address
	tls  bool // it is about TLS: without it there may be a session
}

func (e *setupError) Error() string { return e.said.text }

// block writes with a time limit of its own for every write.
type block struct{ s *session }

func (b block) Write(p []byte) (int, error) {
	if err := b.s.conn.SetWriteDeadline(time.Now().Add(b.s.t.settings.Timeouts.Block)); err != nil {
		return 0, err
	}
	return b.s.conn.Write(p)
}

// dial connects to a host at one of its addresses and brings the session to where mail can be sent. Where encryption is not demanded
// and fails, it does without.
func (t *Transport) dial(ctx context.Context, h *host, at netip.AddrPort, level security) (*session, *setupError) {
	s, err := t.try(ctx, h, at, level)
	if err != nil && err.tls && level == opportunistic && ctx.Err() == nil {
		s, err = t.try(ctx, h, at, plain)
	}
	return s, err
}

// try is dial with one connection.
func (t *Transport) try(ctx context.Context, h *host, at netip.AddrPort, level security) (*session, *setupError) {
	begun := time.Now()
	s, err := t.connect(ctx, h, at)
	if err != nil {
		err.ours = ctx.Err() != nil && time.Since(begun) < fair
		t.metrics.connected("unreachable")
		return nil, err
	}
	// Whatever waits for the far end is woken when the context ends: the connection is gone then.
	stop := context.AfterFunc(ctx, func() { _ = s.raw.Close() })
	err = s.open(ctx, level)
	if !stop() && err == nil {
		err = &setupError{said: ours(email.Deferred, "4.4.2", "%v", context.Cause(ctx)).at(s.place)}
	}
	if err != nil {
		err.ours = ctx.Err() != nil && time.Since(begun) < fair
		t.metrics.connected("refused")
		s.drop()
		return nil, err
	}
	t.metrics.connected("open")
	return s, nil
}

// connect makes the connection.
func (t *Transport) connect(ctx context.Context, h *host, at netip.AddrPort) (*session, *setupError) {
	dialing, cancel := context.WithTimeout(ctx, t.settings.Timeouts.Connect)
	defer cancel()
	var d net.Dialer
	if t.settings.LocalAddress.IsValid() {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(t.settings.LocalAddress, 0))
	}
	conn, err := d.DialContext(dialing, "tcp", at.String())
	if err != nil {
		return nil, &setupError{
			// RFC 3463: X.4.1, no answer from host.
			said: ours(email.Deferred, "4.4.1", "connect to %s: %s", h.name, reason(err)).at(place{host: h.name, remote: at.Addr().String()}),
		}
	}
	s := &session{t: t, raw: conn, address: at, place: place{host: h.name, remote: at.Addr().String()}}
	if local, ok := conn.LocalAddr().(*net.TCPAddr); ok {
		s.place.local = local.AddrPort().Addr().Unmap().String()
	}
	t.metrics.open.Inc()
	s.use(conn)
	return s, nil
}

// use has the session speak over the connection.
func (s *session) use(conn net.Conn) {
	s.conn = conn
	s.r = bufio.NewReaderSize(conn, maxReplyLine+2)
	s.w = bufio.NewWriterSize(block{s}, 16<<10)
}

// open takes the greeting, says EHLO, and encrypts and authenticates as far as is asked for.
func (s *session) open(ctx context.Context, level security) *setupError {
	implicit := s.t.settings.Relay != "" && s.t.settings.RelayTLS == RelayImplicit
	if implicit {
		if err := s.encrypt(ctx, verified); err != nil {
			return err
		}
	}
	if err := s.expect("its greeting", s.t.settings.Timeouts.Greeting, 220); err != nil {
		return err
	}
	if err := s.hello(); err != nil {
		return err
	}
	if !implicit && level != plain {
		if err := s.startTLS(ctx, level); err != nil {
			return err
		}
	}
	if s.t.settings.Username != "" {
		return s.authenticate()
	}
	return nil
}

// startTLS encrypts the session if the server can, and fails if it must and cannot. Source: RFC 3207.
func (s *session) startTLS(ctx context.Context, level security) *setupError {
	if _, ok := s.ext["STARTTLS"]; !ok {
		if level == verified {
			// RFC 3463: X.7.4, security features not supported.
			f := s.fail(ours(email.Deferred, "4.7.4", "%s does not offer STARTTLS, and the mail must not go without", s.place.host))
			f.tls = true
			return f
		}
		return nil
	}
	if err := s.send("STARTTLS"); err != nil {
		return s.lost("STARTTLS", err)
	}
	got, err := s.read(s.t.settings.Timeouts.Command)
	if err != nil {
		return s.lost("STARTTLS", err)
	}
	if got.code != 220 {
		if level == verified || s.dirty {
			f := s.fail(deferred(got.said()))
			f.tls = !s.dirty
			return f
		}
		return nil // RFC 3207 4: it cannot now, and the session goes on
	}
	if s.r.Buffered() > 0 {
		// It came before the handshake, so somebody on the way may have written it.
		return s.fail(ours(email.Deferred, "4.7.0", "%s went on talking in the clear after STARTTLS", s.place.host))
	}
	if err := s.encrypt(ctx, level); err != nil {
		return err
	}
	return s.hello() // RFC 3207 4.2: what was learned before is forgotten
}

// encrypt makes the handshake.
func (s *session) encrypt(ctx context.Context, level security) *setupError {
	config := s.t.settings.TLS.Clone()
	config.ServerName = s.place.host
	if level != verified {
		// RFC 7435: whatever encryption there is beats none, which is what would come next.
		config.InsecureSkipVerify, config.MinVersion = true, tls.VersionTLS10
	}
	limited, cancel := context.WithTimeout(ctx, s.t.settings.Timeouts.Command)
	defer cancel()
	conn := tls.Client(s.conn, config)
	if err := conn.HandshakeContext(limited); err != nil {
		f := s.fail(ours(email.Deferred, "4.7.5", "TLS with %s: %s", s.place.host, reason(err)))
		f.tls = true
		return f
	}
	s.level = level
	s.place.tls = strings.Replace(tls.VersionName(conn.ConnectionState().Version), "TLS ", "TLSv", 1)
	s.use(conn)
	return nil
}

// hello says who we are and learns what the server can. Source: RFC 5321 3.2 and 4.1.1.1.
func (s *session) hello() *setupError {
	if err := s.send("EHLO " + s.t.settings.Hello); err != nil {
		return s.lost("EHLO", err)
	}
	got, err := s.read(s.t.settings.Timeouts.Command)
	if err != nil {
		return s.lost("EHLO", err)
	}
	s.ext = map[string]string{}
	switch got.code {
	case 250:
		for _, line := range got.lines[1:] {
			keyword, value, _ := strings.Cut(line, " ")
			s.ext[strings.ToUpper(keyword)] = value
		}
		return nil
	case 500, 501, 502, 504, 550: // RFC 5321 3.2: a server that is older than EHLO
		if err := s.send("HELO " + s.t.settings.Hello); err != nil {
			return s.lost("HELO", err)
		}
		return s.expect("HELO", s.t.settings.Timeouts.Command, 250)
	default:
		return s.fail(s.unwanted(got))
	}
}

// size returns the largest message that the server takes; 0 = it does not say. Source: RFC 1870 4.
func (s *session) size() int {
	n, err := strconv.Atoi(s.ext["SIZE"])
	if err != nil {
		return 0
	}
	return max(n, 0)
}

// send writes a command.
func (s *session) send(line string) error {
	_, _ = s.w.WriteString(line)
	_, _ = s.w.WriteString("\r\n")
	return s.w.Flush() // has the error of the writes before it
}

// read reads a reply.
func (s *session) read(within time.Duration) (reply, error) {
	if err := s.conn.SetReadDeadline(time.Now().Add(within)); err != nil {
		return reply{}, err
	}
	got, err := readReply(s.r)
	if err == nil && got.code == 421 {
		s.dirty = true // RFC 5321 3.8: the server closes the connection
	}
	return got, err
}

// expect reads a reply that must have the code.
func (s *session) expect(what string, within time.Duration, code int) *setupError {
	got, err := s.read(within)
	if err != nil {
		return s.lost(what, err)
	}
	if got.code != code {
		return s.fail(s.unwanted(got))
	}
	return nil
}

// unwanted is the verdict of a reply to something else than content: 2xx there is no delivery. A relay that turns us away does not
// speak of the mail: it waits until an operator has seen to it.
func (s *session) unwanted(r reply) said {
	f := r.said()
	if f.verdict == email.Delivered || s.t.settings.Relay != "" {
		f.verdict = email.Deferred
	}
	return f
}

// deferred is the same with the hope that it ends.
func deferred(f said) said {
	f.verdict = email.Deferred
	return f
}

// fail says that there is no session.
func (s *session) fail(f said) *setupError { return &setupError{said: f.at(s.place)} }

// lost says that the connection ended, or stood still, while we waited for something.
func (s *session) lost(what string, err error) *setupError {
	return s.fail(broken(s.place.host, what, err))
}

// broken is the verdict when the connection ends. RFC 3463: X.4.2, bad connection.
func broken(host, what string, err error) said {
	return ours(email.Deferred, "4.4.2", "connection with %s lost at %s: %s", host, what, reason(err))
}

// reason says in words what is the same for the same trouble: without ports, which differ.
func reason(err error) string {
	if errors.Is(err, net.ErrClosed) {
		return "the attempt had to end" // only we close it
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return "timed out"
	}
	if call, ok := errors.AsType[*os.SyscallError](err); ok {
		return call.Err.Error()
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return fmt.Sprint(op.Err)
	}
	return err.Error()
}

// quit says goodbye and closes the connection.
func (s *session) quit() {
	if !s.dirty {
		_ = s.conn.SetDeadline(time.Now().Add(quitWait))
		if _, err := s.conn.Write([]byte("QUIT\r\n")); err == nil {
			_, _ = readReply(s.r)
		}
	}
	s.drop()
}

// drop closes the connection.
func (s *session) drop() {
	_ = s.raw.Close()
	s.t.metrics.open.Dec()
}
