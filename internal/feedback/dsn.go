package feedback

import (
	"bytes"
	"regexp"
	"strings"
)

// Report is what a bounce message says.
type Report struct {
	ReportingMTA string // name of the server that reports; "" = not said
	// Recipients are those whom the report is about; none = it cannot be read by a program, and is about whom it was sent to.
	Recipients []Recipient
	MessageID  string // of the original, without brackets; "" = not included
	Original   Fields // of the original's header; nil = not included
}

// Recipient is what became of one recipient.
type Recipient struct {
	FinalRecipient    string // address that delivery was tried to; "" = not said
	OriginalRecipient string // address that the sender has given; "" = not said
	Action            string // of RFC 3464 2.3.3: "failed", "delayed", "delivered", "relayed", "expanded"
	Status            string // RFC 3463: "5.1.1"; "" = not said
	Diagnostic        string // such as "smtp; 550 5.1.1 no such user", in one line; "" = not said
	RemoteMTA         string // name of the server that refused; "" = not said
}

// Actions of RFC 3464 2.3.3.
const (
	Failed    = "failed"
	Delayed   = "delayed"
	Delivered = "delivered"
	Relayed   = "relayed"
	Expanded  = "expanded"
)

// ParseDSN reads a bounce message. It fails with ErrAutomatic for replies of programs that are no bounces, and with ErrNotReport
// for whatever else is none.
func ParseDSN(raw []byte) (Report, error) {
	message := read(raw)
	leaves := message.leaves()
	for _, p := range leaves {
		if p.kind == "message/delivery-status" || p.kind == "message/global-delivery-status" {
			r := deliveryStatus(p.content())
			r.include(original(leaves))
			return r, nil
		}
	}
	if isComplaint(leaves) {
		return Report{}, ErrNotReport
	}
	if isReceipt(message, leaves) || saysAway(message.fields.Get("Subject")) {
		return Report{}, ErrAutomatic
	}
	if r, ok := forPeople(message, leaves); ok {
		return r, nil
	}
	if isAutomatic(message.fields) {
		return Report{}, ErrAutomatic
	}
	return Report{}, ErrNotReport
}

// include takes over the header of the original.
func (r *Report) include(fields Fields) {
	r.Original = fields
	r.MessageID = identity(fields.Get("Message-ID"))
}

// deliveryStatus reads groups of fields, divided by empty lines: one for the message, then one for each recipient (RFC 3464 2.1).
// The first may be missing, and there may be too many empty lines.
func deliveryStatus(body []byte) (r Report) {
	for rest := body; len(rest) > 0; {
		var group []byte
		group, rest = cut(bytes.TrimLeft(rest, "\r\n \t"))
		f := fields(group)
		if r.ReportingMTA == "" {
			r.ReportingMTA = clean(typed(f.Get("Reporting-MTA")))
		}
		if one, ok := recipient(f); ok && len(r.Recipients) < maxRecipients {
			r.Recipients = append(r.Recipients, one)
		}
	}
	return r
}

// recipient reads the group of a recipient; ok is false if it is none.
func recipient(f Fields) (one Recipient, ok bool) {
	one = Recipient{
		FinalRecipient:    address(typed(f.Get("Final-Recipient"))),
		OriginalRecipient: address(typed(f.Get("Original-Recipient"))),
		Status:            status(f.Get("Status")),
		Diagnostic:        clean(f.Get("Diagnostic-Code")),
		RemoteMTA:         host(typed(f.Get("Remote-MTA"))),
	}
	said := f.Get("Action")
	if one.FinalRecipient == "" && one.OriginalRecipient == "" && (said == "" || one.Status == "") {
		return Recipient{}, false
	}
	if one.Status == "" {
		one.Status = status(one.Diagnostic)
	}
	one.Action = action(said, one.Status)
	return one, true
}

// action returns the word of RFC 3464. Comments may follow it, and some servers write another word or none.
func action(said, status string) string {
	word, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(said)), " ")
	switch word {
	case Failed, Delayed, Delivered, Relayed, Expanded:
		return word
	case "failure":
		return Failed
	case "delay":
		return Delayed
	}
	if strings.HasPrefix(status, "2") {
		return Delivered
	}
	return Failed // also with a status of 4: whoever stops trying says so with it
}

// host returns the name of a server without the address that Exchange and others put behind it.
func host(s string) string {
	s, _, _ = strings.Cut(clean(s), " ")
	return s
}

var (
	enhanced = regexp.MustCompile(`\b([245])\.(\d{1,3})\.(\d{1,3})\b`)
	basic    = regexp.MustCompile(`(?:^|[^\d.])([45])\d\d(?:[ -]|$)`)
)

// status finds a status of RFC 3463 in a text, or makes the general one of a reply code (RFC 3463 2); "" = there is neither.
// It takes nothing for a status that is a part of an IP address.
func status(text string) string {
	for _, at := range enhanced.FindAllStringIndex(text, -1) {
		before := at[0] == 0 || text[at[0]-1] != '.'
		after := at[1] == len(text) || text[at[1]] != '.' || at[1]+1 == len(text) || text[at[1]+1] == ' '
		if before && after {
			return text[at[0]:at[1]]
		}
	}
	if m := basic.FindStringSubmatch(text); m != nil {
		return m[1] + ".0.0"
	}
	return ""
}
