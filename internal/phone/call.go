package phone

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"

	"tidings/internal/simulator"
)

const (
	// longestRing is when a caller who never gives up is given up.
	longestRing = 3 * time.Minute

	// longestTalk ends calls whose caller has vanished.
	longestTalk = 10 * time.Minute

	// t1, t2 and patience time the repetition of a 200 until its ACK comes.
	// Source: RFC 3261 13.3.1.4.
	t1       = 500 * time.Millisecond
	t2       = 4 * time.Second
	patience = 64 * t1

	// byePatience is how long an answer to our BYE may take.
	byePatience = 2 * time.Second
)

// call is one call, from its INVITE to its end.
type call struct {
	phone   *Phone
	invite  *sip.Request
	tx      sip.ServerTransaction
	key     string
	contact sip.Uri // ours
	media   *media  // nil until it is answered

	quit chan struct{} // closed when the caller ends the call, by CANCEL or BYE
	once sync.Once
	acks chan *sip.Request

	changing sync.Mutex // one answer or change at a time; media is set under it
	told     Call
}

// newCall takes a call on. Its tag becomes part of the INVITE, so that all responses have it.
func newCall(p *Phone, r *sip.Request, tx sip.ServerTransaction) *call {
	tag := sip.GenerateTagN(16)
	r.To().Params.Add("tag", tag)
	number := dialled(r.Recipient.User)
	c := &call{
		phone: p, invite: r, tx: tx, key: key(r, tag),
		quit: make(chan struct{}), acks: make(chan *sip.Request, 1),
		told: Call{Number: number, From: dialled(r.From().Address.User), Phone: simulator.Lookup(number)},
	}
	tx.OnCancel(func(*sip.Request) { c.bye() })
	return c
}

// dialled is the number in the user part of a URI, which may have parameters (RFC 3261
// 19.1.6).
func dialled(user string) string {
	number, _, _ := strings.Cut(user, ";")
	return number
}

// bye ends the call on behalf of the caller.
func (c *call) bye() { c.once.Do(func() { close(c.quit) }) }

// refusals are the responses of phones that are not picked up.
var refusals = map[string]struct {
	code         int
	reason, says string
}{
	"busy":        {486, "Busy Here", "is busy"},
	"declines":    {603, "Decline", "declined"},
	"unreachable": {404, "Not Found", "is a number that nobody has"},
	"trunk-error": {503, "Service Unavailable", "is out of order"},
	"no-answer":   {480, "Temporarily Unavailable", "was not answered"},
}

// live does what the phone does. It returns when the call is over.
func (c *call) live() {
	p := c.phone
	defer func() {
		if p.opts.Ended != nil {
			p.opts.Ended(c.told)
		}
	}()
	p.respond(c.invite, c.tx, 100, "Trying")
	if !c.ring() {
		return
	}
	if refusal, refuses := refusals[c.told.Phone.Behavior]; refuses {
		c.refuse(refusal.code, refusal.reason)
		p.say(c.told.Number, "%s", refusal.says)
		return
	}
	if c.answer() {
		c.talk()
	}
}

// refuse ends a call that was not answered.
func (c *call) refuse(code int, reason string) {
	c.told.Code = code
	c.phone.respond(c.invite, c.tx, code, reason)
}

// ring rings as long as the phone does. It reports false if the call is over then.
func (c *call) ring() bool {
	p := c.phone
	d := c.told.Phone.Ring()
	switch {
	case d == 0:
		return true
	case c.told.Phone.Behavior == "no-answer":
		d = longestRing
	case p.opts.Ring > 0:
		d = p.opts.Ring
	}
	p.respond(c.invite, c.tx, 180, "Ringing")
	p.say(c.told.Number, "rings")
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-c.quit: // the transaction has answered 487
		p.say(c.told.Number, "stopped ringing: the caller gave up")
	case <-p.over.Done():
		c.refuse(480, "Temporarily Unavailable")
	}
	return false
}

