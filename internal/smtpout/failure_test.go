package smtpout

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"tidings/internal/email"
)

// Beginnings and ends that scripts share.
var (
	ehlo = script{{say: "220 peer.example\r\n"}, {hear: "EHLO tidings.example", say: "250-peer.example\r\n250-PIPELINING\r\n250 SIZE 1000000\r\n"}}
	mail = append(ehlo[:2:2], turn{hear: "MAIL FROM:<bounce@example.com> SIZE=", say: "250 2.1.0 ok\r\n"})
	data = append(mail[:3:3], turn{hear: "RCPT", say: "250 2.1.5 ok\r\n"}, turn{hear: "DATA", say: "354 go\r\n"})
	bye  = turn{hear: "QUIT", say: "221 bye\r\n"}
)

func then(s script, more ...turn) script { return append(slices.Clip(s), more...) }

// TestWhatARelayMaySay goes through everything that can go wrong with one recipient.
func TestWhatARelayMaySay(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 3000)
	for name, c := range map[string]struct {
		script script
		want   email.Reply
	}{
		"greeting 554":        {script{{say: "554 5.7.1 go away\r\n"}}, email.Reply{Verdict: email.Deferred, Code: 554, Enhanced: "5.7.1", Text: "554 5.7.1 go away"}},
		"greeting 421":        {script{{say: "421 4.3.2 too many\r\n"}}, email.Reply{Verdict: email.Deferred, Code: 421, Enhanced: "4.3.2", Text: "421 4.3.2 too many"}},
		"greeting 250":        {script{{say: "250 what\r\n"}}, email.Reply{Verdict: email.Deferred, Code: 250, Text: "250 what"}},
		"no greeting":         {script{}, email.Reply{Verdict: email.Deferred, Enhanced: "4.4.2", Text: "connection with 127.0.0.1 lost at its greeting: EOF"}},
		"not SMTP":            {script{{say: "SSH-2.0-OpenSSH\r\n"}}, email.Reply{Verdict: email.Deferred, Enhanced: "4.4.2", Text: "connection with 127.0.0.1 lost at its greeting: what came is not an SMTP reply"}},
		"endless line":        {script{{say: "220 " + long, do: hang}}, email.Reply{Verdict: email.Deferred, Enhanced: "4.4.2", Text: "connection with 127.0.0.1 lost at its greeting: the reply is too long"}},
		"endless reply":       {script{{say: strings.Repeat("220-x\r\n", 1000), do: hang}}, email.Reply{Verdict: email.Deferred, Enhanced: "4.4.2", Text: "connection with 127.0.0.1 lost at its greeting: the reply is too long"}},
		"EHLO 421":            {script{{say: "220 x\r\n"}, {hear: "EHLO", say: "421 no\r\n"}}, email.Reply{Verdict: email.Deferred, Code: 421, Text: "421 no"}},
		"only HELO":           {append(script{{say: "220 x\r\n"}, {hear: "EHLO", say: "502 what?\r\n"}, {hear: "HELO tidings.example", say: "250 x\r\n"}}, turn{hear: "MAIL FROM:<bounce@example.com>", say: "250 ok\r\n"}, turn{hear: "RCPT", say: "251 will forward\r\n"}, turn{hear: "DATA", say: "354\r\n"}, turn{hear: ".", say: "250 taken\r\n"}, bye), email.Reply{Verdict: email.Delivered, Code: 250, Text: "250 taken"}},
		"neither EHLO":        {script{{say: "220 x\r\n"}, {hear: "EHLO", say: "500 what?\r\n"}, {hear: "HELO", say: "504 5.5.2 bad name\r\n"}}, email.Reply{Verdict: email.Deferred, Code: 504, Enhanced: "5.5.2", Text: "504 5.5.2 bad name"}},
		"MAIL 550":            {then(ehlo, turn{hear: "MAIL", say: "550 5.7.1 not from you\r\n"}, turn{hear: "RCPT", say: "503 no\r\n"}, turn{hear: "DATA", say: "503 no\r\n"}, bye), email.Reply{Verdict: email.Refused, Code: 550, Enhanced: "5.7.1", Text: "550 5.7.1 not from you"}},
		"MAIL 452":            {then(ehlo, turn{hear: "MAIL", say: "452 4.3.1 disk full\r\n"}, turn{hear: "RCPT", say: "503 no\r\n"}, turn{hear: "DATA", say: "503 no\r\n"}, bye), email.Reply{Verdict: email.Deferred, Code: 452, Enhanced: "4.3.1", Text: "452 4.3.1 disk full"}},
		"421 at MAIL":         {then(ehlo, turn{hear: "MAIL", say: "421 4.3.2 going down\r\n"}), email.Reply{Verdict: email.Deferred, Code: 421, Enhanced: "4.3.2", Text: "421 4.3.2 going down"}},
		"gone at MAIL":        {then(ehlo, turn{hear: "MAIL"}), email.Reply{Verdict: email.Deferred, Enhanced: "4.4.2", Text: "connection with 127.0.0.1 lost at MAIL: EOF"}},
		"RCPT 550":            {then(mail, turn{hear: "RCPT", say: "550-5.1.1 no such\r\n550 5.1.1 user\r\n"}, turn{hear: "DATA", say: "554 nobody\r\n"}, turn{hear: "RSET", say: "250 ok\r\n"}, bye), email.Reply{Verdict: email.Refused, Code: 550, Enhanced: "5.1.1", Text: "550-5.1.1 no such\n550 5.1.1 user"}},
		"RCPT 550, DATA 354":  {then(mail, turn{hear: "RCPT", say: "550 5.1.1 no\r\n"}, turn{hear: "DATA", say: "354 go\r\n"}, turn{hear: ".", say: "554 nobody\r\n"}, bye), email.Reply{Verdict: email.Refused, Code: 550, Enhanced: "5.1.1", Text: "550 5.1.1 no"}},
		"RCPT 450":            {then(mail, turn{hear: "RCPT", say: "450 4.2.0 greylisted\r\n"}, turn{hear: "DATA", say: "554 nobody\r\n"}, bye), email.Reply{Verdict: email.Deferred, Code: 450, Enhanced: "4.2.0", Text: "450 4.2.0 greylisted"}},
		"RCPT 354":            {then(mail, turn{hear: "RCPT", say: "354 what\r\n"}, turn{hear: "DATA", say: "554 nobody\r\n"}, bye), email.Reply{Verdict: email.Deferred, Code: 354, Text: "354 what"}},
		"RCPT 421":            {then(mail, turn{hear: "RCPT", say: "421 4.7.0 enough\r\n"}), email.Reply{Verdict: email.Deferred, Code: 421, Enhanced: "4.7.0", Text: "421 4.7.0 enough"}},
		"DATA 554":            {then(mail, turn{hear: "RCPT", say: "250 ok\r\n"}, turn{hear: "DATA", say: "554 5.5.1 no\r\n"}, turn{hear: "RSET", say: "250 ok\r\n"}, bye), email.Reply{Verdict: email.Refused, Code: 554, Enhanced: "5.5.1", Text: "554 5.5.1 no"}},
		"DATA 451":            {then(mail, turn{hear: "RCPT", say: "250 ok\r\n"}, turn{hear: "DATA", say: "451 4.3.0 later\r\n"}, turn{hear: "RSET", say: "250 ok\r\n"}, bye), email.Reply{Verdict: email.Deferred, Code: 451, Enhanced: "4.3.0", Text: "451 4.3.0 later"}},
		"DATA 250":            {then(mail, turn{hear: "RCPT", say: "250 ok\r\n"}, turn{hear: "DATA", say: "250 done?\r\n"}, turn{hear: "RSET", say: "250 ok\r\n"}, bye), email.Reply{Verdict: email.Deferred, Code: 250, Text: "250 done?"}},
		"DATA 421":            {then(mail, turn{hear: "RCPT", say: "250 ok\r\n"}, turn{hear: "DATA", say: "421 bye\r\n"}), email.Reply{Verdict: email.Deferred, Code: 421, Text: "421 bye"}},
		"content 552":         {then(data, turn{hear: ".", say: "552 5.2.2 mailbox full\r\n"}, bye), email.Reply{Verdict: email.Refused, Code: 552, Enhanced: "5.2.2", Text: "552 5.2.2 mailbox full"}},
		"content 451":         {then(data, turn{hear: ".", say: "451 4.7.1 try later\r\n"}, bye), email.Reply{Verdict: email.Deferred, Code: 451, Enhanced: "4.7.1", Text: "451 4.7.1 try later"}},
		"content 421":         {then(data, turn{hear: ".", say: "421 4.3.2 closing\r\n"}), email.Reply{Verdict: email.Deferred, Code: 421, Enhanced: "4.3.2", Text: "421 4.3.2 closing"}},
		"content 354":         {then(data, turn{hear: ".", say: "354 more\r\n"}), email.Reply{Verdict: email.Deferred, Code: 354, Text: "354 more"}},
		"gone at the content": {then(data, turn{hear: "."}), email.Reply{Verdict: email.Deferred, Enhanced: "4.4.2", Text: "connection with 127.0.0.1 lost at the end of the content: EOF"}},
		"another code":        {then(data, turn{hear: ".", say: "250-taken\r\n550 not\r\n"}), email.Reply{Verdict: email.Deferred, Enhanced: "4.4.2", Text: "connection with 127.0.0.1 lost at the end of the content: what came is not an SMTP reply"}},
		"strange bytes":       {then(data, turn{hear: ".", say: "550 5.7.1 \x00\xff\x1b[2J\r\n"}), email.Reply{Verdict: email.Refused, Code: 550, Enhanced: "5.7.1", Text: "550 5.7.1  \uFFFD [2J"}},
		"too large": {
			append(script{{say: "220 x\r\n"}, {hear: "EHLO", say: "250-x\r\n250 SIZE 10\r\n"}}, bye),
			email.Reply{Verdict: email.Refused, Enhanced: "5.3.4", Text: fmt.Sprintf("the message has %d bytes, and 127.0.0.1 takes 10", len(content))},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := transport(t, Settings{Relay: play(t, c.script)})
			c.want.Recipients = []int{0}
			want(t, deliver(t, tr, parcel("x@example.org")), c.want)
		})
	}
}

