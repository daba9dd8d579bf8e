package interop

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tidings/internal/phone"
	"tidings/internal/sipcall"
	"tidings/internal/siptrunk"
)

// kamailio is a proxy that wants the password "secret" and sends calls on to a callee.
type kamailio struct {
	*process
	port, tls int
	roots     *x509.CertPool // that its certificate is from
}

// newKamailio starts one that reaches the callee on this port by this transport.
func newKamailio(tb testing.TB, callee int, transport string) *kamailio {
	tb.Helper()
	program := need(tb, "kamailio", "kamailio and kamailio-tls-modules")
	dir := tb.TempDir()
	k := &kamailio{port: freePort(tb), tls: freePort(tb), roots: certify(tb, dir)}
	modules, err := filepath.Glob("/usr/lib/*/kamailio/modules")
	if err != nil || len(modules) == 0 {
		tb.Fatal("kamailio has no modules")
	}
	text, err := os.ReadFile(filepath.Join("testdata", "kamailio.cfg"))
	if err != nil {
		tb.Fatal(err)
	}
	filled := strings.NewReplacer("MODULES", modules[0], "UDPPORT", fmt.Sprint(k.port), "TLSPORT", fmt.Sprint(k.tls),
		"FOLDER", dir, "CALLEE", fmt.Sprint(callee), "TRANSPORT", transport).Replace(string(text))
	if err := os.WriteFile(filepath.Join(dir, "kamailio.cfg"), []byte(filled), 0o600); err != nil {
		tb.Fatal(err)
	}
	k.process = run(tb, dir, program, "-DD", "-E", "-m", "64", "-M", "8", "-f", filepath.Join(dir, "kamailio.cfg"),
		"-w", dir, "-Y", dir, "-P", filepath.Join(dir, "pid"))
	awaitPort(tb, k.process, k.port)
	k.awaitTCP(tb)
	return k
}

// awaitTCP waits until connections are taken.
func (k *kamailio) awaitTCP(tb testing.TB) {
	tb.Helper()
	limit := time.After(patience)
	for again := time.NewTicker(10 * time.Millisecond); ; {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", k.tls))
		if err == nil {
			again.Stop()
			_ = c.Close()
			return
		}
		select {
		case <-again.C:
		case <-k.ended:
			tb.Fatalf("kamailio ended: %v", k.err)
		case <-limit:
			tb.Fatal("kamailio takes no connections")
		}
	}
}

// certify writes a certificate for 127.0.0.1 and its key, and returns who vouches for it.
func certify(tb testing.TB, dir string) *x509.CertPool {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{loopback.AsSlice()}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		tb.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		tb.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"certificate.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(certificate)
	return pool
}

// trunk is a trunk through the proxy.
func (k *kamailio) trunk(transport siptrunk.Transport) siptrunk.Config {
	t := trunk("+", k.port)
	t.Name, t.Transport, t.Domain = "proxy", transport, "trunk.example"
	t.Username, t.Password = "tidings", "secret"
	if transport == siptrunk.TLS {
		t.Server = fmt.Sprintf("127.0.0.1:%d", k.tls)
		t.TLS = &tls.Config{RootCAs: k.roots, MinVersion: tls.VersionTLS12}
	}
	return t
}

// TestAProxyWithPasswordsAndRoutes calls phones through Kamailio over every transport.
func TestAProxyWithPasswordsAndRoutes(t *testing.T) {
	t.Parallel()
	need(t, "kamailio", "kamailio and kamailio-tls-modules")
	// The phone behind the proxy is reached by what follows.
	for transport, last := range map[siptrunk.Transport]string{siptrunk.UDP: "udp", siptrunk.TCP: "tcp", siptrunk.TLS: "tcp"} {
		t.Run(string(transport), func(t *testing.T) {
			t.Parallel()
			callee := newDesk(t, phone.Options{Ring: 100 * time.Millisecond, HangUp: 700 * time.Millisecond})
			k := newKamailio(t, callee.port(), last)
			to := k.trunk(transport)
			to.Register, to.Options = true, 0
			wrong := k.trunk(transport)
			wrong.Name, wrong.Prefixes, wrong.Password = "wrong", []string{"+49"}, "wrong"
			d := dialer(t, sipcall.Options{RingTimeout: 1500 * time.Millisecond}, to, wrong)
			speech, pcm := message(t, time.Second)
			for _, c := range []struct{ number, want string }{
				{answers, "RAC"}, {busy, "B"}, {declines, "RF"}, {noAnswer, "RN"}, {hangsUp, "RAC"}, {atOnce, "AC"}, {"+4930123456", "F"},
			} {
				t.Run(c.number, func(t *testing.T) {
					call(t, d, c.number, speech).want(t, c.want)
					if c.want == "F" {
						return // the proxy has refused it
					}
					got := callee.next(t)
					if got.Number != c.number || got.From != "+12065550199" {
						t.Errorf("the phone was called at %s by %s, want %s by our number", got.Number, got.From, c.number)
					}
					if c.number == answers || c.number == atOnce {
						sounds(t, got.Heard.Int16(), pcm)
					}
				})
			}
			k.await(t, fmt.Sprintf("REGISTERED tidings by %s", transport))
			k.await(t, fmt.Sprintf(`CALL from \+12065550199 by %s, identity <sip:\+12065550199@trunk.example>`, transport))
			awaitTrunk(t, d, "proxy", func(s siptrunk.Status) bool {
				left := time.Until(s.Registered) // the proxy grants a minute, though we ask for an hour
				return s.State == siptrunk.Up && s.RoundTrip > 0 && left > 0 && left <= time.Minute
			})
		})
	}
}

// awaitTrunk waits until the trunk is as it should be.
func awaitTrunk(tb testing.TB, d *sipcall.Dialer, name string, good func(siptrunk.Status) bool) {
	tb.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	limit := time.After(patience)
	for {
		for _, s := range d.Trunks() {
			if s.Name == name && good(s) {
				return
			}
		}
		select {
		case <-again.C:
		case <-limit:
			tb.Fatalf("the trunks are %+v", d.Trunks())
		}
	}
}

// TestAWrongPasswordIsNotRegistered shows it with the trunk's state.
func TestAWrongPasswordIsNotRegistered(t *testing.T) {
	t.Parallel()
	k := newKamailio(t, freePort(t), "udp")
	to := k.trunk(siptrunk.UDP)
	to.Register, to.Password = true, "wrong"
	d := dialer(t, sipcall.Options{}, to)
	awaitTrunk(t, d, "proxy", func(s siptrunk.Status) bool {
		return s.State == siptrunk.Down && s.Registered.IsZero() && strings.Contains(s.LastError, "401")
	})
}

// TestACertificateThatNobodyVouchesFor is refused before anything is said.
func TestACertificateThatNobodyVouchesFor(t *testing.T) {
	t.Parallel()
	k := newKamailio(t, freePort(t), "udp")
	to := k.trunk(siptrunk.TLS)
	to.TLS = nil
	d := dialer(t, sipcall.Options{}, to)
	speech, _ := message(t, 300*time.Millisecond)
	call(t, d, answers, speech).want(t, "F")
	if s := d.Trunks()[0]; s.State != siptrunk.Down || !strings.Contains(s.LastError, "certificate") {
		t.Errorf("the trunk is %+v, want it down for its certificate", s)
	}
}
