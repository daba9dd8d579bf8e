package sdp_test

import (
	"bytes"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tidings/internal/sdp"
)

var addresses = cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })

func local() *sdp.Local {
	return &sdp.Local{Session: 7, Version: 1, Address: netip.MustParseAddr("192.0.2.1"), Port: 40000}
}

// lines joins lines as SDP does.
func lines(l ...string) string { return strings.Join(l, "\r\n") + "\r\n" }

func parse(t testing.TB, body string) *sdp.Description {
	t.Helper()
	d, err := sdp.Parse([]byte(body))
	if err != nil {
		t.Fatalf("Parse(%q) = %v", body, err)
	}
	return d
}

func TestOffer(t *testing.T) {
	t.Parallel()
	want := lines("v=0", "o=- 7 1 IN IP4 192.0.2.1", "s=-", "c=IN IP4 192.0.2.1", "t=0 0",
		"m=audio 40000 RTP/AVP 0 8 101", "a=rtpmap:0 PCMU/8000", "a=rtpmap:8 PCMA/8000",
		"a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-15", "a=ptime:20", "a=sendrecv")
	if diff := cmp.Diff(want, string(local().Offer())); diff != "" {
		t.Errorf("Offer() (-want +got):\n%s", diff)
	}
	l := local()
	l.Address, l.Codecs, l.NoEvents, l.Key = netip.MustParseAddr("2001:db8::1"), []uint8{sdp.PCMA}, true, bytes.Repeat([]byte{0xff}, sdp.KeyLength)
	want = lines("v=0", "o=- 7 1 IN IP6 2001:db8::1", "s=-", "c=IN IP6 2001:db8::1", "t=0 0",
		"m=audio 40000 RTP/SAVP 8", "a=rtpmap:8 PCMA/8000", "a=ptime:20",
		"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:"+strings.Repeat("/", 40), "a=sendrecv")
	if diff := cmp.Diff(want, string(l.Offer())); diff != "" {
		t.Errorf("Offer() with keys over IPv6 (-want +got):\n%s", diff)
	}
}

