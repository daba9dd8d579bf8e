package email

import (
	"regexp"
	"strconv"
	"strings"
)

// The types of bounces. Source: SES Developer Guide, "Contents of event data that Amazon SES publishes", Bounce types.
const (
	permanent    = "Permanent"
	transient    = "Transient"
	undetermined = "Undetermined"
)

// The subtypes of bounces of recipients that were never tried, because their address is on a list: the account's, and the one
// that SES has for all accounts, which only the simulator plays.
const (
	onSuppressionList = "OnAccountSuppressionList"
	onGlobalList      = "Suppressed"
)

// statusForm is an enhanced status code. Source: RFC 3463 section 2.
var statusForm = regexp.MustCompile(`^([245])\.([0-9]{1,3})\.([0-9]{1,3})$`)

// Classify says how SES classes a bounce with this enhanced status code (RFC 3463; "" = none) and this text. What class 5 means
// for the sender is not always forever, and SES says so:
//
//	x.0.z         other                      Permanent General, or what the text tells
//	x.1.z         address                    Permanent General
//	x.2.0         other of the mailbox       Permanent General, or what the text tells
//	x.2.2         mailbox full               Transient MailboxFull
//	x.2.3, x.3.4  message too long           Transient MessageTooLarge
//	x.2.4         mailing list               Transient General
//	x.2.z         mailbox (disabled, …)      Permanent General
//	x.3.z         the receiving system       Transient General
//	x.4.1, .4, .6 no host, no route, a loop  Permanent General
//	x.4.z         network, time is up        Transient General
//	x.5.z         protocol                   Transient General
//	x.6.z         content or media           Transient ContentRejected, AttachmentRejected if the text speaks of attachments
//	x.7.0, .1     policy                     as x.6.z
//	x.7.13, .17   account off, other owner   Permanent General (RFC 5248, RFC 7293)
//	x.7.z         security                   Transient General
//
// Class 4 never is Permanent. Without a status the text alone tells, and if it does not, the bounce is Undetermined.
func Classify(status, text string) BounceType {
	parts := statusForm.FindStringSubmatch(status)
	if parts == nil || parts[1] == "2" {
		if told := byText(text); told != "" {
			return BounceType{transient, told}
		}
		return BounceType{undetermined, undetermined}
	}
	subject, _ := strconv.Atoi(parts[2])
	detail, _ := strconv.Atoi(parts[3])
	b := bySubject(subject, detail, text)
	if parts[1] == "4" {
		b.Type = transient
	}
	return b
}

func bySubject(subject, detail int, text string) BounceType {
	hard, soft := BounceType{permanent, "General"}, BounceType{transient, "General"}
	switch subject {
	case 0:
		if told := byText(text); told != "" {
			return BounceType{transient, told}
		}
		return hard
	case 1:
		return hard
	case 2:
		return ofMailbox(detail, text)
	case 3:
		if detail == 4 {
			return BounceType{transient, "MessageTooLarge"}
		}
	case 4:
		if detail == 1 || detail == 4 || detail == 6 {
			return hard
		}
	case 6:
		return ofContent(text)
	case 7:
		switch detail {
		case 0, 1:
			return ofContent(text)
		case 13, 17:
			return hard
		}
	}
	return soft
}

func ofMailbox(detail int, text string) BounceType {
	switch detail {
	case 0:
		return bySubject(0, 0, text)
	case 2:
		return BounceType{transient, "MailboxFull"}
	case 3:
		return BounceType{transient, "MessageTooLarge"}
	case 4:
		return BounceType{transient, "General"}
	default:
		return BounceType{permanent, "General"}
	}
}

func ofContent(text string) BounceType {
	if strings.Contains(strings.ToLower(text), "attachment") {
		return BounceType{transient, "AttachmentRejected"}
	}
	return BounceType{transient, "ContentRejected"}
}

// byText guesses a subtype from words that the common servers use; "" = nothing to go by.
func byText(text string) string {
	text = strings.ToLower(text)
	for _, sign := range []struct{ words, subtype string }{
		{"mailbox full", "MailboxFull"},
		{"mailbox is full", "MailboxFull"},
		{"quota exceeded", "MailboxFull"},
		{"over quota", "MailboxFull"},
		{"message too large", "MessageTooLarge"},
		{"message size exceeds", "MessageTooLarge"},
		{"attachment", "AttachmentRejected"},
		{"spam", "ContentRejected"},
	} {
		if strings.Contains(text, sign.words) {
			return sign.subtype
		}
	}
	return ""
}

// statusOf returns the enhanced status code of a reply, made from the code of SMTP if the server gave none.
func statusOf(r *Reply) string {
	switch {
	case r.Enhanced != "":
		return r.Enhanced
	case r.Code == 552: // RFC 5321 section 4.2.2: exceeded storage allocation
		return "5.2.2"
	case r.Code == 551, r.Code == 553: // user not local; mailbox name not allowed
		return "5.1.0"
	case r.Code >= 400 && r.Code < 600:
		return strconv.Itoa(r.Code/100) + ".0.0"
	case r.Verdict == Refused:
		return "5.0.0"
	default:
		return "4.0.0"
	}
}

// bounceTypeOf returns how SES classes a recipient that the reply refuses.
func bounceTypeOf(r *Reply) BounceType {
	if r.Bounce != (BounceType{}) {
		return r.Bounce
	}
	return Classify(statusOf(r), r.Text)
}

// String returns the verdict as metrics and the log name it.
func (v Verdict) String() string {
	switch v {
	case Delivered:
		return "delivered"
	case Deferred:
		return "deferred"
	case Refused:
		return "refused"
	default:
		return "Verdict(" + strconv.Itoa(int(v)) + ")"
	}
}
