package smtpout

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/textproto"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tidings/internal/email"
)

func dotted(tb rapid.TB, data []byte) string {
	var b bytes.Buffer
	w := bufio.NewWriter(&b)
	if err := errors.Join(writeDotted(w, data), w.Flush()); err != nil {
		tb.Fatal(err)
	}
	return b.String()
}

func TestContentOnTheWire(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                         ".\r\n",
		"a\r\n":                    "a\r\n.\r\n",
		"a":                        "a\r\n.\r\n",
		".\r\n":                    "..\r\n.\r\n",
		"..a\r\n.b\r\n":            "...a\r\n..b\r\n.\r\n",
		"\r\n\r\n":                 "\r\n\r\n.\r\n",
		"a\n.\nb\n":                "a\r\n..\r\nb\r\n.\r\n",
		"a\r.\rb":                  "a\r\n..\r\nb\r\n.\r\n",
		"a\n.\r\nMAIL FROM:<>\r\n": "a\r\n..\r\nMAIL FROM:<>\r\n.\r\n",
		"a\r\r\nb":                 "a\r\n\r\nb\r\n.\r\n",
	} {
		if got := dotted(t, []byte(in)); got != want {
			t.Errorf("writeDotted(%q) = %q, want %q", in, got, want)
		}
	}
}

// TestContentComesBack has a reader of another make read what was written. There is one end, and it is at the end.
func TestContentComesBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		data := []byte(rapid.StringOf(rapid.SampledFrom([]rune("\r\n..ab"))).Draw(t, "data"))
		wire := dotted(t, data)
		if strings.Count("\r\n"+wire, "\r\n.\r\n") != 1 {
			t.Fatalf("writeDotted(%q) = %q has not one end", data, wire)
		}
		rest := strings.NewReplacer("\r\n", "").Replace(wire)
		if strings.ContainsAny(rest, "\r\n") {
			t.Fatalf("writeDotted(%q) = %q has bare line ends", data, wire)
		}
		got, err := io.ReadAll(textproto.NewReader(bufio.NewReader(strings.NewReader(wire))).DotReader())
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(data))
		if lines != "" && !strings.HasSuffix(lines, "\n") {
			lines += "\n"
		}
		if string(got) != lines {
			t.Fatalf("%q comes back as %q", data, got)
		}
	})
}

func TestLongLines(t *testing.T) {
	t.Parallel()
	p := newPeer(t, nil)
	tr := transport(t, Settings{Relay: p.addr})
	for length, verdict := range map[int]email.Verdict{998: email.Delivered, 999: email.Refused} {
		one := parcel("x@example.org")
		one.Data = []byte("Subject: x\r\n\r\n" + strings.Repeat("x", length) + "\r\n")
		if r := deliver(t, tr, one)[0]; r.Verdict != verdict {
			t.Errorf("a line of %d bytes: %+v, want the verdict %d", length, r, verdict)
		}
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"a@example.com": "a@example.com", "A@Example.COM": "A@example.com", "a@example.com.": "a@example.com", "a.b+c@x": "a.b+c@x",
		`"a b"@example.com`: `"a b"@example.com`, `"a@b"@example.com`: `"a@b"@example.com`, `"a\"b"@example.com`: `"a\"b"@example.com`,
		"a@bücher.example": "a@xn--bcher-kva.example", "a@BÜCHER.example": "a@xn--bcher-kva.example", "a@_x.example": "a@_x.example",
		"!#$%&'*+-/=?^_`{|}~@x.example": "!#$%&'*+-/=?^_`{|}~@x.example", "a..b@x.example": "a..b@x.example",
	} {
		if got, enhanced, problem := parseAddress(in); got.String() != want || problem != "" {
			t.Errorf("parseAddress(%q) = %q, %s %q; want %q", in, got, enhanced, problem, want)
		}
	}
	for in, want := range map[string]string{
		"": "5.1.3", "a": "5.1.3", "@x": "5.1.3", "a@": "5.1.3", "a b@x": "5.1.3", "a>@x": "5.1.3", "<a@x": "5.1.3", "a\r\n@x": "5.1.3",
		"a@x\r\nRCPT TO:<b@y>": "5.1.3", "a@x y": "5.1.3", "a@[127.0.0.1]": "5.1.3", "a@x..y": "5.1.3", "a@-x": "5.1.3", "a@b@c": "5.1.3",
		"ü@x": "5.6.7", "\"a\r\n\"@x": "5.1.3", `"a"b"@x`: "5.1.3", `"a\"@x`: "5.1.3", "\"a\\\n\"@x": "5.1.3", "a\x00@x": "5.1.3",
		"a@" + strings.Repeat("x", 64): "5.1.3", strings.Repeat("a", 250) + "@x.example": "5.1.3", "a@\u2488com": "5.1.3",
	} {
		if got, enhanced, problem := parseAddress(in); enhanced != want || problem == "" || got != (address{}) {
			t.Errorf("parseAddress(%q) = %q, %s %q; want %s", in, got, enhanced, problem, want)
		}
	}
}

