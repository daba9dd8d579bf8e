package kafka

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

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
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

// TestTLS: the broker and we show certificates to each other.
func TestTLS(t *testing.T) {
	t.Parallel()
	ours := newAuthority(t)
	c := newCluster(t, kfake.TLS(&tls.Config{
		Certificates: []tls.Certificate{ours.certificate(t)}, ClientCAs: ours.roots, ClientAuth: tls.RequireAndVerifyClientCert,
	}))
	good := &tls.Config{RootCAs: ours.roots, Certificates: []tls.Certificate{ours.certificate(t)}}
	c.reader = []kgo.Opt{kgo.DialTLSConfig(good)}
	for name, tc := range map[string]struct {
		config *tls.Config
		want   string // "" = it works
	}{
		"both certificates":  {good, ""},
		"unknown authority":  {&tls.Config{RootCAs: newAuthority(t).roots, Certificates: good.Certificates}, "certificate"},
		"another name":       {&tls.Config{RootCAs: ours.roots, Certificates: good.Certificates, ServerName: "kafka.example"}, "kafka.example"},
		"we show none":       {&tls.Config{RootCAs: ours.roots}, "kafka topic"},
		"the system's roots": {&tls.Config{}, "certificate"},
		"no TLS":             {nil, "kafka topic"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			settings := c.settings()
			settings.TLS = tc.config
			s := openSink(t, newDriver(t, settings), "alerts")
			err := s.Deliver(soon(t), batchOf(`{}`))
			if tc.want != "" {
				passing(t, name, err, tc.want)
			} else if err != nil {
				t.Errorf("Deliver = %v", err)
			}
		})
	}
}

// TestSASL tells a name and a password in each way.
func TestSASL(t *testing.T) {
	t.Parallel()
	for ours, theirs := range map[string]string{"plain": "PLAIN", "scram-sha-256": "SCRAM-SHA-256", "scram-sha-512": "SCRAM-SHA-512"} {
		t.Run(ours, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t, kfake.EnableSASL(), kfake.Superuser(theirs, "tidings", "hunter2"))
			settings := c.settings()
			settings.SASL = &SASL{ours, "tidings", "hunter22"}
			passing(t, "wrong password", openSink(t, newDriver(t, settings), "alerts").Deliver(soon(t), batchOf(`{}`)))
			settings.SASL = &SASL{ours, "tidings", "hunter2"}
			if err := openSink(t, newDriver(t, settings), "alerts").Deliver(soon(t), batchOf(`{}`)); err != nil {
				t.Errorf("Deliver with the right password = %v", err)
			}
		})
	}
}

// TestTheBrokerSaysWhoWeAreNot in the way of real brokers; kfake hangs up.
func TestTheBrokerSaysWhoWeAreNot(t *testing.T) {
	t.Parallel()
	c := newCluster(t, kfake.EnableSASL(), kfake.Superuser("PLAIN", "tidings", "hunter2"))
	c.ControlKey(int16(kmsg.SASLAuthenticate), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		answer := r.ResponseKind().(*kmsg.SASLAuthenticateResponse)
		answer.ErrorCode, answer.ErrorMessage = kerr.SaslAuthenticationFailed.Code, new("Authentication failed: Invalid username or password")
		return answer, nil, true
	})
	settings := c.settings()
	settings.SASL = &SASL{"plain", "tidings", "hunter22"}
	passing(t, "wrong password", openSink(t, newDriver(t, settings), "alerts").Deliver(soon(t), batchOf(`{}`)),
		"SASL_AUTHENTICATION_FAILED", "Invalid username or password")
}

// TestPermissionComesLater: a user who may do nothing is given a permission while the sink
// is open.
func TestPermissionComesLater(t *testing.T) {
	t.Parallel()
	c := newCluster(t, kfake.EnableSASL(), kfake.EnableACLs(),
		kfake.Superuser("PLAIN", "admin", "secret"), kfake.User("PLAIN", "tidings", "secret"))
	settings := c.settings()
	settings.SASL = &SASL{"plain", "tidings", "secret"}
	s := openSink(t, newDriver(t, settings), "alerts")
	for range 2 {
		passing(t, "forbidden", s.Deliver(soon(t), batchOf(`{}`)), "AUTHORIZATION_FAILED")
	}
	admin := settings
	admin.SASL = &SASL{"plain", "admin", "secret"}
	owner, err := kgo.NewClient(admin.options()...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(owner.Close)
	request := kmsg.NewPtrCreateACLsRequest()
	for _, o := range []kmsg.ACLOperation{kmsg.ACLOperationWrite, kmsg.ACLOperationDescribe} {
		a := kmsg.NewCreateACLsRequestCreation()
		a.ResourceType, a.ResourceName, a.ResourcePatternType = kmsg.ACLResourceTypeTopic, theTopic, kmsg.ACLResourcePatternTypeLiteral
		a.Principal, a.Host, a.Operation, a.PermissionType = "User:tidings", "*", o, kmsg.ACLPermissionTypeAllow
		request.Creations = append(request.Creations, a)
	}
	answer, err := request.RequestWith(t.Context(), owner)
	if err != nil || answer.Results[0].ErrorCode != 0 {
		t.Fatalf("create the permission: %v, %+v", err, answer)
	}
	if err := s.Deliver(soon(t), batchOf(`{}`)); err != nil {
		t.Errorf("Deliver with the permission = %v", err)
	}
}
