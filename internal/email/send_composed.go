package email

import (
	"context"
	"strings"

	"tidings/internal/fault"
	"tidings/internal/mailmsg"
	"tidings/internal/quota"
)

// writeComposed makes a letter of simple or templated content.
func (d *desk) writeComposed(ctx context.Context, r *Request) (Letter, error) {
	m, err := d.address(ctx, r)
	if err != nil {
		return Letter{}, err
	}
	c, failure, err := d.content(ctx, r)
	if err != nil {
		return Letter{}, err
	}
	if failure != "" {
		m.Failure = failure
		return Letter{Message: m}, nil
	}
	c.From, c.To, c.Cc, c.ReplyTo = r.From, r.To, r.Cc, r.ReplyTo
	c.Date, c.MessageID, c.Domain = d.at, m.ID, d.s.messageDomain()
	c.Headers, err = addedFields(r.Headers)
	if err != nil {
		return Letter{}, err
	}
	raw, err := mailmsg.Compose(c)
	if err != nil {
		return Letter{}, refuseContent(err)
	}
	if err := d.checkSize(r, raw, len(c.Attachments) > 0); err != nil {
		return Letter{}, err
	}
	m.Size = len(raw)
	if err := describe(&m, raw, c.Subject); err != nil {
		return Letter{}, err
	}
	return Letter{Message: m, Raw: raw}, nil
}

// address makes the message of a request, without what its content says. Its rules are asked in the order in which SES asks them:
// addresses, tags, configuration set, identities.
func (d *desk) address(ctx context.Context, r *Request) (Message, error) {
	w, err := d.sender(ctx, r)
	if err != nil {
		return Message{}, err
	}
	var lists [4][]mailmsg.Address
	for i, texts := range [...][]string{r.To, r.Cc, r.Bcc, r.ReplyTo} {
		if lists[i], err = parseMailboxes(texts); err != nil {
			return Message{}, err
		}
	}
	recipients, err := addressees(d.acc.Limits.Of(quota.EmailRecipients), lists[:3]...)
	if err != nil {
		return Message{}, err
	}
	m, err := d.message(ctx, r, &w, w.senders(), recipients)
	if err != nil {
		return Message{}, err
	}
	m.Common = CommonHeaders{
		From: []string{mailboxText(w.mailbox)}, To: mailboxTexts(lists[0]), Cc: mailboxTexts(lists[1]), ReplyTo: mailboxTexts(lists[3]),
		ReturnPath: w.returnPath, MessageID: m.ID,
	}
	return m, nil
}

// message makes the message of a request whose addresses are in order: it checks tags, configuration set and identities.
func (d *desk) message(ctx context.Context, r *Request, w *writer, senders, recipients []string) (Message, error) {
	if err := checkMessageTags(r.Tags); err != nil {
		return Message{}, err
	}
	set, err := d.configurationSet(r.Set, w.from)
	if err != nil {
		return Message{}, err
	}
	if err := d.checkVerified(ctx, senders, recipients); err != nil {
		return Message{}, err
	}
	return Message{
		ID: NewID(d.at), Tenant: d.t, Accepted: d.at,
		Source: r.From, SourceARN: w.arn, Sender: w.address, ReturnPath: w.returnPath,
		Recipients: recipients, Set: set, Tags: allTags(r, set, w.domain), Template: templateName(r),
	}, nil
}

// content is what a message is made of, but for its addresses; or why it could not be made from its template.
func (d *desk) content(ctx context.Context, r *Request) (c mailmsg.Content, failure string, err error) {
	var attachments []Attachment
	if r.Simple != nil {
		if r.Simple.Text == nil && r.Simple.HTML == nil {
			return c, "", fault.New(fault.Invalid, fault.EmailParameter, "The message has neither a text nor an HTML body.")
		}
		c.Subject, c.SubjectCharset = r.Simple.Subject.Data, r.Simple.Subject.Charset
		c.Text, c.HTML = part(r.Simple.Text), part(r.Simple.HTML)
		attachments = r.Simple.Attachments
	} else {
		if c, failure, err = d.render(ctx, r.Templated); err != nil || failure != "" {
			return c, failure, err
		}
		attachments = r.Templated.Attachments
	}
	for _, a := range attachments {
		c.Attachments = append(c.Attachments, mailmsg.Attachment{
			Name: a.Name, Type: a.Type, ID: a.ID, Description: a.Description, Inline: a.Inline, Encoding: a.Encoding, Data: a.Data,
		})
	}
	return c, "", nil
}

