package email

import (
	"errors"
	"strings"

	"tidings/internal/fault"
	"tidings/internal/mailmsg"
	"tidings/internal/quota"
)

// bareAddress checks an address without a name, and returns it with its domain in ASCII. Its error is an *mailmsg.AddressError.
func bareAddress(text string) (string, error) {
	a, err := mailmsg.ParseAddress(text)
	if err != nil {
		return "", err
	}
	if a.Name != "" || strings.ContainsAny(text, "<>") {
		return "", &mailmsg.AddressError{Address: text, Reason: "Illegal address"}
	}
	return deliverable(a), nil
}

// deliverable is an address as SMTP can take it: the client's spelling, unless the domain is not in ASCII.
// Source: SES API Reference, "Destination", on Punycode.
func deliverable(a mailmsg.Address) string {
	for i := range len(a.Domain) {
		if a.Domain[i] >= 0x80 {
			return a.ASCII()
		}
	}
	return a.Addr()
}

// parseMailbox reads an address that may have a name. "" is refused, too.
func parseMailbox(text string) (mailmsg.Address, error) {
	a, err := mailmsg.ParseAddress(text)
	if err != nil {
		return mailmsg.Address{}, refuseAddress(err)
	}
	return a, nil
}

// parseMailboxes reads addresses that each may have a name. One that is malformed refuses all.
// Source: SES API Reference, "SendEmail", on malformed addresses.
func parseMailboxes(texts []string) ([]mailmsg.Address, error) {
	if len(texts) == 0 {
		return nil, nil
	}
	all := make([]mailmsg.Address, 0, len(texts))
	for _, text := range texts {
		a, err := parseMailbox(text)
		if err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return all, nil
}

// refuseAddress says what is wrong with an address in the words of SES, which does not repeat the address.
func refuseAddress(err error) error {
	reason := "Illegal address"
	if bad, ok := asAddressError(err); ok {
		reason = bad.Reason
	}
	return fault.New(fault.Invalid, fault.EmailParameter, "%s", reason)
}

// mostRecipients is how many recipients a mail has even where nothing limits them: each has an outcome of its own.
const mostRecipients = 1_000

// addressees returns the recipients of a mail, each once. The limit counts them as the client wrote them.
func addressees(limit int64, lists ...[]mailmsg.Address) ([]string, error) {
	if limit <= quota.Unlimited || limit > mostRecipients {
		limit = mostRecipients
	}
	count := 0
	for _, list := range lists {
		count += len(list)
	}
	switch {
	case count == 0:
		return nil, fault.New(fault.Invalid, fault.EmailParameter, "The message has no recipients.")
	case int64(count) > limit:
		return nil, fault.New(fault.Invalid, fault.EmailParameter, "Recipient count exceeds %d.", limit)
	}
	all := make([]string, 0, count)
	if count == 1 {
		for _, list := range lists {
			for _, a := range list {
				return append(all, deliverable(a)), nil
			}
		}
	}
	seen := make(map[string]bool, count)
	for _, list := range lists {
		for _, a := range list {
			if key := a.Key(); !seen[key] {
				seen[key] = true
				all = append(all, deliverable(a))
			}
		}
	}
	return all, nil
}

// countable returns how many recipients count towards the limits: all but those of the mailbox simulator.
// Source: SES Developer Guide, "Using the mailbox simulator manually".
func countable(recipients []string) int {
	n := 0
	for _, one := range recipients {
		if !isSimulated(one) {
			n++
		}
	}
	return n
}

// mailboxText is a mailbox as events show it, its name decoded.
func mailboxText(a mailmsg.Address) string {
	if a.Name == "" {
		return a.Addr()
	}
	return a.Name + " <" + a.Addr() + ">"
}

// mailboxTexts are mailboxes as events show them.
func mailboxTexts(all []mailmsg.Address) []string {
	if len(all) == 0 {
		return nil
	}
	texts := make([]string, len(all))
	for i, a := range all {
		texts[i] = mailboxText(a)
	}
	return texts
}

func asAddressError(err error) (*mailmsg.AddressError, bool) {
	return errors.AsType[*mailmsg.AddressError](err)
}
