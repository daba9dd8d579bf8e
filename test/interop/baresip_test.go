package interop

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"tidings/internal/audio"
	"tidings/internal/sipcall"
	"tidings/internal/siptrunk"
	"tidings/internal/tts/wav"
)

// baresip is a telephone that picks up and records what it hears.
type baresip struct {
	*process
	dir     string
	port    int
	control int
}

// newBaresip starts one whose account has these parameters.
func newBaresip(tb testing.TB, parameters string) *baresip {
	tb.Helper()
	program := need(tb, "baresip", "baresip-core")
	b := &baresip{dir: tb.TempDir(), port: freePort(tb), control: freePort(tb)}
	media := freePort(tb)
	for name, text := range map[string]string{
		"config": fmt.Sprintf(`poll_method epoll
sip_listen 127.0.0.1:%d
net_interface 127.0.0.1
rtp_ports %d-%d
audio_player aubridge,x
audio_alert aubridge,y
audio_source aufile,%s
ausrc_srate 8000
auplay_srate 8000
snd_path %s
ctrl_tcp_listen 127.0.0.1:%d
module_path %s
module g711.so
module aufile.so
module aubridge.so
module sndfile.so
module srtp.so
module rtcpsummary.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
`, b.port, media, media+3, filepath.Join(b.dir, "voice.wav"), b.dir, b.control, modules(tb)),
		"accounts": fmt.Sprintf("<sip:+12065550100@127.0.0.1:%d>;regint=0;answermode=auto;%s\n", b.port, parameters),
		"contacts": "",
	} {
		if err := os.WriteFile(filepath.Join(b.dir, name), []byte(text), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	voice := wav.New(8000, audio.Tone(440, -20, 10*time.Second, 8000))
	if err := voice.Save(filepath.Join(b.dir, "voice.wav")); err != nil {
		tb.Fatal(err)
	}
	b.process = run(tb, b.dir, program, "-f", b.dir)
	b.await(tb, "baresip is ready")
	return b
}

// modules is where Debian keeps them.
func modules(tb testing.TB) string {
	tb.Helper()
	for _, form := range []string{"/usr/lib/baresip/modules", "/usr/lib/*/baresip/modules"} {
		if found, err := filepath.Glob(form); err == nil && len(found) > 0 {
			return found[0]
		}
	}
	tb.Fatal("baresip has no modules")
	return ""
}

// trunk is a trunk to the telephone.
func (b *baresip) trunk() siptrunk.Config {
	t := trunk("+", b.port)
	t.Domain = "127.0.0.1"
	return t
}

// command has the telephone do something, as its own user would.
func (b *baresip) command(tb testing.TB, command, parameters string) {
	tb.Helper()
	c, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", b.control), patience)
	if err != nil {
		tb.Error(err)
		return
	}
	defer c.Close()
	text := fmt.Sprintf(`{"command":%q,"params":%q}`, command, parameters)
	if _, err := fmt.Fprintf(c, "%d:%s,", len(text), text); err != nil { // a netstring
		tb.Error(err)
		return
	}
	_ = c.SetReadDeadline(time.Now().Add(patience))
	if _, err := c.Read(make([]byte, 1)); err != nil {
		tb.Errorf("baresip does not answer to %s: %v", command, err)
	}
}

// recorded puts the telephone away and returns what it heard.
func (b *baresip) recorded(tb testing.TB) []int16 {
	tb.Helper()
	if tb.Failed() {
		tb.FailNow() // nothing was recorded
	}
	b.await(tb, `^EX=BareSip;.*;$`) // the summary at the end of a call
	b.signal(syscall.SIGTERM)
	_ = b.wait(tb)
	files, err := filepath.Glob(filepath.Join(b.dir, "dump-*-dec.wav"))
	if err != nil || len(files) != 1 {
		tb.Fatalf("recordings: %v, %v; want one", files, err)
	}
	sound, err := wav.Load(files[0])
	if err != nil {
		tb.Fatal(err)
	}
	if sound.Rate != 8000 {
		tb.Fatalf("the recording has %d samples a second, want 8000", sound.Rate)
	}
	return sound.Int16()
}

// TestARealTelephoneHearsTheMessage calls baresip, which is asked what it heard.
func TestARealTelephoneHearsTheMessage(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		parameters string
		srtp       bool
		length     time.Duration
	}{
		// Long enough for reports by RTCP to have been sent (RFC 3550 6.2).
		"PCMU": {"audio_codecs=PCMU/8000/1", false, 7 * time.Second},
		"PCMA": {"audio_codecs=PCMA/8000/1", false, 2 * time.Second},
		"SRTP": {"audio_codecs=PCMU/8000/1;mediaenc=srtp-mand", true, 7 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBaresip(t, c.parameters)
			to := b.trunk()
			to.SRTP = c.srtp
			d := dialer(t, sipcall.Options{}, to)
			speech, pcm := message(t, c.length)
			call(t, d, "+12065550100", speech).want(t, "RAC")
			sounds(t, b.recorded(t), pcm)
			// The telephone's own books: packets lost on the way from it and to it.
			text, _ := b.out.look()
			line := regexp.MustCompile(`PL=(\d+),(\d+);`).FindSubmatch(text)
			switch {
			case line == nil && c.length > 5*time.Second:
				t.Error("the telephone's summary has no reports by RTCP")
			case line != nil && (string(line[1]) != "0" || string(line[2]) != "0"):
				t.Errorf("the telephone's summary says %q, want no packets lost", line[0])
			}
			if c.srtp && !strings.Contains(string(text), "SRTP is Enabled") {
				t.Error("the telephone does not say that SRTP was used")
			}
		})
	}
}

// TestARealTelephoneWantsSRTP calls one that takes nothing else, without it.
func TestARealTelephoneWantsSRTP(t *testing.T) {
	t.Parallel()
	b := newBaresip(t, "audio_codecs=PCMU/8000/1;mediaenc=srtp-mand")
	d := dialer(t, sipcall.Options{}, b.trunk())
	speech, _ := message(t, time.Second)
	h := call(t, d, "+12065550100", speech)
	if end := h.events[len(h.events)-1]; end != "voice.failed" {
		t.Errorf("events = %v, want failed: no sound must go in the clear", h.events)
	}
}

// TestARealTelephoneHangsUp has baresip press keys and hang up in the middle.
func TestARealTelephoneHangsUp(t *testing.T) {
	t.Parallel()
	b := newBaresip(t, "audio_codecs=PCMU/8000/1")
	d := dialer(t, sipcall.Options{}, b.trunk())
	speech, _ := message(t, 10*time.Second)
	done := make(chan history, 1)
	go func() { done <- call(t, d, "+12065550100", speech) }()
	b.await(t, "Call established|call established")
	for _, key := range "51#" {
		b.command(t, "sndcode", string(key))
	}
	<-time.After(time.Second) // of the message
	b.command(t, "hangup", "")
	h := <-done
	h.want(t, "RAC")
	if h.outcome.Talk > 9*time.Second || h.outcome.Reason == "" {
		t.Errorf("outcome = %+v, want one that was cut short, and says so", h.outcome)
	}
}
