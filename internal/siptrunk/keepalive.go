package siptrunk

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"
)

const (
	// patience is how long an answer to OPTIONS or REGISTER may take.
	patience = 6 * time.Second

	// misses is how many OPTIONS in a row stay unanswered until the trunk is down.
	misses = 3

	// firstRetry is after how long a registration that failed is tried again. The pause
	// doubles, up to maxRetry, as RFC 5626 4.5 has it.
	firstRetry = 5 * time.Second
	maxRetry   = 5 * time.Minute

	// soonest bounds how often a registration is refreshed, whatever the trunk grants.
	soonest = time.Second
)

// Transactor sends a request to a trunk.
type Transactor interface {
	// Do completes the request with what only the sender knows (Via, Contact, Route,
	// Max-Forwards), sends it to the trunk's proxy or server, answers a challenge with the trunk's
	// credentials, and returns the final response. Repeating a request with credentials
	// raises its CSeq; Do leaves what it sent last in r.
	Do(ctx context.Context, t *Trunk, r *sip.Request) (*sip.Response, error)
}

// Run keeps registrations alive and asks trunks by OPTIONS how they are, until ctx ends.
// It must run only once at a time.
func (p *Pool) Run(ctx context.Context, tx Transactor) error {
	var loops sync.WaitGroup
	for _, t := range p.trunks {
		if t.config.Options >= 0 {
			loops.Go(func() { every(ctx, func() time.Duration { return t.ask(ctx, tx) }) })
		}
		if t.config.Register {
			r := registrar{trunk: t, tx: tx, callID: sip.GenerateTagN(32), expires: t.config.Expires}
			loops.Go(func() { every(ctx, func() time.Duration { return r.refresh(ctx) }) })
		}
	}
	loops.Wait()
	<-ctx.Done()
	return ctx.Err()
}