// TestAHangingServer is given up after the time for each step.
func TestAHangingServer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		script script
		set    func(*Timeouts)
		step   string
	}{
		"greeting": {script{{do: hang}}, func(o *Timeouts) { o.Greeting = time.Millisecond }, "its greeting"},
		"EHLO":     {script{{say: "220 x\r\n"}, {hear: "EHLO", do: hang}}, func(o *Timeouts) { o.Command = time.Millisecond }, "EHLO"},
		"DATA":     {then(mail, turn{hear: "RCPT", say: "250 ok\r\n"}, turn{hear: "DATA", do: hang}), func(o *Timeouts) { o.Data = time.Millisecond }, "DATA"},
		"content":  {then(data, turn{hear: ".", do: hang}), func(o *Timeouts) { o.Done = time.Millisecond }, "the end of the content"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := Settings{Relay: play(t, c.script)}
			c.set(&s.Timeouts)
			want(t, deliver(t, transport(t, s), parcel("x@example.org")), email.Reply{
				Recipients: []int{0}, Verdict: email.Deferred, Enhanced: "4.4.2", Text: "connection with 127.0.0.1 lost at " + c.step + ": timed out",
			})
		})
	}
}

// TestContentThatNobodyReads is given up when a write takes too long.
func TestContentThatNobodyReads(t *testing.T) {
	t.Parallel()
	stuck := make(chan struct{})
	addr := play(t, script{
		{say: "220 x\r\n"},
		{hear: "EHLO", say: "250 x\r\n"},
		{hear: "MAIL", say: "250 ok\r\n"},
		{hear: "RCPT", say: "250 ok\r\n"},
		{hear: "DATA", say: "354 go\r\n", do: func(net.Conn) { <-stuck }},
	})
	t.Cleanup(func() { close(stuck) })
	p := parcel("x@example.org")
	p.Data = []byte(strings.Repeat(strings.Repeat("x", 78)+"\r\n", 400_000)) // more than all buffers on the way
	tr := transport(t, Settings{Relay: addr, Timeouts: Timeouts{Block: 50 * time.Millisecond}})
	want(t, deliver(t, tr, p), email.Reply{
		Recipients: []int{0}, Verdict: email.Deferred, Enhanced: "4.4.2", Text: "connection with 127.0.0.1 lost at the content: timed out",
	})
}

