package email

import (
	"bytes"
	"context"
	"strings"

	"tidings/internal/fault"
	"tidings/internal/mailmsg"
	"tidings/internal/quota"
)

// ownHeaders begin the names of the fields by which a raw message says what the API's parameters say. They are never sent.
const ownHeaders = "x-ses-"

// The fields that are known. Source: SES Developer Guide, "Specifying a configuration set when you send email" and "Sending
// authorization: tasks for the delegate sender".
const (
	headerSet       = "X-SES-CONFIGURATION-SET"
	headerTags      = "X-SES-MESSAGE-TAGS"
	headerSourceARN = "X-SES-SOURCE-ARN"
	headerFromARN   = "X-SES-FROM-ARN"
)

// onceOnly are the fields that a header may have once. Source: SES Developer Guide, "Amazon SES header fields".
var onceOnly = lowerSet(`Accept-Language acceptLanguage Archived-At Auto-Submitted Bounces-to Comments Content-Alternative Content-Base
	Content-Class Content-Description Content-Disposition Content-Duration Content-ID Content-Language Content-Length Content-Location
	Content-MD5 Content-Transfer-Encoding Content-Type Date Delivered-To Disposition-Notification-Options
	Disposition-Notification-To DKIM-Signature DomainKey-Signature Errors-To From Importance In-Reply-To Keywords List-Archive
	List-Help List-Id List-Owner List-Post List-Subscribe List-Unsubscribe List-Unsubscribe-Post Message-Context Message-ID
	MIME-Version Organization Original-From Original-Message-ID Original-Recipient Original-Subject Precedence Priority References
	Reply-To Return-Path Return-Receipt-To Sender Solicitation Sensitivity Subject Thread-Index Thread-Topic User-Agent VBR-Info
	To Cc Bcc`)

func lowerSet(words string) map[string]bool {
	set := map[string]bool{}
	for word := range strings.FieldsSeq(words) {
		set[strings.ToLower(word)] = true
	}
	return set
}

// writeRaw makes a letter of a whole message.
func (d *desk) writeRaw(ctx context.Context, given *Request) (Letter, error) {
	if err := d.checkSize(given, given.Raw.Data, false); err != nil {
		return Letter{}, err
	}
	raw := mailmsg.Normalize(given.Raw.Data)
	read, err := mailmsg.Read(raw)
	if err != nil {
		return Letter{}, refuseContent(err)
	}
	h := &rawHeader{Header: read}
	if len(h.Fields) == 0 && len(bytes.TrimSpace(raw)) > 0 {
		return Letter{}, missingHeader("From")
	}
	if err := checkOnce(h); err != nil {
		return Letter{}, err
	}
	r := requestOf(given, h)
	w, err := d.sender(ctx, &r)
	if err != nil {
		return Letter{}, err
	}
	senders, err := rawSenders(h, &w)
	if err != nil {
		return Letter{}, err
	}
	recipients, err := d.rawRecipients(&r, h)
	if err != nil {
		return Letter{}, err
	}
	if len(h.Fields) == 0 {
		w.domain = "" // nothing is said of an empty message, as SES has it
	}
	m, err := d.message(ctx, &r, &w, senders, recipients)
	if err != nil {
		return Letter{}, err
	}
	describeRaw(&m, h)
	sent := d.seal(raw, &m, len(h.Fields) == 0)
	if err := d.checkSize(&r, raw, true); err != nil {
		return Letter{}, err
	}
	m.Size = len(sent)
	return Letter{Message: m, Raw: sent}, nil
}

// rawHeader is the header of a raw message. Its addresses are asked for several times, and read once.
type rawHeader struct {
	*mailmsg.Header
	read []readAddresses
}

// readAddresses are what was read of the fields of a name.
type readAddresses struct {
	name string
	all  []mailmsg.Address
	err  error
}

// Addresses returns the addresses of all fields of the name, as mailmsg.Header does.
func (h *rawHeader) Addresses(name string) ([]mailmsg.Address, error) {
	for i := range h.read {
		if h.read[i].name == name {
			return h.read[i].all, h.read[i].err
		}
	}
	all, err := h.Header.Addresses(name)
	h.read = append(h.read, readAddresses{name, all, err})
	return all, err
}

// checkOnce fails if a field stands in the header more often than it may.
func checkOnce(h *rawHeader) error {
	seen := make(map[string]bool, len(h.Fields))
	for i := range h.Fields {
		name := strings.ToLower(h.Fields[i].Name)
		if seen[name] && onceOnly[name] {
			return duplicateHeader(h.Fields[i].Name)
		}
		seen[name] = true
	}
	return nil
}

// duplicateHeader is in the words of SES.
func duplicateHeader(name string) error {
	return fault.New(fault.Invalid, fault.EmailParameter, "Duplicate header '%s'.", name)
}

