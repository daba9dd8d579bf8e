package sipcall_test

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// newTCPCallee makes a callee that speaks TCP.
func newTCPCallee(t testing.TB) *callee {
	t.Helper()
	c, reading := bareCallee(t)
	listener, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatalf("ListenTCP() = %v", err)
	}
	c.listenTo(listener, "TCP", reading)
	return c
}

// newTLSCallee makes a callee that speaks TLS, and a configuration that trusts it.
func newTLSCallee(t testing.TB) (*callee, *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatalf("GenerateKey() = %v", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"carrier.example.com"}, BasicConstraintsValid: true, IsCA: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatalf("CreateCertificate() = %v", err)
	}
	listener, err := tls.Listen("tcp4", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	if err != nil {
		t.Fatalf("Listen() = %v", err)
	}
	c, reading := bareCallee(t)
	c.listenTo(listener, "TLS", reading)
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatalf("ParseCertificate() = %v", err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	return c, &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
}

// listenTo has the callee take connections.
func (c *callee) listenTo(l net.Listener, transport string, reading *sync.WaitGroup) {
	c.address, c.transport = l.Addr().String(), transport
	var mu sync.Mutex
	conns := map[string]net.Conn{}
	c.write = func(b []byte, to string) error {
		mu.Lock()
		conn := conns[to]
		mu.Unlock()
		if conn == nil {
			return fmt.Errorf("no connection with %s", to)
		}
		_, err := conn.Write(b)
		return err
	}
	reading.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			from := conn.RemoteAddr().String()
			mu.Lock()
			conns[from] = conn
			mu.Unlock()
			reading.Go(func() { c.readStream(conn, from) })
		}
	})
	c.Cleanup(func() {
		l.Close()
		mu.Lock()
		defer mu.Unlock()
		for _, conn := range conns {
			conn.Close()
		}
	})
}

// readStream takes messages off a connection (RFC 3261 section 18.3).
func (c *callee) readStream(conn net.Conn, from string) {
	in := bufio.NewReader(conn)
	for {
		var message bytes.Buffer
		length := 0
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				return
			}
			message.WriteString(line)
			if n, ok := strings.CutPrefix(strings.ToLower(line), "content-length:"); ok {
				length, _ = strconv.Atoi(strings.TrimSpace(n))
			}
			if line == "\r\n" {
				break
			}
		}
		if _, err := io.CopyN(&message, in, int64(length)); err != nil {
			return
		}
		c.arrives(message.Bytes(), from)
	}
}
