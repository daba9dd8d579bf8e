package interop

import (
	"fmt"
	"math"
	"testing"
	"time"

	"tidings/internal/event"
	"tidings/internal/sipcall"
	"tidings/internal/siptrunk"
)

// callee is one scenario: what sipp does, and what must come of it.
type callee struct {
	name   string
	steps  func(e *ear) []string
	want   string        // events, see history.want
	length time.Duration // of the message; 0 = half a second
	config func(*siptrunk.Config)
	check  func(t *testing.T, h history, e *ear)
}

// plain is a list of steps that need no ear.
func plain(steps ...string) func(*ear) []string {
	return func(*ear) []string { return append([]string{invited}, steps...) }
}

// heard is a list of steps with a description of the ear at the place of %s.
func heard(before, formats string, after func(sdp string) string) func(*ear) []string {
	return func(e *ear) []string {
		return []string{invited, before, after(sdp(e.port(), formats, "a=rtpmap:101 telephone-event/8000"))}
	}
}

// rings rings. What follows it follows at once: that the phone rang must not be missed.
var rings = reply("180 Ringing")

func callees() []callee {
	return []callee{
		{name: "answer", steps: heard(rings+pause(300*time.Millisecond), "0 101", answered), want: "RAC"},
		{name: "answer at once", steps: heard("", "0 101", answered), want: "AC"},
		{name: "trying, then slow", steps: heard(reply("100 Trying")+pause(time.Second)+rings+pause(2*time.Second), "0 101", answered), want: "RAC"},
		{name: "early media", steps: func(e *ear) []string {
			s := sdp(e.port(), "0 101")
			return []string{invited, answer("183 Session Progress", s), pause(300 * time.Millisecond), answered(s)}
		}, want: "RAC"},
		{name: "PRACK", steps: func(e *ear) []string {
			s := sdp(e.port(), "0 101")
			return []string{
				invited, answer("183 Session Progress", s, "Require: 100rel", "RSeq: 4711"), recv("PRACK"), replyLast("200 OK", ""),
				pause(200 * time.Millisecond), answered(s),
			}
		}, want: "RAC"},
		{name: "A-law only", steps: heard(rings, "8 101", answered), want: "RAC", check: func(t *testing.T, _ history, e *ear) {
			if _, payload, _ := e.heard(); payload[8] == 0 || payload[0] > 0 {
				t.Errorf("packets by payload type: %v, want 8 only", payload)
			}
		}},
		{name: "busy", steps: plain(rings, refused("486 Busy Here")), want: "RB"},
		{name: "busy everywhere", steps: plain(refused("600 Busy Everywhere")), want: "B"},
		{name: "busy, hidden", steps: plain(refused("480 Temporarily Unavailable", `Reason: Q.850;cause=17;text="user busy"`)), want: "B"},
		{name: "declined", steps: plain(rings, refused("603 Decline")), want: "RF"},
		{name: "declined, meaning busy", steps: plain(refused("603 Decline")), want: "B", config: func(c *siptrunk.Config) { c.DeclineIsBusy = true }},
		{name: "not found", steps: plain(refused("404 Not Found")), want: "F"},
		{name: "forbidden", steps: plain(refused("403 Forbidden")), want: "F"},
		{name: "moved", steps: plain(refused("302 Moved Temporarily", "Contact: <sip:other@127.0.0.1:9>")), want: "F"},
		{name: "out of order", steps: plain(refused("503 Service Unavailable", "Retry-After: 5")), want: "F"},
		{name: "unavailable", steps: plain(rings, refused("480 Temporarily Unavailable")), want: "RN"},
		{name: "timed out", steps: plain(rings, refused("408 Request Timeout")), want: "RN"},
		{name: "no answer", steps: plain(rings, cancelled), want: "RN"},
		{name: "no answer, chatty", steps: func(*ear) []string {
			steps := []string{invited}
			for range 15 {
				steps = append(steps, reply("183 Session Progress"), pause(50*time.Millisecond))
			}
			return append(steps, cancelled)
		}, want: "RN"},
		{name: "200 racing CANCEL", steps: heard(rings+recv("CANCEL")+replyLast("200 OK", ""), "0", answered), want: "RN"},
		{
			name: "hangs up in the middle", length: 2 * time.Second, want: "RAC",
			steps: heard(rings, "0 101", func(s string) string {
				return answer("200 OK", s) + recv("ACK") + pause(time.Second) + request("BYE", 1, "") + recvOK
			}),
			check: func(t *testing.T, h history, _ *ear) {
				if got := h.outcome.Talk.Seconds(); math.Abs(got-1) > 0.5 {
					t.Errorf("Talk = %.2f s, want about 1", got)
				}
			},
		},
		{name: "hangs up at once", want: "RAF", steps: heard(rings, "0 101", func(s string) string {
			return answer("200 OK", s) + recv("ACK") + request("BYE", 1, "") + recvOK
		})},
		{name: "hold and resume", length: time.Second, want: "RAC", steps: hold, check: func(t *testing.T, _ history, e *ear) {
			if _, _, gap := e.heard(); gap < 700*time.Millisecond {
				t.Errorf("the longest gap is %v, want the hold of 800ms", gap)
			}
		}},
		{name: "no description", want: "RAF", steps: plain(rings, answered(""))},
		{name: "no codec in common", want: "RAF", steps: heard(rings, "18", answered)},
		{name: "nonsense for a description", want: "RAF", steps: plain(rings, answered("v=0\nm=audio\nnonsense\n"))},
		{name: "garbage around it", want: "RAC", steps: garbage},
		{name: "silent", want: "F", steps: plain(pause(time.Second))},
		{name: "password", want: "RAC", config: password("secret"), steps: challenge(`, qop="auth"`)},
		{name: "password, old way", want: "RAC", config: password("secret"), steps: challenge("")},
		{name: "wrong password", want: "F", config: password("wrong"), steps: challenge(`, qop="auth"`)},
		{name: "no password", want: "F", steps: plain(refused("401 Unauthorized", `WWW-Authenticate: Digest realm="sipp", nonce="4711"`))},
	}
}