// FuzzAddress looks for an address that would end the command it stands in.
func FuzzAddress(f *testing.F) {
	for _, s := range []string{"a@b", `"a\"> "@b`, "a@bücher.example", "a>\r\n@b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, _, problem := parseAddress(s)
		if problem != "" {
			return
		}
		line := a.String()
		if len(line) > maxAddress || strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("parseAddress(%q) = %q", s, line)
		}
		if !strings.HasPrefix(line, `"`) && strings.ContainsAny(line, " <>") {
			t.Errorf("parseAddress(%q) = %q", s, line)
		}
		if again, _, problem := parseAddress(line); again != a || problem != "" {
			t.Errorf("parseAddress(%q) = %q, %q; want it unchanged", line, again, problem)
		}
	})
}

// TestSenders are in MAIL as they have to be.
func TestSenders(t *testing.T) {
	t.Parallel()
	p := newPeer(t, nil)
	tr := transport(t, Settings{Relay: p.addr})
	for _, from := range []string{"", "b+1=x@bücher.example"} {
		one := parcel("x@example.org")
		one.From = from
		if r := deliver(t, tr, one)[0]; r.Verdict != email.Delivered {
			t.Errorf("from %q: %+v, want delivered", from, r)
		}
	}
	one := parcel("x@example.org")
	one.From = "a>@x"
	if r := deliver(t, tr, one)[0]; r.Verdict != email.Refused || r.Enhanced != "5.1.7" {
		t.Errorf("from %q: %+v, want refused with 5.1.7", one.From, r)
	}
	var got []string
	for _, d := range p.deliveries() {
		got = append(got, d.From)
	}
	if diff := cmp.Diff([]string{"", "b+1=x@xn--bcher-kva.example"}, got); diff != "" {
		t.Errorf("senders (-want +got):\n%s", diff)
	}
}

// TestEightBits are announced where the server knows the word, and sent in any case.
func TestEightBits(t *testing.T) {
	t.Parallel()
	for offer, want := range map[string]string{
		"250 8BITMIME\r\n": "MAIL FROM:<bounce@example.com> BODY=8BITMIME", "250 HELP\r\n": "MAIL FROM:<bounce@example.com>",
	} {
		tr := transport(t, Settings{Relay: play(t, script{
			{say: "220 x\r\n"},
			{hear: "EHLO", say: "250-x\r\n" + offer},
			{hear: want, say: "250 ok\r\n"},
			{hear: "RCPT", say: "250 ok\r\n"},
			{hear: "DATA", say: "354 go\r\n"},
			{hear: ".", say: "250 taken\r\n"},
			bye,
		})})
		p := parcel("x@example.org")
		p.Data = []byte("Subject: x\r\n\r\nGrüße\r\n")
		if r := deliver(t, tr, p)[0]; r.Verdict != email.Delivered {
			t.Errorf("with %q: %+v, want delivered", offer, r)
		}
	}
}

// TestManyRecipients need several groups of commands.
func TestManyRecipients(t *testing.T) {
	t.Parallel()
	p := newPeer(t, nil)
	var to []string
	for range 250 {
		to = append(to, "x@example.org")
	}
	replies := deliver(t, transport(t, Settings{Relay: p.addr}), parcel(to...))
	if len(replies) != 1 || replies[0].Verdict != email.Delivered {
		t.Errorf("replies = %+v, want all delivered", replies)
	}
	if got := p.deliveries(); len(got) != 1 || len(got[0].To) != len(to) {
		t.Errorf("%d mails, want one to all", len(got))
	}
}

func TestSettingsThatAreWrong(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]Settings{
		"relay without port":      {Relay: "mail.example"},
		"relay without host":      {Relay: ":25"},
		"TLS":                     {Relay: "x:25", RelayTLS: "ssl"},
		"username without relay":  {Username: "a", Password: "b"},
		"password alone":          {Relay: "x:25", Password: "b"},
		"password in the clear":   {Relay: "x:25", RelayTLS: RelayPlain, Username: "a", Password: "b"},
		"hello":                   {Hello: "a b"},
		"hello with a line break": {Hello: "a\r\nb"},
		"port":                    {Port: 70000},
		"connections":             {MaxConnections: -1},
		"messages":                {MaxMessages: -1},
		"idle":                    {Idle: -1},
		"domain":                  {AllowedDomains: []string{"a b"}},
	} {
		if tr, err := New(s); err == nil {
			tr.Close()
			t.Errorf("%s: New(%+v) = nil, want an error", name, s)
		}
	}
	tr, err := New(Settings{})
	if err != nil {
		t.Fatalf("New with nothing set = %v", err)
	}
	tr.Close()
}