// TestTheEndOfTheContext ends whatever is under way.
func TestTheEndOfTheContext(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]script{
		"greeting": {{do: hang}}, "EHLO": {{say: "220 x\r\n"}, {hear: "EHLO", do: hang}},
		"MAIL": then(ehlo, turn{hear: "MAIL", do: hang}), "content": then(data, turn{hear: ".", do: hang}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			last := &s[len(s)-1]
			*last = turn{hear: last.hear, do: func(c net.Conn) {
				cancel()
				hang(c)
			}}
			tr := transport(t, Settings{Relay: play(t, s)})
			replies := tr.Deliver(ctx, parcel("x@example.org"))
			if len(replies) != 1 || replies[0].Verdict != email.Deferred || replies[0].Code != 0 {
				t.Errorf("replies = %+v, want the recipient deferred", replies)
			}
		})
	}
}

// TestRecipientsOneByOne have verdicts of their own.
func TestRecipientsOneByOne(t *testing.T) {
	t.Parallel()
	for _, pipelining := range []bool{true, false} {
		t.Run(fmt.Sprintf("pipelining %v", pipelining), func(t *testing.T) {
			t.Parallel()
			extension := map[bool]string{true: "250 PIPELINING\r\n", false: "250 HELP\r\n"}[pipelining]
			heard := func(line, say string) turn { return turn{hear: line, say: say} }
			tr := transport(t, Settings{Relay: play(t, script{
				{say: "220 x\r\n"},
				{hear: "EHLO", say: "250-x\r\n" + extension},
				heard("MAIL", "250 ok\r\n"),
				heard("RCPT TO:<a@example.org>", "250 ok\r\n"), heard("RCPT TO:<b@example.org>", "550 5.1.1 unknown\r\n"),
				heard("RCPT TO:<c@example.org>", "450 4.2.0 later\r\n"), heard("RCPT TO:<d@example.org>", "550 5.1.1 unknown\r\n"),
				heard("RCPT TO:<e@example.org>", "250 ok\r\n"), heard("DATA", "354 go\r\n"), heard(".", "250 2.0.0 queued\r\n"), bye,
			})})
			p := parcel("a@example.org", "b@example.org", "c@example.org", "d@example.org", "e@example.org", "f", "g\r\nRSET@example.org")
			p.Indexes = []int{10, 11, 12, 13, 14, 15, 16}
			want(
				t, deliver(t, tr, p),
				email.Reply{Recipients: []int{10, 14}, Verdict: email.Delivered, Code: 250, Enhanced: "2.0.0", Text: "250 2.0.0 queued"},
				email.Reply{Recipients: []int{11, 13}, Verdict: email.Refused, Code: 550, Enhanced: "5.1.1", Text: "550 5.1.1 unknown"},
				email.Reply{Recipients: []int{12}, Verdict: email.Deferred, Code: 450, Enhanced: "4.2.0", Text: "450 4.2.0 later"},
				email.Reply{Recipients: []int{15}, Verdict: email.Refused, Enhanced: "5.1.3", Text: "the address has no local part or no domain"},
				email.Reply{Recipients: []int{16}, Verdict: email.Refused, Enhanced: "5.1.3", Text: "the local part of the address has characters that cannot stand there"},
			)
		})
	}
}

