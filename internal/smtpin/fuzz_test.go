package smtpin_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"tidings/internal/smtpin"
)

// converse says all of a conversation at once, and fails if the listener has panicked: go-smtp writes that into its log.
func converse(t *testing.T, l func(net.Listener, smtpin.Settings) *smtpin.Listener, said []byte) {
	t.Helper()
	var log bytes.Buffer
	p := newPipes()
	listener := l(p, smtpin.Settings{MaxBytes: 1 << 20, Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- listener.Run(ctx) }()
	client, server := net.Pipe()
	p.conns <- server
	read := make(chan struct{})
	go func() {
		defer close(read)
		_, _ = io.Copy(io.Discard, client)
	}()
	_, _ = client.Write(said) // it may hang up before the end
	client.Close()
	<-read
	stop()
	if err := <-done; err != nil {
		t.Errorf("Run = %v, want nil", err)
	}
	if strings.Contains(log.String(), "panic") {
		t.Errorf("%q: %s", said, log.String())
	}
}

// FuzzSubmission: no conversation makes the listener fail, and nothing is sent for those without credentials.
func FuzzSubmission(f *testing.F) {
	login := plain(keyID, smtpin.Password(secret, "us-east-1")) + "\r\n"
	for _, s := range []string{
		"EHLO a\r\n" + login + "MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.com>\r\nDATA\r\nhello\r\n.\r\nQUIT\r\n",
		"EHLO a\r\n" + login + "MAIL FROM:<a@example.com> SIZE=5 BODY=8BITMIME AUTH=<>\r\nRCPT TO:<b@example.com>\r\nBDAT 5\r\nhelloBDAT 0 LAST\r\nRSET\r\n",
		"HELO a\r\nAUTH LOGIN\r\n" + "QUtJQQ==\r\nd3Jvbmc=\r\n*\r\nNOOP\r\n",
		"EHLO a\r\nAUTH PLAIN\r\nAAAA\r\nMAIL FROM:<>\r\nSTARTTLS\r\nVRFY a\r\n",
		"EHLO a\r\n" + login + "MAIL FROM:<\"a\\\"b\"@[::1]>\r\nRCPT TO:<@a:b@c>\r\nBDAT 99999999 LAST\r\nx",
		"\r\n\x00\xff\r\nMAIL\r\nRCPT\r\nDATA\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, said []byte) {
		to := &sender{}
		converse(t, func(ln net.Listener, s smtpin.Settings) *smtpin.Listener {
			return smtpin.SubmissionOn(ln, smtpin.Submission{Settings: s, Accounts: accounts, Insecure: true, Sender: to, FailureDelay: time.Nanosecond})
		}, said)
		if !bytes.Contains(bytes.ToUpper(said), []byte("AUTH")) && to.count() > 0 {
			t.Errorf("%q sent %d mails", said, to.count())
		}
	})
}

// FuzzReturning: no conversation makes the listener fail, and nothing is told for who has no return path of ours.
func FuzzReturning(f *testing.F) {
	path := paths.For(messageID)
	for _, s := range []string{
		"EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<" + path + ">\r\nDATA\r\nhello\r\n.\r\nQUIT\r\n",
		"EHLO a\r\nMAIL FROM:<> SMTPUTF8\r\nRCPT TO:<" + path + ">\r\nRCPT TO:<fbl@bounces.example.com>\r\nBDAT 1 LAST\r\nx",
		"HELO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<@bounces.example.com>\r\nRCPT TO:<fbl@bounces.example.com>\r\nDATA\r\n" +
			"Content-Type: multipart/report; boundary=x\r\n\r\n--x\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\n--x--\r\n.\r\n",
	} {
		f.Add([]byte(s))
	}
	local, _, _ := strings.Cut(path, "@")
	f.Fuzz(func(t *testing.T, said []byte) {
		in := &intake{}
		converse(t, func(ln net.Listener, s smtpin.Settings) *smtpin.Listener {
			return smtpin.ReturningOn(ln, smtpin.Returning{Settings: s, Paths: paths, Addresses: []string{"fbl"}, Intake: in})
		}, said)
		if told := len(in.bounces) + len(in.complaints); told > 0 && !bytes.Contains(bytes.ToLower(said), []byte(local[:len("bounce-")])) && !bytes.Contains(said, []byte("0100")) {
			t.Errorf("%q told %v, %v", said, in.bounces, in.complaints)
		}
	})
}
