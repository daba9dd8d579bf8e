package smtpin_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gosmtp "github.com/emersion/go-smtp"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus"

	"tidings/internal/email"
	"tidings/internal/smtpin"
)

var at = time.Unix(1_800_000_000, 0).UTC()

// bring hands a message over as a server does, with a null sender unless from says otherwise.
func bring(tb testing.TB, address, from, to, message string) error {
	tb.Helper()
	c, err := gosmtp.Dial(address)
	if err != nil {
		tb.Fatal(err)
	}
	defer c.Close()
	if err := c.SendMail(from, []string{to}, strings.NewReader(message)); err != nil {
		return err
	}
	return c.Quit()
}

// sample reads a message of those that the room feedback has.
func sample(tb testing.TB, name string) string {
	tb.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "feedback", "testdata", filepath.FromSlash(name)))
	if err != nil {
		tb.Fatal(err)
	}
	return string(raw)
}

func TestBounces(t *testing.T) {
	t.Parallel()
	failed := email.BackBounce{Recipient: "nobody@example.org", Action: "failed", Status: "5.1.1", At: at}
	for name, tt := range map[string]struct {
		from string
		want []email.BackBounce
		copy bool
	}{
		"dsn/postfix": {"", []email.BackBounce{
			{Recipient: "alias@example.net", Action: "failed", Status: "5.1.1", At: at, ReportingMTA: "mx.example.net", Diagnostic: "smtp; 550 5.1.1 <nobody@example.org>: Recipient address rejected: User unknown"},
			{Recipient: "full@example.org", Action: "failed", Status: "5.2.2", At: at, ReportingMTA: "mx.example.net", Diagnostic: "smtp; 552 5.2.2 Mailbox full"},
		}, true},
		"dsn/postfix-delayed": {"", []email.BackBounce{
			{Recipient: "slow@example.org", Action: "delayed", Status: "4.4.1", At: at, ReportingMTA: "mx.example.net", Delayed: true, Diagnostic: "X-Postfix; connect to mail.example.org[192.0.2.25]:25: Connection timed out"},
		}, false},
		"dsn/postfix-success": {"", nil, false},
		"dsn/sendmail": {"MAILER-DAEMON@relay.example.net", []email.BackBounce{func() email.BackBounce {
			b := failed
			b.ReportingMTA, b.Diagnostic = "relay.example.net", "SMTP; 550 <nobody@example.org>... User unknown"
			return b
		}()}, true},
		"dsn/for-people": {"", []email.BackBounce{{Action: "failed", At: at}}, true},
		"none/letter":    {"", []email.BackBounce{{Action: "failed", At: at}}, true}, // nobody writes letters from <>
		"none/vacation":  {"someone@example.org", nil, false},
		"none/receipt":   {"", nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := &intake{}
			if err := bring(t, returning(t, in, smtpin.Settings{}), tt.from, paths.For(messageID), sample(t, name+".eml")); err != nil {
				t.Fatalf("SendMail = %v, want nil", err)
			}
			var want []toldBounce
			for _, b := range tt.want {
				want = append(want, toldBounce{messageID, b})
			}
			if diff := cmp.Diff(want, in.bounces); diff != "" {
				t.Errorf("bounces (-want +got):\n%s", diff)
			}
			if tt.copy != (len(in.returned) == 1) {
				t.Errorf("copies = %v, want %v", in.returned, tt.copy)
			}
		})
	}
}

// TestTheDateOfAReport brings reports with dates of their own. One that is brought again, because our reply was lost, must be told of
// in the same words; a date that cannot be true is not believed.
func TestTheDateOfAReport(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ date, want time.Time }{
		"an hour ago":   {at.Add(-time.Hour), at.Add(-time.Hour)},
		"days ago":      {at.Add(-6 * 24 * time.Hour), at.Add(-6 * 24 * time.Hour)},
		"weeks ago":     {at.Add(-30 * 24 * time.Hour), at},
		"soon":          {at.Add(time.Minute), at.Add(time.Minute)},
		"in the future": {at.Add(time.Hour), at},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := &intake{}
			listener := returning(t, in, smtpin.Settings{})
			bounce := "Date: " + tt.date.Format(time.RFC1123Z) + "\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n" +
				"--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.net\r\n\r\n" +
				"Final-Recipient: rfc822; a@example.org\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n--b--\r\n"
			if err := bring(t, listener, "", paths.For(messageID), bounce); err != nil {
				t.Fatalf("SendMail = %v", err)
			}
			if len(in.bounces) != 1 || !in.bounces[0].Bounce.At.Equal(tt.want) {
				t.Errorf("bounces = %+v, want one at %v", in.bounces, tt.want)
			}
		})
	}
}