// every calls do at once and then after each of the pauses that it returns, until ctx ends.
func every(ctx context.Context, do func() time.Duration) {
	for ctx.Err() == nil {
		timer := time.NewTimer(do())
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// ask sends one OPTIONS (RFC 3261 11) and returns when to send the next.
func (t *Trunk) ask(ctx context.Context, tx Transactor) time.Duration {
	server := t.server()
	r := sip.NewRequest(sip.OPTIONS, server)
	from := t.account()
	if from.User == "" {
		from.User = "tidings"
	}
	addressed(r, from, server, sip.GenerateTagN(32), 1)
	attempt, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	begun := t.pool.now()
	resp, err := tx.Do(attempt, t, r)
	if err == nil && unwell(resp.StatusCode) {
		err = fmt.Errorf("SIP %d %s", resp.StatusCode, resp.Reason)
	}
	if ctx.Err() == nil {
		t.update(func(now time.Time) { t.asked(now, now.Sub(begun), err) })
	}
	if t.config.Options == 0 {
		return DefaultOptions
	}
	return t.config.Options
}

// unwell reports whether a response says that there is nobody who could take a call. Any other one,
// be it 404 or 501, shows that the trunk is there.
func unwell(status int) bool {
	return status == 408 || status >= 502 && status <= 504
}

// asked counts what became of an OPTIONS. pool.mu must be held.
func (t *Trunk) asked(now time.Time, trip time.Duration, err error) {
	if err == nil {
		t.health, t.missed, t.trip = Up, 0, trip
		return
	}
	t.missed++
	t.lastErr = "OPTIONS: " + err.Error()
	if t.missed >= misses {
		t.down(now, t.lastErr)
	}
}

// registrar keeps one registration alive.
type registrar struct {
	trunk   *Trunk
	tx      Transactor
	callID  string // the same for all, RFC 3261 10.2
	cseq    uint32
	expires time.Duration // that is asked for; 0 = DefaultExpires
	failed  int           // attempts in a row
}

// refresh registers and returns when to do so again.
func (r *registrar) refresh(ctx context.Context) time.Duration {
	granted, err := r.register(ctx)
	if short, ok := errors.AsType[tooBrief](err); ok && short.least > r.expires {
		r.expires = short.least
		granted, err = r.register(ctx)
	}
	if ctx.Err() != nil {
		return 0
	}
	t := r.trunk
	if err != nil {
		r.failed++
		t.update(func(time.Time) {
			t.refused = true
			t.lastErr = "REGISTER: " + err.Error()
		})
		return min(firstRetry<<min(r.failed-1, 16), maxRetry)
	}
	r.failed = 0
	t.update(func(now time.Time) {
		t.refused = false
		t.registered = now.Add(granted)
	})
	return max(granted*4/5, soonest)
}

// register sends one REGISTER (RFC 3261 10.2) and returns how long it is good for.
func (r *registrar) register(ctx context.Context) (time.Duration, error) {
	t := r.trunk
	if r.expires == 0 {
		r.expires = DefaultExpires
	}
	account := t.account()
	req := sip.NewRequest(sip.REGISTER, sip.Uri{Scheme: "sip", Host: account.Host})
	r.cseq++
	addressed(req, account, account, r.callID, r.cseq)
	req.AppendHeader(sip.NewHeader("Expires", strconv.Itoa(int(r.expires/time.Second))))
	attempt, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	resp, err := r.tx.Do(attempt, t, req)
	if sent := req.CSeq(); sent != nil {
		r.cseq = max(r.cseq, sent.SeqNo)
	}
	switch {
	case err != nil:
		return 0, err
	case resp.StatusCode == 423: // RFC 3261 21.4.17
		if least, ok := seconds(resp.GetHeader("Min-Expires")); ok {
			return 0, tooBrief{least}
		}
		fallthrough
	case resp.StatusCode >= 300:
		return 0, fmt.Errorf("SIP %d %s", resp.StatusCode, resp.Reason)
	}
	granted := r.granted(req, resp)
	if granted <= 0 {
		return 0, errors.New("the registrar has kept nothing")
	}
	return granted, nil
}

// tooBrief is the answer 423: the registrar wants to be asked for a longer time.
type tooBrief struct{ least time.Duration }

func (t tooBrief) Error() string {
	return fmt.Sprintf("SIP 423 Interval Too Brief, at least %v", t.least)
}

// granted is how long the registration is good for. The response lists all contacts of the
// account, each with what is left of it (RFC 3261 10.3, step 8); where ours cannot be told
// from others, the shortest counts.
func (r *registrar) granted(req *sip.Request, resp *sip.Response) time.Duration {
	ours := req.Contact()
	shortest := time.Duration(-1)
	for _, h := range resp.GetHeaders("Contact") {
		contact, ok := h.(*sip.ContactHeader)
		if !ok {
			continue
		}
		text, ok := contact.Params.Get("expires")
		n, err := strconv.Atoi(text)
		if !ok || err != nil || n < 0 {
			continue
		}
		left := time.Duration(n) * time.Second
		if ours != nil && contact.Address.User == ours.Address.User && contact.Address.HostPort() == ours.Address.HostPort() {
			return left
		}
		if shortest < 0 || left < shortest {
			shortest = left
		}
	}
	if shortest >= 0 {
		return shortest
	}
	if all, ok := seconds(resp.GetHeader("Expires")); ok {
		return all
	}
	return r.expires
}

// seconds reads a header that is a number of seconds.
func seconds(h sip.Header) (time.Duration, bool) {
	if h == nil {
		return 0, false
	}
	n, err := strconv.ParseUint(strings.TrimSpace(h.Value()), 10, 32)
	return time.Duration(n) * time.Second, err == nil
}

// addressed gives the request what identifies it.
func addressed(r *sip.Request, from, to sip.Uri, callID string, cseq uint32) {
	tag := sip.HeaderParams{{K: "tag", V: sip.GenerateTagN(16)}}
	id := sip.CallIDHeader(callID)
	r.AppendHeader(&sip.FromHeader{Address: from, Params: tag})
	r.AppendHeader(&sip.ToHeader{Address: to})
	r.AppendHeader(&id)
	r.AppendHeader(&sip.CSeqHeader{SeqNo: cseq, MethodName: r.Method})
}

// server is the URI of the trunk itself.
func (t *Trunk) server() sip.Uri {
	host, port := hostPort(t.config.Server)
	return sip.Uri{Scheme: "sip", Host: host, Port: port}
}

// account is the URI of our account at the trunk; its user is empty if we have none. It has
// no port (RFC 3261 19.1.1, table 1).
func (t *Trunk) account() sip.Uri {
	host, _ := hostPort(t.config.Server)
	if t.config.Domain != "" {
		host, _ = hostPort(t.config.Domain)
	}
	return sip.Uri{Scheme: "sip", User: EscapeUser(t.config.Username), Host: host}
}

// hostPort takes a server apart that has been validated. The port is 0 if there is none.
func hostPort(server string) (host string, port int) {
	if h, p, err := net.SplitHostPort(server); err == nil {
		n, _ := strconv.Atoi(p)
		host, port = h, n
	} else {
		host = strings.Trim(server, "[]")
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return host, port
}

// EscapeUser makes a name or a number fit for the user part of a URI. Source: RFC 3261 25.1, "user".
func EscapeUser(name string) string {
	const plain = "-_.!~*'()&=+$,;?/"
	var b strings.Builder
	for _, c := range []byte(name) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte(plain, c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