// answer picks up. It reports false if there is nobody to talk to.
func (c *call) answer() bool {
	c.changing.Lock()
	defer c.changing.Unlock()
	p := c.phone
	here, err := facing(c.invite.Source())
	if err == nil {
		c.contact = p.uri(c.invite, here)
		c.media, err = openMedia(here)
	}
	if err != nil {
		p.log.Warn("no sound", "error", err)
		c.refuse(500, "Server Internal Error")
		return false
	}
	body, err := c.media.describe(c.invite.Body())
	if err != nil {
		c.media.close()
		c.refuse(488, "Not Acceptable Here")
		p.say(c.told.Number, "could not answer: %v", err)
		return false
	}
	// All behaviors but those of a machine are silent.
	if c.told.Phone.Behavior == "machine" {
		c.media.beep()
	}
	c.told.Code = 200
	c.media.start()
	if err := c.confirm(c.invite, c.tx, body); err != nil {
		c.media.close()
		if errors.Is(err, errCancelled) {
			c.told.Code = 0
			p.say(c.told.Number, "was about to answer when the caller gave up")
			return false
		}
		p.log.Warn("answer not confirmed", "number", c.told.Number, "error", err)
		c.hangUp()
		return false
	}
	p.say(c.told.Number, "answered")
	return true
}

var errCancelled = errors.New("the caller has cancelled")

// confirm sends a 200 with the description until its ACK comes.
func (c *call) confirm(r *sip.Request, tx sip.ServerTransaction, body []byte) error {
	select {
	case <-c.quit:
		return errCancelled
	default:
	}
	resp := c.ok(r, body)
	if err := tx.Respond(resp); err != nil {
		return err
	}
	if errors.Is(tx.Err(), sip.ErrTransactionCanceled) {
		return errCancelled // in the same moment
	}
	giveUp := time.NewTimer(patience)
	defer giveUp.Stop()
	pause := t1
	again := time.NewTimer(pause)
	defer again.Stop()
	for {
		select {
		case ack := <-c.acks:
			if ack.CSeq() != nil && ack.CSeq().SeqNo == r.CSeq().SeqNo {
				return c.media.confirmed(ack.Body())
			}
		case <-again.C:
			if err := tx.Respond(resp); err != nil {
				return err
			}
			pause = min(2*pause, t2)
			again.Reset(pause)
		case <-giveUp.C:
			return errors.New("no ACK came")
		case <-c.phone.over.Done():
			return context.Canceled
		}
	}
}

// confirmed takes the caller's ACK.
func (c *call) confirmed(ack *sip.Request) {
	select {
	case c.acks <- ack:
	default: // a repeated one
	}
}

// ok makes a 200 with a description.
func (c *call) ok(r *sip.Request, body []byte) *sip.Response {
	resp := sip.NewResponseFromRequest(r, 200, "OK", body)
	resp.AppendHeader(&sip.ContactHeader{Address: c.contact})
	resp.AppendHeader(sip.NewHeader("Allow", allow))
	if len(body) > 0 {
		resp.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
	}
	return resp
}

// talk listens until somebody hangs up, and keeps what it hears.
func (c *call) talk() {
	p := c.phone
	begun := time.Now()
	d := longestTalk
	switch c.told.Phone.Behavior {
	case "hangs-up":
		d = p.opts.HangUp
	case "hangs-up-at-once":
		d = 0
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-c.quit:
	case <-timer.C:
		c.told.ByUs = true
	case <-p.over.Done():
		c.told.ByUs = true
	}
	c.told.Talk = time.Since(begun)
	if c.told.ByUs {
		c.hangUp()
	}
	heard := c.media.close()
	c.told.Heard, c.told.Digits, c.told.Lost = heard.sound(), heard.digits(), heard.lost()
	c.keep(begun)
}

// keep writes the recording and says how the call went.
func (c *call) keep(begun time.Time) {
	p := c.phone
	how := fmt.Sprintf("hung up after %.1f s", c.told.Talk.Seconds())
	if !c.told.ByUs {
		how = "caller " + how
	}
	if c.told.Digits != "" {
		how += ", keys " + c.told.Digits
	}
	if p.opts.Recordings != "" && c.told.Heard.Samples() > 0 {
		path, err := p.file(begun, c.told.Number)
		if err == nil {
			err = c.told.Heard.Save(path)
		}
		if err != nil {
			p.log.Error("recording not kept", "error", err)
		} else {
			c.told.File = path
			how += ", recorded to " + path
		}
	}
	p.say(c.told.Number, "%s", how)
}

