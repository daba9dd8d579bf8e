package emailrest

import (
	"context"
	"slices"

	"tidings/internal/awsapi"
	"tidings/internal/email"
	"tidings/internal/fault"
	"tidings/internal/tenant"
)

// pinpointSend is SendEmail of Pinpoint Email.
func (a *API) pinpointSend(ctx context.Context, t tenant.Tenant, in *pinpointSendInput) (*sendOutput, error) {
	if in.Destination == nil { // which the API v2 can do without
		return nil, invalidParameter("Destination is missing.")
	}
	return a.send(ctx, t, in, "")
}

// v2Send is SendEmail of the API v2.
func (a *API) v2Send(ctx context.Context, t tenant.Tenant, in *v2SendInput) (*sendOutput, error) {
	if err := checkWays(in.EndpointId, in.TenantName); err != nil {
		return nil, err
	}
	return a.send(ctx, t, &in.pinpointSendInput, in.FromEmailAddressIdentityArn)
}

// checkWays refuses what asks for a way of sending that this server has not.
func checkWays(endpoint, tenant string) error {
	if endpoint != "" {
		return invalidParameter("This server has no multi-region endpoints: leave EndpointId out.")
	}
	if tenant != "" {
		return invalidParameter("This server has no tenants: leave TenantName out.")
	}
	return nil
}

func (a *API) send(ctx context.Context, t tenant.Tenant, in *pinpointSendInput, fromARN string) (*sendOutput, error) {
	r := email.Request{
		Operation: sendEmail, Origin: originOf(ctx), Large: a.v2, From: in.FromEmailAddress, FromARN: fromARN, ReplyTo: in.ReplyToAddresses,
		ReturnPath: in.FeedbackForwardingEmailAddress, Set: in.ConfigurationSetName, Tags: tags(in.EmailTags),
	}
	if err := a.fillContent(&r, in.Content); err != nil {
		return nil, err
	}
	switch d := in.Destination; {
	case d == nil:
	case r.Raw != nil: // the header says who sees whom; the envelope, if there is one, who gets it
		r.Raw.Envelope = slices.Concat(d.ToAddresses, d.CcAddresses, d.BccAddresses)
	default:
		r.To, r.Cc, r.Bcc = d.ToAddresses, d.CcAddresses, d.BccAddresses
	}
	id, err := a.config.Mail.Send(ctx, t, r)
	if err != nil {
		return nil, err
	}
	return &sendOutput{MessageId: id}, nil
}

// fillContent puts the one content that the client gave into the request. It fails with
// fault.Invalid if there is none, or more than one.
func (a *API) fillContent(r *email.Request, w *emailContent) error {
	given := 0
	if w != nil {
		for _, there := range []bool{w.Raw != nil, w.Simple != nil, w.Template != nil} {
			if there {
				given++
			}
		}
	}
	if given != 1 {
		return invalidParameter("Content must have exactly one of Raw, Simple and Template, not %d.", given)
	}
	switch {
	case w.Raw != nil:
		r.Raw = &email.Raw{Data: w.Raw.Data}
		return nil
	case w.Simple != nil:
		return a.fillSimple(r, w.Simple)
	default:
		return a.fillTemplate(r, w.Template)
	}
}

func (a *API) fillSimple(r *email.Request, w *simple) error {
	if w.Subject == nil {
		return invalidParameter("Content.Simple.Subject is missing.")
	}
	if w.Body == nil || w.Body.Html == nil && w.Body.Text == nil {
		return invalidParameter("Content.Simple.Body must have Html, Text or both.")
	}
	s := &email.Simple{Subject: *w.Subject.text(), Text: w.Body.Text.text(), HTML: w.Body.Html.text()}
	r.Simple = s
	if !a.v2 {
		return nil
	}
	var err error
	if s.Attachments, err = attachments(w.Attachments); err != nil {
		return err
	}
	r.Headers, err = headers(w.Headers)
	return err
}

// fillTemplate puts what a mail is made from into the request: a stored template, or the
// request's own.
func (a *API) fillTemplate(r *email.Request, w *template) error {
	m := &email.Templated{Data: w.TemplateData}
	r.Templated = m
	var err error
	if !a.v2 {
		m.Name, err = templateName("", w.TemplateArn)
		return err
	}
	if c := w.TemplateContent; c != nil {
		if w.TemplateName != "" || w.TemplateArn != "" {
			return invalidParameter("A mail is made from TemplateContent, or from the template of TemplateName or TemplateArn, not from both.")
		}
		m.Inline = &email.Template{Subject: c.Subject, Text: c.Text, HTML: c.Html}
	} else if m.Name, err = templateName(w.TemplateName, w.TemplateArn); err != nil {
		return err
	}
	if m.Attachments, err = attachments(w.Attachments); err != nil {
		return err
	}
	r.Headers, err = headers(w.Headers)
	return err
}

// text is a content as the feature has it; nil stays nil.
func (w *content) text() *email.Text {
	if w == nil {
		return nil
	}
	return &email.Text{Data: w.Data, Charset: w.Charset}
}

func tags(all []messageTag) []email.Tag {
	var list []email.Tag
	for _, t := range all {
		list = append(list, email.Tag{Name: t.Name, Value: t.Value})
	}
	return list
}

func originOf(ctx context.Context) email.Origin {
	o := awsapi.OriginOf(ctx)
	return email.Origin{IP: o.IP, TLS: o.TLS, Caller: o.Key}
}

func invalidParameter(format string, args ...any) error {
	return fault.New(fault.Invalid, fault.EmailParameter, format, args...)
}
