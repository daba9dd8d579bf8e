package interop

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"tidings/internal/dkim"
	"tidings/internal/email"
	"tidings/internal/smtpout"
	"tidings/internal/tenant"
)

// postfix is a mail server with one mailbox, mailbox@example.org. It relays for "tidings" with the password "secret".
type postfix struct {
	*process
	host, relay int // ports: for everybody, and for those with a password
	mail        string
	roots       *x509.CertPool
}

// newPostfix starts one with folders of its own.
func newPostfix(tb testing.TB) *postfix {
	tb.Helper()
	program := need(tb, "postfix", "postfix")
	owner, err := user.Lookup("postfix")
	if err != nil || os.Getuid() != 0 {
		if os.Getenv("TIDINGS_INTEROP") == "required" {
			tb.Fatalf("postfix needs root and its user: %v", err)
		}
		tb.Skip("postfix needs root and its user")
	}
	uid, _ := strconv.Atoi(owner.Uid)
	gid, _ := strconv.Atoi(owner.Gid)
	dir := tb.TempDir()
	config := filepath.Join(dir, "etc")
	p := &postfix{host: freePort(tb), relay: freePort(tb), mail: filepath.Join(dir, "mail", "mailbox"), roots: certify(tb, dir)}
	for _, name := range []string{"etc", "etc/sasl", "queue", "data", "mail"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			tb.Fatal(err)
		}
	}
	for _, name := range []string{"data", "mail"} {
		if err := os.Chown(filepath.Join(dir, name), uid, gid); err != nil {
			tb.Fatal(err)
		}
	}
	for _, name := range []string{dir, filepath.Dir(dir)} { // its processes are not root
		if err := os.Chmod(name, 0o755); err != nil {
			tb.Fatal(err)
		}
	}
	fill := strings.NewReplacer("FOLDER", dir, "UID", owner.Uid, "GID", owner.Gid, "HOSTPORT", fmt.Sprint(p.host), "RELAYPORT", fmt.Sprint(p.relay))
	for _, name := range []string{"main.cf", "master.cf"} {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			tb.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(config, name), []byte(fill.Replace(string(text))), 0o644); err != nil {
			tb.Fatal(err)
		}
	}
	passwords(tb, filepath.Join(config, "sasl"), gid) // where Debian's looks
	p.process = run(tb, dir, program, "-c", config, "start-fg")
	tb.Cleanup(func() { // its processes are groups of their own, so it has to end them itself
		if out, err := exec.Command(program, "-c", config, "abort").CombinedOutput(); err != nil {
			tb.Errorf("postfix does not stop: %v\n%s", err, out)
		}
		_ = p.wait(tb)
	})
	p.await(tb, "daemon started")
	return p
}

// passwords makes the password file of the relay.
func passwords(tb testing.TB, dir string, gid int) {
	tb.Helper()
	file := filepath.Join(dir, "sasldb2")
	config := "pwcheck_method: auxprop\nauxprop_plugin: sasldb\nmech_list: PLAIN LOGIN\nsasldb_path: " + file + "\n"
	if err := os.WriteFile(filepath.Join(dir, "smtpd.conf"), []byte(config), 0o644); err != nil {
		tb.Fatal(err)
	}
	cmd := exec.CommandContext(tb.Context(), need(tb, "saslpasswd2", "sasl2-bin"), "-p", "-c", "-f", file, "-u", "peer.example", "tidings")
	cmd.Stdin = strings.NewReader("secret")
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("saslpasswd2: %v\n%s", err, out)
	}
	if err := os.Chown(file, 0, gid); err != nil {
		tb.Fatal(err)
	}
	if err := os.Chmod(file, 0o640); err != nil {
		tb.Fatal(err)
	}
}

// delivered waits for so many mails in the mailbox and returns them, with CRLF.
func (p *postfix) delivered(tb testing.TB, n int) []string {
	tb.Helper()
	limit := time.After(patience)
	for again := time.NewTicker(20 * time.Millisecond); ; {
		files, err := filepath.Glob(filepath.Join(p.mail, "new", "*"))
		if err != nil {
			tb.Fatal(err)
		}
		if len(files) >= n {
			again.Stop()
			var all []string
			for _, f := range files {
				text, err := os.ReadFile(f)
				if err != nil {
					tb.Fatal(err)
				}
				all = append(all, strings.ReplaceAll(string(text), "\n", "\r\n"))
			}
			return all
		}
		select {
		case <-again.C:
		case <-limit:
			tb.Fatalf("%d mails are in the mailbox, want %d", len(files), n)
		}
	}
}

// mailer makes a Transport.
func mailer(tb testing.TB, s smtpout.Settings) *smtpout.Transport {
	tb.Helper()
	s.Hello = "tidings.example"
	t, err := smtpout.New(s)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(t.Close)
	return t
}