func TestComplaints(t *testing.T) {
	t.Parallel()
	arrived := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	const path, id = "bounce-abc@bounces.example.com", "0100019a@example.com"
	for name, tt := range map[string]struct {
		sample string
		to     string
		mend   *strings.Replacer
		want   []toldComplaint
	}{
		"by the return path of the report": {"yahoo", "fbl@bounces.example.com", strings.NewReplacer("Original-Mail-From: <"+path, "Original-Mail-From: <"+paths.For(messageID)), []toldComplaint{
			{messageID, email.Complaint{Recipients: []string{"someone@yahoo.example"}, Type: "abuse", UserAgent: "Yahoo!-Mail-Feedback/2.0", Arrived: arrived, At: at}},
		}},
		"by the return path of the original": {"aol", "ABUSE@Bounces.example.com", strings.NewReplacer(path, strings.ToUpper(paths.For(messageID))), []toldComplaint{
			{messageID, email.Complaint{Type: "abuse", UserAgent: "AOL SComp", Arrived: arrived, At: at}},
		}},
		"by the Message-ID": {"jmrp", "fbl@bounces.example.com", strings.NewReplacer(id, messageID+"@email.example.com"), []toldComplaint{
			{messageID, email.Complaint{Recipients: []string{"someone@hotmail.example"}, Type: "abuse", At: at}},
		}},
		"by a field of ours": {"headers-only", "fbl@bounces.example.com", strings.NewReplacer("X-Tidings-ID: 0100019a", "X-Tidings-ID: "+messageID), []toldComplaint{
			{messageID, email.Complaint{Recipients: []string{"user@example.org", "second@x@example.org"}, Type: "fraud", UserAgent: "SomeGenerator/1.0", Arrived: time.Date(2005, 3, 8, 18, 0, 0, 0, time.UTC), At: at}},
		}},
		"by the recipient": {"aol", paths.For(messageID), strings.NewReplacer(), []toldComplaint{
			{messageID, email.Complaint{Type: "abuse", UserAgent: "AOL SComp", Arrived: arrived, At: at}},
		}},
		"about nothing that is known": {"aol", "fbl@bounces.example.com", strings.NewReplacer(), nil},
		"about something made up":     {"yahoo", "fbl@bounces.example.com", strings.NewReplacer(path, strings.Replace(paths.For(messageID), "bounce-a", "bounce-b", 1)), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := &intake{}
			if err := bring(t, returning(t, in, smtpin.Settings{}), "feedback@mail.example", tt.to, tt.mend.Replace(sample(t, "arf/"+tt.sample+".eml"))); err != nil {
				t.Fatalf("SendMail = %v, want nil", err)
			}
			if diff := cmp.Diff(tt.want, in.complaints, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("complaints (-want +got):\n%s", diff)
			}
			if len(in.returned) != len(tt.want) || len(in.bounces) != 0 {
				t.Errorf("copies, bounces = %v, %v, want %d and none", in.returned, in.bounces, len(tt.want))
			}
		})
	}
}

// code is the code of the reply that made a client fail; 0 = none did.
func code(err error) int {
	if reply, ok := errors.AsType[*gosmtp.SMTPError](err); ok {
		return reply.Code
	}
	return 0
}

func TestWhatIsNotTaken(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	in := &intake{}
	address := returning(t, in, smtpin.Settings{Metrics: smtpin.NewMetrics(registry)})
	for _, tt := range []struct {
		from, to, sample string
		want             int
	}{
		{"", "someone@example.org", "dsn/postfix", 550}, // no relay
		{"", "someone@bounces.example.com", "dsn/postfix", 550},
		{"", "postmaster@bounces.example.com", "dsn/postfix", 550},
		{"", "fbl@example.org", "arf/yahoo", 550},
		{"", strings.Replace(paths.For(messageID), "bounce-a", "bounce-b", 1), "dsn/postfix", 550}, // nobody can invent bounces
		{"", "fbl@bounces.example.com", "dsn/postfix", 550},
		{"someone@example.org", "fbl@bounces.example.com", "none/letter", 550},
		{"someone@example.org", paths.For(messageID), "none/letter", 550},
	} {
		if err := bring(t, address, tt.from, tt.to, sample(t, tt.sample+".eml")); code(err) != tt.want {
			t.Errorf("%s from <%s> to <%s> = %v, want %d", tt.sample, tt.from, tt.to, err, tt.want)
		}
	}
	if len(in.bounces)+len(in.complaints) != 0 {
		t.Errorf("intake was told %v, %v, want nothing", in.bounces, in.complaints)
	}
	if n := count(t, registry, "tidings_smtpin_messages_total", "feedback", "refused"); n != 3 {
		t.Errorf("refused messages = %v, want 3", n)
	}
}

// TestStorageFails: the server that brings something is asked to come again.
func TestStorageFails(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	in := &intake{err: errors.New("disk on fire")}
	address := returning(t, in, smtpin.Settings{Metrics: smtpin.NewMetrics(registry)})
	for _, name := range []string{"dsn/postfix.eml", "arf/yahoo.eml"} {
		err := bring(t, address, "", paths.For(messageID), sample(t, name))
		if code(err) != 451 || strings.Contains(err.Error(), "fire") {
			t.Errorf("SendMail(%s) = %v, want a 451 without the cause", name, err)
		}
	}
	if n := count(t, registry, "tidings_smtpin_messages_total", "feedback", "failed"); n != 2 {
		t.Errorf("failed messages = %v, want 2", n)
	}
}

