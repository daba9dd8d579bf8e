package faults

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/smtp"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"
)

// bounceDomain is the domain of return paths.
const bounceDomain = "bounces.example"

// returner is the servers of recipients that have second thoughts: for each recipient whose
// mail the post office has taken it sends a bounce message, or a complaint, to the server
// under test, again until that says 250.
type returner struct {
	listener string // of the server under test
	queue    chan notice

	mu       sync.Mutex
	promised map[string]int // by address: how often 250 was the answer
	again    int            // attempts that ended with the connection
	putOff   int            // attempts that were answered with 4xx
	refused  []string       // answers that no server would try again after
}

// notice is one thing to bring back.
type notice struct{ path, address string }

func newReturner() *returner {
	return &returner{listener: net.JoinHostPort(ownAddress(), "2525"), queue: make(chan notice, 1<<18), promised: map[string]int{}}
}

// keys are those below email of a server that hears the returner.
func (r *returner) keys() map[string]any {
	return map[string]any{"bounces": map[string]any{"domain": bounceDomain, "listen": r.listener}}
}

// watch has something come back for all that the office takes.
func (r *returner) watch(office *postOffice) {
	office.onTake = func(m taking) {
		for _, address := range m.to {
			r.queue <- notice{m.from, address}
		}
	}
}

// during brings things back while do runs. What is being brought then is finished.
func (r *returner) during(t testing.TB, do func()) {
	t.Helper()
	const servers = 4
	over := make(chan struct{})
	var running sync.WaitGroup
	for range servers {
		running.Go(func() {
			s := &returnSession{r: r}
			defer s.close()
			for {
				select {
				case n := <-r.queue:
					for t.Context().Err() == nil && !s.bring(t.Context(), n) {
						wait(t.Context(), errorPause)
					}
				case <-over:
					return
				}
			}
		})
	}
	defer running.Wait()
	defer close(over)
	do()
}

// left is how much waits to be brought.
func (r *returner) left() int { return len(r.queue) }

// returnSession is a connection to the server under test, kept for as long as it lasts.
type returnSession struct {
	r    *returner
	conn *smtp.Client
}

func (s *returnSession) close() {
	if s.conn != nil {
		_ = s.conn.Close()
		s.conn = nil
	}
}

// bring makes one attempt and reports whether there is nothing left to do.
func (s *returnSession) bring(ctx context.Context, n notice) (done bool) {
	err := s.try(ctx, n)
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	said, answered := errors.AsType[*textproto.Error](err)
	switch {
	case err == nil:
		s.r.promised[n.address]++
		return true
	case answered && said.Code >= 500:
		s.r.refused = append(s.r.refused, fmt.Sprintf("%s: %v", n.address, said))
		return true
	case answered:
		s.r.putOff++
	default:
		s.r.again++
	}
	s.close()
	return false
}

func (s *returnSession) try(ctx context.Context, n notice) error {
	if s.conn == nil {
		raw, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, "tcp", s.r.listener)
		if err != nil {
			return err
		}
		if s.conn, err = smtp.NewClient(raw, "localhost"); err != nil {
			return err
		}
	}
	to, text := n.path, bounceMessage(n)
	if complains(n.address) {
		to, text = "fbl@"+bounceDomain, complaintMessage(n)
	}
	if err := errors.Join(s.conn.Mail(""), s.conn.Rcpt(to)); err != nil {
		return err
	}
	w, err := s.conn.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write([]byte(strings.ReplaceAll(text, "\n", "\r\n"))); err != nil {
		return err
	}
	return w.Close()
}

// complains reports whether a complaint comes back, and not a bounce message.
func complains(address string) bool {
	_, serial, _, _ := parseAddress(address)
	return serial%3 == 0
}

// bounceMessage is one in the form of RFC 3464.
func bounceMessage(n notice) string {
	return fmt.Sprintf(`From: MAILER-DAEMON@post.example
To: %s
Subject: Undelivered mail
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="edge"

--edge
Content-Type: text/plain

It could not be delivered.

--edge
Content-Type: message/delivery-status

Reporting-MTA: dns; post.example

Final-Recipient: rfc822; %s
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 user unknown

--edge--
`, n.path, n.address)
}

// complaintMessage is one in the form of RFC 5965.
func complaintMessage(n notice) string {
	return fmt.Sprintf(`From: fbl@post.example
To: fbl@%s
Subject: A complaint
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="edge"

--edge
Content-Type: text/plain

Somebody does not like this.

--edge
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: Faults/1.0
Version: 1
Original-Mail-From: <%s>
Original-Rcpt-To: <%s>

--edge
Content-Type: message/rfc822

From: shop@example.com
Subject: what it was

Hello
--edge--
`, bounceDomain, n.path, n.address)
}

// wantTold compares what was promised to the returner with the events in the books: one
// event for each recipient, however often it was brought. Call it when all has ended.
func (r *returner) wantTold(t testing.TB, b *postBooks) string {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	told, more := 0, 0
	for i := range b.mails {
		m := &b.mails[i]
		for j, address := range m.to {
			var events []string
			if m.backs != nil {
				events = m.backs[j]
			}
			want := min(r.promised[address], 1)
			if len(events) != want {
				t.Errorf("%s has %d events of what came back, %v, want %d: 250 was said %d times", address, len(events), events, want, r.promised[address])
			}
			if len(events) == 1 && strings.Contains(events[0], "/complaint/") != complains(address) {
				t.Errorf("%s has the event %s, complaint = %v", address, events[0], complains(address))
			}
			told += len(events)
			more += max(r.promised[address]-1, 0)
		}
	}
	if told == 0 {
		t.Error("nothing came back: nothing was tested")
	}
	for _, text := range r.refused[:min(len(r.refused), 5)] {
		t.Errorf("what came back was refused for good: %s", text)
	}
	return fmt.Sprintf("%d bounces and complaints came back and were told, %d of them brought twice; %d attempts ended with the connection, %d were answered with 4xx",
		told, more, r.again, r.putOff)
}

// awaitLeft waits until all was brought back.
func (r *returner) awaitLeft(t testing.TB, s *server) {
	t.Helper()
	await(t, s, "all that comes back", func() bool { return r.left() == 0 }, func() string { return fmt.Sprintf("%d left", r.left()) })
}