// post hands a mail over and returns what became of it.
func post(tb testing.TB, t *smtpout.Transport, data []byte, to ...string) []email.Reply {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	p := email.Parcel{ID: "id", From: "bounce+1@tidings.example", Recipients: to, Data: data}
	for i := range to {
		p.Indexes = append(p.Indexes, i)
	}
	return t.Deliver(ctx, p)
}

// everyHost is a DNS server for which every name is this machine. It returns a resolver that asks it.
func everyHost(tb testing.TB) *net.Resolver {
	tb.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := c.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
			if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
				head := dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 60}
				m.Answers = []dnsmessage.Resource{{Header: head, Body: &dnsmessage.AResource{A: loopback.As4()}}}
			}
			if answer, err := m.Pack(); err == nil {
				_, _ = c.WriteTo(answer, from)
			}
		}
	})
	tb.Cleanup(func() {
		_ = c.Close()
		serving.Wait()
	})
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", c.LocalAddr().String())
	}}
}

// letter is a mail with what is hard to carry: dots, long and empty lines, eight bits.
const letter = "From: Sender <sender@tidings.example>\r\nTo: mailbox@example.org\r\nSubject: a mail\r\n  with a folded field\r\n" +
	"Date: Thu, 1 Oct 2026 10:00:00 +0000\r\nMessage-ID: <1@tidings.example>\r\nMIME-Version: 1.0\r\n" +
	"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" +
	".\r\n..\r\n.a dot\r\n\r\nGrüße  \r\n\tand\ttabs\r\nFrom here on\r\n\r\n\r\n"

// TestPostfixAsAHost is the server of a domain: it takes mail for whom it knows and refuses others.
func TestPostfixAsAHost(t *testing.T) {
	t.Parallel()
	p := newPostfix(t)
	out := mailer(t, smtpout.Settings{Resolver: everyHost(t), Port: p.host, AllowPrivate: true})
	replies := post(t, out, []byte(letter), "mailbox@example.org", "nobody@example.org", "Mailbox@Example.Org", "x@elsewhere.test")
	if len(replies) != 3 {
		t.Fatalf("replies = %+v, want 3", replies)
	}
	for i, want := range []email.Reply{
		{Recipients: []int{0, 2}, Verdict: email.Delivered, Code: 250, Enhanced: "2.0.0", Text: "250 2.0.0 Ok: queued as "},
		{Recipients: []int{1}, Verdict: email.Refused, Code: 550, Enhanced: "5.1.1", Text: "550 5.1.1 <nobody@example.org>: Recipient address rejected: User unknown in virtual mailbox table"},
		{Recipients: []int{3}, Verdict: email.Refused, Code: 554, Enhanced: "5.7.1", Text: "554 5.7.1 <x@elsewhere.test>: Relay access denied"},
	} {
		got := replies[i]
		if fmt.Sprint(got.Recipients) != fmt.Sprint(want.Recipients) || got.Verdict != want.Verdict || got.Code != want.Code || got.Enhanced != want.Enhanced || !strings.HasPrefix(got.Text, want.Text) {
			t.Errorf("reply %d = %+v, want %+v", i, got, want)
		}
		if got.TLS != "TLSv1.3" || got.RemoteIP != "127.0.0.1" || got.LocalIP != "127.0.0.1" {
			t.Errorf("reply %d = %+v, want TLSv1.3 between addresses of loopback", i, got)
		}
	}
	_, body, _ := strings.Cut(letter, "\r\n\r\n")
	for _, got := range p.delivered(t, 1) { // once to both, who are the same to Postfix
		if !strings.HasSuffix(got, "\r\n\r\n"+body) || !strings.Contains(got, "Return-Path: <bounce+1@tidings.example>") {
			t.Errorf("the mail arrived as\n%q", got)
		}
	}
	large := append([]byte(letter), bytes.Repeat([]byte("0123456789\r\n"), 20_000)...)
	if r := post(t, out, large, "mailbox@example.org"); len(r) != 1 || r[0].Verdict != email.Refused || r[0].Enhanced != "5.3.4" {
		t.Errorf("a mail of %d bytes: %+v, want refused with 5.3.4", len(large), r)
	}
	if r := post(t, out, []byte(letter), "mailbox@example.org"); len(r) != 1 || r[0].Verdict != email.Delivered {
		t.Errorf("after refusals: %+v, want delivered", r)
	}
}

