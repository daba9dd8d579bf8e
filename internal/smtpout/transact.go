package smtpout

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"tidings/internal/email"
)

const (
	// maxLine is the longest line of a message, without its end. Source: RFC 5321 4.5.3.1.6, which counts the end.
	maxLine = 998

	// maxGroup is how many commands go out together. Their replies must fit into the buffers on the way, or both ends would wait
	// for each other to read (RFC 2920 3.1).
	maxGroup = 100
)

// message is what goes to each of the servers.
type message struct {
	from  string
	data  []byte
	eight bool // data has bytes beyond ASCII
	tls   bool // must not go without
}

// outcome is what became of the recipients of a transaction.
type outcome struct {
	all []said
	// early says that the connection ended before anything was decided: another connection may do better.
	early bool
}

// transact sends the message to the recipients. The session is dirty afterwards if it must not be used again.
func (s *session) transact(ctx context.Context, m message, to []string) outcome {
	begun := time.Now()
	stop := context.AfterFunc(ctx, func() { _ = s.raw.Close() })
	x := &transaction{s: s, m: m, to: to, all: make([]said, len(to))}
	early := x.run()
	if !s.dirty && x.open {
		s.reset()
	}
	if !stop() {
		s.dirty = true
	}
	s.sent++
	s.t.metrics.transaction.Observe(time.Since(begun).Seconds())
	for i := range x.all {
		x.all[i].place = s.place
	}
	return outcome{x.all, early}
}

// reset ends a transaction that did not come to an end. Source: RFC 5321 4.1.1.5.
func (s *session) reset() {
	if err := s.send("RSET"); err != nil {
		s.dirty = true
		return
	}
	if got, err := s.read(s.t.settings.Timeouts.Command); err != nil || got.code != 250 {
		s.dirty = true
	}
}

// transaction is one MAIL, its RCPTs and its DATA.
type transaction struct {
	s        *session
	m        message
	to       []string
	all      []said // the verdict of each recipient; zero = none yet
	accepted int    // recipients
	open     bool   // the server remembers our MAIL
}

// run goes through the transaction. It reports whether the connection ended before anything was decided.
func (x *transaction) run() (early bool) {
	if n := x.s.size(); n > 0 && len(x.m.data) > n {
		// RFC 3463: X.3.4, message too big for system.
		x.rest(ours(email.Refused, "5.3.4", "the message has %d bytes, and %s takes %d", len(x.m.data), x.s.place.host, n))
		return false
	}
	if early, ok := x.envelope(); !ok {
		return early
	}
	return x.content()
}

// rest gives the verdict to all recipients that have none.
func (x *transaction) rest(v said) {
	for i := range x.all {
		if x.all[i].verdict == 0 {
			x.all[i] = v
		}
	}
}

// broken ends the transaction because the connection ended, or because the server said that it will (421).
func (x *transaction) broken(v said) (early bool) {
	x.s.dirty = true
	early = true
	for _, a := range x.all {
		early = early && a.verdict == 0
	}
	x.rest(v)
	return early
}

// mail is the MAIL command. Sources: RFC 5321 4.1.1.2, RFC 1870 3 (SIZE), RFC 6152 2 (BODY).
func (x *transaction) mail() string {
	var b strings.Builder
	fmt.Fprintf(&b, "MAIL FROM:<%s>", x.m.from)
	if _, ok := x.s.ext["SIZE"]; ok {
		fmt.Fprintf(&b, " SIZE=%d", len(x.m.data))
	}
	if _, ok := x.s.ext["8BITMIME"]; ok && x.m.eight {
		b.WriteString(" BODY=8BITMIME")
	}
	return b.String()
}

// envelope sends MAIL, RCPT and DATA, in groups if the server takes them so (RFC 2920), and reads the replies. It reports whether
// content is asked for.
func (x *transaction) envelope() (early, ok bool) {
	commands := make([]string, 0, len(x.to)+2)
	commands = append(commands, x.mail())
	for _, to := range x.to {
		commands = append(commands, "RCPT TO:<"+to+">")
	}
	commands = append(commands, "DATA")
	most := 1
	if _, ok := x.s.ext["PIPELINING"]; ok {
		most = maxGroup
	}
	for at := 0; at < len(commands); at += most {
		some := commands[at:min(at+most, len(commands))]
		if at > 0 && !x.open || some[0] == "DATA" && x.accepted == 0 {
			return false, false
		}
		if err := x.write(some); err != nil {
			return x.broken(broken(x.s.place.host, "MAIL", err)), false
		}
		for i := range some {
			if early, ok := x.hear(at+i, len(commands)-1); !ok {
				return early, false
			}
		}
	}
	return false, true
}

