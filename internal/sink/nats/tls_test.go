package natssink

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// authority makes certificates for 127.0.0.1 that its roots vouch for.
type authority struct {
	roots *x509.CertPool
	key   *ecdsa.PrivateKey
	own   *x509.Certificate
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	text, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	own, err := x509.ParseCertificate(text)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{roots: x509.NewCertPool(), key: key, own: own}
	a.roots.AddCert(own)
	return a
}

func (a *authority) certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	text, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "leaf"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, a.own, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{text}, PrivateKey: key}
}

// TestTLS: the server and we show certificates to each other.
func TestTLS(t *testing.T) {
	t.Parallel()
	ours := newAuthority(t)
	far := startServer(t, func(o *server.Options) {
		o.JetStream = false
		o.TLS, o.TLSVerify = true, true
		o.TLSConfig = &tls.Config{
			Certificates: []tls.Certificate{ours.certificate(t)}, ClientCAs: ours.roots, ClientAuth: tls.RequireAndVerifyClientCert,
		}
	})
	good := &tls.Config{RootCAs: ours.roots, Certificates: []tls.Certificate{ours.certificate(t)}}
	for name, tc := range map[string]struct {
		config *tls.Config
		want   string // "" = it works
	}{
		"both certificates":  {good, ""},
		"unknown authority":  {&tls.Config{RootCAs: newAuthority(t).roots, Certificates: good.Certificates}, "certificate"},
		"another name":       {&tls.Config{RootCAs: ours.roots, Certificates: good.Certificates, ServerName: "nats.example"}, "nats.example"},
		"we show none":       {&tls.Config{RootCAs: ours.roots}, "tls"}, // TLS 1.3: the server says so when we have begun already, or just hangs up
		"the system's roots": {nil, "certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := openSink(t, newDriver(t, Settings{URL: far.ClientURL(), Subject: "calls", Core: true, TLS: tc.config}), "alerts")
			err := s.Deliver(soon(t), batchOf(`{}`))
			if tc.want != "" {
				passing(t, name, err, tc.want)
			} else if err != nil {
				t.Errorf("Deliver = %v", err)
			}
		})
	}
}