// TestPostfixAsARelay wants TLS and a password.
func TestPostfixAsARelay(t *testing.T) {
	t.Parallel()
	p := newPostfix(t)
	settings := smtpout.Settings{
		Relay: fmt.Sprintf("127.0.0.1:%d", p.relay), RelayTLS: smtpout.RelaySTARTTLS, TLS: &tls.Config{RootCAs: p.roots},
		Username: "tidings@peer.example", Password: "secret",
	}
	out := mailer(t, settings)
	const mails = 20
	var sending sync.WaitGroup
	for range mails {
		sending.Go(func() {
			replies := post(t, out, []byte(letter), "somebody@elsewhere.example", "mailbox@example.org")
			if len(replies) != 1 || replies[0].Verdict != email.Delivered || replies[0].TLS != "TLSv1.3" {
				t.Errorf("replies = %+v, want all delivered over TLS", replies)
			}
		})
	}
	sending.Wait()
	p.delivered(t, mails) // once to both, who are the same to Postfix
	wrong := settings
	wrong.Password = "guess"
	if r := post(t, mailer(t, wrong), []byte(letter), "mailbox@example.org"); len(r) != 1 || r[0].Verdict != email.Deferred || r[0].Code != 535 {
		t.Errorf("with a wrong password: %+v, want deferred with 535", r)
	}
	none := settings
	none.Username, none.Password = "", ""
	if r := post(t, mailer(t, none), []byte(letter), "mailbox@example.org"); len(r) != 1 || r[0].Verdict != email.Refused || r[0].Code != 554 {
		t.Errorf("without a password: %+v, want refused with 554", r)
	}
	plain := settings
	plain.RelayTLS, plain.Username, plain.Password = smtpout.RelayPlain, "", ""
	if r := post(t, mailer(t, plain), []byte(letter), "mailbox@example.org"); len(r) != 1 || r[0].Code != 530 {
		t.Errorf("without TLS: %+v, want 530", r)
	}
}

// identities has the key of one domain.
type identities map[string]*email.Identity

func (i identities) Identity(_ context.Context, _ tenant.Tenant, name string) (*email.Identity, bool, error) {
	one, ok := i[name]
	return one, ok, nil
}

// TestDKIMThroughPostfix has dkimpy verify what we signed and Postfix carried.
func TestDKIMThroughPostfix(t *testing.T) {
	t.Parallel()
	p := newPostfix(t)
	python := needDKIM(t)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	one := dkim.Key{Domain: "tidings.example", Selector: "one", Private: pkcs8(t, rsaKey)}
	two := dkim.Key{Domain: "tidings.example", Selector: "two", Private: pkcs8(t, edKey)}
	both, err := dkim.New(dkim.Settings{Keys: []dkim.Key{one, two}})
	if err != nil {
		t.Fatal(err)
	}
	identity, err := dkim.New(dkim.Settings{Identities: identities{"tidings.example": {DKIM: true, Selector: "one", Key: one.Private}}})
	if err != nil {
		t.Fatal(err)
	}
	out := mailer(t, smtpout.Settings{Resolver: everyHost(t), Port: p.host, AllowPrivate: true})
	for i, s := range []*dkim.Signer{both, identity} {
		signed, err := s.Sign(t.Context(), tenant.Tenant{}, "sender@tidings.example", []byte(letter))
		if err != nil {
			t.Fatal(err)
		}
		if r := post(t, out, signed, "mailbox@example.org"); len(r) != 1 || r[0].Verdict != email.Delivered {
			t.Fatalf("replies = %+v, want delivered", r)
		}
		p.delivered(t, i+1)
	}
	var records []string
	for _, k := range []dkim.Key{one, two} {
		name, value, err := dkim.Record(k)
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, name, value)
	}
	good := 0
	for _, arrived := range p.delivered(t, 2) {
		good += strings.Count(verify(t, python, arrived, records, true), "tidings.example\n")
		verify(t, python, strings.Replace(arrived, "Gr", "gr", 1), records, false)
		verify(t, python, strings.Replace(arrived, "From:", "From: evil@tidings.example\r\nFrom:", 1), records, false)
	}
	if good != 3 {
		t.Errorf("%d signatures are good, want 3", good)
	}
}

// needDKIM returns Debian's python3, which has dkimpy, or ends the test without it.
func needDKIM(tb testing.TB) string {
	tb.Helper()
	const python = "/usr/bin/python3"
	if err := exec.CommandContext(tb.Context(), python, "-c", "import dkim").Run(); err != nil {
		return need(tb, "dkimpy for "+python, "python3-dkim") // fails or skips
	}
	return python
}

func pkcs8(tb testing.TB, key any) []byte {
	tb.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		tb.Fatal(err)
	}
	return der
}

// verify runs dkimpy and returns what it prints.
func verify(tb testing.TB, python, mail string, records []string, good bool) string {
	tb.Helper()
	cmd := exec.CommandContext(tb.Context(), python, append([]string{filepath.Join("testdata", "verify.py")}, records...)...)
	cmd.Stdin = strings.NewReader(mail)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, io.Writer(&errs)
	if err := cmd.Run(); (err == nil) != good {
		tb.Errorf("dkimpy: %v, want good = %v\n%s%s\n%s", err, good, out.String(), errs.String(), mail)
	}
	return out.String()
}
