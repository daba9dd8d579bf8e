package ses

import (
	"context"

	"tidings/internal/awsapi"
	"tidings/internal/email"
	"tidings/internal/tenant"
)

const (
	sendEmail              = "SendEmail"
	sendRawEmail           = "SendRawEmail"
	sendTemplatedEmail     = "SendTemplatedEmail"
	sendBulkTemplatedEmail = "SendBulkTemplatedEmail"
	sendBounce             = "SendBounce"
)

func (a *API) sendEmail(ctx context.Context, t tenant.Tenant, in *sendEmailInput) (*sendOutput, error) {
	if err := demand(
		member{"source", in.Source != ""},
		member{"destination", in.Destination != nil},
		member{"message", in.Message != nil},
	); err != nil {
		return nil, err
	}
	simple, err := in.Message.domain()
	if err != nil {
		return nil, err
	}
	return a.send(ctx, t, email.Request{
		Operation: sendEmail,
		From:      in.Source, FromARN: in.SourceArn,
		To: in.Destination.ToAddresses, Cc: in.Destination.CcAddresses, Bcc: in.Destination.BccAddresses,
		ReplyTo: in.ReplyToAddresses, ReturnPath: in.ReturnPath,
		Set: in.ConfigurationSetName, Tags: tags(in.Tags),
		Simple: simple,
	})
}

func (a *API) sendRawEmail(ctx context.Context, t tenant.Tenant, in *sendRawInput) (*sendOutput, error) {
	if err := demand(
		member{"rawMessage", in.RawMessage != nil},
		member{"rawMessage.data", in.RawMessage != nil && in.RawMessage.Data != nil},
	); err != nil {
		return nil, err
	}
	from := in.FromArn // the identity of the From field; SourceArn is that of the envelope
	if from == "" {
		from = in.SourceArn
	}
	return a.send(ctx, t, email.Request{
		Operation: sendRawEmail,
		From:      in.Source, FromARN: from,
		Set: in.ConfigurationSetName, Tags: tags(in.Tags),
		Raw: &email.Raw{Data: *in.RawMessage.Data, Envelope: in.Destinations},
	})
}

func (a *API) sendTemplatedEmail(ctx context.Context, t tenant.Tenant, in *sendTemplatedInput) (*sendOutput, error) {
	if err := demand(
		member{"source", in.Source != ""},
		member{"destination", in.Destination != nil},
		member{"template", in.Template != ""},
		member{"templateData", in.TemplateData != nil},
	); err != nil {
		return nil, err
	}
	return a.send(ctx, t, email.Request{
		Operation: sendTemplatedEmail,
		From:      in.Source, FromARN: in.SourceArn,
		To: in.Destination.ToAddresses, Cc: in.Destination.CcAddresses, Bcc: in.Destination.BccAddresses,
		ReplyTo: in.ReplyToAddresses, ReturnPath: in.ReturnPath,
		Set: in.ConfigurationSetName, Tags: tags(in.Tags),
		Templated: &email.Templated{Name: in.Template, Data: *in.TemplateData},
	})
}

func (a *API) send(ctx context.Context, t tenant.Tenant, r email.Request) (*sendOutput, error) {
	r.Origin = origin(ctx)
	id, err := a.config.Mail.Send(ctx, t, r)
	if err != nil {
		return nil, err
	}
	return &sendOutput{MessageId: id}, nil
}

func (a *API) sendBounce(ctx context.Context, t tenant.Tenant, in *sendBounceInput) (*sendOutput, error) {
	if err := demand(
		member{"originalMessageId", in.OriginalMessageId != ""},
		member{"bounceSender", in.BounceSender != ""},
		member{"bouncedRecipientInfoList", len(in.BouncedRecipientInfoList) > 0},
	); err != nil {
		return nil, err
	}
	r := email.BounceRequest{
		Origin: origin(ctx), Original: in.OriginalMessageId, Sender: in.BounceSender, SenderARN: in.BounceSenderArn, Explanation: in.Explanation,
	}
	for _, w := range in.BouncedRecipientInfoList {
		one, err := w.domain()
		if err != nil {
			return nil, err
		}
		r.Recipients = append(r.Recipients, one)
	}
	id, err := a.config.Mail.SendBounce(ctx, t, r)
	if err != nil {
		return nil, err
	}
	return &sendOutput{MessageId: id}, nil
}

// domain is a recipient of a mail that is bounced. It fails with fault.Invalid if a word is none of the API's.
func (w *bouncedRecipient) domain() (email.BouncedRecipient, error) {
	r := email.BouncedRecipient{Recipient: w.Recipient, Kind: w.BounceType}
	if w.Recipient == "" {
		return r, missing("bouncedRecipientInfoList.recipient")
	}
	if w.BounceType != "" {
		if err := oneOf("bouncedRecipientInfoList.bounceType", w.BounceType, bounceTypes...); err != nil {
			return r, err
		}
	}
	dsn := w.RecipientDsnFields
	if dsn == nil {
		return r, nil
	}
	const path = "bouncedRecipientInfoList.recipientDsnFields."
	if err := demand(member{path + "action", dsn.Action != ""}, member{path + "status", dsn.Status != ""}); err != nil {
		return r, err
	}
	if err := oneOf(path+"action", dsn.Action, actions...); err != nil {
		return r, err
	}
	r.Action, r.Status, r.Text = dsn.Action, dsn.Status, dsn.DiagnosticCode
	return r, nil
}

// domain is the content that a message is made of.
func (w *message) domain() (*email.Simple, error) {
	if err := demand(member{"message.subject", w.Subject != nil}, member{"message.body", w.Body != nil}); err != nil {
		return nil, err
	}
	subject, err := w.Subject.domain("message.subject.data")
	if err != nil {
		return nil, err
	}
	plain, err := w.Body.Text.domain("message.body.text.data")
	if err != nil {
		return nil, err
	}
	html, err := w.Body.Html.domain("message.body.html.data")
	if err != nil {
		return nil, err
	}
	return &email.Simple{Subject: *subject, Text: plain, HTML: html}, nil
}

// domain is a text; nil = none was given. name is its data's.
func (w *content) domain(name string) (*email.Text, error) {
	if w == nil {
		return nil, nil //nolint:nilnil // no text is no error
	}
	if w.Data == nil {
		return nil, missing(name)
	}
	return &email.Text{Data: *w.Data, Charset: w.Charset}, nil
}

func tags(all []messageTag) []email.Tag {
	var out []email.Tag
	for _, w := range all {
		out = append(out, email.Tag(w))
	}
	return out
}

// origin is where the request came from.
func origin(ctx context.Context) email.Origin {
	o := awsapi.OriginOf(ctx)
	return email.Origin{IP: o.IP, TLS: o.TLS, Caller: o.Key}
}