// hold puts the call on hold, takes it up again, and refreshes its session.
func hold(e *ear) []string {
	change := func(method string, cseq int, direction string) string {
		s := sdp(e.port(), "0 101", "a="+direction)
		end := ""
		if method == "INVITE" {
			end = request("ACK", cseq, "")
		}
		return request(method, cseq, s, "Supported: timer", "Session-Expires: 1800;refresher=uac") + recvOK + end
	}
	return []string{
		invited, rings, answer("200 OK", sdp(e.port(), "0 101")), recv("ACK"), pause(700 * time.Millisecond),
		change("INVITE", 1, "sendonly"), pause(800 * time.Millisecond), change("INVITE", 2, "sendrecv"), change("UPDATE", 3, "sendrecv"), hungUp,
	}
}

// garbage is a callee who says a lot that nobody understands.
func garbage(e *ear) []string {
	s := sdp(e.port(), "0 101 x 300", "a=rtpmap:0", "a=ptime:-1", "a=fmtp", "x", "a=crypto:1 NONSENSE inline:x", "b=AS:x")
	return []string{
		invited, reply("180 Ringing", "Alert-Info: <nonsense", "Reason: ;;;=\"", "RSeq: -1", "X-Long: "+fmt.Sprintf("%0900d", 7)),
		reply("199 Unheard Of", "Require: nonsense"), answered(s),
	}
}

func password(word string) func(*siptrunk.Config) {
	return func(c *siptrunk.Config) { c.Username, c.Password = "tidings", word }
}

// challenge wants the password "secret", and answers who knows it.
func challenge(qop string) func(e *ear) []string {
	return func(e *ear) []string {
		verify := `<recv request="INVITE" rrs="true" timeout="20000"><action>
  <ereg regexp=".*" search_in="hdr" header="Via:" assign_to="via"/>
  <ereg regexp=".*" search_in="hdr" header="CSeq:" assign_to="cseq"/>
  <verifyauth assign_to="good" username="tidings" password="secret"/>
</action></recv>
`
		end := `<nop test="good" next="fine"/>` + "\n" + refused("403 Forbidden") + `<nop next="over"/>` + "\n" +
			`<label id="fine"/>` + "\n" + rings + answered(sdp(e.port(), "0 101")) + `<label id="over"/>` + "\n"
		return []string{
			invited, refused("401 Unauthorized", `WWW-Authenticate: Digest realm="sipp", nonce="47114711", algorithm=MD5`+qop), verify, end,
		}
	}
}

// TestCalleesOfEveryKind calls sipp as every callee at the same time.
func TestCalleesOfEveryKind(t *testing.T) {
	t.Parallel()
	need(t, "sipp", "sip-tester")
	all := callees()
	trunks := make([]siptrunk.Config, len(all))
	for i, c := range all {
		trunks[i] = trunk(fmt.Sprintf("+1206555%02d", i), freePort(t))
		if c.config != nil {
			c.config(&trunks[i])
		}
	}
	d := dialer(t, sipcall.Options{
		FirstAnswer: 4 * time.Second, RingTimeout: 5 * time.Second, CancelTimeout: 4 * time.Second,
	}, trunks...)
	// The callees wait for each other only here, so that the Dialer outlives them.
	t.Run("callees", func(t *testing.T) {
		for i, c := range all {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				e := newEar(t)
				p := sippAt(t, trunks[i], c.steps(e)...)
				if c.length == 0 {
					c.length = 500 * time.Millisecond
				}
				speech, pcm := message(t, c.length)
				h := call(t, d, trunks[i].Prefixes[0]+"00", speech)
				h.want(t, c.want)
				if err := p.wait(t); err != nil {
					t.Errorf("sipp ended with %v: it missed something", err)
				}
				got, _, _ := e.heard()
				if h.outcome.Type == event.VoiceCompleted && h.outcome.Reason == "" { // else it was cut short
					sounds(t, got, pcm)
				}
				if c.check != nil {
					c.check(t, h, e)
				}
			})
		}
	})
}
