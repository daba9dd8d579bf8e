package email

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"tidings/internal/arn"
	"tidings/internal/fault"
	"tidings/internal/mailmsg"
	"tidings/internal/tenant"
)

// speaker is what is known of who speaks for an address.
type speaker struct {
	identity *Identity // nil = there is none
	verified bool
}

// speaker finds the identity that speaks for an address: its own, or that of its domain, or of a domain above that. A verified one
// is preferred. Source: SES Developer Guide, "Verified identities in Amazon SES".
func (d *desk) speaker(ctx context.Context, address string) (speaker, error) {
	if d.from != "" && d.from == address {
		return d.known, nil
	}
	found, err := d.s.speaker(ctx, d.t, strings.ToLower(address))
	if err == nil {
		d.from, d.known = address, found
	}
	return found, err
}

func (s *Service) speaker(ctx context.Context, t tenant.Tenant, address string) (speaker, error) {
	var found speaker
	for name := range speakers(address) {
		one, ok, err := s.Registry.Identity(ctx, t, name)
		if err != nil {
			return speaker{}, fmt.Errorf("look an identity up: %w", err)
		}
		verified := slices.Contains(s.Verified, name) || ok && one.Verified
		if ok && (found.identity == nil || verified) {
			found.identity = one
		}
		if verified {
			found.verified = true
			break
		}
	}
	return found, nil
}

// speakers yields the names of the identities that may speak for an address in lower case, the nearest first.
func speakers(address string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		if !yield(address) {
			return
		}
		domain := address[strings.LastIndexByte(address, '@')+1:]
		for strings.Contains(domain, ".") && yield(domain) {
			_, domain, _ = strings.Cut(domain, ".")
		}
	}
}

// writer is who sends a mail.
type writer struct {
	mailbox    mailmsg.Address
	address    string // as SMTP has it
	domain     string
	from       speaker
	arn        string
	returnPath string
}

// senders are the addresses that must be verified where senders must.
// Source: SES Developer Guide, "Email address is not verified" among the errors of the API.
func (w *writer) senders() []string {
	if w.returnPath == "" {
		return []string{w.address}
	}
	return []string{w.address, w.returnPath}
}

// sender reads who sends, and finds the identity. It does not ask whether that is verified.
func (d *desk) sender(ctx context.Context, r *Request) (writer, error) {
	if r.From == "" {
		return writer{}, missingHeader("From")
	}
	var w writer
	var err error
	if w.mailbox, err = parseMailbox(r.From); err != nil {
		return writer{}, err
	}
	if r.ReturnPath != "" {
		path, err := parseMailbox(r.ReturnPath)
		if err != nil {
			return writer{}, err
		}
		w.returnPath = deliverable(path)
	}
	w.address = deliverable(w.mailbox)
	w.domain = w.address[strings.LastIndexByte(w.address, '@')+1:]
	if w.from, err = d.speaker(ctx, w.address); err != nil {
		return writer{}, err
	}
	w.arn, err = d.sourceARN(r, &w)
	return w, err
}

// sourceARN returns the ARN of the identity that speaks for the sender: the one that the client names, or that which was found, or
// that of the address. In a raw message a client may name the identity of the From field, whoever is the sender of the envelope.
func (d *desk) sourceARN(r *Request, w *writer) (string, error) {
	named := r.FromARN
	if named == "" {
		if w.from.identity != nil {
			return w.from.identity.ARN(d.t), nil
		}
		return identityARN(d.t, w.address), nil
	}
	a, err := arn.Parse(named)
	name, isIdentity := strings.CutPrefix(a.Resource, "identity/")
	if err != nil || a.Service != "ses" || a.Account == "" || !isIdentity {
		return "", fault.New(fault.Invalid, fault.EmailParameter, "The ARN %q is not that of an identity.", clip(named))
	}
	if r.Raw != nil {
		return named, nil
	}
	for speaks := range speakers(strings.ToLower(w.address)) {
		if strings.EqualFold(speaks, name) {
			return named, nil
		}
	}
	return "", fault.New(fault.Invalid, fault.EmailParameter, "The identity <%s> does not speak for the address <%s>.", clip(name), w.address)
}

// checkVerified fails if addresses must be verified, and some are not. Recipients must be in the sandbox alone.
func (d *desk) checkVerified(ctx context.Context, senders, recipients []string) error {
	if d.s.Senders != VerifiedSenders && !d.acc.Sandbox {
		return nil
	}
	must := senders
	if d.acc.Sandbox {
		must = slices.Concat(senders, recipients)
	}
	var failed []string
	for _, address := range must {
		if isSimulated(address) || slices.Contains(failed, address) {
			continue
		}
		found, err := d.speakerOf(ctx, address)
		if err != nil {
			return err
		}
		if !found.verified {
			failed = append(failed, address)
		}
	}
	if len(failed) == 0 {
		return nil
	}
	// Source: SES Developer Guide, "Amazon SES email sending errors".
	return fault.New(fault.Invalid, fault.EmailMessage, "Email address is not verified. The following identities failed the check in region %s: %s",
		strings.ToUpper(d.t.Region), strings.Join(failed, ", "))
}

// speakerOf is speaker, without taking note of what it finds.
func (d *desk) speakerOf(ctx context.Context, address string) (speaker, error) {
	if d.from == address {
		return d.known, nil
	}
	return d.s.speaker(ctx, d.t, strings.ToLower(address))
}

// missingHeader is in the words of SES.
func missingHeader(name string) error {
	return fault.New(fault.Invalid, fault.EmailParameter, "Missing required header '%s'.", name)
}
