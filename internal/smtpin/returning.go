package smtpin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-smtp"

	"tidings/internal/email"
	"tidings/internal/feedback"
	"tidings/internal/returnpath"
)

// Returning is a listener for what comes back: the mail exchanger of the domain of return paths.
type Returning struct {
	Settings
	Domain string            // "" = that of Paths
	Paths  *returnpath.Paths // whose bounce messages are taken
	// Addresses are the local parts at Domain that take complaints in the form of RFC 5965, in any case: "fbl", "abuse".
	Addresses []string
	Intake    Intake
}

// OpenReturning listens for what comes back.
func OpenReturning(s Returning) (*Listener, error) {
	ln, err := net.Listen("tcp", s.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen for bounce messages: %w", err)
	}
	return returningOn(ln, s), nil
}

func returningOn(ln net.Listener, s Returning) *Listener {
	s.Settings = s.withDefaults()
	if s.Domain == "" {
		s.Domain = s.Paths.Domain()
	}
	l := open(ln, "feedback", s.Settings, false, func(l *Listener, c *smtp.Conn) smtp.Session {
		return &returning{l: l, s: &s, smtp: c, conn: beneath(c.Conn())}
	})
	l.server.MaxRecipients = 100 // RFC 5321 4.5.3.1.8: no fewer
	l.server.EnableSMTPUTF8 = true
	return l
}

// returning is a session of a server that brings something back.
type returning struct {
	l    *Listener
	s    *Returning
	smtp *smtp.Conn
	conn *conn

	null bool     // the sender is <>: nobody wants an answer
	ids  []string // of the messages that the recipients stand for; none = they are addresses for complaints
}

var (
	errNoMailbox  = enhanced(550, smtp.EnhancedCode{5, 1, 1}, "There is no such mailbox here")
	errNotBounce  = enhanced(550, smtp.EnhancedCode{5, 7, 1}, "This address takes bounce messages (RFC 3464) only")
	errNotReport  = enhanced(550, smtp.EnhancedCode{5, 7, 1}, "This address takes feedback reports (RFC 5965) only")
	errNotStored  = enhanced(451, smtp.EnhancedCode{4, 3, 0}, "The report cannot be stored now")
	errTakenWords = enhanced(250, smtp.EnhancedCode{2, 0, 0}, "Ok")
)

// Mail begins a message.
func (s *returning) Mail(from string, _ *smtp.MailOptions) error {
	s.null = from == ""
	return nil
}

// Rcpt adds a recipient.
func (s *returning) Rcpt(to string, _ *smtp.RcptOptions) error {
	if id, ok := s.s.Paths.Parse(to); ok {
		if !slices.Contains(s.ids, id) {
			s.ids = append(s.ids, id)
		}
		return nil
	}
	local, domain, _ := strings.Cut(to, "@")
	if strings.EqualFold(domain, s.s.Domain) && slices.ContainsFunc(s.s.Addresses, func(a string) bool { return strings.EqualFold(a, local) }) {
		return nil
	}
	if s.conn.failed() {
		return errTooMany
	}
	return errNoMailbox
}

// Data takes the message.
func (s *returning) Data(r io.Reader) error {
	brought := *s // Reset may come while a chunked message is read
	return s.l.receive(s.smtp.Conn(), r, func(ctx context.Context, raw []byte) *smtp.SMTPError {
		result, reply := brought.take(ctx, raw)
		s.s.Metrics.message(s.l.name, result)
		return reply
	})
}

// take finds out what the message is.
func (s *returning) take(ctx context.Context, raw []byte) (result string, reply *smtp.SMTPError) {
	if c, err := feedback.ParseARF(raw); err == nil {
		return s.complained(ctx, raw, &c)
	}
	report, err := feedback.ParseDSN(raw)
	switch {
	case errors.Is(err, feedback.ErrAutomatic):
		return ignored, errTakenWords
	case len(s.ids) == 0:
		return refused, errNotReport
	case err != nil && !s.null:
		return refused, errNotBounce
	}
	// RFC 5321 4.5.5: what comes from <> is a notification. One that cannot be read is about some recipient.
	return s.bounced(ctx, raw, &report)
}

// skew is how far a date may be from our own clock to be believed. A server that brings a report again, because our reply was lost, may
// have tried for days (RFC 5321 4.5.4.1).
const (
	skewBack    = 7 * 24 * time.Hour
	skewForward = 5 * time.Minute
)