func TestGuessingRecipientsEndsTheConnection(t *testing.T) {
	t.Parallel()
	c := dial(t, returning(t, &intake{}, smtpin.Settings{Hello: "mx.example.com"}))
	c.expect("220 mx.example.com")
	c.say("EHLO client", "250")
	c.say("MAIL FROM:<>", "250")
	for i := range 19 {
		c.say(fmt.Sprintf("RCPT TO:<guess%d@bounces.example.com>", i), "550 5.1.1")
	}
	c.say("RCPT TO:<guess@bounces.example.com>", "421")
	if line, err := c.ReadLine(); err == nil {
		t.Errorf("reply = %q, want the end", line)
	}
}

// TestReturningSpeaksTLS: STARTTLS is offered where there is a certificate; nobody has to use it.
func TestReturningSpeaksTLS(t *testing.T) {
	t.Parallel()
	server, client := certificate(t)
	in := &intake{}
	address := returning(t, in, smtpin.Settings{TLS: server})
	c, err := gosmtp.DialStartTLS(address, client)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SendMail("", []string{paths.For(messageID)}, strings.NewReader(sample(t, "dsn/exim.eml"))); err != nil {
		t.Fatalf("SendMail = %v, want nil", err)
	}
	if err := bring(t, address, "", paths.For(messageID), sample(t, "dsn/exim.eml")); err != nil {
		t.Errorf("SendMail without TLS = %v, want nil", err)
	}
	if len(in.bounces) != 2 {
		t.Errorf("%d bounces, want 2", len(in.bounces))
	}
}

// bouncer is a server that takes every message and then finds that it cannot deliver it.
type bouncer struct {
	mx   string // of the return path's domain
	done chan error
	from string
	to   []string
}

func (b *bouncer) NewSession(*gosmtp.Conn) (gosmtp.Session, error) { return b, nil }
func (b *bouncer) Reset()                                          {}
func (b *bouncer) Logout() error                                   { return nil }

func (b *bouncer) Mail(from string, _ *gosmtp.MailOptions) error {
	b.from = from
	return nil
}

func (b *bouncer) Rcpt(to string, _ *gosmtp.RcptOptions) error {
	b.to = append(b.to, to)
	return nil
}

func (b *bouncer) Data(r io.Reader) error {
	original, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	var report strings.Builder
	report.WriteString("From: MAILER-DAEMON@mx.example.net\r\nTo: <" + b.from + ">\r\nSubject: Undelivered Mail\r\nAuto-Submitted: auto-replied\r\n" +
		"MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=x\r\n\r\n" +
		"--x\r\nContent-Type: text/plain\r\n\r\nSorry.\r\n--x\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.net\r\n")
	for _, to := range b.to {
		report.WriteString("\r\nFinal-Recipient: rfc822; " + to + "\r\nAction: failed\r\nStatus: 5.2.1\r\n")
	}
	report.WriteString("\r\n--x\r\nContent-Type: message/rfc822\r\n\r\n" + string(original) + "\r\n--x--\r\n")
	c, err := gosmtp.Dial(b.mx)
	if err != nil {
		return err
	}
	defer c.Close()
	b.done <- c.SendMail("", []string{b.from}, strings.NewReader(report.String()))
	return nil
}

// TestRoundTrip: a mail goes out with its return path, and the bounce that another server makes of it finds its message.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	in := &intake{}
	b := &bouncer{mx: returning(t, in, smtpin.Settings{}), done: make(chan error, 1)}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := gosmtp.NewServer(b)
	served := make(chan error, 1)
	go func() { served <- server.Serve(ln) }()
	t.Cleanup(func() {
		server.Close()
		<-served
	})
	c, err := gosmtp.Dial(ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SendMail(paths.For(messageID), []string{"one@example.org", "two@example.org"}, strings.NewReader(mail)); err != nil {
		t.Fatal(err)
	}
	if err := <-b.done; err != nil {
		t.Fatalf("the bounce message is refused: %v", err)
	}
	if err := c.Quit(); err != nil {
		t.Fatal(err)
	}
	want := []toldBounce{
		{messageID, email.BackBounce{Recipient: "one@example.org", Action: "failed", Status: "5.2.1", ReportingMTA: "mx.example.net", At: at}},
		{messageID, email.BackBounce{Recipient: "two@example.org", Action: "failed", Status: "5.2.1", ReportingMTA: "mx.example.net", At: at}},
	}
	if diff := cmp.Diff(want, in.bounces); diff != "" {
		t.Errorf("bounces (-want +got):\n%s", diff)
	}
}