// TestWhatWasDecidedStays although the connection ends afterwards.
func TestWhatWasDecidedStays(t *testing.T) {
	t.Parallel()
	tr := transport(t, Settings{Relay: play(t, then(mail,
		turn{hear: "RCPT", say: "550 5.1.1 unknown\r\n"}, turn{hear: "RCPT", say: "250 ok\r\n"}, turn{hear: "DATA", say: "421 4.3.2 bye\r\n"}))})
	want(
		t, deliver(t, tr, parcel("a@example.org", "b@example.org")),
		email.Reply{Recipients: []int{0}, Verdict: email.Refused, Code: 550, Enhanced: "5.1.1", Text: "550 5.1.1 unknown"},
		email.Reply{Recipients: []int{1}, Verdict: email.Deferred, Code: 421, Enhanced: "4.3.2", Text: "421 4.3.2 bye"},
	)
}

// TestTLSToTheRelay goes through the ways of RelayTLS.
func TestTLSToTheRelay(t *testing.T) {
	t.Parallel()
	good, roots := certify(t, "127.0.0.1")
	bad, _ := certify(t, "127.0.0.1")
	for name, c := range map[string]struct {
		way         RelayTLS
		certificate *tls.Certificate
		want        email.Verdict
		tls         bool
		enhanced    string
	}{
		"starttls":               {RelaySTARTTLS, &good, email.Delivered, true, "2.0.0"},
		"starttls, bad":          {RelaySTARTTLS, &bad, email.Deferred, false, "4.7.5"},
		"starttls, none":         {RelaySTARTTLS, nil, email.Deferred, false, "4.7.4"},
		"implicit":               {RelayImplicit, &good, email.Delivered, true, "2.0.0"},
		"implicit, bad":          {RelayImplicit, &bad, email.Deferred, false, "4.7.5"},
		"implicit, none":         {RelayImplicit, nil, email.Deferred, false, "4.7.5"},
		"opportunistic":          {RelayOpportunistic, &good, email.Delivered, true, "2.0.0"},
		"opportunistic, bad":     {RelayOpportunistic, &bad, email.Delivered, true, "2.0.0"},
		"opportunistic, none":    {RelayOpportunistic, nil, email.Delivered, false, "2.0.0"},
		"none, though it offers": {RelayPlain, &good, email.Delivered, false, "2.0.0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, all := listenOn(t, "127.0.0.1")
			l := all[0]
			if c.certificate != nil && c.way == RelayImplicit {
				l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{*c.certificate}})
			}
			p := newPeerOn(t, l, func(p *peer) {
				if c.certificate != nil && c.way != RelayImplicit {
					p.server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{*c.certificate}}
				}
			})
			s := Settings{Relay: p.addr, RelayTLS: c.way, TLS: &tls.Config{RootCAs: roots}}
			r := deliver(t, transport(t, s), parcel("x@example.org"))[0]
			if r.Verdict != c.want || r.Enhanced != c.enhanced || (r.TLS != "") != c.tls {
				t.Errorf("reply = %+v, want the verdict %d, %s, TLS %v", r, c.want, c.enhanced, c.tls)
			}
			if n := len(p.deliveries()); (n == 1) != (c.want == email.Delivered) {
				t.Errorf("the relay has %d mails", n)
			}
		})
	}
}

