package sipcall_test

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"testing"

	"github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"

	"tidings/internal/event"
)

// hashes are the algorithms, as somebody else computes them.
var hashes = map[string]func(string) string{
	"MD5":     func(s string) string { h := md5.Sum([]byte(s)); return hex.EncodeToString(h[:]) },
	"md5":     func(s string) string { h := md5.Sum([]byte(s)); return hex.EncodeToString(h[:]) },
	"SHA-256": func(s string) string { h := sha256.Sum256([]byte(s)); return hex.EncodeToString(h[:]) },
}

// verified reports whether a request has the right credentials in the header. Source: RFC
// 2617 section 3.2.2, RFC 7616 section 3.4.
func verified(r *sip.Request, header, algorithm, nonce string) error {
	h := r.GetHeader(header)
	if h == nil {
		return fmt.Errorf("no %s", header)
	}
	k, err := digest.ParseCredentials(h.Value())
	if err != nil {
		return err
	}
	hash := hashes[algorithm]
	a1, a2 := hash("alice:carrier:secret"), hash(string(r.Method)+":"+r.Recipient.String())
	want := hash(a1 + ":" + nonce + ":" + a2)
	if k.QOP != "" {
		want = hash(fmt.Sprintf("%s:%s:%08x:%s:%s:%s", a1, nonce, k.Nc, k.Cnonce, k.QOP, a2))
	}
	if k.Response != want || k.URI != r.Recipient.String() || k.Nonce != nonce {
		return fmt.Errorf("%s: %s: response %q, want %q", header, h.Value(), k.Response, want)
	}
	return nil
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	const (
		asks, gives   = "WWW-Authenticate", "Authorization"
		pAsks, pGives = "Proxy-Authenticate", "Proxy-Authorization"
	)
	for name, rounds := range map[string][]struct {
		status    int
		asks      string
		challenge string
		gives     string
		algorithm string
		nonce     string
	}{
		"401":                  {{401, asks, `Digest realm="carrier", nonce="a", qop="auth"`, gives, "MD5", "a"}},
		"401 without qop":      {{401, asks, `Digest realm="carrier",nonce="a",algorithm=md5`, gives, "md5", "a"}},
		"407 with SHA-256":     {{407, pAsks, `Digest realm="carrier", nonce="a", algorithm=SHA-256, qop="auth, auth-int", opaque="x"`, pGives, "SHA-256", "a"}},
		"stale":                {{401, asks, `Digest realm="carrier", nonce="a"`, gives, "MD5", "a"}, {401, asks, `Digest realm="carrier", nonce="b", stale=TRUE`, gives, "MD5", "b"}},
		"proxy, then server":   {{407, pAsks, `Digest realm="carrier", nonce="a"`, pGives, "MD5", "a"}, {401, asks, `Digest realm="carrier", nonce="b"`, gives, "MD5", "b"}},
		"unknown ones ignored": {{401, asks, "Digest realm=\"carrier\", nonce=\"z\", algorithm=X\r\nWWW-Authenticate: Basic realm=\"x\"\r\nWWW-Authenticate: Digest realm=\"carrier\", nonce=\"a\"", gives, "MD5", "a"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, func(s *setUp) { s.trunks[0].Username, s.trunks[0].Password = "alice", "secret" })
			c := r.call()
			invite := r.callee.takes(sip.INVITE)
			for _, round := range rounds {
				r.callee.answers(invite, round.status, "Challenge", with(round.asks, round.challenge))
				r.callee.takes(sip.ACK)
				next := r.callee.takes(sip.INVITE)
				if next.CSeq().SeqNo != invite.CSeq().SeqNo+1 || next.CallID().Value() != invite.CallID().Value() {
					t.Errorf("the INVITE with credentials, %v, does not continue %v", next, invite)
				}
				if err := verified(next, round.gives, round.algorithm, round.nonce); err != nil {
					t.Error(err)
				}
				invite = next
			}
			r.callee.answers(invite, 200, "OK", r.callee.describes())
			ack := r.callee.takes(sip.ACK)
			if ack.GetHeader(rounds[0].gives) == nil {
				t.Error("the ACK has no credentials")
			}
			c.sees(event.VoiceAnswered)
			// The BYE is asked for credentials of its own.
			bye := r.callee.takes(sip.BYE)
			r.callee.answers(bye, 407, "Challenge", with(pAsks, `Digest realm="carrier", nonce="bye"`))
			bye = r.callee.takes(sip.BYE)
			if err := verified(bye, pGives, "MD5", "bye"); err != nil {
				t.Error(err)
			}
			r.callee.answers(bye, 200, "OK")
			c.ends(event.VoiceCompleted, "")
		})
	}
}

func TestWrongPassword(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(s *setUp) { s.trunks[0].Username = "alice" })
	c := r.call()
	for range 2 {
		r.callee.answers(r.callee.takes(sip.INVITE), 401, "Unauthorized", with("WWW-Authenticate", `Digest realm="carrier", nonce="a"`))
		r.callee.takes(sip.ACK)
	}
	c.ends(event.VoiceFailed, "SIP 401 Unauthorized")
}

func TestRealmOfSomebodyElse(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(s *setUp) { s.trunks[0].Username, s.trunks[0].Realm = "alice", "carrier" })
	c := r.call()
	r.callee.answers(r.callee.takes(sip.INVITE), 401, "Unauthorized", with("WWW-Authenticate", `Digest realm="evil", nonce="a"`))
	r.callee.takes(sip.ACK)
	c.ends(event.VoiceFailed, "SIP 401 Unauthorized")
}