// requestOf returns the request with what the header of its message says. What the request says goes first, and lists of tags are
// not merged. Source: SES Developer Guide, "Send email using Amazon SES event publishing".
func requestOf(given *Request, h *rawHeader) Request {
	r := *given
	if r.Set == "" {
		r.Set = h.Get(headerSet)
	}
	if len(r.Tags) == 0 {
		r.Tags = parseTags(h.Get(headerTags))
	}
	if r.FromARN == "" {
		r.FromARN = h.Get(headerSourceARN)
	}
	if r.FromARN == "" && r.From == "" {
		r.FromARN = h.Get(headerFromARN)
	}
	if path := h.Get("Return-Path"); r.ReturnPath == "" && path != "<>" {
		r.ReturnPath = path
	}
	if r.From == "" {
		r.From = h.Get("From")
		if all, err := h.Addresses("From"); err == nil && len(all) > 1 {
			if r.From = all[0].String(); h.Get("Sender") != "" { // RFC 5322 section 3.6.2
				r.From = h.Get("Sender")
			}
		}
	}
	return r
}

// rawSenders are the addresses that the message says it is from. An empty message says nothing.
func rawSenders(h *rawHeader, w *writer) ([]string, error) {
	senders := w.senders()
	if len(h.Fields) == 0 {
		return senders, nil
	}
	from, err := h.Addresses("From")
	if err != nil {
		return nil, refuseAddress(err)
	}
	if len(from) == 0 {
		return nil, missingHeader("From")
	}
	sender, err := h.Addresses("Sender")
	if err != nil {
		return nil, refuseAddress(err)
	}
	for _, list := range [...][]mailmsg.Address{from, sender} {
		for _, a := range list {
			senders = append(senders, deliverable(a))
		}
	}
	return senders, nil
}

// rawRecipients are those of the envelope, or else those of the header.
func (d *desk) rawRecipients(r *Request, h *rawHeader) ([]string, error) {
	var lists [][]mailmsg.Address
	for _, texts := range [...][]string{r.Raw.Envelope, r.To, r.Cc, r.Bcc} {
		all, err := parseMailboxes(texts)
		if err != nil {
			return nil, err
		}
		lists = append(lists, all)
	}
	if len(r.Raw.Envelope)+len(r.To)+len(r.Cc)+len(r.Bcc) == 0 {
		lists = lists[:0]
		count := 0
		for _, name := range [...]string{"To", "Cc", "Bcc"} {
			all, err := h.Addresses(name)
			if err != nil {
				return nil, refuseAddress(err)
			}
			count += len(all)
			lists = append(lists, all)
		}
		if count == 0 {
			return nil, missingHeader("To")
		}
	}
	return addressees(d.acc.Limits.Of(quota.EmailRecipients), lists...)
}

// describeRaw notes what the events of a message show of its header.
func describeRaw(m *Message, h *rawHeader) {
	m.Headers, m.HeadersTruncated = shownFields(h.Fields, func(name string) bool {
		return isOwn(name) || strings.EqualFold(name, "Bcc") || strings.EqualFold(name, "Return-Path")
	})
	texts := func(name string) []string {
		all, err := h.Addresses(name)
		if err != nil { // it is not sent to these: they are shown as they are
			return h.All(name)
		}
		return mailboxTexts(all)
	}
	m.Common = CommonHeaders{
		From: texts("From"), Sender: texts("Sender"), ReplyTo: texts("Reply-To"), To: texts("To"), Cc: texts("Cc"), Bcc: texts("Bcc"),
		ReturnPath: m.ReturnPath, Date: h.Get("Date"), Subject: h.Decoded("Subject"), MessageID: h.Get("Message-ID"),
	}
	if m.Common.MessageID == "" {
		m.Common.MessageID = m.ID
	}
}

func isOwn(name string) bool {
	return len(name) >= len(ownHeaders) && strings.EqualFold(name[:len(ownHeaders)], ownHeaders)
}

// seal returns the message as it is sent: without the fields that are for the server alone, and with its own date and ID.
// Source: SES Developer Guide, "Manual DKIM signing in Amazon SES", on the fields that SES overwrites.
func (d *desk) seal(raw []byte, m *Message, empty bool) []byte {
	raw = mailmsg.Strip(raw, func(name string) bool {
		return isOwn(name) || strings.EqualFold(name, "Bcc") || strings.EqualFold(name, "Return-Path") ||
			strings.EqualFold(name, "Message-ID") || strings.EqualFold(name, "Date") || strings.EqualFold(name, "Bounces-To")
	})
	const most = 256 // bytes of the fields beside the domain and the sender
	out := make([]byte, 0, len(raw)+len(d.s.messageDomain())+len(m.Sender)+most)
	out = append(out, "Message-ID: <"+m.ID+"@"+d.s.messageDomain()+">\r\nDate: "...)
	out = d.at.AppendFormat(out, "Mon, 2 Jan 2006 15:04:05 -0700") // RFC 5322 section 3.3
	out = append(out, "\r\n"...)
	if empty { // RFC 5322 section 3.6 wants a sender
		out = append(out, "From: "+m.Sender+"\r\n\r\n"...)
		return out
	}
	if out = append(out, raw...); !bytes.HasSuffix(out, []byte("\r\n")) {
		out = append(out, "\r\n"...)
	}
	return out
}
