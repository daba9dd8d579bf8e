package smtpin_test

import (
	"os/exec"
	"strings"
	"testing"

	"tidings/internal/smtpin"
)

// script is what an application in Python does: three ways to authenticate and to be encrypted.
const script = `
import smtplib, ssl, sys
host, port, mode, user, password = sys.argv[1:]
unverified = ssl.create_default_context()
unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE
if mode == "implicit":
    s = smtplib.SMTP_SSL(host, int(port), context=unverified)
else:
    s = smtplib.SMTP(host, int(port))
    s.starttls(context=unverified)
s.login(user, password)
s.sendmail("a@example.com", ["b@example.com"], "Subject: hello\r\n\r\n.hello\r\n")
try:
    s.sendmail("", ["b@example.com"], "hello")
except smtplib.SMTPSenderRefused as e:
    print(e.smtp_code, e.smtp_error.decode())
s.quit()
`

// TestPython is the client of Python's standard library.
func TestPython(t *testing.T) {
	t.Parallel()
	python, err := exec.LookPath("python3")
	if err != nil || exec.CommandContext(t.Context(), python, "-c", "import smtplib, ssl").Run() != nil {
		t.Skip("python3 with smtplib and ssl is not installed")
	}
	server, _ := certificate(t)
	for _, mode := range []string{"starttls", "implicit"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			to := &sender{}
			address := submission(t, smtpin.Submission{Settings: smtpin.Settings{TLS: server}, Implicit: mode == "implicit", Sender: to})
			host, port, _ := strings.Cut(address, ":")
			out, err := exec.CommandContext(t.Context(), python, "-c", script, host, port, mode, keyID, smtpin.Password(secret, "ap-south-1")).CombinedOutput()
			if err != nil {
				t.Fatalf("python3 = %v:\n%s", err, out)
			}
			if got, want := strings.TrimSpace(string(out)), "501 Invalid MAIL FROM address provided"; got != want {
				t.Errorf("a null sender = %q, want %q", got, want)
			}
			got := to.only(t)
			if want := "Subject: hello\r\n\r\n.hello\r\n"; string(got.request.Raw.Data) != want || got.tenant.Region != "ap-south-1" {
				t.Errorf("sent = %q from %s, want %q from ap-south-1", got.request.Raw.Data, got.tenant.Region, want)
			}
		})
	}
}
