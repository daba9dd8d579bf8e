package faults

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// What a mailbox at the post office does with mail. Its address begins with the word.
const (
	fateTaken   = "taken"   // takes it
	fateBounced = "bounced" // does not exist
	fateLater   = "later"   // asks to come again, once
	fateRefused = "refused" // is not asked: the mail itself cannot be sent
)

// postDomain is the domain of all mailboxes of the post office.
const postDomain = "post.example"

// addressOf is recipient number n of the mail with the serial.
func addressOf(fate string, serial, n int) string {
	return fmt.Sprintf("%s.m%d.%d@%s", fate, serial, n, postDomain)
}

var addressForm = regexp.MustCompile(`^([a-z]+)[.+]m([0-9]+)\.([0-9]+)@`)

// parseAddress is the reverse of addressOf.
func parseAddress(address string) (fate string, serial, n int, ok bool) {
	part := addressForm.FindStringSubmatch(address)
	if part == nil {
		return "", 0, 0, false
	}
	serial, _ = strconv.Atoi(part[2])
	n, _ = strconv.Atoi(part[3])
	return part[1], serial, n, true
}

// manner is how the post office behaves.
type manner int

const (
	civil     manner = iota
	hangingUp        // it reads a mail and says nothing
	busy             // 421 to every MAIL
)

// taking is one mail that the post office has taken for some recipients.
type taking struct {
	at   time.Time // when it decided to say 250
	from string
	to   []string
}

// postOffice is an SMTP server that takes the mail that the server under test relays, and
// counts. It can be closed and opened again at the same address.
type postOffice struct {
	address string
	onTake  func(taking) // nil = nothing; set before any mail comes

	mu       sync.Mutex
	listener net.Listener // nil = closed
	conns    map[net.Conn]bool
	sessions sync.WaitGroup
	manner   manner
	changed  chan struct{}          // closed when the manner changes
	deferred map[string]bool        // addresses that were asked to come again
	taken    map[string][]time.Time // by address: when mail for it was taken
	troubles int                    // mails that hung or were put off with 421, attempts counted
}

// newPostOffice opens one at a loopback address of its own.
func newPostOffice(t testing.TB) *postOffice {
	t.Helper()
	p := &postOffice{
		address: ownAddress() + ":0", conns: map[net.Conn]bool{}, changed: make(chan struct{}),
		deferred: map[string]bool{}, taken: map[string][]time.Time{},
	}
	p.open(t)
	t.Cleanup(p.close)
	return p
}

// ownAddress is a loopback address: among 16 million of them nobody else will take a port
// of it while nobody listens there.
func ownAddress() string {
	return net.IPv4(127, byte(1+rand.IntN(250)), byte(rand.IntN(256)), byte(1+rand.IntN(250))).String()
}

func (p *postOffice) open(t testing.TB) {
	t.Helper()
	l, err := net.Listen("tcp", p.address)
	if err != nil {
		t.Fatalf("open the post office: %v", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.address, p.listener = l.Addr().String(), l
	p.sessions.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.welcome(l, c)
		}
	})
}

// welcome begins a session, unless the listener was closed meanwhile.
func (p *postOffice) welcome(l net.Listener, c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != l {
		_ = c.Close()
		return
	}
	p.conns[c] = true
	p.sessions.Go(func() {
		(&postSession{office: p, in: bufio.NewReader(c), out: c}).run()
		_ = c.Close()
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.conns, c)
	})
}

// close ends all sessions and refuses new ones.
func (p *postOffice) close() {
	p.mu.Lock()
	if p.listener != nil {
		_ = p.listener.Close()
		p.listener = nil
	}
	for c := range p.conns {
		_ = c.Close()
	}
	p.mu.Unlock()
	p.behave(civil) // wakes who hangs
	p.sessions.Wait()
}

// behave changes the manner. Sessions that hang end.
func (p *postOffice) behave(m manner) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.manner = m
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *postOffice) mannerNow() (m manner, changed <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.manner, p.changed
}

func (p *postOffice) trouble() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.troubles++
}

// troubled counts attempts that hung or were put off with 421.
func (p *postOffice) troubled() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.troubles
}

// answer is the reply to a recipient.
func (p *postOffice) answer(address string) string {
	fate, _, _, ok := parseAddress(address)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case !ok || fate == fateBounced:
		return "550 5.1.1 <" + address + ">: user unknown"
	case fate == fateLater && !p.deferred[address]:
		p.deferred[address] = true
		return "451 4.7.1 <" + address + ">: come again"
	}
	return "250 2.1.5 Ok"
}

func (p *postOffice) take(m taking) {
	p.mu.Lock()
	for _, address := range m.to {
		p.taken[address] = append(p.taken[address], m.at)
	}
	p.mu.Unlock()
	if p.onTake != nil {
		p.onTake(m)
	}
}

// postSession is one connection. Source: RFC 5321.
type postSession struct {
	office *postOffice
	in     *bufio.Reader
	out    net.Conn
	mail   taking
}

func (s *postSession) run() {
	for reply := "220 post.example ESMTP"; ; {
		if _, err := s.out.Write([]byte(reply + "\r\n")); err != nil || strings.HasPrefix(reply, "221") || strings.HasPrefix(reply, "421") {
			return
		}
		line, err := s.in.ReadString('\n')
		if err != nil {
			return
		}
		var ok bool
		if reply, ok = s.hear(strings.TrimRight(line, "\r\n")); !ok {
			return
		}
	}
}

// hear answers one command. It reports false if the connection is over.
func (s *postSession) hear(line string) (reply string, ok bool) {
	verb, rest, _ := strings.Cut(line, ":")
	switch strings.ToUpper(strings.Fields(verb + " ")[0]) {
	case "EHLO":
		return "250-post.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES", true
	case "MAIL":
		if m, _ := s.office.mannerNow(); m == busy {
			s.office.trouble()
			return "421 4.3.2 Too busy, come again", true
		}
		s.mail = taking{from: inBrackets(rest)}
		return "250 2.1.0 Ok", true
	case "RCPT":
		address := inBrackets(rest)
		reply := s.office.answer(address)
		if strings.HasPrefix(reply, "250") {
			s.mail.to = append(s.mail.to, address)
		}
		return reply, true
	case "DATA":
		return s.data()
	case "RSET", "NOOP":
		s.mail = taking{}
		return "250 2.0.0 Ok", true
	case "QUIT":
		return "221 2.0.0 Bye", true
	}
	return "502 5.5.1 What?", true
}

// data takes the content.
func (s *postSession) data() (reply string, ok bool) {
	if len(s.mail.to) == 0 {
		return "554 5.5.1 No valid recipients", true
	}
	if _, err := s.out.Write([]byte("354 Go on\r\n")); err != nil {
		return "", false
	}
	for {
		line, err := s.in.ReadString('\n')
		if err != nil {
			return "", false
		}
		if line == ".\r\n" {
			break
		}
	}
	if m, changed := s.office.mannerNow(); m == hangingUp {
		s.office.trouble()
		<-changed
		return "", false
	}
	s.mail.at = time.Now()
	s.office.take(s.mail)
	s.mail = taking{}
	return "250 2.0.0 Taken", true
}

func inBrackets(text string) string {
	_, text, _ = strings.Cut(text, "<")
	text, _, _ = strings.Cut(text, ">")
	return text
}
