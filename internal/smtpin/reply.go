package smtpin

import (
	"github.com/emersion/go-smtp"

	"tidings/internal/fault"
)

// as makes a reply in the words of SES, which knows no enhanced codes.
// Source: SES Developer Guide, "SMTP response codes returned by Amazon SES".
func as(code int, text string) *smtp.SMTPError {
	return &smtp.SMTPError{Code: code, EnhancedCode: smtp.NoEnhancedCode, Message: oneLine(text)}
}

// enhanced makes a reply with an enhanced code (RFC 3463).
func enhanced(code int, e smtp.EnhancedCode, text string) *smtp.SMTPError {
	return &smtp.SMTPError{Code: code, EnhancedCode: e, Message: oneLine(text)}
}

// oneLine keeps a text to ASCII that fits the line of a reply. Source: RFC 5321 4.5.3.1.5, 512 octets.
func oneLine(text string) string {
	const most = 480
	line := make([]byte, 0, min(len(text), most))
	for _, r := range text {
		switch {
		case len(line) == most:
			return string(line)
		case r == '\n' || r == '\t':
			r = ' '
		case r < ' ' || r > '~':
			r = '?'
		}
		line = append(line, byte(r))
	}
	return string(line)
}

// refusal is what a client is told when its mail is not accepted. The texts that SES has no example of follow the one that it
// gives for messages that it cannot read.
func refusal(f *fault.Error) *smtp.SMTPError {
	switch f.Resource {
	case fault.SendingRate, fault.SendingQuota:
		return as(454, "Throttling failure: "+f.Msg)
	case fault.EmailMessage, fault.EmailIdentity, fault.AccountSending, fault.SetSending:
		if f.Kind != fault.Internal && f.Kind != fault.Unavailable {
			return as(554, "Message rejected: "+f.Msg)
		}
	}
	switch f.Kind {
	case fault.Internal, fault.Unavailable:
		return as(451, "Temporary service failure")
	case fault.Throttled:
		return as(454, "Throttling failure: "+f.Msg)
	case fault.Denied:
		return as(554, "Access denied: "+f.Msg)
	case fault.Invalid, fault.NotFound, fault.Exists, fault.LimitExceeded:
		return as(554, "Transaction failed: "+f.Msg)
	}
	return as(451, "Temporary service failure")
}
