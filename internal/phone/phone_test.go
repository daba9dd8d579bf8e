package phone_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"tidings/internal/audio"
	"tidings/internal/phone"
	"tidings/internal/simulator"
	"tidings/internal/tts/wav"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// quick is a phone that does not keep tests waiting.
var quick = phone.Options{Ring: time.Millisecond, HangUp: time.Millisecond}

func TestEveryPhoneDoesWhatItsEntrySays(t *testing.T) {
	t.Parallel()
	codes := map[string]int{"busy": 486, "declines": 603, "unreachable": 404, "trunk-error": 503}
	for _, n := range simulator.Numbers() {
		t.Run(n.Behavior, func(t *testing.T) {
			t.Parallel()
			h := start(t, quick)
			c := dial(t, h, n.Number)
			c.send("INVITE", "Content-Type: application/sdp\r\n", c.sdp("0 8 101", ""))
			if n.Ring() > 0 {
				c.await(180)
				if got, want := <-h.said, n.Number+" rings"; got != want {
					t.Errorf("said %q, want %q", got, want)
				}
			}
			switch code, refuses := codes[n.Behavior]; {
			case n.Behavior == "no-answer":
				c.send("CANCEL", "", "")
				c.await(200)
				c.await(487)
			case refuses:
				c.await(code)
			case !n.Answers():
				t.Fatalf("%s is not in this test", n.Behavior)
			default:
				c.await(200)
				c.send("ACK", "", "")
				if strings.HasPrefix(n.Behavior, "hangs-up") {
					c.bye()
				} else {
					c.send("BYE", "", "")
					c.await(200)
				}
			}
			got := <-h.ended
			want := codes[n.Behavior]
			if n.Answers() {
				want = 200
			}
			if got.Number != n.Number || got.From != "+12065550199" || got.Phone.Behavior != n.Behavior || got.Code != want {
				t.Errorf("the call was %+v, want code %d", got, want)
			}
			if hangsUp := strings.HasPrefix(n.Behavior, "hangs-up"); got.ByUs != hangsUp {
				t.Errorf("hung up by the phone = %v, want %v", got.ByUs, hangsUp)
			}
		})
	}
}

// speech is a sound that is never silent.
func speech(d time.Duration) []int16 {
	return audio.Tone(700, -6, d, 8000)
}

func TestRecordsWhatItHears(t *testing.T) {
	t.Parallel()
	mu, a := audio.AppendMuLaw(nil, speech(time.Second)), audio.AppendALaw(nil, speech(time.Second))
	silent := make([]int16, 160)
	for name, c := range map[string]struct {
		formats string
		payload uint8
		sound   []byte
		leftOut []int
		want    []int16
	}{
		"PCMU": {"0 8 101", 0, mu, nil, audio.MuLaw(mu)},
		"PCMA": {"8 101", 8, a, nil, audio.ALaw(a)},
		"gap":  {"0", 0, mu, []int{3, 5}, append(append(append(append(audio.MuLaw(mu[:480]), silent...), audio.MuLaw(mu[640:800])...), silent...), audio.MuLaw(mu[960:])...)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := quick
			opts.Recordings = t.TempDir()
			h := start(t, opts)
			call := dial(t, h, "+12065550110")
			to, _ := call.answer(c.formats)
			call.play(to, c.payload, c.sound, c.leftOut...)
			call.packet(to, []byte("garbage"))
			call.packet(to, rtp(101, 65580, 1000, []byte{5, 0, 0, 160}))
			call.packet(to, rtp(101, 65581, 1000, []byte{5, 0x80, 1, 64}))
			call.packet(to, rtp(101, 65582, 9000, []byte{11, 0x80, 1, 64}))
			call.hangUpAfterAll(to)
			got := <-h.ended
			if diff := cmp.Diff(c.want, got.Heard.Int16()); diff != "" {
				t.Errorf("heard something else: %d samples, want %d", got.Heard.Samples(), len(c.want))
			}
			if got.Lost != len(c.leftOut) {
				t.Errorf("Lost = %d, want %d", got.Lost, len(c.leftOut))
			}
			if want := "5#"; strings.Contains(c.formats, "101") && got.Digits != want {
				t.Errorf("Digits = %q, want %q", got.Digits, want)
			}
			form := regexp.MustCompile(`^\d{8}-\d{6}-12065550110\.wav$`)
			if !form.MatchString(filepath.Base(got.File)) {
				t.Errorf("File = %q, want one that matches %v", got.File, form)
			}
			kept, err := wav.Load(got.File)
			if err != nil || kept.Rate != 8000 || !bytes.Equal(kept.PCM, got.Heard.PCM) {
				t.Errorf("the recording is %d bytes at %d, %v; want what was heard", len(kept.PCM), kept.Rate, err)
			}
		})
	}
}

