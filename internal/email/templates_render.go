package email

import (
	"context"
	"errors"
	"unicode/utf8"

	"tidings/internal/fault"
	"tidings/internal/mailmsg"
	"tidings/internal/mailtemplate"
	"tidings/internal/tenant"
)

// mostData is how many characters the data of a template has. Source: SES API Reference, "SendTemplatedEmail", TemplateData.
const mostData = 262_144

// Render fills a stored template, and returns the message that it would become, without addresses.
func (s *Service) Render(ctx context.Context, t tenant.Tenant, name, data string) (mime string, err error) {
	found, err := s.Template(ctx, t, name)
	if err != nil {
		return "", err
	}
	if err := checkData(data); err != nil {
		return "", err
	}
	read, err := mailtemplate.ParseData(data)
	if err != nil {
		return "", renderFault(found.Name, err)
	}
	c, err := s.fill(found, read)
	if err != nil {
		return "", renderFault(found.Name, err)
	}
	at := s.now()
	c.From, c.Date, c.MessageID, c.Domain = "nobody@"+s.messageDomain(), at, NewID(at), s.messageDomain()
	raw, err := mailmsg.Compose(c)
	if err != nil {
		return "", refuseContent(err)
	}
	return string(mailmsg.Strip(raw, mailmsg.Names("From"))), nil
}

// renderFault says, with what resource, why a template cannot be rendered.
func renderFault(name string, err error) error {
	if missing, ok := errors.AsType[*mailtemplate.MissingError](err); ok {
		return fault.New(fault.Invalid, fault.RenderingTag, "%s", missing.Error())
	}
	if bad, ok := errors.AsType[*mailtemplate.DataError](err); ok {
		return fault.New(fault.Invalid, fault.RenderingData, "Template rendering data is invalid: %s.", bad.Reason)
	}
	return invalidTemplate("The template %s cannot be rendered: %s.", clip(name), err.Error())
}

// failureText says in an event why a message could not be made from its template.
func failureText(err error) string {
	if missing, ok := errors.AsType[*mailtemplate.MissingError](err); ok {
		return missing.Error()
	}
	if bad, ok := errors.AsType[*mailtemplate.DataError](err); ok {
		return "Template rendering data is invalid: " + bad.Reason + "."
	}
	return "The template cannot be rendered: " + err.Error() + "."
}

func checkData(data string) error {
	if len(data) > mostData && utf8.RuneCountInString(data) > mostData {
		return fault.New(fault.Invalid, fault.EmailParameter, "The data of a template has at most %d characters.", mostData)
	}
	return nil
}

// template returns the template of the request. For a bulk it is looked up once.
func (d *desk) template(ctx context.Context, asked *Templated) (*Template, error) {
	if asked.Inline != nil {
		return asked.Inline, nil
	}
	if asked.Name == "" {
		return nil, fault.New(fault.Invalid, fault.EmailParameter, "The template is missing.")
	}
	if d.stored == nil || d.stored.Name != asked.Name {
		found, err := d.s.Template(ctx, d.t, asked.Name)
		if err != nil {
			return nil, err
		}
		d.stored = found
	}
	return d.stored, nil
}

// render fills the template of a request. What the template or its data have wrong is told as a failure: the mail is accepted all the
// same. Source: SES API Reference, "SendTemplatedEmail".
func (d *desk) render(ctx context.Context, asked *Templated) (c mailmsg.Content, failure string, err error) {
	found, err := d.template(ctx, asked)
	if err != nil {
		return c, "", err
	}
	for _, text := range [...]string{asked.Data, d.over} {
		if err := checkData(text); err != nil {
			return c, "", err
		}
	}
	data, err := d.data(asked.Data)
	if err != nil {
		return c, failureText(err), nil
	}
	if c, err = d.s.fill(found, data); err != nil {
		return c, failureText(err), nil
	}
	return c, "", nil
}

// data is what the template is filled with: the data of the request, and over it that of an entry.
func (d *desk) data(text string) (mailtemplate.Data, error) {
	if d.base == nil {
		base, err := mailtemplate.ParseData(text)
		d.base, d.baseErr = &base, err
	}
	if d.baseErr != nil {
		return mailtemplate.Data{}, d.baseErr
	}
	if d.over == "" {
		return *d.base, nil
	}
	over, err := mailtemplate.ParseData(d.over)
	if err != nil {
		return mailtemplate.Data{}, err
	}
	return over.Over(*d.base), nil
}

// fill renders the parts of a template. Its errors are those of mailtemplate.
func (s *Service) fill(one *Template, data mailtemplate.Data) (c mailmsg.Content, err error) {
	if c.Subject, err = s.fillPart(one.Subject, data); err != nil {
		return c, err
	}
	for _, to := range []struct {
		text string
		part **mailmsg.Part
	}{{one.Text, &c.Text}, {one.HTML, &c.HTML}} {
		if to.text == "" {
			continue
		}
		text, err := s.fillPart(to.text, data)
		if err != nil {
			return c, err
		}
		*to.part = &mailmsg.Part{Data: text}
	}
	return c, nil
}

func (s *Service) fillPart(text string, data mailtemplate.Data) (string, error) {
	if text == "" {
		return "", nil
	}
	parsed, err := s.parsed.Parse(text)
	if err != nil {
		return "", err
	}
	return parsed.Render(data)
}

// templateName is what events call the template of a mail.
func templateName(r *Request) string {
	if r.Templated == nil || r.Templated.Inline != nil {
		return ""
	}
	return r.Templated.Name
}