// TestWordsBeforeTheHandshake are somebody else's.
func TestWordsBeforeTheHandshake(t *testing.T) {
	t.Parallel()
	_, roots := certify(t, "127.0.0.1")
	s := Settings{RelayTLS: RelaySTARTTLS, TLS: &tls.Config{RootCAs: roots}, Relay: play(t, script{
		{say: "220 x\r\n"}, {hear: "EHLO", say: "250-x\r\n250 STARTTLS\r\n"}, {hear: "STARTTLS", say: "220 go\r\n250 injected\r\n", do: hang},
	})}
	want(t, deliver(t, transport(t, s), parcel("x@example.org")), email.Reply{
		Recipients: []int{0}, Verdict: email.Deferred, Enhanced: "4.7.0", Text: "127.0.0.1 went on talking in the clear after STARTTLS",
	})
}

func TestPasswords(t *testing.T) {
	t.Parallel()
	certificate, roots := certify(t, "127.0.0.1")
	for name, c := range map[string]struct {
		settings Settings
		tls      bool
		want     string // Enhanced
	}{
		"over TLS":                 {Settings{RelayTLS: RelaySTARTTLS, Password: "secret"}, true, "2.0.0"},
		"wrong":                    {Settings{RelayTLS: RelaySTARTTLS, Password: "guess"}, true, "5.7.8"},
		"on loopback":              {Settings{RelayTLS: RelayPlain, Password: "secret", PlainAuth: true}, false, "2.0.0"},
		"opportunistic, loopback":  {Settings{RelayTLS: RelayOpportunistic, Password: "secret", PlainAuth: true}, false, "2.0.0"},
		"opportunistic, not told":  {Settings{RelayTLS: RelayOpportunistic, Password: "secret"}, false, "4.7.11"},
		"opportunistic, encrypted": {Settings{RelayTLS: RelayOpportunistic, Password: "secret"}, true, "2.0.0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPeer(t, func(p *peer) {
				p.login = func(username, password string) error {
					if username != "tidings" || password != "secret" {
						return smtpError(535, smtp.EnhancedCode{5, 7, 8}, "wrong")
					}
					return nil
				}
				if c.tls {
					p.server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate}}
				}
			})
			s := c.settings
			s.Relay, s.Username, s.TLS = p.addr, "tidings", &tls.Config{RootCAs: roots}
			r := deliver(t, transport(t, s), parcel("x@example.org"))[0]
			// A wrong password is no fault of the mail.
			if delivered := c.want == "2.0.0"; r.Enhanced != c.want || (r.Verdict == email.Delivered) != delivered || !delivered && r.Verdict != email.Deferred {
				t.Errorf("reply = %+v, want %s", r, c.want)
			}
		})
	}
}