// hangUpAfterAll hangs up when the phone has heard what was sent: packets on loopback keep
// their order, so a last one is sent, and the phone's next packet shows that it read.
func (c *caller) hangUpAfterAll(to *net.UDPAddr) {
	c.tb.Helper()
	// The kernel has the packets before Write returns; the phone reads them before the
	// sound of three more of its own packets has come here.
	buf := make([]byte, 2048)
	for range 3 {
		if _, err := c.rtp.Read(buf); err != nil {
			c.tb.Fatal(err)
		}
	}
	c.send("BYE", "", "")
	c.await(200)
}

func TestTwoRecordingsOfASecond(t *testing.T) {
	t.Parallel()
	opts := quick
	opts.Recordings = t.TempDir()
	h := start(t, opts)
	for range 4 {
		c := dial(t, h, "+12065550110")
		to, _ := c.answer("0")
		c.play(to, 0, make([]byte, 160))
		c.hangUpAfterAll(to)
		<-h.ended
	}
	if files, err := os.ReadDir(opts.Recordings); err != nil || len(files) != 4 {
		t.Errorf("%d recordings, %v; want 4", len(files), err)
	}
}

func TestSendsSilenceBack(t *testing.T) {
	t.Parallel()
	for formats, want := range map[string]byte{"0": audio.SilenceMuLaw, "8": audio.SilenceALaw} {
		h := start(t, quick)
		c := dial(t, h, "+12065550110")
		c.answer(formats)
		buf := make([]byte, 2048)
		n, err := c.rtp.Read(buf)
		if err != nil || n != 172 || buf[0] != 0x80 || buf[1]&0x7f != formats[0]-'0' || !bytes.Equal(buf[12:n], bytes.Repeat([]byte{want}, 160)) {
			t.Errorf("the phone sends % x, %v; want 160 times %x", buf[:n], err, want)
		}
		c.send("BYE", "", "")
		c.await(200)
	}
}

func TestRefusesWhatItCannotHear(t *testing.T) {
	t.Parallel()
	h := start(t, quick)
	c := dial(t, h, "+12065550110")
	c.send("INVITE", "Content-Type: application/sdp\r\n", c.sdp("18", "a=rtpmap:18 G729/8000\r\n"))
	c.await(488)
	if got := <-h.ended; got.Code != 488 {
		t.Errorf("Code = %d, want 488", got.Code)
	}
	c = dial(t, h, "+12065550110")
	c.send("INVITE", "Require: 100rel, x\r\n", "")
	if got := c.await(420).GetHeader("Unsupported"); got == nil || got.Value() != "100rel, x" {
		t.Errorf("Unsupported = %v, want what was required", got)
	}
	for _, method := range []string{"BYE", "INVITE", "UPDATE"} {
		c = dial(t, h, "+12065550110")
		c.to += ";tag=unknown"
		c.send(method, "", "")
		c.await(481)
	}
	c = dial(t, h, "+12065550110")
	c.send("CANCEL", "", "")
	c.await(481)
}

func TestOffersIfTheCallerDoesNot(t *testing.T) {
	t.Parallel()
	h := start(t, quick)
	c := dial(t, h, "+12065550110")
	c.send("INVITE", "", "")
	to := c.port(c.await(200))
	c.send("ACK", "Content-Type: application/sdp\r\n", c.sdp("8", ""))
	sound := audio.AppendALaw(nil, speech(100*time.Millisecond))
	c.play(to, 8, sound)
	c.hangUpAfterAll(to)
	if got := <-h.ended; got.Heard.Samples() != 800 {
		t.Errorf("heard %d samples, want 800", got.Heard.Samples())
	}
}

func TestRepeatsTheAnswerUntilItIsConfirmed(t *testing.T) {
	t.Parallel()
	h := start(t, quick)
	c := dial(t, h, "+12065550110")
	c.send("INVITE", "Content-Type: application/sdp\r\n", c.sdp("0", ""))
	first, second := c.await(200), c.await(200)
	if first.String() != second.String() {
		t.Errorf("the second 200 is\n%s\nwant the same as the first\n%s", second, first)
	}
	c.send("ACK", "", "")
	c.send("BYE", "", "")
	c.await(200)
	if got := <-h.ended; got.Code != 200 {
		t.Errorf("the call was %+v, want it answered", got)
	}
}

