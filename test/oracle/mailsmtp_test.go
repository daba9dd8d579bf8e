package oracle

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	sesclient "github.com/aws/aws-sdk-go-v2/service/ses"
	sestypes "github.com/aws/aws-sdk-go-v2/service/ses/types"
)

var messageID = regexp.MustCompile(`[0-9a-f]{16}-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}-000000`)

// TestSubmission hands mail in as programs do that know only SMTP, with the credentials that are derived from a key.
func TestSubmission(t *testing.T) {
	t.Parallel()
	certificate, key := loopbackCertificate(t)
	address := freeAddress(t)
	s := start(t, options{config: map[string]any{"email": map[string]any{
		"hello": "mail.example.com", "submission": map[string]any{"listen": address, "certificate": certificate, "key": key},
	}}})
	c := sesClient(s.API, testRegion)
	_, err := c.CreateConfigurationSet(t.Context(), &sesclient.CreateConfigurationSetInput{ConfigurationSet: &sestypes.ConfigurationSet{Name: new("orders")}})
	must(t, "create the set", err)
	_, err = c.CreateConfigurationSetEventDestination(t.Context(), &sesclient.CreateConfigurationSetEventDestinationInput{
		ConfigurationSetName: new("orders"), EventDestination: &sestypes.EventDestination{
			Name: new("hose"), Enabled: true, MatchingEventTypes: []sestypes.EventType{"send"}, KinesisFirehoseDestination: &sestypes.KinesisFirehoseDestination{
				DeliveryStreamARN: new("arn:aws:firehose:us-east-1:123456789012:deliverystream/mails"), IAMRoleARN: new("arn:aws:iam::123456789012:role/r"),
			},
		},
	})
	must(t, "create the event destination", err)

	answers := submit(t, address, certificate)
	for what, want := range map[string]string{
		"plain login": "0 ", "plain mail": "530 ", "mail without login": "530 ", "wrong password": "535 ", "login PLAIN": "235 ", "login LOGIN": "235 ",
		"mail PLAIN": "250 ", "mail LOGIN": "250 ", "no set PLAIN": "554 ", "no set LOGIN": "554 ",
	} {
		if !strings.HasPrefix(answers[what], want) {
			t.Errorf("%s is answered by %q, want %s", what, answers[what], want)
		}
	}
	if !strings.Contains(answers["no set LOGIN"], "Configuration set <none> does not exist.") {
		t.Errorf("a set that does not exist is answered by %q, want the words of SES", answers["no set LOGIN"])
	}
	for _, method := range []string{"PLAIN", "LOGIN"} {
		id := messageID.FindString(answers["mail "+method])
		if id == "" {
			t.Errorf("the answer %q has no message ID", answers["mail "+method])
			continue
		}
		checkSubmitted(t, s, id)
	}
}

// submit lets smtplib hand mails in, and returns what the server answered.
func submit(t *testing.T, address, certificate string) map[string]string {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not installed")
	}
	out, err := exec.CommandContext(t.Context(), binary, "mail", "credentials", "--region", testRegion).Output()
	must(t, "tidings mail credentials", err)
	words := strings.Fields(string(out)) // username NAME password WORD
	if len(words) != 4 || words[1] != testKey {
		t.Fatalf("tidings mail credentials printed %q", out)
	}
	_, port, err := net.SplitHostPort(address)
	must(t, "read the address", err)
	out, err = runClient(t, exec.Command(python, "smtp_oracle.py", port, words[1], words[3], certificate))
	if err != nil {
		t.Fatalf("smtplib: %v\n%s", err, out)
	}
	var said map[string][2]any
	must(t, "read what smtplib said: "+string(out), json.Unmarshal(out, &said))
	answers := map[string]string{}
	for what, a := range said {
		answers[what] = fmt.Sprint(a[0], " ", a[1])
	}
	return answers
}

// checkSubmitted looks at a mail in its mailbox, and at its event.
func checkSubmitted(t *testing.T, s *server, id string) {
	t.Helper()
	m := s.keptMessage(t, id)
	for name := range m.Header {
		if strings.HasPrefix(strings.ToUpper(name), "X-SES-") {
			t.Errorf("the mail that went out has the header %s", name)
		}
	}
	if body, err := io.ReadAll(m.Body); err != nil || strings.TrimSpace(string(body)) != ".A line that begins with a dot." || m.Header.Get("X-Kind") != "order" {
		t.Errorf("the mail is %v %q, %v, want what was handed in", m.Header, body, err)
	}
	event := ""
	await(t, "the event of "+id, func() bool {
		for _, line := range deliveredLines(t, s.data, "firehose", "mails") {
			if strings.Contains(line, id) {
				event = line
			}
		}
		return event != ""
	}, func() string { return "" })
	got, _ := decode(t, event).(map[string]any)
	mail, _ := got["mail"].(map[string]any)
	want := map[string]any{
		"campaign": []any{"spring"}, "kind": []any{"order"}, "ses:caller-identity": []any{"test"}, "ses:configuration-set": []any{"orders"}, "ses:from-domain": []any{"example.com"},
		"ses:operation": []any{"SendSmtpEmail"}, "ses:source-ip": []any{"127.0.0.1"}, "ses:source-tls-version": []any{"~^TLSv1\\.3$"},
	}
	if problem := match(want, mail["tags"]); problem != "" {
		t.Errorf("the tags of a mail that was handed in%s", problem)
	}
}

// freeAddress is one on which nobody listens. The ready line does not tell where mail is taken.
func freeAddress(t testing.TB) string {
	t.Helper()
	var config net.ListenConfig
	l, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, "find a free address", err)
	defer l.Close()
	return l.Addr().String()
}

// loopbackCertificate writes a certificate for this machine, and its key.
func loopbackCertificate(t testing.TB) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, "make a key", err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	must(t, "make a certificate", err)
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	must(t, "write the key", err)
	dir := t.TempDir()
	certificate, key = filepath.Join(dir, "tls.pem"), filepath.Join(dir, "tls.key")
	must(t, "write the certificate", os.WriteFile(certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	must(t, "write the key", os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600))
	return certificate, key
}