// TestAuthLogin is for relays that know nothing else. Source: draft-murchison-sasl-login.
func TestAuthLogin(t *testing.T) {
	t.Parallel()
	start := script{{say: "220 x\r\n"}, {hear: "EHLO", say: "250-x\r\n250 AUTH CRAM-MD5 login\r\n"}, {hear: "AUTH LOGIN dGlkaW5ncw==", say: "334 UGFzc3dvcmQ6\r\n"}}
	for name, c := range map[string]struct {
		script script
		want   email.Verdict
		text   string
	}{
		"taken": {then(start, turn{hear: "c2VjcmV0", say: "235 2.7.0 in\r\n"}, turn{hear: "MAIL", say: "250 ok\r\n"},
			turn{hear: "RCPT", say: "250 ok\r\n"}, turn{hear: "DATA", say: "354 go\r\n"}, turn{hear: ".", say: "250 taken\r\n"}, bye), email.Delivered, "250 taken"},
		"refused":     {then(start, turn{hear: "c2VjcmV0", say: "535 5.7.8 no\r\n"}), email.Deferred, "535 5.7.8 no"},
		"asks again":  {then(start, turn{hear: "c2VjcmV0", say: "334 Pz8=\r\n"}), email.Deferred, "connection with 127.0.0.1 lost at AUTH: sasl: unexpected server challenge"},
		"nonsense":    {then(start[:2], turn{hear: "AUTH", say: "334 ?\r\n"}), email.Deferred, "connection with 127.0.0.1 lost at AUTH: illegal base64 data at input byte 0"},
		"gone":        {then(start[:2], turn{hear: "AUTH"}), email.Deferred, "connection with 127.0.0.1 lost at AUTH: EOF"},
		"no way":      {script{{say: "220 x\r\n"}, {hear: "EHLO", say: "250-x\r\n250 AUTH CRAM-MD5\r\n"}}, email.Deferred, "127.0.0.1 offers neither AUTH PLAIN nor LOGIN"},
		"454 for now": {then(start[:2], turn{hear: "AUTH", say: "454 4.7.0 later\r\n"}), email.Deferred, "454 4.7.0 later"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := Settings{Relay: play(t, c.script), RelayTLS: RelayPlain, PlainAuth: true, Username: "tidings", Password: "secret"}
			if r := deliver(t, transport(t, s), parcel("x@example.org"))[0]; r.Verdict != c.want || r.Text != c.text {
				t.Errorf("reply = %+v, want the verdict %d and %q", r, c.want, c.text)
			}
		})
	}
}