func TestHoldAndResume(t *testing.T) {
	t.Parallel()
	h := start(t, quick)
	c := dial(t, h, "+12065550110")
	c.answer("0")
	for _, step := range []struct{ method, theirs, want string }{
		{"INVITE", "sendonly", "recvonly"}, {"UPDATE", "inactive", "inactive"}, {"INVITE", "sendrecv", "sendrecv"},
	} {
		c.send(step.method, "Content-Type: application/sdp\r\n", c.sdp("0", "a="+step.theirs+"\r\n"))
		r := c.await(200)
		if !strings.Contains(string(r.Body()), "a="+step.want) {
			t.Errorf("%s %s is answered %q, want %s", step.method, step.theirs, r.Body(), step.want)
		}
		if step.method == "INVITE" {
			c.send("ACK", "", "")
		}
	}
	c.send("UPDATE", "", "") // a session timer's refresh
	if r := c.await(200); len(r.Body()) != 0 {
		t.Errorf("an UPDATE without description is answered %q", r.Body())
	}
	c.send("INVITE", "Content-Type: application/sdp\r\n", c.sdp("18", ""))
	c.await(488) // and the call goes on
	c.send("BYE", "", "")
	c.await(200)
	<-h.ended
}

func TestPasswords(t *testing.T) {
	t.Parallel()
	opts := quick
	opts.Username, opts.Password = "tidings", "secret"
	certificate := selfSigned(t)
	opts.ListenTLS, opts.TLS = "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate}}
	h := start(t, opts)
	for _, transport := range []string{"UDP", "TCP", "TLS"} {
		for password, want := range map[string]int{"secret": 200, "wrong": 401} {
			if got := register(t, h, transport, password); got.StatusCode != want {
				t.Errorf("REGISTER over %s with password %q = %d, want %d", transport, password, got.StatusCode, want)
			} else if contact := got.Contact(); want == 200 && (contact == nil || contact.Params.String() != "expires=100") {
				t.Errorf("the contact is %v, want it to last 100 s", contact)
			}
		}
	}
	c := dial(t, h, "+12065550110")
	c.send("INVITE", "", "")
	c.await(401)
}

// register asks for a registration through sipgo's own client.
func register(tb testing.TB, h *hub, transport, password string) *sip.Response {
	tb.Helper()
	ua, err := sipgo.NewUA(sipgo.WithUserAgenTLSConfig(&tls.Config{InsecureSkipVerify: true}))
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = ua.Close() }()
	client, err := sipgo.NewClient(ua, sipgo.WithClientHostname("127.0.0.1"))
	if err != nil {
		tb.Fatal(err)
	}
	at := h.Addr()
	if transport == "TLS" {
		at = h.AddrTLS()
	}
	r := sip.NewRequest(sip.REGISTER, sip.Uri{Scheme: "sip", Host: "127.0.0.1"})
	r.SetTransport(transport)
	r.SetDestination(at)
	r.AppendHeader(&sip.ContactHeader{Address: sip.Uri{Scheme: "sip", User: "me", Host: "127.0.0.1"}})
	r.AppendHeader(sip.NewHeader("Expires", "100"))
	ctx, cancel := context.WithTimeout(tb.Context(), 10*time.Second)
	defer cancel()
	resp, err := client.Do(ctx, r)
	if err != nil {
		tb.Fatal(err)
	}
	if resp.StatusCode != 401 {
		tb.Fatalf("REGISTER without a password = %d, want 401", resp.StatusCode)
	}
	resp, err = client.DoDigestAuth(ctx, r, resp, sipgo.DigestAuth{Username: "tidings", Password: password})
	if err != nil {
		tb.Fatal(err)
	}
	return resp
}

func TestTellsThatItIsThere(t *testing.T) {
	t.Parallel()
	h := start(t, quick)
	c := dial(t, h, "")
	c.send("OPTIONS", "", "")
	if r := c.await(200); r.GetHeader("Allow") == nil {
		t.Errorf("OPTIONS is answered\n%s\nwithout Allow", r)
	}
	c.send("MESSAGE", "", "")
	c.await(405)
}

func TestHangsUpWhenItIsPutAway(t *testing.T) {
	t.Parallel()
	h := start(t, phone.Options{Recordings: t.TempDir()})
	ringing, talking := dial(t, h, "+12065550100"), dial(t, h, "+12065550110")
	ringing.send("INVITE", "Content-Type: application/sdp\r\n", ringing.sdp("0", ""))
	ringing.await(180)
	to, _ := talking.answer("0")
	<-h.said
	for said := ""; !strings.HasSuffix(said, "answered"); said = <-h.said {
		continue
	}
	talking.play(to, 0, make([]byte, 160))
	done := make(chan error, 1)
	go func() { done <- h.stop() }()
	talking.bye()
	ringing.await(480)
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Run = %v, want the error of its context", err)
	}
	for range 2 {
		if c := <-h.ended; c.Number == "+12065550110" && !c.ByUs {
			t.Errorf("the call was %+v, want it ended by the phone", c)
		}
	}
}

func TestNewFails(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, opts := range map[string]phone.Options{
		"no address": {Listen: "nonsense"}, "taken": {Listen: taken.Addr().String()}, "TLS without certificate": {Listen: "127.0.0.1:0", ListenTLS: "127.0.0.1:0"},
	} {
		if p, err := phone.New(opts); err == nil {
			t.Errorf("%s: New = %v, want an error", name, p.Addr())
		}
	}
}