// TestAgree takes what exchanges of different makes answer.
func TestAgree(t *testing.T) {
	t.Parallel()
	at := netip.MustParseAddrPort
	tests := []struct {
		name string
		body string
		want sdp.Media
		err  error
	}{
		{
			name: "plain", body: lines("v=0", "o=- 1 1 IN IP4 198.51.100.9", "s=-", "c=IN IP4 198.51.100.9", "t=0 0",
				"m=audio 30000 RTP/AVP 0 101", "a=rtpmap:0 PCMU/8000", "a=rtpmap:101 telephone-event/8000", "a=ptime:20", "a=sendrecv"),
			want: sdp.Media{RTP: at("198.51.100.9:30000"), RTCP: at("198.51.100.9:30001"), Payload: sdp.PCMU, Events: 101, Packet: 20 * time.Millisecond, Send: true, Receive: true},
		},
		{
			name: "A-law, bare newlines, address of the line wins", body: "v=0\nc=IN IP4 203.0.113.1\nm=audio 30000 RTP/AVP 18 8\nc=IN IP4 198.51.100.9/127\na=rtpmap:18 G729/8000\n",
			want: sdp.Media{RTP: at("198.51.100.9:30000"), RTCP: at("198.51.100.9:30001"), Payload: sdp.PCMA, Packet: 20 * time.Millisecond, Send: true, Receive: true},
		},
		{
			name: "spaces, capitals, ports, rtcp elsewhere, 30 ms, other number for events", body: "v=0 \r\n c=IN IP4 198.51.100.9 \r\nm=AUDIO 30000/2 rtp/avp 8 0 96\r\na=RTPMAP:96 Telephone-Event/8000\r\na=rtcp:53020 IN IP4 198.51.100.10\r\na=ptime:30\r\na=maxptime:60\r\n",
			want: sdp.Media{RTP: at("198.51.100.9:30000"), RTCP: at("198.51.100.10:53020"), Payload: sdp.PCMA, Events: 96, Packet: 30 * time.Millisecond, Send: true, Receive: true},
		},
		{
			name: "rtcp by port, ptime above the greatest", body: lines("c=IN IP4 198.51.100.9", "m=audio 30000 RTP/AVP 0", "a=rtcp:6", "a=ptime:60", "a=maxptime:40"),
			want: sdp.Media{RTP: at("198.51.100.9:30000"), RTCP: at("198.51.100.9:6"), Packet: 40 * time.Millisecond, Send: true, Receive: true},
		},
		{
			name: "hold by direction", body: lines("c=IN IP4 198.51.100.9", "a=sendonly", "m=audio 30000 RTP/AVP 0"),
			want: sdp.Media{RTP: at("198.51.100.9:30000"), RTCP: at("198.51.100.9:30001"), Packet: 20 * time.Millisecond, Receive: true},
		},
		{
			name: "direction of the line wins", body: lines("c=IN IP4 198.51.100.9", "a=inactive", "m=audio 30000 RTP/AVP 0", "a=recvonly"),
			want: sdp.Media{RTP: at("198.51.100.9:30000"), RTCP: at("198.51.100.9:30001"), Packet: 20 * time.Millisecond, Send: true},
		},
		{
			name: "hold by address", body: lines("c=IN IP4 0.0.0.0", "m=audio 30000 RTP/AVP 0"),
			want: sdp.Media{Packet: 20 * time.Millisecond, Receive: true},
		},
		{
			name: "video first", body: lines("c=IN IP4 198.51.100.9", "m=video 9 RTP/AVP 31", "m=audio 30000 RTP/AVP 0"),
			want: sdp.Media{RTP: at("198.51.100.9:30000"), RTCP: at("198.51.100.9:30001"), Packet: 20 * time.Millisecond, Send: true, Receive: true},
		},
		{
			name: "first audio refused", body: lines("c=IN IP4 198.51.100.9", "m=audio 0 RTP/AVP 8", "m=audio 30000 RTP/AVP 0"),
			want: sdp.Media{RTP: at("198.51.100.9:30000"), RTCP: at("198.51.100.9:30001"), Packet: 20 * time.Millisecond, Send: true, Receive: true},
		},
		{
			name: "nonsense packet times", body: lines("c=IN IP4 198.51.100.9", "m=audio 30000 RTP/AVP 0", "a=ptime:NaN", "a=ptime:-1", "a=maxptime:1e9", "a=rtcp:x"),
			want: sdp.Media{RTP: at("198.51.100.9:30000"), RTCP: at("198.51.100.9:30001"), Packet: 20 * time.Millisecond, Send: true, Receive: true},
		},
		{name: "refused", body: lines("c=IN IP4 198.51.100.9", "m=audio 0 RTP/AVP 0"), err: sdp.ErrNoAudio},
		{name: "G.729 only", body: lines("c=IN IP4 198.51.100.9", "m=audio 30000 RTP/AVP 18 101", "a=rtpmap:101 telephone-event/8000"), err: sdp.ErrNoCodec},
		{name: "0 renamed", body: lines("c=IN IP4 198.51.100.9", "m=audio 30000 RTP/AVP 0", "a=rtpmap:0 opus/48000"), err: sdp.ErrNoCodec},
		{name: "no formats", body: lines("c=IN IP4 198.51.100.9", "m=audio 30000 RTP/AVP"), err: sdp.ErrNoCodec},
		{name: "no address", body: lines("m=audio 30000 RTP/AVP 0"), err: sdp.ErrAddress},
		{name: "a name", body: lines("c=IN IP4 media.example.com", "m=audio 30000 RTP/AVP 0"), err: sdp.ErrAddress},
		{name: "multicast", body: lines("c=IN IP4 224.2.1.1/127", "m=audio 30000 RTP/AVP 0"), err: sdp.ErrAddress},
		{name: "other family", body: lines("c=IN IP6 2001:db8::1", "m=audio 30000 RTP/AVP 0"), err: sdp.ErrAddress},
		{name: "SRTP though plain RTP was offered", body: lines("c=IN IP4 198.51.100.9", "m=audio 30000 RTP/SAVP 0", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:"+strings.Repeat("A", 40)), err: sdp.ErrNoKeys},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := parse(t, tt.body).Agree(local())
			if !errors.Is(err, tt.err) {
				t.Fatalf("Agree() = %v, want %v", err, tt.err)
			}
			if diff := cmp.Diff(tt.want, got, addresses, cmpopts.EquateEmpty()); err == nil && diff != "" {
				t.Errorf("Agree() (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		"", "hello", "v=0\r\n", lines("m=video 30000 RTP/AVP 0"), lines("m=audio 30000 UDP/TLS/RTP/SAVPF 0"),
		lines("m=audio"), lines("m=audio 70000 RTP/AVP 0"), lines("m=audio -1 RTP/AVP 0"),
		strings.Repeat(lines("m=audio 30000 RTP/AVP 0"), 17), lines("m=audio 30000 RTP/AVP" + strings.Repeat(" 0", 65)),
		lines("m=audio 30000 RTP/AVP 0") + strings.Repeat("a", 65<<10),
	} {
		if d, err := sdp.Parse([]byte(body)); err == nil {
			t.Errorf("Parse(%.60q) = %+v, want an error", body, d)
		}
	}
}

func TestAnswer(t *testing.T) {
	t.Parallel()
	offer := lines("v=0", "o=x 1 1 IN IP4 198.51.100.9", "s=-", "c=IN IP4 198.51.100.9", "t=0 0",
		"m=video 31000 RTP/AVP 31 34", "m=audio 30000 RTP/AVP 9 8 0 97", "a=rtpmap:97 telephone-event/8000", "a=ptime:30", "a=sendonly", "m=image 9 udptl t38")
	got, m, err := parse(t, offer).Answer(local())
	if err != nil {
		t.Fatalf("Answer() = %v", err)
	}
	want := lines("v=0", "o=- 7 1 IN IP4 192.0.2.1", "s=-", "c=IN IP4 192.0.2.1", "t=0 0",
		"m=video 0 RTP/AVP 31 34", "m=audio 40000 RTP/AVP 8 97", "a=rtpmap:8 PCMA/8000",
		"a=rtpmap:97 telephone-event/8000", "a=fmtp:97 0-15", "a=ptime:30", "a=recvonly", "m=image 0 udptl t38")
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("Answer() (-want +got):\n%s", diff)
	}
	if m.Send || !m.Receive {
		t.Errorf("Answer() to sendonly: send %v, receive %v, want false, true", m.Send, m.Receive)
	}
}

// TestBothSides lets two of us talk: each direction, plain and with keys, both families.
func TestBothSides(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"192.0.2.1", "2001:db8::1"} {
		for _, secure := range []bool{false, true} {
			for _, d := range []sdp.Direction{sdp.SendRecv, sdp.SendOnly, sdp.RecvOnly, sdp.Inactive} {
				caller, callee := local(), local()
				caller.Address, callee.Address = netip.MustParseAddr(address), netip.MustParseAddr(address)
				caller.Direction, callee.Port = d, 50000
				if secure {
					caller.Key, callee.Key = sdp.NewKey(), sdp.NewKey()
				}
				answer, theirs, err := parse(t, string(caller.Offer())).Answer(callee)
				if err != nil {
					t.Fatalf("Answer() = %v", err)
				}
				ours, err := parse(t, string(answer)).Agree(caller)
				if err != nil {
					t.Fatalf("Agree(%s) = %v", answer, err)
				}
				if ours.Send != theirs.Receive || ours.Receive != theirs.Send {
					t.Errorf("%v: caller sends %v and hears %v, callee sends %v and hears %v", d, ours.Send, ours.Receive, theirs.Send, theirs.Receive)
				}
				if !bytes.Equal(ours.Key, callee.Key) || !bytes.Equal(theirs.Key, caller.Key) {
					t.Errorf("secure %v: the two sides have different keys", secure)
				}
				if int(ours.RTP.Port()) != callee.Port || int(theirs.RTP.Port()) != caller.Port {
					t.Errorf("caller sends to %v, callee to %v", ours.RTP, theirs.RTP)
				}
			}
		}
	}
}

func TestCrypto(t *testing.T) {
	t.Parallel()
	good := strings.Repeat("QUFB", 10)
	tests := []struct {
		line string
		ok   bool
	}{
		{"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + good, true},
		{"a=crypto:12 aes_cm_128_hmac_sha1_80 INLINE:" + good + "|2^31", true},
		{"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + good + " WSH=64 -X", true},
		{"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + good + "|2^20|1:4", false}, // MKI
		{"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + good + " UNENCRYPTED_SRTP", false},
		{"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + good[:36], false},
		{"a=crypto:1 AES_256_CM_HMAC_SHA1_80 inline:" + good, false},
		{"a=crypto:x AES_CM_128_HMAC_SHA1_80 inline:" + good, false},
		{"a=crypto:1", false},
		{"", false},
	}
	for _, tt := range tests {
		l := local()
		l.Key = sdp.NewKey()
		d := parse(t, lines("c=IN IP4 198.51.100.9", "m=audio 30000 RTP/SAVP 0", "a=crypto:9 AES_CM_128_HMAC_SHA1_32 inline:x", tt.line))
		m, err := d.Agree(l)
		if (err == nil) != tt.ok || !tt.ok && !errors.Is(err, sdp.ErrNoKeys) {
			t.Errorf("Agree(%q) = %v, want success: %v", tt.line, err, tt.ok)
		}
		if tt.ok && string(m.Key) != strings.Repeat("A", sdp.KeyLength) {
			t.Errorf("Agree(%q) has key %q", tt.line, m.Key)
		}
	}
	l := local()
	l.Key = sdp.NewKey()
	if _, err := parse(t, lines("c=IN IP4 198.51.100.9", "m=audio 30000 RTP/AVP 0")).Agree(l); !errors.Is(err, sdp.ErrNoKeys) {
		t.Errorf("Agree() with plain RTP though SRTP was demanded = %v, want %v", err, sdp.ErrNoKeys)
	}
}

// FuzzParse reads anything. What we answer to it, we must be able to read; an answer has
// as many media lines as the offer.
func FuzzParse(f *testing.F) {
	f.Add([]byte(lines("v=0", "c=IN IP4 198.51.100.9", "m=audio 30000 RTP/AVP 0 101", "a=rtpmap:101 telephone-event/8000", "a=ptime:20", "a=sendonly")))
	f.Add([]byte(lines("c=IN IP6 ::1", "m=video 1 x", "m=audio 30000 RTP/SAVP 8", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:"+strings.Repeat("QUFB", 10)+"|2^20")))
	f.Add([]byte("m=audio 30000/9 RTP/AVPF 8\na=rtcp:1 IN IP4 0.0.0.0\nc=IN IP4 0.0.0.0"))
	f.Fuzz(func(t *testing.T, body []byte) {
		d, err := sdp.Parse(body)
		if err != nil {
			return
		}
		l := local()
		if d.Secure {
			l.Key = sdp.NewKey()
		}
		if d.Address.Is6() {
			l.Address = netip.MustParseAddr("2001:db8::1")
		}
		answer, m, err := d.Answer(l)
		if err != nil {
			return
		}
		if m.Send && (!m.RTP.IsValid() || m.RTP.Port() == 0) || m.Payload != sdp.PCMU && m.Payload != sdp.PCMA || m.Packet < 10*time.Millisecond {
			t.Errorf("Answer(%q) agreed on %+v", body, m)
		}
		back, err := sdp.Parse(answer)
		if err != nil {
			t.Fatalf("Parse(%q), our answer to %q = %v", answer, body, err)
		}
		far := &sdp.Local{Address: l.Address, Port: 1, Key: l.Key, Direction: d.Direction}
		theirs, err := back.Agree(far)
		if err != nil {
			t.Fatalf("Agree(%q), our answer to %q = %v", answer, body, err)
		}
		if theirs.Payload != m.Payload || theirs.Packet != m.Packet {
			t.Errorf("they agreed on %+v, we on %+v", theirs, m)
		}
	})
}