// write sends the commands together.
func (x *transaction) write(commands []string) error {
	for _, c := range commands[:len(commands)-1] {
		_, _ = x.s.w.WriteString(c)
		_, _ = x.s.w.WriteString("\r\n")
	}
	return x.s.send(commands[len(commands)-1])
}

// hear reads the reply to a command: MAIL is 0, DATA the last. It reports false when the transaction is over.
func (x *transaction) hear(command, last int) (early, ok bool) {
	what, within := "RCPT", x.s.t.settings.Timeouts.Command
	switch command {
	case 0:
		what = "MAIL"
	case last:
		what, within = "DATA", x.s.t.settings.Timeouts.Data
	}
	got, err := x.s.read(within)
	if err != nil {
		return x.broken(broken(x.s.place.host, what, err)), false
	}
	if x.s.dirty {
		return x.broken(got.said()), false
	}
	switch command {
	case 0:
		x.heardMail(got)
		return false, true
	case last:
		return false, x.heardData(got)
	default:
		x.heardRecipient(command-1, got)
		return false, true
	}
}

// heardMail notes the reply to MAIL. What follows in the same group is refused with it; its replies are read and not looked at.
func (x *transaction) heardMail(got reply) {
	x.open = got.code == 250
	if !x.open {
		x.rest(refusal(got))
	}
}

// heardRecipient notes the reply to a RCPT. 251 means that the server forwards (RFC 5321 3.4).
func (x *transaction) heardRecipient(i int, got reply) {
	if got.code == 250 || got.code == 251 || got.code == 252 {
		if x.all[i].verdict == 0 {
			x.accepted++
		}
		return
	}
	if x.all[i].verdict == 0 {
		x.all[i] = refusal(got)
	}
}

// heardData notes the reply to DATA, and reports whether content is to follow.
func (x *transaction) heardData(got reply) bool {
	switch {
	case got.code != 354:
		x.rest(refusal(got))
		return false
	case x.accepted > 0:
		return true
	}
	// RFC 2920 3.1: nobody is to have it, and the server waits for it all the same: it gets an empty message.
	x.open = false
	if err := x.s.send("."); err != nil {
		x.s.dirty = true
		return false
	}
	if _, err := x.s.read(x.s.t.settings.Timeouts.Done); err != nil {
		x.s.dirty = true
	}
	return false
}

// refusal is the verdict of a reply that should have been another one.
func refusal(r reply) said {
	f := r.said()
	if f.verdict == email.Delivered {
		f.verdict = email.Deferred // 2xx where it makes no sense
	}
	return f
}

// content sends the message and reads the verdict on it.
func (x *transaction) content() (early bool) {
	if err := writeDotted(x.s.w, x.m.data); err != nil {
		return x.broken(broken(x.s.place.host, "the content", err))
	}
	if err := x.s.w.Flush(); err != nil {
		return x.broken(broken(x.s.place.host, "the content", err))
	}
	x.open = false
	got, err := x.s.read(x.s.t.settings.Timeouts.Done)
	if err != nil {
		// The server has the whole message and may well deliver it.
		x.s.t.metrics.unknown.Inc()
		x.broken(broken(x.s.place.host, "the end of the content", err))
		return false
	}
	v := got.said()
	if v.verdict == email.Delivered && got.code != 250 {
		v.verdict = email.Deferred
	}
	x.rest(v)
	return false
}

// writeDotted writes the message as DATA has it: lines end with CRLF, a dot at the beginning of one is doubled, and a dot
// alone ends it all. A bare CR or LF ends a line too: a server that takes it for one must not find an end where we see none.
// Source: RFC 5321 4.5.2 and 2.3.8.
func writeDotted(w *bufio.Writer, data []byte) error {
	for len(data) > 0 {
		end := bytes.IndexByte(data, '\n')
		line, rest := data, []byte(nil)
		if end >= 0 {
			line, rest = data[:end], data[end+1:]
		}
		line = bytes.TrimSuffix(line, []byte{'\r'})
		for {
			cr := bytes.IndexByte(line, '\r')
			if cr < 0 {
				break
			}
			writeLine(w, line[:cr])
			line = line[cr+1:]
		}
		writeLine(w, line)
		data = rest
	}
	_, err := w.WriteString(".\r\n")
	return err
}

// writeLine writes one line. An error stays with the writer.
func writeLine(w *bufio.Writer, line []byte) {
	if len(line) > 0 && line[0] == '.' {
		_ = w.WriteByte('.')
	}
	_, _ = w.Write(line)
	_, _ = w.WriteString("\r\n")
}

// longLine returns the length of the longest line, if no server need take it; 0 = all are well.
func longLine(data []byte) int {
	longest := 0
	for line := range bytes.SplitSeq(data, []byte{'\n'}) {
		longest = max(longest, len(bytes.TrimSuffix(line, []byte{'\r'})))
	}
	if longest <= maxLine {
		return 0
	}
	return longest
}
