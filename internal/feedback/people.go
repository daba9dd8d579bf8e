package feedback

import (
	"bytes"
	"regexp"
	"strings"
)

// forPeople reads bounce messages that are written for people: those of qmail and of old Exims, whose form is known, with their
// recipients, all others without; ok is false if the message does not look like a bounce.
func forPeople(message part, leaves []part) (r Report, ok bool) {
	body := plainText(leaves)
	switch {
	case message.fields.Get("X-Failed-Recipients") != "":
		r = exim(message.fields, body)
	case bytes.HasPrefix(bytes.TrimLeft(body, "\r\n "), []byte("Hi. This is")):
		return qmail(body), true
	case !looksLikeBounce(message):
		return Report{}, false
	}
	r.include(original(leaves))
	return r, true
}

// maxPlain is how much of a text is looked at: it is read once for each recipient.
const maxPlain = 64 << 10

// plainText returns the first text of a message.
func plainText(leaves []part) []byte {
	for _, p := range leaves {
		if p.kind == "text/plain" || p.kind == "" {
			text := p.content()
			return text[:min(len(text), maxPlain)]
		}
	}
	return nil
}

var (
	daemon       = regexp.MustCompile(`(?i)\b(mailer-daemon|mailerdaemon|mail-daemon|mdaemon|postmaster)\b`)
	bounceTitles = regexp.MustCompile(`(?i)^(\[?(failure notice|undeliver(able|ed)|undelivered mail|returned mail|mail (delivery|system)|delivery (status|failure|has failed|notification|has been)|message delivery|warning: message|non[ -]?delivery|mail could not be|unzustellbar))`)
)

func looksLikeBounce(message part) bool {
	if message.kind == "multipart/report" || bounceTitles.MatchString(strings.TrimSpace(message.fields.Get("Subject"))) {
		return true
	}
	return daemon.MatchString(message.fields.Get("From")) && message.fields.Get("Subject") != ""
}

// exim reads a bounce of an Exim before 4.83: the recipients stand in the header, the reason in the text.
// Source: Exim specification, "Bounce and warning messages", X-Failed-Recipients.
func exim(f Fields, body []byte) (r Report) {
	action := Failed
	if strings.HasPrefix(strings.ToLower(f.Get("Subject")), "warning") {
		action = Delayed
	}
	for _, value := range f.all("X-Failed-Recipients") {
		for one := range strings.SplitSeq(value, ",") {
			if one = address(one); one != "" && len(r.Recipients) < maxRecipients {
				why := reason(section(body, one))
				r.Recipients = append(r.Recipients, Recipient{FinalRecipient: one, Action: action, Status: status(why), Diagnostic: diagnostic(why)})
			}
		}
	}
	return r
}

// section returns what is said about an address: from the first line that begins with it up to the next empty line.
func section(body []byte, address string) []byte {
	for at := 0; at < len(body); {
		line, next := nextLine(body, at)
		if bytes.HasPrefix(bytes.TrimSpace(line), []byte(address)) {
			text, _ := cut(body[next:])
			return text
		}
		at = next
	}
	return nil
}

// reply is a reply code, perhaps with a status, and what follows.
var reply = regexp.MustCompile(`(?:^|[\s:])([45]\d\d[ -][^\n]*(?:\n[^\n]*)*)`)

// reason returns the reply of a server that is quoted in a text, or the text.
func reason(text []byte) string {
	if m := reply.FindSubmatch(text); m != nil {
		return clean(string(m[1]))
	}
	return clean(string(text))
}

// diagnostic writes a reason as a report of RFC 3464 would.
func diagnostic(why string) string {
	switch {
	case why == "":
		return ""
	case why[0] == '4' || why[0] == '5':
		return "smtp; " + why
	}
	return "x-unknown; " + why
}

// belowIsCopy ends the part of a qmail bounce that is about recipients.
var belowIsCopy = regexp.MustCompile(`(?m)^--- (Below this line|Enclosed|Undelivered message|The first).*\r?\n`)

// qmail reads the paragraphs of a bounce of qmail. Each that begins with an address in brackets and a colon is about a recipient.
// Source: D. J. Bernstein, "The qmail-send Bounce Message Format (QSBMF)".
func qmail(body []byte) (r Report) {
	text := body
	if at := belowIsCopy.FindIndex(body); at != nil {
		text = body[:at[0]]
		header, _ := cut(bytes.TrimLeft(body[at[1]:], "\r\n"))
		r.include(fields(header))
	}
	permanent := bytes.Contains(text, []byte("permanent error"))
	for len(text) > 0 && len(r.Recipients) < maxRecipients {
		var paragraph []byte
		paragraph, text = cut(bytes.TrimLeft(text, "\r\n"))
		who, why, ok := bytes.Cut(paragraph, []byte(">:"))
		if !ok || len(who) == 0 || who[0] != '<' {
			continue
		}
		said := reason(why)
		one := Recipient{FinalRecipient: address(string(who[1:])), Action: Failed, Status: status(said), Diagnostic: diagnostic(said)}
		if one.Status == "" && permanent {
			one.Status = "5.0.0"
		}
		r.Recipients = append(r.Recipients, one)
	}
	return r
}