// change answers a re-INVITE or an UPDATE: hold, another address, another codec.
func (c *call) change(r *sip.Request, tx sip.ServerTransaction) {
	c.changing.Lock()
	defer c.changing.Unlock()
	if c.media == nil || r.CSeq() == nil {
		c.phone.respond(r, tx, 500, "Server Internal Error", "Retry-After", "1") // RFC 3261 14.2
		return
	}
	var body []byte
	if r.IsInvite() || len(r.Body()) > 0 {
		var err error
		if body, err = c.media.describe(r.Body()); err != nil {
			c.phone.respond(r, tx, 488, "Not Acceptable Here")
			return
		}
	}
	if !r.IsInvite() {
		c.phone.send(tx, c.ok(r, body))
		return
	}
	if err := c.confirm(r, tx, body); err != nil {
		c.phone.log.Warn("change not confirmed", "number", c.told.Number, "error", err)
	}
}

// hangUp sends BYE (RFC 3261 12.2.1.1). It goes where the INVITE came from, which is the
// next hop also behind an address translation.
func (c *call) hangUp() {
	target := c.invite.From().Address
	if contact := c.invite.Contact(); contact != nil {
		target = contact.Address
	}
	r := sip.NewRequest(sip.BYE, *target.Clone())
	r.SetTransport(c.invite.Transport())
	r.SetDestination(c.invite.Source())
	for _, h := range c.invite.GetHeaders("Record-Route") { // for us in the same order
		r.AppendHeader(sip.NewHeader("Route", h.Value()))
	}
	r.AppendHeader(&sip.FromHeader{Address: c.invite.To().Address, Params: c.invite.To().Params})
	r.AppendHeader(&sip.ToHeader{Address: c.invite.From().Address, Params: c.invite.From().Params})
	r.AppendHeader(sip.HeaderClone(c.invite.CallID()))
	r.AppendHeader(&sip.CSeqHeader{SeqNo: 1, MethodName: sip.BYE})
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.phone.over), byePatience)
	defer cancel()
	if _, err := c.phone.client.Do(ctx, r); err != nil {
		c.phone.log.Warn("hanging up was not answered", "number", c.told.Number, "error", err)
	}
}

// uri is where the caller's requests within the call go.
func (p *Phone) uri(invite *sip.Request, here netip.Addr) sip.Uri {
	u := sip.Uri{Scheme: "sip", User: "phone", Host: here.String()}
	if here.Is6() {
		u.Host = "[" + u.Host + "]"
	}
	listener := p.udp.LocalAddr()
	switch transport := strings.ToLower(invite.Transport()); transport {
	case "tls":
		listener = p.tls.Addr()
		u.UriParams.Add("transport", transport)
	case "tcp":
		u.UriParams.Add("transport", transport)
	}
	if at, err := netip.ParseAddrPort(listener.String()); err == nil {
		u.Port = int(at.Port())
	}
	return u
}

// facing returns our address that the peer sees. It sends nothing.
func facing(peer string) (netip.Addr, error) {
	conn, err := net.Dial("udp", peer)
	if err != nil {
		return netip.Addr{}, err
	}
	defer func() { _ = conn.Close() }()
	at, err := netip.ParseAddrPort(conn.LocalAddr().String())
	return at.Addr().Unmap(), err
}

// file is the path of a new recording.
func (p *Phone) file(begun time.Time, number string) (string, error) {
	safe := strings.Map(func(c rune) rune {
		if c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' {
			return c
		}
		return -1
	}, number)
	if len(safe) > 32 {
		safe = safe[:32]
	}
	return freeName(filepath.Join(p.opts.Recordings, begun.Format("20060102-150405")+"-"+safe), ".wav")
}
