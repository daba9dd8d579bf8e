package email

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"

	"tidings/internal/fault"
	"tidings/internal/quota"
	"tidings/internal/tenant"
)

// bounceKind is what a kind of bounce says of itself where the client does not.
type bounceKind struct{ action, status, text string }

// bounceKinds are the kinds of the API. Source: SES API Reference, "BouncedRecipientInfo"; SES Developer Guide, "Return bounce
// response action", for their status codes.
var bounceKinds = map[string]bounceKind{
	"DoesNotExist":     {"failed", "5.1.1", "smtp; 550 5.1.1 Mailbox does not exist"},
	"MessageTooLarge":  {"failed", "5.3.4", "smtp; 552 5.3.4 Message too large"},
	"ExceededQuota":    {"failed", "5.2.2", "smtp; 552 5.2.2 Mailbox full"},
	"ContentRejected":  {"failed", "5.6.1", "smtp; 500 5.6.1 Message content rejected"},
	"Undefined":        {"failed", "5.0.0", "smtp; 554 5.0.0 Unknown failure"},
	"TemporaryFailure": {"failed", "4.0.0", "smtp; 450 4.0.0 Temporary failure"},
}

// SendBounce sends a bounce message (RFC 3464) to the sender of a mail, and returns its ID. The mail must be one that this server
// has sent and still knows, of whatever account: what others have sent never comes through it.
func (s *Service) SendBounce(ctx context.Context, t tenant.Tenant, r BounceRequest) (id string, err error) {
	const operation = "SendBounce"
	id, err = s.sendBounce(ctx, t, operation, &r)
	s.Metrics.sent(operation, err)
	return id, err
}

func (s *Service) sendBounce(ctx context.Context, t tenant.Tenant, operation string, b *BounceRequest) (string, error) {
	d, err := s.open(ctx, t)
	if err != nil {
		return "", err
	}
	r := Request{Operation: operation, Origin: b.Origin, From: b.Sender, FromARN: b.SenderARN, Set: b.Set}
	w, err := d.sender(ctx, &r)
	if err != nil {
		return "", err
	}
	groups, err := d.bounced(b)
	if err != nil {
		return "", err
	}
	to, err := d.bouncesTo(ctx, b.Original)
	if err != nil {
		return "", err
	}
	m, err := d.message(ctx, &r, &w, w.senders(), []string{to})
	if err != nil {
		return "", err
	}
	raw := d.bounceMessage(&m, b, &w, groups)
	if err := describe(&m, raw, bounceSubject); err != nil {
		return "", err
	}
	m.Common.From, m.Common.To, m.Common.MessageID = []string{mailboxText(w.mailbox)}, []string{to}, m.ID
	m.Size = len(raw)
	undo, err := s.take(ctx, t, d.acc, d.at, countable(m.Recipients))
	if err != nil {
		return "", err
	}
	if err := s.put(ctx, undo, Letter{Message: m, Raw: raw}); err != nil {
		return "", err
	}
	return m.ID, nil
}

// bouncesTo finds who sent a mail: our IDs stand before the at sign of a Message-ID.
func (d *desk) bouncesTo(ctx context.Context, original string) (string, error) {
	id, _, _ := strings.Cut(strings.Trim(strings.TrimSpace(original), "<>"), "@")
	if id == "" {
		return "", fault.New(fault.Invalid, fault.EmailParameter, "The ID of the original message is missing.")
	}
	m, ok, err := d.s.Spool.Find(ctx, id)
	if err != nil {
		return "", fmt.Errorf("look the original message up: %w", err)
	}
	if !ok {
		return "", fault.New(fault.Invalid, fault.EmailMessage,
			"The original message <%s> was not sent by this server, or is too old: whom to tell is not known.", clip(id))
	}
	if m.ReturnPath != "" {
		return m.ReturnPath, nil
	}
	return m.Sender, nil
}

// bounced returns what the message says of each recipient.
func (d *desk) bounced(b *BounceRequest) ([]string, error) {
	most := d.acc.Limits.Of(quota.EmailRecipients)
	if most <= quota.Unlimited || most > mostRecipients {
		most = mostRecipients
	}
	if len(b.Recipients) == 0 || int64(len(b.Recipients)) > most {
		return nil, fault.New(fault.Invalid, fault.EmailParameter, "A bounce is about 1 to %d recipients, not %d.", most, len(b.Recipients))
	}
	if strings.ContainsRune(b.Explanation, 0) {
		return nil, fault.New(fault.Invalid, fault.EmailParameter, "The explanation has a NUL character.")
	}
	groups := make([]string, len(b.Recipients))
	for i := range b.Recipients {
		group, err := b.Recipients[i].group()
		if err != nil {
			return nil, err
		}
		groups[i] = group
	}
	return groups, nil
}

