package feedback

import (
	"net/mail"
	"strings"
	"time"
)

// Complaint is what a report of RFC 5965 says: a recipient, or the recipient's provider, complains of a message.
type Complaint struct {
	Type       string    // feedback type, lower case: "abuse", "fraud", "virus", "not-spam", "other", …
	UserAgent  string    // program that made the report; "" = not said
	Arrived    time.Time // when the provider got the message; zero = not said
	Recipients []string  // addresses; none = not said, or made unreadable by the provider
	MailFrom   string    // envelope sender of the original; "" = not said
	MessageID  string    // of the original, without brackets; "" = not included
	Original   Fields    // of the original's header; nil = not included
}

// ParseARF reads a complaint. It fails with ErrNotReport for whatever is none.
func ParseARF(raw []byte) (Complaint, error) {
	message := read(raw)
	leaves := message.leaves()
	for _, p := range leaves {
		if p.kind == "message/feedback-report" {
			return complaint(fields(noEmptyLines(p.content())), original(leaves)), nil
		}
	}
	// Microsoft's Junk Mail Reporting Program, as it was before it learnt ARF: the message alone, with a field that says whose
	// it was. Source: Outlook.com Postmaster, "Junk Mail Reporting Program".
	if f := original(leaves); f.Get(jmrpRecipient) != "" {
		return complaint(Fields{{Name: "Feedback-Type", Value: "abuse"}}, f), nil
	}
	return Complaint{}, ErrNotReport
}

// jmrpRecipient is the field that Microsoft puts into the header of a message that it reports.
const jmrpRecipient = "X-HmXmrOriginalRecipient"

func isComplaint(leaves []part) bool {
	for _, p := range leaves {
		if p.kind == "message/feedback-report" {
			return true
		}
	}
	return false
}

// noEmptyLines joins the groups that some programs make of their fields, though RFC 5965 3 has one header only.
func noEmptyLines(body []byte) (joined []byte) {
	for at := 0; at < len(body); {
		var line []byte
		if line, at = nextLine(body, at); len(line) > 0 {
			joined = append(append(joined, line...), '\n')
		}
	}
	return joined
}

func complaint(report, original Fields) Complaint {
	c := Complaint{
		Type:      strings.ToLower(clean(report.Get("Feedback-Type"))),
		UserAgent: clean(report.Get("User-Agent")),
		MailFrom:  address(report.Get("Original-Mail-From")),
		MessageID: identity(original.Get("Message-ID")),
		Original:  original,
	}
	// Received-Date is what drafts of the RFC called it (RFC 5965 3.2, Arrival-Date).
	for _, name := range []string{"Arrival-Date", "Received-Date"} {
		if at, err := mail.ParseDate(report.Get(name)); err == nil && c.Arrived.IsZero() {
			c.Arrived = at.UTC()
		}
	}
	// Removal-Recipient is AOL's older name.
	for _, values := range [][]string{report.all("Original-Rcpt-To"), report.all("Removal-Recipient"), original.all(jmrpRecipient)} {
		if len(c.Recipients) == 0 {
			c.Recipients = known(values)
		}
	}
	return c
}

// known returns the addresses that can be read: providers write "redacted" for those that they do not tell (RFC 6590).
func known(values []string) (addresses []string) {
	for _, value := range values {
		one := address(typed(value))
		local, domain, ok := strings.Cut(one, "@")
		if ok && local != "" && domain != "" && !strings.HasPrefix(strings.ToLower(local), "redacted") && len(addresses) < maxRecipients {
			addresses = append(addresses, one)
		}
	}
	return addresses
}