// sent returns when a report was sent, by its own date if that can be true: then it is the same each time that the report is brought,
// and so is the event.
func (s *returning) sent(raw []byte) time.Time {
	now := s.s.Now()
	at, ok := feedback.Sent(raw)
	if !ok || at.Before(now.Add(-skewBack)) || at.After(now.Add(skewForward)) {
		return now
	}
	return at
}

// bounced tells of a bounce message, for each recipient that it is about.
func (s *returning) bounced(ctx context.Context, raw []byte, report *feedback.Report) (string, *smtp.SMTPError) {
	bounces := bouncesOf(report, s.sent(raw))
	if len(bounces) == 0 {
		return ignored, errTakenWords
	}
	for _, id := range s.ids {
		for _, b := range bounces {
			if err := s.s.Intake.Bounced(ctx, id, b); err != nil {
				return s.notStored(id, err)
			}
		}
		if !slices.ContainsFunc(bounces, func(b email.BackBounce) bool { return !b.Delayed }) {
			continue
		}
		if err := s.s.Intake.Return(ctx, id, raw); err != nil {
			return s.notStored(id, err)
		}
	}
	return bounced, errTakenWords
}

// bouncesOf are what a report says of those who did not get the message, or not yet.
func bouncesOf(report *feedback.Report, at time.Time) (all []email.BackBounce) {
	if len(report.Recipients) == 0 {
		return []email.BackBounce{{Action: feedback.Failed, ReportingMTA: report.ReportingMTA, At: at}}
	}
	for _, r := range report.Recipients {
		if r.Action != feedback.Failed && r.Action != feedback.Delayed {
			continue
		}
		who := r.OriginalRecipient // RFC 3464 2.3.1: what the sender has written
		if who == "" {
			who = r.FinalRecipient
		}
		all = append(all, email.BackBounce{
			Recipient: who, Action: r.Action, Status: r.Status, Diagnostic: r.Diagnostic,
			ReportingMTA: report.ReportingMTA, At: at, Delayed: r.Action == feedback.Delayed,
		})
	}
	return all
}

// complained tells of a complaint.
func (s *returning) complained(ctx context.Context, raw []byte, c *feedback.Complaint) (string, *smtp.SMTPError) {
	ids := s.ids
	if len(ids) == 0 {
		id, ok := s.about(c)
		if !ok {
			// It is taken nevertheless: providers end the loop if their reports are refused.
			s.s.Log.Warn("a complaint does not say which message it is about", "type", c.Type, "user_agent", c.UserAgent)
			return unknown, errTakenWords
		}
		ids = []string{id}
	}
	for _, id := range ids {
		err := s.s.Intake.Complained(ctx, id, email.Complaint{Recipients: c.Recipients, Type: c.Type, UserAgent: c.UserAgent, Arrived: c.Arrived, At: s.sent(raw)})
		if err == nil {
			err = s.s.Intake.Return(ctx, id, raw)
		}
		if err != nil {
			return s.notStored(id, err)
		}
	}
	return complaint, errTakenWords
}

// about returns the ID of the message that a complaint is about. What is signed counts first: the return path, which the report or
// the included header has. Then come the IDs that the header has; those are random, and known to recipients alone.
func (s *returning) about(c *feedback.Complaint) (id string, ok bool) {
	if id, ok := s.s.Paths.Parse(c.MailFrom); ok {
		return id, true
	}
	for _, f := range c.Original {
		if strings.EqualFold(f.Name, "Return-Path") {
			if id, ok := s.s.Paths.Parse(strings.Trim(f.Value, "<> ")); ok {
				return id, true
			}
		}
	}
	local, _, _ := strings.Cut(c.MessageID, "@")
	if s.s.Paths.For(local) != "" {
		return local, true
	}
	for _, f := range c.Original {
		name := strings.ToLower(f.Name)
		if strings.HasPrefix(name, "x-") && strings.HasSuffix(name, "-id") {
			local, _, _ := strings.Cut(strings.Trim(f.Value, "<> "), "@")
			if s.s.Paths.For(local) != "" {
				return local, true
			}
		}
	}
	return "", false
}

func (s *returning) notStored(id string, err error) (string, *smtp.SMTPError) {
	s.s.Log.Error("what came back for a mail cannot be stored; its server brings it again", "message", id, "error", err)
	return failed, errNotStored
}

// Reset forgets the message.
func (s *returning) Reset() { s.null, s.ids = false, nil }

// Logout has nothing to do.
func (s *returning) Logout() error { return nil }
