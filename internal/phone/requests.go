package phone

import (
	"crypto/subtle"
	"fmt"
	"strconv"
	"strings"

	"github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"
)

const (
	// allow lists what the phone understands.
	allow = "INVITE, ACK, BYE, CANCEL, OPTIONS, REGISTER, UPDATE"

	// realm is of its challenges.
	realm = "tidings phone"

	// defaultExpires is how long a registration lasts that does not ask for a time.
	defaultExpires = 3600
)

// handle says who works on which request. Requests come concurrently.
func (p *Phone) handle() {
	for method, work := range map[sip.RequestMethod]func(*sip.Request, sip.ServerTransaction){
		sip.INVITE:   p.invite,
		sip.ACK:      p.ack,
		sip.BYE:      p.bye,
		sip.UPDATE:   p.update,
		sip.REGISTER: p.register,
		sip.OPTIONS:  p.options,
		// One that belongs to a call never comes here: the transaction takes it.
		sip.CANCEL: func(r *sip.Request, tx sip.ServerTransaction) {
			p.respond(r, tx, 481, "Call/Transaction Does Not Exist")
		},
	} {
		p.server.OnRequest(method, func(r *sip.Request, tx sip.ServerTransaction) {
			if !p.begin() {
				return
			}
			defer p.living.Done()
			work(r, tx)
		})
	}
}

// respond sends a response without a body. The headers are names and values in turn.
func (p *Phone) respond(r *sip.Request, tx sip.ServerTransaction, code int, reason string, headers ...string) {
	resp := sip.NewResponseFromRequest(r, code, reason, nil)
	for i := 0; i < len(headers); i += 2 {
		resp.AppendHeader(sip.NewHeader(headers[i], headers[i+1]))
	}
	p.send(tx, resp)
}

func (p *Phone) send(tx sip.ServerTransaction, resp *sip.Response) {
	if err := tx.Respond(resp); err != nil {
		p.log.Warn("response not sent", "code", resp.StatusCode, "error", err)
	}
}

// options answers those who want to know whether the phone is there.
func (p *Phone) options(r *sip.Request, tx sip.ServerTransaction) {
	p.respond(r, tx, 200, "OK", "Allow", allow, "Accept", "application/sdp")
}

// register accepts everybody who knows the password, and keeps nothing: the phone calls
// nobody.
func (p *Phone) register(r *sip.Request, tx sip.ServerTransaction) {
	if !p.authorized(r, tx) {
		return
	}
	resp := sip.NewResponseFromRequest(r, 200, "OK", nil)
	expires := defaultExpires
	if h := r.GetHeader("Expires"); h != nil {
		if n, err := strconv.Atoi(strings.TrimSpace(h.Value())); err == nil && n >= 0 {
			expires = n
		}
	}
	if contact := r.Contact(); contact != nil && !contact.Address.Wildcard && expires > 0 {
		kept := contact.Clone()
		if _, asked := kept.Params.Get("expires"); !asked {
			kept.Params.Add("expires", strconv.Itoa(expires))
		}
		resp.AppendHeader(kept)
	}
	p.send(tx, resp)
}

// authorized reports whether the request shows that its sender knows the password. If not,
// it has been challenged (RFC 3261 22.4).
func (p *Phone) authorized(r *sip.Request, tx sip.ServerTransaction) bool {
	if p.opts.Username == "" || p.knows(r) {
		return true
	}
	challenge := fmt.Sprintf(`Digest realm="%s", nonce="%s", algorithm=MD5, qop="auth"`, realm, p.nonce)
	p.respond(r, tx, 401, "Unauthorized", "WWW-Authenticate", challenge)
	return false
}

// knows checks the credentials. The nonce is the same as long as the phone runs: it is there
// to try clients with, and protects nothing of value.
func (p *Phone) knows(r *sip.Request) bool {
	h := r.GetHeader("Authorization")
	if h == nil {
		return false
	}
	got, err := digest.ParseCredentials(h.Value())
	if err != nil || got.Username != p.opts.Username || got.Nonce != p.nonce || got.QOP != "auth" {
		return false
	}
	challenge := &digest.Challenge{Realm: realm, Nonce: p.nonce, Algorithm: "MD5", QOP: []string{"auth"}}
	want, err := digest.Digest(challenge, digest.Options{
		Method: string(r.Method), URI: got.URI, Count: got.Nc, Cnonce: got.Cnonce,
		Username: p.opts.Username, Password: p.opts.Password,
	})
	return err == nil && subtle.ConstantTimeCompare([]byte(got.Response), []byte(want.Response)) == 1
}

// invite begins a call, or changes one.
func (p *Phone) invite(r *sip.Request, tx sip.ServerTransaction) {
	if r.CallID() == nil || r.From() == nil || r.To() == nil || r.CSeq() == nil {
		p.respond(r, tx, 400, "Bad Request")
		return
	}
	if tag, inside := r.To().Params.Get("tag"); inside {
		c := p.find(r, tag)
		if c == nil {
			p.respond(r, tx, 481, "Call/Transaction Does Not Exist")
			return
		}
		c.change(r, tx)
		return
	}
	if !p.authorized(r, tx) {
		return
	}
	if h := r.GetHeader("Require"); h != nil {
		// RFC 3261 8.2.2.3: what is demanded and not known must be refused.
		p.respond(r, tx, 420, "Bad Extension", "Unsupported", h.Value())
		return
	}
	c := newCall(p, r, tx)
	p.mu.Lock()
	p.calls[c.key] = c
	p.mu.Unlock()
	c.live()
	p.mu.Lock()
	delete(p.calls, c.key)
	p.mu.Unlock()
}

// key identifies a dialog by what the caller's requests repeat.
func key(r *sip.Request, tag string) string { return r.CallID().Value() + "\n" + tag }

// find returns the call that the request belongs to, or nil.
func (p *Phone) find(r *sip.Request, tag string) *call {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls[key(r, tag)]
}

// inside returns the call that a request names by its To tag. It answers 481 if there is
// none (RFC 3261 12.2.2).
func (p *Phone) inside(r *sip.Request, tx sip.ServerTransaction) *call {
	if r.CallID() != nil && r.To() != nil {
		if tag, ok := r.To().Params.Get("tag"); ok {
			if c := p.find(r, tag); c != nil {
				return c
			}
		}
	}
	if !r.IsAck() {
		p.respond(r, tx, 481, "Call/Transaction Does Not Exist")
	}
	return nil
}

func (p *Phone) ack(r *sip.Request, tx sip.ServerTransaction) {
	if c := p.inside(r, tx); c != nil {
		c.confirmed(r)
	}
}

func (p *Phone) bye(r *sip.Request, tx sip.ServerTransaction) {
	if c := p.inside(r, tx); c != nil {
		p.respond(r, tx, 200, "OK")
		c.bye()
	}
}

func (p *Phone) update(r *sip.Request, tx sip.ServerTransaction) {
	if c := p.inside(r, tx); c != nil {
		c.change(r, tx)
	}
}