// group writes the fields about one recipient. Source: RFC 3464 section 2.3.
func (one *BouncedRecipient) group() (string, error) {
	a, err := parseMailbox(one.Recipient)
	if err != nil {
		return "", err
	}
	kind := bounceKinds["Undefined"]
	if one.Kind != "" {
		var ok bool
		if kind, ok = bounceKinds[one.Kind]; !ok {
			return "", fault.New(fault.Invalid, fault.EmailParameter, "%q is no type of bounce.", clip(one.Kind))
		}
	} else if one.Status == "" {
		return "", fault.New(fault.Invalid, fault.EmailParameter, "A bounced recipient needs a bounce type or a status.")
	}
	if one.Action != "" {
		kind.action = one.Action
	}
	if one.Status != "" {
		if one.Status != kind.status && one.Text == "" {
			kind.text = ""
		}
		kind.status = one.Status
	}
	if one.Text != "" {
		kind.text = one.Text
		if !strings.Contains(kind.text, ";") { // RFC 3464 section 2.3.6 wants a type before it
			kind.text = "smtp; " + kind.text
		}
	}
	if err := kind.check(); err != nil {
		return "", err
	}
	group := "Final-Recipient: rfc822; " + deliverable(a) + "\r\nAction: " + kind.action + "\r\nStatus: " + kind.status + "\r\n"
	if kind.text != "" {
		group += "Diagnostic-Code: " + kind.text + "\r\n"
	}
	return group, nil
}

// mostDiagnostic is how long a diagnostic is: a line (RFC 5322 section 2.1.1) with its name.
const mostDiagnostic = 900

// check holds what a client says of a recipient to RFC 3464 sections 2.3.3 and 2.3.4.
func (k *bounceKind) check() error {
	switch k.action {
	case "failed", "delayed", "delivered", "relayed", "expanded":
	default:
		return fault.New(fault.Invalid, fault.EmailParameter, "%q is no action of a bounce.", clip(k.action))
	}
	if !statusForm.MatchString(k.status) {
		return fault.New(fault.Invalid, fault.EmailParameter, "%q is no status code of a bounce.", clip(k.status))
	}
	for i := range len(k.text) {
		if c := k.text[i]; c < ' ' || c > '~' {
			return fault.New(fault.Invalid, fault.EmailParameter, "A diagnostic has printable ASCII characters alone, unlike %q.", clip(k.text))
		}
	}
	if len(k.text) > mostDiagnostic {
		return fault.New(fault.Invalid, fault.EmailParameter, "A diagnostic has at most %d characters.", mostDiagnostic)
	}
	return nil
}

const (
	bounceSubject     = "Delivery Status Notification (Failure)"
	bounceExplanation = "An error occurred while trying to deliver the mail to the following recipients:"
)

// bounceMessage writes the message. Source: RFC 3464 section 2, RFC 6522 section 3.
func (d *desk) bounceMessage(m *Message, b *BounceRequest, w *writer, groups []string) []byte {
	domain := d.s.messageDomain()
	boundary := "=_" + rand.Text()
	explanation := b.Explanation
	if explanation == "" {
		explanation = bounceExplanation
		for _, one := range b.Recipients {
			explanation += "\n" + one.Recipient
		}
	}
	var out strings.Builder
	for _, line := range []string{
		"From: " + w.mailbox.String(),
		"To: " + m.Recipients[0],
		"Subject: " + bounceSubject,
		"Date: " + d.at.Format("Mon, 2 Jan 2006 15:04:05 -0700"),
		"Message-ID: <" + m.ID + "@" + domain + ">",
		"In-Reply-To: " + reference(b.Original, domain),
		"Auto-Submitted: auto-replied", // RFC 3834 section 5
		"MIME-Version: 1.0",
		"Content-Type: multipart/report; report-type=delivery-status;",
		" boundary=\"" + boundary + "\"",
		"",
		"--" + boundary,
		"Content-Type: text/plain; charset=UTF-8",
		"Content-Transfer-Encoding: base64",
		"",
		wrapped(explanation),
		"--" + boundary,
		"Content-Type: message/delivery-status",
		"",
		"Reporting-MTA: dns; " + domain,
	} {
		out.WriteString(line + "\r\n")
	}
	for _, group := range groups {
		out.WriteString("\r\n" + group)
	}
	out.WriteString("\r\n--" + boundary + "--\r\n")
	return []byte(out.String())
}

// reference is the original's Message-ID, which was found: it is ours.
func reference(original, domain string) string {
	id, _, _ := strings.Cut(strings.Trim(strings.TrimSpace(original), "<>"), "@")
	return "<" + id + "@" + domain + ">"
}

// wrapped returns text in base64, in lines. Source: RFC 2045 section 6.8.
func wrapped(text string) string {
	const line = 76
	rest := base64.StdEncoding.EncodeToString([]byte(text))
	var lines []string
	for len(rest) > line {
		lines, rest = append(lines, rest[:line]), rest[line:]
	}
	return strings.Join(append(lines, rest), "\r\n")
}
