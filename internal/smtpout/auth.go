package smtpout

import (
	"encoding/base64"
	"net"
	"slices"
	"strings"

	"github.com/emersion/go-sasl"

	"tidings/internal/email"
)

// authenticate shows the relay our name and password. Source: RFC 4954.
//
// That it fails is the operator's trouble and not the mail's: the mail waits.
func (s *session) authenticate() *setupError {
	if safe := s.place.tls != "" || s.t.settings.PlainAuth && s.loopback(); !safe {
		return s.fail(ours(email.Deferred, "4.7.11", "%s offers no TLS, and the password does not go without", s.place.host))
	}
	offered := strings.Fields(strings.ToUpper(s.ext["AUTH"]))
	var client sasl.Client
	switch {
	case slices.Contains(offered, sasl.Plain):
		client = sasl.NewPlainClient("", s.t.settings.Username, s.t.settings.Password)
	case slices.Contains(offered, sasl.Login):
		client = sasl.NewLoginClient(s.t.settings.Username, s.t.settings.Password)
	default:
		return s.fail(ours(email.Deferred, "4.7.4", "%s offers neither AUTH PLAIN nor LOGIN", s.place.host))
	}
	mechanism, first, err := client.Start()
	if err != nil {
		return s.lost("AUTH", err)
	}
	line := "AUTH " + mechanism
	if len(first) > 0 {
		line += " " + base64.StdEncoding.EncodeToString(first)
	}
	for range 4 { // LOGIN asks twice
		if err := s.send(line); err != nil {
			return s.lost("AUTH", err)
		}
		got, err := s.read(s.t.settings.Timeouts.Command)
		if err != nil {
			return s.lost("AUTH", err)
		}
		if got.code == 235 {
			return nil
		}
		if got.code != 334 {
			return s.fail(deferred(got.said()))
		}
		if line, err = answer(client, got.lines[0]); err != nil {
			return s.lost("AUTH", err)
		}
	}
	return s.fail(ours(email.Deferred, "4.7.0", "%s keeps asking for the password", s.place.host))
}

// answer returns the line that answers a challenge.
func answer(client sasl.Client, challenge string) (string, error) {
	question, err := base64.StdEncoding.DecodeString(challenge)
	if err != nil {
		return "", err
	}
	text, err := client.Next(question)
	if err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(text), nil
}

// loopback reports whether the far end is this machine.
func (s *session) loopback() bool {
	far, ok := s.conn.RemoteAddr().(*net.TCPAddr)
	return ok && far.IP.IsLoopback()
}