func part(t *Text) *mailmsg.Part {
	if t == nil {
		return nil
	}
	return &mailmsg.Part{Data: t.Data, Charset: t.Charset}
}

// mostAdded is how many fields a request adds to a header. Source: SES API v2 Reference, "Message", Headers.
const mostAdded = 15

// addedFields checks the fields that a request adds to a header.
func addedFields(all []Header) ([]mailmsg.Field, error) {
	if len(all) > mostAdded {
		return nil, fault.New(fault.Invalid, fault.EmailParameter, "A message has at most %d headers of its own.", mostAdded)
	}
	var fields []mailmsg.Field
	seen := map[string]bool{}
	for _, one := range all {
		f := mailmsg.Field{Name: one.Name, Value: one.Value}
		if err := mailmsg.CheckField(f); err != nil {
			return nil, refuseContent(err)
		}
		name := strings.ToLower(one.Name)
		if strings.HasPrefix(name, ownHeaders) {
			return nil, fault.New(fault.Invalid, fault.EmailParameter, "The header '%s' is not for clients to set.", one.Name)
		}
		if onceOnly[name] && seen[name] {
			return nil, duplicateHeader(one.Name)
		}
		seen[name] = true
		fields = append(fields, f)
	}
	return fields, nil
}

// checkSize holds a whole message to the limits.
func (d *desk) checkSize(r *Request, raw []byte, parts bool) error {
	name := quota.EmailBytes
	if r.Large {
		name = quota.EmailBytesV2
	}
	if limit := d.acc.Limits.Of(name); limit > quota.Unlimited && int64(len(raw)) > limit {
		return fault.New(fault.Invalid, fault.EmailParameter, "Message length is more than %d bytes long: '%d'.", limit, len(raw))
	}
	limit := d.acc.Limits.Of(quota.EmailMIMEParts)
	if !parts || limit <= quota.Unlimited {
		return nil
	}
	// What else is wrong with the parts is between the client and its recipients.
	if o, _ := mailmsg.Parts(raw, int(limit)); int64(o.Parts) > limit {
		return fault.New(fault.Invalid, fault.EmailParameter, "The message has more than %d MIME parts.", limit)
	}
	return nil
}

// describe notes of a message that was made here what its events show. The fields that the server adds itself, Date and Message-ID,
// are not shown, as SES has it.
func describe(m *Message, raw []byte, subject string) error {
	h, err := mailmsg.Read(raw)
	if err != nil {
		return refuseContent(err)
	}
	m.Headers, m.HeadersTruncated = shownFields(h.Fields, func(name string) bool {
		return strings.EqualFold(name, "Date") || strings.EqualFold(name, "Message-ID")
	})
	if strings.ContainsAny(subject, "\r\n") { // the message has them as blanks
		subject = h.Decoded("Subject")
	}
	m.Common.Subject = subject
	return nil
}

// shownBytes is how much of a header events show. Source: SES Developer Guide, "Contents of event data", headersTruncated.
const shownBytes = 10 << 10

// shownFields are the fields of a header that events show, and whether some are missing.
func shownFields(fields []mailmsg.Field, hidden func(name string) bool) (shown []Header, truncated bool) {
	size := 0
	shown = make([]Header, 0, len(fields))
	for _, f := range fields {
		if hidden(f.Name) {
			continue
		}
		if size += len(f.Name) + len(f.Value) + len(": \r\n"); size > shownBytes {
			return shown, true
		}
		shown = append(shown, Header(f))
	}
	return shown, false
}

// refuseContent makes a fault for the client of what is wrong with the content of a mail.
func refuseContent(err error) error {
	if _, ok := asAddressError(err); ok {
		return refuseAddress(err)
	}
	return fault.New(fault.Invalid, fault.EmailParameter, "%s.", strings.TrimSuffix(err.Error(), "."))
}
