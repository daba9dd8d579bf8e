package webhook

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

// script is a server that does on each connection what it is told, and nothing else.
func script(tb testing.TB, play func(c *net.TCPConn)) (url string) {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("Listen = %v", err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, c)
			mu.Unlock()
			wg.Go(func() {
				defer c.Close()
				play(c.(*net.TCPConn))
			})
		}
	})
	tb.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, c := range open {
			c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return "http://" + l.Addr().String()
}

// readRequest reads one request to its end.
func readRequest(c net.Conn) {
	r, err := http.ReadRequest(bufio.NewReader(c))
	if err == nil {
		_, _ = io.Copy(io.Discard, r.Body)
	}
}

// trickle writes s again and again until the other side is gone.
func trickle(c net.Conn, s string) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		if _, err := io.WriteString(c, s); err != nil {
			return
		}
	}
}

// Whatever a server does, an attempt ends: when the status is known, or with its context.
func TestBadServers(t *testing.T) {
	t.Parallel()
	say := func(s string, then func(net.Conn)) func(*net.TCPConn) {
		return func(c *net.TCPConn) {
			readRequest(c)
			io.WriteString(c, s)
			if then != nil {
				then(c)
			}
		}
	}
	drain := func(c net.Conn) { io.Copy(io.Discard, c) }
	reset := func(c net.Conn) { c.(*net.TCPConn).SetLinger(0) }
	for name, tc := range map[string]struct {
		play  func(*net.TCPConn)
		ok    bool // delivered
		hangs bool // until the context ends
		want  string
	}{
		"takes nothing":           {play: func(*net.TCPConn) {}},
		"resets at once":          {play: func(c *net.TCPConn) { reset(c) }},
		"reads and closes":        {play: func(c *net.TCPConn) { readRequest(c) }, want: "EOF"},
		"reads and resets":        {play: func(c *net.TCPConn) { readRequest(c); reset(c) }, want: "reset"},
		"closes its half":         {play: func(c *net.TCPConn) { c.CloseWrite(); drain(c) }},
		"says nothing":            {play: func(c *net.TCPConn) { drain(c) }, hangs: true},
		"status that never ends":  {play: say("HTTP/1.1 2", drain), hangs: true},
		"header that never ends":  {play: say("HTTP/1.1 200 OK\r\n", func(c net.Conn) { trickle(c, "X: y\r\n") }), hangs: true},
		"no HTTP":                 {play: say("220 mail.example ESMTP\r\n", nil), want: "malformed"},
		"huge header":             {play: say("HTTP/1.1 200 OK\r\nX: "+strings.Repeat("x", 2*maxHeader)+"\r\n\r\n", drain), want: "header"},
		"early hints without end": {play: say("", func(c net.Conn) { trickle(c, "HTTP/1.1 103 Early Hints\r\n\r\n") }), want: "exceeded"},
		"another protocol":        {play: say("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", drain), want: "101"},
		"wrong length":            {play: say("HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", nil), want: "Content-Length"},
		"200, body trickles":      {play: say("HTTP/1.1 200 OK\r\n\r\n", func(c net.Conn) { trickle(c, "x") }), ok: true},
		"200, chunks without end": {play: say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", func(c net.Conn) { trickle(c, "1\r\nx\r\n") }), ok: true},
		"200, body does not come": {play: say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", drain), ok: true},
		"200, body breaks off":    {play: say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nx", nil), ok: true},
		"200, reset in the body":  {play: say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nx", reset), ok: true},
		"200, huge body":          {play: say("HTTP/1.1 200 OK\r\n\r\n", func(c net.Conn) { trickle(c, strings.Repeat("x", 1<<20)) }), ok: true},
		"200, bad chunks":         {play: say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n", drain), ok: true},
		"500, body trickles":      {play: say("HTTP/1.1 500 Oops\r\n\r\nbecause", func(c net.Conn) { trickle(c, "!") }), want: "500 Oops: because!"},
		"500, reset in the body":  {play: say("HTTP/1.1 500 Oops\r\nContent-Length: 50\r\n\r\nbeca", reset), want: "500 Oops"},
		"503 before the body is read": {play: func(c *net.TCPConn) {
			io.ReadFull(c, make([]byte, 10))
			io.WriteString(c, "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
			drain(c)
		}, want: "503 Busy"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reached := make(chan struct{}, 100)
			url := script(t, func(c *net.TCPConn) {
				reached <- struct{}{}
				tc.play(c)
			})
			s := openSink(t, newDriver(t, local(url)))
			ctx, cancel := context.WithCancel(within(t, time.Minute))
			if tc.hangs {
				go func() {
					<-reached
					cancel()
				}()
			}
			defer cancel()
			err := s.Deliver(ctx, batchOf(`{"n":1}`))
			switch {
			case tc.ok:
				if err != nil {
					t.Errorf("Deliver = %v, want nil: the status is known", err)
				}
			case tc.hangs:
				wantTemporary(t, err, context.Canceled.Error())
			default:
				wantTemporary(t, err, tc.want)
				if errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("Deliver hung: %v", err)
				}
			}
		})
	}
}

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	f := newFarEnd(t)
	f.Close()
	s := openSink(t, newDriver(t, local(f.URL+"/token-123")))
	err := s.Deliver(t.Context(), batchOf(`{}`))
	wantTemporary(t, err, "refused", strings.TrimPrefix(f.URL, "http://"))
	if strings.Contains(err.Error(), "token-123") {
		t.Errorf("the error %q tells the path", err)
	}
}

func TestNoSuchName(t *testing.T) {
	t.Parallel()
	n := &names{answers: [][]netip.Addr{nil, addrs("127.0.0.1")}}
	f := newFarEnd(t)
	_, port, _ := net.SplitHostPort(f.Listener.Addr().String())
	settings := local("http://hooks.example:" + port)
	settings.Resolver = n.resolver()
	s := openSink(t, newDriver(t, settings))
	wantTemporary(t, s.Deliver(t.Context(), batchOf(`{}`)), "no such host")
	deliver(t, s, `{}`) // once the name is there
}

// certified is a server with a certificate for the host, valid until then, and the pool that
// trusts it.
func certified(tb testing.TB, host string, until time.Time, version uint16) (url string, roots *x509.CertPool) {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatalf("GenerateKey = %v", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: until.Add(-time.Hour), NotAfter: until,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	if ip := net.ParseIP(host); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{host}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		tb.Fatalf("CreateCertificate = %v", err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatalf("ParseCertificate = %v", err)
	}
	roots = x509.NewCertPool()
	roots.AddCert(parsed)
	server := httptest.NewUnstartedServer(http.HandlerFunc(swallow))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS10, MaxVersion: version}
	server.StartTLS()
	tb.Cleanup(server.Close)
	return server.URL, roots
}

func TestTLSIsVerified(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for name, tc := range map[string]struct {
		host    string
		until   time.Time
		version uint16
		unknown bool
		want    string // "" = delivered
	}{
		"good":           {host: "127.0.0.1", until: now.Add(time.Minute), version: tls.VersionTLS13},
		"good, 1.2":      {host: "127.0.0.1", until: now.Add(time.Minute), version: tls.VersionTLS12},
		"old protocol":   {host: "127.0.0.1", until: now.Add(time.Minute), version: tls.VersionTLS11, want: "protocol version"},
		"expired":        {host: "127.0.0.1", until: now.Add(-time.Minute), version: tls.VersionTLS13, want: "expired"},
		"another host":   {host: "10.9.9.9", until: now.Add(time.Minute), version: tls.VersionTLS13, want: "10.9.9.9"},
		"another name":   {host: "hooks.example", until: now.Add(time.Minute), version: tls.VersionTLS13, want: "127.0.0.1"},
		"unknown issuer": {host: "127.0.0.1", until: now.Add(time.Minute), version: tls.VersionTLS13, unknown: true, want: "unknown authority"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, roots := certified(t, tc.host, tc.until, tc.version)
			settings := local(url)
			settings.Roots = roots
			if tc.unknown {
				settings.Roots = x509.NewCertPool()
			}
			err := openSink(t, newDriver(t, settings)).Deliver(t.Context(), batchOf(`{}`))
			if tc.want != "" {
				wantTemporary(t, err, tc.want)
			} else if err != nil {
				t.Errorf("Deliver = %v", err)
			}
		})
	}
}
